"""Data quality: the ledger of ingest, what was held back, and the jobs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from nicegui import ui

from api.context import ApiContext
from api.pages.frame import DISMISS, Visit, card, figure, refused, sentence
from api.pages.language import Speaker, speaker
from api.pages.tables import table, worded
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
SAMPLES = ("received", "stored", "duplicate", "quarantined", "ignored", "in_flight")
"""The counts of the ledger."""
JOB_WORDS: Mapping[str, str] = {
    "liveness": "Who is there",
    "rollup": "Hourly and daily sums",
    "vitals": "Vitals of the groups",
    "train": "Training of models",
    "anomalies": "Unusual behaviour",
    "prognose": "Prognoses",
    "models": "Watch over models",
    "cohorts": "Comparisons of firmware",
    "rollouts": "Gates of roll-outs",
    "recover": "Recoveries",
    "policy": "Round of the policy",
    "follow_up": "Follow-up of tickets",
    "campaigns": "Recalls",
    "sla": "Clocks of service levels",
    "commands": "Questions to devices",
    "deliver": "Sending",
    "mirrors": "Outside desks",
    "mail": "Inbound mail",
    "reporters": "Answers to reports",
    "backtests": "Backtests",
    "replays": "Trials of policies",
    "expire": "Deletion of what is old",
}
"""What each job is for, beside the name that commands and settings know it by."""
PROCESSES = (
    ("id", "Process", "left"),
    ("role", "Process role", "left"),
    ("state", "State", "left"),
    ("started", "Started", "left"),
    ("report", "Last report", "left"),
    ("says", "Says", "left"),
)
HELD = (
    ("at", "Received", "left"),
    ("topic", "Topic", "left"),
    ("part", "Part", "left"),
    ("reason", "Reason", "left"),
    ("seen", "Times", "right"),
    ("state", "State", "left"),
)
JOBS = (
    ("job", "Job", "left"),
    ("state", "State", "left"),
    ("started", "Started", "left"),
    ("result", "Result", "left"),
)


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
    say = speaker(visit.request)
    shown = await visit.load(_load)
    ledger = shown.samples
    if ledger:
        with ui.row().classes("w-full gap-4"):
            for name in SAMPLES:
                figure(say.word(name), f"{ledger.get(name, 0):,}", say("samples"))
    _late(say, shown.late)
    _processes(say, shown.processes, shown.now)
    _quarantine(visit, say, shown)
    _jobs(say, shown.jobs)


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


def _late(say: Speaker, late: Lateness) -> None:
    if late.days:
        with card(
            say("Late data"),
            say("Of the last 30 days; it came after the morning that judged its day (docs/reliability.md)."),
        ):
            told = say(
                "{days} device-days of {devices}, the newest at {at} UTC.",
                days=f"{late.days:,}",
                devices=say("1 device") if late.devices == 1 else say("{count} devices", count=f"{late.devices:,}"),
                at=moment(late.last_at),
            )
            sentence(told)


def _processes(say: Speaker, known: Sequence[Process], now: datetime) -> None:
    if not known:
        return
    with card(say("Processes"), say("What runs, as each process reports it every ten seconds.")):
        table(
            worded(say, PROCESSES),
            [_process_row(say, process, now) for process in known],
            badges=("state",),
            prose=("says",),
        ).props("wrap-cells")


def _process_row(say: Speaker, process: Process, now: datetime) -> dict[str, Any]:
    well = all(part.get("ok", True) for part in process.health.values() if isinstance(part, Mapping))
    state, color = (say("well"), "positive") if well else (say("troubled"), "warning")
    says = [_says(say, name, part) for name, part in process.health.items() if isinstance(part, Mapping)]
    if not process.reports(now):
        state, color, says = say("silent"), "negative", [say("ended without a word, or cannot reach the records")]
    return {
        "id": process.id,
        "role": say.word(process.role),
        "state": state,
        "state_color": color,
        "started": moment(process.started_at),
        "report": say("{count} s ago", count=f"{max(0.0, (now - process.seen_at).total_seconds()):.0f}"),
        "says": say("; ").join(says),
    }


def _says(say: Speaker, name: str, part: Mapping[str, Any]) -> str:
    if name == "jobs":
        return say("works the jobs") if part.get("leads") else say("stands by for the jobs")
    words = [say("{count} samples received", count=f"{part.get('samples', {}).get('received', 0):,}")]
    if (gaps := part.get("gaps")) and gaps["lost"]:
        lost = say(
            "{count} messages never came, by what devices number; last of {device}",
            count=f"{gaps['lost']:,}",
            device=gaps["last"]["device"],
        )
        words.append(lost)
    if sessions := part.get("sessions"):
        words.append(say("sessions {names}", names=", ".join(sorted(sessions))))
    if left := part.get("sessions_left"):
        words.append(say("left by others: {names}", names=", ".join(left)))
    if part.get("last_error"):
        words.append(say.retell(str(part["last_error"])))
    return say(", ").join(words)


def _quarantine(visit: Visit, say: Speaker, shown: Quality) -> None:
    held, by_state = shown.held, shown.held_by_state
    note = say("What could not be taken in, with the reason. After a fix, of a mapping file say, try it again.")
    with card(say("Quarantine"), note):
        if held:
            told = say(
                "{held} held, {replayed} replayed, {discarded} discarded. At most {most} are kept; the oldest leave first.",
                **{state: f"{by_state.get(state, 0):,}" for state in ("held", "replayed", "discarded")},
                most=f"{quarantine.MAX_ITEMS:,}",
            )
            sentence(told)
            if by_state.get("held") and visit.person.role in ENGINEERS:
                ui.button(say("Try again"), on_click=lambda: _try_again(visit, say)).props("no-caps outline")
            table(
                worded(say, HELD),
                [
                    {
                        "id": item.id,
                        "at": moment(item.received_at),
                        "topic": item.topic,
                        "part": item.part or say("all of it"),
                        "reason": say.retell(item.reason),
                        "seen": item.seen,
                        "state": say.word(item.state),
                    }
                    for item in held
                ],
                prose=("reason",),
            ).props("wrap-cells")
        else:
            sentence(say("Nothing. Every message could be read."))


async def _try_again(visit: Visit, say: Speaker) -> None:
    try:
        answer = await visit.load(replay_quarantine, visit.person.name)
    except HearthwatchError as error:
        refused(error)
        return
    said = say(", ").join(say("{what}: {value}", what=say.word(name), value=count) for name, count in answer.items())
    ui.notify(said, type="positive", multi_line=True, close_button=DISMISS)
    ui.navigate.reload()


def _jobs(say: Speaker, jobs: Sequence[JobRun]) -> None:
    with card(say("Jobs"), say("The newest run of each.")):
        table(
            worded(say, JOBS),
            [
                {
                    "id": run_of.id,
                    "job": _job(say, run_of.job),
                    "state": say.word(run_of.state),
                    "state_color": "negative"
                    if run_of.state == "failed"
                    else "positive"
                    if run_of.state == "done"
                    else "primary",
                    "started": moment(run_of.started_at),
                    "result": say.retell(run_of.error) if run_of.error else _result(say, run_of.result or {}),
                }
                for run_of in jobs
            ],
            badges=("state",),
            prose=("result",),
        ).props("wrap-cells")


def _job(say: Speaker, name: str) -> str:
    return f"{say(JOB_WORDS[name])} ({name})" if name in JOB_WORDS else name


def _result(say: Speaker, result: Mapping[str, Any]) -> str:
    told = {name: value for name, value in result.items() if not isinstance(value, (dict, list))}
    return say(", ").join(f"{say.word(name)} {value}" for name, value in told.items())
