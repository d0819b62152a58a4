"""Which failure mode a report is about: by what was chosen, what its words say, and what was found on the device; each with its weight.

The weights are a judgement, not learned: what a person chose outweighs any one other sign, and two signs together outweigh it.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from alerts.intake.complaints import BY_ID, in_words
from hearthwatch.failure_modes import LIVENESS_MODES, MODES
from hearthwatch.values import Finding

CHOSEN, SAID = 3.0, 2.0
FOUND: Mapping[str, float] = {"critical": 2.0, "warning": 1.5, "info": 1.0}
SAME_SIGN: Mapping[str, str] = {"silent": "wifi_failing", "flapping": "wifi_failing", "unusual": ""}
"""What a person means by it: they see that a device can not be reached, not why."""


@dataclass(frozen=True, slots=True)
class Classified:
    """The mode, None where nothing speaks for one, its part, and what spoke for which mode (``by``, ``what``, ``mode``, ``weight``)."""

    mode: str | None
    part: str | None
    why: tuple[Mapping[str, Any], ...]


def classify(complaint: str, text: str, findings: Sequence[Finding]) -> Classified:
    """Weigh the signs. Findings are those that stand on the device."""
    why = [*_chosen(complaint), *_said(text), *_found(findings)]
    votes: defaultdict[str, float] = defaultdict(float)
    for one in why:
        if one["mode"]:
            votes[one["mode"]] += one["weight"]
    people = {one["mode"] for one in why if one["by"] != "finding"}
    # What is found on a device says nothing about what its user means, unless they named nothing that has a mode.
    spoken_of = {mode: weight for mode, weight in votes.items() if mode in people} or dict(votes)
    mode = max(sorted(spoken_of), key=lambda one: spoken_of[one], default=None)
    return Classified(mode, part_of(mode), tuple(why))


def part_of(mode: str | None) -> str | None:
    """The part that a failure mode belongs to, if one."""
    return MODES[mode].part or None if mode in MODES else None


def is_mode(mode: str) -> bool:
    """Whether a report may be classified as this."""
    return mode in MODES or mode in LIVENESS_MODES


def _chosen(complaint: str) -> list[dict[str, Any]]:
    mode = BY_ID[complaint].mode
    return [{"by": "choice", "what": complaint, "mode": mode, "weight": CHOSEN}] if mode else []


def _said(text: str) -> list[dict[str, Any]]:
    return [
        {"by": "words", "what": word, "mode": BY_ID[complaint].mode, "weight": SAID}
        for complaint, word in in_words(text).items()
        if BY_ID[complaint].mode
    ]


def _found(findings: Sequence[Finding]) -> list[dict[str, Any]]:
    return [
        {
            "by": "finding",
            "what": str(one.id),
            "mode": SAME_SIGN.get(one.mode, one.mode),
            "weight": FOUND.get(one.severity, 1.0),
        }
        for one in findings
    ]
