"""Rules: which findings they fit, and what they ask for."""

from __future__ import annotations

from datetime import timedelta
from typing import Annotated, Literal

from pydantic import AfterValidator, Field, model_validator

from alerts.policy.facts import GROUP, Facts, Question, WarrantyState
from alerts.policy.section import Section
from alerts.policy.terms import Purpose
from hearthwatch.failure_modes import LIVENESS_MODES, MODES, UNUSUAL
from hearthwatch.records.models import SafetyClass
from hearthwatch.said import Said
from hearthwatch.values import Finding

Kind = Literal["anomaly", "prognosis", "cohort", "incident", "mismatch"]
NoticeKind = Literal["update", "replacement", "check_up"]
SeverityName = Literal["info", "warning", "critical"]

SEVERITIES: tuple[SeverityName, ...] = ("info", "warning", "critical")
_RANK: dict[str, int] = {name: number for number, name in enumerate(SEVERITIES)}


def _failure_mode(mode: str) -> str:
    known = (*MODES, UNUSUAL.id, *LIVENESS_MODES)
    if mode not in known and not mode.endswith("failure"):
        raise ValueError(Said("{mode} is no failure mode; there are {known}", mode=repr(mode), known=", ".join(known)))
    return mode


def _group(name: str) -> str:
    attribute, _, value = name.rpartition("=")
    if not value or (not attribute and "=" in name):
        raise ValueError(
            Said(
                "{name} is no device group; say pilot, or an attribute and its value: batch=24-07",
                name=f"{name!r:.60}",
            )
        )
    return f"{attribute or GROUP}={value}"


FailureModeId = Annotated[str, AfterValidator(_failure_mode)]
DeviceGroup = Annotated[str, AfterValidator(_group)]


class Rule(Section):
    """One rule. Empty lists fit everything; ``severity`` and ``probability`` are lower bounds.

    ``worth_it``: it acts only where acting is expected to cost less than the failure (`alerts.policy.costs`).
    """

    name: str = Field(min_length=1, max_length=120)
    kinds: tuple[Kind, ...] = Field((), strict=False)
    modes: tuple[FailureModeId, ...] = Field((), strict=False)
    parts: tuple[str, ...] = Field((), strict=False)
    models: tuple[str, ...] = Field((), strict=False)
    device_classes: tuple[str, ...] = Field((), strict=False)
    safety_classes: tuple[SafetyClass, ...] = Field((), strict=False)
    regions: tuple[str, ...] = Field((), strict=False)
    groups: tuple[DeviceGroup, ...] = Field((), strict=False)
    warranty: tuple[WarrantyState, ...] = Field((), strict=False)
    severity: SeverityName = "info"
    probability: float = Field(0, ge=0, le=1)
    hold_hours: float = Field(0, ge=0)
    worth_it: bool = False
    notice: NoticeKind | None = None
    purpose: Purpose = "service"
    urgent: bool = False
    all_channels: bool = False
    act_within_days: float = Field(14, gt=0)
    ticket: bool = False
    engineers: bool = False
    pause_rollout: bool = False

    @property
    def hold(self) -> timedelta:
        """How long a finding must have stood before this rule acts on it."""
        return timedelta(hours=self.hold_hours)

    @property
    def is_safety(self) -> bool:
        """Whether it warns of danger: then nothing holds it back but the brakes that a person pulls."""
        return self.purpose == "safety"

    @property
    def asks(self) -> frozenset[Question]:
        """What it wants to know of a device beside what stands in its row."""
        asked: dict[Question, bool] = {
            "model": bool(self.device_classes or self.safety_classes),
            "warranty": bool(self.warranty),
            "groups": bool(self.groups),
        }
        return frozenset(question for question, wanted in asked.items() if wanted)

    @model_validator(mode="after")
    def _makes_sense(self) -> Rule:
        if self.pause_rollout and set(self.kinds) != {"cohort"}:
            raise ValueError(Said("pause_rollout is for rules of kind cohort alone"))
        if self.all_channels and self.notice is None:
            raise ValueError(Said("all_channels is for rules that write a notice"))
        if self.worth_it and self.is_safety:
            raise ValueError(Said("a rule for safety is not weighed against costs: leave worth_it out"))
        return self


def misfit(rule: Rule, finding: Finding, part: str, facts: Facts, *, margin: float = 0.0) -> str | None:
    """The first key of a rule that a finding does not fit, None where it fits. ``margin`` lowers the line of the probability."""
    if rule.kinds and finding.kind not in rule.kinds:
        return "kinds"
    if rule.modes and finding.mode not in rule.modes:
        return "modes"
    if rule.parts and part not in rule.parts:
        return "parts"
    if rule.models and facts.model not in rule.models:
        return "models"
    if _RANK[finding.severity] < _RANK[rule.severity]:
        return "severity"
    if rule.regions and facts.region not in rule.regions:
        return "regions"
    if (about := _misfit_of_device(rule, facts)) is not None:
        return about
    if rule.probability and (finding.probability or 0.0) < rule.probability - margin:
        return "probability"
    return None


def _misfit_of_device(rule: Rule, facts: Facts) -> str | None:
    if rule.device_classes and facts.device_class not in rule.device_classes:
        return "device_classes"
    if rule.safety_classes and facts.safety_class not in rule.safety_classes:
        return "safety_classes"
    if rule.groups and facts.groups.isdisjoint(rule.groups):
        return "groups"
    if rule.warranty and facts.warranty not in rule.warranty:
        return "warranty"
    return None


def matched(rule: Rule, finding: Finding, part: str, facts: Facts) -> dict[str, object]:
    """What of a rule a finding matched, by key: only the keys that the rule gives."""
    values: dict[str, object] = {
        "kinds": finding.kind,
        "modes": finding.mode,
        "parts": part,
        "models": facts.model,
        "device_classes": facts.device_class,
        "safety_classes": facts.safety_class,
        "regions": facts.region,
        "warranty": facts.warranty,
    }
    told = {key: value for key, value in values.items() if getattr(rule, key)}
    if rule.groups:
        told["groups"] = sorted(facts.groups & set(rule.groups))
    if rule.severity != "info":
        told["severity"] = finding.severity
    if rule.probability:
        told["probability"] = finding.probability
    return told
