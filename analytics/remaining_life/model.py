"""The remaining life of a unit: its expectation by gradient-boosted trees, and the bands that left-out units gave around it.

Units are dealt out into folds. Each fold's trees never saw that fold's units; what they say of them gives the bands, and their mean is
the forecast for units that none of them saw. Rows of one unit are never on both sides.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]

from analytics.hazard import Levels, Matrix
from analytics.remaining_life.features import OF_SIGNAL, Preparation, prepare
from analytics.remaining_life.histories import Flags, Floats, History, Ints, Targets, in_order, same_columns, targets_of
from analytics.remaining_life.quantiles import Bands, fit_bands
from hearthwatch.errors import Invalid

FOLDS = 5
EVERY = 5
"""Of a long unit's rows one in so many is learned from: neighbours say nearly the same."""
FEWEST_ROWS = 50
"""... but no unit is thinned below so many rows."""
SEED = 20260701
TREES: dict[str, Any] = {
    "max_iter": 150,
    "learning_rate": 0.07,
    "max_leaf_nodes": 15,
    "max_features": 0.25,
    "early_stopping": False,
}
LEAF_SHARE, LEAF_ROWS = 0.02, (10, 80)
"""A leaf holds at least so large a share of the rows, within these bounds."""


@dataclass(frozen=True, slots=True, eq=False)
class Forecast:
    """What is left at each row, in the unit of age, none above the cap: ``expected``, and ``quantiles`` P10, P50 and P90 (rows, 3)."""

    expected: Floats
    quantiles: Floats

    @property
    def p10(self) -> Floats:
        """One in ten lasts no longer."""
        return np.asarray(self.quantiles[:, 0])

    @property
    def p50(self) -> Floats:
        """As many last longer as do not."""
        return np.asarray(self.quantiles[:, 1])

    @property
    def p90(self) -> Floats:
        """One in ten lasts longer; at the cap: nobody knows how long."""
        return np.asarray(self.quantiles[:, 2])


@dataclass(frozen=True, slots=True, eq=False)
class RemainingLife:
    """A fitted model. ``left_out`` is what it said of the units it was fitted to while they were left out, in the order of `in_order`."""

    preparation: Preparation
    levels: Levels
    trees: tuple[Any, ...]
    bands: Bands
    cap: float
    failures: int
    left_out: Floats
    targets: Targets

    def of(self, history: History) -> Forecast:
        """What is left at each row of a unit, from that row and those before it alone."""
        return self.of_features(self.preparation.of(history))

    def of_features(self, features: Floats) -> Forecast:
        """The same for rows whose features are made already."""
        levels = self.levels.apply(features.astype(np.float32))
        with threadpool_limits(1):  # as in the fit
            expected = np.mean([np.clip(trees.predict(levels), 0.0, self.cap) for trees in self.trees], axis=0)
        return Forecast(expected, self.bands.of(expected))


def fit_remaining_life(
    histories: Sequence[History], *, cap: float, kinds: Sequence[str] = OF_SIGNAL, folds: int = FOLDS
) -> RemainingLife:
    """Learn from units that failed and units that were censored; neither their order nor their names matter.

    ``cap``, in the unit of age, is the longest remaining life told apart. Raises `Invalid` when it is not positive, when units differ in
    their columns, or when fewer units than ``folds`` have failed.
    """
    if not (np.isfinite(cap) and cap > 0):
        raise Invalid(f"the cap of remaining life must be a positive number, not {cap}")
    same_columns(histories)
    units = in_order(histories)
    failures = sum(unit.failed_at is not None for unit in units)
    if failures < folds:
        raise Invalid(f"{failures} units have failed; at least {folds} are needed to learn how long others last")
    preparation = prepare(units, kinds)
    features = np.concatenate([preparation.of(unit) for unit in units]).astype(np.float32)
    targets = targets_of(units, cap)
    learned = _learned_rows(units) & targets.known
    levels = Levels.of(features[learned])
    leveled = levels.apply(features)
    fold = fold_of_units(units, folds)[targets.unit]
    left_out = np.zeros(len(features))
    fitted = []
    with threadpool_limits(1):  # small fits: on a busy machine a second thread is waited for longer than it helps
        for one in range(folds):
            rows, others = learned & (fold != one), fold == one
            trees = _fit_trees(leveled[rows], targets.life[rows], targets.weight[rows])
            left_out[others] = np.clip(trees.predict(leveled[others]), 0.0, cap)
            fitted.append(trees)
    bands = fit_bands(left_out, targets.life, targets.weight, targets.unit, cap)
    return RemainingLife(preparation, levels, tuple(fitted), bands, cap, failures, left_out, targets)


def fold_of_units(units: Sequence[History], folds: int) -> Ints:
    """The fold of each unit. Units come in the order of their ends, so each fold gets long and short lives; failures and censored
    units are dealt out each on their own."""
    fold = np.zeros(len(units), dtype=np.int64)
    failed = np.array([unit.failed_at is not None for unit in units])
    for kind in (failed, ~failed):
        fold[kind] = np.arange(int(kind.sum())) % folds
    return fold


def _learned_rows(units: Sequence[History]) -> Flags:
    """Rows to learn from, evenly over a unit's life; units begin in turn, so that all ages are met."""
    chosen = []
    for place, unit in enumerate(units):
        every = max(1, min(EVERY, len(unit.age) // FEWEST_ROWS))
        chosen.append((np.arange(len(unit.age)) + place) % every == 0)
    return np.concatenate(chosen)


def _fit_trees(levels: Matrix, life: Floats, weight: Floats) -> Any:
    """Boosted trees for the expected remaining life, on features as level numbers."""
    from sklearn.ensemble import HistGradientBoostingRegressor  # heavy: not before a model is trained

    leaf = int(np.clip(LEAF_SHARE * len(life), *LEAF_ROWS))
    trees = HistGradientBoostingRegressor(random_state=SEED, min_samples_leaf=leaf, **TREES)
    return trees.fit(levels, life, sample_weight=weight)
