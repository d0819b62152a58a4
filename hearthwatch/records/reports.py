"""What people reported, with their photos. Texts, contacts and photos of a person can be erased; what it was about stays."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy import Connection

from hearthwatch.errors import Denied, Missing
from hearthwatch.records.database import batched, update_at_revision
from hearthwatch.records.tables import (
    inbound_mails,
    report_photos,
    ticket_events,
    ticket_messages,
    ticket_reports,
    tickets,
)
from hearthwatch.records.tables.columns import fitted

ERASED: Mapping[str, Any] = {
    "contact_name": None,
    "contact_email": None,
    "contact_phone": None,
    "text": "",
    "follow_hash": None,
    "follow_until": None,
}


@dataclass(frozen=True, slots=True)
class TicketReport:
    """One report. ``verified``: it certainly comes from ``customer_id``. ``since`` is an ISO date, ``mode`` the failure mode it was
    classified as, ``explained`` why; ``snapshot`` is the device as it was then; ``message_id`` the ticket's message that tells of it."""

    id: int
    ticket_id: int
    message_id: int | None
    source: str
    device_id: str | None
    customer_id: str | None
    verified: bool
    contact_name: str | None
    contact_email: str | None
    contact_phone: str | None
    language: str
    complaint: str
    text: str
    since: str | None
    wish: str | None
    mode: str | None
    explained: Sequence[Mapping[str, Any]]
    danger: Sequence[str]
    snapshot: Mapping[str, Any]
    at: datetime
    actor: str
    revision: int


@dataclass(frozen=True, slots=True)
class NewReport:
    """What is written down of a report."""

    ticket_id: int
    source: str
    device_id: str | None
    customer_id: str | None
    verified: bool
    contact_name: str | None
    contact_email: str | None
    contact_phone: str | None
    language: str
    complaint: str
    text: str
    since: str | None
    wish: str | None
    mode: str | None
    actor: str
    explained: Sequence[Mapping[str, Any]] = ()
    danger: Sequence[str] = ()
    snapshot: Mapping[str, Any] = field(default_factory=dict)
    once: str | None = None


_COLUMNS = tuple(ticket_reports.c[name] for name in TicketReport.__dataclass_fields__)
_TEXTS = ("contact_name", "contact_email", "contact_phone", "language", "complaint", "text", "mode", "actor")


def without_person(report: TicketReport) -> TicketReport:
    """A report for those who may not read what people wrote: what it is about stays."""
    return replace(report, contact_name=None, contact_email=None, contact_phone=None, text="")


def add(connection: Connection, new: NewReport, now: datetime) -> TicketReport:
    """Write a report down. Raises `Conflict` where its form was sent before."""
    row = {name: getattr(new, name) for name in NewReport.__dataclass_fields__}
    row |= {name: fitted(ticket_reports.c[name], row[name]) for name in _TEXTS}
    row |= {"explained": list(new.explained), "danger": list(new.danger), "snapshot": dict(new.snapshot), "at": now}
    insert = sa.insert(ticket_reports).values(row).returning(ticket_reports.c.id)
    return get(connection, int(connection.execute(insert).scalar_one()))


def get(connection: Connection, report_id: int) -> TicketReport:
    """One report. Raises `Missing`."""
    return _one(connection, ticket_reports.c.id == report_id, f"report {report_id}")


def sent_by(connection: Connection, once: str) -> TicketReport | None:
    """The report that a form was sent with, where it was sent."""
    try:
        return _one(connection, ticket_reports.c.once == once, "form")
    except Missing:
        return None


def change(connection: Connection, report_id: int, revision: int | None, changes: Mapping[str, Any]) -> TicketReport:
    """Change a report, at ``revision`` if given. Raises `Missing` or `Stale`."""
    update_at_revision(connection, ticket_reports, {"id": report_id}, revision, changes)
    return get(connection, report_id)


def of_tickets(connection: Connection, ticket_ids: Iterable[int]) -> list[TicketReport]:
    """The reports of some tickets, oldest first."""
    found: list[TicketReport] = []
    for some in batched(ticket_ids):
        query = sa.select(*_COLUMNS).where(ticket_reports.c.ticket_id.in_(some)).order_by(ticket_reports.c.id)
        found += [TicketReport(**row) for row in connection.execute(query).mappings()]
    return found


def of_ticket(connection: Connection, ticket_id: int) -> list[TicketReport]:
    """The reports of a ticket and of those that were merged into it, oldest first."""
    ids, found = [ticket_id], [ticket_id]
    while found:
        found = list(connection.execute(sa.select(tickets.c.id).where(tickets.c.merged_into.in_(found))).scalars())
        found = [one for one in found if one not in ids]
        ids += found
    return of_tickets(connection, ids)


def of_contact(connection: Connection, email: str, since: datetime) -> list[TicketReport]:
    """Reports that name an e-mail address, at or after ``since``, newest first."""
    query = (
        sa.select(*_COLUMNS)
        .where(ticket_reports.c.contact_email == email, ticket_reports.c.at >= since)
        .order_by(ticket_reports.c.id.desc())
    )
    return [TicketReport(**row) for row in connection.execute(query).mappings()]


def of_customer(connection: Connection, customer_id: str) -> list[TicketReport]:
    """What a customer reported, oldest first; reports of strangers about their devices are not theirs."""
    query = sa.select(*_COLUMNS).where(ticket_reports.c.customer_id == customer_id).order_by(ticket_reports.c.id)
    return [TicketReport(**row) for row in connection.execute(query).mappings()]


