"""What people and tickets ask of devices: who may, whose consent it needs, how often; and what time does to what was asked.

Diagnostics and the question for an update tell of a household, so they need its consent to the purpose ``service``; a device that nobody
owns is the maker's own. An update needs its owner's acceptance (`alerts.customers.offers`). What the protocol itself needs, needs
nobody's consent.
"""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Connection

from alerts.policy.file import Policy
from hearthwatch.errors import Conflict, Denied, HearthwatchError, Invalid, Throttled
from hearthwatch.records import (
    asking,
    audit,
    commands,
    consents,
    customers,
    devices,
    outbox,
    releases,
    rollouts,
    tickets,
)
from hearthwatch.records.asking import PROTOCOL, Question, Wish
from hearthwatch.records.commands import Command
from hearthwatch.records.database import Database
from hearthwatch.values import Device, Ticket
from hearthwatch.wire.commands.requests import DEVICE_INFO, DIAGNOSTICS, HOUSEKEEPING, REBIRTH, UPDATE

LOG = logging.getLogger(__name__)

PURPOSE = "service"
MAKER = "maker"
TICKET = "ticket"
DIAGNOSIS_ALLOWED = "diagnosis_allowed"
"""What a ticket's ledger says when its customer lets their device be asked for it, and no further."""
LONGEST_WHY = 400
PER_DEVICE_AND_HOUR = 20
"""Commands that people may give one device in an hour."""
PER_ROUND = 50
"""Commands that leave by themselves in one round of the job, so that a thousand new tickets do not call a thousand devices at once."""
UNTOLD_AGAIN = timedelta(days=1)
"""How often a device that does not tell its firmware is asked for it."""
TELLS_WITHIN = timedelta(minutes=10)
"""A new device is given this long to tell it by itself."""
REBIRTHS = 3
"""How often in a day an edge node that does not answer is asked for its birth."""
_UNTOLD_PER_ROUND = 25
_TELL_WHEN_ASKED = ("shelly_gen2", "tasmota")


def ask(
    connection: Connection,
    device_id: str,
    kind: str,
    *,
    why: str,
    actor: str,
    now: datetime,
    parameters: Mapping[str, Any] | None = None,
    ticket_id: int | None = None,
) -> Command:
    """Ask a device something for a person; where the same is under way already, that is the answer.

    Raises `Missing` for no such device, `Invalid` without a reason or for wrong parameters, `Conflict` where the device cannot be asked
    this or an acceptance is missing, `Denied` where a consent is, `Throttled` beyond what one device may be asked in an hour.
    """
    if not why.strip() or len(why) > LONGEST_WHY:
        raise Invalid(f"say why it is asked, in 1 to {LONGEST_WHY} letters", where="why")
    device = devices.get(connection, device_id)
    if device.removed_at is not None and device.removed_at <= now:
        raise Conflict("the device was removed", where=device_id)
    asking.route_for(connection, device, kind)
    basis = consent_for(connection, device, kind, now)
    if kind == UPDATE and not _is_open(connection, device, (parameters or {}).get("version")):
        raise Conflict("the roll-out of this release is not open to it now", where=device_id)
    waits = commands.pending(connection, device_id, kind)
    if waits is not None:
        return waits
    _check_rate(connection, device_id, now)
    question = Question(kind, actor, why.strip(), basis, parameters or {}, ticket_id=ticket_id)
    command, new = asking.ask(connection, device, question, now)
    if new:
        asking.dispatch_if_there(connection, command, now)
        detail = {"command": command.id, "kind": kind, "why": why.strip(), "consent": basis}
        audit.note(connection, at=now, actor=actor, action="command.ask", object=f"device:{device_id}", detail=detail)
    return commands.get(connection, command.id)


def cancel(connection: Connection, command_id: int, revision: int | None, actor: str, now: datetime) -> Command:
    """Call a command back that has not left. Raises `Missing`, `Stale`, or `Conflict` for one that has left or ended."""
    ended = commands.cancel(connection, command_id, revision, f"cancelled by {actor}")
    detail = {"device": ended.device_id, "kind": ended.kind}
    audit.note(connection, at=now, actor=actor, action="command.cancel", object=f"command:{command_id}", detail=detail)
    return ended


def consent_for(connection: Connection, device: Device, kind: str, now: datetime) -> str:
    """What a command would rest on. Raises `Denied`, which names the consent that is missing, or `Conflict` for a missing acceptance."""
    if kind in HOUSEKEEPING:
        return PROTOCOL
    owner = customers.owner_of(connection, device.id, now)
    if owner is None:
        return MAKER
    customer = owner.customer.id
    if kind == UPDATE:
        raise Conflict(
            f"an update needs the acceptance of its owner {customer}: it is offered by a notice", where="consent"
        )
    if not consents.current(connection, customer).get(PURPOSE, False):
        ticket = _allowed_for(connection, device.id, customer) if kind == DIAGNOSTICS else None
        if ticket is not None:
            return f"{TICKET}:{ticket}"
        raise Denied(f"customer {customer} has not consented to the purpose {PURPOSE}", where="consent")
    return f"{PURPOSE}:{customer}"


def _allowed_for(connection: Connection, device_id: str, customer_id: str) -> int | None:
    """An open ticket of the device for which its customer allowed that it is asked about itself."""
    for ticket in tickets.list_tickets(connection, open_only=True, device_id=device_id, customer_id=customer_id):
        wishes = [
            event.detail.get("wish") for event in tickets.events(connection, ticket.id) if event.what == "customer"
        ]
        said = [wish for wish in wishes if str(wish).startswith("diagnosis_")]
        if said and said[-1] == DIAGNOSIS_ALLOWED:
            return ticket.id
    return None


