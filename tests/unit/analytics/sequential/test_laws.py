"""The laws of the watch, on simulated fleets: declared false alarms at every look, power, and honesty about who updated first.

Modest numbers of replications; `hearthwatch evaluate cohorts` is the same with many more.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import pytest

from analytics.sequential.cluster import Block, PastSums
from analytics.sequential.looks import first_event_looks, rate_looks
from analytics.sequential.mixture import Floats, Kind, tau_of
from analytics.sequential.moments import Adjustment
from analytics.sequential.strata import Strata
from analytics.sequential.winsor import winsor_cap, winsorised
from analytics.suites.cohort_fleets import Fleet, drains, parallel_arms, staged

ALPHAS = (0.05, 0.10)
WASHED_OUT_DAYS = 3


@dataclass(frozen=True, slots=True)
class Trial:
    """Natural logarithms of e at each look, and the day of each."""

    days: Floats
    rate: Floats
    first: Floats

    @property
    def combined(self) -> Floats:
        """The stream's: max(e_rate, e_first) / 2."""
        both: Floats = np.maximum(self.rate, self.first) - np.log(2.0)
        return both


def watch(
    fleet: Fleet,
    adjustment: Adjustment,
    *,
    margin: float = 1.0,
    burn_in_hours: float = 0.0,
    slots_per_look: int = 1,
    kind: Kind = "rate",
) -> Trial:
    """Look at a fleet every ``slots_per_look`` slots."""
    strata, slot = Strata.of(fleet.stratum), np.arange(fleet.slots)
    events, before = fleet.dense(), fleet.before[:, :-WASHED_OUT_DAYS]
    if kind == "mean":
        cap = winsor_cap(before[fleet.update >= fleet.slots])
        events, before = winsorised(events, np.ones_like(events), cap), winsorised(before, np.ones_like(before), cap)
    past = PastSums.nothing(fleet.devices).add(np.full_like(before, 24.0), before, strata).rates(least_hours=1.0)
    treated = slot >= (fleet.update + round(burn_in_hours / fleet.slot_hours))[:, None]
    hours = np.where((slot < fleet.update[:, None]) | treated, fleet.slot_hours, 0.0)
    looks = rate_looks(Block(hours, treated, events * (hours > 0)), strata, [past], slots_per_look=slots_per_look)
    first = first_event_looks(hours, treated, events > 0, strata, margin=margin, slots_per_look=slots_per_look)
    rate = looks.log_e(adjustment, margin=margin, tau=tau_of(kind))
    days = np.arange(1.0, rate.size + 1.0) * slots_per_look * fleet.slot_hours / 24.0
    return Trial(days.astype(np.float64), rate, first)


def trials_of(seed: int, replications: int, trial: Callable[[np.random.Generator], Trial]) -> list[Trial]:
    return [trial(np.random.default_rng([seed, number])) for number in range(replications)]


def share(trials: Sequence[Trial], test: str, alpha: float) -> float:
    """Share of trials that ever alarmed."""
    return float(np.mean([getattr(trial, test).max() >= -np.log(alpha) for trial in trials]))


def allowed(alpha: float, replications: int) -> float:
    return alpha + 3.0 * float(np.sqrt(alpha * (1.0 - alpha) / replications))


@pytest.fixture(scope="module")
def harmless() -> list[Trial]:
    """100 against 300 devices of very different rates, in bursts, looked at every hour for a week."""
    return trials_of(
        1, 80, lambda rng: watch(parallel_arms(rng, treated=100, control=300, ratio=1.0, per_day=0.5, days=7), "cuped")
    )


@pytest.fixture(scope="module")
def harmless_waves() -> list[Trial]:
    """Randomised waves of 1, 5, 20 and 50 % of 1,000 devices, two of whose regions have an outage."""
    return trials_of(
        2,
        80,
        lambda rng: watch(
            staged(rng, devices=1000, ratio=1.0, per_day=0.5, outages=True, slot_hours=6.0),
            "cuped",
            burn_in_hours=24.0,
        ),
    )


@pytest.fixture(scope="module")
def harmless_drains() -> list[Trial]:
    """Battery drain of 100 against 400 devices, with glitches of ten times as much, looked at every day."""
    return trials_of(3, 150, lambda rng: watch(drains(rng, treated=100, control=400, ratio=1.0), "cuped", kind="mean"))


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


