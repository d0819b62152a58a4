"""The suite `nab`: the product's novelty scorer and its alarms on the Numenta Anomaly Benchmark, all series at once as if a fleet.

Twice: with the constants of the product, which know nothing of a series, and under the benchmark's protocol, which hands every detector
the length of its probationary period, min(15 % of the series, 750 points); there warm-up, silence and half-life are taken from it. The
threshold is declared beforehand in either.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from analytics.panel import Floats
from analytics.scorers.alarm_level import PATIENT, RISE, THRESHOLD, Levels, Patience, raised
from analytics.scorers.novelty import DEFAULTS, Settings, State, scores, step
from analytics.suites import nab_rivals
from analytics.suites.goals import Goal, at_least
from analytics.suites.nab_files import LABELS, Series, read
from analytics.suites.nab_scoring import PROFILES, Judged, Worth, best_threshold, judge, probation, results, worth
from analytics.suites.nab_variance import bootstrap, by_fold
from hearthwatch.errors import Invalid

SILENCE_SHARE = 0.15
HALF_LIVES = 2.0
"""Under the protocol: silence after an alarm and half-life of its weight, in probationary periods."""
PERTURBED = 0.25
PERTURBATION = "perturbation"
GOALS = {"under_protocol": (75.0, 67.0, 80.0), "without_lengths": (70.0, 60.0, 74.0)}
"""Standard, low FP and low FN, on the whole benchmark of 58 series."""
LARGEST = 1e100
"""Rivals get values beyond this as this: the squares they sum must stay finite."""

Told = Callable[[str, int, int], None]
Alarms = Sequence[NDArray[np.bool_]]


def evaluate(folder: Path, told: Told, *, perturb: bool = False) -> dict[str, Any]:
    """Ours under the protocol and without knowledge of lengths, its variance, the rivals. ``perturb``: also every constant +-25 %.

    Raises `Missing` or `Invalid`, naming what and where; also where no window lies behind the probationary period of its series.
    """
    benchmark = read(folder)
    series = benchmark.series
    points = [worth(len(one.values), one.windows) for one in series]
    if not any(one.windows for one in points):
        raise Invalid(
            f"{folder / LABELS} has no window that ends after the probationary period of its series (15 % of the points, at most "
            "750) in any of the series that are there: there is nothing to find"
        )
    told("hearthwatch", 0, 1)
    novelty = novelty_of(series)
    protocol, free = (judged(alarms(novelty, patience), points) for patience in (under_protocol(series), PATIENT))
    ours = {**results(protocol), "threshold": THRESHOLD, "series": len(series)}
    ours |= {"missing": len(benchmark.missing), "unlabelled": len(benchmark.unlabelled)}
    ours["gaps"] = int(sum(np.isnan(one.values).sum() for one in series))
    ours["without_lengths"] = {**results(free), "variance": _variance(series, novelty, points, free)}
    ours["variance"] = _variance(series, novelty, points, protocol, under_protocol(series))
    if perturb:
        ours["perturbed"] = _perturbed(series, novelty, points, told)
    told("hearthwatch", 1, 1)
    return {"results": ours, "baselines": {**_rivals(series, points), **_published()}, "goals": _goals(ours)}


def _goals(ours: Mapping[str, Any]) -> dict[str, Goal]:
    told = {"under_protocol": ours, "without_lengths": ours["without_lengths"]}
    return {
        f"{way}_{profile}": at_least(bound, told[way][profile])
        for way, bounds in GOALS.items()
        for profile, bound in zip(PROFILES, bounds, strict=True)
    }


def novelty_of(series: Sequence[Series], settings: Settings = DEFAULTS) -> list[Floats]:
    """The product's scores of every series, computed sample by sample, all series side by side."""
    longest_first = sorted(series, key=lambda one: -len(one.values))
    length = len(longest_first[0].values)
    values, at = np.full((length, len(series)), np.nan), np.zeros((length, len(series)), dtype=np.int64)
    for column, one in enumerate(longest_first):
        values[: len(one.values), column], at[: len(one.at), column] = one.values, one.at
    state, found = State.empty(len(series)), np.zeros(values.shape)
    for now in range(length):
        found[now] = scores(step(state, values[now], at[now], settings))
    columns = {one.name: found[: len(one.values), column] for column, one in enumerate(longest_first)}
    return [np.where(np.isnan(one.values), np.nan, columns[one.name]) for one in series]


