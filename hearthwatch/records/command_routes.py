"""Finds where a device listens, in what the decoders remember."""

from __future__ import annotations

from collections.abc import Iterable

import sqlalchemy as sa
from sqlalchemy import Connection

from hearthwatch.records.tables import decoder_states, device_aliases
from hearthwatch.values import Device
from hearthwatch.wire.commands.routes import ASKED, Route, native_route, route_of
from hearthwatch.wire.native import STREAM as NATIVE

_BY_PARTITION = ("tasmota", "shelly_gen2")
"""Conventions whose memory of a device usually stands under its id."""


def route_to(connection: Connection, device: Device) -> Route | None:
    """How a device is reached, None where nothing is known that could be asked.

    A device that is known under several ids is reached by the convention it was last heard in, else by any other.
    """
    ids = [device.id, *aliases_of(connection, device.id)]
    if device.convention in {None, NATIVE}:
        return native_route(device.id)
    others = (one for one in ASKED if one not in {device.convention, NATIVE})
    for convention in (device.convention, *(others if len(ids) > 1 else ())):
        route = _search(connection, convention, ids)
        if route is not None:
            return route
    return None


def aliases_of(connection: Connection, device_id: str) -> list[str]:
    """The other ids that a device is known by."""
    return list(connection.execute(_ALIASES, {"one": device_id}).scalars())


_ALIASES = (
    sa.select(device_aliases.c.alias)
    .where(device_aliases.c.device == sa.bindparam("one"), device_aliases.c.state == "joined")
    .order_by(device_aliases.c.alias)
)


def _search(connection: Connection, convention: str | None, ids: list[str]) -> Route | None:
    if convention not in ASKED:
        return None
    table = decoder_states
    base = sa.select(table.c.partition, table.c.state).where(table.c.convention == convention)
    if convention in _BY_PARTITION:
        near = _first(convention, connection.execute(base.where(table.c.partition.in_(ids))).mappings(), ids)
        if near is not None:
            return near
    if convention != "sparkplug":
        base = base.where(sa.or_(*(sa.cast(table.c.state, sa.Text).contains(one, autoescape=True) for one in ids)))
    else:  # the name tells it all, and the memory of an edge node may be large
        base = sa.select(table.c.partition).where(table.c.convention == convention)
    return _first(convention, connection.execute(base.order_by(table.c.partition)).mappings(), ids)


def _first(convention: str, rows: Iterable[sa.RowMapping], ids: list[str]) -> Route | None:
    found = (route_of(convention, row["partition"], row.get("state") or {}, ids) for row in rows)
    return next((route for route in found if route is not None), None)
