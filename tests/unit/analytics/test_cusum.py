from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from analytics.anomaly import cusum
from analytics.anomaly.cusum import SMALLEST_P, accumulated, averaged, bet, mean_run_length, threshold


def test_a_bet_is_fair_while_nothing_is_wrong() -> None:
    p = (np.arange(1_000_000) + 0.5) / 1_000_000
    assert np.exp(bet(p)).mean() < 1.0  # cut at the smallest p: never more than fair
    assert np.exp(bet(p)).mean() == pytest.approx(1.0, abs=0.7)


def test_one_wild_day_raises_no_alarm() -> None:
    certain = accumulated(np.zeros(1), bet(np.array([1e-12])), np.array([99.0]))
    assert certain[0] < threshold(1000.0)
    assert 2 * certain[0] > threshold(1000.0) > certain[0]


def test_a_day_without_a_value_leaves_the_evidence_as_it_was() -> None:
    assert accumulated(np.array([2.5]), bet(np.array([np.nan])), np.array([9.0])).tolist() == [2.5]


@given(st.lists(st.floats(0, 1, exclude_min=True), max_size=40))
def test_evidence_stays_within_its_bounds(ps: list[float]) -> None:
    evidence = np.zeros(1)
    for p in ps:
        evidence = accumulated(evidence, bet(np.array([p])), np.array([8.0]))
        assert 0 <= evidence[0] <= 8


def test_a_rarer_alarm_needs_more_evidence() -> None:
    levels = [threshold(days) for days in (10, 100, 1000, 10_000, 100_000, 10_000_000, 1e9)]
    assert levels == sorted(levels)
    assert levels[-1] - levels[-2] == pytest.approx(np.log(100), abs=0.05)


@pytest.mark.parametrize("days", [50.0, 2000.0, 20_000.0])
def test_the_threshold_has_the_run_length_it_was_asked_for(days: float) -> None:
    assert mean_run_length(threshold(days)) == pytest.approx(days, rel=0.03)


def test_false_alarms_come_as_far_apart_as_declared(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cusum, "SMALLEST_P", 1e-12)
    rng = np.random.default_rng(7)
    level = threshold(200.0)
    waiting, evidence = np.full(3000, 0), np.zeros(3000)
    alive = np.ones(3000, dtype=bool)
    for day in range(1, 3000):
        evidence = accumulated(evidence, bet(rng.random(3000)), np.full(3000, 99.0))
        waiting[alive & (evidence >= level)] = day
        alive &= evidence < level
    assert not alive.any()
    assert waiting.mean() == pytest.approx(200.0, rel=0.08)


def test_the_smallest_p_counts_for_the_most() -> None:
    assert bet(np.array([SMALLEST_P])) == bet(np.array([0.0]))


def played(bets: np.ndarray, level: float) -> float:
    """Mean days between alarms of evidence that begins anew after each; ``bets`` (days, streams)."""
    evidence, alarms = np.zeros(bets.shape[1]), 0
    for day in bets:
        evidence = accumulated(evidence, day, np.full(bets.shape[1], 99.0))
        alarms += int((evidence >= level).sum())
        evidence[evidence >= level] = 0.0
    return bets.size / alarms


@pytest.mark.parametrize("agreeing", [False, True])
def test_the_mean_of_two_bets_alarms_no_more_often_than_one(agreeing: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cusum, "SMALLEST_P", 1e-12)
    p = np.random.default_rng(8).random((2, 1000, 2000))
    both = np.stack([bet(p[0]), bet(p[0] if agreeing else p[1])], axis=2)
    bets = averaged(both.reshape(-1, 2)).reshape(1000, 2000)
    assert played(bets, threshold(300.0)) >= 300.0 * 0.95


def test_of_two_bets_the_one_that_is_known_counts_alone() -> None:
    bets = np.array([[1.0, np.nan], [np.nan, np.nan], [np.log(4.0), np.log(2.0)]])
    mean = averaged(bets)
    assert mean[0] == pytest.approx(1.0)
    assert np.isnan(mean[1])
    assert mean[2] == pytest.approx(np.log(3.0))