def alarms(novelty: Sequence[Floats], patience: Patience, threshold: float = THRESHOLD, rise: float = RISE) -> Alarms:
    """The product's alarms on these scores (NaN: no sample), all series side by side."""
    length = max(len(one) for one in novelty)
    level, result = np.full((length, len(novelty)), np.nan), np.zeros((length, len(novelty)), dtype=bool)
    for column, one in enumerate(novelty):
        level[: len(one), column] = one
    known = ~np.isnan(level)
    levels = Levels.empty(len(novelty))
    for now in range(length):
        result[now] = raised(levels, level[now], known[now], patience, threshold, rise)
    return [result[: len(one), column] for column, one in enumerate(novelty)]


def under_protocol(
    series: Sequence[Series], silence: float = SILENCE_SHARE, half_lives: float = HALF_LIVES
) -> Patience:
    """Constants from the probationary period, which the benchmark hands to every detector."""
    period = np.array([probation(len(one.values)) for one in series], dtype=np.float64)
    return Patience(
        warm_up=period,
        silence=silence * period,
        silence_share=0.0,
        half_life=np.maximum(half_lives * period, 1.0),
        half_life_share=0.0,
    )


def judged(found: Alarms, points: Sequence[Worth]) -> list[Judged]:
    """What the alarms are worth, series by series."""
    return [judge(one, at) for one, at in zip(found, points, strict=True)]


def _variance(
    series: Sequence[Series],
    novelty: Sequence[Floats],
    points: Sequence[Worth],
    ours: Sequence[Judged],
    patience: Patience = PATIENT,
) -> dict[str, Any]:
    others = {
        round(THRESHOLD * factor, 4): judged(alarms(novelty, patience, THRESHOLD * factor), points)
        for factor in (0.5, 0.75, 0.9, 1.0, 1.1, 1.25, 1.5)
    }
    return {
        "by_threshold": {str(threshold): _three(one) for threshold, one in others.items()},
        "bootstrap": bootstrap(ours),
        "folds": by_fold([one.name for one in series], ours, others),
    }


def _three(ours: Sequence[Judged]) -> list[float]:
    told = results(ours)
    return [told[name] for name in PROFILES]


def _perturbed(
    series: Sequence[Series], novelty: Sequence[Floats], points: Sequence[Worth], told: Told
) -> dict[str, dict[str, list[float]]]:
    """The three scores with one constant 25 % lower or higher, under the protocol and without knowledge of lengths."""
    protocol = under_protocol(series)
    runs: dict[str, tuple[Sequence[Floats], Patience, Patience, float]] = {}
    constants = ("average", "slow_average", "spread", "rank", "share", "no_past_ratio")
    for place, name in enumerate(constants):
        for sign, factor in (("-", 1 - PERTURBED), ("+", 1 + PERTURBED)):
            told(f"{name} {sign}25 %", place, len(constants))
            value = getattr(DEFAULTS, name) * factor
            changed = replace(DEFAULTS, **{name: round(value) if name == "rank" else value})
            runs[f"{name} {sign}25 %"] = (novelty_of(series, changed), protocol, PATIENT, RISE)
    for sign, factor in (("-", 1 - PERTURBED), ("+", 1 + PERTURBED)):
        runs[f"rise {sign}25 %"] = (novelty, protocol, PATIENT, RISE * factor)
        longer = replace(PATIENT, silence=12.0 * factor, silence_share=PATIENT.silence_share * factor)
        runs[f"silence {sign}25 %"] = (novelty, under_protocol(series, SILENCE_SHARE * factor), longer, RISE)
        longer = replace(PATIENT, half_life=100.0 * factor, half_life_share=PATIENT.half_life_share * factor)
        runs[f"half_life {sign}25 %"] = (novelty, under_protocol(series, half_lives=HALF_LIVES * factor), longer, RISE)
    return {
        name: {
            "protocol": _three(judged(alarms(level, with_lengths, rise=rise), points)),
            "without_lengths": _three(judged(alarms(level, without, rise=rise), points)),
        }
        for name, (level, with_lengths, without, rise) in runs.items()
    }


def _rivals(series: Sequence[Series], points: Sequence[Worth]) -> dict[str, Any]:
    """Run here, each with the threshold that serves it best on these very series, for each profile anew."""
    told: dict[str, Any] = {}
    for name, method in nab_rivals.METHODS.items():
        found = [method(np.clip(one.values, -LARGEST, LARGEST)) for one in series]
        told[name] = {
            profile: round(best_threshold(found, points, weights)[1], 2) for profile, weights in PROFILES.items()
        }
        told[name]["threshold"] = "chosen on these series"
    return told


def _published() -> dict[str, Any]:
    return {
        f"{name} (published, 58 series)": dict(zip(PROFILES, three, strict=True))
        for name, three in nab_rivals.PUBLISHED.items()
    }
