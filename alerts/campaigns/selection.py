"""Which devices a campaign concerns now."""

from __future__ import annotations

from datetime import UTC, datetime, time, timedelta

import sqlalchemy as sa
from sqlalchemy import Connection

from alerts.campaigns.content import Selection
from hearthwatch.firmware import version
from hearthwatch.records.database import batched
from hearthwatch.records.tables import device_attributes, devices


def is_empty(selection: Selection) -> bool:
    """Whether it names nothing that would bound it: no model, no serial number, no device."""
    return not (selection.models or selection.serials or selection.devices)


def matching(connection: Connection, selection: Selection, now: datetime) -> list[str]:
    """The ids of the devices that fit, in order; test devices and removed ones do not, and an empty selection fits nothing."""
    if is_empty(selection):
        return []
    query = sa.select(devices.c.id).where(*_columns(selection), *_attributes(selection), *_standing(now))
    listed = [
        (column, values)
        for column, values in ((devices.c.serial, selection.serials), (devices.c.id, selection.devices))
        if values
    ]
    if not listed:
        return list(connection.execute(query.order_by(devices.c.id)).scalars())
    found: list[set[str]] = []
    for column, values in listed:
        ids: set[str] = set()
        for some in batched(values):
            ids.update(connection.execute(query.where(column.in_(some))).scalars())
        found.append(ids)
    return sorted(set.intersection(*found))


def _standing(now: datetime) -> tuple[sa.ColumnElement[bool], ...]:
    there = sa.or_(devices.c.removed_at.is_(None), devices.c.removed_at > now)
    return devices.c.test.is_(False), there


def _columns(selection: Selection) -> list[sa.ColumnElement[bool]]:
    where: list[sa.ColumnElement[bool]] = []
    if selection.models:
        where.append(devices.c.model.in_(selection.models))
    if selection.hardware:
        where.append(devices.c.hardware.in_(selection.hardware))
    if selection.firmware_from:
        where.append(devices.c.version_key >= version(selection.firmware_from).key)
    if selection.firmware_below:
        where.append(devices.c.version_key < version(selection.firmware_below).key)
    if selection.made_from:
        where.append(devices.c.made >= datetime.combine(selection.made_from, time(), UTC))
    if selection.made_to:
        where.append(devices.c.made < datetime.combine(selection.made_to, time(), UTC) + timedelta(days=1))
    return where


def _attributes(selection: Selection) -> list[sa.ColumnElement[bool]]:
    """A part that was in the device once may have done its harm: what it is now and what it was both count."""
    own = device_attributes.c
    return [
        sa.exists().where(own.device_id == devices.c.id, own.name == name, own.value.in_(values))
        for name, values in sorted(selection.attributes.items())
    ]
