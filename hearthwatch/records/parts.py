"""Parts built into devices, each with the time it was in there: age and exposure of a part count from its own installation."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

import sqlalchemy as sa
from sqlalchemy import Connection

from hearthwatch.records.database import batched, insert_missing
from hearthwatch.records.tables import installed_parts
from hearthwatch.records.tables.columns import fitted


@dataclass(frozen=True, slots=True)
class InstalledPart:
    """A part in a device during [from_at, to_at); ``to_at`` is None while it is in there."""

    id: int
    device_id: str
    part: str
    detail: str | None
    from_at: datetime
    to_at: datetime | None


def install(connection: Connection, device_id: str, part: str, at: datetime, detail: str | None = None) -> None:
    """A new part of this kind is in the device from ``at`` on; the one before ends then. Told twice, it is installed once."""
    where = (installed_parts.c.device_id == device_id, installed_parts.c.part == part)
    later = connection.execute(
        sa.select(sa.func.min(installed_parts.c.from_at)).where(*where, installed_parts.c.from_at > at)
    ).scalar_one()
    row = {
        "device_id": device_id,
        "part": part,
        "detail": fitted(installed_parts.c.detail, detail),
        "from_at": at,
        "to_at": later,
    }
    if not insert_missing(connection, installed_parts, [row]):
        return
    ended = sa.or_(installed_parts.c.to_at.is_(None), installed_parts.c.to_at > at)
    connection.execute(sa.update(installed_parts).where(*where, installed_parts.c.from_at < at, ended).values(to_at=at))


def take_back(connection: Connection, device_id: str, part: str, detail: str) -> int:
    """Part ``part`` was not replaced after all where ``detail`` says so: the one before is still in there. Returns how many were noted."""
    where = (installed_parts.c.device_id == device_id, installed_parts.c.part == part)
    query = sa.select(installed_parts).where(*where, installed_parts.c.detail == detail)
    wrong = [InstalledPart(**row) for row in connection.execute(query).mappings()]
    for one in wrong:
        connection.execute(sa.delete(installed_parts).where(installed_parts.c.id == one.id))
        before = (*where, installed_parts.c.to_at == one.from_at)
        connection.execute(sa.update(installed_parts).where(*before).values(to_at=one.to_at))
    return len(wrong)


def kinds(connection: Connection) -> list[str]:
    """The kinds of parts that any device has or had."""
    query = sa.select(installed_parts.c.part).distinct().order_by(installed_parts.c.part)
    return list(connection.execute(query).scalars())


def parts_of(connection: Connection, device_id: str) -> list[InstalledPart]:
    """All parts a device has or had, oldest first."""
    query = sa.select(installed_parts).where(installed_parts.c.device_id == device_id)
    rows = connection.execute(query.order_by(installed_parts.c.from_at, installed_parts.c.part))
    return [InstalledPart(**row) for row in rows.mappings()]


def current(connection: Connection, ids: Sequence[str]) -> dict[tuple[str, str], InstalledPart]:
    """The parts that are in some devices now, by device and kind of part."""
    found = {}
    for some in batched(ids):
        query = sa.select(installed_parts).where(
            installed_parts.c.device_id.in_(some), installed_parts.c.to_at.is_(None)
        )
        query = query.order_by(installed_parts.c.device_id, installed_parts.c.part, installed_parts.c.from_at)
        for row in connection.execute(query).mappings():
            found[row["device_id"], row["part"]] = InstalledPart(**row)
    return found


def over_time(connection: Connection, part: str, ids: Sequence[str]) -> list[InstalledPart]:
    """All parts of a kind that some devices have or had, by device, oldest first."""
    found: list[InstalledPart] = []
    for some in batched(ids):
        query = sa.select(installed_parts).where(installed_parts.c.part == part, installed_parts.c.device_id.in_(some))
        rows = connection.execute(query.order_by(installed_parts.c.device_id, installed_parts.c.from_at)).mappings()
        found.extend(InstalledPart(**row) for row in rows)
    return found


def since(connection: Connection, part: str, ids: Sequence[str]) -> dict[str, datetime]:
    """Since when each device has its present part of this kind; devices of which that is not known are absent."""
    found: dict[str, datetime] = {}
    for some in batched(ids):
        query = sa.select(installed_parts.c.device_id, sa.func.max(installed_parts.c.from_at).label("since")).where(
            installed_parts.c.device_id.in_(some),
            installed_parts.c.part == part,
            installed_parts.c.to_at.is_(None),
        )
        rows = connection.execute(query.group_by(installed_parts.c.device_id).order_by(installed_parts.c.device_id))
        found.update((row.device_id, row.since) for row in rows)
    return found
