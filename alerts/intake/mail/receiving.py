"""Takes one mail in: a person's into the queue of reports, a bounce to its notice, a program's nowhere, the unreadable into quarantine.

A mail twice is one. Nothing is lost: what could not be taken is kept with all its bytes and the reason.
"""

from __future__ import annotations

import contextlib
import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Connection

from alerts.delivery import bounces
from alerts.intake import answers, photos, reporting
from alerts.intake.answers import Desk
from alerts.intake.mail import parsing
from alerts.intake.mail.authenticity import is_authentic
from alerts.intake.mail.automatic import Bounce, bounce_of, why_automatic
from alerts.intake.mail.parsing import Attachment, Mail
from alerts.intake.mail.senders import Place, letter_of, place_of
from alerts.intake.photos import MOST_PHOTOS, Photo
from alerts.intake.report import LONGEST_TEXT, Contact, Report, is_address
from hearthwatch.errors import Conflict, HearthwatchError, Invalid, Unavailable
from hearthwatch.records import inbound_mails, tickets
from hearthwatch.records.inbound_mails import InboundMail, NewMail

LARGEST_QUARANTINE = 256 * 1024 * 1024
"""Bytes of mails that nobody has looked at; more are not taken until somebody has."""

MOST_AN_HOUR = 30
"""Mails of one sender that become reports within an hour; further ones wait in quarantine."""

_CHINESE = re.compile(r"[\u4e00-\u9fff]")


@dataclass(frozen=True, slots=True)
class Incoming:
    """How mail comes in: by ``source`` (pipe, api, imap). ``trusted_server`` is the authserv-id of our own mail server; empty: none."""

    source: str
    desk: Desk
    trusted_server: str = ""


def receive(connection: Connection, raw: bytes, incoming: Incoming, now: datetime) -> InboundMail:
    """Take a mail in and say what became of it; one that is known already stays as it was.

    Raises `Invalid` for one that is too large to be kept at all, `Unavailable` where the quarantine is full: then it has to stay where
    it is.
    """
    if len(raw) > parsing.LARGEST:
        raise Invalid(f"it has {len(raw):,} bytes; at most {parsing.LARGEST:,}", where="mail.size")
    known = inbound_mails.find(connection, parsing.fingerprint(raw))
    if known is not None:
        return known
    try:
        with connection.begin_nested():
            return _read(connection, parsing.read(raw), incoming, now)
    except Unavailable:
        raise
    except HearthwatchError as error:
        return set_aside(connection, raw, str(error), incoming, now)


def too_large(connection: Connection, head: bytes, size: int, incoming: Incoming, now: datetime) -> InboundMail:
    """Note a mail of which only the beginning was looked at, because it is too large; it stays where it lies."""
    key = parsing.fingerprint(head)
    known = inbound_mails.find(connection, key)
    if known is not None:
        return known
    mail: Mail | None = None
    with contextlib.suppress(Invalid):
        mail = parsing.read(head)
    reason = f"it has {size:,} bytes; at most {parsing.LARGEST:,} are read. It is still in the mailbox"
    return _kept(connection, _new(key, incoming, "quarantined", mail, reason=reason, size=size), now)


def _read(connection: Connection, mail: Mail, incoming: Incoming, now: datetime) -> InboundMail:
    bounce = bounce_of(mail)
    if bounce is not None:
        return _bounced(connection, mail, bounce, incoming, now)
    own = {incoming.desk.reply_to.lower()} - {""}
    why = why_automatic(mail, own)
    if why is not None:
        return _kept(connection, _new(mail.fingerprint, incoming, "ignored", mail, reason=why), now)
    return _taken(connection, mail, incoming, now)


def _taken(connection: Connection, mail: Mail, incoming: Incoming, now: datetime) -> InboundMail:
    if mail.sender and inbound_mails.taken_since(connection, mail.sender, now - timedelta(hours=1)) >= MOST_AN_HOUR:
        raise Conflict(f"its sender wrote more than {MOST_AN_HOUR} mails within an hour")
    place = place_of(connection, mail, incoming.desk.secret_key, now)
    taken, listed = _pictures(mail.photos, mail.attachments)
    done = reporting.report(connection, _report(connection, mail, place, taken, incoming), now)
    new = _new(mail.fingerprint, incoming, "taken", mail, reason=place.because or None, attachments=listed)
    kept = _kept(connection, replace(new, text=mail.text, report_id=done.report.id), now)
    if done.opened and "x-auto-response-suppress" not in mail.fields:
        answers.receipt(connection, done.ticket, done.report, incoming.desk, now, answers=mail.message_id)
    return kept


