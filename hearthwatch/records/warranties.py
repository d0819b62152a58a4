"""Until when a device's warranty lasts: as its registry says, else its model's months after purchase, else after installation."""

from __future__ import annotations

import calendar
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

import sqlalchemy as sa
from sqlalchemy import Connection

from hearthwatch.errors import Invalid
from hearthwatch.records.database import batched, insert_for
from hearthwatch.records.statements import among
from hearthwatch.records.tables import device_warranties, devices, models
from hearthwatch.records.tables.columns import fitted

Basis = Literal["told", "purchase", "installation", "unknown"]
"""What a warranty's end was taken from."""
LATEST_YEAR = 9000
"""A warranty "for ever" ends here: later years do not fit into a date once months are added."""


@dataclass(frozen=True, slots=True)
class Warranty:
    """Until when a device's warranty lasts; ``until`` is None where nobody can tell (``basis`` is then ``unknown``)."""

    device_id: str
    until: datetime | None
    basis: Basis
    purchased_at: datetime | None = None

    def covers(self, at: datetime) -> bool | None:
        """Whether it still lasts at a time; None where that is unknown."""
        return None if self.until is None else at < self.until


@dataclass(frozen=True, slots=True)
class Told:
    """What a maker's registry or a customer's receipt says: the day a warranty ends, the day of purchase, or both."""

    device_id: str
    until: datetime | None = None
    purchased_at: datetime | None = None


def tell(connection: Connection, told: Iterable[Told], source: str, now: datetime) -> int:
    """Note warranties and purchases; what is not given stays as it was. Returns how many rows were given.

    Raises `Invalid` for one that says neither.
    """
    rows = {one.device_id: one for one in told}
    for one in rows.values():
        if one.until is None and one.purchased_at is None:
            raise Invalid("say until when the warranty lasts, or when it was bought", where=one.device_id)
    if rows:
        _put(connection, list(rows.values()), source, now)
    return len(rows)


def _put(connection: Connection, told: Sequence[Told], source: str, now: datetime) -> None:
    insert = insert_for(connection, device_warranties)
    new, old = insert.excluded, device_warranties.c
    changed = {
        "until": sa.func.coalesce(new.until, old.until),
        "purchased_at": sa.func.coalesce(new.purchased_at, old.purchased_at),
        "source": new.source,
        "changed_at": new.changed_at,
        "revision": old.revision + 1,
    }
    statement = insert.on_conflict_do_update(
        index_elements=["device_id"],
        set_=changed,
        where=sa.or_(
            sa.and_(new.until.is_not(None), old.until.is_distinct_from(new.until)),
            sa.and_(new.purchased_at.is_not(None), old.purchased_at.is_distinct_from(new.purchased_at)),
        ),
    )
    where = fitted(device_warranties.c.source, source)
    connection.execute(
        statement,
        [
            {"device_id": one.device_id, "until": one.until, "purchased_at": one.purchased_at}
            | {"source": where, "changed_at": now}
            for one in sorted(told, key=lambda one: one.device_id)
        ],
    )


def forget(connection: Connection, device_id: str) -> bool:
    """Take back what was told of a device; its model's default counts again. Returns whether there was anything."""
    gone = connection.execute(sa.delete(device_warranties).where(device_warranties.c.device_id == device_id))
    return bool(gone.rowcount)


def of_device(connection: Connection, device_id: str) -> Warranty:
    """One device's warranty."""
    return of_devices(connection, [device_id])[device_id]


def of_devices(connection: Connection, device_ids: Iterable[str]) -> dict[str, Warranty]:
    """The warranties of some devices; every id asked for is answered."""
    wanted = list(device_ids)
    found = {one: Warranty(one, None, "unknown") for one in wanted}
    for some in batched(wanted):
        found.update({row[0]: _of(*row) for row in connection.execute(_OF_DEVICES, {"some": some}).all()})
    return found


_OF_DEVICES = (
    sa.select(
        devices.c.id,
        devices.c.installed_at,
        models.c.warranty_months,
        device_warranties.c.until,
        device_warranties.c.purchased_at,
    )
    .join(models, models.c.id == devices.c.model, isouter=True)
    .join(device_warranties, device_warranties.c.device_id == devices.c.id, isouter=True)
    .where(among(devices.c.id))
)


def _of(
    device: str, installed: datetime | None, months: int | None, until: datetime | None, purchased: datetime | None
) -> Warranty:
    if until is not None:
        return Warranty(device, until, "told", purchased)
    if months is not None and purchased is not None:
        return Warranty(device, months_after(purchased, months), "purchase", purchased)
    if months is not None and installed is not None:
        return Warranty(device, months_after(installed, months), "installation", purchased)
    return Warranty(device, None, "unknown", purchased)


def months_after(day: datetime, months: int) -> datetime:
    """The same day of a later month; its last day where the month is shorter (31 January and a month: 28 or 29 February)."""
    year, month = divmod(day.year * 12 + day.month - 1 + months, 12)
    if year > LATEST_YEAR:
        return day.replace(year=LATEST_YEAR, month=1, day=1)
    last = calendar.monthrange(year, month + 1)[1]
    return day.replace(year=year, month=month + 1, day=min(day.day, last))
