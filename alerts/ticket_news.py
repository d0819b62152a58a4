"""What customers hear of their tickets: how one goes on, what an agent wrote, and the question whether they agree to a price."""

from __future__ import annotations

from collections.abc import Mapping, Sequence, Set
from dataclasses import replace
from datetime import datetime, timedelta

from sqlalchemy import Connection

from alerts.notices import phrases
from alerts.notices.catalogue import choose
from alerts.notices.issue import Draft, product_name
from alerts.notices.readers import awaiting
from alerts.notices.withdrawing import UNSENT
from alerts.notices.wording import Subject
from alerts.policy import decisions
from alerts.policy.decisions import NoticePlan
from alerts.policy.file import Policy, Rule
from alerts.tickets.approvals import subject_of
from alerts.tickets.opening import WARNS
from alerts.tickets.recalls import SETTLED
from alerts.tickets.states import party_of
from hearthwatch.records import customers, notices, reports, ticket_approvals, ticket_findings, ticket_messages, tickets
from hearthwatch.records.customers import Owner
from hearthwatch.records.tickets import TicketEvent
from hearthwatch.values import Notice, Ticket

NEWS_IS_NEW = timedelta(hours=48)
SERVICE = Rule(name="what the customer waits for", purpose="service")
KINDS: Mapping[str, str] = {"replied": "ticket_message", "approval_asked": "approval"}
"""Events that speak to the customer, whatever they were told of the matter before; the others are ``ticket_update``."""
EVENT = "ticket_event:"
OWNER_KNOWN = "owner_known"
"""What happened before it was said to another, or to nobody: its customer is not told of it."""
TURNS = frozenset({"closed", "corrected", "reopened"})
"""What says whether a case is over: of several that nobody heard of yet the newest is told, and no other."""
OVERTAKEN: Mapping[str, str] = {
    "closed": "overtaken: the case was closed again before this was sent",
    "corrected": "overtaken: the outcome was corrected before this was sent",
    "reopened": "overtaken: the case was opened again before this was sent",
}
"""By the newer turn."""
NEVER_HEARD = "no news: the case was opened again before its customer heard that it was closed"
HEARD_BEFORE = "no news: its customer heard that the case is over before the outcome was corrected"


def drafts(connection: Connection, policy: Policy, now: datetime) -> list[Draft]:
    """The drafts of all news that are not written yet; what is not so any more is written down as cancelled, with the reason."""
    steps = policy.tickets.tell_customer
    wanted = (*steps, "corrected") if "closed" in steps else steps
    happened = tickets.news(connection, now - NEWS_IS_NEW, (*wanted, OWNER_KNOWN))
    theirs_since = {event.ticket_id: event.id for event, _ in happened if event.what == OWNER_KNOWN}
    about = [
        (event, ticket)
        for event, ticket in happened
        if event.what != OWNER_KNOWN and event.id > theirs_since.get(ticket.id, 0) and _is_told(event)
    ]
    if not about:
        return []
    written = notices.occasions_of_devices(connection, {ticket.device_id for _, ticket in about if ticket.device_id})
    fresh = [(event, ticket) for event, ticket in about if (ticket.device_id, _occasion(event)) not in written]
    theirs = _of_those_who_know(connection, fresh, now)
    new = {event.id for event, _ in theirs}
    return [draft for event, ticket in theirs if (draft := _still_so(connection, policy, event, ticket, new, now))]


def _of_those_who_know(
    connection: Connection, fresh: Sequence[tuple[TicketEvent, Ticket]], now: datetime
) -> list[tuple[TicketEvent, Ticket]]:
    """The news whose customer has the device still, and has heard of the matter: asked for all at once, for much never becomes news."""
    owners = customers.owners_of(connection, sorted({ticket.device_id or "" for _, ticket in fresh}), now)
    kept = [
        (event, ticket)
        for event, ticket in fresh
        if (owner := owners.get(ticket.device_id or "")) is not None and owner.customer.id == ticket.customer_id
    ]
    asked = {ticket.id: ticket for event, ticket in kept if event.what not in KINDS}
    knowing = _knowing(connection, list(asked.values()))
    return [(event, ticket) for event, ticket in kept if event.what in KINDS or ticket.id in knowing]


