"""Data quality: the ledger of ingest, what was held back, and the jobs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from nicegui import ui

from api.context import ApiContext
from api.pages.frame import Visit, card, figure, sentence
from api.pages.tables import table
from api.pages.wording import moment
from hearthwatch.records import job_runs, quarantine
from hearthwatch.records.job_runs import JobRun
from hearthwatch.records.quarantine import HeldItem

SHOWN = 200


@dataclass(frozen=True, slots=True)
class Quality:
    """What the page shows."""

    held: list[HeldItem]
    jobs: list[JobRun]
    health: dict[str, Any]


async def quality_page(visit: Visit) -> None:
    """Is what comes in complete, and is what should run running?"""
    shown = await visit.load(_load)
    ledger = shown.health.get("ingest", {}).get("samples", {})
    if ledger:
        with ui.row().classes("w-full gap-4"):
            for name in ("received", "stored", "duplicate", "quarantined", "ignored", "in_flight"):
                figure(name.replace("_", " "), f"{ledger.get(name, 0):,}", "samples")
    _quarantine(shown.held)
    _jobs(shown.jobs)


def _load(context: ApiContext) -> Quality:
    with context.database.reading() as connection:
        held = list(quarantine.list_items(connection, limit=SHOWN))
        jobs = job_runs.latest(connection)
    health = {name: value() if callable(value) else value for name, value in context.health.items()}
    return Quality(held, jobs, health)


def _quarantine(held: Sequence[HeldItem]) -> None:
    with card("Quarantine", "What could not be taken in, with the reason. After a fix: hearthwatch quarantine replay."):
        if held:
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
