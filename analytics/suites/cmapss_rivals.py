"""Ways to tell an engine's remaining life that people use today, with bands made as ours are: from engines that were left out."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import numpy as np
from sklearn.linear_model import RidgeCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from analytics.remaining_life.features import prepare
from analytics.remaining_life.histories import Floats, History, targets_of
from analytics.remaining_life.model import FOLDS, fold_of_units
from analytics.remaining_life.quantiles import LEVELS, crossed_bands, fit_bands
from analytics.suites.cmapss_scores import Told

Fitted = Callable[[Floats], Floats]
PENALTIES = tuple(10.0**power for power in range(-1, 5))


def mean_life(age: Floats, life: Floats) -> Fitted:
    """What engines of that age had left on average, by age alone; past the oldest, nothing."""
    ages = np.unique(age[:, 0])
    mean = np.array([life[age[:, 0] == one].mean() for one in ages])
    return lambda rows: np.interp(rows[:, 0], ages, mean, right=0.0)


def linear(features: Floats, life: Floats) -> Fitted:
    """Ridge regression on the slow averages of all sensors, and age."""
    fitted = make_pipeline(StandardScaler(), RidgeCV(PENALTIES)).fit(features[::5], life[::5])
    return lambda rows: np.asarray(fitted.predict(rows), dtype=np.float64)


METHODS: Mapping[str, tuple[tuple[str, ...], Callable[[Floats, Floats], Fitted]]] = {
    "mean_life": ((), mean_life),
    "linear": (("slow",), linear),
}
"""The kinds of features beside age, and the way to fit."""


def told_by(name: str, train: Sequence[History], test: Sequence[History], cap: float) -> tuple[Told, Told]:
    """What a rival says of all rows of the training engines (given in the order of `in_order`) while they were left out, and of the last
    rows of the test's engines."""
    kinds, fit = METHODS[name]
    preparation = prepare(train, kinds)
    features = np.concatenate([preparation.of(unit) for unit in train])
    targets = targets_of(train, cap)
    fold = fold_of_units(train, FOLDS)[targets.unit]
    left_out = np.zeros(len(features))
    for one in range(FOLDS):
        rows = fold != one
        left_out[~rows] = np.clip(fit(features[rows], targets.life[rows])(features[~rows]), 0.0, cap)
    known = (targets.life, targets.weight, targets.unit)
    of_train = Told(left_out, crossed_bands(left_out, *known, fold, cap))
    if not test:
        return of_train, Told(np.empty(0), np.empty((0, len(LEVELS))))
    last = np.stack([preparation.of(unit)[-1] for unit in test])
    expected = np.clip(fit(features, targets.life)(last), 0.0, cap)
    return of_train, Told(expected, fit_bands(left_out, *known, cap).of(expected))
