"""e-BH."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from analytics.sequential.ebh import e_bh

LOGS = st.lists(st.floats(-20.0, 20.0), min_size=1, max_size=30)


def test_of_no_streams_none_is_chosen() -> None:
    assert e_bh([], 0.1).size == 0


def test_streams_without_evidence_are_not_chosen() -> None:
    assert not e_bh([-np.inf, 0.0, 1.0], 0.1).any()


def test_one_stream_needs_one_over_alpha() -> None:
    assert e_bh([np.log(10.0)], 0.1).tolist() == [True]
    assert e_bh([np.log(9.99)], 0.1).tolist() == [False]


def test_one_of_twenty_needs_twenty_times_as_much() -> None:
    others = [0.0] * 19
    assert e_bh([np.log(200.0), *others], 0.1)[0]
    assert not e_bh([np.log(199.0), *others], 0.1)[0]


def test_two_that_are_half_as_strong_carry_each_other() -> None:
    others = [0.0] * 18
    assert e_bh([np.log(100.0), np.log(101.0), *others], 0.1).tolist()[:2] == [True, True]


@given(LOGS)
def test_order_does_not_matter(values: list[float]) -> None:
    forward, backward = e_bh(values, 0.1), e_bh(values[::-1], 0.1)
    assert forward.tolist() == backward[::-1].tolist()


@given(LOGS, st.floats(0.01, 0.2))
def test_who_pages_is_also_on_the_watch_list(values: list[float], alpha: float) -> None:
    assert not (e_bh(values, alpha) & ~e_bh(values, 2.0 * alpha)).any()


def test_the_share_of_false_discoveries_is_kept_under_strong_dependence() -> None:
    rng = np.random.default_rng(3)
    false = []
    for _ in range(2000):
        shared = rng.standard_normal()
        z = 0.8 * shared + 0.6 * rng.standard_normal(40)
        z[:5] += 4.0
        chosen = e_bh(2.0 * z - 2.0, 0.10)  # likelihood ratios of N(2, 1) to N(0, 1)
        false.append(chosen[5:].sum() / max(1, chosen.sum()))
    assert np.mean(false) <= 0.10