def _check_rate(connection: Connection, device_id: str, now: datetime) -> None:
    hour = timedelta(hours=1)
    if commands.asked_since(connection, device_id, now - hour) >= PER_DEVICE_AND_HOUR:
        raise Throttled(
            f"a device is asked at most {PER_DEVICE_AND_HOUR} times in an hour", where=device_id, retry_after=300
        )


def for_ticket(connection: Connection, policy: Policy, ticket: Ticket, device: Device | None, now: datetime) -> None:
    """Ask for diagnostics because a ticket opened, where the policy says so, the device can be asked and its owner consented."""
    if not policy.tickets.diagnostics or device is None or device.removed_at is not None:
        return
    if commands.pending(connection, device.id, DIAGNOSTICS) is not None:
        return
    try:
        basis = consent_for(connection, device, DIAGNOSTICS, now)
        why = f"ticket {ticket.id} opened: {ticket.title}"
        question = Question(DIAGNOSTICS, "policy", why, basis, finding_id=ticket.finding_id, ticket_id=ticket.id)
        asking.ask(connection, device, question, now)
    except HearthwatchError as error:
        LOG.info("no diagnostics for ticket %d: %s", ticket.id, error)


# -- what time brings


def tend(database: Database, now: datetime, *, ask_devices: bool) -> Mapping[str, int]:
    """End what waited too long, ask devices that never told their firmware, and let leave what may. Returns counts of what was done."""
    with database.reading() as connection:
        untold = _untold(connection, now) if ask_devices else []
        busy = untold or commands.overdue(connection, now, limit=1) or commands.waiting(connection, now, limit=1)
        idle = not busy and not commands.on_consent(connection)
    if idle:
        return {}
    done: Counter[str] = Counter()
    with database.transaction() as connection:
        for command in commands.overdue(connection, now):
            if _time_out(connection, command):
                done["timed_out"] += 1
                _try_again(connection, command, now)
        for command in commands.on_consent(connection):
            done["cancelled"] += _call_back(connection, command, now)
        asking.wish(connection, untold, now)
        done["asked"] += len(untold)
        for command in commands.waiting(connection, now, limit=PER_ROUND):
            done["dispatched"] += _let_leave(connection, command, now)
    return {name: count for name, count in done.items() if count}


def _untold(connection: Connection, now: datetime) -> list[Wish]:
    found = commands.untold(
        connection, _TELL_WHEN_ASKED, DEVICE_INFO, now - UNTOLD_AGAIN, now - TELLS_WITHIN, limit=_UNTOLD_PER_ROUND
    )
    return [Wish(device, DEVICE_INFO, "it never told which firmware it runs") for device in found]


def _time_out(connection: Connection, command: Command) -> bool:
    if command.state == "sent":
        return commands.end(connection, command.id, "timed_out", "no answer came in time")
    if command.outbox_at is None:
        return commands.end(
            connection, command.id, "timed_out", "it never left: the device did not come online in time"
        )
    # What is being sent at this moment is looked at again in the next round.
    if not outbox.cancel_key(connection, commands.key_of(command.id), "the command expired"):
        return False
    return commands.end(
        connection, command.id, "timed_out", "it never left: the broker was away, or sending was paused"
    )


def _try_again(connection: Connection, command: Command, now: datetime) -> None:
    """A rebirth is asked for again, a few times: until then nothing the node says is understood in full."""
    if command.kind != REBIRTH or command.consent != PROTOCOL or command.sent_at is None:
        return
    tries = commands.list_commands(connection, device_id=command.device_id, kind=REBIRTH, limit=REBIRTHS)
    if len(tries) < REBIRTHS or tries[-1].created_at < now - UNTOLD_AGAIN:
        asking.wish(connection, [Wish(command.device_id, REBIRTH, "it did not answer when it was asked before")], now)


def _call_back(connection: Connection, command: Command, now: datetime) -> bool:
    """Call back what waits in the outbox, where the consent it rests on was withdrawn meanwhile."""
    try:
        consent_for(connection, devices.get(connection, command.device_id), command.kind, now)
    except HearthwatchError as error:
        called_back = outbox.cancel_key(connection, commands.key_of(command.id), error.message)
        return called_back and commands.end(connection, command.id, "cancelled", error.message)
    return False


def _let_leave(connection: Connection, command: Command, now: datetime) -> bool:
    """Hand a waiting command over, unless the consent it rests on was withdrawn meanwhile, or the roll-out of what it installs halted."""
    if command.kind == UPDATE and not _is_open(
        connection, devices.get(connection, command.device_id), command.parameters.get("version")
    ):
        commands.end(connection, command.id, "cancelled", "the roll-out of this release is not open to it now")
        return False
    if command.consent.startswith((f"{PURPOSE}:", f"{TICKET}:")) or command.consent == MAKER:
        try:
            consent_for(connection, devices.get(connection, command.device_id), command.kind, now)
        except HearthwatchError as error:
            commands.end(connection, command.id, "cancelled", error.message)
            return False
    return asking.dispatch(connection, command, now)


def _is_open(connection: Connection, device: Device, version: object) -> bool:
    """Whether a device may be told to install a version: a roll-out of it may be held, or not have come to its wave."""
    if not isinstance(version, str) or device.model is None:
        return True
    release = releases.by_version(connection, device.model, version)
    return release is None or bool(rollouts.open_to(connection, release.id, [device.id]))
