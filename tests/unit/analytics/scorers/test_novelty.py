"""Novelty against a device's own past, over many devices at once."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from analytics.panel import Floats, Ints
from analytics.scorers.alarm_level import raised
from analytics.scorers.novelty import FEATURES, scores, step
from analytics.scorers.novelty_state import Memory, arranged, restored, saved
from hearthwatch.errors import Invalid

DAY = 86_400
CADENCE = 1_200
PER_DAY = DAY // CADENCE

numbers = st.one_of(
    st.floats(-5, 5),
    st.sampled_from([0.0, 1.0, float("nan"), float("inf"), -float("inf"), 1e300, -1e300, 5e-324, 1e-300]),
)
fleets = st.lists(st.lists(numbers, min_size=3, max_size=3), min_size=1, max_size=60).map(np.array)


def clock(length: int, begin: int = 1_700_000_000) -> Ints:
    return begin // DAY * DAY + CADENCE * np.arange(length, dtype=np.int64)


def go(memory: Memory, values: Floats, at: Ints) -> tuple[Floats, NDArray[np.bool_]]:
    """Ratios (samples, features, series) and alarms (samples, series) of values of shape (samples, series)."""
    ratios, alarms = [], []
    for now, row in enumerate(values):
        found = step(memory.state, row, np.full(len(row), at[now]))
        ratios.append(found)
        alarms.append(raised(memory.levels, scores(found), np.isfinite(row)))
    shape = (0, len(FEATURES), values.shape[1])
    return (np.array(ratios) if ratios else np.zeros(shape)), np.array(alarms)


def alone(values: Floats) -> tuple[Floats, list[int]]:
    """Ratios (samples, features) and alarms of one series."""
    ratios, alarms = go(Memory.empty(1), values[:, None], clock(len(values)))
    return ratios[:, :, 0], np.flatnonzero(alarms[:, 0]).tolist()


def daily(days: int, seed: int = 0) -> Floats:
    """A day's course with noise."""
    at = np.arange(days * PER_DAY)
    noise: Floats = np.random.default_rng(seed).normal(0, 0.3, len(at))
    return 20 + 5 * np.sin(2 * np.pi * at / PER_DAY) + noise


@settings(max_examples=25, deadline=None)
@given(fleets, st.integers(0, 60))
def test_what_comes_later_changes_nothing_before(values: Floats, cut: int) -> None:
    at = clock(len(values))
    whole, all_alarms = go(Memory.empty(3), values, at)
    part, some_alarms = go(Memory.empty(3), values[:cut], at)
    assert np.array_equal(whole[:cut], part)
    assert np.array_equal(all_alarms[:cut], some_alarms.reshape(-1, 3))


@settings(max_examples=25, deadline=None)
@given(fleets, st.integers(0, 60))
def test_saved_and_restored_is_never_stopped(values: Floats, cut: int) -> None:
    at = clock(len(values))
    whole, memory = Memory.empty(3), Memory.empty(3)
    expected, _ = go(whole, values, at)
    go(memory, values[:cut], at)
    again = restored(saved(memory))
    rest, _ = go(again, values[cut:], at[cut:])
    assert np.array_equal(expected[cut:], rest)
    assert saved(again) == saved(whole)


@settings(max_examples=25, deadline=None)
@given(fleets, st.permutations([0, 1, 2]), st.integers(0, 60))
def test_the_order_of_devices_does_not_matter_and_may_change_on_the_way(
    values: Floats, order: list[int], cut: int
) -> None:
    at = clock(len(values))
    expected, _ = go(Memory.empty(3), values, at)
    memory = Memory.empty(3)
    go(memory, values[:cut], at)
    rows = np.array(order)
    rest, _ = go(arranged(memory, rows), values[cut:, rows], at[cut:])
    assert np.array_equal(expected[cut:][:, :, rows], rest)


@settings(max_examples=40, deadline=None)
@given(fleets)
def test_no_value_does_harm(values: Floats) -> None:
    ratios, _ = go(Memory.empty(3), values, clock(len(values)))
    assert np.isfinite(ratios).all()
    assert (ratios >= 0).all()
    assert (ratios[~np.isfinite(values)[:, None, :].repeat(len(FEATURES), 1)] == 0).all()


@settings(max_examples=30, deadline=None)
@given(fleets)
def test_a_device_that_is_silent_loses_and_learns_nothing(values: Floats) -> None:
    memory = Memory.empty(3)
    go(memory, values, clock(len(values)))
    before = saved(memory)
    go(memory, np.full((5, 3), np.nan), clock(5, 1_800_000_000))
    assert saved(memory) == before


def test_a_constant_series_never_alarms_however_its_samples_are_spaced() -> None:
    values = np.full(5 * PER_DAY, 21.37)
    values[::7] = np.nan
    ratios, alarms = alone(values)
    assert not ratios.any()
    assert alarms == []


def test_a_value_never_seen_before_alarms_at_once_and_names_what_is_new() -> None:
    values = daily(10)
    values[8 * PER_DAY] = 60.0
    ratios, alarms = alone(values)
    assert 8 * PER_DAY in alarms
    assert ratios[8 * PER_DAY, FEATURES.index("value")] > 3


def test_after_an_absurd_value_the_next_fault_is_still_found() -> None:
    values = daily(30)
    values[10 * PER_DAY] = 1e300
    values[25 * PER_DAY : 25 * PER_DAY + 6] = 40.0
    assert any(25 * PER_DAY <= alarm < 25 * PER_DAY + 6 for alarm in alone(values)[1])


def test_a_mode_that_comes_back_after_weeks_is_not_news() -> None:
    values = daily(40)
    for begin in (5 * PER_DAY, 35 * PER_DAY):
        values[begin : begin + PER_DAY] += 15.0
    ratios, alarms = alone(values)
    assert any(5 * PER_DAY <= alarm < 6 * PER_DAY for alarm in alarms)
    assert not any(35 * PER_DAY <= alarm < 36 * PER_DAY for alarm in alarms)
    assert not ratios[35 * PER_DAY : 36 * PER_DAY, FEATURES.index("value")].max() > 1


def test_what_is_usual_at_noon_is_news_at_midnight_and_stays_so_for_all_of_that_night() -> None:
    values = np.tile(np.where(np.arange(PER_DAY) < PER_DAY // 2, 10.0, 30.0), 12)
    values += np.random.default_rng(1).normal(0, 0.3, len(values))
    night = slice(10 * PER_DAY + PER_DAY // 6, 10 * PER_DAY + PER_DAY // 3)
    values[night] += 20.0
    ratios, _ = alone(values)
    same_hour = ratios[night, FEATURES.index("same_hour")]
    assert (same_hour[3:] > 0.5).all()
    assert ratios[night, FEATURES.index("value")].max() < 1


@pytest.mark.parametrize("data", [b"", b"not a file", b"PK\x03\x04 broken"])
def test_what_is_no_saved_state_is_refused(data: bytes) -> None:
    with pytest.raises(Invalid, match="no saved novelty state"):
        restored(data)


def test_a_state_of_another_version_or_another_shape_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    from analytics.scorers import novelty_state

    data = saved(Memory.empty(2))
    monkeypatch.setattr(novelty_state, "VERSION", 2)
    with pytest.raises(Invalid, match="of version 1; this program reads version 2"):
        restored(data)
    broken = Memory.empty(2)
    broken.state.value.bits = np.zeros(3, dtype=np.uint64)
    with pytest.raises(Invalid, match="bits"):
        restored(saved(broken))
