"""What is still needed for a decision."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from analytics.sequential.mixture import half_width, log_e_worse
from analytics.sequential.planning import better_at, clears_at, devices_needed, hours_needed, needed, same_at

LOG_20 = math.log(20.0)
THETAS = st.floats(0.01, 3.0)
INFORMATIONS = st.floats(0.0, 1e4)


def test_what_is_not_worse_will_never_be_found_worse() -> None:
    assert needed(0.0, 100.0, log_threshold=LOG_20) == math.inf
    assert needed(-0.2, 100.0, log_threshold=LOG_20) == math.inf


def test_an_estimate_on_the_wrong_side_of_a_bound_will_never_clear_it() -> None:
    assert better_at(0.1, 50.0) == math.inf
    assert same_at(0.3, 50.0, low=-0.22, high=0.22) == math.inf
    assert clears_at(0.0) == math.inf


@given(THETAS, INFORMATIONS, st.floats(0.1, 12.0))
def test_with_the_information_asked_for_the_threshold_is_reached_and_with_less_it_is_not(
    theta: float, information: float, threshold: float
) -> None:
    target = needed(theta, information, log_threshold=threshold)
    assert target >= information
    assert float(log_e_worse(theta, target)) >= threshold - 1e-6
    if target > information:
        assert float(log_e_worse(theta, target * 0.999)) < threshold


@given(st.floats(-0.2, 0.2), INFORMATIONS)
def test_with_the_information_asked_for_the_interval_lies_within_the_bounds(theta: float, information: float) -> None:
    target = same_at(theta, information, low=-0.22, high=0.22, tau=0.10)
    width = float(half_width(target, tau=0.10))
    assert theta - width + 1e-9 >= -0.22
    assert theta + width - 1e-9 <= 0.22


def test_a_clearer_difference_needs_less() -> None:
    targets = [needed(theta, 1.0, log_threshold=LOG_20) for theta in (0.1, 0.3, 0.7)]
    assert targets == sorted(targets, reverse=True)


def test_the_hours_follow_from_how_the_information_has_grown() -> None:
    variance = [0.01 + 0.5 / hours for hours in (10.0, 20.0, 80.0)]
    then, now = (10.0, 1.0 / variance[0]), (20.0, 1.0 / variance[1])
    assert hours_needed(1.0 / variance[2], then=then, now=now) == pytest.approx(80.0)
    assert hours_needed(0.9 / variance[1], then=then, now=now) == 20.0


def test_more_than_these_devices_can_ever_tell_is_never_reached_by_waiting() -> None:
    variance = [0.01 + 0.5 / hours for hours in (10.0, 20.0)]
    then, now = (10.0, 1.0 / variance[0]), (20.0, 1.0 / variance[1])
    assert hours_needed(101.0, then=then, now=now) == math.inf
    assert hours_needed(math.inf, then=then, now=now) == math.inf
    assert hours_needed(50.0, then=now, now=now) == math.inf


def test_twice_the_information_takes_twice_the_devices() -> None:
    assert devices_needed(200.0, devices=50, information=100.0) == 100
    assert devices_needed(200.0, devices=50, information=0.0) == math.inf
    assert devices_needed(math.inf, devices=50, information=10.0) == math.inf


def test_the_plan_is_kept_on_average_where_the_ratio_is_what_it_was_taken_for() -> None:
    rng = np.random.default_rng(4)
    theta = 0.3
    target = needed(theta, 0.0, log_threshold=LOG_20)
    score = theta * target + math.sqrt(target) * rng.standard_normal(4000)
    reached = (log_e_worse(score / target, np.full(4000, target)) >= LOG_20).mean()
    assert 0.45 < reached < 0.55
