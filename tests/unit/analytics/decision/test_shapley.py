from __future__ import annotations

from itertools import permutations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from analytics.decision.shapley import Rows, shapley
from analytics.panel import Flags, Floats

COLUMNS = 6
SEEDS = st.integers(0, 10_000)


def groups_of(sizes: list[int]) -> list[Flags]:
    of_column = np.repeat(np.arange(len(sizes)), sizes)
    return [of_column == group for group in range(len(sizes))]


def rough(seed: int, columns: int) -> tuple[Floats, Floats]:
    """A model with jumps and with parts that work only together: weights of pairs of columns, and limits."""
    rng = np.random.default_rng(seed)
    return rng.normal(size=(columns, columns)), rng.normal(size=columns)


def answer_of(pairs: Floats, limits: Floats, rows: Rows) -> Floats:
    above = (rows > limits).astype(np.float64)
    answer: Floats = np.tanh(np.einsum("ri,ij,rj->r", above, pairs, above))
    return answer


@settings(max_examples=25)
@given(SEEDS)
def test_it_is_the_mean_of_what_a_group_adds_over_all_orders(seed: int) -> None:
    pairs, limits = rough(seed, COLUMNS)
    rng = np.random.default_rng(seed)
    rows, usual = rng.normal(size=(2, COLUMNS)).astype(np.float32), rng.normal(size=COLUMNS).astype(np.float32)
    groups = groups_of([2, 1, 3])
    expected = np.zeros((2, 3))
    for order in permutations(range(3)):
        mixed = np.repeat(usual[None, :], 2, axis=0)
        before = answer_of(pairs, limits, mixed)
        for group in order:
            mixed[:, groups[group]] = rows[:, groups[group]]
            after = answer_of(pairs, limits, mixed)
            expected[:, group] += (after - before) / 6
            before = after
    found = shapley(lambda x: answer_of(pairs, limits, x), rows, usual, groups)
    np.testing.assert_allclose(found, expected, atol=1e-12)


@settings(max_examples=25)
@given(SEEDS, st.integers(1, 12), st.sampled_from([0, 20]))
def test_all_groups_together_make_up_the_difference_to_the_usual(seed: int, groups: int, most_exact: int) -> None:
    pairs, limits = rough(seed, groups)
    rng = np.random.default_rng(seed)
    rows, usual = rng.normal(size=(3, groups)).astype(np.float32), rng.normal(size=groups).astype(np.float32)
    found = shapley(
        lambda x: answer_of(pairs, limits, x), rows, usual, groups_of([1] * groups), most_exact=min(most_exact, 10)
    )
    whole = answer_of(pairs, limits, rows) - answer_of(pairs, limits, usual[None, :])
    np.testing.assert_allclose(found.sum(axis=1), whole, atol=1e-9)


@given(SEEDS, st.sampled_from([0, 10]))
@settings(max_examples=25)
def test_a_group_that_is_as_usual_contributes_nothing(seed: int, most_exact: int) -> None:
    pairs, limits = rough(seed, 4)
    rng = np.random.default_rng(seed)
    rows, usual = rng.normal(size=(3, 4)).astype(np.float32), rng.normal(size=4).astype(np.float32)
    rows[:, 2] = usual[2]
    found = shapley(lambda x: answer_of(pairs, limits, x), rows, usual, groups_of([1] * 4), most_exact=most_exact)
    np.testing.assert_allclose(found[:, 2], 0, atol=1e-12)


def test_drawn_orders_come_close_to_all_of_them() -> None:
    pairs, limits = rough(3, 9)
    rng = np.random.default_rng(3)
    rows, usual = rng.normal(size=(40, 9)).astype(np.float32), rng.normal(size=9).astype(np.float32)
    exact, drawn = (
        shapley(lambda x: answer_of(pairs, limits, x), rows, usual, groups_of([1] * 9), most_exact=most)
        for most in (9, 0)
    )
    assert np.corrcoef(exact.ravel(), drawn.ravel())[0, 1] > 0.97
    assert (exact.argmax(axis=1) == drawn.argmax(axis=1)).mean() >= 0.85


def first(rows: Rows) -> Floats:
    return rows[:, 0].astype(np.float64)


def test_without_rows_or_groups_there_is_nothing_to_explain() -> None:
    nobody, two, usual = np.zeros((0, 2), np.float32), np.zeros((2, 2), np.float32), np.zeros(2, np.float32)
    assert shapley(first, nobody, usual, groups_of([1, 1])).shape == (0, 2)
    assert shapley(first, two, usual, []).shape == (2, 0)
