"""What is said about a release, and why, in plain words."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np

from analytics.cohorts.decision import Decision
from analytics.cohorts.panel import time_of
from analytics.cohorts.spec import Metric
from analytics.cohorts.weighing import Ratio, Weight
from analytics.sequential.detector import RUN_LENGTH_DAYS

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
    the e-value that would page if it were alone, ``late_needed`` the sum of the e-detector that is called `worse` by itself."""

    paged: bool
    watched: bool
    latched: bool
    needed: float
    late_needed: float = float("inf")


@dataclass(frozen=True, slots=True)
class Names:
    """How the arms are called in sentences."""

    treatment: str
    control: str


def late_alarm(weight: Weight) -> bool:
    """Whether the e-detector of the stream alone has gone off: it does so falsely once in `RUN_LENGTH_DAYS` days at most."""
    return weight.late is not None and bool(weight.late.log_e >= np.log(RUN_LENGTH_DAYS))


def _late_worse(metric: Metric, weight: Weight, standing: Standing) -> bool:
    """The rule for late regressions, beside e-BH: the sum over all streams together passes `RUN_LENGTH_DAYS` falsely once in so many days.

    An e-detector is no e-value (its expectation grows by 1 a day), so e-BH never sees it; ``late_needed`` is the run length times the
    number of streams that are watched.
    """
    late = weight.late
    if late is None or late.log_e < np.log(standing.late_needed):
        return False
    return late.ratio > 1.0 if metric.direction == "more" else late.ratio < 1.0


def judge(
    metric: Metric,
    weight: Weight,
    standing: Standing,
    names: Names,
    *,
    guard: int,
    margin: float,
    final: bool = False,
    decision: Decision | None = None,
) -> Verdict:
    """The verdict of one look.

    `worse` needs e-BH at the page level and an interval on the worse side of 1, or a late regression (see `_late_worse`); once said it
    stays until the interval lies within the equivalence bounds or on the better side of 1 and no late regression is seen. Without
    randomised waves only the comparison with each device's own past may say it. ``final``: no more data will come, so that a difference
    without a past to compare with is `confounded` for good and not `too_early`. ``decision`` is what would be needed.
    """
    ratio = weight.ratio
    facing = ratio.facing(metric.direction) if ratio is not None else None
    settled = None if late_alarm(weight) else _settled(metric, weight, metric.margin or margin)
    effect = _effect(metric, weight, names)
    if standing.paged and facing is not None and facing.low > 1.0 and weight.log_e > 0:
        return Verdict("worse", _cut(f"{effect} {_proof(weight, standing)}"), ratio)
    if _late_worse(metric, weight, standing):
        return Verdict("worse", _cut(f"{_lately(metric, weight, names)} {_late_proof()}"), ratio)
    if standing.latched and settled is None:
        return Verdict("worse", _cut(f"{effect} {_proof(weight, standing)}"), ratio)
    if weight.arms_drifted:
        return Verdict("confounded", _cut(_drifted(names)), ratio)
    if settled is not None:
        return Verdict(settled, _cut(f"{effect} {_meaning(metric, settled)}"), ratio)
    if weight.arms_differed and weight.rate is not None:
        return Verdict("confounded", _cut(f"{_differed(metric, weight, names)} {effect}"), ratio)
    if final and _unexplained(weight, margin):
        return Verdict("confounded", _cut(f"{effect} {_NO_PAST}"), ratio)
    parts = [_lately(metric, weight, names)] if late_alarm(weight) else [_lacking(metric, weight, names, guard)]
    parts += [_suspected(metric, weight.suspicion, names)] if weight.suspicion is not None else []
    parts += [decision.says] if decision is not None else []
    parts += ["It is on the watch list."] if on_watch_list(weight, standing) else []
    return Verdict("too_early", _cut(" ".join(parts)), ratio)


