"""What the policy would do about one finding if it were live now, and a letter to look at; nothing is written but a test letter."""

from __future__ import annotations

import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Connection

from alerts.channels.addresses import channel_of
from alerts.notices import issue
from alerts.notices.catalogue import choose
from alerts.notices.issue import Mail
from alerts.notices.wording import Letter, Reader, Subject, write
from alerts.policy import decisions, facts
from alerts.policy.bad_releases import release_of
from alerts.policy.cases import DeviceCase, NoticeCase, Survey, WorseRelease
from alerts.policy.decisions import TicketStep
from alerts.policy.file import default_text, parse
from alerts.policy.quiet import zone
from alerts.policy.survey import survey
from alerts.tickets import opening
from hearthwatch.errors import Invalid, Missing
from hearthwatch.records import audit, devices, findings, liveness, outbox, policies, releases
from hearthwatch.records.policies import PolicyVersion
from hearthwatch.values import Finding

NO_LINK = "test"  # of a test letter; it opens nothing
SHOWN = 50
SOMEBODY = "…"
"""Stands for a customer's name in a letter."""


@dataclass(frozen=True, slots=True)
class PreviewNotice:
    """A notice as it would be written; its link is masked. Without names ``customer_id`` is empty and the letter greets nobody."""

    customer_id: str
    devices: tuple[str, ...]
    kind: str
    state: str
    reason: str | None
    send_after: datetime
    letter: Letter


@dataclass(frozen=True, slots=True)
class Preview:
    """What would come of a finding. ``silent`` says why nothing would; ``held_until`` is when its rule begins to act.

    ``outcome`` and ``why`` are those of `alerts.policy.judgement`: also costs that are not worth it, or a fix that is waited for.
    ``held_out``: nothing, for a share of ``held_out_share`` of such findings is drawn, to learn what happens without a notice.
    """

    finding_id: int
    policy_version: int
    rule: str | None
    silent: str | None
    held_until: datetime | None
    ticket: str
    title: str
    priority: int | None
    due_at: datetime | None
    engineers: bool
    pause_rollout: bool
    count: int
    notices: tuple[PreviewNotice, ...]
    held_out: bool = False
    held_out_share: float = 0.0
    outcome: str = ""
    why: Mapping[str, Any] = field(default_factory=dict)


def preview(connection: Connection, finding_id: int, *, mail: Mail, now: datetime, names: bool = True) -> Preview:
    """What the present policy would do about a finding if it were live; ``names``: with the customers'. Raises `Missing`."""
    version = _policy(connection)
    finding = findings.get(connection, finding_id)
    device = devices.find(connection, [finding.subject]).get(finding.subject)
    policy = parse(version.text)
    rule = decisions.rule_for(policy, finding, facts.of_device(connection, device, now))
    acts_at = finding.first_seen + rule.hold if rule is not None else now
    held_until = acts_at if acts_at > now else None
    then = max(now, acts_at)
    found = survey(connection, replace(version, mode="live"), then, {finding.subject})
    judged = found.judged.get(finding_id)
    mine = [case for case in found.notices if case.finding.id == finding_id]
    effect = next((one for one in _effects(found) if one.finding.id == finding_id), None)
    step: TicketStep = effect.step if effect else "none"
    rank = decisions.priority(finding, rule) if rule and step in {"open", "reopen"} else None
    return Preview(
        finding_id=finding_id,
        policy_version=version.version,
        rule=rule.name if rule else None,
        silent=decisions.silence(finding, device, (), now, liveness.in_incidents(connection).get(finding.subject)),
        held_until=held_until,
        ticket=step,
        title=opening.title(finding, device),
        priority=rank,
        due_at=decisions.due(policy, rank, then) if rank else None,
        engineers=effect is not None and effect.engineers,
        pause_rollout=any(one.pause for one in found.releases if one.finding.id == finding_id),
        count=len(mine),
        notices=_letters(
            connection, mine[:SHOWN] if names else [_nameless(one) for one in mine[:SHOWN]], version, mail, then
        ),
        held_out=any(case.finding.id == finding_id for case in found.held_out),
        held_out_share=policy.hold_out.share,
        outcome=judged.outcome if judged else "",
        why=dict(judged.why) if judged else {},
    )


def _nameless(case: NoticeCase) -> NoticeCase:
    nobody = replace(case.owner.customer, id="", name=SOMEBODY)
    return replace(case, owner=replace(case.owner, customer=nobody))


def _effects(found: Survey) -> list[DeviceCase | WorseRelease]:
    return [*found.devices, *found.releases]


def _letters(
    connection: Connection, cases: Sequence[NoticeCase], version: PolicyVersion, mail: Mail, now: datetime
) -> tuple[PreviewNotice, ...]:
    policy = parse(version.text)
    return tuple(
        PreviewNotice(
            customer_id=case.owner.customer.id,
            devices=case.devices,
            kind=case.kind,
            state=case.plan.state,
            reason=case.plan.reason,
            send_after=case.plan.send_after,
            letter=issue.compose(issue.draft_of(connection, case, policy, now), policy, mail),
        )
        for case in cases
    )


def test_send(
    connection: Connection,
    finding_id: int,
    address: str,
    *,
    mail: Mail,
    language: str,
    kind: str,
    actor: str,
    now: datetime,
) -> None:
    """Send a colleague the letter a customer would get about a finding, marked as a test; its link opens nothing.

    It leaves through the outbox like any other, whatever the policy's mode. Raises `Missing`, or `Invalid` for an address or a kind
    nothing serves.
    """
    channel = channel_of(address)
    if channel is None:
        raise Invalid("no channel serves this address", where="address")
    if kind not in {"update", "replacement", "check_up"}:
        raise Invalid("a test is an update, a replacement or a check_up", where="kind")
    finding = findings.get(connection, finding_id)
    letter = _sample(connection, finding, mail, language, kind, now).with_token(NO_LINK)
    outbox.put(
        connection,
        kind="notice",
        channel=channel,
        address=address,
        payload={"subject": f"[TEST] {letter.subject}", "text": letter.text, "html": letter.html},
        key=f"test:{finding_id}:{secrets.token_hex(8)}",
        now=now,
    )
    detail = {"finding_id": finding_id, "language": language}
    audit.note(connection, at=now, actor=actor, action="notice.test", object=f"finding:{finding_id}", detail=detail)


def _sample(connection: Connection, finding: Finding, mail: Mail, language: str, kind: str, now: datetime) -> Letter:
    device = devices.find(connection, [finding.subject]).get(finding.subject)
    bad = release_of(connection, finding.kind, finding.subject)
    model = bad.model if bad else device.model if device else None
    fix = releases.fix_for(connection, model, bad.version if bad else finding.mode) if model else None
    act_by = now + timedelta(days=14)
    version = policies.current(connection)
    policy = parse(version.text if version else default_text())
    offer = issue.offer_of(connection, policy, kind, finding.subject, finding, act_by, now)
    subject = Subject(
        kind=kind,
        mode=finding.mode,
        product=issue.product_name(connection, model),
        devices=(finding.subject,),
        act_by=act_by,
        version=fix.version if fix else None,
        whole_release=finding.kind == "cohort",
        part=offer.part if offer else None,
        cost=offer.cost(choose(language)) if offer else None,
    )
    return write(
        subject,
        Reader("Test", language, zone(None, "UTC")),
        mail.brand,
        public_url=mail.public_url,
        link_until=now + mail.link_life,
    )


def _policy(connection: Connection) -> PolicyVersion:
    version = policies.current(connection)
    if version is None:
        raise Missing("there is no policy in force")
    return version
