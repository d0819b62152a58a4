"""What became of devices: the labels that prognosis learns from."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import datetime

import sqlalchemy as sa
from sqlalchemy import Connection

from hearthwatch.records.database import insert_missing
from hearthwatch.records.tables import outcomes


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


def add(connection: Connection, rows: Sequence[Outcome]) -> int:
    """Append outcomes; those already there (device, part, time, outcome) are left. Returns how many were new."""
    return insert_missing(connection, outcomes, [asdict(row) for row in rows])


def list_outcomes(connection: Connection, *, until: datetime | None = None, device: str | None = None) -> list[Outcome]:
    """Outcomes in order of time; ``until`` leaves out those at or after it."""
    query = sa.select(*_COLUMNS).order_by(outcomes.c.at, outcomes.c.id)
    if until is not None:
        query = query.where(outcomes.c.at < until)
    if device is not None:
        query = query.where(outcomes.c.device_id == device)
    return [Outcome(**row) for row in connection.execute(query).mappings()]
