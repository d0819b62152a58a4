"""How sure the scores of a backtest are: block-bootstrap intervals by device and by day.

Rows are not independent: a failing device gives a row for each day of the horizon, and failures come in crowds on some days. So whole
devices are drawn again, or whole days. *By day* a positive row is drawn with the day on which its failure came, so that all devices
that fail on a day come or stay away together; any other row with its own day. *By both* a row counts as often as its device times its
day (the pigeonhole bootstrap of Owen, Ann. Appl. Stat. 2007), which is on the safe side.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from analytics.panel import Flags, Floats, Ints

REPLICATIONS = 1000
LEVEL = 0.95
SEED = 20260501
SCORES = ("average_precision", "brier_skill", "brier_skill_over_zero", "observed_expected", "calibration_slope")
"""Brier skill is 1 - Brier / Brier of the reference: the baseline's probabilities, and for ``over_zero`` the prediction 0."""
_TINY = 1e-9
_BINS, _BINS_OF_POSITIVES = 300, 200


@dataclass(frozen=True, slots=True)
class Judged:
    """Test rows: what was said of them, by whom it is to be beaten, what came, and the blocks they belong to (any integers)."""

    probability: Floats
    baseline: Floats
    failed: Flags
    device: Ints
    day: Ints
    failed_on: Ints

    def ordered(self) -> Judged:
        """The same rows, the highest probability first."""
        order = np.argsort(-self.probability, kind="stable")
        return Judged(*(getattr(self, name)[order] for name in self.__slots__))


def intervals(rows: Judged, *, replications: int = REPLICATIONS, seed: int = SEED) -> dict[str, Any]:
    """Value, and ``by_device``, ``by_day`` and ``by_both`` a pair low, high, of every one of `SCORES`; null where undefined."""
    rows = rows.ordered()
    sums = _Sums.of(rows)
    values = sums.scores(np.ones(len(rows.failed)))
    found: dict[str, Any] = {name: {"value": _finite(value)} for name, value in zip(SCORES, values, strict=True)}
    edge = (1 - LEVEL) / 2
    for scheme in ("by_device", "by_day", "by_both"):
        draws = np.array([sums.scores(weight) for weight in _weights(rows, scheme, replications, seed)])
        for column, name in enumerate(SCORES):
            known = draws[np.isfinite(draws[:, column]), column]
            low, high = np.quantile(known, [edge, 1 - edge]) if len(known) >= 0.9 * replications else (np.nan, np.nan)
            found[name][scheme] = [_finite(low), _finite(high)]
    return found


def _finite(value: float) -> float | None:
    return round(float(value), 6) if np.isfinite(value) else None


def _weights(rows: Judged, scheme: str, replications: int, seed: int) -> Iterator[Floats]:
    """How often every row is drawn, replication by replication."""
    rng = np.random.default_rng(seed)
    _, device = np.unique(rows.device, return_inverse=True)
    for _ in range(replications):
        weight = np.ones(len(rows.failed))
        if scheme != "by_day":
            weight *= _drawn(rng, int(device.max()) + 1)[device]
        if scheme != "by_device":
            weight *= _by_day(rng, rows)
        yield weight


def _by_day(rng: np.random.Generator, rows: Judged) -> Floats:
    first, last = int(rows.day.min()), int(max(rows.day.max(), rows.failed_on.max()))
    of_rows = _drawn(rng, int(rows.day.max()) - first + 1)[rows.day - first]
    of_failures = _drawn(rng, last - first)[
        np.maximum(rows.failed_on - first - 1, 0)
    ]  # none on the first row's own day
    return np.where(rows.failed, of_failures, of_rows)


def _drawn(rng: np.random.Generator, number: int) -> Floats:
    return np.bincount(rng.integers(0, number, number), minlength=number).astype(np.float64)


@dataclass(frozen=True, slots=True)
class _Sums:
    """Everything about ordered rows that does not change from one drawing to the next."""

    rows: Judged
    positives: NDArray[np.intp]
    ends: NDArray[np.intp]  # of every positive: the last row with the same probability
    begins: NDArray[np.intp]  # of every bin of rows of like probability

    @staticmethod
    def of(rows: Judged) -> _Sums:
        positives = np.flatnonzero(rows.failed)
        ends = np.searchsorted(-rows.probability, -rows.probability[positives], side="right") - 1
        every = np.linspace(0, len(rows.failed) - 1, _BINS).astype(np.intp)
        among = (
            positives[np.linspace(0, len(positives) - 1, _BINS_OF_POSITIVES).astype(np.intp)]
            if len(positives)
            else every
        )
        return _Sums(rows, positives, ends, np.unique(np.concatenate([every, among])))

    def scores(self, weight: Floats) -> tuple[float, ...]:
        """`SCORES` of the weighted rows, NaN where undefined."""
        rows = self.rows
        observed, expected = float(weight[self.positives].sum()), float(weight @ rows.probability)
        if observed == 0 or observed == weight.sum():
            return (np.nan,) * len(SCORES)
        brier = float(weight @ (rows.probability - rows.failed) ** 2)
        reference = float(weight @ (rows.baseline - rows.failed) ** 2)
        return (
            self._average_precision(weight),
            1 - brier / reference if reference > 0 else np.nan,
            1 - brier / observed,
            observed / expected if expected > 0 else np.nan,
            self._slope(weight),
        )

    def _average_precision(self, weight: Floats) -> float:
        hits = np.cumsum(weight[self.positives])
        tied = np.searchsorted(self.positives, self.ends, side="right") - 1  # the last positive of the same probability
        precision = hits[tied] / np.maximum(np.cumsum(weight)[self.ends], _TINY)
        return float(weight[self.positives] @ precision / hits[-1])

    def _slope(self, weight: Floats) -> float:
        """Slope of the logistic regression of what came on the log-odds of what was said; 1 is right, less is overconfident.

        Rows are taken together in some hundred bins of like probability.
        """
        rows = np.add.reduceat(weight, self.begins)
        failed = np.add.reduceat(weight * self.rows.failed, self.begins)
        said = np.add.reduceat(weight * self.rows.probability, self.begins)
        known = rows > 0
        p = np.clip(said[known] / rows[known], _TINY, 1 - _TINY)
        return logistic_slope(np.log(p / (1 - p)), rows[known], failed[known])


def logistic_slope(z: Floats, rows: Floats, failed: Floats) -> float:
    """Slope of failed/rows on z by maximum likelihood; NaN where there is none (all or nothing fails, z is constant, or z separates)."""
    if np.ptp(z) == 0:
        return float("nan")
    a, b = 0.0, 1.0
    for _ in range(50):
        p = 0.5 * (1 + np.tanh(0.5 * (a + b * z)))
        error, spread = failed - rows * p, rows * p * (1 - p)
        s0, s1, s2 = spread.sum(), spread @ z, spread @ z**2
        determinant = s0 * s2 - s1 * s1
        if determinant <= 1e-12 * max(s0 * s2, _TINY):
            return float("nan")
        g0, g1 = error.sum(), error @ z
        step = np.clip(np.array([s2 * g0 - s1 * g1, s0 * g1 - s1 * g0]) / determinant, -2.0, 2.0)
        a, b = a + float(step[0]), b + float(step[1])
        if np.abs(step).max() < 1e-9:
            return b
    return float("nan")
