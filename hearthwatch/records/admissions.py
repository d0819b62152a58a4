"""How many devices nobody had registered were taken in, and how many samples of others were turned away, by day (UTC)."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime, timedelta

import sqlalchemy as sa
from sqlalchemy import Connection

from hearthwatch.records.database import batched, insert_for
from hearthwatch.records.tables import device_admissions, devices

KEPT_DAYS = 90


@dataclass(frozen=True, slots=True)
class Intake:
    """Of one day: devices that were ``admitted`` unregistered, samples that were ``turned_away``; ``known`` devices in all."""

    day: str
    admitted: int
    turned_away: int
    known: int


def today(connection: Connection, now: datetime) -> Intake:
    """How it stands on the day of ``now``."""
    day = day_of(now)
    row = connection.execute(sa.select(device_admissions).where(device_admissions.c.day == day)).one_or_none()
    known = connection.execute(sa.select(sa.func.count()).select_from(devices)).scalar_one()
    return Intake(day, row.admitted if row else 0, row.turned_away if row else 0, known)


def count(connection: Connection, now: datetime, *, admitted: int = 0, turned_away: int = 0) -> None:
    """Add to the day of ``now``; days long gone are forgotten."""
    if not admitted and not turned_away:
        return
    insert = insert_for(connection, device_admissions)
    changes = {name: device_admissions.c[name] + insert.excluded[name] for name in ("admitted", "turned_away")}
    row = {"day": day_of(now), "admitted": admitted, "turned_away": turned_away}
    connection.execute(insert.on_conflict_do_update(index_elements=["day"], set_=changes), [row])
    before = day_of(now - timedelta(days=KEPT_DAYS))
    connection.execute(sa.delete(device_admissions).where(device_admissions.c.day < before))


def not_there(connection: Connection, ids: Collection[str]) -> set[str]:
    """Those of some ids that no device has yet."""
    there: set[str] = set()
    for some in batched(sorted(ids)):
        there |= set(connection.execute(sa.select(devices.c.id).where(devices.c.id.in_(some))).scalars())
    return set(ids) - there


def all_ids(connection: Connection) -> set[str]:
    """The ids of all devices."""
    return set(connection.execute(sa.select(devices.c.id)).scalars())


def day_of(at: datetime) -> str:
    """The day of a time in UTC, as it is written: 2026-05-01."""
    return at.strftime("%Y-%m-%d")
