"""What the policy makes of one device's or group's finding, and why: pure, so that it can be replayed and explained."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Literal

from alerts.policy import decisions
from alerts.policy.costs import Account, account
from alerts.policy.facts import Facts
from alerts.policy.file import Policy, Rule
from alerts.policy.rules import matched
from hearthwatch.records.policy_decisions import Prior
from hearthwatch.values import Device, Finding, Release

Outcome = Literal["acts", "silent", "no_rule", "held", "costs", "waits_for_fix", "covered", "held_out"]


@dataclass(frozen=True, slots=True)
class Around:
    """What surrounds a finding: its device, why it is silent, the fix that is coming to the device, what was decided before."""

    device: Device | None
    facts: Facts
    silence: str | None
    coming: Release | None = None
    prior: Prior | None = None


@dataclass(frozen=True, slots=True)
class Judgement:
    """What comes of a finding. ``rule`` is the one that fits, whether or not it acts; ``pays`` is whether acting was worth its cost."""

    finding: Finding
    rule: Rule | None
    outcome: Outcome
    pays: bool = False
    why: Mapping[str, Any] = field(default_factory=dict)


Like = tuple[object, ...]
"""All that the reasons of a finding depend on; what is made of one holds for all that are like it."""


class Reasons:
    """Reasons that like findings share: they are made, and later compared, once for all of them."""

    def __init__(self, policy: Policy) -> None:
        self._policy = policy
        self._made: dict[Like, Mapping[str, Any]] = {}
        self._sums: dict[Like, Account] = {}

    def of_rule(self, finding: Finding, rule: Rule | None, around: Around) -> Mapping[str, Any]:
        """What a rule matched, and what it asks for; with the silence where there is one."""
        key = (*likeness(finding), around.facts, rule.name if rule else None, around.silence)
        made = self._made.get(key)
        if made is None:
            silent = {"silence": around.silence} if around.silence is not None else {}
            made = self._made[key] = {**_of_rule(self._policy, finding, rule, around), **silent}
        return made

    def with_cost(self, finding: Finding, rule: Rule, around: Around) -> tuple[Mapping[str, Any], Account]:
        """As `of_rule`, with the sums; and the sums."""
        key = (*likeness(finding), around.facts, rule.name, "cost")
        made = self._made.get(key)
        if made is None:
            sums = self._sums[key] = account_of(self._policy, finding, rule)
            made = self._made[key] = {
                **self.of_rule(finding, rule, around),
                "cost": told_cost(self._policy, sums),
            }
        return made, self._sums[key]


def likeness(finding: Finding) -> Like:
    """All that rules ask of a finding itself."""
    return finding.kind, finding.mode, finding.part, finding.severity, finding.probability


def judge(
    policy: Policy,
    finding: Finding,
    rule: Rule | None,
    around: Around,
    now: datetime,
    reasons: Reasons | None = None,
) -> Judgement:
    """Judge a finding that the given rule fits (None: no rule does). ``reasons`` are of the same policy and round."""
    shared = reasons or Reasons(policy)
    if around.silence is not None:
        return Judgement(finding, rule, "silent", why=shared.of_rule(finding, rule, around))
    if rule is None:
        return Judgement(finding, None, "no_rule", why=no_rule(policy, finding, around.facts))
    why = shared.of_rule(finding, rule, around)
    if not decisions.stands(finding, rule, now):
        return Judgement(finding, rule, "held", why={**why, "until": _text(finding.first_seen + rule.hold)})
    until = None if rule.is_safety else waits_until(policy, finding, around.coming, now)
    if until is not None and around.coming is not None:
        waits = {"version": around.coming.version, "until": _text(until)}
        return Judgement(finding, rule, "waits_for_fix", why={**why, "fix": waits})
    if not rule.worth_it:
        return Judgement(finding, rule, "acts", pays=True, why=why)
    told, sums = shared.with_cost(finding, rule, around)
    stood = around.prior is not None and around.prior.pays and around.prior.rule == rule.name
    pays = sums.pays(policy.hysteresis.probability if stood else 0.0)
    return Judgement(finding, rule, "acts" if pays else "costs", pays, told)


def no_rule(policy: Policy, finding: Finding, about: Facts) -> Mapping[str, Any]:
    """Why no rule fits a finding: the first key of each that it does not fit."""
    return {"tried": [list(one) for one in decisions.tried(policy, finding, about)]}


def account_of(policy: Policy, finding: Finding, rule: Rule) -> Account:
    """What acting by a rule on a finding costs, and what not acting does."""
    return account(
        policy.costs,
        part=decisions.part_of(finding),
        severity=finding.severity,
        probability=finding.probability,
        notice=rule.notice is not None,
        visit=rule.ticket,
    )


def told_cost(policy: Policy, sums: Account) -> dict[str, Any]:
    """The sums of an account as they are kept with a decision."""
    return {
        "currency": policy.costs.currency,
        "probability": round(sums.probability, 4),
        "assumed": sums.assumed,
        "failure": sums.failure,
        "acting": sums.acting,
        "false_alarm": sums.false_alarm,
        "loss": round(sums.loss, 2),
        "price": round(sums.price, 2),
    }


def waits_until(policy: Policy, finding: Finding, coming: Release | None, now: datetime) -> datetime | None:
    """Until when a finding waits for a release that fixes it and is on its way to the device; None where it does not.

    The time counts from when there was both the finding and the release. Critical findings wait for nothing.
    """
    if coming is None or finding.severity == "critical":
        return None
    since = max(finding.first_seen, coming.released_at)
    until = since + timedelta(days=policy.suppression.wait_for_fix_days)
    return until if until > now else None


def digest(outcome: str, why: Mapping[str, Any]) -> str:
    """A fingerprint of a decision's reasons."""
    text = json.dumps([outcome, why], sort_keys=True, separators=(",", ":"), default=str)
    return hashlib.blake2b(text.encode(), digest_size=8).hexdigest()


def _of_rule(policy: Policy, finding: Finding, rule: Rule | None, around: Around) -> dict[str, Any]:
    if rule is None:
        return {}
    told: dict[str, Any] = {
        "rule": rule.name,
        "number": policy.numbers[rule.name],
        "matched": matched(rule, finding, decisions.part_of(finding), around.facts),
        "purpose": rule.purpose,
        "asks": [name for name in ("notice", "ticket", "engineers", "pause_rollout") if getattr(rule, name)],
    }
    line = rule.probability
    if line and (finding.probability or 0.0) < line:
        told["kept_by_hysteresis"] = {"line": line, "margin": policy.hysteresis.probability}
    return told


def _text(at: datetime) -> str:
    return at.isoformat(timespec="minutes")
