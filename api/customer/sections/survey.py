"""Whether it helped: asked once, when the case is over."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from typing import Any

from alerts.customers.progress import ticket_about
from alerts.learning import survey
from api.customer.look import Look, Press, Section, phrase
from hearthwatch.errors import Conflict, Invalid
from hearthwatch.records import surveys
from hearthwatch.values import Ticket

OPEN_FOR = timedelta(days=30)
"""How long after the end of a case it can be answered."""


def show(look: Look) -> Mapping[str, Any] | None:
    """The questions, or that they were answered; nothing while the case is open."""
    ticket = _ticket(look)
    if ticket is None or ticket.closed_at is None or ticket.closing_code not in survey.ASKED_ABOUT:
        return None
    answered = surveys.of_ticket(look.connection, ticket.id) is not None
    if not answered and look.now - ticket.closed_at > OPEN_FOR:
        return None
    return {"answered": answered, "scores": range(1, 6), "longest": survey.LONGEST_COMMENT, "asks": not answered}


def _ticket(look: Look) -> Ticket | None:
    return look.ticket or (ticket_about(look.connection, look.notice) if look.notice is not None else None)


def send(pressed: Press) -> str | None:
    """Keep the answer; a bad one has consequences, and the customer is told which."""
    ticket = _ticket(pressed.look)
    if ticket is None:
        raise Conflict("there is no case to answer about")
    solved, score = pressed.fields.get("solved", ""), pressed.fields.get("score", "")
    if solved not in {"yes", "no"} or score not in {"1", "2", "3", "4", "5"}:
        raise Invalid("please answer both questions", where="solved")
    kept = survey.answer(
        pressed.connection,
        ticket,
        solved=solved == "yes",
        score=int(score),
        comment=pressed.fields.get("comment", ""),
        actor=pressed.actor,
        now=pressed.now,
    )
    return kept.follow_up or "thanks"


SECTION = Section(
    "survey",
    show,
    {"survey_send": send},
    {
        "thanks": phrase("Thank you for your answer."),
        "reopened": phrase(
            "We are sorry that it is not solved. We have opened the case again and will take care of it."
        ),
        "request": phrase("We are sorry that you are not satisfied. Somebody will contact you within two days."),
    },
)
