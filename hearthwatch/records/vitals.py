"""Daily vitals of groups: numerators and denominators, so that any span and any grouping is a ratio of sums."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime

import sqlalchemy as sa
from sqlalchemy import Connection

from hearthwatch.records.database import replace_rows
from hearthwatch.records.tables import vitals


@dataclass(frozen=True, slots=True)
class VitalsRow:
    """One UTC day of one group. ``sums`` holds numerators and denominators by name."""

    day: datetime
    model: str
    hardware: str
    firmware: str
    devices: int
    sums: Mapping[str, float]


def put(connection: Connection, rows: Sequence[VitalsRow]) -> None:
    """Write rows, over those of the same day and group."""
    replace_rows(connection, vitals, [{**asdict(row), "sums": dict(row.sums)} for row in rows])


def list_vitals(
    connection: Connection, since: datetime, until: datetime, *, model: str | None = None
) -> list[VitalsRow]:
    """Rows of the days in [since, until), in order of day and group."""
    query = sa.select(vitals).where(vitals.c.day >= since, vitals.c.day < until)
    if model is not None:
        query = query.where(vitals.c.model == model)
    order = (vitals.c.day, vitals.c.model, vitals.c.hardware, vitals.c.firmware)
    return [VitalsRow(**row) for row in connection.execute(query.order_by(*order)).mappings()]
