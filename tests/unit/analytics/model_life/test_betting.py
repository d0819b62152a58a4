from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from analytics.model_life.betting import RATIOS, log_bets, log_e, log_jumper, tilted
from analytics.model_life.complaints import weigh
from tests.simulation.model_fleets import calibration_alarm, no_fault_demotion, race, score_alarm

PROBABILITIES = st.lists(st.floats(0.01, 0.99), min_size=1, max_size=4)


@given(said=PROBABILITIES, margin=st.floats(1.0, 2.0), within=st.floats(-1.0, 1.0), dispersion=st.floats(1.0, 5.0))
def test_while_the_odds_lie_within_the_margin_nobody_wins_on_average(
    said: list[float], margin: float, within: float, dispersion: float
) -> None:
    p = np.array(said)
    true = tilted(p, margin**within)
    mean = np.zeros((2, len(RATIOS)))
    for came in itertools.product([False, True], repeat=len(said)):
        failed = np.array(came)
        chance = np.where(failed, true, 1 - true).prod()
        mean += chance * np.exp(log_bets(p, failed, margin, dispersion))
    assert (mean <= 1 + 1e-9).all()


@given(said=PROBABILITIES)
def test_who_bets_on_the_truth_wins_on_average(said: list[float]) -> None:
    p = np.array(said)
    true = tilted(p, 2.0)
    gain = np.zeros((2, len(RATIOS)))
    for came in itertools.product([False, True], repeat=len(said)):
        failed = np.array(came)
        gain += np.where(failed, true, 1 - true).prod() * log_bets(p, failed, 1.0)
    assert gain[0, RATIOS.index(2.0)] > 0
    assert (gain[1] < 0).all()


@given(split=st.integers(0, 30), seed=st.integers(0, 100))
def test_labels_in_one_batch_or_in_two_are_the_same_evidence(split: int, seed: int) -> None:
    random = np.random.default_rng(seed)
    p, failed = random.uniform(0.01, 0.5, size=30), random.random(30) < 0.2
    apart = log_bets(p[:split], failed[:split], 1.2) + log_bets(p[split:], failed[split:], 1.2)
    np.testing.assert_allclose(log_bets(p, failed, 1.2), apart, atol=1e-9)


def test_the_jumper_wins_nothing_on_average_from_uniform_p_values() -> None:
    grid = (np.arange(20) + 0.5) / 20
    wealth = [np.exp(log_jumper(path)[-1]) for path in itertools.product(grid, repeat=3)]
    assert np.mean(wealth) == pytest.approx(1.0)


def test_the_jumper_notices_p_values_that_are_small_or_large() -> None:
    assert log_jumper([0.05] * 40)[-1] > np.log(1000)
    assert log_jumper([0.95] * 40)[-1] > np.log(1000)
    assert log_jumper([0.3, 0.7] * 40)[-1] < np.log(10)


def test_nothing_seen_is_no_evidence() -> None:
    assert log_e(log_bets(np.zeros(0), np.zeros(0, dtype=bool), 1.2)).tolist() == [0.0, 0.0]
    assert weigh(np.zeros(0, dtype=bool), np.zeros(0), 0.4).log_e == 0.0


def share(simulate: object, fleets: int, **options: object) -> float:
    found = [simulate(np.random.default_rng([seed, 11]), **options) for seed in range(fleets)]  # type: ignore[operator]
    return float(np.mean([one is not None for one in found]))


def test_a_model_that_keeps_its_word_is_hardly_ever_called_wrong_in_a_year() -> None:
    assert share(calibration_alarm, 30, ratio=1.0) <= 0.1
    assert share(calibration_alarm, 10, ratio=2.0) >= 0.9


def test_scores_that_stay_raise_no_alarm_in_a_year_and_those_that_move_do() -> None:
    assert share(score_alarm, 40, shift=0.0) <= 0.1
    assert share(score_alarm, 10, shift=1.0) >= 0.9


def test_visits_within_what_is_allowed_hardly_ever_demote() -> None:
    assert share(no_fault_demotion, 40, share=0.4, tickets=60) <= 0.12
    assert share(no_fault_demotion, 10, share=0.85, tickets=60) >= 0.9


def test_a_challenger_that_is_no_better_hardly_ever_takes_over_and_a_better_one_does() -> None:
    assert share(race, 25, devices=300, noise=(0.7, 0.7)) <= 0.15
    assert share(race, 6, devices=300, noise=(1.5, 0.1)) >= 0.7
