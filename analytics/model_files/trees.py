"""Boosted trees as the arrays they consist of.

scikit-learn's histogram gradient boosting predicts by walking each tree's array of nodes in compiled code that trusts them: a child
that lies outside the array would be read all the same. So nodes from outside are checked one by one before they are used, which neither
pickle nor skops does. Everything else of the estimator (its settings, bins and losses) is not needed to predict, and is not kept.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from analytics.panel import Floats
from hearthwatch.errors import Invalid

_NO_CATEGORIES = np.zeros((0, 8), dtype=np.uint32)


@dataclass(frozen=True, slots=True, eq=False)
class BoostedTrees:
    """Trees one after the other in ``nodes``, each ``sizes`` long, for so many ``columns``; their values are added to ``start``.

    The sum is the answer, or its log odds where ``is_probability``.
    """

    nodes: NDArray[Any]
    sizes: NDArray[np.int64]
    start: float
    columns: int
    is_probability: bool

    def predict(self, features: NDArray[Any]) -> Floats:
        """The sum for each row. Raises `Invalid` for rows of another width."""
        from sklearn.ensemble._hist_gradient_boosting.predictor import TreePredictor

        rows = np.ascontiguousarray(features, dtype=np.float64)
        if rows.ndim != 2 or rows.shape[1] != self.columns:
            raise Invalid(f"the trees take {self.columns} columns, not an array of shape {rows.shape}")
        places = np.zeros(self.columns, dtype=np.uint32)
        total = np.full(len(rows), self.start)
        for nodes in self.each():
            total += TreePredictor(nodes, _NO_CATEGORIES, _NO_CATEGORIES).predict(rows, _NO_CATEGORIES, places, 1)
        return total

    def predict_proba(self, features: NDArray[Any]) -> Floats:
        """Probabilities (rows, 2) of no and yes."""
        from scipy.special import expit

        yes = expit(self.predict(features))
        return np.stack([1 - yes, yes], axis=1)

    def each(self) -> list[NDArray[Any]]:
        """The nodes of each tree."""
        return np.split(self.nodes, np.cumsum(self.sizes)[:-1])


def is_estimator(value: Any) -> bool:
    """Whether a value is trees as scikit-learn fitted them; where it was never imported nothing is."""
    ensemble = sys.modules.get("sklearn.ensemble")
    return ensemble is not None and isinstance(
        value, (ensemble.HistGradientBoostingClassifier, ensemble.HistGradientBoostingRegressor)
    )


def trees_of(estimator: Any) -> BoostedTrees:
    """The trees of a fitted classifier of two classes, or of a regressor of squared error. Raises `Invalid` for anything else."""
    from sklearn.ensemble import HistGradientBoostingClassifier

    if isinstance(estimator, HistGradientBoostingClassifier):
        fitting, is_probability = len(estimator.classes_) == 2, True
    else:
        fitting, is_probability = estimator.loss == "squared_error", False
    if not fitting or estimator.is_categorical_ is not None:
        raise Invalid("only trees of two classes or of squared error, without categories, can be stored")
    predictors = [one for of_iteration in estimator._predictors for one in of_iteration]  # noqa: SLF001 - there is no public way
    return BoostedTrees(
        np.concatenate([one.nodes for one in predictors]),
        np.array([len(one.nodes) for one in predictors], dtype=np.int64),
        float(np.ravel(estimator._baseline_prediction)[0]),  # noqa: SLF001
        int(estimator.n_features_in_),
        is_probability,
    )


def checked(trees: BoostedTrees) -> BoostedTrees:
    """The same trees. Raises `Invalid` when walking them could leave them, never end, or need what is not there."""
    from sklearn.ensemble._hist_gradient_boosting.common import PREDICTOR_RECORD_DTYPE

    nodes, sizes = trees.nodes, trees.sizes
    if nodes.dtype != PREDICTOR_RECORD_DTYPE or nodes.ndim != 1:
        raise Invalid("the trees are those of another scikit-learn; train again")
    if sizes.dtype != np.int64 or sizes.ndim != 1 or (sizes < 1).any() or sizes.sum() != len(nodes):
        raise Invalid("the trees do not fill their nodes")
    size = np.repeat(sizes, sizes)
    place = np.arange(len(nodes)) - np.repeat(np.cumsum(sizes) - sizes, sizes)
    inner = nodes["is_leaf"] == 0
    children = [nodes[side][inner].astype(np.int64) for side in ("left", "right")]
    whole: Sequence[bool] = (
        all(bool(((child > place[inner]) & (child < size[inner])).all()) for child in children),
        bool(((nodes["feature_idx"][inner] >= 0) & (nodes["feature_idx"][inner] < trees.columns)).all()),
        not nodes["is_categorical"][inner].any(),
        bool(np.isfinite(nodes["value"]).all()) and np.isfinite(trees.start),
        not np.isnan(nodes["num_threshold"][inner]).any(),
    )
    if not all(whole):
        raise Invalid("a tree leads outside itself")
    return trees
