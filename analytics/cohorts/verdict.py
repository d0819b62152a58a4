"""What is said about a release, and why, in plain words."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from analytics.cohorts import verdict_words as words
from analytics.cohorts.decision import Decision
from analytics.cohorts.spec import Metric
from analytics.cohorts.verdict_words import Names
from analytics.cohorts.weighing import Ratio, Weight
from analytics.sequential.detector import RUN_LENGTH_DAYS
from hearthwatch.said import Said

Word = Literal["worse", "better", "same", "too_early", "confounded"]

WHY_LENGTH = 400


@dataclass(frozen=True, slots=True)
class Verdict:
    """A verdict on one metric of a release. ``ratio`` is the effect it rests on, or None where none can be given; ``said`` are the
    sentences of ``why``, which is cut to `WHY_LENGTH`."""

    word: Word
    why: str
    ratio: Ratio | None
    said: Sequence[Said] = ()

    @classmethod
    def of(cls, word: Word, ratio: Ratio | None, *parts: Said | None) -> Verdict:
        """A verdict with its reasons; parts that are None are not said."""
        said = tuple(part for part in parts if part)
        return cls(word, _cut(" ".join(said)), ratio, said)


@dataclass(frozen=True, slots=True)
class Standing:
    """Where the stream stands among all streams: chosen by e-BH at the page and the watch level, called `worse` before; ``needed`` is
    the e-value that would page if it were alone, ``late_needed`` the sum of the e-detector that is called `worse` by itself."""

    paged: bool
    watched: bool
    latched: bool
    needed: float
    late_needed: float = float("inf")


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
    effect = words.effect(metric, weight, names)
    if standing.paged and facing is not None and facing.low > 1.0 and weight.log_e > 0:
        return Verdict.of("worse", ratio, effect, words.proof(weight, standing.needed))
    if _late_worse(metric, weight, standing):
        return Verdict.of("worse", ratio, words.lately(metric, weight, names), words.late_proof())
    if standing.latched and settled is None:
        return Verdict.of("worse", ratio, effect, words.proof(weight, standing.needed if standing.paged else None))
    if weight.arms_drifted:
        return Verdict.of("confounded", ratio, words.drifted(names))
    if settled is not None:
        return Verdict.of(settled, ratio, effect, words.meaning(metric, settled))
    if weight.arms_differed and weight.rate is not None:
        return Verdict.of("confounded", ratio, words.differed(metric, weight, names), effect)
    if final and _unexplained(weight, margin):
        return Verdict.of("confounded", ratio, effect, words.NO_PAST)
    return Verdict.of(
        "too_early",
        ratio,
        *([words.lately(metric, weight, names)] if late_alarm(weight) else words.lacking(metric, weight, names, guard)),
        words.suspected(metric, weight.suspicion, names) if weight.suspicion is not None else None,
        decision.says if decision is not None else None,
        Said("It is on the watch list.") if on_watch_list(weight, standing) else None,
    )


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


def _unexplained(weight: Weight, margin: float) -> bool:
    """A difference between arms that chose themselves, with no past to hold against it."""
    seen = weight.unadjusted
    if weight.assignment == "randomised" or weight.past_known or seen is None:
        return False
    return seen.low > margin or seen.high < 1.0 / margin


def _cut(text: str) -> str:
    return text if len(text) <= WHY_LENGTH else text[: WHY_LENGTH - 1] + "…"
