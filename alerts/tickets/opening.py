"""Tickets that open, reopen and grow more urgent by themselves: one per cause, whatever saw it and however often."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

from sqlalchemy import Connection

from alerts import commands
from alerts.policy import decisions
from alerts.policy.cases import DeviceCase, WorseRelease
from alerts.policy.file import Policy, Rule
from alerts.tickets import assignment
from alerts.tickets.ending import CLEARED
from alerts.tickets.ledger import record
from hearthwatch.errors import Missing
from hearthwatch.failure_modes import MODES
from hearthwatch.records import models, ticket_findings, tickets
from hearthwatch.records.customers import Owner
from hearthwatch.records.tickets import NewTicket
from hearthwatch.values import Device, Finding, Ticket

ACTOR = "policy"
WARNS = "warns"
"""In the detail of what opened a ticket again: its customer gets a warning of danger, which says so by itself."""


def for_device(connection: Connection, policy: Policy, case: DeviceCase, now: datetime) -> Ticket | None:
    """Do what a case asks of its ticket. Returns the ticket it is in then."""
    if case.step == "open":
        return _open_or_join(connection, policy, case, now)
    if case.ticket is None:
        return None
    if case.step == "reopen":
        reopened = _reopen_or_join(connection, policy, case, case.ticket, now)
        return _raise(connection, policy, case.finding, case.rule, reopened, now) if case.risen else reopened
    if case.step == "raise":
        return _raise(connection, policy, case.finding, case.rule, case.ticket, now)
    return case.ticket


def for_release(connection: Connection, policy: Policy, case: WorseRelease, rule: Rule, now: datetime) -> Ticket | None:
    """Do what a worse release asks of its ticket; all the ways in which it is worse share one. Returns the ticket."""
    if case.step not in {"open", "reopen"}:
        return case.ticket
    stem = f"release:{case.release.id}/"
    earlier = tickets.with_stem(connection, stem, kind="cohort")
    standing = next((one for one in earlier if one.state != "closed"), None)
    if standing is not None:
        return _join(connection, standing, case.finding, now)
    if case.step == "reopen" and case.ticket is not None:
        return _reopen(connection, case.ticket, _seen(case.finding, None), now)
    rank = decisions.priority(case.finding, rule)
    replaced = f" than {case.release.replaces}" if case.release.replaces else ""
    new = NewTicket(
        cause=f"{stem}{len(earlier) + 1}",
        kind="cohort",
        title=f"{case.release.model} {case.release.version} is worse{replaced}: {case.finding.mode}",
        priority=rank,
        due_at=decisions.due(policy, rank, now),
        finding_id=case.finding.id,
        model=case.release.model,
    )
    ticket, _ = tickets.open_once(connection, new, actor=ACTOR, now=now, detail=_seen(case.finding, None))
    ticket_findings.join(connection, case.finding.id, ticket.id, now)
    return ticket


def cover(connection: Connection, case: DeviceCase, parent: Ticket, now: datetime) -> None:
    """Let a symptom go into the ticket of the release that explains it; a ticket it had before becomes that ticket's child."""
    if case.step == "adopt" and case.ticket is not None:
        record(connection, tickets.get(connection, case.ticket.id), "joined", ACTOR, now, {"parent_id": parent.id})
    else:
        _join(connection, parent, case.finding, now)


def _open_or_join(connection: Connection, policy: Policy, case: DeviceCase, now: datetime) -> Ticket:
    finding = case.finding
    part = decisions.part_of(finding)
    stem = f"device:{finding.subject}/{part or finding.mode}/"
    earlier = tickets.with_stem(connection, stem, kind="device", device_id=finding.subject)
    standing = next((one for one in earlier if one.state != "closed"), None)
    if standing is not None:
        joined = _join(connection, standing, finding, now, danger=case.rule.is_safety)
        return _raise(connection, policy, finding, case.rule, joined, now)
    rank = decisions.priority(finding, case.rule)
    new = NewTicket(
        cause=f"{stem}{len(earlier) + 1}",
        kind="device",
        title=title(finding, case.device),
        priority=rank,
        due_at=decisions.due(policy, rank, now),
        finding_id=finding.id,
        device_id=finding.subject,
        customer_id=case.owner.customer.id if case.owner else None,
        home_id=case.owner.home.id if case.owner and case.owner.home else None,
        model=case.device.model if case.device else None,
        part=part or None,
        mode=finding.mode,
    )
    detail = _seen(finding, case.device) | _of_danger(case.rule.is_safety)
    ticket, opened = tickets.open_once(connection, new, actor=ACTOR, now=now, detail=detail)
    ticket_findings.join(connection, finding.id, ticket.id, now)
    if not opened:
        return ticket
    commands.for_ticket(connection, policy, ticket, case.device, now)
    return _assign(connection, ticket, case.device, case.owner, now)


