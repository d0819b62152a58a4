"""Bounds on shares that hold at every look."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from analytics.rollouts.shares import at_least, trials_needed

COUNTS = st.integers(0, 2000).flatmap(lambda trials: st.tuples(st.integers(0, trials), st.just(trials)))


@pytest.mark.parametrize(("hits", "trials"), [(1, 0), (-1, 5), (6, 5)])
def test_hits_that_can_not_be_are_refused(hits: int, trials: int) -> None:
    with pytest.raises(ValueError, match="hits of"):
        at_least(hits, trials, 0.05)


def test_nothing_is_sure_without_a_hit() -> None:
    assert at_least(0, 0, 0.05) == at_least(0, 500, 0.05) == 0.0


@given(COUNTS, st.floats(0.001, 0.2))
def test_the_bound_lies_below_what_was_seen_and_falls_with_the_error_allowed(
    counts: tuple[int, int], alpha: float
) -> None:
    hits, trials = counts
    bound = at_least(hits, trials, alpha)
    assert 0.0 <= bound <= (hits / trials if trials else 0.0)
    assert at_least(hits, trials, alpha / 2) <= bound + 1e-12


@given(st.integers(0, 300), st.integers(0, 300))
def test_a_trial_that_is_counted_as_a_miss_until_it_is_known_only_lowers_the_bound(hits: int, misses: int) -> None:
    assert at_least(hits, hits + misses + 1, 0.05) <= at_least(hits + 1, hits + misses + 1, 0.05) + 1e-12


@pytest.mark.parametrize("share", [0.5, 0.8, 0.9, 0.95, 0.99])
def test_as_many_trials_as_are_needed_are_just_enough(share: float) -> None:
    needed = trials_needed(share, 0.05)
    assert at_least(needed, needed, 0.05) >= share > at_least(needed - 1, needed - 1, 0.05)


@pytest.mark.parametrize("truth", [0.6, 0.9, 0.98])
def test_over_all_looks_together_the_bound_is_wrong_no_more_often_than_it_says(truth: float) -> None:
    rng = np.random.default_rng(7)
    wrong = 0
    for _ in range(120):
        hits = np.cumsum(rng.random(300) < truth)
        wrong += any(at_least(int(hits[trials - 1]), trials, 0.1) > truth for trials in range(5, 301, 20))
    assert wrong <= 0.1 * 120 + 3 * (0.1 * 0.9 * 120) ** 0.5
