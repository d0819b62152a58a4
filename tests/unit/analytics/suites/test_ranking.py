"""Average precision as scikit-learn has it, and what drawing anew gives."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import average_precision_score

from analytics.suites.ranking import Ranking, drawn, interval


@settings(max_examples=30)
@given(
    rows=st.lists(st.tuples(st.booleans(), st.integers(0, 5), st.integers(0, 3)), min_size=1, max_size=40),
)
def test_it_is_what_scikit_learn_gives_with_ties_and_weights(rows: list[tuple[bool, int, int]]) -> None:
    rows = [*rows, (True, 2, 1)]
    label = np.array([row[0] for row in rows])
    score, weight = (np.array([row[place] for row in rows], dtype=np.float64) for place in (1, 2))
    ranking = Ranking.of(label, score)
    assert ranking.average_precision() == pytest.approx(average_precision_score(label, score))
    expected = average_precision_score(label, score, sample_weight=weight)
    assert ranking.average_precision(weight) == pytest.approx(expected)


def test_a_draw_has_as_many_as_there_are_and_the_interval_holds_the_middle() -> None:
    counts = drawn(np.random.default_rng(1), 7, 100)
    assert (counts.sum(axis=1) == 7).all()
    assert counts.max() > 1
    assert interval(np.arange(1001.0)) == [25.0, 975.0]
