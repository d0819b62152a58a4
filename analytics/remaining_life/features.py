"""What is known of a unit at each of its rows, from that row and those before it alone.

Signals are first normalised by operating regime. Then, per signal: a fast and a slow average, two slopes, and how far the averages and the
mean so far have come from where the unit itself started (its first rows). Units differ from the first day on by more than wear does to
them in months, which is why a unit's own start is a better baseline than the fleet. The start itself is no feature: trees learn to know
single units by it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from analytics.remaining_life.histories import Floats, History
from analytics.remaining_life.regimes import Regimes, find_regimes

FAST, SLOW = 0.1, 0.03
"""Weights of the newest row in the two averages: about 10 and 33 rows of memory."""
SLOPE_ROWS, LONG_SLOPE_ROWS = 30, 80
START_ROWS = 40
OF_SIGNAL = ("fast", "slow", "slope", "long_slope", "fast_since_start", "slow_since_start", "mean_since_start")
WITHOUT_OWN_START = ("fast", "slow", "slope")


@dataclass(frozen=True, slots=True, eq=False)
class Preparation:
    """How rows become features: the regimes they were learned in, the signals that say anything, and which kinds of features are made."""

    regimes: Regimes
    signals: tuple[int, ...]
    kinds: tuple[str, ...] = OF_SIGNAL

    def columns(self, names: Sequence[str]) -> list[str]:
        """The names of the features, given those of the signals."""
        return ["age", *(f"{names[signal]}.{kind}" for kind in self.kinds for signal in self.signals)]

    def of(self, history: History) -> Floats:
        """The features of every row of a unit (rows, 1 + kinds x signals)."""
        signals = self.regimes.normalised(history.settings, history.signals)[:, list(self.signals)]
        made = _of_signals(history.age, signals)
        return np.column_stack([history.age, *(made[kind] for kind in self.kinds)])

    def last_of(self, history: History) -> Floats:
        """The features of a unit's last row alone (1 + kinds x signals), a fraction of the work of `of`."""
        signals = self.regimes.normalised(history.settings, history.signals)[:, list(self.signals)]
        made = _of_last_row(history.age, signals)
        return np.concatenate([history.age[-1:], *(made[kind] for kind in self.kinds)])


def prepare(histories: Sequence[History], kinds: Sequence[str] = OF_SIGNAL) -> Preparation:
    """Learn regimes and usual values; signals that are constant in every regime are left out."""
    regimes = find_regimes(
        np.concatenate([unit.settings for unit in histories]), np.concatenate([unit.signals for unit in histories])
    )
    varying = np.flatnonzero(np.isfinite(regimes.spread).any(axis=0))
    return Preparation(regimes, tuple(int(signal) for signal in varying), tuple(kinds))


def _of_signals(age: Floats, signals: Floats) -> dict[str, Floats]:
    known = ~np.isnan(signals)
    filled = np.where(known, signals, 0.0)
    counted = known.astype(np.float64)
    fast, slow = (_average(filled, counted, weight) for weight in (FAST, SLOW))
    sums, counts = np.cumsum(filled, axis=0), np.cumsum(counted, axis=0)
    first = np.minimum(np.arange(len(age)), START_ROWS - 1)
    start = _ratio(sums[first], counts[first])
    return {
        "fast": fast,
        "slow": slow,
        "slope": _slope(age, filled, counted, SLOPE_ROWS),
        "long_slope": _slope(age, filled, counted, LONG_SLOPE_ROWS),
        "fast_since_start": fast - start,
        "slow_since_start": slow - start,
        "mean_since_start": _ratio(sums, counts) - start,
    }


def _of_last_row(age: Floats, signals: Floats) -> dict[str, Floats]:
    """As `_of_signals`, the last row of each."""
    known = ~np.isnan(signals)
    filled, counted = np.where(known, signals, 0.0), known.astype(np.float64)
    back = np.arange(len(age) - 1, -1, -1.0)
    fast, slow = (_ratio(decay @ filled, decay @ counted) for decay in ((1 - FAST) ** back, (1 - SLOW) ** back))
    start = _ratio(filled[:START_ROWS].sum(axis=0), counted[:START_ROWS].sum(axis=0))
    since = (age - age[0])[:, None]
    return {
        "fast": fast,
        "slow": slow,
        "slope": _last_slope(since, filled, counted, SLOPE_ROWS),
        "long_slope": _last_slope(since, filled, counted, LONG_SLOPE_ROWS),
        "fast_since_start": fast - start,
        "slow_since_start": slow - start,
        "mean_since_start": _ratio(filled.sum(axis=0), counted.sum(axis=0)) - start,
    }


def _last_slope(since: Floats, filled: Floats, counted: Floats, rows: int) -> Floats:
    x, y, w = since[-rows:], filled[-rows:], counted[-rows:]
    return _least_squares(*(part.sum(axis=0) for part in (w, w * x, y, w * x**2, y * x)))


def _average(filled: Floats, counted: Floats, weight: float) -> Floats:
    """Exponentially weighted mean of the rows so far that were measured."""
    from scipy.signal import lfilter

    filtered = [lfilter([weight], [1.0, weight - 1.0], values, axis=0) for values in (filled, counted)]
    return _ratio(filtered[0], filtered[1])


def _ratio(above: Floats, below: Floats) -> Floats:
    result: Floats = np.divide(above, below, out=np.full(above.shape, np.nan), where=below > 0)
    return result


def _slope(age: Floats, filled: Floats, counted: Floats, rows: int) -> Floats:
    """Least-squares slope over so many last rows, per unit of age; NaN until three of them were measured."""
    since = (age - age[0])[:, None]
    n, x, y, xx, xy = (
        _window(values, rows) for values in (counted, counted * since, filled, counted * since**2, filled * since)
    )
    return _least_squares(n, x, y, xx, xy)


def _least_squares(n: Floats, x: Floats, y: Floats, xx: Floats, xy: Floats) -> Floats:
    above, below = n * xy - x * y, n * xx - x**2
    result: Floats = np.divide(above, below, out=np.full(above.shape, np.nan), where=(n > 2.5) & (below > 1e-9))
    return result


def _window(values: Floats, rows: int) -> Floats:
    total = np.cumsum(values, axis=0)
    total[rows:] -= total[:-rows].copy()
    return total
