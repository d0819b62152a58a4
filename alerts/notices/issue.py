"""Writes notices: words, ledger, customer's link and outbox row together, in the caller's transaction."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Connection

from alerts.channels.addresses import channel_of, usable
from alerts.notices.wording import Brand, Letter, Reader, Subject, write
from alerts.policy.cases import NoticeCase
from alerts.policy.decisions import NoticePlan
from alerts.policy.file import Policy
from alerts.policy.quiet import zone
from hearthwatch.errors import Missing
from hearthwatch.records import customer_links, models, notices, outbox
from hearthwatch.records.customers import Owner
from hearthwatch.records.notices import Wanted
from hearthwatch.values import Notice


@dataclass(frozen=True, slots=True)
class Mail:
    """How letters look and where their links lead."""

    brand: Brand
    public_url: str
    link_life: timedelta


@dataclass(frozen=True, slots=True)
class Draft:
    """A notice about to be written: its key, its reader, its subject, and how it stands.

    ``why`` is what decided it, as kept with the notice: rule, limits, costs, consent. ``finding_id``, ``ticket_id`` and ``campaign_id``
    say what it has to do with, its ``cause`` among them.
    """

    cause: str
    device_id: str
    kind: str
    occasion: str
    owner: Owner
    subject: Subject
    plan: NoticePlan
    urgent: bool = False
    why: Mapping[str, Any] | None = None
    finding_id: int | None = None
    ticket_id: int | None = None
    campaign_id: int | None = None


def draft_of(connection: Connection, case: NoticeCase, now: datetime) -> Draft:
    """The draft of a case's notice."""
    finding = case.finding
    subject = Subject(
        kind=case.kind,
        mode=finding.mode,
        product=product_name(connection, case.model),
        devices=case.devices,
        act_by=max(case.plan.send_after, now) + timedelta(days=case.rule.act_within_days),
        version=case.fix.version if case.fix else None,
        whole_release=finding.kind == "cohort",
    )
    first = case.existing.device_id if case.existing else case.devices[0]
    return Draft(
        notices.cause_of(finding_id=finding.id),
        first,
        case.kind,
        "",
        case.owner,
        subject,
        case.plan,
        urgent=case.rule.urgent,
        finding_id=finding.id,
    )


def product_name(connection: Connection, model: str | None) -> str:
    """What a customer calls a device of a model. A model may be a device's own claim: what looks like a web address is broken up."""
    if model is None:
        return "?"
    try:
        name = models.get(connection, model).name
    except Missing:
        name = model
    return name.replace("://", ": ")


def compose(draft: Draft, policy: Policy, mail: Mail) -> Letter:
    """The letter of a draft, its link masked."""
    customer, home = draft.owner.customer, draft.owner.home
    reader = Reader(
        customer.name, customer.language, zone(home.timezone if home else None, policy.quiet_hours.timezone)
    )
    until = draft.plan.send_after + mail.link_life
    return write(draft.subject, reader, mail.brand, public_url=mail.public_url, link_until=until)


def issue(
    connection: Connection, draft: Draft, policy: Policy, mail: Mail, *, policy_version: int, now: datetime
) -> Notice | None:
    """Write a new notice, and its outbox row where it may be sent. None where it is there already."""
    letter = compose(draft, policy, mail)
    owner = draft.owner
    wanted = Wanted(
        cause=draft.cause,
        finding_id=draft.finding_id,
        ticket_id=draft.ticket_id,
        campaign_id=draft.campaign_id,
        why=draft.why,
        device_id=draft.device_id,
        customer_id=owner.customer.id,
        kind=draft.kind,
        occasion=draft.occasion,
        home_id=owner.home.id if owner.home else None,
        language=letter.language,
        subject=letter.subject,
        body=letter.text,
        html=letter.html,
    )
    plan = draft.plan
    notice = notices.write(
        connection,
        wanted,
        state=plan.state,
        reason=plan.reason,
        send_after=plan.send_after,
        policy_version=policy_version,
        now=now,
    )
    if notice is not None and plan.state == "queued":
        _send(connection, notice, letter, draft, policy, mail, now)
    return notice


def bring(
    connection: Connection,
    notice: Notice,
    draft: Draft,
    policy: Policy,
    mail: Mail,
    *,
    policy_version: int,
    now: datetime,
) -> Notice:
    """Bring a notice that was not sent into the state its case now has, in today's words."""
    letter = compose(draft, policy, mail)
    plan = draft.plan
    changes = {
        "state": plan.state,
        "reason": plan.reason,
        "send_after": plan.send_after,
        "policy_version": policy_version,
        "language": letter.language,
        "subject": letter.subject,
        "body": letter.text,
        "html": letter.html,
        "why": draft.why,
    }
    changed = notices.change(connection, notice.id, notice.revision, changes)
    detail = {"before": notice.state, "reason": plan.reason}
    notices.note(connection, notice.id, now, plan.state, "policy", detail)
    if plan.state == "queued":
        customer_links.revoke(connection, notice_id=notice.id, now=now)  # of an earlier try, if there was one
        _send(connection, changed, letter, draft, policy, mail, now)
    return changed


def _send(
    connection: Connection, notice: Notice, letter: Letter, draft: Draft, policy: Policy, mail: Mail, now: datetime
) -> None:
    token = customer_links.create(
        connection,
        notice_id=notice.id,
        customer_id=notice.customer_id,
        expires_at=max(now, notice.send_after) + mail.link_life,
    )
    addresses = usable(draft.owner.customer.channels)
    own = letter.with_token(token)
    payload = {"subject": own.subject, "text": own.text, "html": own.html, "quiet": _quiet(draft, policy)}
    put_letter(connection, notice, addresses, payload, now=now, next_at=notice.send_after)


def put_letter(
    connection: Connection,
    notice: Notice,
    addresses: tuple[str, ...],
    payload: Mapping[str, Any],
    *,
    now: datetime,
    next_at: datetime,
) -> None:
    """Write a letter to the first address into the outbox; the others are tried where that one is refused for good."""
    first, *others = addresses
    place = hashlib.sha256(first.encode()).hexdigest()[:16]
    outbox.put(
        connection,
        kind="notice",
        channel=channel_of(first) or "",
        address=first,
        payload={**payload, "others": others},
        key=f"notice:{notice.id}:{notice.revision}:{place}",
        now=now,
        next_at=next_at,
        notice_id=notice.id,
    )


def _quiet(draft: Draft, policy: Policy) -> dict[str, str] | None:
    """The quiet hours to look at again when it is sent: it may have been delayed."""
    if draft.urgent:
        return None
    hours, home = policy.quiet_hours, draft.owner.home
    return {
        "from": hours.start.isoformat(),
        "to": hours.end.isoformat(),
        "timezone": zone(home.timezone if home else None, hours.timezone).key,
    }
