"""Asks devices: writes the command down, hands it to the outbox when its turn has come, and takes the answer.

Who may ask, and whose consent it needs, is decided before (`alerts.commands`); what the protocol itself needs is asked from here.
"""

from __future__ import annotations

import base64
import logging
import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Connection

from hearthwatch.errors import Conflict, HearthwatchError
from hearthwatch.records import command_routes, commands, devices, outbox, tickets
from hearthwatch.records.commands import Command, NewCommand
from hearthwatch.values import Device, Reply
from hearthwatch.wire.answers import kept
from hearthwatch.wire.commands import requests
from hearthwatch.wire.commands.requests import Request
from hearthwatch.wire.commands.routes import Route

LOG = logging.getLogger(__name__)

CHANNEL = "mqtt"
PROTOCOL = "protocol"
ACTOR = "ingest"
WAITS = timedelta(hours=24)
"""How long a command may wait until it leaves: for its device, for the broker, for a brake."""
UPDATE_WAITS = timedelta(days=7)
HOUSEKEEPING_WAITS = timedelta(hours=1)
HOUSEKEEPING_AGAIN = timedelta(minutes=10)
"""A device is not asked the same by ourselves more often than this, however often it restarts."""


@dataclass(frozen=True, slots=True)
class Question:
    """What is asked of a device, by whom, why, and what it rests on. ``request_id``: given where the same must be asked only once ever."""

    kind: str
    asked_by: str
    why: str
    consent: str
    parameters: Mapping[str, Any] = field(default_factory=dict)
    finding_id: int | None = None
    ticket_id: int | None = None
    notice_id: int | None = None
    request_id: str | None = None
    send_after: datetime | None = None


@dataclass(frozen=True, slots=True)
class Wish:
    """Something that the protocol makes worth asking: a rebirth, a firmware. Not where it was asked less than ``unless_within`` ago."""

    device: str
    kind: str
    why: str
    unless_within: timedelta = timedelta(0)


@dataclass(frozen=True, slots=True)
class Heard:
    """A reply, and when its message came."""

    reply: Reply
    at: datetime


# -- asking


def route_for(connection: Connection, device: Device, kind: str) -> Route:
    """How a device is asked this. Raises `Invalid` for no such kind, `Conflict` where the device cannot be asked it."""
    route = command_routes.route_to(connection, device)
    if route is None:
        spoken = device.convention or "an unknown convention"
        raise Conflict(
            f"nothing can be asked of it: it speaks {spoken}, and how to reach it is not known", where=device.id
        )
    requests.offer(route, kind)
    return route


def ask(connection: Connection, device: Device, question: Question, now: datetime) -> tuple[Command, bool]:
    """The command, and whether it is new: of a kind one waits at a time. It leaves by the dispatching that follows.

    Raises `Invalid` for wrong parameters, `Conflict` where the device cannot be asked this.
    """
    route = route_for(connection, device, question.kind)
    request_id = question.request_id or secrets.token_hex(16)
    _request(route, question.kind, request_id, question.parameters, now)  # wrong parameters are told to who asks
    new = NewCommand(
        device_id=device.id,
        kind=question.kind,
        convention=route.family.partition(" ")[0],
        request_id=request_id,
        answered_by=_may_answer(device, route),
        asked_by=question.asked_by,
        why=question.why,
        consent=question.consent,
        send_after=question.send_after or now,
        expires_at=(question.send_after or now) + _patience(question.kind),
        parameters=question.parameters,
        finding_id=question.finding_id,
        ticket_id=question.ticket_id,
        notice_id=question.notice_id,
    )
    return commands.put(connection, new, now)


def _may_answer(device: Device, route: Route) -> tuple[str, ...]:
    return tuple(dict.fromkeys((device.id, *route.answered_by)))


def _patience(kind: str) -> timedelta:
    if kind in requests.HOUSEKEEPING:
        return HOUSEKEEPING_WAITS
    return UPDATE_WAITS if kind == requests.UPDATE else WAITS


def wish(connection: Connection, wishes: Sequence[Wish], now: datetime) -> None:
    """Write down what the protocol makes worth asking, in a few statements however many they are: a whole fleet may come back at once.

    What waits already is not asked twice, and what was asked a moment ago waits a while.
    """
    wanted = {(one.device, one.kind): one for one in wishes}
    if not wanted:
        return
    known = devices.find(connection, sorted({device for device, _ in wanted}))
    last = commands.newest_of(connection, sorted(known), sorted({kind for _, kind in wanted}))
    new = [
        _wished(known[device], one, last.get((device, kind)), now)
        for (device, kind), one in sorted(wanted.items())
        if device in known and known[device].removed_at is None and not _was_asked(last.get((device, kind)), one, now)
    ]
    commands.put_missing(connection, new, now)


