"""The k-th greatest of all numbers seen, in twenty places."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from analytics.scorers.order_statistic import Greatest

ROW = np.array([0])


def told(numbers: list[float]) -> list[float]:
    """The statistic before each number."""
    greatest, result = Greatest.empty(1), []
    for number in numbers:
        result.append(float(greatest.statistic(ROW, 10, 0.005)[0]))
        greatest.learn(ROW, np.array([number]))
        greatest.seen += 1
    return result


@settings(max_examples=30)
@given(st.lists(st.floats(0, 1e6), min_size=1, max_size=60))
def test_it_is_exact_while_the_rank_is_ten_and_the_least_while_there_are_fewer(numbers: list[float]) -> None:
    for place, value in enumerate(told(numbers)):
        past = sorted(numbers[:place], reverse=True)
        assert value == (0.0 if not past else past[min(10, len(past)) - 1])


@pytest.mark.parametrize("count", [3_000, 12_000])
def test_it_keeps_to_the_highest_half_per_cent_when_places_run_out(count: int) -> None:
    numbers = np.random.default_rng(3).random(count).tolist()
    past, rank = sorted(numbers[:-1], reverse=True), int(0.005 * count)
    assert past[2 * rank] <= told(numbers)[-1] <= past[rank // 2]
