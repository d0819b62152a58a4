"""What a gauge was like on each day."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from analytics.cohorts.means import DayMemory, DayValues, end_of_day, part_of_day
from analytics.cohorts.spec import BY_NAME, Metric

DRAIN, LATENCY, MEMORY = BY_NAME["battery_drain"], BY_NAME["actuation_latency"], BY_NAME["memory_decline"]
DAY = 20_000
N = np.nan


def days(
    metric: Metric, *values: list[float], treated: list[bool] | None = None, booted: int | None = None
) -> list[DayValues]:
    """One device, three readings a day at 6, 12 and 18 o'clock; ``treated`` by day, ``booted`` the day with a boot."""
    memory, found = DayMemory.nothing(1), []
    for number, of_day in enumerate(values):
        hours: NDArray[np.float64] = np.full((1, 24), N)
        hours[0, [6, 12, 18]] = of_day
        arm = np.full((1, 24), bool(treated[number]) if treated else False)
        boots = np.full((1, 24), number == booted)
        begin = (DAY + number) * 24
        everywhere = np.ones((1, 24), dtype=bool)
        memory = part_of_day(memory, hours[:, :10], everywhere[:, :10], arm[:, :10], boots[:, :10], begin)
        memory = part_of_day(memory, hours[:, 10:], everywhere[:, 10:], arm[:, 10:], boots[:, 10:], begin + 10)
        values_of_day, memory = end_of_day(metric, memory, DAY + number)
        found.append(values_of_day)
    return found


def amounts(found: list[DayValues]) -> list[tuple[float, float]]:
    return [(round(float(one.value[0]), 9), float(one.hours[0])) for one in found]


def test_a_day_without_a_value_counts_nowhere() -> None:
    assert amounts(days(LATENCY, [N, N, N])) == [(0.0, 0.0)]
    assert amounts(days(DRAIN, [90, 90, 90], [N, N, N], [80, 80, 80]))[1:] == [(0.0, 0.0), (0.0, 0.0)]


def test_a_level_is_the_mean_of_the_day() -> None:
    assert amounts(days(LATENCY, [0.8, 1.0, 1.2])) == [(1.0, 24.0)]


def test_a_level_below_zero_is_no_amount() -> None:
    assert amounts(days(LATENCY, [-1.0, -1.0, -1.0])) == [(0.0, 0.0)]


def test_a_fall_is_what_was_lost_since_the_day_before() -> None:
    assert amounts(days(DRAIN, [90, 89, 88], [87, 86, 85])) == [(0.0, 0.0), (3.0, 24.0)]


def test_a_fall_is_taken_over_the_time_between_the_middles_of_both_days() -> None:
    half = days(DRAIN, [90.0, N, N], [N, N, 87.0])  # from 6 o'clock to 18 o'clock of the next day
    assert amounts(half)[1] == (2.0, 36.0)


def test_two_readings_close_around_midnight_tell_nothing_of_a_day() -> None:
    memory = DayMemory.nothing(1)
    hours: NDArray[np.float64] = np.full((1, 24), N)
    late, early = hours.copy(), hours.copy()
    late[0, 23], early[0, 0] = 90.0, 89.9
    ones, nothing = np.ones((1, 24), dtype=bool), np.zeros((1, 24), dtype=bool)
    _, memory = end_of_day(DRAIN, part_of_day(memory, late, ones, nothing, nothing, DAY * 24), DAY)
    found, _ = end_of_day(DRAIN, part_of_day(memory, early, ones, nothing, nothing, (DAY + 1) * 24), DAY + 1)
    assert found.hours[0] == 0.0


def test_a_small_rise_is_a_fall_of_nothing_and_a_large_one_leaves_the_day_out() -> None:
    found = amounts(days(DRAIN, [50, 50, 50], [51, 51, 51], [90, 90, 90], [89, 89, 89]))
    assert found == [(0.0, 0.0), (0.0, 24.0), (0.0, 0.0), (1.0, 24.0)]


def test_days_in_different_arms_are_not_compared() -> None:
    found = amounts(days(DRAIN, [90] * 3, [89] * 3, [88] * 3, treated=[False, True, True]))
    assert [hours for _, hours in found] == [0.0, 0.0, 24.0]
    assert days(LATENCY, [1.0] * 3, treated=[True])[0].treated.tolist() == [True]


def test_memory_falls_only_within_one_boot() -> None:
    found = amounts(days(MEMORY, [90e3] * 3, [80e3] * 3, [70e3] * 3, [60e3] * 3, booted=1))
    assert [hours for _, hours in found] == [0.0, 0.0, 0.0, 24.0]
    assert found[3][0] == pytest.approx(10e3)


def test_a_day_cut_by_an_update_counts_in_no_arm() -> None:
    memory = DayMemory.nothing(1)
    arm = np.arange(24)[None] >= 12
    values, ones = np.ones((1, 24)), np.ones((1, 24), dtype=bool)
    found, _ = end_of_day(LATENCY, part_of_day(memory, values, ones, arm, ~ones, DAY * 24), DAY)
    assert found.hours[0] == 0.0
