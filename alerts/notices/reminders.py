"""The reminder that a customer asked for, while what they were told of still stands."""

from __future__ import annotations

from datetime import datetime, timedelta

from sqlalchemy import Connection

from alerts.notices import replacement
from alerts.notices.catalogue import choose
from alerts.notices.issue import Draft, offer_of, product_name
from alerts.notices.readers import awaiting
from alerts.notices.wording import Subject
from alerts.policy import decisions, facts
from alerts.policy.bad_releases import release_of
from alerts.policy.file import Policy
from hearthwatch.records import customers, devices, findings, notices, releases, rollouts
from hearthwatch.values import Finding, Notice, Release

REMINDER = "reminder:"


def drafts(connection: Connection, policy: Policy, now: datetime) -> list[Draft]:
    """The drafts of all reminders that are due and not written yet."""
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
    to = awaiting(connection, owner, notice.device_id, rule.purpose)
    plan = decisions.plan_notice(policy, live=True, rule=rule, to=to, now=now)
    act_by = plan.send_after + timedelta(days=rule.act_within_days)
    offer = offer_of(connection, policy, notice.kind, notice.device_id, finding, act_by, now)
    subject = Subject(
        kind=notice.kind,
        mode=finding.mode,
        product=product_name(connection, model),
        devices=(notice.device_id,),
        act_by=act_by,
        version=fix.version if fix else None,
        whole_release=finding.kind == "cohort",
        reminder=True,
        part=offer.part if offer else None,
        cost=offer.cost(choose(owner.customer.language)) if offer else None,
    )
    return Draft(
        notice.cause,
        notice.device_id,
        notice.kind,
        occasion,
        owner,
        subject,
        plan,
        urgent=decisions.passes(rule),
        purpose=rule.purpose,
        all_channels=rule.all_channels,
        why={replacement.KEY: offer.kept} if offer else None,
        finding_id=finding.id,
    )


def _is_open(connection: Connection, fix: Release | None, notice: Notice) -> bool:
    return fix is not None and bool(rollouts.open_to(connection, fix.id, [notice.device_id]))


def _fix(connection: Connection, finding: Finding, model: str | None) -> Release | None:
    bad = release_of(connection, finding.kind, finding.subject)
    if bad is not None:
        return releases.fix_for(connection, bad.model, bad.version)
    return releases.fix_for(connection, model, finding.mode) if model else None
