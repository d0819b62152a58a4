"""Where in the records a person is: which rows of which table are theirs. What is exported and what is erased both follow from it."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy import Connection

from hearthwatch.records import customers
from hearthwatch.records.customers import Customer, Ownership
from hearthwatch.records.tables import (
    audit,
    commands,
    consent_events,
    finding_events,
    findings,
    homes,
    inbound_mails,
    mailbox,
    notice_events,
    notices,
    outbox,
    ownerships,
    report_photos,
    surveys,
    ticket_approvals,
    ticket_events,
    ticket_messages,
    ticket_reports,
    tickets,
    update_installs,
)

_ROWS = 500
_SECRET = frozenset(
    {"token_hash", "claim_token", "claimed_by", "follow_hash", "once", "html", "picture", "thumbnail", "raw"}
)
"""Columns that are no word about the person: secrets, what has a file of its own, and the same text once more."""


@dataclass(frozen=True, slots=True)
class Person:
    """A customer, and what leads to the rest of what is known of them."""

    customer: Customer
    ownerships: Sequence[Ownership]

    @property
    def id(self) -> str:
        """The customer's id, which is all that is left of them after an erasure."""
        return self.customer.id

    @property
    def emails(self) -> tuple[str, ...]:
        """Mail addresses of the person, as they may stand in letters and reports: those keep them in small letters."""
        named = [self.customer.email, *(_mail_of(address) for address in self.customer.channels)]
        return tuple(dict.fromkeys(spelled for one in named if one for spelled in (one.strip(), one.strip().lower())))

    def words(self, addresses: Sequence[str] = ()) -> tuple[str, ...]:
        """What gives the person away wherever it stands: name, mail addresses, phone, and the addresses of their homes."""
        given = (self.customer.name, *self.emails, self.customer.phone, *self.customer.channels, *addresses)
        return tuple(dict.fromkeys(one for one in given if one and len(one) > 1))


def names(text: str, words: Iterable[str]) -> bool:
    """Whether a text holds one of some words as a word: Ann is not in "planned". Chinese is written without gaps, also as JSON has it."""
    return any(re.search(_as_word(word), text, re.IGNORECASE) for word in words)


def _as_word(word: str) -> str:
    if "\\u" in word:
        return re.escape(word)
    begin = r"(?<![A-Za-z0-9])" if word[:1].isascii() else ""
    end = r"(?![A-Za-z0-9])" if word[-1:].isascii() else ""
    return begin + re.escape(word) + end


def person(connection: Connection, customer_id: str) -> Person:
    """One person. Raises `Missing`."""
    found = customers.get_customer(connection, customer_id)
    return Person(found, customers.ownerships_by(connection, customer_id))


def _mail_of(address: str) -> str | None:
    scheme, _, rest = address.partition(":")
    return rest.lstrip("/").partition("?")[0] if scheme in {"mailto", "mailtos"} else None


def their_notices(person: Person) -> sa.Select[Any]:
    """Ids of the notices to a person."""
    return sa.select(notices.c.id).where(notices.c.customer_id == person.id)


def their_tickets(person: Person) -> sa.Select[Any]:
    """Ids of the tickets that were a person's: those that are, and those that went on without them when they sold the device."""
    went_on = [
        sa.and_(
            tickets.c.customer_id.is_(None),
            tickets.c.device_id == held.device_id,
            tickets.c.opened_at <= held.to_at,
            sa.or_(tickets.c.closed_at.is_(None), tickets.c.closed_at >= held.from_at),
        )
        for held in person.ownerships
        if held.to_at is not None
    ]
    return sa.select(tickets.c.id).where(sa.or_(tickets.c.customer_id == person.id, *went_on))


def their_messages(person: Person) -> sa.ColumnElement[bool]:
    """Texts that a person wrote, or that were written on tickets of theirs; of a device's ticket only while the device was theirs."""
    held = [one.device_id for one in person.ownerships]
    other = sa.or_(tickets.c.device_id.is_(None), tickets.c.device_id.not_in(held))
    whole = sa.select(tickets.c.id).where(tickets.c.customer_id == person.id, other)
    spans = [
        sa.and_(
            ticket_messages.c.ticket_id.in_(sa.select(tickets.c.id).where(tickets.c.device_id == one.device_id)),
            ticket_messages.c.at >= one.from_at,
            *([ticket_messages.c.at <= one.to_at] if one.to_at else []),
        )
        for one in person.ownerships
    ]
    return sa.or_(ticket_messages.c.author == f"customer:{person.id}", ticket_messages.c.ticket_id.in_(whole), *spans)


def their_reports(person: Person) -> sa.Select[Any]:
    """Ids of the reports a person wrote."""
    theirs = [ticket_reports.c.customer_id == person.id, ticket_reports.c.contact_email.in_(list(person.emails))]
    return sa.select(ticket_reports.c.id).where(sa.or_(*theirs))


def their_homes(person: Person) -> sa.Select[Any]:
    """Ids of the homes in which a person has or had devices."""
    return sa.select(ownerships.c.home_id).where(ownerships.c.customer_id == person.id)


