"""The cluster-robust rate ratio."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from analytics.sequential.cluster import (
    NO_ESTIMATE,
    Block,
    PastSums,
    RateSums,
    estimate,
    past_difference,
)
from analytics.sequential.mixture import Floats
from analytics.sequential.strata import Strata

SEEDS = st.integers(0, 10_000)


def some_block(seed: int, devices: int = 40, slots: int = 24, rate: float = 0.3) -> Block:
    """Devices of different rates that update at different times; some hours nobody saw."""
    rng = np.random.default_rng(seed)
    hours = (rng.random((devices, slots)) < 0.9).astype(np.float64)
    treated = np.arange(slots) >= rng.integers(0, 2 * slots, devices)[:, None]
    own = rate * np.exp(rng.standard_normal(devices))[:, None]
    events = np.where(hours > 0, rng.poisson(own, (devices, slots)), 0).astype(np.float64)
    return Block(hours, treated, events)


def some_strata(seed: int, devices: int = 40) -> Strata:
    return Strata.of(np.random.default_rng(seed + 1).integers(0, 4, devices))


def part(block: Block, first: int, last: int) -> Block:
    return Block(block.hours[:, first:last], block.treated[:, first:last], block.events[:, first:last])


def test_without_events_in_an_arm_there_is_no_estimate() -> None:
    block = some_block(1)
    quiet = Block(block.hours, block.treated, np.where(block.treated, 0.0, block.events))
    assert estimate(RateSums.nothing(40).add(quiet, some_strata(1))) is NO_ESTIMATE
    assert NO_ESTIMATE.information == 0.0


def test_arms_that_never_ran_at_the_same_time_are_not_compared() -> None:
    hours, events = np.ones((4, 2)), np.ones((4, 2))
    everyone = np.array([[False, True]] * 4)
    sums = RateSums.nothing(4).add(Block(hours, everyone, events), Strata.of(np.zeros(4, dtype=np.int64)))
    assert estimate(sums) is NO_ESTIMATE


def test_without_a_known_past_differences_say_nothing_and_cuped_is_plain() -> None:
    sums = RateSums.nothing(40).add(some_block(2), some_strata(2))
    unknown = np.full(40, np.nan)
    assert estimate(sums, unknown, "differences") is NO_ESTIMATE
    assert estimate(sums, unknown, "cuped").theta == estimate(sums).theta
    assert past_difference(sums, unknown) is NO_ESTIMATE
    assert past_difference(sums, np.ones(40), unknown) is NO_ESTIMATE


def test_equal_arms_in_one_stratum_give_the_plain_ratio_of_rates() -> None:
    rng = np.random.default_rng(7)
    events = rng.poisson(3.0, (50, 1)).astype(np.float64)
    treated = np.array([[True]] * 20 + [[False]] * 30)
    sums = RateSums.nothing(50).add(Block(np.ones((50, 1)), treated, events), Strata.of(np.zeros(50, dtype=np.int64)))
    ratio = events[:20].mean() / events[20:].mean()
    assert estimate(sums).theta == pytest.approx(np.log(ratio))


def test_the_variance_is_that_of_two_means_when_devices_stay_in_their_arm() -> None:
    rng = np.random.default_rng(8)
    events = rng.poisson(20.0 * np.exp(0.5 * rng.standard_normal((1000, 1)))).astype(np.float64)
    treated = np.arange(1000)[:, None] < 500
    sums = RateSums.nothing(1000)
    sums = sums.add(Block(np.ones((1000, 1)), treated, events), Strata.of(np.zeros(1000, dtype=np.int64)))
    arms = (events[:500, 0], events[500:, 0])
    expected = sum(float(arm.var() / arm.mean() ** 2 / arm.size) for arm in arms)
    assert estimate(sums).variance == pytest.approx(expected, rel=0.05)


@given(SEEDS, st.lists(st.integers(1, 23), max_size=5))
@settings(max_examples=40)
def test_slot_by_slot_gives_what_one_pass_gives(seed: int, cuts: list[int]) -> None:
    block, strata = some_block(seed), some_strata(seed)
    once = RateSums.nothing(40).add(block, strata)
    edges = [0, *sorted(set(cuts)), 24]
    split = RateSums.nothing(40)
    for first, last in pairwise(edges):
        split = split.add(part(block, first, last), strata)
    past = np.exp(np.random.default_rng(seed).standard_normal(40))
    for adjustment in ("none", "cuped", "differences"):
        whole, pieces = estimate(once, past, adjustment), estimate(split, past, adjustment)
        assert pieces.theta == pytest.approx(whole.theta, abs=1e-9)
        assert pieces.information == pytest.approx(whole.information, rel=1e-9)


@given(SEEDS)
@settings(max_examples=40)
def test_the_order_of_the_devices_does_not_matter(seed: int) -> None:
    block, strata = some_block(seed), some_strata(seed)
    order = np.random.default_rng(seed).permutation(40)
    shuffled = Block(block.hours[order], block.treated[order], block.events[order])
    past = np.exp(np.random.default_rng(seed).standard_normal(40))
    one = estimate(RateSums.nothing(40).add(block, strata), past, "cuped")
    other = RateSums.nothing(40).add(shuffled, Strata.of(strata.of_device[order]))
    two = estimate(other, past[order], "cuped")
    assert two.theta == pytest.approx(one.theta, abs=1e-9)
    assert two.information == pytest.approx(one.information, rel=1e-9)


@given(SEEDS)
@settings(max_examples=40)
def test_what_comes_later_does_not_change_what_was_known(seed: int) -> None:
    block, strata = some_block(seed), some_strata(seed)
    other = Block(block.hours, block.treated, block.events.copy())
    other.events[:, 12:] += 5.0
    early = [RateSums.nothing(40).add(part(one, 0, 12), strata) for one in (block, other)]
    assert estimate(early[0]) == estimate(early[1])


def test_an_outage_of_one_region_does_not_look_like_the_release() -> None:
    rng = np.random.default_rng(9)
    devices, slots = 2000, 48
    region = rng.integers(0, 2, devices)
    treated = np.arange(slots) >= np.where(region == 0, 12, 40)[:, None] + rng.integers(-8, 8, devices)[:, None]
    rate = np.full((devices, slots), 0.05)
    rate[region == 0, 20:30] *= 6.0
    block = Block(np.ones((devices, slots)), treated, rng.poisson(rate).astype(np.float64))
    pooled = RateSums.nothing(devices).add(block, Strata.of(np.zeros(devices, dtype=np.int64)))
    stratified = RateSums.nothing(devices).add(block, Strata.of(region))
    assert estimate(pooled).theta > 0.2
    assert abs(estimate(stratified).theta) < 3.0 * np.sqrt(estimate(stratified).variance)


def past_of(hours: Floats, events: Floats, strata: Strata) -> Floats:
    return PastSums.nothing(hours.shape[0]).add(hours, events, strata).rates(1.0)


@given(SEEDS, st.floats(0.2, 5.0))
@settings(max_examples=30)
def test_differences_do_not_see_what_is_constant_in_a_device(seed: int, factor: float) -> None:
    """Adopters that always had `factor` times the rate: the difference of differences is that of alike devices."""
    rng = np.random.default_rng(seed)
    devices, slots = 60, 12
    adopter = np.arange(devices) < 30
    treated = np.repeat(adopter[:, None], slots, axis=1)
    before = rng.integers(1, 9, (devices, 1)).astype(np.float64)
    after = rng.integers(1, 9, (devices, slots)).astype(np.float64)
    scale = np.where(adopter, factor, 1.0)[:, None]
    strata = Strata.of(np.zeros(devices, dtype=np.int64))
    thetas = []
    for weight in (np.ones_like(scale), scale):
        hours = np.ones((devices, slots))
        sums = RateSums.nothing(devices).add(Block(hours, treated, after * weight), strata)
        past = past_of(np.ones((devices, 1)), before * weight, strata)
        thetas.append(estimate(sums, past, "differences").theta)
    assert thetas[1] == pytest.approx(thetas[0], abs=1e-9)


def test_a_device_of_average_past_has_one_and_an_unseen_one_none() -> None:
    hours = np.array([[1.0, 1.0], [1.0, 1.0], [0.0, 0.0]])
    events = np.array([[2.0, 0.0], [0.0, 2.0], [0.0, 0.0]])
    rates = past_of(hours, events, Strata.of(np.zeros(3, dtype=np.int64)))
    assert rates[:2].tolist() == [1.0, 1.0]
    assert np.isnan(rates[2])


def test_cuped_makes_the_estimate_sharper_and_leaves_it_where_it_was() -> None:
    rng = np.random.default_rng(11)
    devices = 1000
    own = np.exp(rng.standard_normal(devices))[:, None]
    strata = Strata.of(np.zeros(devices, dtype=np.int64))
    past = past_of(np.full((devices, 1), 14.0), rng.poisson(14.0 * own).astype(np.float64), strata)
    treated = np.arange(devices)[:, None] < 500
    block = Block(
        np.full((devices, 1), 14.0), treated, rng.poisson(14.0 * own * np.where(treated, 1.3, 1.0)).astype(np.float64)
    )
    sums = RateSums.nothing(devices).add(block, strata)
    plain, sharp = estimate(sums), estimate(sums, past, "cuped")
    assert sharp.variance < plain.variance / 4.0
    assert sharp.theta == pytest.approx(np.log(1.3), abs=4.0 * np.sqrt(sharp.variance))


def test_adopters_that_were_worse_before_show_in_the_placebo() -> None:
    rng = np.random.default_rng(12)
    devices = 400
    treated = np.arange(devices)[:, None] < 200
    rate = np.where(treated, 2.0, 1.0)
    strata = Strata.of(np.zeros(devices, dtype=np.int64))
    halves = [past_of(np.full((devices, 1), 7.0), rng.poisson(7.0 * rate).astype(np.float64), strata) for _ in range(2)]
    block = Block(np.full((devices, 1), 7.0), treated, rng.poisson(7.0 * rate).astype(np.float64))
    sums = RateSums.nothing(devices).add(block, strata)
    level = past_difference(sums, halves[1])
    trend = past_difference(sums, halves[1], halves[0])
    assert level.theta == pytest.approx(np.log(2.0), abs=0.1)
    assert abs(trend.theta) < 3.0 * np.sqrt(trend.variance)


def test_rows_of_one_device_count_as_one_device() -> None:
    block, strata = some_block(13), some_strata(13)
    owner = np.repeat(np.arange(20), 2)
    sums = RateSums.nothing(40).add(block, strata).gathered(owner, 20)
    assert sums.a.size == 20
    assert estimate(sums).theta == estimate(RateSums.nothing(40).add(block, strata)).theta


@given(SEEDS, st.sampled_from([1e-6, 1e-3, 1e6]))
@settings(max_examples=20)
def test_the_unit_of_an_amount_hardly_matters(seed: int, unit: float) -> None:
    rng = np.random.default_rng(seed)
    block = some_block(seed, devices=200)
    amounts = rng.lognormal(1.0, 0.6, block.hours.shape) * np.where(block.treated, 1.3, 1.0) * block.hours
    strata, past = some_strata(seed, 200), rng.lognormal(0.0, 0.3, 200)
    usual, scaled = (
        estimate(RateSums.nothing(200).add(Block(block.hours, block.treated, values), strata), past, "cuped")
        for values in (amounts, unit * amounts)
    )
    assert scaled.theta == pytest.approx(usual.theta, abs=0.01)
    assert scaled.information == pytest.approx(usual.information, rel=0.1)
