"""What a repair costs the customer, and whether they agree."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from zoneinfo import ZoneInfo

from alerts.customers.progress import ticket_about
from alerts.tickets import approvals
from alerts.tickets.approvals import Question
from alerts.tickets.conversation import surviving
from api.customer.look import Look, Press, Section, phrase
from hearthwatch.errors import Conflict
from hearthwatch.records import ticket_approvals
from hearthwatch.values import Ticket

ANSWERED: Mapping[str, str] = {
    "approved": phrase("You agreed on {day} to pay {price}."),
    "declined": phrase("You declined on {day}. Nothing is repaired at your cost."),
    "expired": phrase("This question could be answered until {day}. If you still want the repair, please write to us."),
    "withdrawn": phrase("We took this question back on {day}; you do not have to answer it."),
}


def ticket_of(look: Look) -> Ticket | None:
    """The ticket that the link is about, or the one its notice is about: where the matter goes on, if that is theirs."""
    if look.notice is not None and look.notice.answer == "not_mine":
        return None
    ticket = look.ticket or (ticket_about(look.connection, look.notice) if look.notice is not None else None)
    if ticket is None and look.notice is not None and look.notice.ticket_id is not None:
        ticket = surviving(look.connection, look.notice.ticket_id)
    if ticket is not None and ticket.merged_into is not None:
        ticket = surviving(look.connection, ticket.id)
    return ticket if ticket is not None and ticket.customer_id == look.customer.id else None


def show(look: Look) -> Mapping[str, Any] | None:
    """The open question with its price, else how the newest one was answered; nothing where there was none."""
    ticket = ticket_of(look)
    if ticket is None:
        return None
    asked = _question(look, ticket)
    if asked is not None:
        paragraphs = [look.say.on_the_page(one) for one in asked.paragraphs]
        return {"question": asked, "paragraphs": paragraphs, "asks": True}
    newest = next(iter(ticket_approvals.of_ticket(look.connection, ticket.id)), None)
    if newest is None:
        return None
    state = "expired" if newest.state == "asked" else newest.state
    at = newest.expires_at if state == "expired" else newest.decided_at or newest.expires_at
    price = approvals.price_of(newest, look.say.language)
    return {"question": None, "answered": look.say(ANSWERED[state], day=look.say.date(at), price=price)}


def _question(look: Look, ticket: Ticket) -> Question | None:
    asked = approvals.open_question(look.connection, ticket.id, look.now)
    if asked is None:
        return None
    return approvals.question(
        look.connection, ticket, asked, look.say.language, ZoneInfo(look.opened.timezone), look.now
    )


def agree(pressed: Press) -> str | None:
    """Keep that they agree to this price, with what they read."""
    return _answer(pressed, agreed=True)


def decline(pressed: Press) -> str | None:
    """Keep that they do not."""
    return _answer(pressed, agreed=False)


def _answer(pressed: Press, *, agreed: bool) -> str:
    look = pressed.look
    ticket = ticket_of(look)
    asked = _question(look, ticket) if ticket is not None else None
    if asked is None or pressed.fields.get("approval") != _shown(asked):
        raise Conflict("this is no longer what we ask; please look at the page again")
    approvals.answer(
        pressed.connection,
        asked.approval.id,
        agreed,
        customer_id=look.customer.id,
        actor=pressed.actor,
        via="link",
        now=pressed.now,
        link_id=look.link.id,
        language=look.say.language,
        wording="\n".join(look.say.on_the_page(one) for one in asked.paragraphs),
    )
    return "agreed" if agreed else "declined"


def _shown(asked: Question) -> str:
    """What the form names: this question at this price, so that nobody agrees to one they have not seen."""
    one = asked.approval
    return f"{one.id}:{one.remedy}:{one.price}:{one.currency}"


SECTION = Section(
    "approval",
    lambda look: _with_form(show(look)),
    {"approval_agree": agree, "approval_decline": decline},
    {
        "agreed": phrase("Thank you. We will begin with the repair."),
        "declined": phrase("We have noted that you do not want this. Nothing is repaired at your cost."),
    },
)


def _with_form(shown: Mapping[str, Any] | None) -> Mapping[str, Any] | None:
    if shown is None or shown["question"] is None:
        return shown
    return {**shown, "approval": _shown(shown["question"])}
