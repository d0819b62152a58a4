"""Commands to devices: one row each, from who asked and why to what the device answered.

``state``: queued (waits for its device, its turn or the broker), sent (the broker has it), answered, failed (the device said no, or nobody
would take it), timed_out, cancelled, refused (it may not be sent any more). At most one of a kind waits for a device.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

import sqlalchemy as sa
from sqlalchemy import Connection

from hearthwatch.errors import Conflict, Missing
from hearthwatch.records import outbox
from hearthwatch.records.database import batched, insert_missing, update_at_revision
from hearthwatch.records.tables import commands, devices
from hearthwatch.records.tables.columns import fitted
from hearthwatch.values import Ticket
from hearthwatch.wire.commands.requests import DIAGNOSTICS, UPDATE

STATES = ("queued", "sent", "answered", "failed", "timed_out", "cancelled", "refused")
PENDING = ("queued", "sent")
LATE = timedelta(days=1)
"""How long after its time-out an answer is still kept."""


@dataclass(frozen=True, slots=True)
class Command:
    """A command. ``consent`` is what it rests on: ``service:<customer>``, ``acceptance:<notice>``, ``maker``, ``protocol``.

    ``late``: the answer came after the time-out. ``expires_at``: until when it may leave, and once sent until when it is waited for.
    """

    id: int
    device_id: str
    kind: str
    convention: str
    request_id: str
    answered_by: tuple[str, ...]
    parameters: Mapping[str, Any]
    asked_by: str
    why: str
    finding_id: int | None
    ticket_id: int | None
    notice_id: int | None
    consent: str
    state: str
    reason: str | None
    created_at: datetime
    send_after: datetime
    outbox_at: datetime | None
    sent_at: datetime | None
    answered_at: datetime | None
    expires_at: datetime
    late: bool
    answer: Mapping[str, Any] | None
    revision: int


@dataclass(frozen=True, slots=True)
class NewCommand:
    """What a command begins with."""

    device_id: str
    kind: str
    convention: str
    request_id: str
    answered_by: tuple[str, ...]
    asked_by: str
    why: str
    consent: str
    send_after: datetime
    expires_at: datetime
    parameters: Mapping[str, Any] = field(default_factory=dict)
    finding_id: int | None = None
    ticket_id: int | None = None
    notice_id: int | None = None


_COLUMNS = tuple(commands.c[name] for name in Command.__dataclass_fields__)


def key_of(command_id: int) -> str:
    """The idempotency key under which a command is in the outbox."""
    return f"command:{command_id}"


def _command(row: sa.RowMapping) -> Command:
    return Command(**{**dict(row), "answered_by": tuple(row["answered_by"])})


_WAITS = sa.and_(
    commands.c.device_id == sa.bindparam("device"),
    commands.c.kind == sa.bindparam("kind"),
    commands.c.state.in_(PENDING),
)
_WAITING = sa.select(*_COLUMNS).where(_WAITS)
_SAME = commands.c.request_id == sa.bindparam("request")
_SAME_OR_WAITING = sa.select(*_COLUMNS).where(sa.or_(_SAME, _WAITS)).order_by(_SAME.desc()).limit(1)


def put(connection: Connection, new: NewCommand, now: datetime) -> tuple[Command, bool]:
    """The command, and whether this call wrote it down; else it is the one that waits already, or has this request's id."""
    added = insert_missing(connection, commands, [_row(new, now)]) == 1
    sought = {"request": new.request_id, "device": new.device_id, "kind": new.kind}
    found = connection.execute(_SAME_OR_WAITING, sought).mappings().one_or_none()
    if found is None:  # what stood in the way ended in this moment
        raise Conflict("another command of this kind was under way; try again", where=f"device {new.device_id}")
    return _command(found), added


def put_missing(connection: Connection, new: Sequence[NewCommand], now: datetime) -> int:
    """Write down many, but for those of whose kind one waits already. Returns how many were written."""
    return insert_missing(connection, commands, [_row(one, now) for one in new])


def _row(new: NewCommand, now: datetime) -> dict[str, Any]:
    row = {name: getattr(new, name) for name in NewCommand.__dataclass_fields__}
    return row | {
        "answered_by": list(new.answered_by),
        "parameters": dict(new.parameters),
        "asked_by": fitted(commands.c.asked_by, new.asked_by),
        "why": fitted(commands.c.why, new.why),
        "state": "queued",
        "created_at": now,
    }


def get(connection: Connection, command_id: int) -> Command:
    """One command. Raises `Missing`."""
    found = find(connection, command_id)
    if found is None:
        raise Missing("no such command", where=f"command {command_id}")
    return found


def find(connection: Connection, command_id: int) -> Command | None:
    """One command, None where there is none."""
    row = connection.execute(sa.select(*_COLUMNS).where(commands.c.id == command_id)).mappings().one_or_none()
    return _command(row) if row is not None else None


