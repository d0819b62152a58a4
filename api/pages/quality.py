"""Data quality: the ledger of ingest, what was held back, and the jobs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from nicegui import ui

from api.context import ApiContext
from api.pages.frame import Visit, card, figure, refused, sentence
from api.pages.tables import table
from api.pages.wording import moment
from api.replays import replay_quarantine
from api.security import ENGINEERS
from hearthwatch.errors import HearthwatchError
from hearthwatch.records import job_runs, late_days, processes, quarantine
from hearthwatch.records.job_runs import JobRun
from hearthwatch.records.late_days import Lateness
from hearthwatch.records.processes import Process
from hearthwatch.records.quarantine import HeldItem

SHOWN = 200
LATE_PERIOD = timedelta(days=30)


@dataclass(frozen=True, slots=True)
class Quality:
    """What the page shows."""

    held: list[HeldItem]
    held_by_state: Mapping[str, int]
    jobs: list[JobRun]
    processes: list[Process]
    samples: dict[str, int]
    late: Lateness
    now: datetime


async def quality_page(visit: Visit) -> None:
    """Is what comes in complete, and is what should run running?"""
    shown = await visit.load(_load)
    ledger = shown.samples
    if ledger:
        with ui.row().classes("w-full gap-4"):
            for name in ("received", "stored", "duplicate", "quarantined", "ignored", "in_flight"):
                figure(name.replace("_", " "), f"{ledger.get(name, 0):,}", "samples")
    _late(shown.late)
    _processes(shown.processes, shown.now)
    _quarantine(visit, shown)
    _jobs(shown.jobs)


def _load(context: ApiContext) -> Quality:
    with context.database.reading() as connection:
        held = list(quarantine.list_items(connection, limit=SHOWN))
        by_state = quarantine.counts(connection)
        jobs = job_runs.latest(connection)
        known = processes.list_processes(connection)
        now = context.clock.now()
        late = late_days.told(connection, now - LATE_PERIOD)
    return Quality(held, by_state, jobs, known, _samples(context, known, now), late, now)


def _samples(context: ApiContext, known: list[Process], now: datetime) -> dict[str, int]:
    """The ledger: our own as it is now where this process takes messages in, else what the ingestors reported, added up."""
    own = context.health.get("ingest")
    told = own() if callable(own) else own
    if isinstance(told, Mapping) and told.get("samples"):
        return dict(told["samples"])
    return processes.samples([process for process in known if process.reports(now)])


def _late(late: Lateness) -> None:
    if late.days:
        with card(
            "Late data", "Of the last 30 days; it came after the morning that judged its day (docs/reliability.md)."
        ):
            devices = f"{late.devices:,} device{'s' if late.devices > 1 else ''}"
            sentence(f"{late.days:,} device-days of {devices}, the newest at {moment(late.last_at)} UTC.")


def _processes(known: Sequence[Process], now: datetime) -> None:
    if not known:
        return
    with card("Processes", "What runs, as each process reports it every ten seconds."):
        table(
            (
                ("id", "Process", "left"),
                ("role", "Role", "left"),
                ("state", "State", "left"),
                ("started", "Started", "left"),
                ("report", "Last report", "left"),
                ("says", "Says", "left"),
            ),
            [_process_row(process, now) for process in known],
            badges=("state",),
        ).props("wrap-cells")


def _process_row(process: Process, now: datetime) -> dict[str, Any]:
    well = all(part.get("ok", True) for part in process.health.values() if isinstance(part, Mapping))
    state, color = ("well", "positive") if well else ("troubled", "warning")
    says = [_says(name, part) for name, part in process.health.items() if isinstance(part, Mapping)]
    if not process.reports(now):
        state, color, says = "silent", "negative", ["ended without a word, or cannot reach the records"]
    return {
        "id": process.id,
        "role": process.role,
        "state": state,
        "state_color": color,
        "started": moment(process.started_at),
        "report": f"{max(0.0, (now - process.seen_at).total_seconds()):.0f} s ago",
        "says": "; ".join(says),
    }


def _says(name: str, part: Mapping[str, Any]) -> str:
    if name == "jobs":
        return "works the jobs" if part.get("leads") else "stands by for the jobs"
    words = [f"{part.get('samples', {}).get('received', 0):,} samples received"]
    if (gaps := part.get("gaps")) and gaps["lost"]:
        words.append(f"{gaps['lost']:,} messages never came, by what devices number; last of {gaps['last']['device']}")
    if sessions := part.get("sessions"):
        words.append("sessions " + ", ".join(sorted(sessions)))
    if left := part.get("sessions_left"):
        words.append("left by others: " + ", ".join(left))
    if part.get("last_error"):
        words.append(str(part["last_error"]))
    return ", ".join(words)


def _quarantine(visit: Visit, shown: Quality) -> None:
    held, by_state = shown.held, shown.held_by_state
    note = "What could not be taken in, with the reason. After a fix, of a mapping file say, try it again."
    with card("Quarantine", note):
        if held:
            states = ", ".join(f"{by_state.get(state, 0):,} {state}" for state in ("held", "replayed", "discarded"))
            sentence(f"{states}. At most {quarantine.MAX_ITEMS:,} are kept; the oldest leave first.")
            if by_state.get("held") and visit.person.role in ENGINEERS:
                ui.button("Try again", on_click=lambda: _try_again(visit)).props("no-caps outline")
            table(
                (
                    ("at", "Received", "left"),
                    ("topic", "Topic", "left"),
                    ("part", "Part", "left"),
                    ("reason", "Reason", "left"),
                    ("seen", "Times", "right"),
                    ("state", "State", "left"),
                ),
                [
                    {
                        "id": item.id,
                        "at": moment(item.received_at),
                        "topic": item.topic,
                        "part": item.part or "all of it",
                        "reason": item.reason,
                        "seen": item.seen,
                        "state": item.state,
                    }
                    for item in held
                ],
            ).props("wrap-cells")
        else:
            sentence("Nothing. Every message could be read.")


async def _try_again(visit: Visit) -> None:
    try:
        answer = await visit.load(replay_quarantine, visit.person.name)
    except HearthwatchError as error:
        refused(error)
        return
    said = ", ".join(f"{count} {name.replace('_', ' ')}" for name, count in answer.items())
    ui.notify(said, type="positive", multi_line=True, close_button="Close")
    ui.navigate.reload()


def _jobs(jobs: Sequence[JobRun]) -> None:
    with card("Jobs", "The newest run of each."):
        table(
            (
                ("job", "Job", "left"),
                ("state", "State", "left"),
                ("started", "Started", "left"),
                ("result", "Result", "left"),
            ),
            [
                {
                    "id": run_of.id,
                    "job": run_of.job,
                    "state": run_of.state,
                    "state_color": "negative"
                    if run_of.state == "failed"
                    else "positive"
                    if run_of.state == "done"
                    else "primary",
                    "started": moment(run_of.started_at),
                    "result": run_of.error
                    or ", ".join(
                        f"{name} {value}"
                        for name, value in (run_of.result or {}).items()
                        if not isinstance(value, (dict, list))
                    ),
                }
                for run_of in jobs
            ],
            badges=("state",),
        ).props("wrap-cells")
