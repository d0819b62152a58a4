"""Two tickets about one matter become one: the other's texts and findings move to it, and its number leads there from then on."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import Connection

from alerts.tickets.ending import withdraw
from alerts.tickets.ledger import at_revision, record
from hearthwatch.errors import Conflict
from hearthwatch.records import ticket_findings, ticket_messages, tickets
from hearthwatch.values import Ticket

BUSY = frozenset({"scheduled", "in_progress"})


def merge(
    connection: Connection, ticket_id: int, revision: int | None, other_id: int, actor: str, now: datetime
) -> Ticket:
    """Let ``other_id`` go into a ticket: it closes as a duplicate that points here. Returns the ticket that goes on.

    Raises `Missing`, `Stale`, or `Conflict` where one is closed, they are of two customers (who would read each other's words), a release's
    ticket would vanish in a device's, or somebody is at work on the other one.
    """
    ticket, other = at_revision(connection, ticket_id, revision), tickets.get(connection, other_id)
    _check(ticket, other)
    findings = ticket_findings.standing(connection, [other.id]).get(other.id, [])
    for finding in findings:
        ticket_findings.join(connection, finding.id, ticket.id, now)
    moved = ticket_messages.move(connection, other.id, ticket.id)
    for child in tickets.list_tickets(connection, parent_id=other.id, open_only=True, limit=1_000_000):
        record(connection, child, "joined", actor, now, {"parent_id": ticket.id})
    withdraw(connection, other, now)
    also = {"closed_at": now, "closed_by": actor[:120]}
    record(connection, other, "merged", actor, now, {"into": ticket.id}, also=also)
    detail = {"from": other.id, "findings": [one.id for one in findings], "messages": moved, "source": other.source}
    missing = {name: getattr(other, name) for name in ("customer_id", "home_id") if getattr(ticket, name) is None}
    if other.priority < ticket.priority:
        ticket = record(connection, ticket, "raised", actor, now, {"from": ticket.priority, "to": other.priority})
    return record(connection, ticket, "merged", actor, now, detail, also=missing)


def _check(ticket: Ticket, other: Ticket) -> None:
    where = f"ticket {other.id}"
    if ticket.id == other.id:
        raise Conflict("a ticket is not merged into itself", where=where)
    for one in (ticket, other):
        if one.state == "closed":
            raise Conflict(f"it was closed as {one.closing_code}", where=f"ticket {one.id}")
    if None not in {ticket.customer_id, other.customer_id} and ticket.customer_id != other.customer_id:
        raise Conflict("they are of two customers, who would read each other's words", where=where)
    if other.kind == "cohort" and ticket.kind != "cohort":
        raise Conflict("a release's ticket does not vanish in a device's: make the device's its child", where=where)
    if (
        None not in {ticket.device_id, other.device_id}
        and ticket.device_id != other.device_id
        and (ticket.customer_id is None or ticket.customer_id != other.customer_id)
    ):
        raise Conflict("they are about two devices of nobody known to own both", where=where)
    if other.state in BUSY or other.approved_until is not None:
        raise Conflict("somebody is at work on it: merge the other way round", where=where)
    if ticket.parent_id == other.id:
        raise Conflict("it is this ticket's parent", where=where)
