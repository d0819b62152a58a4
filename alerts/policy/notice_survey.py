"""Which notices the standing findings ask for, and which of those written before may go now."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import timedelta

from alerts.policy import danger, decisions, households, reasons
from alerts.policy.cases import DeviceCase, NoticeCase, WorseRelease, gravity
from alerts.policy.current_round import Round
from alerts.policy.decisions import NoticePlan
from alerts.policy.households import Wish
from hearthwatch.firmware import version
from hearthwatch.records import brakes, customers, devices, notice_findings, notices
from hearthwatch.values import Device, Finding, Notice, Release

UNSENT = ("suppressed", "cancelled", "waiting")
"""States a notice may leave again while its finding stands: consent is given, a budget renewed, a fault back."""
FLEET_IS_SPENT = "the fleet's budget of {limit} notices a week is used up; the gravest go first"


def all_of(
    this: Round,
    found: Sequence[Finding],
    known: Mapping[str, Device],
    worse: Sequence[WorseRelease],
    cases: Sequence[DeviceCase],
) -> tuple[NoticeCase, ...]:
    """Every notice to write, or to bring into another state."""
    planned = [*released(this, found, known, worse, cases), *about_devices(this, cases), *about_releases(this, worse)]
    new = [case for case in _within_the_fleets_budget(this, planned) if _is_new(case)]
    return tuple(replace(case, why=why) for case, why in zip(new, reasons.of_notices(this, new), strict=True))


def wanting(this: Round, cases: Sequence[DeviceCase]) -> set[int]:
    """The findings of cases that ask for a notice which their device's present owner does not have yet."""
    wanted = []
    for case in cases:
        if not case.rule.notice or (case.held_out and this.live):
            continue
        if case.cause is not None or case.settled:
            this.remarks[case.finding.id] = "covered" if case.cause is not None else "closed"
        else:
            wanted.append(case)
    if not wanted:
        return set()
    this.fixes.learn((case.device, case.finding.mode) for case in wanted if case.device is not None)
    ids = [case.finding.id for case in wanted]
    decided = notices.decided(this.connection, ids, this.now)
    with_others = notice_findings.told(this.connection, ids, this.now, danger.told_states(this))
    grave = [case.finding.id for case in wanted if case.rule.is_safety]
    warned = notices.warned(this.connection, grave, this.now, danger.told_states(this)) if grave else set()
    open_now = set()
    for case in wanted:
        number = case.finding.id
        told = number in with_others or (number, _kind(this, case)[0]) in decided
        if told and (number in warned or not case.rule.is_safety):  # of a lesser matter is not of the danger
            this.remarks[case.finding.id] = "written"
        else:
            open_now.add(case.finding.id)
    return open_now


def mended(this: Round, cases: Sequence[DeviceCase]) -> set[int]:
    """The findings of cases that a release mends which their device may install now."""
    this.fixes.learn((case.device, case.finding.mode) for case in cases if case.device is not None)
    return {case.finding.id for case in cases if case.device is not None and _kind(this, case)[1] is not None}


def about_devices(this: Round, cases: Sequence[DeviceCase]) -> list[NoticeCase]:
    """Notices about single devices: a device is the subject of one at a time, a cause of one at all, a household gets one letter."""
    for case in cases:
        if case.wants_notice and case.owner is None:
            this.remarks[case.finding.id] = "no_owner"
    open_now = [case for case in cases if case.wants_notice and case.owner is not None]
    if not open_now:
        return []
    ids = sorted({case.finding.subject for case in open_now})
    this.learn([case.owner for case in open_now if case.owner], ids)
    _learn_subjects(this, ids)
    told = _known(this, ids)
    written = notices.of_findings(this.connection, [case.finding.id for case in open_now])
    by_key = {(one.finding_id, one.customer_id, one.kind): one for one in written}
    grave = [case.finding.id for case in open_now if case.rule.is_safety]
    warnings = notices.of_findings(this.connection, grave, occasion=notices.RISEN) if grave else []
    risen = {(one.finding_id, one.customer_id, one.kind): one for one in warnings}
    wishes = []
    for case in sorted(open_now, key=lambda one: one.gravity):
        kind, fix = _kind(this, case)
        customer = case.owner.customer.id if case.owner else ""
        key = (case.finding.id, customer, kind)
        existing = by_key.get(key)
        rises = key in risen or danger.rises(this, case, existing)
        existing = risen.get(key) if rises else existing
        remark = _in_the_way(
            this, case, (case.finding.subject, decisions.part_of(case.finding) or None, customer) in told
        )
        this.remarks[case.finding.id] = remark or "written"
        if remark is None and not _observed_before(this, existing):
            wishes.append(Wish(case, kind, fix, existing, notices.RISEN if rises else ""))
    return households.letters(this, wishes, {case.finding.id: case for case in cases})


