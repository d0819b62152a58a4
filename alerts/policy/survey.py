"""What the standing findings ask for right now: read in a few batched queries, decided by `alerts.policy.decisions`, nothing changed."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime

from sqlalchemy import Connection

from alerts.policy import danger, decisions, facts, hold_out, judgement, notice_survey
from alerts.policy.bad_releases import release_of, still_runs
from alerts.policy.cases import DeviceCase, Survey, WorseRelease
from alerts.policy.current_round import Round
from alerts.policy.facts import Facts
from alerts.policy.file import Rule, parse
from alerts.policy.fixes import Fixes
from alerts.policy.judgement import Around, Judgement
from alerts.policy.reasons import to_keep
from hearthwatch.garbage import uncollected
from hearthwatch.records import (
    brakes,
    campaigns,
    customers,
    devices,
    findings,
    hold_outs,
    households,
    liveness,
    outages,
    outbox,
    policy_decisions,
    ticket_findings,
)
from hearthwatch.records.policies import PolicyVersion
from hearthwatch.records.policy_decisions import Prior
from hearthwatch.values import Device, Finding, Ticket

ALL = 1_000_000
STANDING = ("open", "acknowledged")


def survey(
    connection: Connection, version: PolicyVersion, now: datetime, subjects: Collection[str] | None = None
) -> Survey:
    """Look at every finding that is open or acknowledged, under one policy.

    With ``subjects``, of the devices' findings only at those of their households, which share letters and budgets: it is then for the
    caller to know that time changes no other.
    """
    with uncollected():
        return _survey(connection, version, now, subjects)


def _survey(connection: Connection, version: PolicyVersion, now: datetime, subjects: Collection[str] | None) -> Survey:
    found = _standing(connection, subjects)
    if not found and not hold_outs.any_standing(connection):
        return Survey()
    priors = (
        policy_decisions.standing(connection, STANDING)
        if subjects is None
        else policy_decisions.of_findings(connection, [one.id for one in found])
    )
    this = _round(connection, version, now, priors)
    linked = ticket_findings.of_findings(connection, [one.id for one in found])
    worse = [one for finding in found if (one := _worse_release(this, finding, linked.get(finding.id))) is not None]
    mine = [finding for finding in found if finding.subject_type in {"device", "group"}]
    known = devices.find(connection, sorted({finding.subject for finding in mine if finding.subject_type == "device"}))
    this.known, this.facts = known, _facts(this, known)
    standing = danger.risen(this, _device_cases(this, _judge_all(this, mine, known), known, linked, worse))
    held = hold_out.sort(this, standing)
    cases = _with_owners(this, held.cases)
    held_out = tuple(case for case in cases if case.held_out) if this.live else ()
    wanted = notice_survey.all_of(this, found, known, worse, cases)
    new = tuple(to_keep(this, version.version, cases))
    return Survey(
        releases=tuple(worse),
        devices=tuple(case for case in cases if case.step != "none" or case.engineers),
        notices=wanted,
        hold=tuple(case for case in held_out if case.finding.id not in held.known),
        let_go=tuple(held.ended.items()),
        held_out=held_out,
        decisions=new,
        decided=tuple({this.judged[one.finding_id].finding.subject for one in new}),
        judged=this.judged,
    )


def _standing(connection: Connection, subjects: Collection[str] | None) -> list[Finding]:
    if subjects is None:
        return findings.in_states(connection, STANDING)
    others = (
        finding
        for kind in ("release", "group")
        for finding in findings.list_findings(connection, states=STANDING, subject_type=kind, limit=ALL)
    )
    mine = findings.of_subjects(connection, sorted(households.around(connection, subjects)), STANDING)
    return sorted({one.id: one for one in (*others, *mine)}.values(), key=lambda finding: finding.id)


def _round(connection: Connection, version: PolicyVersion, now: datetime, priors: Mapping[int, Prior]) -> Round:
    return Round(
        connection,
        parse(version.text),
        version.mode == "live",
        now,
        outages.at(connection, now),
        liveness.in_incidents(connection),
        Fixes(connection),
        priors,
    )


def _facts(this: Round, known: Mapping[str, Device]) -> dict[str, Facts]:
    return facts.of_devices(this.connection, known.values(), this.now, this.policy.asks)


def _judge_all(this: Round, found: Sequence[Finding], known: Mapping[str, Device]) -> list[Judgement]:
    if this.policy.suppression.wait_for_fix_days:
        pairs = ((known.get(finding.subject), finding.mode) for finding in found)
        this.fixes.learn((device, mode) for device, mode in pairs if device is not None)
    judged = [_judge(this, finding, known.get(finding.subject)) for finding in found]
    this.judged.update((one.finding.id, one) for one in judged)
    return judged


def _judge(this: Round, finding: Finding, device: Device | None) -> Judgement:
    about = this.facts.get(finding.subject, facts.NOTHING) if device is not None else facts.NOTHING
    prior = this.priors.get(finding.id)
    rule = this.rule_of(finding, about, prior)
    silence = decisions.silence(
        finding,
        device,
        this.outages,
        this.now,
        this.incidents.get(finding.subject),
        safety=rule is not None and rule.is_safety,
    )
    coming = this.fixes.coming(device, finding.mode) if this.policy.suppression.wait_for_fix_days else None
    if rule is None and silence is None:
        return Judgement(finding, None, "no_rule", why=this.tried(finding, about))
    around = Around(device, about, silence, coming, prior)
    return judgement.judge(this.policy, finding, rule, around, this.now, this.reasons)


def _worse_release(this: Round, finding: Finding, ticket: Ticket | None) -> WorseRelease | None:
    release = release_of(this.connection, finding.kind, finding.subject)
    if release is None or not decisions.is_worse(finding):
        return None
    one = WorseRelease(finding, None, release, this.fixes.find(release.model, release.version), ticket)
    prior, about = this.priors.get(finding.id), Facts(release.model)
    rule = decisions.rule_for(this.policy, finding, about, prior.rule if prior else None)
    silence = decisions.silence(finding, None, (), this.now)
    judged = judgement.judge(this.policy, finding, rule, Around(None, about, silence, None, prior), this.now)
    this.judged[finding.id] = judged
    if rule is None or judged.outcome != "acts":
        return one
    if not this.live:
        return replace(one, rule=rule)
    step = decisions.ticket_step(this.policy, finding, rule, ticket, cover=False)
    if step == "reopen" and not still_runs(this.connection, release, this.now):
        step = "none"
    return replace(
        one,
        rule=rule,
        step=step,
        pause=rule.pause_rollout and release.status == "rolling" and _never_paused(this, finding),
        engineers=rule.engineers and bool(_untold_engineers(this, [finding])),
    )


def pause_name(finding: Finding) -> str:
    """The brake that says a rollout was paused for a finding: once, so that a person may let it roll again."""
    return f"rollout:{finding.id}"


def alert_key(finding: Finding) -> str:
    """The idempotency key of the engineers' alert about a finding, without the number of its address."""
    return f"engineer:{finding.id}"


