"""What is written on a ticket: notes among staff, answers to the customer, messages from them. The texts lie apart from the ledger.

A note and an answer are two acts with two names, because what is written for a colleague must never reach a customer by a wrong tick.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Connection

from alerts.tickets import recalls
from alerts.tickets.ledger import at_revision, record
from hearthwatch.errors import Conflict, Invalid
from hearthwatch.records import ticket_messages, tickets
from hearthwatch.records.ticket_messages import Direction
from hearthwatch.values import Ticket

LONGEST_TEXT = 4000
REOPENED_WITHIN = timedelta(days=30)
"""How long after the closing a customer's message opens the ticket again; later it is a new matter."""
ANSWERED = "customer"


def note(connection: Connection, ticket_id: int, revision: int | None, text: str, actor: str, now: datetime) -> Ticket:
    """Write something down for colleagues. Raises `Missing`, `Stale`, or `Invalid` for an empty or endless text."""
    ticket = at_revision(connection, ticket_id, revision)
    return record(
        connection, ticket, "note", actor, now, {"message_id": keep(connection, ticket, "internal", text, actor, now)}
    )


def reply(
    connection: Connection,
    ticket_id: int,
    revision: int | None,
    text: str,
    actor: str,
    now: datetime,
    *,
    wait_until: datetime | None = None,
) -> Ticket:
    """Answer the customer: it stands on their page, and a notice tells them of it. ``wait_until`` lets the ticket wait for them till then.

    Raises `Missing`, `Stale`, `Invalid` for an empty or endless text, `Conflict` where nobody would read it.
    """
    ticket = at_revision(connection, ticket_id, revision)
    if ticket.customer_id is None and ticket.source == "policy":
        raise Conflict("no customer is known who would read it", where=f"ticket {ticket_id}")
    if wait_until is not None and wait_until <= now:
        raise Invalid("it waits until a time to come", where="wait_until")
    detail = {"message_id": keep(connection, ticket, "out", text, actor, now)}
    replied = record(connection, ticket, "replied", actor, now, detail)
    if wait_until is None or replied.state == "closed":
        return replied
    return record(connection, replied, "waiting", actor, now, {"for": ANSWERED, "until": wait_until.isoformat()})


def message(
    connection: Connection,
    ticket_id: int,
    *,
    text: str,
    author: str,
    now: datetime,
    verified: bool,
    detail: Mapping[str, Any] | None = None,
) -> int:
    """Keep what a customer wrote (``author`` is an actor: ``customer:c-1``, ``reporter:5``); returns the message's id.

    It lands where the matter goes on: in the ticket that this one was merged into. If it is surely they who wrote (``verified``; other
    texts only staff sees), what waited for the customer goes on, and what was closed lately is open again. Raises `Invalid` for an empty
    or endless text, `Conflict` where it was closed long ago: open a new ticket then.
    """
    ticket = surviving(connection, ticket_id)
    told = {key: value for key, value in (detail or {}).items() if key != "message_id"}
    kept = keep(connection, ticket, "in" if verified else "unverified", text, author, now)
    ticket = record(connection, ticket, "message", author, now, {**told, "message_id": kept, "verified": verified})
    if verified and ticket.state == "waiting" and ticket.waiting_for == ANSWERED:
        record(connection, ticket, "resumed", author, now, {"message_id": kept})
    elif verified and ticket.state == "closed":
        _reopen(connection, ticket, kept, author, now)
    return kept


def surviving(connection: Connection, ticket_id: int) -> Ticket:
    """The ticket in which a matter goes on: itself, what it was merged into, or the open one of the same cause. Raises `Missing`."""
    ticket = tickets.get(connection, ticket_id)
    while ticket.merged_into is not None:
        ticket = tickets.get(connection, ticket.merged_into)
    if ticket.state == "closed":
        ticket = tickets.open_of_stem(connection, ticket.stem) or ticket
    return ticket


def keep(connection: Connection, ticket: Ticket, direction: Direction, text: str, author: str, now: datetime) -> int:
    """Keep a text on a ticket; returns its id. Raises `Invalid` for an empty or endless one."""
    if not text.strip() or len(text) > LONGEST_TEXT:
        raise Invalid(f"a text has 1 to {LONGEST_TEXT} characters", where="text")
    return ticket_messages.add(connection, ticket.id, direction, author, text.strip(), now)


def _reopen(connection: Connection, ticket: Ticket, message_id: int, author: str, now: datetime) -> None:
    if ticket.closed_at is not None and now - ticket.closed_at > REOPENED_WITHIN:
        raise Conflict("it was closed long ago: this is a new matter", where=f"ticket {ticket.id}")
    cleared = dict.fromkeys(("closed_at", "closing_note", "closed_by", "failed_at"))
    detail = {"message_id": message_id, "closed_as": ticket.closing_code, "technician_id": ticket.technician_id}
    recalls.undo(connection, ticket, author, now)
    record(connection, ticket, "reopened", author, now, detail, also=cleared)
