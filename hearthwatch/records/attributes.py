"""What splits a model beside its firmware: production batch, part supplier, and whatever a maker's registry knows; each with its time.

An attribute that was never known to be otherwise holds from 1970 on. Hardware revision and region stand in the device's own row;
they are here too from the first change on, so that what a device did before it is not laid to what it is now.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

import sqlalchemy as sa
from sqlalchemy import Connection

from hearthwatch.errors import Invalid
from hearthwatch.records.database import batched, insert_missing
from hearthwatch.records.tables import device_attributes
from hearthwatch.records.tables.columns import fitted

EVER = datetime(1970, 1, 1, tzinfo=UTC)
NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,62}")
OWN_COLUMNS = frozenset(
    {"id", "device", "device_id", "model", "hardware", "firmware", "version", "region", "serial", "made", "installed",
     "installed_at", "removed", "removed_at", "test", "at"}
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Attribute:
    """What a device was during [from_at, to_at); ``to_at`` is None while it is so."""

    device_id: str
    name: str
    value: str
    from_at: datetime
    to_at: datetime | None


def check_name(name: str) -> str:
    """A further attribute's name. Raises `Invalid` for one that means something else already or is none."""
    if not NAME.fullmatch(name) or name in OWN_COLUMNS:
        raise Invalid(
            "an attribute is called by letters, digits and _, and not as a column of a device", where=name[:80]
        )
    return name


def tell(connection: Connection, told: Iterable[tuple[str, str, str | None]], at: datetime) -> int:
    """Note what devices are: (device, name, value). A value that is new for the attribute holds from ``at`` on, a first one from ever.

    None ends it. The same once more changes nothing. Returns how many changed.
    """
    wanted = {(device, name): fitted(device_attributes.c.value, value) or None for device, name, value in told}
    current = _current(connection, sorted({device for device, _ in wanted}))
    changed = {key: value for key, value in wanted.items() if current.get(key, (None, None))[0] != value}
    _end(connection, [key for key in changed if key in current], at)
    known = _ever(connection, changed)
    fresh = [
        {"device_id": device, "name": name, "value": value, "from_at": at if (device, name) in known else EVER}
        for (device, name), value in changed.items()
        if value is not None
    ]
    insert_missing(connection, device_attributes, fresh)
    return len(changed)


def moved(connection: Connection, changes: Iterable[tuple[str, str, str, str | None]], at: datetime) -> None:
    """Note that a column of devices changed: (device, column, from, to). What it was before held from ever, unless more is known."""
    rows = list(changes)
    known = _current(connection, sorted({device for device, *_ in rows}))
    tell(connection, [(device, name, old) for device, name, old, _ in rows if (device, name) not in known], at)
    tell(connection, [(device, name, new) for device, name, _, new in rows], at)


def of_device(connection: Connection, device_id: str) -> list[Attribute]:
    """All that a device is and was, by name, oldest first."""
    query = _select().where(device_attributes.c.device_id == device_id)
    rows = connection.execute(query.order_by(device_attributes.c.name, device_attributes.c.from_at)).mappings()
    return [Attribute(**row) for row in rows]


def find(connection: Connection, name: str, ids: Sequence[str]) -> list[Attribute]:
    """An attribute of some devices over time, by device, oldest first."""
    found: list[Attribute] = []
    for some in batched(ids):
        query = _select().where(device_attributes.c.name == name, device_attributes.c.device_id.in_(some))
        ordered = query.order_by(device_attributes.c.device_id, device_attributes.c.from_at)
        found.extend(Attribute(**row) for row in connection.execute(ordered).mappings())
    return found


def present(connection: Connection, ids: Sequence[str]) -> dict[str, dict[str, str]]:
    """What some devices are now, by device and name."""
    found: dict[str, dict[str, str]] = {}
    for (device, name), (value, _) in _current(connection, ids).items():
        found.setdefault(device, {})[name] = value
    return found


def _select() -> sa.Select[tuple[str, str, str, datetime, datetime | None]]:
    columns = device_attributes.c
    return sa.select(columns.device_id, columns.name, columns.value, columns.from_at, columns.to_at)


def _current(connection: Connection, ids: Sequence[str]) -> dict[tuple[str, str], tuple[str, datetime]]:
    found = {}
    for some in batched(ids):
        query = _select().where(device_attributes.c.device_id.in_(some), device_attributes.c.to_at.is_(None))
        ordered = query.order_by(device_attributes.c.device_id, device_attributes.c.name)
        for row in connection.execute(ordered):
            found[row.device_id, row.name] = (row.value, row.from_at)
    return found


def _ever(connection: Connection, keys: Mapping[tuple[str, str], object]) -> set[tuple[str, str]]:
    """Which of the attributes were ever known."""
    known: set[tuple[str, str]] = set()
    for some in batched(sorted({device for device, _ in keys})):
        query = sa.select(device_attributes.c.device_id, device_attributes.c.name).where(
            device_attributes.c.device_id.in_(some)
        )
        known.update((row.device_id, row.name) for row in connection.execute(query.distinct()))
    return known


def _end(connection: Connection, keys: Sequence[tuple[str, str]], at: datetime) -> None:
    for some in batched(keys, 200):
        which = sa.tuple_(device_attributes.c.device_id, device_attributes.c.name).in_(some)
        open_rows = (which, device_attributes.c.to_at.is_(None))
        connection.execute(sa.delete(device_attributes).where(*open_rows, device_attributes.c.from_at >= at))
        connection.execute(sa.update(device_attributes).where(*open_rows).values(to_at=at))
