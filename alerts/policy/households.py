"""One letter to a household about all that is to be done there: further devices, and what is found before the letter has left."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from alerts.policy import decisions
from alerts.policy.cases import Also, DeviceCase, NoticeCase
from alerts.policy.current_round import Round, household
from alerts.policy.decisions import NoticePlan
from hearthwatch.records import notice_findings, notices, outbox
from hearthwatch.records.notice_findings import ToldOf
from hearthwatch.values import Finding, Notice, Release

SERVICE = "service"


@dataclass(frozen=True, slots=True)
class Wish:
    """A finding that its owner is to be told of: by which kind of notice, with which fix, and the unsent notice there is already.

    ``occasion``: of a warning that follows on a lesser notice (`hearthwatch.records.notices.RISEN`).
    """

    case: DeviceCase
    kind: str
    fix: Release | None
    existing: Notice | None
    occasion: str = ""


@dataclass(frozen=True, slots=True)
class Further:
    """What a notice tells of beside its own finding; ``members`` are all its findings, each with its device."""

    also: tuple[Also, ...] = ()
    members: tuple[tuple[int, str], ...] = ()


def letters(this: Round, wishes: Sequence[Wish], cases: Mapping[int, DeviceCase]) -> list[NoticeCase]:
    """One notice for all wishes of a household that ask for the same act; warnings of danger stand alone. Wishes come gravest first."""
    groups: dict[tuple[Any, ...], list[Wish]] = {}
    for wish in wishes:
        groups.setdefault(_envelope(wish), []).append(wish)
    waiting = _waiting(this, wishes) if this.live else {}
    found = []
    for envelope, group in groups.items():
        queued = waiting.get(envelope[:2]) if envelope[-1] == SERVICE else None
        joined = _join(this, queued, group, cases) if queued is not None else None
        found.append(joined or _letter(this, group))
    return found


def _envelope(wish: Wish) -> tuple[Any, ...]:
    """What may go into one letter: to one customer and home, asking for one act."""
    case = wish.case
    assert case.owner is not None
    to = (case.owner.customer.id, household(case.owner))
    if case.rule.is_safety or case.rule.urgent:
        return (*to, "urgent", case.finding.subject, _cause(case))
    if wish.kind == "update":
        return (*to, "update", wish.fix.id if wish.fix else 0)
    return (*to, case.held_out, SERVICE)


def _letter(this: Round, group: Sequence[Wish]) -> NoticeCase:
    lead = next((wish for wish in group if wish.existing is not None), group[0])
    case, owner = lead.case, lead.case.owner
    assert owner is not None
    plan = _later(this, case, this.plan(case.rule, owner, case.finding.subject, lead.existing))
    if case.held_out:
        plan = NoticePlan(plan.state, "would be held out, to learn what happens without a notice", plan.send_after)
    others = [wish for wish in group if wish is not lead]
    more = _also([_as_also(wish.case, wish.kind) for wish in others], case)
    devices, also = split(case.finding, _model(case), lead.kind, more)
    return NoticeCase(
        case.finding,
        case.rule,
        lead.kind,
        devices,
        _model(case),
        lead.fix,
        owner,
        plan,
        lead.existing,
        also=also,
        members=_members([lead.case, *(wish.case for wish in others)]),
        occasion=lead.occasion,
    )


def _later(this: Round, case: DeviceCase, plan: NoticePlan) -> NoticePlan:
    """A plan that waits for further findings of the household, where the policy says so."""
    hours = this.policy.notices.gather_hours
    if plan.state != "queued" or not hours or decisions.passes(case.rule) or case.owner is None:
        return plan
    gathered = decisions.after_quiet_hours(this.policy, case.owner, this.now + timedelta(hours=hours))
    return NoticePlan(plan.state, plan.reason, gathered)


def _waiting(this: Round, wishes: Sequence[Wish]) -> dict[tuple[Any, ...], Notice]:
    """Letters that wait for their hour, by whom they go to: what is found until then goes with them."""
    people = {wish.case.owner.customer.id for wish in wishes if wish.case.owner}
    found: dict[tuple[Any, ...], Notice] = {}
    for one in notices.in_states(this.connection, ("queued",)) if people else ():
        if one.customer_id in people and one.send_after > this.now and one.kind in {"replacement", "check_up"}:
            home = ("home", one.home_id) if one.home_id else ("customer", one.customer_id)
            found.setdefault((one.customer_id, home), one)
    return found


def _join(this: Round, queued: Notice, group: Sequence[Wish], cases: Mapping[int, DeviceCase]) -> NoticeCase | None:
    """The waiting letter with what was found since; None where it can not be changed any more."""
    lead = cases.get(queued.finding_id or 0)
    if lead is None or lead.rule.is_safety or lead.rule.urgent or group[0].case.owner is None:
        return None
    if notices.occasion(this.connection, queued.id) or not all(
        item.state in {"pending", "cancelled"} for item in outbox.of_notice(this.connection, queued.id)
    ):
        return None
    before = further(this, [queued], cases).get(queued.id, Further())
    more = _also([*before.also, *(_as_also(wish.case, wish.kind) for wish in group)], lead)
    devices, also = split(lead.finding, _model(lead), queued.kind, more)
    return NoticeCase(
        lead.finding,
        lead.rule,
        queued.kind,
        devices,
        _model(lead),
        None,
        group[0].case.owner,
        NoticePlan("queued", None, queued.send_after),
        queued,
        also=also,
        members=(*before.members, *_members([lead, *(wish.case for wish in group)])),
        joins=True,
    )


def further(this: Round, found: Sequence[Notice], cases: Mapping[int, DeviceCase]) -> dict[int, Further]:
    """What some notices tell of beside their own finding, as far as it still stands."""
    told = notice_findings.of_notices(this.connection, [one.id for one in found])
    return {notice.id: _further(notice, told[notice.id], cases) for notice in found if notice.id in told}


def _further(notice: Notice, told: Sequence[ToldOf], cases: Mapping[int, DeviceCase]) -> Further:
    lead = cases.get(notice.finding_id or 0)
    others = [cases[one.finding_id] for one in told if one.finding_id in cases and one.finding_id != notice.finding_id]
    also = _also([_as_also(case, case.rule.notice or "check_up") for case in others], lead) if lead else ()
    return Further(also, tuple((one.finding_id, one.device_id) for one in told))


def _also(found: Sequence[Also], lead: DeviceCase) -> tuple[Also, ...]:
    """Further findings, each device's part once: two signs of one fault are one thing to be told."""
    seen = {(lead.finding.subject, _cause(lead))}
    kept = []
    for one in found:
        key = (one.device_id, decisions.part_of(one.finding) or one.finding.mode)
        if key not in seen:
            seen.add(key)
            kept.append(one)
    return tuple(kept)


def split(
    finding: Finding, model: str | None, kind: str, more: Sequence[Also]
) -> tuple[tuple[str, ...], tuple[Also, ...]]:
    """The devices of which a letter about a finding says the same in one sentence, and what it says besides."""
    same = (kind, model, finding.mode)
    alike = [(one.kind, one.model, one.finding.mode) == same and one.device_id != finding.subject for one in more]
    devices = (one.device_id for one, is_so in zip(more, alike, strict=True) if is_so)
    return (finding.subject, *devices), tuple(one for one, is_so in zip(more, alike, strict=True) if not is_so)


def _as_also(case: DeviceCase, kind: str) -> Also:
    return Also(case.finding, case.rule, kind, case.finding.subject, _model(case))


def _members(cases: Sequence[DeviceCase]) -> tuple[tuple[int, str], ...]:
    return tuple((case.finding.id, case.finding.subject) for case in cases) if len(cases) > 1 else ()


def _cause(case: DeviceCase) -> str:
    return decisions.part_of(case.finding) or case.finding.mode


def _model(case: DeviceCase) -> str | None:
    return case.device.model if case.device else None
