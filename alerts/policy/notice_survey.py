"""Which notices the standing findings ask for, and which of those written before may go now."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import timedelta

from alerts.policy import decisions
from alerts.policy.cases import DeviceCase, NoticeCase, WorseRelease
from alerts.policy.current_round import Round
from alerts.policy.file import SEVERITIES
from hearthwatch.firmware import version
from hearthwatch.records import brakes, customers, devices, notices
from hearthwatch.values import Device, Finding, Notice, Release

UNSENT = ("suppressed", "cancelled")
"""States a notice may leave again while its finding stands: consent is given, a budget renewed, a fault back."""


def wanting(this: Round, cases: Sequence[DeviceCase]) -> set[int]:
    """The findings of cases that ask for a notice which their device's present owner does not have yet."""
    wanted = [
        case
        for case in cases
        if case.rule.notice and case.cause is None and not case.settled and not (case.held_out and this.live)
    ]
    if not wanted:
        return set()
    decided = notices.decided(this.connection, [case.finding.id for case in wanted], this.now)
    return {case.finding.id for case in wanted if (case.finding.id, _kind(this, case)[0]) not in decided}


def mended(this: Round, cases: Sequence[DeviceCase]) -> set[int]:
    """The findings of cases that a release mends which their device may install now."""
    return {case.finding.id for case in cases if case.device is not None and _kind(this, case)[1] is not None}


def about_devices(this: Round, cases: Sequence[DeviceCase]) -> list[NoticeCase]:
    """Notices about single devices, the gravest first: a device is the subject of one notice at a time, a cause of one at all."""
    open_now = [case for case in cases if case.wants_notice and case.owner is not None]
    if not open_now:
        return []
    ids = sorted({case.finding.subject for case in open_now})
    this.learn([case.owner for case in open_now if case.owner], ids)
    since = this.now - timedelta(hours=this.policy.notices.group_hours)
    counted = notices.SPENT if this.live else (*notices.SPENT, "observed")
    recent = notices.about_devices(this.connection, ids, since)
    this.subjects |= {one.device_id for one in recent if one.state in counted and one.kind != "ticket_update"}
    told = notices.told_causes(this.connection, ids)
    written = notices.of_findings(this.connection, [case.finding.id for case in open_now])
    by_key = {(one.finding_id, one.customer_id, one.kind): one for one in written}
    cases_planned = []
    for case in sorted(open_now, key=_gravest):
        customer = case.owner.customer.id if case.owner else ""
        existing = by_key.get((case.finding.id, customer, _kind(this, case)[0]))
        known = (case.finding.subject, decisions.part_of(case.finding) or None, customer) in told
        planned = None if known or _observed_before(this, existing) else _about_device(this, case, existing)
        cases_planned.extend([planned] if planned else [])
    return cases_planned


def _observed_before(this: Round, existing: Notice | None) -> bool:
    return existing is not None and existing.state == "observed" and not this.live


def _kind(this: Round, case: DeviceCase) -> tuple[str, Release | None]:
    """The kind of notice, and the release it offers: a fix for this failure mode goes before what the rule says."""
    fix = this.fixes.find(case.device.model if case.device else None, case.finding.mode)
    if decisions.helps(fix, case.device) and case.finding.subject in this.fixes.open_to(fix, [case.finding.subject]):
        return "update", fix
    return case.rule.notice or "", None


def _gravest(case: DeviceCase) -> tuple[int, float, int]:
    finding = case.finding
    return -SEVERITIES.index(finding.severity), -(finding.probability or 0.0), finding.id


def _about_device(this: Round, case: DeviceCase, existing: Notice | None) -> NoticeCase | None:
    finding, owner = case.finding, case.owner
    kind, fix = _kind(this, case)
    if owner is None or finding.subject in this.subjects or (kind == "update" and fix is None):
        return None
    plan = this.plan(case.rule, owner, finding.subject, existing)
    if case.held_out:
        plan = replace(plan, reason="would be held out, to learn what happens without a notice")
    this.subjects.add(finding.subject)
    if existing is not None and (existing.state, existing.reason) == (plan.state, plan.reason):
        return None
    model = case.device.model if case.device else None
    return NoticeCase(finding, case.rule, kind, (finding.subject,), model, fix, owner, plan, existing)


def about_releases(this: Round, worse: Sequence[WorseRelease]) -> list[NoticeCase]:
    """Update notices to the owners of devices on worse releases with a known fix: one each, in however many ways it is worse."""
    cases: dict[tuple[int, str], NoticeCase] = {}
    for one in worse:
        if one.rule is None or one.rule.notice is None or one.fix is None or not _is_newer(one.fix, one.release):
            continue
        told = _told_otherwise(this, one, worse)
        for case in (*_untold(this, one), *_to_recheck(this, one)):
            customer = case.owner.customer.id
            if customer not in told:
                cases.setdefault((one.release.id, customer), case)
    return list(cases.values())


