"""One round: what the standing findings ask for is done, in one transaction."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime

from sqlalchemy import Connection

from alerts.channels.addresses import channel_of
from alerts.notices import issue
from alerts.notices.issue import Mail
from alerts.notices.withdrawing import take_back
from alerts.policy import brakes
from alerts.policy.cases import DeviceCase, NoticeCase, Survey, WorseRelease
from alerts.policy.decisions import NoticePlan, part_of
from alerts.policy.file import Policy, Rule, parse
from alerts.policy.survey import alert_key, pause_name
from alerts.tickets import opening
from hearthwatch.reason_words import of_evidence
from hearthwatch.records import (
    audit,
    hold_outs,
    notice_findings,
    notices,
    outbox,
    policy_decisions,
    releases,
    ticket_findings,
)
from hearthwatch.records import brakes as brake_rows
from hearthwatch.records.notice_findings import ToldOf
from hearthwatch.records.outbox import Leaving
from hearthwatch.records.policies import PolicyVersion
from hearthwatch.values import Finding, Notice, Ticket

POLICY = "policy"
WARNED = "overtaken: it is a matter of safety by now, and the customer is warned of it"


def carry_out(
    connection: Connection,
    survey: Survey,
    version: PolicyVersion,
    mail: Mail,
    now: datetime,
    *,
    ask_devices: bool = True,
) -> Counter[str]:
    """Do what a survey found. Returns what was done, counted. Without ``ask_devices`` no device is asked for diagnostics."""
    policy = parse(version.text) if ask_devices else _without_questions(parse(version.text))
    done: Counter[str] = Counter()
    _hold_out(connection, survey, policy, version, now, done)
    parents = {one.finding.id: _for_release(connection, policy, one, now, done) for one in survey.releases}
    for case in survey.devices:
        _for_device(connection, policy, case, parents, now, done)
    _tell_engineers(connection, policy, survey, now, done)
    for notice in _within_the_limit(connection, survey.notices, policy, version, now, done):
        _write(connection, notice, policy, version, mail, now, done)
    policy_decisions.keep(connection, survey.decisions)
    return done


def _without_questions(policy: Policy) -> Policy:
    return policy.model_copy(update={"tickets": policy.tickets.model_copy(update={"diagnostics": False})})


def _hold_out(
    connection: Connection, survey: Survey, policy: Policy, version: PolicyVersion, now: datetime, done: Counter[str]
) -> None:
    for finding_id, why in survey.let_go:
        hold_outs.end(connection, finding_id, why, POLICY, now)
        done["hold_outs_ended"] += 1
    for case in survey.hold:
        part, share = part_of(case.finding), policy.hold_out.share
        done["held_out"] += hold_outs.begin(
            connection, case.finding, part, share=share, policy_version=version.version, now=now
        )


def _for_release(
    connection: Connection, policy: Policy, one: WorseRelease, now: datetime, done: Counter[str]
) -> Ticket | None:
    if one.rule is None or not one.asks:
        return one.ticket
    ticket = opening.for_release(connection, policy, one, one.rule, now)
    if one.step in {"open", "reopen"}:
        done["tickets"] += 1
    if one.pause:
        _pause_rollout(connection, one, now)
        done["rollouts_paused"] += 1
    return ticket


def _pause_rollout(connection: Connection, one: WorseRelease, now: datetime) -> None:
    releases.set_status(connection, one.release.id, None, "paused")
    detail = {"release_id": one.release.id, "finding_id": one.finding.id}
    brake_rows.put(connection, pause_name(one.finding), on=True, detail=detail, actor=POLICY, now=now)
    audit.note(
        connection, at=now, actor=POLICY, action="release.pause", object=f"release:{one.release.id}", detail=detail
    )


def _for_device(
    connection: Connection,
    policy: Policy,
    case: DeviceCase,
    parents: dict[int, Ticket | None],
    now: datetime,
    done: Counter[str],
) -> None:
    if case.step in {"cover", "adopt"}:
        parent = parents.get(case.cause.finding.id) if case.cause else None
        if parent is not None:
            opening.cover(connection, case, parent, now)
            done["covered"] += 1
    elif case.step != "none":
        opening.for_device(connection, policy, case, now)
        done["tickets" if case.step in {"open", "reopen"} else "raised"] += 1


def _tell_engineers(connection: Connection, policy: Policy, survey: Survey, now: datetime, done: Counter[str]) -> None:
    """Write what engineers are to know into the outbox, once all tickets of the round are there to be named."""
    about = [(one.finding, one.rule) for one in survey.releases if one.rule is not None and one.asks and one.engineers]
    about += [(case.finding, case.rule) for case in survey.devices if case.engineers]
    if not about:
        return
    ids = ticket_findings.ids_of_findings(connection, [finding.id for finding, _ in about])
    alerts = (
        Leaving(
            kind="engineer",
            channel=channel_of(address) or "",
            address=address,
            payload=payload,
            key=f"{alert_key(finding)}:{number}",
            next_at=now,
        )
        for finding, rule in about
        for payload in [_alert(finding, rule, ids.get(finding.id))]
        for number, address in enumerate(policy.engineers.addresses)
    )
    outbox.put_all(connection, alerts, now)
    done["engineers"] += len(about)


def _alert(finding: Finding, rule: Rule, ticket: int | None) -> dict[str, str]:
    metrics = ", ".join(str(name) for name in finding.evidence.get("metrics", ()))
    lines = [
        f"{finding.kind} {finding.mode} of {_named(finding)}: {finding.severity}",
        f"seen {finding.first_seen:%Y-%m-%d %H:%M} to {finding.last_seen:%Y-%m-%d %H:%M} UTC",
        f"because of: {metrics}" if metrics else "",
        f"rule: {rule.name}",
        f"ticket: {ticket}" if ticket else "",
    ]
    if finding.kind == "prognosis":
        lines[2:3] = of_evidence(finding.evidence) or lines[2:3]
    else:
        lines[2:2] = [reason for reason in finding.evidence.get("reasons", ()) if isinstance(reason, str)][:1]
    text = "\n".join(line for line in lines if line)
    return {"subject": lines[0], "text": text, "html": ""}


def _named(finding: Finding) -> str:
    """The subject as an engineer knows it: a release by model and version, a comparison by what it compares."""
    told = finding.evidence
    if told.get("name"):
        return str(told["name"])
    return (
        f"{told['model']} {told['version']}"
        if finding.subject_type == "release" and told.get("version")
        else finding.subject
    )


def _within_the_limit(
    connection: Connection,
    cases: Sequence[NoticeCase],
    policy: Policy,
    version: PolicyVersion,
    now: datetime,
    done: Counter[str],
) -> Sequence[NoticeCase]:
    """The cases as they are, or held for a second person when too many would leave in one round."""
    leaving = sum(case.plan.state == "queued" and not case.released for case in cases)
    if leaving <= policy.notices.per_round:
        return cases
    round_id = brakes.hold_round(connection, now, notices=leaving, first=version.live_by or "")
    done["held"] += leaving
    reason = brake_rows.ROUND + round_id
    return [
        case if case.released or case.plan.state != "queued" else replace(case, plan=NoticePlan("held", reason, now))
        for case in cases
    ]


def _write(
    connection: Connection,
    case: NoticeCase,
    policy: Policy,
    version: PolicyVersion,
    mail: Mail,
    now: datetime,
    done: Counter[str],
) -> None:
    draft = issue.draft_of(connection, case, policy, now)
    if case.existing is not None:
        notice: Notice | None = issue.bring(
            connection, case.existing, draft, policy, mail, policy_version=version.version, now=now
        )
    else:
        notice = issue.issue(connection, draft, policy, mail, policy_version=version.version, now=now)
    if notice is not None and (case.existing is None or notice.revision != case.existing.revision):
        notice_findings.add(connection, (ToldOf(notice.id, *member) for member in case.members))
    if notice is not None and notice.state == "queued" and case.rule.is_safety:
        _take_back_lesser(connection, notice, now)
    if case.plan.state != "held":
        done[case.plan.state] += 1


def _take_back_lesser(connection: Connection, warning: Notice, now: datetime) -> None:
    """A letter that waits, tells of the same finding as of a lesser matter, and of nothing else, is overtaken by the warning."""
    about = [warning.finding_id] if warning.finding_id is not None else []
    earlier = [one for one in notices.of_findings(connection, about) if one.id != warning.id]
    among_others = notice_findings.of_notices(connection, [one.id for one in earlier])
    for one in earlier:
        lesser = one.customer_id == warning.customer_id and not notices.is_warning(one.why)
        if lesser and one.id not in among_others:
            take_back(connection, one, WARNED, POLICY, now)