def list_commands(
    connection: Connection,
    *,
    device_id: str | None = None,
    ticket_id: int | None = None,
    kind: str | None = None,
    state: str | None = None,
    after: int | None = None,
    limit: int = 50,
) -> list[Command]:
    """Commands, newest first; ``after`` is the id to go on from."""
    query = sa.select(*_COLUMNS).order_by(commands.c.id.desc()).limit(limit)
    for column, value in (
        (commands.c.device_id, device_id),
        (commands.c.ticket_id, ticket_id),
        (commands.c.kind, kind),
        (commands.c.state, state),
    ):
        if value is not None:
            query = query.where(column == value)
    if after is not None:
        query = query.where(commands.c.id < after)
    return [_command(row) for row in connection.execute(query).mappings()]


def of_ticket(connection: Connection, ticket: Ticket, *, limit: int = 50) -> list[Command]:
    """What was asked for a ticket, and the diagnostics of its device while it was open; newest first."""
    of_device = [
        commands.c.device_id == ticket.device_id,
        commands.c.kind == DIAGNOSTICS,
        commands.c.created_at >= ticket.opened_at,
    ]
    if ticket.closed_at is not None:
        of_device.append(commands.c.created_at <= ticket.closed_at)
    belongs = sa.or_(commands.c.ticket_id == ticket.id, sa.and_(*of_device))
    query = sa.select(*_COLUMNS).where(belongs).order_by(commands.c.id.desc()).limit(limit)
    return [_command(row) for row in connection.execute(query).mappings()]


def pending(connection: Connection, device_id: str, kind: str) -> Command | None:
    """The command of this kind that waits for a device, if any."""
    row = connection.execute(_WAITING, {"device": device_id, "kind": kind}).mappings().one_or_none()
    return _command(row) if row is not None else None


def newest_of(
    connection: Connection, device_ids: Sequence[str], kinds: Sequence[str]
) -> dict[tuple[str, str], datetime]:
    """When devices were last asked this, or are to be, by device and kind; those that never were are absent."""
    found: dict[tuple[str, str], datetime] = {}
    for some in batched(device_ids):
        query = (
            sa.select(commands.c.device_id, commands.c.kind, sa.func.max(commands.c.send_after))
            .where(commands.c.device_id.in_(some), commands.c.kind.in_(list(kinds)))
            .group_by(commands.c.device_id, commands.c.kind)
        )
        found.update({(device, kind): at for device, kind, at in connection.execute(query)})
    return found


def updates_sent(connection: Connection, since: datetime) -> list[tuple[str, str, datetime]]:
    """What devices were told to install since a time, oldest first: device, version, and when the broker had it."""
    query = (
        sa.select(commands.c.device_id, commands.c.parameters, commands.c.sent_at)
        .where(commands.c.kind == UPDATE, commands.c.sent_at >= since)
        .order_by(commands.c.sent_at, commands.c.id)
    )
    rows = ((row.device_id, row.parameters.get("version"), row.sent_at) for row in connection.execute(query))
    return [(device, str(asked), at) for device, asked, at in rows if asked]


def asked_since(connection: Connection, device_id: str, since: datetime) -> int:
    """How many commands a device was given since a time, but for what the protocol itself needs."""
    query = sa.select(sa.func.count()).where(
        commands.c.device_id == device_id, commands.c.created_at >= since, commands.c.consent != "protocol"
    )
    return int(connection.execute(query).scalar_one())


def untold(
    connection: Connection,
    conventions: Sequence[str],
    kind: str,
    since: datetime,
    known_since: datetime,
    *,
    limit: int,
) -> list[str]:
    """Devices of some conventions that are there, told no firmware, and were not asked for ``kind`` since a time.

    Those first seen after ``known_since`` may still tell it by themselves.
    """
    asked = sa.select(commands.c.id).where(
        commands.c.device_id == devices.c.id, commands.c.kind == kind, commands.c.created_at >= since
    )
    query = (
        sa.select(devices.c.id)
        .where(
            devices.c.convention.in_(list(conventions)),
            devices.c.firmware.is_(None),
            devices.c.online.is_(True),
            devices.c.removed_at.is_(None),
            devices.c.first_seen <= known_since,
            ~asked.exists(),
        )
        .order_by(devices.c.id)
        .limit(limit)
    )
    return list(connection.execute(query).scalars())


def forget(connection: Connection, before: datetime) -> int:
    """Delete what ended and was asked before a time. Returns how many."""
    ended = (commands.c.created_at < before, commands.c.state.not_in(PENDING))
    return connection.execute(sa.delete(commands).where(*ended)).rowcount


# -- on its way


def waiting(connection: Connection, now: datetime, *, limit: int, command_id: int | None = None) -> list[Command]:
    """Commands whose turn has come, that are not in the outbox yet and whose device is there, oldest first; or the one that is named.

    A device is there unless it said goodbye, or its last will did, and it was not heard of since.
    """
    there = sa.or_(devices.c.online.is_(None), devices.c.online.is_(True), devices.c.last_seen > devices.c.presence_at)
    query = (
        sa.select(*_COLUMNS)
        .join(devices, devices.c.id == commands.c.device_id)
        .where(
            commands.c.state == "queued",
            commands.c.outbox_at.is_(None),
            commands.c.send_after <= now,
            commands.c.expires_at > now,
            there,
        )
        .order_by(commands.c.id)
        .limit(limit)
    )
    if command_id is not None:
        query = query.where(commands.c.id == command_id)
    return [_command(row) for row in connection.execute(query).mappings()]


