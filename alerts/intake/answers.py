"""Letters to people who reported something and left a mail address: that we have it, and when there is news, each with the link to it.

The letter itself confirms the address: whoever reads it may follow the report, and sees of it what they wrote and how it goes. Nothing of
an owner, a home or a device's state stands in it.
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from html import escape

from sqlalchemy import Connection

from alerts.channels.addresses import channel_of
from alerts.intake import threads
from alerts.notices.catalogue import choose, translations
from hearthwatch.records import outbox, reports, tickets
from hearthwatch.records.reports import TicketReport
from hearthwatch.records.tickets import TicketEvent
from hearthwatch.values import Ticket

LINK_LIFE = timedelta(days=90)
RECEIPTS_A_DAY = 3
"""For one address: somebody may name another's address, and a mail program may answer ours."""
NEWS_FROM = timedelta(days=3)

Say = Callable[[str], str]


@dataclass(frozen=True, slots=True)
class Desk:
    """Who answers: the maker's name, where its pages are, where answers go, and the key that signs links and tags."""

    brand: str
    public_url: str
    reply_to: str
    secret_key: str


def receipt(
    connection: Connection,
    ticket: Ticket,
    report: TicketReport,
    desk: Desk,
    now: datetime,
    *,
    answers: str | None = None,
) -> bool:
    """Write the letter that a report has come, where its sender left a mail address and has no page of their own.

    ``answers`` is the Message-ID it answers. Returns whether a letter was written.
    """
    if report.contact_email is None or report.verified or report.source not in {"qr", "mail", "api", "staff"}:
        return False
    since = now - timedelta(days=1)
    if len(reports.of_contact(connection, report.contact_email, since)) > RECEIPTS_A_DAY:
        return False
    reports.follow(connection, report.id, link_token(report.id, desk.secret_key), now + LINK_LIFE)
    say = _speaker(report.language)
    lines = [
        say("We have your report. It has the number {number}.").format(number=report.id),
        say("How it goes stands here, and you can add to it:"),
        _link(report, desk),
    ]
    if report.danger:
        lines.insert(0, say(SAFETY))
    lines.append(say("If it was not you who wrote to us, you need not do anything."))
    subject = say("We have your report")
    headers = {"Auto-Submitted": "auto-replied"}
    if answers is not None:
        headers |= {"In-Reply-To": f"<{answers}>", "References": f"<{answers}>"}
    return _put(connection, ticket, report, desk, subject, lines, headers, f"letter:report:{report.id}", now)


NEWS: Mapping[str, str] = {
    "replied": "There is an answer to your report {number}.",
    "closed": "Your report {number} is settled.",
}
SAFETY = (
    "If there is smoke, fire, a smell of gas, or somebody got a shock: do not touch the device, get to safety, and call the"
    " emergency services."
)


@dataclass(frozen=True, slots=True)
class News:
    """Something to tell a reporter: an entry of the ledger of the ticket their report goes on in."""

    report: TicketReport
    ticket: Ticket
    event: TicketEvent

    @property
    def key(self) -> str:
        """The idempotency key of the letter about it."""
        return f"letter:report:{self.report.id}:event:{self.event.id}"


def untold(connection: Connection, desk: Desk, now: datetime) -> list[News]:
    """What those who follow their report were not told yet: that it was answered, or settled.

    Nothing for a process that has another key than the one which made their link.
    """
    found = []
    for report, goes_on_in in reports.to_tell(connection, tuple(NEWS), now - NEWS_FROM, now):
        if not reports.is_followed_by(connection, report.id, link_token(report.id, desk.secret_key)):
            continue
        ticket = tickets.get(connection, goes_on_in)
        since = max(now - NEWS_FROM, report.at)
        events = [
            one for one in tickets.events(connection, ticket.id) if _is_news(one.what, ticket) and one.at >= since
        ]
        found += [News(report, ticket, event) for event in events]
    known = outbox.known(connection, [one.key for one in found])
    return [one for one in found if one.key not in known]


def tell_reporters(connection: Connection, desk: Desk, now: datetime) -> int:
    """Write to those who follow their report what is new. Returns how many letters were written."""
    written = 0
    for news in untold(connection, desk, now):
        say = _speaker(news.report.language)
        words = say(NEWS[news.event.what]).format(number=news.report.id)
        lines = [words, say("Read it here:"), _link(news.report, desk)]
        headers = {"Auto-Submitted": "auto-generated"}
        written += _put(connection, news.ticket, news.report, desk, words, lines, headers, news.key, now)
    return written


def link_token(report_id: int, secret_key: str) -> str:
    """The token of a report's link: made of its number and our key, so that every letter about it holds the same one."""
    return hmac.new(secret_key.encode(), f"report-follow:{report_id}".encode(), hashlib.sha256).hexdigest()


def _is_news(what: str, ticket: Ticket) -> bool:
    """What is written to an owner is not told to a stranger: of an owner's ticket they hear only that it is settled."""
    return what == "closed" or (what == "replied" and ticket.customer_id is None)


def _put(
    connection: Connection,
    ticket: Ticket,
    report: TicketReport,
    desk: Desk,
    subject: str,
    lines: list[str],
    headers: Mapping[str, str],
    key: str,
    now: datetime,
) -> bool:
    address = f"mailto:{report.contact_email}"
    channel = channel_of(address)
    if channel is None or outbox.known(connection, [key]):
        return False
    say = _speaker(report.language)
    text = "\n\n".join([say("Hello,"), *lines, desk.brand])
    payload: dict[str, object] = {
        "subject": threads.in_subject(subject, ticket.id, desk.secret_key),
        "text": text,
        "html": _html(text, _link(report, desk)),
        "language": choose(report.language),
        "headers": dict(headers),
    }
    if desk.reply_to:
        payload["reply_to"] = threads.reply_address(desk.reply_to, ticket.id, desk.secret_key)
    return outbox.put(connection, kind="letter", channel=channel, address=address, payload=payload, key=key, now=now)


def _link(report: TicketReport, desk: Desk) -> str:
    return f"{desk.public_url.rstrip('/')}/r/follow/{link_token(report.id, desk.secret_key)}"


def _html(text: str, link: str) -> str:
    paragraphs = "".join(f"<p>{escape(one)}</p>" for one in text.split("\n\n"))
    return paragraphs.replace(escape(link), f'<a href="{escape(link)}">{escape(link)}</a>')


def _speaker(language: str) -> Say:
    return translations(choose(language)).gettext
