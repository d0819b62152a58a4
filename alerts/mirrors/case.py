"""A ticket as a desk is to show it, with the words it has not been told."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from sqlalchemy import Connection

from alerts.mirrors.told import word_of
from hearthwatch.errors import Missing
from hearthwatch.reason_words import of_evidence
from hearthwatch.records import customers, devices, findings, mirrors, ticket_messages, tickets
from hearthwatch.records.mirrors import Mirror
from hearthwatch.records.tickets import TicketEvent
from hearthwatch.service_desk import DeskCase, DeskCustomer, DeskPlace, DeskState
from hearthwatch.values import Ticket

AT_ONCE = 50
"""Words in one showing; the rest follow with the next."""


@dataclass(frozen=True, slots=True)
class Terms:
    """How tickets are shown: in which language, with links to where, and whether the desk may know whose device it is."""

    public_url: str
    language: str = "en"
    customers: bool = False


@dataclass(frozen=True, slots=True)
class Showing:
    """What is told now. ``told`` are the events it tells, ``unwanted`` those that a desk need not hear of."""

    case: DeskCase
    place: DeskPlace | None
    told: tuple[int, ...]
    unwanted: tuple[int, ...]


def showing(connection: Connection, ticket_id: int, terms: Terms) -> Showing:
    """What a desk has not been told about a ticket. Raises `Missing`."""
    ticket = tickets.get(connection, ticket_id)
    untold = set(mirrors.untold_of(connection, ticket_id))
    events = [event for event in tickets.events(connection, ticket_id) if event.id in untold]
    texts = ticket_messages.texts(connection, _message_ids(events))
    words = {event.id: word_of(event, texts, terms.language, lambda: _known(connection, ticket)) for event in events}
    told = [word for word in words.values() if word is not None][:AT_ONCE]
    case = DeskCase(
        reference=reference(ticket_id, terms.public_url),
        title=ticket.title,
        state=state_of(ticket),
        priority=ticket.priority,
        url=f"{terms.public_url.rstrip('/')}/tickets/{ticket_id}",
        words=tuple(told),
        customer=_customer(connection, ticket) if terms.customers else None,
        outcome=ticket.closing_code,
        part=ticket.closing_part,
    )
    unwanted = tuple(identifier for identifier, word in words.items() if word is None)
    return Showing(case, place_of(mirrors.find(connection, ticket_id)), tuple(word.id for word in told), unwanted)


def reference(ticket_id: int, public_url: str) -> str:
    """A name of a ticket that no other installation gives to one of its own."""
    installation = hashlib.sha256(public_url.rstrip("/").encode()).hexdigest()[:6]
    return f"HW-{ticket_id}-{installation}"


def ticket_of(name: str, public_url: str) -> int | None:
    """The ticket that a reference of ours names; None for another installation's, or what is none."""
    number = name.removeprefix("HW-").partition("-")[0]
    if not number.isdecimal() or len(number) > 15 or reference(int(number), public_url) != name:
        return None
    return int(number)


def state_of(ticket: Ticket) -> DeskState:
    """A ticket's state as desks have it."""
    return "closed" if ticket.state == "closed" else "waiting" if ticket.state == "waiting" else "open"


def place_of(mirror: Mirror | None) -> DeskPlace | None:
    """Where a mirror stands in its desk; None where it is not there yet."""
    if mirror is None or mirror.outside_id is None:
        return None
    told: DeskState = "open"
    for state in ("waiting", "closed"):
        told = state if mirror.told == state else told
    return DeskPlace(mirror.outside_id, mirror.number or mirror.outside_id, mirror.url or "", told)


def _message_ids(events: Sequence[TicketEvent]) -> list[int]:
    return [int(event.detail["message_id"]) for event in events if event.detail.get("message_id")]


def _known(connection: Connection, ticket: Ticket) -> Mapping[str, str]:
    device = devices.find(connection, [ticket.device_id]).get(ticket.device_id) if ticket.device_id else None
    reasons: Sequence[str] = ()
    if ticket.finding_id is not None:
        finding = findings.get(connection, ticket.finding_id)
        given = [reason for reason in finding.evidence.get("reasons", ()) if isinstance(reason, str)]
        reasons = of_evidence(finding.evidence) if finding.kind == "prognosis" else given
    return {
        "title": ticket.title,
        "device": ticket.device_id or "",
        "model": ticket.model or "",
        "firmware": (device.firmware or "") if device else "",
        "reasons": "\n".join(f"- {reason}" for reason in reasons),
    }


def _customer(connection: Connection, ticket: Ticket) -> DeskCustomer | None:
    if ticket.customer_id is None:
        return None
    try:
        customer = customers.get_customer(connection, ticket.customer_id)
    except Missing:
        return None
    return DeskCustomer(customer.name, customer.email) if customer.email else None