def on_watch_list(weight: Weight, standing: Standing) -> bool:
    """Whether a person should keep an eye on it: e-BH at the watch level, the e-detector of the stream alone, or a suspicion."""
    return (standing.watched and weight.log_e > 0) or late_alarm(weight) or weight.suspicion is not None


def _settled(metric: Metric, weight: Weight, margin: float) -> Literal["better", "same"] | None:
    """What the rate's interval has settled; the interval of first events alone settles nothing."""
    if weight.rate is None or weight.arms_drifted:
        return None
    rate = weight.rate.facing(metric.direction)
    if rate.high < (1.0 if weight.assignment == "randomised" else 1.0 / margin):
        return "better"
    low, high = metric.bounds
    return "same" if rate.low >= low and rate.high <= high else None


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
        f"Devices on {names.treatment} {metric.says} {_number(ratio.value)} times as {metric.how} as on {names.control} at the same time "
        f"(95 %: {_number(ratio.low)} to {_number(ratio.high)}{how})."
    )


def _lately(metric: Metric, weight: Weight, names: Names) -> str:
    late = weight.late
    if late is None:
        return ""
    began = "" if late.whole else ": it began late"
    return (
        f"Since {time_of(late.since):%Y-%m-%d} devices on {names.treatment} {metric.says} {_number(late.ratio)} times as {metric.how} "
        f"as on {names.control} at the same time{began}."
    )


def _suspected(metric: Metric, ratio: Ratio, names: Names) -> str:
    return f"But devices on {names.treatment} {metric.says} {_number(ratio.value)} times as {metric.how} as the others."


def _late_proof() -> str:
    return f"By chance this would be said of any release once in {RUN_LENGTH_DAYS:.0f} days at most."


def _proof(weight: Weight, standing: Standing) -> str:
    if standing.paged:
        return f"Evidence {_number(np.exp(min(weight.log_e, 700.0)))} against chance; {_number(standing.needed)} is enough."
    return "It was shown before and nothing has refuted it since."


def _meaning(metric: Metric, settled: str) -> str:
    if settled == "better":
        return f"The whole interval lies {'below' if metric.direction == 'more' else 'above'} 1."
    low, high = metric.bounds
    return f"The whole interval lies within {low:.2f} to {high:.2f}."


def _drifted(names: Names) -> str:
    return (
        f"The devices that have {names.treatment} were already drifting away from the others before it came, "
        "so what they do now can not be laid at its door."
    )


def _differed(metric: Metric, weight: Weight, names: Names) -> str:
    before = weight.before or 1.0
    often = f"{_number(before)} times as {metric.how}"
    more = f"{often} as the others" if before > 1 else f"only {often}"
    return f"The devices that have {names.treatment} did {metric.says} {more} already before it came."


def _lacking(metric: Metric, weight: Weight, names: Names, guard: int) -> str:
    treated, control = weight.devices
    if not treated or not control:
        missing = names.treatment if not treated else names.control
        return f"No hours on {missing} at a time when the other ran as well."
    few = min(weight.devices_with_events)
    if weight.assignment == "randomised":
        if few < guard and metric.repeats:
            exact = "only the exact test of first events may speak" if metric.has_first_events else "nothing is said"
            return f"{_seen(metric)} on {few} devices of the smaller arm: below {guard} {exact}."
        return f"Not settled yet. {_effect(metric, weight, names)}".strip()
    if not metric.repeats:
        return "First events can be compared only where the waves were randomised."
    if not weight.past_known:
        return (
            "It is not known that the waves were randomised, and too few devices were seen with events before the update "
            f"({guard} in each arm are needed), so who updated first can not be told from what the release does."
        )
    if few < guard:
        return f"{_seen(metric)} on {few} devices of the smaller arm: {guard} are needed where the waves were not randomised."
    return f"Not settled yet. {_effect(metric, weight, names)}".strip()


def _seen(metric: Metric) -> str:
    return "Measured" if metric.kind == "mean" else "Events"


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