def overtaken(connection: Connection) -> list[tuple[Notice, str]]:
    """Letters about the end of a case that have not left and are not so any more, each with why."""
    found = []
    for notice, occasion in notices.unsent_of_tickets(connection, "ticket_update"):
        ledger = tickets.events(connection, notice.ticket_id or 0)
        event = next((one for one in ledger if _occasion(one) == occasion), None)
        why = _newer(ledger, event) if event is not None else None
        if why is not None:
            found.append((notice, why))
    return found


def _still_so(
    connection: Connection, policy: Policy, event: TicketEvent, ticket: Ticket, new: Set[int], now: datetime
) -> Draft | None:
    draft = _about(connection, policy, event, ticket, now)
    if draft is None or event.what not in TURNS:
        return draft
    ledger = tickets.events(connection, ticket.id)
    why = _newer(ledger, event) or _no_news(connection, ledger, event, new)
    return draft if why is None else replace(draft, plan=NoticePlan("cancelled", why, now))


def _newer(ledger: Sequence[TicketEvent], event: TicketEvent) -> str | None:
    """Why what an event says of the end of a case is not so any more; None where it still is."""
    later = [one.what for one in ledger if one.id > event.id and one.what in TURNS]
    return OVERTAKEN[later[-1]] if later and event.what in TURNS else None


def _no_news(connection: Connection, ledger: Sequence[TicketEvent], event: TicketEvent, new: Set[int]) -> str | None:
    """Why the newest turn of a case is no news to its customer, who never heard of the one before, or heard of it as it was then.

    ``new`` are the events that are looked at in this round, and of which nobody has heard.
    """
    earlier = [one for one in ledger if one.id < event.id and one.what in TURNS]
    if event.what == "closed" or not earlier:
        return None
    states = notices.states_of_ticket(connection, event.ticket_id)
    heard = [one.what for one in earlier if states.get(_occasion(one)) == "sent"]
    if event.what == "corrected":
        return HEARD_BEFORE if heard and heard[-1] != "reopened" else None
    if party_of(event.actor) == "customer" or (heard and heard[-1] != "reopened"):
        return None
    unheard = earlier[-1].id in new or states.get(_occasion(earlier[-1])) in {*UNSENT, "cancelled"}
    return NEVER_HEARD if unheard or heard else None


def _occasion(event: TicketEvent) -> str:
    return f"{EVENT}{event.id}"


def _is_told(event: TicketEvent) -> bool:
    if event.what in {"closed", "corrected"}:
        settled = bool(event.detail.get(SETTLED))  # the campaign says so, and what it means
        return not settled and event.detail.get("code") in phrases.TICKET_CLOSED
    if event.detail.get(WARNS):
        return False  # the warning itself says that the case goes on
    return not event.detail.get("delivered")  # by an outside desk, which wrote to the customer itself


def _about(connection: Connection, policy: Policy, event: TicketEvent, ticket: Ticket, now: datetime) -> Draft | None:
    assert ticket.device_id is not None
    owner = customers.owner_of(connection, ticket.device_id, now)
    if owner is None:
        return None
    subject = _subject(connection, event, ticket, owner, now)
    if subject is None:
        return None
    asked = ticket.source != "policy" or (ticket.id, ticket.customer_id) in reports.surely_by(connection, [ticket.id])
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


def _knowing(connection: Connection, asked: Sequence[Ticket]) -> set[int]:
    """Of some tickets those whose customer has heard of the matter: asked for it, reported into it, or was sent a notice about it."""
    linked = ticket_findings.standing(connection, [one.id for one in asked if one.kind != "request"])
    ids = sorted({finding.id for found in linked.values() for finding in found})
    told = {(one.finding_id, one.customer_id) for one in notices.of_findings(connection, ids) if one.state == "sent"}
    reported = reports.surely_by(connection, [one.id for one in asked])
    return {
        one.id
        for one in asked
        if one.kind == "request"
        or (one.id, one.customer_id) in reported
        or any((finding.id, one.customer_id) in told for finding in linked.get(one.id, ()))
    }