def _is_newer(fix: Release, bad: Release) -> bool:
    return version(fix.version).key > version(bad.version).key


def _told_otherwise(this: Round, one: WorseRelease, worse: Sequence[WorseRelease]) -> set[str]:
    others = [other.finding.id for other in worse if other.release.id == one.release.id and other is not one]
    return {notice.customer_id for notice in notices.of_findings(this.connection, others)} if others else set()


def _untold(this: Round, one: WorseRelease) -> list[NoticeCase]:
    bad = one.release
    pairs = notices.untold(
        this.connection, one.finding.id, kind="update", model=bad.model, version=bad.version, at=this.now
    )
    by_customer: dict[str, list[str]] = {}
    for device, customer in pairs:
        by_customer.setdefault(customer, []).append(device)
    return _planned(this, one, {theirs[0]: tuple(theirs) for theirs in by_customer.values()}, {})


def _to_recheck(this: Round, one: WorseRelease) -> list[NoticeCase]:
    states = (*UNSENT, "observed") if this.live else UNSENT
    unsent = {notice.device_id: notice for notice in notices.first_about(this.connection, one.finding.id, states)}
    running = devices.find(this.connection, sorted(unsent))
    bad = (one.release.model, one.release.version)
    groups = {name: (name,) for name, device in running.items() if (device.model, device.version) == bad}
    return _planned(this, one, groups, unsent)


def _planned(
    this: Round, one: WorseRelease, groups: Mapping[str, tuple[str, ...]], existing: Mapping[str, Notice]
) -> list[NoticeCase]:
    groups = {first: theirs for first, theirs in groups.items() if this.fixes.open_to(one.fix, theirs)}
    if not groups or one.rule is None:
        return []
    owners = customers.owners_of(this.connection, sorted(groups), this.now)
    this.learn(owners.values(), sorted(groups))
    cases = []
    for first, theirs in groups.items():
        owner, before = owners.get(first), existing.get(first)
        if owner is None or (before is not None and before.customer_id != owner.customer.id):
            continue
        plan = this.plan(one.rule, owner, first, before)
        if before is None or (before.state, before.reason) != (plan.state, plan.reason):
            told = theirs if before is None else _concerned(this, before, one)
            case = NoticeCase(one.finding, one.rule, "update", told, one.release.model, one.fix, owner, plan, before)
            cases.append(case)
    return cases


def _concerned(this: Round, notice: Notice, bad: WorseRelease | None) -> tuple[str, ...]:
    """The devices a notice written before is about: its own, and the customer's others on the same bad release."""
    others: list[str] = []
    if bad is not None:
        theirs = devices.find(this.connection, customers.devices_of(this.connection, notice.customer_id, this.now))
        firmware = (bad.release.model, bad.release.version)
        others = [name for name, device in sorted(theirs.items()) if (device.model, device.version) == firmware]
    return (notice.device_id, *(name for name in others if name != notice.device_id))


def released(
    this: Round, found: Sequence[Finding], known: Mapping[str, Device], worse: Sequence[WorseRelease]
) -> list[NoticeCase]:
    """Held notices whose round a second person has let go."""
    held = notices.in_states(this.connection, ("held",)) if this.live else []
    gone = {brake.name for brake in brakes.rounds(this.connection, on=False)} if held else set()
    held = [one for one in held if one.reason in gone]
    if not held:
        return []
    ids = sorted({one.device_id for one in held})
    owners = customers.owners_of(this.connection, ids, this.now)
    this.learn(owners.values(), ids)
    standing = {one.id: one for one in found}
    releases_of = {one.finding.id: one for one in worse}
    cases = []
    for notice in held:
        finding, owner = standing.get(notice.finding_id or 0), owners.get(notice.device_id)
        if finding is None or owner is None or owner.customer.id != notice.customer_id:
            continue
        bad, device = releases_of.get(finding.id), known.get(finding.subject)
        model = bad.release.model if bad else device.model if device else None
        rule = decisions.rule_for(this.policy, finding, model)
        if rule is not None:
            fix = bad.fix if bad else this.fixes.find(model, finding.mode) if notice.kind == "update" else None
            plan = this.plan(rule, owner, notice.device_id, notice)
            about = _concerned(this, notice, bad)
            cases.append(NoticeCase(finding, rule, notice.kind, about, model, fix, owner, plan, notice, released=True))
    return cases
