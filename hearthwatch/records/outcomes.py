"""What became of devices: the labels that prognosis learns from."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import datetime

import sqlalchemy as sa
from sqlalchemy import Connection

from hearthwatch.records.database import insert_missing
from hearthwatch.records.tables import outcomes, superseded_outcomes


@dataclass(frozen=True, slots=True)
class Outcome:
    """``outcome`` is failure, no_fault_found, user_error, environment or fixed_by_update; ``part`` is empty where nobody knows it;
    ``source`` is ticket:<id> or import:<file>. ``at`` is when it happened, which may be before anybody knew."""

    device_id: str
    part: str
    at: datetime
    outcome: str
    source: str


_COLUMNS = tuple(outcomes.c[name] for name in Outcome.__dataclass_fields__)


HOLDS = sa.not_(sa.exists().where(superseded_outcomes.c.outcome_id == outcomes.c.id))
"""Of the rows of the table: those that nobody has corrected since."""


def add(connection: Connection, rows: Sequence[Outcome]) -> int:
    """Append outcomes; those already there (device, part, time, outcome) are left. Returns how many were new.

    One that was superseded and is said again holds again.
    """
    new = insert_missing(connection, outcomes, [asdict(row) for row in rows])
    if new < len(rows):
        for row in rows:
            same = sa.select(outcomes.c.id).where(*_is(row))
            again = sa.delete(superseded_outcomes).where(superseded_outcomes.c.outcome_id.in_(same))
            connection.execute(again)
    return new


def supersede(connection: Connection, row: Outcome, now: datetime) -> bool:
    """Let an outcome count no more, for another one holds; it stays as it was written. Returns whether this source had said it."""
    mine = sa.select(outcomes.c.id).where(*_is(row), outcomes.c.source == row.source)
    ids = list(connection.execute(mine).scalars())
    return bool(insert_missing(connection, superseded_outcomes, [{"outcome_id": one, "at": now} for one in ids]))


def _is(row: Outcome) -> list[sa.ColumnElement[bool]]:
    return [outcomes.c[name] == getattr(row, name) for name in ("device_id", "part", "at", "outcome")]


def of_source(connection: Connection, source: str) -> list[Outcome]:
    """The outcomes that one source has said and that hold, in order of time."""
    query = sa.select(*_COLUMNS).where(outcomes.c.source == source, HOLDS).order_by(outcomes.c.at, outcomes.c.id)
    return [Outcome(**row) for row in connection.execute(query).mappings()]


def list_outcomes(connection: Connection, *, until: datetime | None = None, device: str | None = None) -> list[Outcome]:
    """Outcomes that hold, in order of time; ``until`` leaves out those at or after it."""
    query = sa.select(*_COLUMNS).where(HOLDS).order_by(outcomes.c.at, outcomes.c.id)
    if until is not None:
        query = query.where(outcomes.c.at < until)
    if device is not None:
        query = query.where(outcomes.c.device_id == device)
    return [Outcome(**row) for row in connection.execute(query).mappings()]
