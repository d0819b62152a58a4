"""The rivals are the tests that people use, by their own definitions."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from analytics.suites import cohort_rivals as rivals
from analytics.suites.cohort_fleets import Fleet, Floats, drains, parallel_arms, staged

GUARD = 30


def fleet(number: int, ratio: float = 1.0, **options: float) -> Fleet:
    made = {"treated": 150, "control": 400, "per_day": 0.5, **options}
    return parallel_arms(np.random.default_rng([7, number]), ratio=ratio, **made)  # type: ignore[arg-type]


def arms(of: Fleet, until: int) -> tuple[Floats, Floats]:
    """Events of each device of both arms in the first slots."""
    events = of.dense()[:, :until].sum(axis=1)
    return events[of.update == 0], events[of.update > 0]


@settings(max_examples=60, deadline=None)
@given(
    treated=st.lists(st.integers(0, 5), min_size=2, max_size=40),
    control=st.lists(st.integers(0, 5), min_size=2, max_size=60),
)
def test_mann_whitney_is_scipys(treated: list[int], control: list[int]) -> None:
    if len(set(treated + control)) == 1:
        assert rivals.mann_whitney_z(np.array(treated, float), np.array(control, float)) == 0.0
        return
    known = stats.mannwhitneyu(treated, control, alternative="greater", method="asymptotic").pvalue
    z = rivals.mann_whitney_z(np.array(treated, float), np.array(control, float))
    assert stats.norm.sf(z) == pytest.approx(known, abs=1e-12)


@pytest.mark.parametrize("slot", [20, 100, 335])
def test_the_clustered_z_is_the_delta_method_on_the_devices_counts(slot: int) -> None:
    made = fleet(1)
    found = rivals.clustered_z(rivals.tally(made))[slot]
    treated, control = arms(made, slot + 1)
    variance = sum(arm.var(ddof=1) / arm.mean() ** 2 / arm.size for arm in (treated, control))
    assert found == pytest.approx(np.log(treated.mean() / control.mean()) / np.sqrt(variance), rel=1e-9)


def test_a_staged_roll_out_is_counted_by_each_devices_own_hours() -> None:
    made = staged(np.random.default_rng(2), devices=500, ratio=1.5, per_day=0.5, bias=1.0)
    counts = rivals.tally(made, burn_in_hours=24.0)
    events, slot = made.dense(), np.arange(made.slots)
    inside = {
        "treated": slot >= (made.update + 24)[:, None],
        "control": slot < made.update[:, None],
    }
    for name, there in inside.items():
        arm: rivals.Arm = getattr(counts, name)
        until = 250
        mine, hours = (events * there)[:, :until].sum(axis=1), there[:, :until].sum(axis=1)
        rate = mine.sum() / hours.sum()
        assert arm.events[until - 1] == mine.sum()
        assert arm.hours[until - 1] == hours.sum()
        assert arm.devices_with_events[until - 1] == (mine > 0).sum()
        assert arm.spread[until - 1] == pytest.approx(((mine - rate * hours) ** 2).sum())
        assert arm.daily_events[:, 9].tolist() == (events * there)[:, :240].sum(axis=1).tolist()


def test_a_poisson_z_believes_that_every_event_is_independent() -> None:
    made = fleet(3, sigma=0.3)
    treated, control = arms(made, made.slots)
    known = stats.binomtest(int(treated.sum()), int(treated.sum() + control.sum()), 150 / 550, alternative="greater")
    z = rivals.poisson_z(rivals.tally(made))[-1]
    assert stats.norm.sf(z) == pytest.approx(known.pvalue, abs=0.02)


def test_kayenta_calls_it_high_where_the_whole_interval_of_the_shift_lies_beyond_its_tolerance() -> None:
    """Its own words, spelled out: order all differences; the 98 % interval ends where the rank test turns."""
    rng = np.random.default_rng(4)
    turned = set()
    for shift in np.linspace(0.0, 1.2, 25):
        experiment, control = rng.normal(shift, 1.0, 40), rng.normal(0.0, 1.0, 40)
        differences = np.sort(np.subtract.outer(experiment, control).ravel())
        rank = int(np.floor(800.0 - stats.norm.isf(0.01) * np.sqrt(1600 * 81 / 12.0)))
        expected = differences[rank - 1] > 0.25 * abs(differences[800])
        assert rivals._high(experiment, control) == expected
        turned.add(bool(expected))
    assert turned == {True, False}


def test_no_rival_speaks_before_thirty_devices_of_either_arm_had_an_event() -> None:
    made = fleet(5, ratio=5.0, treated=29)
    found = rivals.alarms(made, 0.0, GUARD)
    assert set(found) == {"poisson", "clustered", "mann_whitney", "kayenta", "fixed_horizon"}
    assert all(np.isnan(day) for day in found.values())


def test_every_rival_finds_a_release_that_doubles_the_events() -> None:
    found = rivals.alarms(fleet(6, ratio=2.0), 0.0, GUARD)
    assert all(day <= 14.0 for day in found.values())
    assert found["fixed_horizon"] == 14.0  # it looks once


def test_looking_again_and_again_deceives_all_but_the_one_who_looks_once() -> None:
    trials = [rivals.alarms(fleet(100 + number), 0.0, GUARD) for number in range(60)]
    share = {name: np.mean([np.isfinite(trial[name]) for trial in trials]) for name in trials[0]}
    assert share["poisson"] > 0.3
    assert share["clustered"] > share["fixed_horizon"]
    assert share["fixed_horizon"] <= 0.05 + 3.0 * np.sqrt(0.05 * 0.95 / 60)


def test_amounts_are_not_judged_by_tests_of_counts() -> None:
    made = drains(np.random.default_rng(7), treated=200, control=400, ratio=1.5)
    assert set(rivals.alarms(made, 0.0, GUARD, counted=False)) == {"clustered", "mann_whitney", "fixed_horizon"}
