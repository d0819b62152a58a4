"""The all-clear about findings: to whom was warned, once the cause is over for good, and to nobody else.

A release that was worse is over for an owner whose device runs the one that mends it; overheating is over when it has stayed away as long
as the policy lets signs settle. Where the ticket's end was told already, that was the all-clear.
"""

from __future__ import annotations

from datetime import datetime, timedelta

from sqlalchemy import Connection

from alerts.notices.issue import Draft, product_name
from alerts.notices.readers import awaiting
from alerts.notices.wording import Subject
from alerts.policy import decisions
from alerts.policy.bad_releases import release_of
from alerts.policy.file import Policy, Rule
from hearthwatch.records import customers, devices, findings, notices, releases
from hearthwatch.records.customers import Owner
from hearthwatch.values import Device, Finding, Notice, Release

OVERHEATING = "overheating"
WITHIN = timedelta(days=14)
"""An all-clear that nobody gave for so long would only remind of the fault."""
RULE = Rule(name="the all-clear after a warning", purpose="service")


def drafts(connection: Connection, policy: Policy, now: datetime) -> list[Draft]:
    """The drafts of all that is over and not said yet."""
    warned = notices.without_all_clear(connection, now - WITHIN, modes=(OVERHEATING,))
    ids = sorted({one.device_id for one in warned})
    known, owners = devices.find(connection, ids), customers.owners_of(connection, ids, now)
    about = {one: findings.get(connection, one) for one in {one.finding_id for one in warned if one.finding_id}}
    fixes = {one: _fix(connection, finding) for one, finding in about.items()}
    found = []
    for notice in warned:
        number, device, owner = notice.finding_id or 0, known.get(notice.device_id), owners.get(notice.device_id)
        over = _over(policy, about[number], fixes[number], device, now)
        if over is not None and owner is not None and owner.customer.id == notice.customer_id:
            found.append(_draft(connection, policy, notice, device, owner, over, now))
    return found


def _fix(connection: Connection, finding: Finding) -> Release | None:
    bad = release_of(connection, finding.kind, finding.subject)
    return releases.fix_for(connection, bad.model, bad.version) if bad else None


def _over(policy: Policy, finding: Finding, fix: Release | None, device: Device | None, now: datetime) -> str | None:
    """What is over for a device (a key of `phrases.ALL_CLEAR`); None while it may come back."""
    if finding.recovered_at is None:
        return None
    if finding.kind == "cohort":
        mended = fix is not None and device is not None and bool(device.firmware) and not decisions.helps(fix, device)
        return "update" if mended else None
    settled = now - finding.recovered_at >= timedelta(days=policy.tickets.settle_days)
    return OVERHEATING if finding.mode == OVERHEATING and settled else None


def _draft(
    connection: Connection,
    policy: Policy,
    notice: Notice,
    device: Device | None,
    owner: Owner,
    over: str,
    now: datetime,
) -> Draft:
    danger = over == OVERHEATING  # who was warned of one hears of its end, whatever they agreed to
    to = awaiting(connection, owner, notice.device_id, RULE.purpose, anyway=danger)
    product = product_name(connection, device.model if device else None)
    return Draft(
        notice.cause,
        notice.device_id,
        "all_clear",
        "",
        owner,
        Subject("all_clear", "", product, (notice.device_id,), over=over),
        decisions.plan_notice(policy, live=True, rule=RULE, to=to, now=now),
        purpose=None if danger else RULE.purpose,
        why={"rule": RULE.name, "warned_by": notice.id, "over": over},
        finding_id=notice.finding_id,
    )
