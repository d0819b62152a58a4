"""What became of updates that owners accepted: one row per notice, device and version, until it is known whether it worked."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy import Connection

from hearthwatch.records.database import batched, insert_missing, update_at_revision
from hearthwatch.records.tables import update_installs
from hearthwatch.records.tables.columns import fitted

UNSETTLED = ("waiting", "sent", "running")
"""States in which it is not known yet whether it worked."""


@dataclass(frozen=True, slots=True)
class UpdateInstall:
    """An accepted update of one device.

    ``state``: waiting (its turn has not come, or the device is away), sent, running (the device said that it runs the version), healthy (it
    has been well on it), failed, cancelled. ``command_id`` is the newest try.
    """

    id: int
    notice_id: int
    device_id: str
    customer_id: str
    release_id: int
    version: str
    command_id: int | None
    state: str
    reason: str | None
    tries: int
    accepted_at: datetime
    sent_at: datetime | None
    reported_at: datetime | None
    settled_at: datetime | None
    revision: int


_COLUMNS = tuple(update_installs.c[name] for name in UpdateInstall.__dataclass_fields__)


def accept(
    connection: Connection,
    *,
    notice_id: int,
    device_id: str,
    customer_id: str,
    release_id: int,
    version: str,
    now: datetime,
) -> UpdateInstall:
    """Keep that an owner accepted an update; accepted again after it failed or was called back, it begins anew."""
    key = {"notice_id": notice_id, "device_id": device_id, "version": version}
    row = {**key, "customer_id": customer_id, "release_id": release_id, "state": "waiting", "accepted_at": now}
    insert_missing(connection, update_installs, [row])
    (found,) = _select(connection, *(update_installs.c[name] == value for name, value in key.items()))
    if found.state in {"failed", "cancelled"}:
        anew = {"state": "waiting", "reason": None, "command_id": None, "tries": 0, "accepted_at": now}
        return change(connection, found, {**anew, "sent_at": None, "reported_at": None, "settled_at": None})
    return found


def change(connection: Connection, install: UpdateInstall, changes: Mapping[str, Any]) -> UpdateInstall:
    """Change one as it was read. Raises `Stale`."""
    if changes.get("reason") is not None:
        changes = {**changes, "reason": fitted(update_installs.c.reason, changes["reason"])}
    update_at_revision(connection, update_installs, {"id": install.id}, install.revision, changes)
    (changed,) = _select(connection, update_installs.c.id == install.id)
    return changed


def of_notice(connection: Connection, notice_id: int) -> list[UpdateInstall]:
    """What became of a notice's offer, by device."""
    return _select(connection, update_installs.c.notice_id == notice_id)


def of_devices(connection: Connection, device_ids: Iterable[str]) -> list[UpdateInstall]:
    """Every accepted update of some devices, by device, oldest first."""
    return [one for some in batched(device_ids) for one in _select(connection, update_installs.c.device_id.in_(some))]


def of_customer(connection: Connection, customer_id: str) -> list[UpdateInstall]:
    """Every update a customer accepted."""
    return _select(connection, update_installs.c.customer_id == customer_id)


def unsettled(connection: Connection) -> list[UpdateInstall]:
    """Those of which it is not known yet whether they worked, longest accepted first."""
    return sorted(
        _select(connection, update_installs.c.state.in_(UNSETTLED)), key=lambda one: (one.accepted_at, one.id)
    )


def cancel(connection: Connection, device_id: str, customer_id: str, reason: str) -> int:
    """Call back what a customer accepted for a device and is not settled. Returns how many."""
    theirs = (
        update_installs.c.device_id == device_id,
        update_installs.c.customer_id == customer_id,
        update_installs.c.state.in_(UNSETTLED),
    )
    changes = {"state": "cancelled", "reason": fitted(update_installs.c.reason, reason)}
    counted = {"revision": update_installs.c.revision + 1}
    return connection.execute(sa.update(update_installs).where(*theirs).values(changes | counted)).rowcount


def _select(connection: Connection, *conditions: sa.ColumnElement[bool]) -> list[UpdateInstall]:
    query = sa.select(*_COLUMNS).where(*conditions).order_by(update_installs.c.device_id, update_installs.c.id)
    rows: Sequence[Any] = connection.execute(query).mappings().all()
    return [UpdateInstall(**row) for row in rows]