@pytest.mark.parametrize("alpha", ALPHAS)
def test_a_harmless_release_is_blamed_for_its_battery_drain_no_more_often_than_declared(
    harmless_drains: list[Trial], alpha: float
) -> None:
    assert share(harmless_drains, "rate", alpha) <= allowed(alpha, len(harmless_drains))


@pytest.mark.parametrize("fleets", ["harmless", "harmless_waves"])
def test_betting_on_first_events_wins_nothing_on_average_whenever_one_stops(
    fleets: str, request: pytest.FixtureRequest
) -> None:
    trials = request.getfixturevalue(fleets)
    rng = np.random.default_rng(9)
    rules: tuple[Callable[[Floats], int], ...] = (
        lambda first: first.size - 1,
        lambda first: int(rng.integers(first.size)),
        lambda first: int(np.argmax(first >= np.log(3.0))) if first.max() >= np.log(3.0) else first.size - 1,
    )
    for rule in rules:
        stops = [trial.first[rule(trial.first)] for trial in trials]
        values = np.minimum(np.exp(np.array(stops)), 100.0)
        assert values.mean() <= 1.0 + 3.0 * values.std() / np.sqrt(values.size)


def test_comparing_adopters_with_their_own_past_does_not_blame_the_release_for_who_they_are() -> None:
    def trial(rng: np.random.Generator) -> Trial:
        fleet = staged(
            rng,
            devices=1500,
            ratio=1.0,
            per_day=0.5,
            slot_hours=6.0,
            bias=1.0,
            outages=True,
            new_hardware_first=True,
        )
        return watch(fleet, "differences", margin=1.05, burn_in_hours=24.0, slots_per_look=2)

    trials = trials_of(4, 40, trial)
    assert share(trials, "rate", 0.05) <= allowed(0.05, len(trials))


def test_without_their_past_adopters_that_were_worse_before_would_be_blamed_nearly_always() -> None:
    def trial(rng: np.random.Generator) -> Trial:
        fleet = staged(rng, devices=1500, ratio=1.0, per_day=0.5, bias=1.0, slot_hours=6.0)
        return watch(fleet, "none", burn_in_hours=24.0, slots_per_look=4)

    trials = trials_of(5, 10, trial)
    assert share(trials, "rate", 0.05) >= 0.8  # what the watch guards against is real
    assert share(trials, "first", 0.05) >= 0.8


def test_two_and_a_half_times_the_reboots_are_found_within_the_fortnight() -> None:
    trials = trials_of(
        6,
        15,
        lambda rng: watch(
            parallel_arms(rng, treated=200, control=200, ratio=2.5, per_day=0.2),
            "cuped",
            margin=1.05,
            slots_per_look=2,
        ),
    )
    assert share(trials, "combined", 0.05) == 1.0


def test_twice_the_reboots_of_a_busy_fleet_are_found_within_half_a_day_or_so() -> None:
    trials = trials_of(
        7,
        12,
        lambda rng: watch(parallel_arms(rng, treated=200, control=2000, ratio=2.0, per_day=0.5, days=2), "cuped"),
    )
    assert share(trials, "combined", 0.05) == 1.0
    assert np.mean([trial.days[np.argmax(trial.combined >= np.log(20.0))] for trial in trials]) <= 0.6


def test_a_fifth_more_battery_drain_is_found_within_the_fortnight_in_spite_of_glitches() -> None:
    trials = trials_of(
        8, 15, lambda rng: watch(drains(rng, treated=200, control=1000, ratio=1.2), "cuped", kind="mean")
    )
    assert share(trials, "rate", 0.05) >= 0.9


def test_a_regression_among_frail_devices_in_the_wild_is_found_against_their_own_past() -> None:
    def trial(rng: np.random.Generator) -> Trial:
        fleet = staged(rng, devices=1500, ratio=2.0, per_day=0.5, bias=1.0, slot_hours=6.0)
        return watch(fleet, "differences", margin=1.05, burn_in_hours=24.0, slots_per_look=2)

    assert share(trials_of(9, 8, trial), "rate", 0.05) == 1.0
