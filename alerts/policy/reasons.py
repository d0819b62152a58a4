"""Why a notice was written as it was, and why a finding became what it did: facts as they are kept, put into words elsewhere."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from alerts.policy import facts, judgement
from alerts.policy.cases import DeviceCase, NoticeCase
from alerts.policy.current_round import Round
from alerts.policy.facts import Facts
from alerts.policy.judgement import Judgement
from hearthwatch.records.policy_decisions import Decision

LOOKED_AT = (
    "mute",
    "planned_outage",
    "incident",
    "worse_release",
    "campaign",
    "open_ticket",
    "fix_under_way",
    "hold_out",
)
"""What could have stood in the way of a notice and did not."""


def of_notices(this: Round, cases: Sequence[NoticeCase]) -> list[Mapping[str, Any]]:
    """The reasons of some notices, in their order."""
    names = {case.devices[0] for case in cases if case.devices}
    known = facts.of_devices(this.connection, this.devices_of(names), this.now)
    return [_of_notice(this, case, known.get(case.devices[0])) for case in cases]


def _of_notice(this: Round, case: NoticeCase, about: Facts | None) -> dict[str, Any]:
    judged = this.judged.get(case.finding.id)
    told: dict[str, Any] = {**(judged.why if judged else {}), **this.limits(case.rule, case.owner, case.plan)}
    told |= {"live": this.live, "kind": case.kind, "looked_at": list(LOOKED_AT)}
    if case.plan.state == "queued" and case.plan.send_after > this.now:
        told["send_after"] = case.plan.send_after.isoformat(timespec="minutes")
    if about is not None:
        told["device"] = {
            "model": about.model,
            "region": about.region,
            "warranty": about.warranty,
            "safety_class": about.safety_class,
            "groups": sorted(about.groups),
        }
    if len(case.devices) > 1:
        told["devices"] = len(case.devices)
    if case.also:
        told["together_with"] = [
            {"finding": one.finding.id, "device": one.device_id, "kind": one.kind} for one in case.also
        ]
    if case.released:
        told["released_by_second_person"] = True
    return told


def to_keep(this: Round, version: int, cases: Iterable[DeviceCase]) -> Iterable[Decision]:
    """The decisions whose reasons are not those of the last look."""
    by_finding = {case.finding.id: case for case in cases}
    marks: dict[tuple[str, int], tuple[str, Mapping[str, Any]]] = {}  # of reasons that like findings share
    told: dict[tuple[int, str], Mapping[str, Any]] = {}
    for number, one in this.judged.items():
        outcome, why = _outcome(this, one, by_finding.get(number), told)
        rule, prior = one.rule.name if one.rule else None, this.priors.get(number)
        key = (outcome, id(why))
        if key not in marks:
            marks[key] = judgement.digest(outcome, why), why  # which lives on, so that nothing else gets its id
        mark = marks[key][0]
        if prior is None or (prior.digest, prior.rule, prior.pays) != (mark, rule, one.pays):
            since = prior.since if prior is not None and prior.rule == rule else this.now
            yield Decision(number, rule, outcome, one.pays, mark, why, since, this.now, version)


def _outcome(
    this: Round, one: Judgement, case: DeviceCase | None, told: dict[tuple[int, str], Mapping[str, Any]]
) -> tuple[str, Mapping[str, Any]]:
    if case is None:
        return one.outcome, one.why
    if case.held_out and this.live:
        return "held_out", one.why
    if case.cause is not None:
        release = {
            "finding": case.cause.finding.id,
            "model": case.cause.release.model,
            "version": case.cause.release.version,
        }
        return "covered", {**one.why, "release": release}
    remark = this.remarks.get(one.finding.id)
    if not remark:
        return one.outcome, one.why
    if remark == "campaign":
        reference = this.campaigns[one.finding.subject].reference
        return one.outcome, {**one.why, "notice": remark, "campaign": reference}
    key = (id(one.why), remark)
    if key not in told:
        told[key] = {**one.why, "notice": remark}
    return one.outcome, told[key]
