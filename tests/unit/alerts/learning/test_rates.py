"""Rates, their intervals and their change: against published values and the laws they obey."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from alerts.learning.rates import change, rate, share


def test_intervals_of_poisson_counts_are_the_published_ones() -> None:
    # Garwood's table: 95 % limits of the mean for counts of 0, 1, 5 and 10
    for count, low, high in ((0, 0.0, 3.6889), (1, 0.0253, 5.5716), (5, 1.6235, 11.6683), (10, 4.7954, 18.3904)):
        found = rate(count, 1000.0)
        assert found.low == pytest.approx(low, abs=1e-3)
        assert found.high == pytest.approx(high, abs=1e-3)


def test_without_exposure_there_is_no_rate() -> None:
    assert rate(3, 0.0).per_1000 is None
    assert change(rate(3, 0.0), rate(1, 5.0)).ratio is None


@given(st.integers(0, 500), st.floats(0.01, 1e6))
def test_a_rate_lies_within_its_interval(count: int, months: float) -> None:
    found = rate(count, months)
    assert found.per_1000 is not None
    assert found.low is not None
    assert found.high is not None
    assert found.low <= found.per_1000 < found.high


@given(st.integers(0, 200), st.integers(0, 200), st.floats(0.1, 1e4), st.floats(0.1, 1e4))
def test_a_change_lies_within_its_interval_and_turns_round_with_time(a: int, b: int, m: float, n: float) -> None:
    there, back = change(rate(a, m), rate(b, n)), change(rate(b, n), rate(a, m))
    if there.ratio is not None and there.low is not None:
        assert there.low <= there.ratio * (1 + 1e-9)
        assert there.high is None or there.ratio <= there.high * (1 + 1e-9)
    if there.ratio and back.ratio:
        assert there.ratio * back.ratio == pytest.approx(1)
    if there.low and back.high:
        assert there.low * back.high == pytest.approx(1, rel=1e-6)


def test_the_same_rate_is_no_clear_change_and_four_times_it_is() -> None:
    assert not change(rate(20, 100), rate(20, 100)).clear
    assert change(rate(20, 100), rate(80, 100)).clear


def test_shares_have_wilsons_interval() -> None:
    found = share(8, 10)
    assert found is not None
    assert found == pytest.approx((0.8, 0.4902, 0.9433), abs=1e-3)
    assert share(0, 0) is None


@given(st.integers(0, 300), st.integers(1, 300))
def test_a_share_lies_within_its_interval(hits: int, more: int) -> None:
    found = share(hits, hits + more)
    assert found is not None
    assert 0 <= found[1] <= found[0] <= found[2] <= 1
