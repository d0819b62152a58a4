"""Why notices were written and what the policy made of findings; policies checked and explained without being kept."""

from __future__ import annotations

import difflib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, Any

from fastapi import APIRouter, Path, Query

from alerts.policy.faults import as_problem
from alerts.policy.file import InvalidPolicy, Policy, digest, parse
from api import policy_explained, policy_words
from api.context import Context
from api.policy_words import Line, Say, said_in
from api.routes.findings import FindingId
from api.routes.policies import PolicyText, Version
from api.security import Reader
from hearthwatch.errors import Missing
from hearthwatch.records import findings, notice_findings, notices, policies, policy_decisions
from hearthwatch.records.notice_findings import ToldOf
from hearthwatch.records.policy_decisions import Decision

router = APIRouter(tags=["policies and sending"])

NoticeId = Annotated[int, Path(ge=1, le=2**53)]
Language = Annotated[str, Query(min_length=2, max_length=35, description="Of the words: en, zh-CN.")]


@dataclass(frozen=True, slots=True)
class Told:
    """One line of an explanation: what it is about, and what there is to say."""

    about: str
    text: str


@dataclass(frozen=True, slots=True)
class NoticeReasons:
    """Why a notice was written: the facts as they were kept, the same in words, and the findings it tells of where they are several."""

    notice_id: int
    why: Mapping[str, Any] | None
    words: Sequence[Told]
    findings: Sequence[ToldOf]


@dataclass(frozen=True, slots=True)
class FindingReasons:
    """What the policy made of a finding at its last look (null: none looked yet), the same in words, and the notices about it."""

    finding_id: int
    decision: Decision | None
    words: Sequence[Told]
    notices: Sequence[int]


@dataclass(frozen=True, slots=True)
class Checked:
    """Whether a text is a policy; if not, every fault with its key, line and rule. ``known_as``: the version that it is already."""

    valid: bool
    faults: Sequence[Mapping[str, Any]]
    name: str | None = None
    rules: int = 0
    known_as: int | None = None


@dataclass(frozen=True, slots=True)
class RuleInWords:
    """A rule: when it fits, and what it does then."""

    number: int
    name: str
    conditions: Sequence[str]
    consequences: Sequence[str]


@dataclass(frozen=True, slots=True)
class Explained:
    """A policy version in words."""

    version: int
    name: str
    rules: Sequence[RuleInWords]
    limits: Sequence[Told]


@dataclass(frozen=True, slots=True)
class Difference:
    """What is different between two versions, as a unified diff of their texts."""

    before: int
    after: int
    lines: Sequence[str]


@router.get("/notices/{notice_id}/why")
def why_notice(context: Context, _caller: Reader, notice_id: NoticeId, language: Language = "en") -> NoticeReasons:
    """Why a customer got a notice, or why it was held back."""
    with context.database.reading() as connection:
        notice = notices.get(connection, notice_id)
        told = notice_findings.of_notices(connection, [notice_id]).get(notice_id, [])
    words = _told(policy_words.of_notice(said_in(language), notice))
    return NoticeReasons(notice_id, notice.why, words, told)


@router.get("/findings/{finding_id}/why")
def why_finding(context: Context, _caller: Reader, finding_id: FindingId, language: Language = "en") -> FindingReasons:
    """What the policy made of a finding, and why; of one that became nothing, why not."""
    with context.database.reading() as connection:
        findings.get(connection, finding_id)
        decision = policy_decisions.find(connection, finding_id)
        written = [one.id for one in notices.of_findings(connection, [finding_id])]
        among = notice_findings.notice_of(connection, finding_id)
    words = _told(policy_words.of_decision(said_in(language), decision)) if decision else []
    return FindingReasons(finding_id, decision, words, sorted({*written, *([among] if among else [])}))


@router.post("/policies/validate")
def validate(context: Context, _caller: Reader, body: PolicyText) -> Checked:
    """Check a text without keeping it: every fault with its key, its line and the rule it is in."""
    try:
        policy = parse(body.text)
    except InvalidPolicy as error:
        return Checked(valid=False, faults=[as_problem(fault) for fault in error.faults])
    with context.database.reading() as connection:
        known = policies.with_digest(connection, digest(body.text))
    version = known.version if known else None
    return Checked(valid=True, faults=[], name=policy.name, rules=len(policy.rules), known_as=version)


@router.get("/policies/{version}/explanation")
def explain(context: Context, _caller: Reader, version: Version, language: Language = "en") -> Explained:
    """A version in words, rule by rule."""
    with context.database.reading() as connection:
        found = policies.get(connection, version)
    return _explained(said_in(language), version, parse(found.text))


@router.get("/policies/{version}/difference")
def difference(
    context: Context,
    _caller: Reader,
    version: Version,
    against: Annotated[
        int | None, Query(ge=1, le=2**31, description="Another version; the one in force by default.")
    ] = None,
) -> Difference:
    """What a version changes against another."""
    with context.database.reading() as connection:
        after = policies.get(connection, version)
        before = policies.get(connection, against) if against is not None else policies.current(connection)
    if before is None:
        raise Missing("there is no policy in force")
    lines = difflib.unified_diff(before.text.splitlines(), after.text.splitlines(), lineterm="", n=2)
    return Difference(before.version, after.version, list(lines)[2:])


def _explained(say: Say, version: int, policy: Policy) -> Explained:
    rules = [
        RuleInWords(number, rule.name, policy_explained.conditions(say, rule), policy_explained.consequences(say, rule))
        for number, rule in enumerate(policy.rules, 1)
    ]
    return Explained(version, policy.name, rules, _told(policy_explained.limits(say, policy)))


def _told(lines: Sequence[Line]) -> list[Told]:
    return [Told(about, text) for about, text in lines]
