"""What customer and service wrote to each other about a case. Internal notes and texts of strangers are never in it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from alerts.tickets import conversation
from alerts.tickets.ledger import record
from api.customer.look import Look, Press, Section, phrase
from api.customer.sections.approval import ticket_of
from hearthwatch.errors import Conflict
from hearthwatch.records import ticket_messages
from hearthwatch.values import Ticket


def show(look: Look) -> Mapping[str, Any] | None:
    """The texts, and a form to write; nothing where there is no case."""
    ticket = ticket_of(look)
    if ticket is None or (ticket.closed_at is not None and look.now - ticket.closed_at > conversation.REOPENED_WITHIN):
        return None
    written = ticket_messages.of_ticket(look.connection, ticket.id, visible=True)
    return {
        "texts": [(one.direction, look.say.moment(one.at), one.text) for one in written if one.erased_at is None],
        "waits": ticket.waiting_for == "customer",
        "asks": ticket.waiting_for == "customer" or (look.notice is not None and look.notice.kind == "ticket_message"),
        "can_cancel": _can_cancel(ticket),
        "longest": conversation.LONGEST_TEXT,
    }


def _can_cancel(ticket: Ticket) -> bool:
    return ticket.state == "scheduled"


def send(pressed: Press) -> str | None:
    """Keep what they wrote."""
    ticket = _theirs(pressed)
    conversation.message(
        pressed.connection,
        ticket.id,
        text=pressed.fields.get("text", ""),
        author=pressed.actor,
        now=pressed.now,
        verified=True,
        detail={"source": "page"},
    )
    return "sent"


def cancel_visit(pressed: Press) -> str | None:
    """Note that they do not need the visit; a person calls it off, so that nobody is left waiting at a door."""
    ticket = _theirs(pressed)
    if not _can_cancel(ticket):
        raise Conflict("no visit is arranged")
    record(pressed.connection, ticket, "customer", pressed.actor, pressed.now, {"wish": "no_visit"})
    return "cancelled"


def _theirs(pressed: Press) -> Ticket:
    ticket = ticket_of(pressed.look)
    if ticket is None:
        raise Conflict("there is no case to write about")
    return ticket


SECTION = Section(
    "conversation",
    show,
    {"conversation_send": send, "conversation_no_visit": cancel_visit},
    {
        "sent": phrase("Thank you. We have your message."),
        "cancelled": phrase("We have noted that you do not need the visit, and will call it off."),
    },
)
