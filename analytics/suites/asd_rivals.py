"""What people use today for many metrics at once, as a few lines of scikit-learn, each with the metrics it would name.

All learn from the same past and standardise by its mean and standard deviation; a gap counts as the mean. They score each step by
itself; ``_smoothed``: with the same running average that ours has, so that a difference is not the average's.
"""

from __future__ import annotations

import zlib
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from sklearn.decomposition import PCA
from sklearn.ensemble import IsolationForest

from analytics.panel import Floats
from analytics.scorers.structure import EXPLAINED, RECENT

SEED = 20260501
_FURTHEST = 1e15  # deviations: squares stay finite, and within the forest's 32 bits


@dataclass(frozen=True, slots=True)
class Verdicts:
    """``score`` (steps,), higher is more abnormal; ``part`` (steps, metrics): each metric's part in it."""

    score: Floats
    part: Floats


Rival = Callable[[Floats, Floats], Verdicts]


def pca(train: Floats, test: Floats) -> Verdicts:
    """Squared error of the reconstruction from the components that explain 90 % of the variance."""
    past, now = _standardised(train, test)
    if not past.any():
        return Verdicts(np.zeros(len(now)), np.zeros(now.shape))  # nothing ever moved: there are no components
    model = PCA(EXPLAINED, svd_solver="full").fit(past)
    error = (now - model.inverse_transform(model.transform(now))) ** 2
    return Verdicts(error.sum(axis=1), error)


def isolation_forest(train: Floats, test: Floats) -> Verdicts:
    """scikit-learn's defaults. It names no metrics: those furthest from their mean stand in."""
    past, now = _standardised(train, test)
    forest = IsolationForest(random_state=SEED).fit(past)
    return Verdicts(-forest.score_samples(now), np.abs(now))


def largest_z(train: Floats, test: Floats) -> Verdicts:
    """The metric furthest from its mean, in standard deviations: a fixed threshold for each metric."""
    _past, now = _standardised(train, test)
    return Verdicts(np.abs(now).max(axis=1), np.abs(now))


def random(train: Floats, test: Floats) -> Verdicts:
    """What chance gives: random scores, random metrics. The numbers depend on the data, so that series do not share them."""
    rng = np.random.default_rng([SEED, zlib.crc32(np.ascontiguousarray(test).tobytes())])
    return Verdicts(rng.random(len(test)), rng.random((len(test), train.shape[1])))


def smoothed(rival: Rival) -> Rival:
    """The same with running averages over the last few steps."""

    def smooth(train: Floats, test: Floats) -> Verdicts:
        found = rival(train, test)
        return Verdicts(_averaged(found.score[:, None])[:, 0], _averaged(found.part))

    return smooth


RIVALS: dict[str, Rival] = {
    "pca": pca,
    "pca_smoothed": smoothed(pca),
    "isolation_forest": isolation_forest,
    "isolation_forest_smoothed": smoothed(isolation_forest),
    "largest_z": largest_z,
    "random": random,
}


def _standardised(train: Floats, test: Floats) -> tuple[Floats, Floats]:
    known = ~np.isnan(train)
    count = np.maximum(known.sum(axis=0), 1)
    mean = np.where(known, train, 0.0).sum(axis=0) / count
    deviation = np.sqrt((np.where(known, train - mean, 0.0) ** 2).sum(axis=0) / count)
    usable = np.where(deviation > 1e-9 * np.abs(mean), deviation, np.inf)  # constant: never abnormal
    past, now = (np.nan_to_num((values - mean) / usable) for values in (train, test))
    return past, np.clip(now, -_FURTHEST, _FURTHEST)


def _averaged(values: Floats) -> Floats:
    result = np.empty_like(values)
    average = values[0]
    for step, row in enumerate(values):
        average = average + RECENT * (row - average)
        result[step] = average
    return result
