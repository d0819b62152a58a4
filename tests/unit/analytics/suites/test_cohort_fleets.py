"""The laws of the simulated fleets on which the release watch is judged: rates, frailty, bursts, waves, bias, outages."""

from __future__ import annotations

import numpy as np
import pytest

from analytics.suites.cohort_fleets import (
    BURST,
    PRE_DAYS,
    WAVES,
    Fleet,
    Floats,
    correlated_metrics,
    drains,
    parallel_arms,
    staged,
)

FORTNIGHT = 14


def rng(number: int) -> np.random.Generator:
    return np.random.default_rng([2026, number])


def by_device(fleet: Fleet) -> Floats:
    return np.bincount(fleet.device, weights=fleet.count, minlength=fleet.devices).astype(np.float64)


def wave_of(fleet: Fleet) -> Floats:
    """The day of each device's update, infinity for never."""
    days = fleet.update * fleet.slot_hours / 24.0
    return np.where(fleet.update < fleet.slots, days, np.inf)


def near(value: float, expected: float, error: float) -> bool:
    """Whether a mean lies within four standard errors."""
    return abs(value - expected) <= 4.0 * error


def test_devices_have_as_many_events_as_asked_on_average() -> None:
    counts = by_device(parallel_arms(rng(1), treated=4000, control=4000, ratio=1.0, per_day=0.5, sigma=0.5))
    assert near(counts.mean(), 0.5 * FORTNIGHT, counts.std() / np.sqrt(counts.size))


def test_the_treated_arm_has_the_ratio_asked_for_and_the_control_has_not() -> None:
    counts = by_device(parallel_arms(rng(2), treated=5000, control=5000, ratio=2.0, per_day=0.5, sigma=0.5))
    for arm, expected in ((counts[:5000], 2.0), (counts[5000:], 1.0)):
        assert near(arm.mean(), expected * 0.5 * FORTNIGHT, arm.std() / np.sqrt(arm.size))


def test_a_concentrated_regression_hits_a_tenth_of_the_devices_ten_times_as_hard() -> None:
    fleet = parallel_arms(rng(3), treated=3000, control=10, ratio=2.0, per_day=5.0, sigma=0.0, days=2, concentrated=0.1)
    counts = by_device(fleet)[:3000]
    hit = counts > 4.0 * 10.0  # 1 + 1 / 0.1 = 11 times the 10 events of the others
    assert near(hit.mean(), 0.1, np.sqrt(0.1 * 0.9 / 3000))
    assert counts[hit].mean() == pytest.approx(110.0, rel=0.05)
    assert counts[~hit].mean() == pytest.approx(10.0, rel=0.05)


@pytest.mark.parametrize("sigma", [0.5, 1.0])
def test_frail_devices_stay_frail_with_the_variance_asked_for(sigma: float) -> None:
    """Past and watched period share nothing but the frailty, so their covariance is its variance: exp(sigma^2) - 1."""
    fleet = parallel_arms(rng(4), treated=20, control=30_000, ratio=1.0, per_day=2.0, sigma=sigma)
    before, after = fleet.before.sum(axis=1), by_device(fleet)
    shared = np.cov(before, after)[0, 1] / (before.mean() * after.mean())
    assert shared == pytest.approx(np.expm1(sigma**2), rel=0.25)


def test_events_come_in_bursts() -> None:
    """Compound Poisson without frailty: variance over mean is E[size^2] / E[size] of a burst of 1 + Poisson(0.5)."""
    counts = by_device(parallel_arms(rng(5), treated=10, control=20_000, ratio=1.0, per_day=0.5, sigma=0.0))
    expected = (0.5 + BURST**2) / BURST
    assert counts.var() / counts.mean() == pytest.approx(expected, rel=0.06)


def test_the_past_is_as_long_as_the_watch_looks_back_and_knows_nothing_of_the_release() -> None:
    fleet = parallel_arms(rng(6), treated=4000, control=4000, ratio=3.0, per_day=0.5, sigma=0.5)
    assert fleet.before.shape == (8000, PRE_DAYS)
    daily = fleet.before.mean(axis=1)
    error = daily.std() / np.sqrt(4000)
    assert near(daily[:4000].mean(), 0.5, error)
    assert near(daily[4000:].mean(), 0.5, error)


def test_every_device_and_slot_has_one_entry_in_order_and_the_dense_form_has_the_same_events() -> None:
    fleet = staged(rng(7), devices=300, ratio=1.5, per_day=2.0, outages=True)
    key = fleet.device * fleet.slots + fleet.slot
    assert (np.diff(key) > 0).all()
    assert (fleet.count >= 1).all()
    assert fleet.dense()[fleet.device, fleet.slot].tolist() == fleet.count.tolist()
    assert fleet.dense().sum() == fleet.count.sum()


