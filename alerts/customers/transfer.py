"""A device leaves its owner: it was sold, swapped, put out of use or sent back. What that owner had of it ends; the new one starts anew.

What follows, in one transaction: the links to the device's notices and tickets are withdrawn; its notices that wait, and commands that
rest on the owner's word, are called back; tickets the owner asked for end; a ticket about the device itself goes on without a person
where the device goes on with somebody, and ends where it does not. With an owner's last device ends their consent to service and
analytics; a new owner has only what they said themselves.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection

from alerts.tickets import ending, ledger, repairs
from hearthwatch.errors import Conflict, Invalid
from hearthwatch.records import (
    audit,
    commands,
    consents,
    customer_links,
    customers,
    devices,
    notices,
    outbox,
    ticket_messages,
    tickets,
    update_installs,
)
from hearthwatch.values import Ticket

REASONS: Mapping[str, bool] = {"sold": True, "swapped": False, "decommissioned": False, "returned": False}
"""Why a device leaves its owner, and whether it goes on with somebody else."""
OF_THE_DEVICE = ("service", "analytics")
"""Purposes that are about having a device."""
POLICY = "policy"
MOST = 10_000
"""Rows about one device and owner that are looked at."""
WAITING = ("observed", "waiting", "held", "queued")
"""States of notices that have not reached anybody."""


@dataclass(frozen=True, slots=True)
class NewOwner:
    """Who has a device next, and the home it is in where that is known."""

    customer_id: str
    home_id: str | None = None


@dataclass(frozen=True, slots=True)
class Transferred:
    """What came of it: whose it was, and how much of each ended. ``kept`` are tickets that go on without a person."""

    device_id: str
    reason: str
    owner: str | None
    new_owner: str | None
    links: int
    notices: int
    commands: int
    closed: tuple[int, ...]
    kept: tuple[int, ...]
    consents: tuple[str, ...]


def transfer(
    connection: Connection,
    device_id: str,
    reason: str,
    *,
    actor: str,
    now: datetime,
    to: NewOwner | None = None,
    replaced_by: str | None = None,
    out_of_use: bool = False,
) -> Transferred:
    """End the ownership of a device, and begin the next where there is one.

    ``replaced_by``: the owner has this device in its place, in the same home. ``out_of_use``: the device itself is removed from the fleet.
    Raises `Invalid` for another reason, or a new owner of what goes to nobody; `Missing` for no such device, customer or home; `Conflict`
    where the device is nobody's already, or is the new owner's.
    """
    if reason not in REASONS:
        raise Invalid(f"reason is one of {', '.join(REASONS)}", where="reason")
    devices.get(connection, device_id)
    before = customers.owner_of(connection, device_id, now)
    owner = before.customer.id if before else None
    _check(reason, owner, to, replaced_by)
    customers.end_ownership(connection, device_id, now, ended=reason)
    if to is not None:
        customers.own(connection, device_id, to.customer_id, to.home_id, now)
    if replaced_by is not None and before is not None:
        devices.register(connection, [{"id": replaced_by}], now)
        home = before.home.id if before.home else None
        customers.own(connection, replaced_by, before.customer.id, home, now)
    done = _ended(connection, device_id, reason, owner, to, actor, now)
    if out_of_use:
        devices.update(connection, device_id, None, {"removed_at": now}, now)
    detail = {"reason": reason, "owner": owner, "new_owner": done.new_owner, "closed": done.closed, "kept": done.kept}
    named = f"device:{device_id}"
    audit.note(connection, at=now, actor=actor, action="device.transfer", object=named, detail=detail)
    return done


def _check(reason: str, owner: str | None, to: NewOwner | None, replaced_by: str | None) -> None:
    if replaced_by is not None and (reason != "swapped" or owner is None):
        raise Invalid("only a device that was swapped is replaced, and only its owner's", where="replaced_by")
    if to is not None and not REASONS[reason]:
        raise Invalid(f"a device that was {reason} has no new owner", where="new_owner")
    if owner is None and to is None:
        raise Conflict("nobody is known to have this device", where="device")
    if to is not None and to.customer_id == owner:
        raise Conflict("it is theirs already", where="new_owner")


def _ended(
    connection: Connection,
    device_id: str,
    reason: str,
    owner: str | None,
    to: NewOwner | None,
    actor: str,
    now: datetime,
) -> Transferred:
    new = to.customer_id if to else None
    if owner is None:
        return Transferred(device_id, reason, None, new, 0, 0, 0, (), (), ())
    why = f"the device was {reason}"
    called_back = _call_back(connection, device_id, owner, why)
    closed, kept = _end_tickets(connection, device_id, owner, reason, actor, now)
    return Transferred(
        device_id,
        reason,
        owner,
        new,
        customer_links.revoke_of_device(connection, device_id, owner, now),
        _end_notices(connection, device_id, owner, why, now),
        called_back,
        closed,
        kept,
        _end_consents(connection, owner, now, actor),
    )


def end_matters(
    connection: Connection, device_id: str, owner: str, reason: str, actor: str, now: datetime
) -> list[int]:
    """End what is under way about a device with an owner who is to be heard of no more. Returns the tickets that were closed."""
    why = f"the owner was {reason}"
    _call_back(connection, device_id, owner, why)
    customer_links.revoke_of_device(connection, device_id, owner, now)
    _end_notices(connection, device_id, owner, why, now)
    return list(_end_tickets(connection, device_id, owner, reason, actor, now)[0])


def end_tickets(connection: Connection, owner: str, reason: str, actor: str, now: datetime) -> list[int]:
    """End what is open with an owner beside their devices. Returns the tickets that were closed."""
    return list(_end_tickets(connection, None, owner, reason, actor, now)[0])


def _end_notices(connection: Connection, device_id: str, owner: str, why: str, now: datetime) -> int:
    ended = 0
    for notice in notices.list_notices(connection, device_id=device_id, customer_id=owner, limit=MOST):
        if notice.state not in WAITING:
            continue
        notices.change(connection, notice.id, notice.revision, {"state": "cancelled", "reason": why})
        notices.note(connection, notice.id, now, "cancelled", "transfer", {"reason": why})
        outbox.cancel(connection, notice.id, why)
        ended += 1
    return ended


def _call_back(connection: Connection, device_id: str, owner: str, why: str) -> int:
    """Commands that have not left and rest on the owner's consent or acceptance; what the maker asks the device for itself stays."""
    called_back = 0
    for command in commands.list_commands(connection, device_id=device_id, state="queued", limit=MOST):
        by_owner = command.consent.startswith("acceptance:") or command.consent == f"service:{owner}"
        if by_owner and (command.outbox_at is None or outbox.cancel_key(connection, commands.key_of(command.id), why)):
            called_back += commands.end(connection, command.id, "cancelled", why)
    update_installs.cancel(connection, device_id, owner, why)
    return called_back