def _was_asked(last: datetime | None, one: Wish, now: datetime) -> bool:
    return last is not None and now - last < one.unless_within


def _wished(device: Device, one: Wish, last: datetime | None, now: datetime) -> NewCommand:
    after = now if last is None else max(now, last + HOUSEKEEPING_AGAIN)
    return NewCommand(
        device_id=device.id,
        kind=one.kind,
        convention=device.convention or "",
        request_id=secrets.token_hex(16),
        answered_by=(device.id,),
        asked_by=ACTOR,
        why=one.why,
        consent=PROTOCOL,
        send_after=after,
        expires_at=after + HOUSEKEEPING_WAITS,
    )


# -- leaving


def dispatch(connection: Connection, command: Command, now: datetime) -> bool:
    """Hand a command to the outbox, to where its device listens now. False where that is not known any more: it is refused."""
    try:
        device = devices.get(connection, command.device_id)
        route = route_for(connection, device, command.kind)
        request = _request(route, command.kind, command.request_id, command.parameters, now)
    except HearthwatchError as error:
        commands.end(connection, command.id, "refused", error.message)
        return False
    outbox.put(
        connection,
        kind="command",
        channel=CHANNEL,
        address=request.topic,
        payload={"topic": request.topic, "command": command.id, **_wrapped(request)},
        key=commands.key_of(command.id),
        now=now,
    )
    commands.handed_over(connection, command.id, now, _may_answer(device, route))
    return True


def dispatch_if_there(connection: Connection, command: Command, now: datetime) -> None:
    """Hand a command over at once if its device is there and its turn has come; else it waits."""
    if commands.waiting(connection, now, limit=1, command_id=command.id):
        dispatch(connection, command, now)


def _request(route: Route, kind: str, request_id: str, parameters: Mapping[str, Any], now: datetime) -> Request:
    return requests.offer(route, kind).make(route, request_id, parameters, now)


def _wrapped(request: Request) -> dict[str, str]:
    """The payload as JSON can hold it."""
    try:
        return {"said": request.payload.decode("ascii")}
    except UnicodeDecodeError:
        return {"base64": base64.b64encode(request.payload).decode("ascii")}


def left(connection: Connection, command_id: int, now: datetime) -> None:
    """The broker has it: from now on the answer is waited for. A command that is not known any more was sent all the same."""
    command = commands.find(connection, command_id)
    if command is None:
        return
    commands.sent(connection, command_id, now, now + requests.answer_within(command.convention, command.kind))


def gave_up(connection: Connection, command_id: int, reason: str) -> None:
    """It will never leave."""
    commands.end(connection, command_id, "failed", f"it could not be sent: {reason}")


# -- answers


def hear(connection: Connection, heard: Sequence[Heard]) -> None:
    """Give replies to the commands they answer. A reply that nobody asked for, or of another device, changes nothing."""
    for one in heard:
        command = _meant(connection, one)
        if command is None:
            continue
        reply = one.reply
        ended = commands.answered(
            connection,
            command.id,
            ok=reply.ok,
            answer=kept(reply.detail),
            reason=None if reply.ok else _why_not(reply.detail),
            at=one.at,
        )
        if ended is not None and ended.ticket_id is not None:
            detail = {"command": ended.id, "state": ended.state}
            tickets.note(connection, ended.ticket_id, one.at, ended.kind, f"device:{ended.device_id}", detail)


def _meant(connection: Connection, heard: Heard) -> Command | None:
    reply = heard.reply
    if not reply.id:
        return commands.newest_asked(connection, reply.device, reply.kind, heard.at)
    command = commands.by_request(connection, reply.id)
    if command is None:
        return None
    if reply.device not in command.answered_by:
        LOG.warning(
            "%s answered command %d, which was for %s; it is not taken", reply.device, command.id, command.device_id
        )
        return None
    return command


def _why_not(detail: Mapping[str, Any]) -> str:
    error = detail.get("error")
    if isinstance(error, Mapping):
        error = error.get("message") or error.get("code")
    return f"the device said: {error}" if error else "the device could not"