def test_the_same_seed_gives_the_same_fleet_and_another_seed_another() -> None:
    first, again, other = (
        staged(rng(number), devices=200, ratio=1.3, per_day=1.0, outages=True, bias=1.0) for number in (8, 8, 9)
    )
    assert first.count.tolist() == again.count.tolist()
    assert first.update.tolist() == again.update.tolist()
    assert first.update.tolist() != other.update.tolist()


def test_waves_reach_one_five_twenty_and_fifty_per_cent_of_the_fleet() -> None:
    fleet = staged(rng(10), devices=4000, ratio=1.0, per_day=0.5)
    for day, share in WAVES:
        assert np.mean(wave_of(fleet) <= day) == share


def test_waves_by_lot_do_not_ask_how_devices_were_before() -> None:
    fleet = staged(rng(11), devices=20_000, ratio=1.0, per_day=0.5, sigma=0.5)
    past, updated = fleet.before.sum(axis=1), np.isfinite(wave_of(fleet))
    error = past.std() * np.sqrt(1.0 / updated.sum() + 1.0 / (~updated).sum())
    assert near(past[updated].mean() - past[~updated].mean(), 0.0, error)


def test_biased_waves_take_the_frail_devices_first() -> None:
    fleet = staged(rng(12), devices=8000, ratio=1.0, per_day=0.5, bias=1.0)
    past, wave = fleet.before.sum(axis=1), wave_of(fleet)
    means = [past[wave == day].mean() for day in (0.0, 2.0, 4.0, 7.0, np.inf)]
    assert means == sorted(means, reverse=True)
    assert means[0] > 3.0 * means[-1]


def test_adoption_after_trouble_follows_the_last_days_more_than_what_devices_are_like() -> None:
    fleet = staged(rng(13), devices=8000, ratio=1.0, per_day=0.5, sigma=0.5, trouble=True)
    early = wave_of(fleet) <= 2.0
    recent, long_ago = fleet.before[early, -3:].mean(), fleet.before[early, :-3].mean()
    assert recent > 1.5 * long_ago


def test_the_newer_hardware_updates_first_and_has_half_as_many_events_again() -> None:
    fleet = staged(rng(14), devices=8000, ratio=1.0, per_day=0.5, sigma=0.3, new_hardware_first=True)
    newer, past = fleet.stratum >= 4, fleet.before.sum(axis=1)
    assert np.mean(newer[wave_of(fleet) == 0.0]) > 0.75
    assert past[newer].mean() / past[~newer].mean() == pytest.approx(1.5, rel=0.06)


def test_outages_strike_two_regions_for_half_a_day() -> None:
    quiet, struck = (
        staged(rng(15), devices=8000, ratio=1.0, per_day=2.0, sigma=0.0, outages=outages) for outages in (False, True)
    )
    hourly = [
        np.bincount(fleet.slot[region], weights=fleet.count[region], minlength=fleet.slots)
        for fleet in (quiet, struck)
        for region in ((fleet.stratum % 4)[fleet.device] == number for number in range(4))
    ]
    peaks = [values.max() / np.median(values) for values in hourly]
    assert max(peaks[:4]) < 2.0
    assert sum(peak > 3.0 for peak in peaks[4:]) == 2
    assert sum(int((values > 2.0 * np.median(values)).sum()) for values in hourly[4:]) == 24


def test_a_release_makes_devices_worse_from_their_own_update_on() -> None:
    fleet = staged(rng(16), devices=8000, ratio=3.0, per_day=1.0, sigma=0.0)
    events = fleet.dense()
    last_wave = fleet.update == 7 * 24
    older = (fleet.stratum < 4) & last_wave  # one rate for all
    before, after = events[older, : 7 * 24].mean(), events[older, 7 * 24 :].mean()
    assert after / before == pytest.approx(3.0, rel=0.08)


def test_battery_drain_has_a_value_a_day_and_a_glitch_in_a_hundred() -> None:
    fleet = drains(rng(17), treated=2000, control=2000, ratio=1.3, sigma=0.0)
    values = fleet.dense()
    assert (values > 0).all()
    assert np.mean(fleet.before > 8.0) == pytest.approx(0.01, rel=0.4)
    assert np.median(values[:2000]) / np.median(values[2000:]) == pytest.approx(1.3, rel=0.03)


def test_metrics_of_one_release_go_together_where_devices_are_frail() -> None:
    fleets = correlated_metrics(rng(18), treated=3000, control=3000, ratios=(1.0, 2.0), per_day=1.0)
    logs = [np.log1p(fleet.before.sum(axis=1)) for fleet in fleets]
    assert 0.3 < np.corrcoef(*logs)[0, 1] < 0.7
    rates = [by_device(fleet)[:3000].mean() / by_device(fleet)[3000:].mean() for fleet in fleets]
    assert rates[1] / rates[0] == pytest.approx(2.0, rel=0.2)
