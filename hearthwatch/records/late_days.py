"""Days of devices whose data came after they had been judged: what a model learns of a past morning must not know more than that morning.

Neither telemetry store knows when a reading arrived, and to keep that for every reading would cost too much. It is needed only where it
differs from the usual, so that alone is kept: a row for a device and a UTC day of which something could be read only after the morning
on which the day was judged. While all runs well there is none. A gateway that held back a week makes seven for each device.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from operator import itemgetter

import sqlalchemy as sa
from sqlalchemy import Connection

from hearthwatch.records.database import insert_for
from hearthwatch.records.tables import late_days

JUDGED_AFTER = timedelta(minutes=20)
"""How long after its end a day is judged, at the earliest: the schedule starts its daily jobs by this, and ingest calls late what is
readable only then. Long enough for the last readings of the evening, a redelivery and the rollup; jobs that begin later than planned see
more than this promises, so a training row knows rather less than its morning did, and never more."""

_DAY = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class LateDay:
    """A device's UTC ``day`` (its beginning) of which something arrived late: ``first_at`` the first time, ``last_at`` the last.

    ``last_at`` is exact to the morning that saw it first: what comes later before the same morning does not change it.
    """

    device_id: str
    day: datetime
    first_at: datetime
    last_at: datetime


def day_of(at: datetime) -> datetime:
    """The beginning of the UTC day that an instant lies in."""
    return at.astimezone(UTC).replace(hour=0, minute=0, second=0, microsecond=0)


def unjudged_since(now: datetime) -> datetime:
    """The beginning of the oldest day that no morning has judged: what is older and comes now is late."""
    return day_of(now - JUDGED_AFTER)


def mark(connection: Connection, rows: Sequence[LateDay]) -> None:
    """Write down late days; in whatever order and however often it is told, the first and the last arrival stay."""
    if not rows:
        return
    insert = insert_for(connection, late_days)
    new, old = insert.excluded, late_days.c
    changes = {
        "first_at": sa.case((old.first_at <= new.first_at, old.first_at), else_=new.first_at),
        "last_at": sa.case((old.last_at >= new.last_at, old.last_at), else_=new.last_at),
    }
    told = [
        {"device_id": row.device_id, "day": row.day, "first_at": row.first_at, "last_at": row.last_at} for row in rows
    ]
    told.sort(key=itemgetter("device_id", "day"))  # two that write at once do not wait for each other in a circle
    connection.execute(insert.on_conflict_do_update(index_elements=["device_id", "day"], set_=changes), told)


def list_days(
    connection: Connection, since: datetime, until: datetime, devices: Iterable[str] | None = None
) -> list[LateDay]:
    """Late days of [since, until), by device and day; of some ``devices`` alone where they are given."""
    query = (
        sa.select(late_days)
        .where(late_days.c.day >= since, late_days.c.day < until)
        .order_by(late_days.c.device_id, late_days.c.day)
    )
    wanted = None if devices is None else set(devices)
    rows = (LateDay(**row) for row in connection.execute(query).mappings())
    return [row for row in rows if wanted is None or row.device_id in wanted]


@dataclass(frozen=True, slots=True)
class Lateness:
    """How much came late: device-days, devices, and the newest arrival (None: nothing)."""

    days: int
    devices: int
    last_at: datetime | None


def told(connection: Connection, since: datetime) -> Lateness:
    """How much came late of the days from ``since`` on."""
    columns = late_days.c
    query = sa.select(
        sa.func.count().label("days"),
        sa.func.count(columns.device_id.distinct()).label("devices"),
        sa.func.max(columns.last_at).label("last_at"),
    ).where(columns.day >= since)
    return Lateness(**connection.execute(query).mappings().one())


def of_device(connection: Connection, device: str, *, limit: int = 100) -> list[LateDay]:
    """A device's late days, newest first."""
    query = sa.select(late_days).where(late_days.c.device_id == device).order_by(late_days.c.day.desc()).limit(limit)
    return [LateDay(**row) for row in connection.execute(query).mappings()]


def forget(connection: Connection, before: datetime) -> int:
    """Delete the late days whose day ended before a time: their telemetry goes with them. Returns how many."""
    return connection.execute(sa.delete(late_days).where(late_days.c.day < before - _DAY)).rowcount