def _reopen_or_join(connection: Connection, policy: Policy, case: DeviceCase, ticket: Ticket, now: datetime) -> Ticket:
    stem = ticket.cause.rpartition("/")[0] + "/"
    others = tickets.with_stem(connection, stem, kind="device", device_id=ticket.device_id)
    standing = next((one for one in others if one.state != "closed"), None)
    if standing is not None:
        return _join(connection, standing, case.finding, now, danger=case.rule.is_safety)
    detail = _seen(case.finding, case.device) | _of_danger(case.rule.is_safety)
    if case.risen and case.rule.notice:
        detail[WARNS] = True
    reopened = _reopen(connection, ticket, detail, now)
    commands.for_ticket(connection, policy, reopened, case.device, now)
    return _assign(connection, reopened, case.device, case.owner, now)


def _reopen(connection: Connection, ticket: Ticket, seen: Mapping[str, object], now: datetime) -> Ticket:
    detail = {**seen, "closed_as": ticket.closing_code}
    fresh = tickets.get(connection, ticket.id)
    return record(connection, fresh, "reopened", ACTOR, now, detail, also=dict.fromkeys(CLEARED))


def _join(connection: Connection, ticket: Ticket, finding: Finding, now: datetime, *, danger: bool = False) -> Ticket:
    ticket_findings.join(connection, finding.id, ticket.id, now)
    detail = {"finding_id": finding.id, "kind": finding.kind, "mode": finding.mode, "subject": finding.subject}
    detail |= _of_danger(danger)
    return record(connection, tickets.get(connection, ticket.id), "joined", ACTOR, now, detail)


def _raise(
    connection: Connection, policy: Policy, finding: Finding, rule: Rule, ticket: Ticket, now: datetime
) -> Ticket:
    rank = decisions.priority(finding, rule)
    ticket = tickets.get(connection, ticket.id)  # another finding of this round may have raised it
    if rank >= ticket.priority:
        return ticket
    due_at = min(filter(None, (ticket.due_at, decisions.due(policy, rank, now))))
    detail = {"from": ticket.priority, "to": rank, **_of_danger(rule.is_safety)}
    return record(connection, ticket, "raised", ACTOR, now, detail, also={"due_at": due_at})


def _assign(
    connection: Connection, ticket: Ticket, device: Device | None, owner: Owner | None, now: datetime
) -> Ticket:
    region = owner.home.region if owner and owner.home and owner.home.region else device.region if device else None
    skills = [name for name in (ticket.part, device_class(connection, device), ticket.model) if name]
    return assignment.assign(connection, ticket, skills=skills, region=region, actor=ACTOR, now=now)


def device_class(connection: Connection, device: Device | None) -> str | None:
    """What a device is to its user (lock, plug, ...), where the registry says so."""
    if device is None or device.model is None:
        return None
    try:
        return models.get(connection, device.model).device_class
    except Missing:
        return None


def title(finding: Finding, device: Device | None) -> str:
    """A ticket's title, for staff."""
    what = MODES[finding.mode].meaning.rstrip(".") if finding.mode in MODES else finding.mode.replace("_", " ")
    model = f" ({device.model})" if device and device.model else ""
    odds = f", {finding.probability:.0%} to fail within 30 days" if finding.probability is not None else ""
    return f"{finding.subject}{model}: {what}{odds}"


def _of_danger(danger: bool) -> dict[str, object]:
    return {tickets.OF_DANGER: True} if danger else {}


def _seen(finding: Finding, device: Device | None) -> dict[str, object]:
    return {
        "finding_id": finding.id,
        "severity": finding.severity,
        "probability": finding.probability,
        "firmware": device.firmware if device else None,
    }
