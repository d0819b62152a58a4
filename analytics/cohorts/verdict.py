"""What is said about a release, and why, in plain words."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np

from analytics.cohorts.spec import SAME_HIGH, SAME_LOW, Metric
from analytics.cohorts.weighing import Ratio, Weight

Word = Literal["worse", "better", "same", "too_early", "confounded"]

WHY_LENGTH = 400


@dataclass(frozen=True, slots=True)
class Verdict:
    """A verdict on one metric of a release. ``ratio`` is the effect it rests on, or None where none can be given."""

    word: Word
    why: str
    ratio: Ratio | None


@dataclass(frozen=True, slots=True)
class Standing:
    """Where the stream stands among all streams: chosen by e-BH at the page and the watch level, called `worse` before; ``needed`` is
    the e-value that would page if it were alone."""

    paged: bool
    watched: bool
    latched: bool
    needed: float


@dataclass(frozen=True, slots=True)
class Names:
    """How the arms are called in sentences."""

    treatment: str
    control: str


def judge(
    metric: Metric,
    weight: Weight,
    standing: Standing,
    names: Names,
    *,
    guard: int,
    margin: float,
    final: bool = False,
) -> Verdict:
    """The verdict of one look.

    `worse` needs e-BH at the page level and an interval above 1; once said it stays until the interval lies within the equivalence
    bounds or below 1. Without randomised waves only the comparison with each device's own past may say it. ``final``: no more data will
    come, so that a difference without a past to compare with is `confounded` for good and not `too_early`.
    """
    ratio = weight.ratio
    settled = _settled(weight, margin)
    if standing.latched and settled is None:
        return Verdict("worse", _cut(f"{_effect(metric, weight, names)} {_proof(weight, standing)}"), ratio)
    if standing.paged and ratio is not None and ratio.low > 1.0 and weight.log_e > 0:
        return Verdict("worse", _cut(f"{_effect(metric, weight, names)} {_proof(weight, standing)}"), ratio)
    if weight.arms_drifted:
        return Verdict("confounded", _cut(_drifted(names)), ratio)
    if settled is not None:
        return Verdict(settled, _cut(f"{_effect(metric, weight, names)} {_meaning(settled)}"), ratio)
    if weight.arms_differed and weight.rate is not None:
        return Verdict(
            "confounded", _cut(f"{_differed(metric, weight, names)} {_effect(metric, weight, names)}"), ratio
        )
    if final and _unexplained(weight, margin):
        return Verdict("confounded", _cut(f"{_effect(metric, weight, names)} {_NO_PAST}"), ratio)
    note = " It is on the watch list." if standing.watched and weight.log_e > 0 else ""
    return Verdict("too_early", _cut(_lacking(metric, weight, names, guard) + note), ratio)


def _settled(weight: Weight, margin: float) -> Literal["better", "same"] | None:
    """What the rate's interval has settled; the interval of first events alone settles nothing."""
    rate = weight.rate
    if rate is None or weight.arms_drifted:
        return None
    if rate.high < (1.0 if weight.assignment == "randomised" else 1.0 / margin):
        return "better"
    return "same" if rate.low >= SAME_LOW and rate.high <= SAME_HIGH else None


_NO_PAST = (
    "But devices changed it at different times, and too few are known with events of their own before that: "
    "who changed first can not be told from what it does."
)


def _unexplained(weight: Weight, margin: float) -> bool:
    """A difference between arms that chose themselves, with no past to hold against it."""
    seen = weight.unadjusted
    if weight.assignment == "randomised" or weight.past_known or seen is None:
        return False
    return seen.low > margin or seen.high < 1.0 / margin


def _effect(metric: Metric, weight: Weight, names: Names) -> str:
    ratio = weight.ratio
    if ratio is None:
        return ""
    how = ""
    if weight.rate is None and weight.first is not None:
        how = ", by first events"
    elif weight.rate is not None and weight.assignment != "randomised":
        how = ", each device against its own past"
    return (
        f"Devices on {names.treatment} {metric.says} {_number(ratio.value)} times as often as on {names.control} at the same time "
        f"(95 %: {_number(ratio.low)} to {_number(ratio.high)}{how})."
    )


def _proof(weight: Weight, standing: Standing) -> str:
    if standing.paged:
        return f"Evidence {_number(np.exp(min(weight.log_e, 700.0)))} against chance; {_number(standing.needed)} is enough."
    return "It was shown before and nothing has refuted it since."


def _meaning(settled: str) -> str:
    if settled == "better":
        return "The whole interval lies below 1."
    return f"The whole interval lies within {SAME_LOW:.2f} to {SAME_HIGH:.2f}."


def _drifted(names: Names) -> str:
    return (
        f"The devices that have {names.treatment} were already drifting away from the others before it came, "
        "so what they do now can not be laid at its door."
    )


def _differed(metric: Metric, weight: Weight, names: Names) -> str:
    before = weight.before or 1.0
    more = f"{_number(before)} times as often as the others" if before > 1 else f"only {_number(before)} times as often"
    return f"The devices that have {names.treatment} did {metric.says} {more} already before it came."


def _lacking(metric: Metric, weight: Weight, names: Names, guard: int) -> str:
    treated, control = weight.devices
    if not treated or not control:
        missing = names.treatment if not treated else names.control
        return f"No hours on {missing} at a time when the other ran as well."
    few = min(weight.devices_with_events)
    if weight.assignment == "randomised":
        if few < guard and metric.repeats:
            return f"Events on {few} devices of the smaller arm: below {guard} only the exact test of first events may speak."
        return f"Not settled yet. {_effect(metric, weight, names)}".strip()
    if not metric.repeats:
        return "First events can be compared only where the waves were randomised."
    if not weight.past_known:
        return (
            "It is not known that the waves were randomised, and too few devices were seen with events before the update "
            f"({guard} in each arm are needed), so who updated first can not be told from what the release does."
        )
    if few < guard:
        return f"Events on {few} devices of the smaller arm: {guard} are needed where the waves were not randomised."
    return f"Not settled yet. {_effect(metric, weight, names)}".strip()


def _number(value: float) -> str:
    if not np.isfinite(value):
        return "any number"
    if value >= 1e5:
        return f"{value:.0e}".replace("e+0", "e").replace("e+", "e")
    if value >= 100:
        return f"{value:.0f}"
    return f"{value:.2f}"


def _cut(text: str) -> str:
    return text if len(text) <= WHY_LENGTH else text[: WHY_LENGTH - 1] + "…"
