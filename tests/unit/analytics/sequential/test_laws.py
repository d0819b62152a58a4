"""The laws of the watch, on simulated fleets: declared false alarms at every look, power, and honesty about who updated first.

Modest numbers of replications; `tests/benchmarks/cohort_study.py` is the same with many more.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest

from tests.benchmarks.cohort_fleet import parallel_arms, staged
from tests.benchmarks.cohort_trial import Trial, watch

ALPHAS = (0.05, 0.10)


def share(trials: Sequence[Trial], test: str, alpha: float) -> float:
    """Share of trials that ever alarmed."""
    return float(np.mean([np.isfinite(trial.alarm(getattr(trial, test), alpha)) for trial in trials]))


def allowed(alpha: float, replications: int) -> float:
    return alpha + 3.0 * float(np.sqrt(alpha * (1.0 - alpha) / replications))


@pytest.fixture(scope="module")
def harmless() -> list[Trial]:
    """100 against 300 devices of very different rates, in bursts, looked at every hour for a week."""
    trials = []
    for number in range(80):
        rng = np.random.default_rng([1, number])
        fleet = parallel_arms(rng, treated=100, control=300, ratio=1.0, per_day=0.5, days=7)
        trials.append(watch(fleet, adjustment="cuped"))
    return trials


@pytest.fixture(scope="module")
def harmless_waves() -> list[Trial]:
    """Randomised waves of 1, 5, 20 and 50 % of 1,000 devices, two of whose regions have an outage."""
    trials = []
    for number in range(80):
        rng = np.random.default_rng([2, number])
        fleet = staged(rng, devices=1000, ratio=1.0, per_day=0.5, outages=True)
        trials.append(watch(fleet, adjustment="cuped", burn_in_hours=24.0))
    return trials


@pytest.mark.parametrize("alpha", ALPHAS)
@pytest.mark.parametrize("test", ["rate", "first", "combined"])
def test_hourly_looks_at_a_harmless_release_alarm_no_more_often_than_declared(
    harmless: list[Trial], test: str, alpha: float
) -> None:
    assert share(harmless, test, alpha) <= allowed(alpha, len(harmless))


@pytest.mark.parametrize("alpha", ALPHAS)
@pytest.mark.parametrize("test", ["rate", "first", "combined"])
def test_a_staged_roll_out_of_a_harmless_release_alarms_no_more_often_than_declared(
    harmless_waves: list[Trial], test: str, alpha: float
) -> None:
    assert share(harmless_waves, test, alpha) <= allowed(alpha, len(harmless_waves))


@pytest.mark.parametrize("fleets", ["harmless", "harmless_waves"])
def test_betting_on_first_events_wins_nothing_on_average(fleets: str, request: pytest.FixtureRequest) -> None:
    values = np.array([min(np.exp(trial.first[-1]), 100.0) for trial in request.getfixturevalue(fleets)])
    assert values.mean() <= 1.0 + 3.0 * values.std() / np.sqrt(values.size)


def test_comparing_adopters_with_their_own_past_does_not_blame_the_release_for_who_they_are() -> None:
    trials = []
    for number in range(40):
        rng = np.random.default_rng([3, number])
        fleet = staged(rng, devices=1500, ratio=1.0, per_day=0.5, bias=1.0, outages=True, new_hardware_first=True)
        trials.append(
            watch(fleet, adjustment="differences", margin=1.05, burn_in_hours=24.0, slots_per_look=2, washout_slots=12)
        )
    assert share(trials, "rate", 0.05) <= allowed(0.05, len(trials))


def test_without_their_past_adopters_that_were_worse_before_would_be_blamed_nearly_always() -> None:
    trials = []
    for number in range(10):
        fleet = staged(np.random.default_rng([4, number]), devices=1500, ratio=1.0, per_day=0.5, bias=1.0)
        trials.append(watch(fleet, adjustment="none", burn_in_hours=24.0, slots_per_look=4))
    assert share(trials, "rate", 0.05) >= 0.8  # what the watch guards against is real
    assert share(trials, "first", 0.05) >= 0.8


def test_two_and_a_half_times_the_reboots_are_found_within_the_fortnight() -> None:
    trials = []
    for number in range(15):
        rng = np.random.default_rng([5, number])
        fleet = parallel_arms(rng, treated=200, control=200, ratio=2.5, per_day=0.2)
        trials.append(watch(fleet, adjustment="cuped", margin=1.05, slots_per_look=2))
    assert share(trials, "combined", 0.05) == 1.0


def test_twice_the_reboots_of_a_busy_fleet_are_found_within_half_a_day_or_so() -> None:
    days = []
    for number in range(12):
        rng = np.random.default_rng([6, number])
        fleet = parallel_arms(rng, treated=200, control=2000, ratio=2.0, per_day=0.5, days=2)
        trial = watch(fleet, adjustment="cuped")
        days.append(trial.alarm(trial.combined, 0.05))
    assert np.mean(days) <= 0.6


def test_a_regression_among_frail_devices_in_the_wild_is_found_against_their_own_past() -> None:
    trials = []
    for number in range(8):
        rng = np.random.default_rng([7, number])
        fleet = staged(rng, devices=1500, ratio=2.0, per_day=0.5, bias=1.0)
        trials.append(
            watch(fleet, adjustment="differences", margin=1.05, burn_in_hours=24.0, slots_per_look=2, washout_slots=12)
        )
    assert share(trials, "rate", 0.05) == 1.0
