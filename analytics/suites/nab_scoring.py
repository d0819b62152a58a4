"""The score of the Numenta Anomaly Benchmark, version 1.1.

Source: Lavin and Ahmad, "Evaluating Real-time Anomaly Detection Algorithms - the Numenta Anomaly Benchmark" (arXiv 1510.03336), section
II, and the weights of numenta/NAB `config/profiles.json`. Detections in the probationary period, min(15 % of the series, 750 points), are
left out. A detection in a window counts once, the earliest most; any other one costs, less so shortly after a window; a window without one
costs. The sum is scaled so that no detections at all are 0 and a perfect detector is 100.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from analytics.panel import Floats, Ints

PROBATION_SHARE = 0.15
LONGEST_PROBATION = 750
_FAR = 3.0  # beyond this many window lengths after a window a false alarm costs in full


@dataclass(frozen=True, slots=True)
class Profile:
    """What a detection in a window is worth, and what a false one and a missed window cost."""

    hit: float
    false_alarm: float
    miss: float


PROFILES: Mapping[str, Profile] = {
    "standard": Profile(1.0, 0.11, 1.0),
    "low_fp": Profile(1.0, 0.22, 1.0),
    "low_fn": Profile(1.0, 0.11, 2.0),
}


@dataclass(frozen=True, slots=True)
class Judged:
    """What counts in a series. ``hits``: worth of the best detection in each window, NaN if missed; ``costs``: of each false one."""

    hits: Floats
    costs: Floats

    def value(self, profile: Profile) -> float:
        """The series' part of the sum."""
        found = self.hits[~np.isnan(self.hits)]
        missed = len(self.hits) - len(found)
        return float(profile.hit * found.sum() - profile.miss * missed + profile.false_alarm * self.costs.sum())


def probation(length: int) -> int:
    """How many points at the start of a series of this length do not count."""
    return min(math.floor(PROBATION_SHARE * length), LONGEST_PROBATION)


@dataclass(frozen=True, slots=True)
class Worth:
    """What a detection at each point of a series is worth, before weights: ``value`` (points,), ``window``: the window it lies in, or -1.

    ``from_point``: where the probationary period ends; windows that end before it are not among the ``windows`` that count.
    """

    value: Floats
    window: Ints
    from_point: int
    windows: int


def worth(length: int, windows: Sequence[tuple[int, int]]) -> Worth:
    """``windows``: first and last point of each."""
    begin = probation(length)
    counted = [window for window in sorted(windows) if window[1] >= begin]
    value, of = np.full(length, -1.0), np.full(length, -1, dtype=np.int64)
    for first, last in sorted(windows):
        after = (np.arange(last + 1, length) - last) / max(last - first, 1)
        value[last + 1 :] = _sigmoid(after)
    for place, (first, last) in enumerate(counted):
        inside = np.arange(first, last + 1)
        value[inside] = _sigmoid(-(last - inside + 1) / (last - first + 1)) / _sigmoid(np.array([-1.0]))
        of[inside] = place
    return Worth(value, of, begin, len(counted))


def judge(alarms: NDArray[np.bool_], points: Worth) -> Judged:
    """Judge one series by its alarms, shape (points,)."""
    hits, costs = np.full(points.windows, np.nan), []
    for point in np.flatnonzero(alarms):
        if point < points.from_point:
            continue
        window = points.window[point]
        if window < 0:
            costs.append(points.value[point])
        else:
            hits[window] = np.fmax(hits[window], points.value[point])
    return Judged(hits, np.array(costs, dtype=np.float64))


def best_threshold(scores: Sequence[Floats], points: Sequence[Worth], profile: Profile) -> tuple[float, float]:
    """The threshold that serves a detector best on these very series, as the benchmark grants to every entry, and the score with it."""
    level, value, key, windows = _all_points(scores, points)
    order = np.argsort(-level, kind="stable")
    best = total = -profile.miss * windows
    chosen = math.inf
    found = np.full(windows, -profile.miss)
    for place, row in enumerate(order):
        if key[row] < 0:
            total += profile.false_alarm * value[row]
        else:
            better = max(found[key[row]], profile.hit * value[row])
            total += better - found[key[row]]
            found[key[row]] = better
        last_of_its_level = place + 1 == len(order) or level[order[place + 1]] != level[row]
        if last_of_its_level and total > best:
            best, chosen = total, float(level[row])
    return chosen, 100.0 * (best + profile.miss * windows) / (windows * (profile.hit + profile.miss))


def _all_points(scores: Sequence[Floats], points: Sequence[Worth]) -> tuple[Floats, Floats, Ints, int]:
    """Level, worth and window (numbered through, -1: none) of every point that counts, and the number of windows."""
    levels, values, keys, before = [], [], [], 0
    for level, one in zip(scores, points, strict=True):
        begin = one.from_point
        levels.append(level[begin:])
        values.append(one.value[begin:])
        keys.append(np.where(one.window[begin:] >= 0, one.window[begin:] + before, -1))
        before += one.windows
    return np.concatenate(levels), np.concatenate(values), np.concatenate(keys), before


def _sigmoid(position: Floats) -> Floats:
    """Worth by the place relative to a window's end in window lengths: towards 1 before it, 0 at it, towards -1 after."""
    with np.errstate(over="ignore"):
        return np.where(position > _FAR, -1.0, 2.0 / (1.0 + np.exp(5.0 * position)) - 1.0)


def score(judged: Sequence[Judged], profile: Profile) -> float:
    """The benchmark's score of some series together: 0 without detections, 100 for a perfect detector; NaN without any window."""
    windows = sum(len(one.hits) for one in judged)
    if windows == 0:
        return math.nan
    total = sum(one.value(profile) for one in judged)
    return 100.0 * (total + profile.miss * windows) / (windows * (profile.hit + profile.miss))


def results(judged: Sequence[Judged]) -> dict[str, Any]:
    """The three scores, and what they are made of."""
    return {
        **{name: round(score(judged, profile), 2) for name, profile in PROFILES.items()},
        "windows": sum(len(one.hits) for one in judged),
        "found": int(sum((~np.isnan(one.hits)).sum() for one in judged)),
        "false_alarms": sum(len(one.costs) for one in judged),
    }