def handed_over(connection: Connection, command_id: int, now: datetime, answered_by: Sequence[str]) -> None:
    """It is in the outbox now, for where its device listens now; these may answer."""
    _change(connection, command_id, ("queued",), {"outbox_at": now, "answered_by": list(answered_by)})


def sent(connection: Connection, command_id: int, now: datetime, expires_at: datetime) -> None:
    """The broker has it. A fast device may have answered already."""
    connection.execute(
        sa.update(commands)
        .where(commands.c.id == command_id, commands.c.sent_at.is_(None))
        .values(sent_at=now, revision=commands.c.revision + 1)
    )
    _change(connection, command_id, ("queued",), {"state": "sent", "expires_at": expires_at})


def end(connection: Connection, command_id: int, state: str, reason: str) -> bool:
    """End one that still waits: failed, timed_out, cancelled or refused. False where it has ended already."""
    text = fitted(commands.c.reason, reason)
    return _change(connection, command_id, PENDING, {"state": state, "reason": text})


def cancel(connection: Connection, command_id: int, revision: int | None, reason: str) -> Command:
    """Cancel one that has not left. Raises `Missing`, `Stale`, or `Conflict` for one that has left or ended."""
    found = get(connection, command_id)
    if found.state != "queued" or (
        found.outbox_at is not None and not outbox.cancel_key(connection, key_of(command_id), reason)
    ):
        raise Conflict(f"it is {found.state} and cannot be called back", where=f"command {command_id}")
    changes = {"state": "cancelled", "reason": fitted(commands.c.reason, reason)}
    update_at_revision(connection, commands, {"id": command_id}, revision, changes)
    return get(connection, command_id)


def on_consent(connection: Connection, *, limit: int = 500) -> list[Command]:
    """Commands that rest on a consent and are in the outbox, but have not left it."""
    query = (
        sa.select(*_COLUMNS)
        .where(
            commands.c.state == "queued",
            commands.c.outbox_at.is_not(None),
            sa.or_(commands.c.consent.startswith("service:"), commands.c.consent.startswith("ticket:")),
        )
        .order_by(commands.c.id)
        .limit(limit)
    )
    return [_command(row) for row in connection.execute(query).mappings()]


def overdue(connection: Connection, now: datetime, *, limit: int = 500) -> list[Command]:
    """Commands that wait beyond their time."""
    query = (
        sa.select(*_COLUMNS)
        .where(commands.c.state.in_(PENDING), commands.c.expires_at <= now)
        .order_by(commands.c.id)
        .limit(limit)
    )
    return [_command(row) for row in connection.execute(query).mappings()]


def answered(
    connection: Connection, command_id: int, *, ok: bool, answer: Mapping[str, Any], reason: str | None, at: datetime
) -> Command | None:
    """Keep the answer to a command. The first one counts; None where there is one already."""
    found = get(connection, command_id)
    late = found.state == "timed_out" or found.expires_at < at
    values = {
        "state": "answered" if ok else "failed",
        "answer": dict(answer),
        "answered_at": at,
        "late": late,
        "reason": fitted(commands.c.reason, reason),
    }
    if not _change(connection, command_id, (*PENDING, "timed_out"), values):
        return None
    return get(connection, command_id)


def by_request(connection: Connection, request_id: str) -> Command | None:
    """The command with this id on the wire."""
    row = connection.execute(sa.select(*_COLUMNS).where(commands.c.request_id == request_id)).mappings().one_or_none()
    return _command(row) if row is not None else None


def newest_asked(connection: Connection, device_id: str, kind: str, at: datetime) -> Command | None:
    """The newest command of a kind that an answer without an id, heard at a time, can be meant for."""
    query = (
        sa.select(*_COLUMNS)
        .where(
            commands.c.device_id == device_id,
            commands.c.kind == kind,
            commands.c.answered_at.is_(None),
            commands.c.outbox_at.is_not(None),
            commands.c.outbox_at <= at,
            sa.or_(
                commands.c.state.in_(PENDING),
                sa.and_(commands.c.state == "timed_out", commands.c.expires_at >= at - LATE),
            ),
        )
        .order_by(commands.c.id.desc())
        .limit(1)
    )
    row = connection.execute(query).mappings().one_or_none()
    return _command(row) if row is not None else None


def _change(connection: Connection, command_id: int, states: tuple[str, ...], values: Mapping[str, Any]) -> bool:
    update = sa.update(commands).where(commands.c.id == command_id, commands.c.state.in_(states))
    return connection.execute(update.values({**values, "revision": commands.c.revision + 1})).rowcount == 1
