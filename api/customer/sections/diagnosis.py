"""Whether we may ask the device how it is, for this case alone."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from alerts.customers.progress import ticket_about
from alerts.knowledge import permission
from api.customer.look import Look, Press, Section, phrase
from hearthwatch.errors import Conflict
from hearthwatch.values import Ticket


def show(look: Look) -> Mapping[str, Any] | None:
    """The question, where it was asked and the case is open."""
    ticket = _ticket(look)
    word = permission.standing(look.connection, ticket) if ticket is not None else None
    return {"word": word, "asks": word == permission.ASKED} if word is not None else None


def _ticket(look: Look) -> Ticket | None:
    ticket = look.ticket or (ticket_about(look.connection, look.notice) if look.notice is not None else None)
    return ticket if ticket is not None and ticket.state != "closed" else None


def answer(pressed: Press) -> str | None:
    """Keep the answer; where it may be asked, it is asked at once."""
    ticket = _ticket(pressed.look)
    if ticket is None or permission.standing(pressed.connection, ticket) is None:
        raise Conflict("nobody asks this now")
    allowed = pressed.action == "diagnosis_allow"
    permission.answer(pressed.connection, ticket, pressed.actor, pressed.now, allowed=allowed)
    return "allowed" if allowed else "refused"


SECTION = Section(
    "diagnosis",
    show,
    {"diagnosis_allow": answer, "diagnosis_refuse": answer},
    {
        "allowed": phrase("Thank you. We are asking your device now; you need not do anything."),
        "refused": phrase("All right. We will not ask your device."),
    },
)
