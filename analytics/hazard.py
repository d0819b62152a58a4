"""The discrete-time hazard: the probability to fail in each of a few intervals ahead, given that the device lasts to its beginning.

Gradient-boosted classifiers learn all intervals, stacked, with the interval as a feature: a device that was followed for only a part of
the horizon still teaches its first intervals. Against "not failed within the horizon counts as negative" and "drop what was not
followed to the end", stacking had the best PR-AUC, Brier score and calibration on wear parts, and
the probabilities of nested horizons never cross.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray
from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]

from analytics.boosted import Trees
from analytics.calibration import Calibration
from analytics.lives import Stack, stacked
from analytics.panel import Flags, Floats, Ints

SEED = 20260501
NEGATIVES_PER_POSITIVE = 60
MIN_NEGATIVES = 4000
ENOUGH_NEGATIVES = 30_000
LEVELS = 120
LEAF_DEVICES = 5
ITERATIONS, LEAVES = 100, 3
"""Trees so small that hardly two things meet in one: with few failures, and those in crowds, larger ones (60 of 6 leaves) learn more of
what a crowd had in common by chance. On simulated fleets they were somewhat worse in likelihood for devices never seen
(docs/evaluation.md, `tests/benchmarks/crowded_failures.py`)."""
PIECE_ROWS = 16_384
"""So many rows are predicted at a time: their columns stay in the processor's cache."""

Matrix = NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Snapshots:
    """Rows to learn from: features, days to failure, days followed, days until the data end, and how many rows of the population each
    stands for."""

    features: Matrix
    to_failure: Floats
    to_end: Floats
    left: Floats
    weight: Floats

    def only(self, rows: Ints | Flags, features: Matrix) -> Snapshots:
        """Some of the rows, with (possibly other) features of all."""
        return Snapshots(features[rows], self.to_failure[rows], self.to_end[rows], self.left[rows], self.weight[rows])


@dataclass(frozen=True, slots=True)
class Levels:
    """Quantiles of every column, by which values become level numbers.

    scikit-learn would cut columns into levels itself, but with weights it takes a hundred times as long (1.9: one sort per level).
    """

    cuts: tuple[NDArray[np.float32], ...]

    @staticmethod
    def of(features: Matrix) -> Levels:
        """Up to `LEVELS` levels for each column; a column without any value has one."""
        shares = np.linspace(0, 1, LEVELS + 1)[1:-1]
        cuts = []
        for column in features.T:
            known = column[~np.isnan(column)]
            cuts.append(np.unique(np.quantile(known, shares)).astype(np.float32) if len(known) else known)
        return Levels(tuple(cuts))

    def apply(self, features: Matrix) -> Matrix:
        """Level numbers, same shape; NaN stays NaN, but for columns that never had a value."""
        result = np.zeros(features.shape, dtype=np.float32)
        for place, cuts in enumerate(self.cuts):
            if len(cuts):
                column = features[:, place]
                result[:, place] = np.searchsorted(cuts, column, side="right")
                result[np.isnan(column), place] = np.nan
        return result


@dataclass(frozen=True, slots=True)
class Hazard:
    """A fitted model: the mean of several classifiers, each of which has not seen one fold of the devices.

    ``edges`` are the ends of the intervals in days, the first is 0.
    """

    classifiers: tuple[Any, ...]
    levels: Levels
    edges: tuple[int, ...]
    calibration: Mapping[int, Calibration]

    def raw(self, features: Matrix, horizons: Sequence[int]) -> Floats:
        """Probability to fail within each horizon before calibration, shape (rows, horizons)."""
        reached: Floats = np.mean(self.raw_by_classifier(features, horizons), axis=0)
        return reached

    def raw_unseen(self, features: Matrix, horizons: Sequence[int], fold: Ints) -> Floats:
        """As `raw`, each row by the one classifier that has not seen the fold of its device."""
        result = np.zeros((len(features), len(horizons)))
        for number, classifier in enumerate(self.classifiers):
            mine = fold == number
            if mine.any():
                alone = replace(self, classifiers=(classifier,))
                result[mine] = alone.raw_by_classifier(features[mine], horizons)[0]
        return result

    def raw_by_classifier(self, features: Matrix, horizons: Sequence[int]) -> Floats:
        """As `raw` by each classifier alone, shape (classifiers, rows, horizons)."""
        trees = [Trees.of(classifier) for classifier in self.classifiers]
        result = np.empty((len(trees), len(features), len(horizons)))
        for begin in range(0, len(features), PIECE_ROWS):
            piece = slice(begin, begin + PIECE_ROWS)
            levels = self.levels.apply(features[piece])
            for number, one in enumerate(trees):
                result[number, piece] = self._reached(one, levels, horizons)
        return result

    def _reached(self, trees: Trees, levels: Matrix, horizons: Sequence[int]) -> Floats:
        intervals = len(self.edges) - 1
        columns = np.empty((levels.shape[1] + 1, len(levels)), dtype=np.float32)
        columns[:-1] = levels.T
        hazard = np.empty((intervals, len(levels)))
        for interval in range(intervals):
            columns[-1] = interval
            hazard[interval] = trees.probability(columns)
        reached = 1 - np.cumprod(1 - hazard, axis=0)
        return np.stack([reached[self.edges.index(horizon) - 1] for horizon in horizons], axis=1)

    def probabilities(self, features: Matrix, horizons: Sequence[int]) -> Floats:
        """Calibrated probabilities, shape (rows, horizons); never falling from one horizon to the next."""
        raw = self.raw(features, horizons)
        columns = [
            self.calibration.get(horizon, Calibration()).apply(raw[:, column])
            for column, horizon in enumerate(horizons)
        ]
        return np.maximum.accumulate(np.stack(columns, axis=1), axis=1)


