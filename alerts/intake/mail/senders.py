"""Who writes, about which ticket and which device, as far as a mail lets us know. What it claims opens nothing; it only finds its place."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection

from alerts.intake import threads
from alerts.intake.mail.automatic import OUR_ID
from alerts.intake.mail.parsing import Mail
from hearthwatch.errors import Missing
from hearthwatch.records import customers, devices, inbound_mails, notices, outbox, reports, ticket_findings, tickets
from hearthwatch.records.customers import Customer
from hearthwatch.records.outbox import OutboxItem
from hearthwatch.values import DEVICE_ID

_SHORTEST_ID = 5
_MOST_WORDS = 60


@dataclass(frozen=True, slots=True)
class Place:
    """Where a mail belongs. ``because`` says how that was found: tag, letter, earlier mail, the only device, a number in the text."""

    ticket_id: int | None
    customer: Customer | None
    device_id: str | None
    because: str


def place_of(connection: Connection, mail: Mail, secret_key: str, now: datetime) -> Place:
    """Where a mail belongs."""
    ticket_id, because = _ticket(connection, mail, secret_key)
    customer = customer_of(connection, mail.sender)
    if ticket_id is not None:
        return Place(ticket_id, customer, tickets.get(connection, ticket_id).device_id, because)
    device_id, how = _device(connection, mail, customer, now)
    return Place(None, customer, device_id, how)


def customer_of(connection: Connection, address: str | None) -> Customer | None:
    """The one customer who has a mail address; None where nobody or several have it."""
    if address is None:
        return None
    theirs = customers.with_email(connection, address, limit=2)
    return theirs[0] if len(theirs) == 1 else None


def letter_of(connection: Connection, reference: str | None) -> OutboxItem | None:
    """The letter of ours that a reference in a Message-ID names."""
    return outbox.by_message_ref(connection, reference) if reference else None


def ticket_of_letter(connection: Connection, item: OutboxItem) -> int | None:
    """The ticket that a letter was about."""
    if item.idempotency_key.startswith("letter:report:"):
        number = item.idempotency_key.split(":")[2]
        return _ticket_of_report(connection, int(number)) if number.isdecimal() else None
    if item.notice_id is None:
        return None
    notice = notices.get(connection, item.notice_id)
    if notice.ticket_id is not None or notice.finding_id is None:
        return notice.ticket_id
    about = ticket_findings.of_findings(connection, [notice.finding_id]).get(notice.finding_id)
    return about.id if about is not None and about.kind != "cohort" else None


def _ticket(connection: Connection, mail: Mail, secret_key: str) -> tuple[int | None, str]:
    tagged = threads.ticket_in([*mail.recipients, mail.subject], secret_key)
    if tagged is not None and _exists(connection, tagged):
        return tagged, "tag"
    for reference in mail.references:
        ours = OUR_ID.match(f"{reference}")
        item = letter_of(connection, ours.group(1)) if ours else None
        found = ticket_of_letter(connection, item) if item is not None else None
        if found is not None:
            return found, "letter"
        earlier = inbound_mails.find(
            connection, hashlib.sha256(b"id:" + reference.encode("utf-8", "replace")).hexdigest()
        )
        if earlier is not None and earlier.report_id is not None and earlier.sender == mail.sender:
            return _ticket_of_report(connection, earlier.report_id), "mail"
    return None, ""


def _device(connection: Connection, mail: Mail, customer: Customer | None, now: datetime) -> tuple[str | None, str]:
    theirs = customers.devices_of(connection, customer.id, now) if customer is not None else []
    known = devices.find(connection, _words(mail))
    named = [one for one in known if not theirs or one in theirs]
    if not named and theirs:
        words = set(_words(mail))
        named = [one.id for one in devices.find(connection, theirs).values() if one.serial and one.serial in words]
    if len(named) == 1:
        return named[0], "number"
    return (theirs[0], "only device") if len(theirs) == 1 else (None, "")


def _words(mail: Mail) -> Sequence[str]:
    """What in a mail may be a device's number: words with a digit."""
    found = (word.strip(".") for word in re.findall(r"[A-Za-z0-9._-]+", f"{mail.subject} {mail.said}"[:20_000]))
    fit = (
        one for one in found if len(one) >= _SHORTEST_ID and DEVICE_ID.fullmatch(one) and any(c.isdigit() for c in one)
    )
    return list(dict.fromkeys(fit))[:_MOST_WORDS]


def _ticket_of_report(connection: Connection, report_id: int) -> int | None:
    try:
        return reports.get(connection, report_id).ticket_id
    except Missing:
        return None


def _exists(connection: Connection, ticket_id: int) -> bool:
    try:
        tickets.get(connection, ticket_id)
    except Missing:
        return False
    return True