def _report(connection: Connection, mail: Mail, place: Place, taken: Sequence[Photo], incoming: Incoming) -> Report:
    customer = place.customer
    whose = tickets.get(connection, place.ticket_id).customer_id if place.ticket_id is not None else None
    same = customer is not None and whose in {None, customer.id}
    verified = same and is_authentic(mail, incoming.trusted_server)
    said = mail.said if place.ticket_id is not None and mail.said else f"{mail.subject}\n\n{mail.said}".strip()
    language = "zh-Hans" if _CHINESE.search(said) else customer.language if customer else "en"
    sender = mail.sender if mail.sender and is_address(mail.sender) else None
    return Report(
        source="mail",
        text=_fitting(said) or ("" if taken else "–"),
        photos=tuple(taken),
        device_id=place.device_id,
        customer_id=customer.id if customer and (place.ticket_id is None or same) else None,
        verified=verified,
        contact=Contact(mail.sender_name or None, sender),
        language=language,
        ticket_id=place.ticket_id,
    )


def _fitting(text: str) -> str:
    return text if len(text) <= LONGEST_TEXT else text[: LONGEST_TEXT - 1] + "…"


def _pictures(
    given: Sequence[Attachment], attachments: Sequence[Attachment]
) -> tuple[list[Photo], list[dict[str, Any]]]:
    """The photos that are kept, and every attachment with whether it is and why not."""
    taken: list[Photo] = []
    why: dict[int, str] = {}
    for one in given:
        if len(taken) >= MOST_PHOTOS:
            why[id(one)] = f"more than {MOST_PHOTOS} photos"
            continue
        try:
            taken.append(photos.clean(one.content, one.name))
        except Invalid as refused:
            why[id(one)] = refused.message
    pictures = {id(one) for one in given} - set(why)
    listed = [
        {"name": one.name, "mime": one.mime[:80], "size": one.size, "kept": id(one) in pictures}
        | ({} if id(one) in pictures else {"why": why.get(id(one), "only photos are kept")})
        for one in attachments
    ]
    return taken, listed


def _bounced(connection: Connection, mail: Mail, bounce: Bounce, incoming: Incoming, now: datetime) -> InboundMail:
    """Note on the notice that its letter came back. One that is only late is still on its way."""
    item = letter_of(connection, bounce.reference)
    reason = f"{'' if bounce.final else 'late: '}{bounce.why}"
    if item is not None and bounce.final:
        bounces.bounced(connection, item, bounce.why, now)
    new = _new(mail.fingerprint, incoming, "bounce", mail, reason=reason)
    return _kept(connection, replace(new, notice_id=item.notice_id if item is not None else None), now)


def set_aside(connection: Connection, raw: bytes, why: str, incoming: Incoming, now: datetime) -> InboundMail:
    """Keep a mail in quarantine with all its bytes and the reason. Raises `Unavailable` where the quarantine is full."""
    mail: Mail | None = None
    with contextlib.suppress(Invalid):
        mail = parsing.read(raw)
    if inbound_mails.held_bytes(connection) + len(raw) > LARGEST_QUARANTINE:
        raise Unavailable("the quarantine of mails is full: somebody has to look at it", where="inbound mail")
    new = _new(parsing.fingerprint(raw), incoming, "quarantined", mail, reason=why, size=len(raw))
    return _kept(connection, replace(new, raw=raw), now)


def _new(
    key: str,
    incoming: Incoming,
    state: str,
    mail: Mail | None,
    *,
    reason: str | None = None,
    size: int = 0,
    attachments: Sequence[dict[str, Any]] = (),
) -> NewMail:
    return NewMail(
        fingerprint=key,
        source=incoming.source,
        state=state,
        reason=reason,
        sender=mail.sender if mail else None,
        subject=mail.subject if mail else "",
        size=mail.size if mail and not size else size,
        attachments=attachments,
    )


def _kept(connection: Connection, new: NewMail, now: datetime) -> InboundMail:
    kept = inbound_mails.add(connection, new, now) or inbound_mails.find(connection, new.fingerprint)
    assert kept is not None
    return kept
