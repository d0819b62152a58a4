"""What people do with tickets: take, assign, start, agree visits, wait, resume, diagnose. Each act is in the ledger with its actor."""

from __future__ import annotations

from datetime import datetime
from typing import get_args

from sqlalchemy import Connection

from alerts.tickets import repairs, states
from alerts.tickets.ledger import at_revision, record
from hearthwatch.errors import Conflict, Invalid, Missing
from hearthwatch.failure_modes import LIVENESS_MODES, MODES, UNUSUAL
from hearthwatch.records import technicians
from hearthwatch.values import Ticket

LONGEST_PART = 64


def assign(
    connection: Connection, ticket_id: int, revision: int | None, technician_id: str, actor: str, now: datetime
) -> Ticket:
    """Give a ticket to a technician. Raises `Missing`, `Stale`, or `Conflict` when it is closed or the technician is not active."""
    ticket = at_revision(connection, ticket_id, revision)
    technician = technicians.get(connection, technician_id)
    if not technician.active:
        raise Conflict(f"{technician.name} is not active", where=technician_id)
    detail = {"technician_id": technician_id, "before": ticket.technician_id}
    return record(connection, ticket, "assigned", actor, now, detail)


def take(connection: Connection, ticket_id: int, revision: int | None, actor: str, now: datetime) -> Ticket:
    """Take a ticket oneself. Who is not among those who work tickets is put there with room for none: nothing comes to them by itself."""
    own = actor.removeprefix("token:")[:64]
    try:
        technicians.get(connection, own)
    except Missing:
        technicians.put(connection, own, name=own, capacity=0)
    return assign(connection, ticket_id, revision, own, actor, now)


def start(connection: Connection, ticket_id: int, revision: int | None, actor: str, now: datetime) -> Ticket:
    """Begin to work on it; what it waited for is over then.

    Raises `Conflict` when it is closed or under way, or while the customer has not agreed to what the chosen remedy costs.
    """
    before = at_revision(connection, ticket_id, revision)
    ticket = _woken(connection, before, actor, now)
    if before.state == "waiting" and ticket.state == "in_progress":
        return ticket  # it was under way before
    return record(connection, ticket, "started", actor, now)


def schedule(
    connection: Connection, ticket_id: int, revision: int | None, at: datetime, actor: str, now: datetime
) -> Ticket:
    """Agree on a visit; what it waited for is over then.

    Raises `Missing`, `Stale`, `Invalid` for a time that has passed, `Conflict` when it is closed or nobody's, or while the customer has not
    agreed to what the chosen remedy costs, or nothing is chosen and a visit would cost them something.
    """
    ticket = at_revision(connection, ticket_id, revision)
    if at <= now:
        raise Invalid("a visit is in the future", where="at")
    repairs.check_price_of_visit(connection, ticket, now)
    ticket = _woken(connection, ticket, actor, now)
    detail = {"at": at.isoformat(), "technician_id": ticket.technician_id}
    return record(connection, ticket, "scheduled", actor, now, detail)


def wait(
    connection: Connection,
    ticket_id: int,
    revision: int | None,
    whom: str,
    until: datetime | None,
    actor: str,
    now: datetime,
) -> Ticket:
    """Let it wait for the customer, a part, an approval or somebody else, until a day at which it is looked at again.

    A visit that was agreed is off. Raises `Invalid` for a time that has passed or without one where a part or somebody else is waited for,
    `Conflict` when it is closed.
    """
    ticket = at_revision(connection, ticket_id, revision)
    if whom not in get_args(states.WaitingFor):
        raise Invalid(f"a ticket waits for {', '.join(get_args(states.WaitingFor))}, not {whom!r}", where="for")
    if until is None and whom in {"part", "third_party"}:
        raise Invalid("say until when: nobody else remembers it", where="until")
    if until is not None and until <= now:
        raise Invalid("it waits until a time to come", where="until")
    detail = {"for": whom, "until": until.isoformat() if until else None}
    return record(connection, ticket, "waiting", actor, now, detail)


def resume(connection: Connection, ticket_id: int, revision: int | None, actor: str, now: datetime) -> Ticket:
    """Go on with it: it is again what it was before. Raises `Conflict` when it does not wait."""
    return record(connection, at_revision(connection, ticket_id, revision), "resumed", actor, now)


def diagnose(
    connection: Connection,
    ticket_id: int,
    revision: int | None,
    *,
    part: str | None,
    mode: str | None,
    actor: str,
    now: datetime,
) -> Ticket:
    """Say which part or failure mode it is. Raises `Invalid` for a failure mode that nobody knows, `Conflict` when it is closed.

    The ticket's cause stays: it is what saw the trouble first, and what a relapse comes back to.
    """
    known = (*MODES, UNUSUAL.id, *LIVENESS_MODES)
    if mode is not None and mode not in known:
        raise Invalid(f"{mode!r} is no failure mode; there are {', '.join(known)}", where="mode")
    if part is not None and not 0 < len(part.strip()) <= LONGEST_PART:
        raise Invalid(f"a part has 1 to {LONGEST_PART} characters", where="part")
    ticket = at_revision(connection, ticket_id, revision)
    detail = {
        "part": part.strip() if part else None,
        "mode": mode,
        "before": {"part": ticket.part, "mode": ticket.mode},
    }
    return record(connection, ticket, "diagnosed", actor, now, detail)


def _woken(connection: Connection, ticket: Ticket, actor: str, now: datetime) -> Ticket:
    """The ticket, no longer waiting."""
    return record(connection, ticket, "resumed", actor, now) if ticket.state == "waiting" else ticket
