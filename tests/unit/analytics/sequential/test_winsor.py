"""Winsorising of amounts."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from analytics.sequential.winsor import winsor_cap, winsorised


def test_too_few_values_cap_nothing() -> None:
    assert winsor_cap([]) == np.inf
    assert winsor_cap([1.0] * 100 + [np.nan] * 500) == np.inf
    assert winsorised([5.0, 0.0], [1.0, 0.0], np.inf).tolist() == [5.0, 0.0]


def test_one_glitch_in_a_thousand_does_not_move_the_cap() -> None:
    usual = np.linspace(1.0, 2.0, 1000)
    glitched = usual.copy()
    glitched[500] = 1e6
    assert winsor_cap(glitched) <= 2.0
    assert winsorised(glitched, np.ones(1000), winsor_cap(glitched)).max() <= 2.0


def test_half_a_day_may_count_half_as_much() -> None:
    assert winsorised([9.0, 9.0, -1.0], [1.0, 0.5, 1.0], 4.0).tolist() == [4.0, 2.0, 0.0]


@given(st.lists(st.floats(0.0, 1e6), min_size=1, max_size=20), st.floats(0.1, 100.0))
def test_what_is_winsorised_once_stays(amounts: list[float], cap: float) -> None:
    once = winsorised(amounts, np.ones(len(amounts)), cap)
    assert winsorised(once, np.ones(len(amounts)), cap).tolist() == once.tolist()
    assert (once <= np.array(amounts)).all()