def _never_paused(this: Round, finding: Finding) -> bool:
    return brakes.find(this.connection, pause_name(finding)) is None


def _untold_engineers(this: Round, found: Sequence[Finding]) -> set[int]:
    """Those of some findings about which engineers were not alerted yet."""
    if not (this.live and found and this.policy.engineers.addresses):
        return set()
    keys = {f"{alert_key(finding)}:0": finding.id for finding in found}
    told = outbox.known(this.connection, keys)
    return {number for key, number in keys.items() if key not in told}


def _device_cases(
    this: Round,
    judged: Iterable[Judgement],
    known: Mapping[str, Device],
    linked: Mapping[int, Ticket],
    worse: Sequence[WorseRelease],
) -> list[DeviceCase]:
    by_firmware = {(one.release.model, one.release.version): one for one in worse if one.has_ticket or not this.live}
    cases = []
    for one in judged:
        if one.outcome != "acts" or one.rule is None:
            continue
        finding, device = one.finding, known.get(one.finding.subject)
        rule = one.rule if finding.subject_type == "device" else _for_engineers(one.rule)
        cause = by_firmware.get((device.model or "", device.version or "")) if device and by_firmware else None
        if cause is not None and (rule.is_safety or not decisions.covered(this.policy, finding)):
            cause = None
        ticket = linked.get(finding.id)
        step = (
            decisions.ticket_step(this.policy, finding, rule, ticket, cover=cause is not None) if this.live else "none"
        )
        cases.append(DeviceCase(finding, rule, device, None, ticket, step, cause))
    return _with_engineers(this, cases)


def _for_engineers(rule: Rule) -> Rule:
    """What a rule asks for about a whole group: no customer and no technician can do anything about that."""
    return rule.model_copy(update={"notice": None, "ticket": False})


def _with_owners(this: Round, cases: Sequence[DeviceCase]) -> list[DeviceCase]:
    """The cases with their owners, of those that a ticket or a notice is to be written about."""
    wanting = notice_survey.wanting(this, cases)
    concerned = {
        case.finding.subject for case in cases if case.step in {"open", "reopen"} or case.finding.id in wanting
    }
    owners = customers.owners_of(this.connection, sorted(concerned), this.now) if concerned else {}
    this.campaigns = campaigns.affecting(this.connection, sorted(concerned), this.now) if concerned else {}
    return [
        replace(case, owner=owners.get(case.finding.subject), wants_notice=case.finding.id in wanting)
        if case.finding.subject in concerned
        else case
        for case in cases
    ]


def _with_engineers(this: Round, cases: Sequence[DeviceCase]) -> list[DeviceCase]:
    asking = [case.finding for case in cases if case.rule.engineers and case.cause is None]
    wanted = _untold_engineers(this, asking)
    return [replace(case, engineers=True) if case.finding.id in wanted else case for case in cases]
