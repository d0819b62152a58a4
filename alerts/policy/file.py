"""The policy file: which finding becomes what. TOML, checked key by key."""

from __future__ import annotations

import hashlib
import tomllib
from functools import cached_property, lru_cache
from importlib import resources
from typing import Any

from pydantic import Field, ValidationError

from alerts.policy.costs import Costs
from alerts.policy.facts import Question
from alerts.policy.faults import Fault, InvalidPolicy, fault_at, of_syntax, of_values, refused
from alerts.policy.rules import SEVERITIES, Rule
from alerts.policy.section import Section
from alerts.policy.terms import (
    Engineers,
    HoldOut,
    Holidays,
    Hysteresis,
    NoticeLimits,
    QuietHours,
    Suppression,
    SurveyTerms,
    TicketTerms,
)
from alerts.policy.toml_lines import lines_of
from alerts.remedies.terms import RemedyTerms
from alerts.sla.terms import SlaTerms
from hearthwatch.said import Said

__all__ = ["SEVERITIES", "Fault", "HoldOut", "InvalidPolicy", "Policy", "Rule", "default_text", "digest", "parse"]

DEFAULT = "default_policy.toml"


class Policy(Section):
    """A whole policy, checked."""

    name: str = Field(min_length=1, max_length=120)
    notices: NoticeLimits = NoticeLimits()
    quiet_hours: QuietHours = QuietHours()
    holidays: Holidays = Holidays()
    engineers: Engineers = Engineers()
    suppression: Suppression = Suppression()
    hysteresis: Hysteresis = Hysteresis()
    costs: Costs = Costs()
    tickets: TicketTerms = TicketTerms()
    hold_out: HoldOut = HoldOut()
    survey: SurveyTerms = SurveyTerms()
    sla: SlaTerms = SlaTerms()
    remedies: RemedyTerms = RemedyTerms()
    rules: tuple[Rule, ...] = Field(min_length=1, strict=False)

    @cached_property
    def numbers(self) -> dict[str, int]:
        """Where each rule stands, from 1, by name."""
        return {rule.name: number for number, rule in enumerate(self.rules, 1)}

    @cached_property
    def asks(self) -> frozenset[Question]:
        """What its rules want to know of devices beside what stands in their rows."""
        return frozenset(question for rule in self.rules for question in rule.asks)


@lru_cache(maxsize=16)
def parse(text: str) -> Policy:
    """A policy from its text. Raises `InvalidPolicy`, which names every fault by key, line and rule."""
    try:
        given = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise of_syntax(error, text) from None
    try:
        policy = Policy.model_validate(given)
    except ValidationError as error:
        raise of_values(error, Policy, text, given) from None
    twice = _named_twice(policy, text, given)
    if twice:
        raise refused(twice)
    return policy


def _named_twice(policy: Policy, text: str, given: dict[str, Any]) -> list[Fault]:
    names = [rule.name for rule in policy.rules]
    found = lines_of(text) if len(set(names)) < len(names) else {}
    return [
        fault_at(("rules", number, "name"), Said("another rule has this name already"), found, given)
        for number, name in enumerate(names)
        if name in names[:number]
    ]


def digest(text: str) -> str:
    """The fingerprint that tells versions of a policy apart; line ends and trailing blanks do not count."""
    lines = [line.rstrip() for line in text.strip().splitlines()]
    return hashlib.sha256("\n".join(lines).encode()).hexdigest()


def default_text() -> str:
    """The policy that comes with Hearthwatch."""
    return (resources.files("alerts") / DEFAULT).read_text(encoding="utf-8")
