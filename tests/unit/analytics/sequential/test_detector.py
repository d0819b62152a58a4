"""The detector of late regressions."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from analytics.sequential import detector
from analytics.sequential.cluster import Adjustment, Block, RateSums, estimate
from analytics.sequential.detector import RUN_LENGTH_DAYS, late_log_e
from analytics.sequential.mixture import Direction, Floats, log_e_worse
from analytics.sequential.strata import Strata

DEVICES = 120
ALONE = Strata.of(np.zeros(DEVICES, dtype=np.int64))
TREATED = np.arange(DEVICES)[:, None] < 40


def watched(events: Floats) -> list[RateSums]:
    """The sums at each day's end, the first before any; half of the devices are treated all the time."""
    sums = [RateSums.nothing(DEVICES)]
    for day in range(events.shape[1]):
        block = Block(np.ones((DEVICES, 1)), TREATED, events[:, day : day + 1])
        sums.append(sums[-1].add(block, ALONE))
    return sums


def events_of(seed: int, days: int, late: float = 1.0, onset: int = 10**6, rate: float = 2.0) -> Floats:
    rng = np.random.default_rng(seed)
    own = rate * np.exp(0.5 * rng.standard_normal((DEVICES, 1)))
    effect = np.where(TREATED & (np.arange(days) >= onset), late, 1.0)
    return rng.poisson(own * effect).astype(np.float64)


def test_without_a_start_that_may_speak_there_is_no_evidence() -> None:
    sums = watched(np.zeros((DEVICES, 3)))
    assert late_log_e(sums[-1], []) == (-np.inf, -1)
    assert late_log_e(sums[-1], sums[:-1]) == (-np.inf, -1)


def test_a_start_speaks_only_when_enough_devices_have_had_events_since() -> None:
    sums = watched(events_of(1, 4))
    assert np.isfinite(late_log_e(sums[-1], sums[:1], guard=30)[0])
    assert late_log_e(sums[-1], sums[:1], guard=41) == (-np.inf, -1)
    assert late_log_e(sums[-1], [sums[-1]], guard=1) == (-np.inf, -1)


@given(st.integers(0, 1000))
@settings(max_examples=20)
def test_started_at_the_beginning_it_is_the_plain_e_process_with_the_ratio_known_better(seed: int) -> None:
    sums = watched(events_of(seed, 6, late=1.5, onset=0))
    late, index = late_log_e(sums[-1], sums[:1], margin=1.05)
    plain = estimate(sums[-1])
    assert index == 0
    assert late == pytest.approx(float(log_e_worse(plain.theta - np.log(1.05), plain.information)), rel=0.2, abs=0.3)


@given(st.integers(0, 1000), st.sampled_from(["none", "cuped", "differences"]))
@settings(max_examples=20)
def test_it_is_the_sum_over_its_starts_and_names_the_strongest(seed: int, adjustment: Adjustment) -> None:
    sums = watched(events_of(seed, 5))
    past = np.random.default_rng(seed).gamma(9.0, 1.0 / 9.0, DEVICES)
    together, strongest = late_log_e(sums[-1], sums[:-1], past, adjustment)
    alone = [late_log_e(sums[-1], [start], past, adjustment)[0] for start in sums[:-1]]
    assert together == pytest.approx(float(np.logaddexp.reduce(alone)), abs=1e-9)
    assert strongest == int(np.argmax(alone))


@given(st.integers(0, 1000))
@settings(max_examples=20)
def test_what_came_before_a_start_does_not_matter_to_it(seed: int) -> None:
    quiet, noisy = events_of(seed, 8), events_of(seed, 8)
    noisy[:, :4] += np.random.default_rng(seed + 1).poisson(3.0, (DEVICES, 4))
    values = [late_log_e(sums[-1], [sums[4]])[0] for sums in (watched(quiet), watched(noisy))]
    assert values[0] == pytest.approx(values[1], abs=0.15)  # but through the ratio of the first slots


@pytest.mark.parametrize(("direction", "late"), [("more", 2.0), ("less", 0.4)])
def test_a_change_after_three_weeks_is_found_where_it_began(direction: Direction, late: float) -> None:
    sums = watched(events_of(3, 28, late=late, onset=21))
    log_e, start = late_log_e(sums[-1], sums[:-1], direction=direction)
    assert log_e >= np.log(RUN_LENGTH_DAYS)
    assert 18 <= start <= 24
    against: Direction = "less" if direction == "more" else "more"
    assert late_log_e(sums[-1], sums[:-1], direction=against)[0] < np.log(RUN_LENGTH_DAYS)


def test_a_harmless_release_is_blamed_within_its_first_weeks_no_more_often_than_the_run_length_allows() -> None:
    days, replications, alarms = 40, 30, 0
    for seed in range(replications):
        sums = watched(events_of(1000 + seed, days, rate=1.0))
        values = [late_log_e(sums[day], sums[:day])[0] for day in range(2, days + 1, 2)]
        alarms += max(values) >= np.log(RUN_LENGTH_DAYS)
    most = days / RUN_LENGTH_DAYS
    assert alarms / replications <= most + 3.0 * np.sqrt(most * (1.0 - most) / replications)


@given(st.integers(0, 1000))
@settings(max_examples=10)
def test_the_order_of_the_devices_does_not_matter(seed: int) -> None:
    events, order = events_of(seed, 5), np.random.default_rng(seed).permutation(DEVICES)
    past = np.random.default_rng(seed).gamma(9.0, 1.0 / 9.0, DEVICES)
    sums = watched(events)
    shuffled = [RateSums.nothing(DEVICES)]
    for day in range(5):
        block = Block(np.ones((DEVICES, 1)), TREATED[order], events[order, day : day + 1])
        shuffled.append(shuffled[-1].add(block, ALONE))
    one = late_log_e(sums[-1], sums[:-1], past, "cuped", guard=10)
    other = late_log_e(shuffled[-1], shuffled[:-1], past[order], "cuped", guard=10)
    assert other[0] == pytest.approx(one[0], abs=1e-9)
    assert other[1] == one[1]


def test_a_large_fleet_is_taken_in_parts_with_the_same_result(monkeypatch: pytest.MonkeyPatch) -> None:
    sums = watched(events_of(5, 9, late=2.0, onset=5))
    past = np.random.default_rng(5).gamma(9.0, 1.0 / 9.0, DEVICES)
    whole = late_log_e(sums[-1], sums[:-1], past, "cuped", guard=10)
    monkeypatch.setattr(detector, "_ROWS", 2 * DEVICES)
    parts = late_log_e(sums[-1], sums[:-1], past, "cuped", guard=10)
    assert parts[0] == pytest.approx(whole[0], abs=1e-9)
    assert parts[1] == whole[1]
