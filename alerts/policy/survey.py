"""What the standing findings ask for right now: read in a few batched queries, decided by `alerts.policy.decisions`, nothing changed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime

from sqlalchemy import Connection

from alerts.policy import decisions, hold_out, notice_survey
from alerts.policy.bad_releases import release_of, still_runs
from alerts.policy.cases import DeviceCase, Survey, WorseRelease
from alerts.policy.current_round import Round
from alerts.policy.file import Rule, parse
from alerts.policy.fixes import Fixes
from hearthwatch.records import brakes, customers, devices, findings, hold_outs, liveness, outages, outbox, tickets
from hearthwatch.records.policies import PolicyVersion
from hearthwatch.values import Device, Finding, Ticket

ALL = 1_000_000
STANDING = ("open", "acknowledged")


def survey(connection: Connection, version: PolicyVersion, now: datetime) -> Survey:
    """Look at every finding that is open or acknowledged, under one policy."""
    found = findings.list_findings(connection, states=STANDING, limit=ALL)[::-1]
    if not found and not hold_outs.any_standing(connection):
        return Survey()
    live = version.mode == "live"
    planned, incidents = outages.at(connection, now), liveness.in_incidents(connection)
    this = Round(connection, parse(version.text), live, now, planned, incidents, Fixes(connection))
    linked = tickets.of_findings(connection, [one.id for one in found])
    worse = [one for finding in found if (one := _worse_release(this, finding, linked.get(finding.id))) is not None]
    mine = [finding for finding in found if finding.subject_type in {"device", "group"}]
    known = devices.find(connection, sorted({finding.subject for finding in mine if finding.subject_type == "device"}))
    held = _device_cases(this, mine, known, linked, worse)
    cases = _with_owners(this, held.cases)
    held_out = tuple(case for case in cases if case.held_out) if live else ()
    return Survey(
        releases=tuple(worse),
        devices=tuple(case for case in cases if case.step != "none" or case.engineers),
        notices=(
            *notice_survey.released(this, found, known, worse),
            *notice_survey.about_devices(this, cases),
            *notice_survey.about_releases(this, worse),
        ),
        hold=tuple(case for case in held_out if case.finding.id not in held.known),
        let_go=tuple(held.ended.items()),
        held_out=held_out,
    )


def _worse_release(this: Round, finding: Finding, ticket: Ticket | None) -> WorseRelease | None:
    release = release_of(this.connection, finding.kind, finding.subject)
    if release is None or not decisions.is_worse(finding):
        return None
    one = WorseRelease(finding, None, release, this.fixes.find(release.model, release.version), ticket)
    rule = decisions.rule_for(this.policy, finding, release.model)
    quiet = decisions.silence(finding, None, (), this.now) is not None
    if rule is None or quiet or not decisions.stands(finding, rule, this.now):
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
        engineers=_engineers_want(this, rule, finding),
    )


def pause_name(finding: Finding) -> str:
    """The brake that says a rollout was paused for a finding: once, so that a person may let it roll again."""
    return f"rollout:{finding.id}"


def alert_key(finding: Finding) -> str:
    """The idempotency key of the engineers' alert about a finding, without the number of its address."""
    return f"engineer:{finding.id}"


def _never_paused(this: Round, finding: Finding) -> bool:
    return brakes.find(this.connection, pause_name(finding)) is None


def _engineers_want(this: Round, rule: Rule, finding: Finding) -> bool:
    if not (this.live and rule.engineers and this.policy.engineers.addresses):
        return False
    return not outbox.known(this.connection, [f"{alert_key(finding)}:0"])


def _device_cases(
    this: Round,
    found: Sequence[Finding],
    known: Mapping[str, Device],
    linked: Mapping[int, Ticket],
    worse: Sequence[WorseRelease],
) -> hold_out.Sorted:
    ruled: list[tuple[Finding, Rule, Device | None]] = []
    for finding in found:
        device = known.get(finding.subject)
        incident = this.incidents.get(finding.subject)
        if decisions.silence(finding, device, this.outages, this.now, incident) is not None:
            continue
        rule = decisions.rule_for(this.policy, finding, device.model if device else None)
        if rule is not None and decisions.stands(finding, rule, this.now):
            ruled.append((finding, rule if finding.subject_type == "device" else _for_engineers(rule), device))
    by_firmware = {(one.release.model, one.release.version): one for one in worse if one.has_ticket or not this.live}
    cases = []
    for finding, rule, device in ruled:
        cause = by_firmware.get((device.model or "", device.version or "")) if device else None
        if cause is not None and not decisions.covered(this.policy, finding):
            cause = None
        case = DeviceCase(finding, rule, device, None, linked.get(finding.id), "none", cause)
        cases.append(_judged(this, case) if this.live else case)
    return hold_out.sort(this, cases)


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
    return [
        replace(case, owner=owners.get(case.finding.subject), wants_notice=case.finding.id in wanting) for case in cases
    ]


def _judged(this: Round, case: DeviceCase) -> DeviceCase:
    cover = case.cause is not None
    step = decisions.ticket_step(this.policy, case.finding, case.rule, case.ticket, cover=cover)
    return replace(case, step=step, engineers=not cover and _engineers_want(this, case.rule, case.finding))
