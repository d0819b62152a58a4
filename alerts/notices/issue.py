"""Writes notices: words, ledger, customer's link and outbox row together, in the caller's transaction."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Connection

from alerts.channels import letters
from alerts.channels.media import medium
from alerts.notices import campaign_letters, replacement
from alerts.notices.campaign_letters import Advised, Recalled
from alerts.notices.catalogue import choose
from alerts.notices.kinds import OF_CAMPAIGNS
from alerts.notices.replacement import Replacement
from alerts.notices.wording import Brand, Concern, Cost, Letter, Reader, Subject, write
from alerts.policy import decisions
from alerts.policy.cases import NoticeCase
from alerts.policy.decisions import NoticePlan, part_of
from alerts.policy.file import Policy
from alerts.policy.quiet import zone
from hearthwatch.errors import Missing
from hearthwatch.records import consents, customer_links, models, notices, outbox, warranties
from hearthwatch.records.customers import Owner
from hearthwatch.records.notices import Wanted
from hearthwatch.values import Finding, Notice


@dataclass(frozen=True, slots=True)
class Mail:
    """How letters look and where their links lead. ``unread``: nobody gets them, so that they have neither words nor links."""

    brand: Brand
    public_url: str
    link_life: timedelta
    unread: bool = False


About = Subject | Recalled | Advised
"""What a notice may be about."""


@dataclass(frozen=True, slots=True)
class Draft:
    """A notice about to be written: its key, its reader, its subject, and how it stands.

    ``why`` is what decided it, as kept with the notice: rule, limits, costs, consent. ``finding_id``, ``ticket_id`` and ``campaign_id``
    say what it has to do with, its ``cause`` among them. ``language``: where it can not be the customer's own.
    ``urgent``: no quiet time holds it back. ``all_channels``: it leaves by all addresses that it may use, at once, not by the first.
    ``purpose`` is what the customer must have agreed to; None: nothing, they asked for it, or the law does.
    """

    cause: str
    device_id: str
    kind: str
    occasion: str
    owner: Owner
    subject: About
    plan: NoticePlan
    urgent: bool = False
    purpose: str | None = "service"
    all_channels: bool = False
    language: str | None = None
    why: Mapping[str, Any] | None = None
    finding_id: int | None = None
    ticket_id: int | None = None
    campaign_id: int | None = None


def draft_of(connection: Connection, case: NoticeCase, policy: Policy, now: datetime) -> Draft:
    """The draft of a case's notice."""
    finding = case.finding
    first = case.existing.device_id if case.existing else case.devices[0]
    act_by = max(case.plan.send_after, now) + timedelta(days=case.rule.act_within_days)
    language = choose(case.owner.customer.language)
    offer = offer_of(connection, policy, case.kind, first, finding, act_by, now)
    subject = Subject(
        kind=case.kind,
        mode=finding.mode,
        product=product_name(connection, case.model),
        devices=case.devices,
        act_by=act_by,
        version=case.fix.version if case.fix else None,
        whole_release=finding.kind == "cohort",
        part=offer.part if offer else None,
        cost=offer.cost(language) if offer else None,
        also=tuple(
            concern(connection, policy, one.finding, one.kind, one.device_id, one.model, language, now)
            for one in case.also
        ),
    )
    why = case.why
    if offer is not None:
        why = {**(why or {}), replacement.KEY: offer.kept}
    return Draft(
        notices.cause_of(finding_id=finding.id),
        first,
        case.kind,
        case.occasion,
        case.owner,
        subject,
        case.plan,
        urgent=decisions.passes(case.rule),
        purpose=case.rule.purpose,
        all_channels=case.by_all_channels,
        why=why,
        finding_id=finding.id,
    )


def concern(
    connection: Connection,
    policy: Policy,
    finding: Finding,
    kind: str,
    device_id: str,
    model: str | None,
    language: str,
    now: datetime,
) -> Concern:
    """A further finding in the same letter; of a replacement with its part and what it costs. ``language`` is a catalogue's name."""
    product = product_name(connection, model)
    offer = offer_of(connection, policy, kind, device_id, finding, None, now)
    if offer is None:
        return Concern(device_id, product, finding.mode, kind)
    return Concern(device_id, product, finding.mode, kind, offer.part, offer.cost(language))


