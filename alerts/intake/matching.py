"""Which open ticket a report belongs to, and which others it may be the same as."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal

from sqlalchemy import Connection

from hearthwatch.records import reports, ticket_findings, tickets
from hearthwatch.values import Finding, Ticket

RECENT = timedelta(days=30)
MOST = 10
ALL = 1000

Why = Literal["same_device", "same_customer_and_mode", "same_contact"]


@dataclass(frozen=True, slots=True)
class Candidate:
    """A ticket that may be about the same, and why."""

    ticket: Ticket
    why: tuple[Why, ...]


def open_ticket(
    connection: Connection,
    *,
    device_id: str | None,
    customer_id: str | None,
    email: str | None,
    mode: str | None,
    part: str | None,
    now: datetime,
) -> Ticket | None:
    """The one open ticket that a report goes into: of the same device and cause; without a device, of the same person and mode.

    A report about a device that names no cause belongs to the device's only open ticket, where it has just one.
    """
    if device_id is not None:
        return _of_device(connection, device_id, customer_id, mode, part)
    if mode is None:
        return None
    theirs = _of_person(connection, customer_id, email, now)
    return next((one for one in theirs if one.device_id is None and one.mode == mode), None)


def parent_of(connection: Connection, findings: Sequence[Finding], mode: str | None) -> Ticket | None:
    """The open ticket of a whole release that explains what is reported, if one does."""
    same = [one.id for one in findings if mode is not None and one.mode == mode]
    covering = ticket_findings.of_findings(connection, same).values()
    return next((one for one in covering if one.kind == "cohort" and one.state != "closed"), None)


def candidates(connection: Connection, ticket: Ticket, now: datetime) -> list[Candidate]:
    """Open tickets that may be about the same as this one, those with most in common first."""
    why: dict[int, tuple[Ticket, list[Why]]] = {}

    def add(one: Ticket, reason: Why) -> None:
        mergeable = one.id != ticket.id and one.state != "closed" and one.kind != "cohort"
        if mergeable and one.id not in {ticket.parent_id, ticket.merged_into}:
            why.setdefault(one.id, (one, []))[1].append(reason)

    if ticket.device_id is not None:
        for one in tickets.list_tickets(connection, device_id=ticket.device_id, open_only=True, limit=ALL):
            add(one, "same_device")
    if ticket.customer_id is not None:
        for one in tickets.list_tickets(connection, customer_id=ticket.customer_id, open_only=True, limit=ALL):
            if _similar(one, ticket):
                add(one, "same_customer_and_mode")
    for one in _of_contacts(connection, ticket, now):
        add(one, "same_contact")
    ranked = sorted(why.values(), key=lambda found: (-len(found[1]), -found[0].id))
    return [Candidate(one, tuple(reasons)) for one, reasons in ranked[:MOST]]


def _of_device(
    connection: Connection, device_id: str, customer_id: str | None, mode: str | None, part: str | None
) -> Ticket | None:
    open_now = [
        one
        for one in tickets.list_tickets(connection, device_id=device_id, open_only=True, limit=ALL)
        if one.kind != "cohort" and (customer_id is None or one.customer_id in {None, customer_id})
    ]
    if mode is None:
        return open_now[0] if len(open_now) == 1 else None
    linked = ticket_findings.standing(connection, [one.id for one in open_now])
    modes = {one.id: {one.mode, *(finding.mode for finding in linked.get(one.id, ()))} for one in open_now}
    same = [one for one in open_now if mode in modes[one.id] or (part is not None and one.part == part)]
    return min(same, key=lambda one: (one.kind != "device", one.id), default=None)


def _of_person(connection: Connection, customer_id: str | None, email: str | None, now: datetime) -> list[Ticket]:
    """The open tickets of a person who is known by their customer's id or a mail address, newest first."""
    found: dict[int, Ticket] = {}
    if customer_id is not None:
        for one in tickets.list_tickets(connection, customer_id=customer_id, open_only=True, limit=ALL):
            found[one.id] = one
    if email is not None:
        for one in _tickets_of(connection, [email.lower()], now):
            found[one.id] = one
    return sorted(found.values(), key=lambda one: -one.id)


def _of_contacts(connection: Connection, ticket: Ticket, now: datetime) -> list[Ticket]:
    own = reports.of_tickets(connection, [ticket.id])
    return _tickets_of(connection, sorted({one.contact_email for one in own if one.contact_email}), now)


def _tickets_of(connection: Connection, emails: Sequence[str], now: datetime) -> list[Ticket]:
    ids = {one.ticket_id for email in emails for one in reports.of_contact(connection, email, now - RECENT)}
    found = [tickets.get(connection, one) for one in sorted(ids)]
    return [one for one in found if one.state != "closed"]


def _similar(one: Ticket, other: Ticket) -> bool:
    """Whether two tickets of a customer may be about the same fault: the same mode or part, or one that names none."""
    if one.mode and other.mode:
        return one.mode == other.mode
    return not (one.part and other.part) or one.part == other.part