def _known(this: Round, ids: Sequence[str]) -> set[tuple[str, str | None, str]]:
    """(device, part, customer) of open tickets that the customer knows of: by a notice, or because they wrote it."""
    alone, among = notices.told_causes(this.connection, ids), notice_findings.told_causes(this.connection, ids)
    return alone | among | notice_findings.asked_causes(this.connection, ids)


def _learn_subjects(this: Round, ids: Sequence[str]) -> None:
    since = this.now - timedelta(hours=this.policy.notices.group_hours)
    counted = notices.SPENT if this.live else (*notices.SPENT, "observed")
    recent = notices.about_devices(this.connection, ids, since)
    this.subjects |= {
        (one.device_id, one.customer_id) for one in recent if one.state in counted and one.kind in notices.ASKING
    }
    this.subjects |= notice_findings.told_devices(this.connection, ids, since, counted)


def _in_the_way(this: Round, case: DeviceCase, told: bool) -> str | None:
    """Why the customer is not written to about a finding although its rule asks for it."""
    if case.rule.is_safety:
        return "told" if told and danger.was_warned(this, case) else None
    if told:
        return "told"
    if case.finding.subject in this.campaigns:
        return "campaign"
    customer = case.owner.customer.id if case.owner else ""
    return "recent" if (case.finding.subject, customer) in this.subjects else None


def _observed_before(this: Round, existing: Notice | None) -> bool:
    return existing is not None and existing.state == "observed" and not this.live


def _kind(this: Round, case: DeviceCase) -> tuple[str, Release | None]:
    """The kind of notice, and the release it offers: a fix for this failure mode goes before what the rule says."""
    fix = this.fixes.find(case.device.model if case.device else None, case.finding.mode)
    if this.fixes.taken_by(fix, case.device, this.now):
        return "update", fix
    return case.rule.notice or "", None


def _within_the_fleets_budget(this: Round, cases: Sequence[NoticeCase]) -> list[NoticeCase]:
    """The cases as they are; those that the fleet's budget does not reach to wait, and the gravest go first."""
    budget = this.fleet() if this.live else None
    if budget is None:
        return list(cases)
    limit, spent = budget
    waiting = NoticePlan("waiting", FLEET_IS_SPENT.format(limit=limit), this.now)
    kept: dict[int, NoticeCase] = {}
    for place in sorted(range(len(cases)), key=lambda place: _turn(cases[place])):
        case = cases[place]
        leaves = case.plan.state == "queued" and not _is_counted(case)
        if leaves and spent >= limit and not decisions.passes(case.rule):
            kept[place] = replace(case, plan=waiting)
            continue
        spent += leaves
        kept[place] = case
    return [kept[place] for place in range(len(cases))]


def _turn(case: NoticeCase) -> tuple[bool, tuple[int, float, int]]:
    return not decisions.passes(case.rule), gravity(case.finding)


def _is_counted(case: NoticeCase) -> bool:
    return case.existing is not None and case.existing.state in notices.SPENT


def _is_new(case: NoticeCase) -> bool:
    """Whether a case changes anything: its notice is new, stands otherwise than before, or tells of more."""
    before = case.existing
    return (
        before is None
        or case.released
        or case.joins
        or (before.state, before.reason) != (case.plan.state, case.plan.reason)
    )


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
    known = devices.find(this.connection, sorted({name for theirs in groups.values() for name in theirs}))
    this.fixes.open_to(one.fix, known)
    groups = {
        first: theirs
        for first, theirs in groups.items()
        if any(this.fixes.taken_by(one.fix, known.get(name), this.now) for name in theirs)
    }
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
        told = theirs if before is None else _concerned(this, before, one)
        cases.append(NoticeCase(one.finding, one.rule, "update", told, one.release.model, one.fix, owner, plan, before))
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
    this: Round,
    found: Sequence[Finding],
    known: Mapping[str, Device],
    worse: Sequence[WorseRelease],
    cases: Sequence[DeviceCase],
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
    further = households.further(this, held, {case.finding.id: case for case in cases})
    let_go = []
    for notice in held:
        finding, owner = standing.get(notice.finding_id or 0), owners.get(notice.device_id)
        judged = this.judged.get(finding.id) if finding else None
        if finding is None or owner is None or owner.customer.id != notice.customer_id or judged is None:
            continue
        bad, device = releases_of.get(finding.id), known.get(finding.subject)
        model = bad.release.model if bad else device.model if device else None
        if judged.rule is not None:
            fix = bad.fix if bad else this.fixes.find(model, finding.mode) if notice.kind == "update" else None
            plan = this.plan(judged.rule, owner, notice.device_id, notice)
            more = further.get(notice.id, households.Further())
            about, also = households.split(finding, model, notice.kind, more.also)
            about = _concerned(this, notice, bad) if bad else about
            case = NoticeCase(
                finding, judged.rule, notice.kind, about, model, fix, owner, plan, notice, released=True, also=also
            )
            let_go.append(replace(case, members=more.members))
    return let_go
