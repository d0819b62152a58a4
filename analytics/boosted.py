"""Boosted trees read column by column: what `predict_proba` of scikit-learn's histogram gradient boosting says, to the last bit.

Its own prediction walks row by row through every tree, over rows as wide as all features, and wants them as float64: for two million
rows of sixty features that is a gigabyte and most of the time of a backtest. A small tree asks few columns, so it is
read for all rows at once. Sums are made in the same order, so nothing differs
(`sklearn/ensemble/_hist_gradient_boosting/{gradient_boosting,predictor}.py` of scikit-learn 1.9, whose node fields are read here).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from analytics.model_files.trees import BoostedTrees, trees_of
from analytics.panel import Flags, Floats

Column = NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Trees:
    """The trees of a classifier of two classes on numeric features: its constant, and the nodes of each tree (scikit-learn's record
    array: ``is_leaf``, ``value``, ``feature_idx``, ``num_threshold``, ``missing_go_to_left``, ``left``, ``right``)."""

    baseline: float
    nodes: tuple[NDArray[Any], ...]

    @staticmethod
    def of(classifier: Any) -> Trees:
        """The trees of a fitted ``HistGradientBoostingClassifier``, or of one that was stored."""
        trees = classifier if isinstance(classifier, BoostedTrees) else trees_of(classifier)
        return Trees(trees.start, tuple(trees.each()))

    def probability(self, columns: NDArray[np.float32]) -> Floats:
        """Probability of the second class; ``columns`` has the shape (features, rows), NaN where a value is missing."""
        from scipy.special import expit

        score = np.full(columns.shape[1], self.baseline)
        for nodes in self.nodes:
            score += _reached(nodes, 0, columns)
        return np.asarray(expit(score), dtype=np.float64)


def _reached(nodes: NDArray[Any], place: int, columns: NDArray[np.float32]) -> Floats | np.float64:
    """The value of the leaf that each row comes to."""
    node = nodes[place]
    if node["is_leaf"]:
        value: np.float64 = node["value"]
        return value
    left = _goes_left(columns[node["feature_idx"]], node)
    return np.where(left, _reached(nodes, node["left"], columns), _reached(nodes, node["right"], columns))


def _goes_left(column: Column, node: Any) -> Flags:
    below: Flags = column <= node["num_threshold"]  # float32 against float64: both as float64; false for NaN
    return below | np.isnan(column) if node["missing_go_to_left"] else below
