"""Notices that follow a first one: how the ticket goes on, and the reminder a customer asked for."""

from __future__ import annotations

from datetime import datetime, timedelta

from sqlalchemy import Connection

from alerts.notices import phrases
from alerts.notices.issue import Draft, product_name
from alerts.notices.wording import Subject
from alerts.policy import decisions, facts
from alerts.policy.bad_releases import release_of
from alerts.policy.decisions import Addressee
from alerts.policy.file import Policy, Rule
from hearthwatch.records import consents, customers, devices, findings, notices, releases, rollouts, tickets
from hearthwatch.records.customers import Owner
from hearthwatch.records.tickets import TicketEvent
from hearthwatch.values import Finding, Notice, Release, Ticket

NEWS_IS_NEW = timedelta(hours=48)
SERVICE = Rule(name="what the customer waits for", purpose="service")
REMINDER = "reminder:"


def drafts(connection: Connection, policy: Policy, now: datetime) -> list[Draft]:
    """The drafts of all that is due and not written yet."""
    return [*_ticket_news(connection, policy, now), *_reminders(connection, policy, now)]


def _ticket_news(connection: Connection, policy: Policy, now: datetime) -> list[Draft]:
    happened = tickets.news(connection, now - NEWS_IS_NEW, policy.tickets.tell_customer)
    about = [(event, ticket) for event, ticket in happened if _is_told(event)]
    if not about:
        return []
    written = notices.occasions_of_devices(connection, {ticket.device_id for _, ticket in about if ticket.device_id})
    fresh = [(event, ticket) for event, ticket in about if (ticket.device_id, _occasion(event)) not in written]
    return [draft for event, ticket in fresh if (draft := _about_ticket(connection, policy, event, ticket, now))]


def _occasion(event: TicketEvent) -> str:
    return f"ticket_event:{event.id}"


def _is_told(event: TicketEvent) -> bool:
    return event.what != "closed" or event.detail.get("code") in phrases.TICKET_CLOSED


def _about_ticket(
    connection: Connection, policy: Policy, event: TicketEvent, ticket: Ticket, now: datetime
) -> Draft | None:
    assert ticket.device_id is not None
    owner = customers.owner_of(connection, ticket.device_id, now)
    if owner is None or owner.customer.id != ticket.customer_id or not _knows(connection, ticket):
        return None
    visit = event.detail.get("at") if event.what == "scheduled" else None
    subject = Subject(
        kind="ticket_update",
        mode="",
        product=product_name(connection, ticket.model),
        devices=(ticket.device_id,),
        code=event.detail.get("code"),
        visit_at=datetime.fromisoformat(str(visit)) if visit else None,
    )
    plan = decisions.plan_notice(
        policy, live=True, rule=SERVICE, to=_reader(connection, owner, ticket.device_id), now=now
    )
    return Draft(
        notices.cause_of(ticket_id=ticket.id),
        ticket.device_id,
        "ticket_update",
        _occasion(event),
        owner,
        subject,
        plan,
        finding_id=ticket.finding_id,
        ticket_id=ticket.id,
    )


def _knows(connection: Connection, ticket: Ticket) -> bool:
    """Whether the customer has heard of the matter: asked for it, or was sent a notice about it."""
    if ticket.kind == "request":
        return True
    linked = [one.id for one in tickets.standing(connection, [ticket.id]).get(ticket.id, ())]
    told = notices.of_findings(connection, linked)
    return any(one.state == "sent" and one.customer_id == ticket.customer_id for one in told)


def _reader(connection: Connection, owner: Owner, device_id: str) -> Addressee:
    """What somebody waits for is no burden on the budget."""
    disowned = (device_id, owner.customer.id) in notices.disowned(connection, [device_id])
    return Addressee(owner, consents.current(connection, owner.customer.id), spent=0, disowned=disowned)


def _reminders(connection: Connection, policy: Policy, now: datetime) -> list[Draft]:
    asked = notices.postponed(connection, now - timedelta(days=policy.notices.remind_after_days))
    if not asked:
        return []
    written = notices.occasions(connection, sorted({one.finding_id for one in asked if one.finding_id is not None}))
    found = []
    for notice in asked:
        number = _number(notices.occasion(connection, notice.id)) + 1
        occasion = f"{REMINDER}{number}"
        if number <= policy.notices.reminders and (notice.finding_id, occasion) not in written:
            draft = _again(connection, policy, notice, occasion, now)
            found.extend([draft] if draft else [])
    return found


def _number(occasion: str) -> int:
    digits = occasion.removeprefix(REMINDER)
    return int(digits) if digits.isdecimal() else 0


def _again(connection: Connection, policy: Policy, notice: Notice, occasion: str, now: datetime) -> Draft | None:
    assert notice.finding_id is not None
    finding = findings.get(connection, notice.finding_id)
    device = devices.find(connection, [notice.device_id]).get(notice.device_id)
    owner = customers.owner_of(connection, notice.device_id, now)
    model = device.model if device else None
    rule = decisions.rule_for(policy, finding, facts.of_device(connection, device, now))
    fix = _fix(connection, finding, model) if notice.kind == "update" else None
    done = notice.kind == "update" and not (decisions.helps(fix, device) and _is_open(connection, fix, notice))
    if owner is None or owner.customer.id != notice.customer_id or rule is None or done:
        return None
    plan = decisions.plan_notice(policy, live=True, rule=rule, to=_reader(connection, owner, notice.device_id), now=now)
    subject = Subject(
        kind=notice.kind,
        mode=finding.mode,
        product=product_name(connection, model),
        devices=(notice.device_id,),
        act_by=plan.send_after + timedelta(days=rule.act_within_days),
        version=fix.version if fix else None,
        whole_release=finding.kind == "cohort",
        reminder=True,
    )
    return Draft(
        notice.cause,
        notice.device_id,
        notice.kind,
        occasion,
        owner,
        subject,
        plan,
        urgent=rule.urgent,
        finding_id=finding.id,
    )


def _is_open(connection: Connection, fix: Release | None, notice: Notice) -> bool:
    return fix is not None and bool(rollouts.open_to(connection, fix.id, [notice.device_id]))


def _fix(connection: Connection, finding: Finding, model: str | None) -> Release | None:
    bad = release_of(connection, finding.kind, finding.subject)
    if bad is not None:
        return releases.fix_for(connection, bad.model, bad.version)
    return releases.fix_for(connection, model, finding.mode) if model else None