def fit_hazard(snapshots: Snapshots, edges: Sequence[int], fold: Ints, *, near_days: int) -> Hazard:
    """Fit one classifier for each fold (0, 1, ...; by device), on the rows of the others.

    Their mean is less sure of single devices than one classifier of all rows would be: on real drives its average precision was .155
    against .134. Deterministic: fixed seed, one thread (a sum over several is not always the same to the last bit).
    ``near_days``: how many days before a failure have a row each. Rows of one device are much alike, so a leaf must hold the rows
    of several failing devices, or the model learns by heart which device of the past it was.
    """
    levels = Levels.of(snapshots.features)
    coded = levels.apply(snapshots.features)
    min_leaf = LEAF_DEVICES * near_days * (len(edges) - 1)
    classifiers = [
        _fit_one(snapshots.only(fold != number, coded), edges, min_leaf) for number in range(int(fold.max()) + 1)
    ]
    return Hazard(tuple(classifiers), levels, tuple(edges), {})


def _fit_one(snapshots: Snapshots, edges: Sequence[int], min_leaf: int) -> Any:
    from sklearn.ensemble import HistGradientBoostingClassifier  # heavy: not before a model is trained

    rows, weight = _thinned(stacked(snapshots.to_failure, snapshots.to_end, snapshots.left, edges), snapshots)
    classifier = HistGradientBoostingClassifier(
        max_iter=ITERATIONS,
        learning_rate=0.06,
        max_leaf_nodes=LEAVES,
        min_samples_leaf=min_leaf,
        l2_regularization=5.0,
        max_bins=LEVELS,
        early_stopping=False,
        random_state=SEED,
    )
    with threadpool_limits(1):
        classifier.fit(
            _with_interval(snapshots.features[rows.source], rows.interval),
            rows.failed.astype(np.int8),
            sample_weight=weight,
        )
    return classifier


def _thinned(stack: Stack, snapshots: Snapshots) -> tuple[Stack, Floats]:
    """Keep every positive row and a weighted sample of the negatives; the weights restore the base rate."""
    weight = snapshots.weight[stack.source]
    negatives = np.flatnonzero(~stack.failed)
    positives = int(stack.failed.sum())
    wanted = max(MIN_NEGATIVES, min(NEGATIVES_PER_POSITIVE * positives, max(ENOUGH_NEGATIVES, 10 * positives)))
    if len(negatives) <= wanted:
        return stack, weight
    kept = np.random.default_rng(SEED).choice(negatives, size=wanted, replace=False)
    weight = weight.copy()
    weight[kept] *= len(negatives) / wanted
    rows = np.sort(np.concatenate([np.flatnonzero(stack.failed), kept]))
    return Stack(stack.source[rows], stack.interval[rows], stack.failed[rows]), weight[rows]


def _with_interval(features: Matrix, interval: NDArray[Any]) -> Matrix:
    return np.concatenate([features, interval.astype(np.float32)[:, None]], axis=1)


@dataclass(frozen=True, slots=True)
class AgeHazard:
    """The baseline to beat: a failure rate per day for each band of age, and nothing else."""

    upper: Floats
    rate: Floats

    def probabilities(self, age: Floats, horizons: Sequence[int]) -> Floats:
        """Probability to fail within each horizon, shape (rows, horizons)."""
        band = np.searchsorted(self.upper, np.where(np.isnan(age), -1.0, age), side="right")
        return 1 - np.exp(-self.rate[band][:, None] * np.asarray(horizons, dtype=np.float64)[None, :])


def fit_age_hazard(age: Floats, to_failure: Floats, weight: Floats, bands: int = 12, within: int = 1) -> AgeHazard:
    """Rates by bands of age with equal numbers of device-days, drawn towards the overall rate by two failures' worth of exposure.

    ``within``: how many days after each row a failure counts; every row must have been followed for so long.
    """
    known = np.where(np.isnan(age), -1.0, age)
    upper = np.unique(np.quantile(known, np.linspace(0, 1, bands + 1)[1:-1]))
    band = np.searchsorted(upper, known, side="right")
    seen = np.bincount(band, weights=weight * (to_failure <= within), minlength=len(upper) + 1)
    failures = seen / within  # every failure is seen from so many rows
    exposure = np.bincount(band, weights=weight, minlength=len(upper) + 1)
    overall = failures.sum() / max(exposure.sum(), 1.0)
    rate = (failures + 2.0) / (exposure + 2.0 / overall) if overall > 0 else np.zeros(len(exposure))
    return AgeHazard(upper, rate)
