"""What a customer can try before somebody comes, where an article says that it helps; and whether it did."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from typing import Any

from markupsafe import Markup

from alerts.customers.progress import ticket_about
from alerts.knowledge.advice import matching
from alerts.knowledge.markdown import to_html
from alerts.tickets.ledger import record
from api.customer.look import Look, Press, Section, phrase
from hearthwatch.errors import Conflict, Missing
from hearthwatch.records import articles, devices, findings
from hearthwatch.records.articles import Article
from hearthwatch.values import Ticket

ASKED_AGAIN = timedelta(days=30)
"""An answer counts so long; what comes back later may be tried again."""


def show(look: Look) -> Mapping[str, Any] | None:
    """The steps to try; nothing where no article has any, or the matter is over."""
    found = _article(look)
    if found is None:
        return None
    article, device_id, _ = found
    answered = articles.answered(look.connection, article.slug, device_id, look.now - ASKED_AGAIN)
    return {"steps": Markup(to_html(article.self_help or "")), "answered": answered}  # noqa: S704, nh3 has cleaned it


def _article(look: Look) -> tuple[Article, str, Ticket | None] | None:
    ticket = look.ticket or (ticket_about(look.connection, look.notice) if look.notice is not None else None)
    device_id = (ticket.device_id if ticket else None) or (look.notice.device_id if look.notice else None)
    mode = _mode(look, ticket)
    if device_id is None or mode is None or (ticket is not None and ticket.state == "closed"):
        return None
    model = _model(look, device_id)
    about = matching(look.connection, mode=mode, part=None, model=model, language=look.say.language)
    article = next((one for one in about if one.self_help), None)
    return (article, device_id, ticket) if article is not None else None


def _mode(look: Look, ticket: Ticket | None) -> str | None:
    if ticket is not None and ticket.mode:
        return ticket.mode
    if look.notice is None or look.notice.finding_id is None or look.notice.kind == "update":
        return None
    finding = findings.get(look.connection, look.notice.finding_id)
    return finding.mode if finding.state != "recovered" else None


def _model(look: Look, device_id: str) -> str | None:
    try:
        return devices.get(look.connection, device_id).model
    except Missing:
        return None


def tried(pressed: Press) -> str | None:
    """Keep whether it helped, with the article and in the ticket's ledger."""
    look = pressed.look
    found = _article(look)
    if found is None:
        raise Conflict("there is nothing to try any more")
    article, device_id, ticket = found
    helped = pressed.action == "self_help_helped"
    number = ticket.id if ticket is not None else None
    articles.note_answer(look.connection, article.slug, device_id, number, helped=helped, now=look.now)
    if ticket is not None and ticket.state != "closed":
        detail = {"wish": pressed.action, "article": article.slug}
        record(look.connection, ticket, "customer", pressed.actor, look.now, detail)
    return "helped" if helped else "did_not_help"


SECTION = Section(
    "self_help",
    show,
    {"self_help_helped": tried, "self_help_failed": tried},
    {
        "helped": phrase("Good to hear. We will keep an eye on it, and close the case if it stays well."),
        "did_not_help": phrase("Thank you for trying. We will take care of it from here."),
    },
)