def offer_of(
    connection: Connection,
    policy: Policy,
    kind: str,
    device_id: str,
    finding: Finding,
    act_by: datetime | None,
    now: datetime,
) -> Replacement | None:
    """What a notice offers for a part of a device; None where it is no replacement."""
    if kind != "replacement":
        return None
    warranty = warranties.of_device(connection, device_id)
    return replacement.offered(policy.remedies, warranty, part_of(finding), act_by, now)


def cost_of(connection: Connection, device_id: str, now: datetime, price: str | None = None) -> Cost:
    """Who pays for work on a device: its warranty while that lasts."""
    warranty = warranties.of_device(connection, device_id)
    return Cost(warranty.covers(now), warranty.until, price)


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
    at_home = zone(home.timezone if home else None, policy.quiet_hours.timezone)
    reader = Reader(customer.name, draft.language or customer.language, at_home)
    if mail.unread:
        return Letter(choose(reader.language), "", "", "")
    return written(draft.subject, reader, mail, draft.plan.send_after + mail.link_life)


def written(subject: About, reader: Reader, mail: Mail, link_until: datetime) -> Letter:
    """The letter about a subject of any kind, its link masked."""
    how: dict[str, Any] = {"public_url": mail.public_url, "link_until": link_until}
    if isinstance(subject, Recalled | Advised):
        return campaign_letters.write(subject, reader, mail.brand, **how)
    return write(subject, reader, mail.brand, **how)


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
    """Bring a notice that was not sent into the state its case now has, in today's words.

    One that waits to be sent is called back first; where it is being sent at this moment it stays as it is.
    """
    if notice.state == "queued" and not _called_back(connection, notice):
        return notice
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


def _called_back(connection: Connection, notice: Notice) -> bool:
    waiting = outbox.of_notice(connection, notice.id)
    if any(item.state in {"claimed", "delivered"} for item in waiting):
        return False
    outbox.cancel(connection, notice.id, "written anew")
    return True


def _send(
    connection: Connection, notice: Notice, letter: Letter, draft: Draft, policy: Policy, mail: Mail, now: datetime
) -> None:
    own = letter if mail.unread else letter.with_token(_link(connection, notice, mail, now))
    campaign = draft.kind in OF_CAMPAIGNS
    danger = campaign or draft.purpose == "safety"  # no mail program may offer to silence a warning of danger
    payload = {
        "subject": own.subject,
        "text": own.text,
        "html": own.html,
        "short": own.short,
        "language": own.language,
        "unsubscribe": None if danger else f"{own.link}/unsubscribe",
        "quiet": _quiet(draft, policy),
        "purpose": draft.purpose if draft.purpose and policy.notices.needs_consent(draft.purpose) else None,
    }
    letters.put(
        connection,
        notice,
        _addresses(connection, draft, policy),
        payload,
        now=now,
        next_at=notice.send_after,
        reach="all" if campaign or draft.all_channels else None,
    )


def _link(connection: Connection, notice: Notice, mail: Mail, now: datetime) -> str:
    expires_at = max(now, notice.send_after) + mail.link_life
    return customer_links.create(connection, notice_id=notice.id, customer_id=notice.customer_id, expires_at=expires_at)


def _addresses(connection: Connection, draft: Draft, policy: Policy) -> Sequence[str]:
    """The customer's addresses, without those by which they do not want to hear of this."""
    customer = draft.owner.customer
    if draft.purpose is None or not policy.notices.needs_consent(draft.purpose):
        return customer.channels
    agreed = consents.standing(connection, customer.id)
    return [one for one in customer.channels if agreed.allows(draft.purpose, medium(one))]


def _quiet(draft: Draft, policy: Policy) -> dict[str, Any] | None:
    """The quiet times to look at again when it is sent: it may have been delayed."""
    return None if draft.urgent else decisions.quiet_at(policy, draft.owner).payload()
