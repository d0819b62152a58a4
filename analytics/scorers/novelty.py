"""How new what a device does is to itself: five features of every series against everything it ever did before; all devices at once.

The features: the value; its three-point mean against the same hour of earlier days; two slow averages; the spread. Of each the distance
to the nearest value ever seen before is divided by a high order statistic of the series' own past distances (the k-th greatest of n,
k = max(10, 0.5 % of n)); the score is the mean of log(1 + ratio). A normal mode that comes back after months is thus not news, a value
never seen is, however much the series jumps about otherwise. Work and state are the same for each value, whatever the age.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from analytics.panel import Floats, Ints
from analytics.scorers.occupancy import Axis, Seen
from analytics.scorers.order_statistic import Greatest
from analytics.scorers.same_hour import SameHour

FEATURES = ("value", "same_hour", "average", "slow_average", "spread")
LARGEST = 1e150
"""Values beyond this are taken as this (squares must stay finite); infinite ones count as missing."""
_SECONDS = 3600


@dataclass(frozen=True, slots=True)
class Settings:
    """Constants of the score. Weights are those of the newest sample in the exponential averages."""

    average: float = 0.1
    slow_average: float = 0.03
    spread: float = 0.05
    rank: int = 10
    share: float = 0.005
    no_past_ratio: float = 10.0
    """Ratio of a distance above zero while the order statistic is zero."""


DEFAULTS = Settings()


@dataclass(slots=True)
class Averages:
    """Running features of many series: two exponential averages, a mean with its variance, the last two values; NaN before any."""

    average: Floats
    slow_average: Floats
    mean: Floats
    variance: Floats
    last: Floats
    before_last: Floats

    @staticmethod
    def empty(series: int) -> Averages:
        """Nothing seen yet."""
        return Averages(*(np.full(series, np.nan) for _ in range(6)))

    def features(self, values: Floats, settings: Settings) -> tuple[Floats, Floats, Floats, Floats]:
        """Three-point mean, the two averages and the spread with these values (NaN where there is no value); remembers them."""
        known = ~np.isnan(values)
        three = np.where(np.isnan(self.before_last), values, (values + self.last + self.before_last) / 3)
        np.copyto(self.before_last, self.last, where=known)
        np.copyto(self.last, values, where=known)
        average = _drawn(self.average, values, settings.average, known)
        slow = _drawn(self.slow_average, values, settings.slow_average, known)
        return three, average, slow, self._spread(values, settings.spread, known)

    def _spread(self, values: Floats, weight: float, known: NDArray[np.bool_]) -> Floats:
        off = np.where(np.isnan(self.mean), 0.0, values - self.mean)
        variance = (1 - weight) * (np.where(np.isnan(self.variance), 0.0, self.variance) + weight * off * off)
        np.copyto(self.mean, np.where(np.isnan(self.mean), values, self.mean + weight * off), where=known)
        np.copyto(self.variance, variance, where=known)
        return np.where(known, np.sqrt(variance), np.nan)


def _drawn(mean: Floats, values: Floats, weight: float, known: NDArray[np.bool_]) -> Floats:
    """The exponential average with one more value, also where it is kept."""
    moved = np.where(np.isnan(mean), values, mean + weight * (values - mean))
    np.copyto(mean, moved, where=known)
    return moved


@dataclass(slots=True)
class State:
    """All that is remembered of some series; changed in place by `step`. ``distances``: one for each of `FEATURES`."""

    averages: Averages
    value: Seen
    same_hour: SameHour
    average: Seen
    slow_average: Seen
    spread: Seen
    distances: tuple[Greatest, ...]

    @staticmethod
    def empty(series: int) -> State:
        """Nothing seen yet."""
        return State(
            Averages.empty(series),
            Seen.empty(series),
            SameHour.empty(series),
            Seen.empty(series),
            Seen.empty(series),
            Seen.empty(series),
            tuple(Greatest.empty(series) for _ in FEATURES),
        )


def step(state: State, values: Floats, at: Ints, settings: Settings = DEFAULTS) -> Floats:
    """One more sample of every series, shape (series,), NaN where there is none; ``at``: seconds since 1970, each series its own.

    Returns the ratios, shape (features, series): 0 where nothing is new or nothing is known; `scores` makes one number of them.
    """
    values = np.where(np.isfinite(values), np.clip(values, -LARGEST, LARGEST), np.nan)
    three, average, slow, spread = state.averages.features(values, settings)
    ratios = np.zeros((len(FEATURES), len(values)))
    plain = (
        (0, state.value, values),
        (2, state.average, average),
        (3, state.slow_average, slow),
        (4, state.spread, spread),
    )
    known = ~np.isnan(values)
    for place, seen, feature in plain:
        had = known & ~np.isnan(seen.axis.least)
        rows, distance = seen.meet(feature)
        _rate(state.distances[place], seen.axis, (had, rows, distance), ratios[place], settings)
    found = state.same_hour.meet(three, np.asarray(at) // _SECONDS)
    _rate(state.distances[1], state.same_hour.axis, found, ratios[1], settings)
    return ratios


def scores(ratios: Floats) -> Floats:
    """The mean of log(1 + ratio) over the features, shape (series,)."""
    result: Floats = np.log1p(ratios).mean(axis=0)
    return result


def _rate(
    past: Greatest, axis: Axis, found: tuple[NDArray[np.bool_], Ints, Floats], into: Floats, settings: Settings
) -> None:
    """Ratios of the distances to the order statistic, which is then one number older."""
    comparable, rows, distance = found
    compared = comparable[rows]
    rows, distance = rows[compared], distance[compared]
    if rows.size:
        usual = past.statistic(rows, settings.rank, settings.share)
        # Distances are known to half a bin: an order statistic below that says no more than that.
        divisor = np.maximum(usual, 0.5 / axis.per_unit[rows])
        into[rows] = np.where(usual > 0, distance / divisor, np.where(distance > 0, settings.no_past_ratio, 0.0))
        past.learn(rows, distance)
    past.seen += comparable
