"""What the models of a name said of devices on a day: written once, never changed, forgotten when no label can come any more."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import datetime

import sqlalchemy as sa
from sqlalchemy import Connection

from hearthwatch.records.database import insert_missing
from hearthwatch.records.tables import said_days


@dataclass(frozen=True, slots=True)
class SaidDay:
    """``versions`` spoke about ``rows`` devices; ``block`` is what they said, as the analysis packed it."""

    name: str
    at: datetime
    versions: Sequence[int]
    rows: int
    block: bytes


_COLUMNS = tuple(said_days.c[name] for name in SaidDay.__dataclass_fields__)


def add(connection: Connection, days: Sequence[SaidDay]) -> int:
    """Keep days; one that is there already stays as it is. Returns how many were new."""
    return insert_missing(connection, said_days, [asdict(day) | {"versions": list(day.versions)} for day in days])


def list_days(connection: Connection, name: str, *, since: datetime | None = None) -> list[SaidDay]:
    """Days of a name, oldest first, from ``since`` on."""
    query = sa.select(*_COLUMNS).where(said_days.c.name == name).order_by(said_days.c.at)
    if since is not None:
        query = query.where(said_days.c.at >= since)
    return [SaidDay(**row) for row in connection.execute(query).mappings()]


def newest(connection: Connection) -> dict[str, tuple[datetime, tuple[int, ...]]]:
    """The newest day of each name, and which versions spoke on it."""
    rank = sa.func.row_number().over(partition_by=said_days.c.name, order_by=said_days.c.at.desc())
    inner = sa.select(said_days.c.name, said_days.c.at, said_days.c.versions, rank.label("rank")).subquery()
    rows = connection.execute(sa.select(inner.c.name, inner.c.at, inner.c.versions).where(inner.c.rank == 1))
    return {name: (at, tuple(versions)) for name, at, versions in rows}


def forget(connection: Connection, before: datetime) -> int:
    """Drop days before a time; returns how many."""
    return connection.execute(sa.delete(said_days).where(said_days.c.at < before)).rowcount
