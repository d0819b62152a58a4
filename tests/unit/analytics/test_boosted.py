from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from sklearn.ensemble import HistGradientBoostingClassifier

from analytics.boosted import Trees

ROWS, COLUMNS = 400, 5


def sample(seed: int, missing: float) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
    """Whole numbers and gaps, as levels are, and an outcome that follows some of both."""
    rng = np.random.default_rng(seed)
    features = rng.integers(0, 120, (ROWS, COLUMNS)).astype(np.float32)
    outcome = (features[:, 0] + rng.normal(0, 30, ROWS) > 90) | (rng.random(ROWS) < 0.1)
    features[rng.random(features.shape) < missing] = np.nan
    return features, outcome.astype(np.int64)


@settings(max_examples=12, deadline=None)
@given(st.integers(0, 10_000), st.sampled_from([0.0, 0.2, 0.9]))
def test_column_by_column_says_what_row_by_row_says_to_the_last_bit(seed: int, missing: float) -> None:
    features, outcome = sample(seed, missing)
    fitted = HistGradientBoostingClassifier(max_iter=15, max_leaf_nodes=6, min_samples_leaf=5, early_stopping=False)
    fitted.fit(features[:300], outcome[:300])
    told = Trees.of(fitted).probability(np.ascontiguousarray(features.T))
    np.testing.assert_array_equal(told, fitted.predict_proba(features)[:, 1])


def test_a_tree_of_one_leaf_gives_every_row_the_same() -> None:
    features, outcome = sample(1, 0.0)
    fitted = HistGradientBoostingClassifier(max_iter=3, min_samples_leaf=ROWS, early_stopping=False)
    fitted.fit(features, outcome)
    told = Trees.of(fitted).probability(np.ascontiguousarray(features.T))
    assert set(told) == set(fitted.predict_proba(features)[:, 1])
    assert len(set(told)) == 1