def while_theirs(person: Person, device: sa.ColumnElement[Any], at: sa.ColumnElement[Any]) -> sa.ColumnElement[bool]:
    """Rows about a device of the person at a time at which it was theirs."""
    spans = [
        sa.and_(device == held.device_id, at >= held.from_at, *([at < held.to_at] if held.to_at else []))
        for held in person.ownerships
    ]
    return sa.or_(sa.false(), *spans)


def their_commands(person: Person) -> sa.ColumnElement[bool]:
    """Commands to a person's devices while they were theirs."""
    return while_theirs(person, commands.c.device_id, commands.c.created_at)


def their_letters(person: Person) -> sa.ColumnElement[bool]:
    """Letters in the built-in mailbox: to one of a person's addresses, or of one of their notices."""
    of_notices = sa.select(outbox.c.idempotency_key).where(outbox.c.notice_id.in_(their_notices(person)))
    return sa.or_(mailbox.c.address.in_(list(person.customer.channels)), mailbox.c.idempotency_key.in_(of_notices))


def parts(person: Person) -> Mapping[str, sa.Select[Any]]:
    """Everything the records hold about a person, by the name of its file in an export."""
    of_findings = sa.and_(
        findings.c.subject_type == "device", while_theirs(person, findings.c.subject, findings.c.last_seen)
    )
    mine = ticket_messages.c.author == f"customer:{person.id}"
    messages = sa.and_(their_messages(person), sa.or_(mine, ticket_messages.c.direction != "unverified"))
    selected = {
        "homes": sa.select(homes).where(homes.c.id.in_(their_homes(person))),
        "ownerships": sa.select(ownerships).where(ownerships.c.customer_id == person.id),
        "consents": sa.select(consent_events).where(consent_events.c.customer_id == person.id),
        "notices": sa.select(notices).where(notices.c.customer_id == person.id),
        "notice_events": sa.select(notice_events).where(notice_events.c.notice_id.in_(their_notices(person))),
        "sent": sa.select(outbox).where(outbox.c.notice_id.in_(their_notices(person))),
        "mailbox": sa.select(mailbox).where(their_letters(person)),
        "tickets": sa.select(tickets).where(tickets.c.id.in_(their_tickets(person))),
        "ticket_events": sa.select(ticket_events).where(ticket_events.c.ticket_id.in_(their_tickets(person))),
        "ticket_messages": sa.select(ticket_messages).where(messages),
        "approvals": sa.select(ticket_approvals).where(ticket_approvals.c.ticket_id.in_(their_tickets(person))),
        "surveys": sa.select(surveys).where(surveys.c.ticket_id.in_(their_tickets(person))),
        "reports": sa.select(ticket_reports).where(ticket_reports.c.id.in_(their_reports(person))),
        "photos": sa.select(report_photos, _photo_file().label("file")).where(
            report_photos.c.report_id.in_(their_reports(person))
        ),
        "inbound_mails": sa.select(inbound_mails).where(_their_mails(person)),
        "commands": sa.select(commands).where(their_commands(person)),
        "updates": sa.select(update_installs).where(update_installs.c.customer_id == person.id),
        "findings": sa.select(findings).where(of_findings),
        "finding_events": sa.select(finding_events).where(
            finding_events.c.finding_id.in_(sa.select(findings.c.id).where(of_findings))
        ),
        "audit": sa.select(audit).where(
            sa.or_(audit.c.object == f"customer:{person.id}", audit.c.actor == f"customer:{person.id}")
        ),
    }
    return {name: query.order_by(query.selected_columns.id) for name, query in selected.items()}


def _photo_file() -> sa.ColumnElement[str]:
    """Where a photo lies in the archive."""
    report, number = sa.cast(report_photos.c.report_id, sa.String), sa.cast(report_photos.c.id, sa.String)
    return (
        sa.literal("photos/report-") + report + "-" + number + "." + sa.func.replace(report_photos.c.mime, "image/", "")
    )


def _their_mails(person: Person) -> sa.ColumnElement[bool]:
    by_sender = inbound_mails.c.sender.in_(list(person.emails))
    return sa.or_(by_sender, inbound_mails.c.report_id.in_(their_reports(person)))


def lines(connection: Connection, query: sa.Select[Any]) -> Iterator[bytes]:
    """The rows of a part, one JSON object a line, a few at a time."""
    for row in connection.execution_options(yield_per=_ROWS).execute(query).mappings():
        told = {name: value for name, value in row.items() if name not in _SECRET}
        yield json.dumps(told, ensure_ascii=False, default=_plain).encode() + b"\n"


def _plain(value: Any) -> str:
    return value.isoformat() if isinstance(value, datetime) else str(value)


def photos(connection: Connection, person: Person) -> Iterator[tuple[str, bytes]]:
    """The photos a person sent, each with its file's name in the archive, one at a time."""
    ids = connection.execute(
        sa.select(report_photos.c.id, _photo_file().label("file"))
        .where(report_photos.c.report_id.in_(their_reports(person)))
        .order_by(report_photos.c.id)
    ).all()
    for row in ids:
        picture = sa.select(report_photos.c.picture).where(report_photos.c.id == row.id)
        yield row.file, bytes(connection.execute(picture).scalar_one())
