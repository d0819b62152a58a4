"""What customers hear of their tickets: how one goes on, what an agent wrote, and the question whether they agree to a price."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta

from sqlalchemy import Connection

from alerts.notices import phrases
from alerts.notices.catalogue import choose
from alerts.notices.issue import Draft, product_name
from alerts.notices.readers import awaiting
from alerts.notices.wording import Subject
from alerts.policy import decisions
from alerts.policy.file import Policy, Rule
from alerts.tickets.approvals import subject_of
from alerts.tickets.recalls import SETTLED
from hearthwatch.records import customers, notices, ticket_approvals, ticket_messages, tickets
from hearthwatch.records.customers import Owner
from hearthwatch.records.tickets import TicketEvent
from hearthwatch.values import Ticket

NEWS_IS_NEW = timedelta(hours=48)
SERVICE = Rule(name="what the customer waits for", purpose="service")
KINDS: Mapping[str, str] = {"replied": "ticket_message", "approval_asked": "approval"}
"""Events that speak to the customer, whatever they were told of the matter before; the others are ``ticket_update``."""


def drafts(connection: Connection, policy: Policy, now: datetime) -> list[Draft]:
    """The drafts of all news that are not written yet."""
    happened = tickets.news(connection, now - NEWS_IS_NEW, policy.tickets.tell_customer)
    about = [(event, ticket) for event, ticket in happened if _is_told(event)]
    if not about:
        return []
    written = notices.occasions_of_devices(connection, {ticket.device_id for _, ticket in about if ticket.device_id})
    fresh = [(event, ticket) for event, ticket in about if (ticket.device_id, _occasion(event)) not in written]
    return [draft for event, ticket in fresh if (draft := _about(connection, policy, event, ticket, now))]


def _occasion(event: TicketEvent) -> str:
    return f"ticket_event:{event.id}"


def _is_told(event: TicketEvent) -> bool:
    if event.what == "closed":
        settled = bool(event.detail.get(SETTLED))  # the campaign says so, and what it means
        return not settled and event.detail.get("code") in phrases.TICKET_CLOSED
    return not event.detail.get("delivered")  # by an outside desk, which wrote to the customer itself


def _about(connection: Connection, policy: Policy, event: TicketEvent, ticket: Ticket, now: datetime) -> Draft | None:
    assert ticket.device_id is not None
    owner = customers.owner_of(connection, ticket.device_id, now)
    if owner is None or owner.customer.id != ticket.customer_id:
        return None
    if event.what not in KINDS and not _knows(connection, ticket):
        return None
    subject = _subject(connection, event, ticket, owner, now)
    if subject is None:
        return None
    asked = ticket.source != "policy"
    to = awaiting(connection, owner, ticket.device_id, SERVICE.purpose, anyway=asked)
    return Draft(
        notices.cause_of(ticket_id=ticket.id),
        ticket.device_id,
        subject.kind,
        _occasion(event),
        owner,
        subject,
        decisions.plan_notice(policy, live=True, rule=SERVICE, to=to, now=now),
        purpose=None if asked else SERVICE.purpose,
        why={"rule": SERVICE.name, "event": event.what, "asked_for": asked},
        finding_id=ticket.finding_id,
        ticket_id=ticket.id,
    )


def _subject(connection: Connection, event: TicketEvent, ticket: Ticket, owner: Owner, now: datetime) -> Subject | None:
    """What is told; None where it is no longer there, or no longer true."""
    product, ids = product_name(connection, ticket.model), (ticket.device_id or "",)
    if event.what == "replied":
        number = int(event.detail.get("message_id") or 0)
        words = ticket_messages.texts(connection, [number]).get(number)
        return Subject("ticket_message", "", product, ids, words=words) if words else None
    if event.what == "approval_asked":
        approval = ticket_approvals.get(connection, int(event.detail["approval_id"]))
        language = choose(owner.customer.language)
        return subject_of(connection, ticket, approval, language, now) if approval.state == "asked" else None
    visit = event.detail.get("at") if event.what == "scheduled" else None
    return Subject(
        "ticket_update",
        "",
        product,
        ids,
        code=event.detail.get("code"),
        visit_at=datetime.fromisoformat(str(visit)) if visit else None,
        event=event.what,
        number=ticket.id,
    )


def _knows(connection: Connection, ticket: Ticket) -> bool:
    """Whether the customer has heard of the matter: asked for it, or was sent a notice about it."""
    if ticket.kind == "request":
        return True
    linked = [one.id for one in tickets.standing(connection, [ticket.id]).get(ticket.id, ())]
    told = notices.of_findings(connection, linked)
    return any(one.state == "sent" and one.customer_id == ticket.customer_id for one in told)
