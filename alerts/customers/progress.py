"""A ticket as its customer may see it; what staff wrote to one another is not in it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection

from alerts.tickets.conversation import surviving
from hearthwatch.errors import Missing
from hearthwatch.records import technicians, ticket_findings
from hearthwatch.records import tickets as ticket_rows
from hearthwatch.records.tickets import TicketEvent
from hearthwatch.values import Notice, Ticket

STEPS = frozenset({"opened", "assigned", "started", "scheduled", "closed", "reopened", "customer", "message"})
"""Events of a ticket's ledger that its customer is told of."""


@dataclass(frozen=True, slots=True)
class Step:
    """One step of a ticket."""

    at: datetime
    what: str


@dataclass(frozen=True, slots=True)
class Progress:
    """How a ticket is going."""

    id: int
    state: str
    opened_at: datetime
    waiting_for: str | None
    visit_at: datetime | None
    technician: str | None
    closed_at: datetime | None
    closing_code: str | None
    steps: tuple[Step, ...]


def ticket_about(connection: Connection, notice: Notice) -> Ticket | None:
    """The ticket about a notice that is its customer's, in which the matter goes on: of its finding, else one they asked for."""
    found = _ticket_about(connection, notice)
    if found is None:
        return None
    goes_on = surviving(connection, found.id)
    return goes_on if goes_on.customer_id == notice.customer_id else found


def _ticket_about(connection: Connection, notice: Notice) -> Ticket | None:
    if notice.ticket_id is not None:
        named = ticket_rows.get(connection, notice.ticket_id)
        if named.customer_id == notice.customer_id:
            return named
    if notice.finding_id is None:
        return None
    about = ticket_findings.of_findings(connection, [notice.finding_id]).get(notice.finding_id)
    if about is not None and about.customer_id == notice.customer_id:
        return about
    theirs = ticket_rows.list_tickets(connection, device_id=notice.device_id, customer_id=notice.customer_id, limit=20)
    return next((one for one in theirs if one.kind == "request" and one.finding_id == notice.finding_id), None)


def progress_of(connection: Connection, ticket: Ticket) -> Progress:
    """How a ticket is going."""
    events = ticket_rows.events(connection, ticket.id)
    visits = [str(event.detail["at"]) for event in events if event.what == "scheduled" and event.detail.get("at")]
    return Progress(
        id=ticket.id,
        state=ticket.state,
        opened_at=ticket.opened_at,
        waiting_for=ticket.waiting_for,
        visit_at=datetime.fromisoformat(visits[-1]) if visits and ticket.state == "scheduled" else None,
        technician=_technician(connection, ticket),
        closed_at=ticket.closed_at,
        closing_code=ticket.closing_code,
        steps=tuple(Step(event.at, event.what) for event in events if event.what in STEPS and not _is_of_others(event)),
    )


def _is_of_others(event: TicketEvent) -> bool:
    """Whether it only looks like something of the customer's: what staff asked them, or what a stranger wrote about their device."""
    if event.what == "message":
        return event.detail.get("verified") is False
    return event.what == "customer" and not event.actor.startswith("customer:")


def _technician(connection: Connection, ticket: Ticket) -> str | None:
    if ticket.technician_id is None or ticket.state == "closed":
        return None
    try:
        return technicians.get(connection, ticket.technician_id).name
    except Missing:
        return None