def surely_by(connection: Connection, ticket_ids: Iterable[int]) -> set[tuple[int, str]]:
    """Who certainly reported into some tickets: pairs of ticket and customer."""
    found: set[tuple[int, str]] = set()
    for some in batched(ticket_ids):
        query = sa.select(ticket_reports.c.ticket_id, ticket_reports.c.customer_id).where(
            ticket_reports.c.ticket_id.in_(some), ticket_reports.c.verified, ticket_reports.c.customer_id.is_not(None)
        )
        found.update((row.ticket_id, row.customer_id) for row in connection.execute(query))
    return found


def to_tell(
    connection: Connection, whats: Sequence[str], since: datetime, now: datetime
) -> list[tuple[TicketReport, int]]:
    """Reports that somebody who left a mail address follows, and the tickets they go on in, where one of some things happened to those
    at or after ``since``; oldest first."""
    goes_on = sa.func.coalesce(tickets.c.merged_into, tickets.c.id)
    happened = sa.select(ticket_events.c.ticket_id).where(
        ticket_events.c.at >= since, ticket_events.c.what.in_(list(whats))
    )
    of_these = sa.union_all(  # by the tickets that something happened to, not through all reports
        sa.select(tickets.c.id).where(tickets.c.id.in_(happened), tickets.c.merged_into.is_(None)),
        sa.select(tickets.c.id).where(tickets.c.merged_into.in_(happened)),
    )
    query = (
        sa.select(*_COLUMNS, goes_on.label("goes_on_in"))
        .join(tickets, tickets.c.id == ticket_reports.c.ticket_id)
        .where(
            ticket_reports.c.follow_until > now,
            ticket_reports.c.contact_email.is_not(None),
            ticket_reports.c.ticket_id.in_(of_these),
        )
        .order_by(ticket_reports.c.id)
    )
    return [
        (TicketReport(**{name: row[name] for name in TicketReport.__dataclass_fields__}), row["goes_on_in"])
        for row in connection.execute(query).mappings()
    ]


# -- the link to follow a report by


def follow(connection: Connection, report_id: int, token: str, until: datetime) -> None:
    """Let a report be followed by a link until a time; of the token only the hash is kept."""
    change(connection, report_id, None, {"follow_hash": _hash(token), "follow_until": until})


def is_followed_by(connection: Connection, report_id: int, token: str) -> bool:
    """Whether a token is that of a report's link."""
    query = sa.select(sa.literal(1)).where(
        ticket_reports.c.id == report_id, ticket_reports.c.follow_hash == _hash(token)
    )
    return connection.execute(query).first() is not None


def followed(connection: Connection, token: str, now: datetime) -> TicketReport:
    """The report of a link. Raises `Missing` for one that never was, `Denied` for one that has run out."""
    query = sa.select(ticket_reports.c.id, ticket_reports.c.follow_until).where(
        ticket_reports.c.follow_hash == _hash(token)
    )
    row = connection.execute(query).one_or_none()
    if row is None:
        raise Missing("no such link")
    if row.follow_until is None or row.follow_until <= now:
        raise Denied("this link has expired")
    return get(connection, row.id)


# -- erasure


def forget_person(connection: Connection, customer_id: str, emails: Sequence[str], now: datetime) -> int:
    """Erase what a customer wrote, by whatever way it came, on tickets too, and their photos and mail. Returns how many reports it was.

    What it was about (device, failure mode, time) stays, so that statistics stay.
    """
    theirs = sa.or_(ticket_reports.c.customer_id == customer_id, ticket_reports.c.contact_email.in_(list(emails)))
    ids = list(connection.execute(sa.select(ticket_reports.c.id).where(theirs)).scalars())
    _forget(connection, ids, now)
    if emails:
        of_them = inbound_mails.c.sender.in_(list(emails))
        connection.execute(sa.update(inbound_mails).where(of_them).values(**_erased_mail()))
    return len(ids)


def forget(connection: Connection, report_id: int, now: datetime) -> None:
    """Erase one report of a person who is no customer, with photos and mail. Raises `Missing`."""
    get(connection, report_id)
    _forget(connection, [report_id], now)


def _forget(connection: Connection, ids: Sequence[int], now: datetime) -> None:
    for some in batched(ids):
        connection.execute(sa.delete(report_photos).where(report_photos.c.report_id.in_(some)))
        of_reports = inbound_mails.c.report_id.in_(some)
        connection.execute(sa.update(inbound_mails).where(of_reports).values(**_erased_mail()))
        _forget_messages(connection, some, now)
        changes = {**ERASED, "revision": ticket_reports.c.revision + 1}
        connection.execute(sa.update(ticket_reports).where(ticket_reports.c.id.in_(some)).values(changes))


def _forget_messages(connection: Connection, ids: Sequence[int], now: datetime) -> None:
    told = sa.select(ticket_reports.c.message_id).where(ticket_reports.c.id.in_(list(ids)))
    theirs = sa.or_(ticket_messages.c.id.in_(told), ticket_messages.c.author.in_([f"reporter:{one}" for one in ids]))
    changes = {"text": "", "erased_at": now, "revision": ticket_messages.c.revision + 1}
    connection.execute(sa.update(ticket_messages).where(theirs, ticket_messages.c.erased_at.is_(None)).values(changes))


def _erased_mail() -> dict[str, Any]:
    return {
        "sender": None,
        "subject": "",
        "text": None,
        "attachments": [],
        "raw": None,
        "revision": inbound_mails.c.revision + 1,
    }


def _one(connection: Connection, condition: sa.ColumnElement[bool], where: str) -> TicketReport:
    row = connection.execute(sa.select(*_COLUMNS).where(condition)).mappings().one_or_none()
    if row is None:
        raise Missing("no such report", where=where)
    return TicketReport(**row)


def _hash(token: str) -> str:
    return hashlib.sha256(f"report-link:{token}".encode()).hexdigest()