def _end_tickets(
    connection: Connection, device_id: str | None, owner: str, reason: str, actor: str, now: datetime
) -> tuple[tuple[int, ...], tuple[int, ...]]:
    closed, kept = [], []
    for ticket in tickets.list_tickets(connection, device_id=device_id, customer_id=owner, limit=MOST):
        if ticket.state == "closed":
            continue
        if REASONS.get(reason) and ticket.kind != "request":
            _go_on(connection, ticket, reason, actor, now)
            kept.append(ticket.id)
        else:
            who = POLICY if actor.startswith("customer:") else actor
            note = None if reason == "erased" else f"the device was {reason}"
            ending.close(
                connection, ticket.id, None, code="customer_declined", part=None, note=note, actor=who, now=now
            )
            closed.append(ticket.id)
    return tuple(closed), tuple(kept)


def _go_on(connection: Connection, ticket: Ticket, reason: str, actor: str, now: datetime) -> None:
    """The fault is the device's and goes on with it; what its owner wrote, agreed to and arranged does not go to the next."""
    detail = {"wish": "ownership_ended", "reason": reason}
    who = actor if actor.startswith("customer:") else f"staff:{actor}"
    nobodys = {"customer_id": None, "home_id": None}
    ticket = ledger.record(connection, ticket, "customer", who, now, detail, also=nobodys)
    ticket = repairs.take_back(connection, ticket, "ownership_ended", POLICY, now)
    if ticket.state == "scheduled":
        ticket = ledger.record(connection, ticket, "visit_off", POLICY, now, {"why": "ownership_ended"})
    if ticket.state == "waiting" and ticket.waiting_for == "customer":
        ledger.record(connection, ticket, "resumed", POLICY, now, {"why": "ownership_ended"})
    ticket_messages.hide(connection, ticket.id)


def _end_consents(connection: Connection, owner: str, now: datetime, actor: str) -> tuple[str, ...]:
    if customers.devices_of(connection, owner, now):
        return ()
    holds = consents.standing(connection, owner)
    return tuple(
        purpose
        for purpose in OF_THE_DEVICE
        if any(holds.allows(purpose, way) for way in (None, *consents.CHANNELS))
        and consents.record(connection, owner, purpose, False, now, "transfer", by=actor)
    )
