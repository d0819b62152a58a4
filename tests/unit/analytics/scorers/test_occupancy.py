"""What was ever seen, kept in 64 bits."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from analytics.scorers.occupancy import BINS, Seen, folded, nearest

words = st.integers(0, 2**BINS - 1)


@given(words, st.booleans())
def test_folding_merges_neighbouring_bins_and_loses_none(word: int, upper: bool) -> None:
    result = int(folded(np.array([word], dtype=np.uint64), np.array([upper]))[0])
    merged = sum(1 << place for place in range(BINS // 2) if word >> 2 * place & 3)
    assert result == (merged << BINS // 2 if upper else merged)


@given(words, st.floats(-100, 200))
def test_the_nearest_occupied_bin_is_found_from_anywhere_on_the_axis_and_beyond(word: int, place: float) -> None:
    occupied = [bit for bit in range(BINS) if word >> bit & 1]
    own = int(np.floor(place))
    expected = 0.0 if own in occupied else min((abs(bit + 0.5 - place) for bit in occupied), default=np.inf)
    assert np.isclose(nearest(np.array([word], dtype=np.uint64), np.array([place]))[0], expected)


@given(st.lists(st.floats(0, 1), min_size=1, max_size=60))
def test_a_distance_is_right_to_one_bin_inside_the_range_seen(values: list[float]) -> None:
    seen = Seen.empty(1)
    past = [0.0, 1.0]
    for value in past:
        seen.meet(np.array([value]))
    for value in values:
        rows, distance = seen.meet(np.array([value]))
        told = distance[0] if rows.size else 0.0
        exact = min(abs(value - earlier) for earlier in past)
        assert abs(told - exact) <= 1 / 32 + 1e-9
        past.append(value)


@given(st.lists(st.floats(-1e6, 1e6), min_size=2, max_size=40))
def test_beyond_everything_seen_a_distance_is_exact_to_a_bin_and_what_was_seen_is_never_news_of_that_size(
    values: list[float],
) -> None:
    seen = Seen.empty(1)
    past: list[float] = []
    for value in values:
        rows, distance = seen.meet(np.array([value]))
        if past and rows.size and (value < min(past) or value > max(past)):
            assert np.isclose(distance[0], min(abs(value - min(past)), abs(value - max(past))))
        past.append(value)


def test_one_absurd_value_does_not_take_the_resolution_from_the_rest() -> None:
    seen = Seen.empty(1)
    for value in [0.0, 10.0, 1.0, 9.0, 1e140, 1.0, 9.0]:
        seen.meet(np.array([value]))
    rows, distance = seen.meet(np.array([5.0]))
    assert rows.tolist() == [0]
    assert 3.0 <= distance[0] <= 5.0
