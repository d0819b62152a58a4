"""How many promises were kept: by month, policy version, term, priority and clock.

A promise is counted once, in the month (UTC) in which it was decided: kept when it was fulfilled in time, broken when its time was up.
What is open and in time is not counted yet, nor what was withdrawn, cancelled, or promised nothing.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from statistics import median

from sqlalchemy import Connection

from hearthwatch.records import sla_events
from hearthwatch.records.sla_events import SlaEvent


@dataclass(frozen=True, slots=True)
class Figure:
    """One line. ``median_hours`` is the business time until fulfilment of those that were fulfilled, late ones too; None without any."""

    month: str
    policy_version: int
    term: str
    priority: int
    clock: str
    kept: int
    broken: int
    share: float
    median_hours: float | None


@dataclass(slots=True)
class _Count:
    kept: int = 0
    broken: int = 0
    hours: list[float] = field(default_factory=list)


Key = tuple[str, int, str, int, str]


def compliance(connection: Connection, since: datetime, until: datetime) -> list[Figure]:
    """The figures of [since, until), newest month first."""
    rows = sla_events.written_between(connection, since, until, ("breach", "update_status", "withdraw"))
    counts: dict[Key, _Count] = {}
    for row in _standing(rows):
        count = counts.setdefault(_key(row), _Count())
        status = row.detail.get("status")
        if row.what == "breach":
            count.broken += 1
        elif status == "met":
            count.kept += 1
        if status in {"met", "missed"}:
            count.hours.append(row.used_s / 3600)
    found = [_figure(key, count) for key, count in counts.items() if count.kept or count.broken]
    return sorted(
        found, key=lambda one: (one.month, one.policy_version, one.term, -one.priority, one.clock), reverse=True
    )


def _standing(rows: Iterable[SlaEvent]) -> Iterator[SlaEvent]:
    """Entries about promises that hold; an entry that is withdrawn is so at its own time."""
    told = list(rows)
    withdrawn = {(one.ticket_id, one.detail.get("number")) for one in told if one.what == "withdraw"}
    for row in told:
        if row.what != "withdraw" and row.target_s is not None and (row.ticket_id, row.number) not in withdrawn:
            yield row


def _key(row: SlaEvent) -> Key:
    return row.at.astimezone(UTC).strftime("%Y-%m"), row.policy_version, row.term, row.priority, row.clock


def _figure(key: Key, count: _Count) -> Figure:
    share = count.kept / (count.kept + count.broken)
    return Figure(*key, count.kept, count.broken, share, median(count.hours) if count.hours else None)
