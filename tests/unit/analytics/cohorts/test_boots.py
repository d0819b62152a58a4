"""Boots that no event tells of."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from analytics.cohorts.boots import BootMemory, BootSigns, DayCap, silent_boots

N = np.nan


def signs(
    *,
    count: list[float] | None = None,
    uptime: list[float] | None = None,
    lowest: list[float] | None = None,
    highest: list[float] | None = None,
    ids: list[list[int]] | None = None,
    hours: int = 4,
) -> BootSigns:
    """Of one device; ``ids`` are the boot ids of each hour."""
    made = BootSigns.nothing(1, hours)
    if count is not None:
        made = replace(made, count=np.array([count]))
    if uptime is not None:
        made = replace(
            made,
            uptime=np.array([uptime]),
            lowest=np.array([lowest or uptime]),
            highest=np.array([highest or uptime]),
        )
    if ids is not None:
        made = replace(
            made,
            ids=np.array([[len(set(hour)) for hour in ids]], dtype=np.int32),
            first_id=np.array([[hour[0] if hour else 0 for hour in ids]]),
            last_id=np.array([[hour[-1] if hour else 0 for hour in ids]]),
        )
    return made


def seen(of: BootSigns, events: list[float] | None = None, blind: list[int] | None = None) -> list[float]:
    hours = of.count.shape[1]
    told = np.array([events or [0.0] * hours])
    unheard = np.array([bool(hour) for hour in blind or [0] * hours])
    silent, _ = silent_boots(of, told, unheard, 100, BootMemory.nothing(1))
    return [float(one) for one in silent[0]]


def test_a_device_without_any_sign_has_no_silent_boots() -> None:
    assert seen(signs(), [0, 1, 0, 2]) == [0, 0, 0, 0]


def test_a_boot_count_that_grew_without_an_event_counts_by_how_much() -> None:
    assert seen(signs(count=[5, 5, 9, 10])) == [0, 0, 4, 1]


def test_the_first_boot_count_says_nothing() -> None:
    assert seen(signs(count=[N, 40, 40, 41])) == [0, 0, 0, 1]


def test_boots_that_events_tell_of_are_not_counted_twice() -> None:
    assert seen(signs(count=[5, 6, 8, 9]), [0, 1, 2, 1]) == [0, 0, 0, 0]


def test_an_event_after_the_last_reading_of_its_hour_explains_the_boot_that_the_next_one_shows() -> None:
    assert seen(signs(count=[5, 5, 6, 6]), [0, 1, 0, 0]) == [0, 0, 0, 0]


def test_events_between_two_readings_hours_apart_explain_the_boots_between_them() -> None:
    assert seen(signs(count=[5, N, N, 9]), [0, 2, 1, 0]) == [0, 0, 0, 1]


def test_an_old_event_explains_no_later_boot() -> None:
    assert seen(signs(count=[5, 6, 6, 7]), [0, 2, 0, 0]) == [0, 0, 0, 1]


def test_a_boot_count_that_fell_was_reset_and_tells_nothing() -> None:
    assert seen(signs(count=[50, 2, 3, 3])) == [0, 0, 1, 0]


def test_an_uptime_that_began_anew_is_a_boot() -> None:
    assert seen(signs(uptime=[9000, 1200, 4800, 8400])) == [0, 1, 0, 0]


def test_an_uptime_shorter_than_the_hours_since_the_last_is_a_boot_although_it_is_larger() -> None:
    assert seen(signs(uptime=[600, N, N, 4000])) == [0, 0, 0, 1]
    assert seen(signs(uptime=[600, N, N, 600 + 3 * 3600])) == [0, 0, 0, 0]


def test_a_device_that_boots_within_every_hour_is_seen_in_every_hour() -> None:
    looped = signs(uptime=[300, 200, 310, 100], lowest=[20, 30, 10, 15], highest=[900, 800, 850, 700])
    assert seen(looped) == [1, 1, 1, 1]


def test_milliseconds_that_overflow_after_seven_weeks_are_no_boot() -> None:
    assert seen(signs(uptime=[4_294_000, 2600, 6200, 9800])) == [0, 0, 0, 0]


def test_new_boot_ids_are_boots_and_the_running_one_is_not() -> None:
    assert seen(signs(ids=[[7], [7], [8, 9, 10], [10]])) == [0, 0, 3, 0]


def test_the_signs_of_one_boot_count_once() -> None:
    both = signs(count=[5, 6, 6, 6], uptime=[9000, 100, 3700, 7300], ids=[[1], [2], [2], [2]])
    assert seen(both) == [0, 1, 0, 0]


def test_after_hours_in_which_nobody_was_heard_the_signs_begin_anew() -> None:
    assert seen(signs(count=[5, N, 9, 10]), blind=[0, 1, 0, 0]) == [0, 0, 0, 1]
    assert seen(signs(count=[5, 7, 9, 10]), blind=[0, 1, 0, 0]) == [0, 0, 0, 1]


def test_the_cap_holds_for_a_day_and_begins_anew_at_midnight() -> None:
    boots = np.ones((1, 30))
    kept, _ = DayCap.nothing(1).apply(boots, 24 * 1000 + 20, 3)
    assert np.flatnonzero(kept[0]).tolist() == [0, 1, 2, 4, 5, 6, 28, 29]


def random_signs(rng: np.random.Generator, devices: int, hours: int) -> tuple[BootSigns, NDArray[np.float64]]:
    shape = (devices, hours)
    told = rng.random(shape) < 0.7
    up = np.where(told, rng.integers(0, 9000, shape), np.nan)
    ids = np.where(rng.random(shape) < 0.3, rng.integers(1, 3, shape), 0)
    made = BootSigns(
        count=np.where(told, np.cumsum(rng.integers(0, 2, shape), axis=1), np.nan).astype(float),
        uptime=up,
        lowest=up - 10,
        highest=up + rng.integers(0, 2, shape),
        ids=ids.astype(np.int32),
        first_id=np.where(ids > 0, rng.integers(1, 4, shape), 0),
        last_id=np.where(ids > 0, rng.integers(1, 4, shape), 0),
    )
    return made, rng.poisson(0.3, shape).astype(float)


@given(st.integers(0, 10_000), st.integers(1, 39))
@settings(max_examples=50)
def test_block_by_block_gives_what_one_pass_gives(seed: int, cut: int) -> None:
    rng = np.random.default_rng(seed)
    of, events = random_signs(rng, 5, 40)
    blind = rng.random(40) < 0.1
    whole, after = silent_boots(of, events, blind, 50, BootMemory.nothing(5))
    early, memory = silent_boots(of.part(0, cut), events[:, :cut], blind[:cut], 50, BootMemory.nothing(5))
    late, memory = silent_boots(of.part(cut, 40), events[:, cut:], blind[cut:], 50 + cut, memory)
    np.testing.assert_array_equal(np.concatenate([early, late], axis=1), whole)
    for name in ("count", "uptime", "uptime_at", "id", "unexplaining", "unheard"):
        np.testing.assert_array_equal(getattr(memory, name), getattr(after, name))
    once, _ = DayCap.nothing(5).apply(whole, 50, 3)
    first, counted = DayCap.nothing(5).apply(whole[:, :cut], 50, 3)
    second, _ = counted.apply(whole[:, cut:], 50 + cut, 3)
    np.testing.assert_array_equal(np.concatenate([first, second], axis=1), once)


@pytest.mark.parametrize("boots", [1, 5, 20])
def test_a_device_that_tells_each_boot_once_counts_its_boots_whichever_way_it_tells_them(boots: int) -> None:
    rng = np.random.default_rng(boots)
    happened = rng.multinomial(boots, np.full(48, 1 / 48)).astype(float)
    counted = signs(count=(3 + np.cumsum(happened)).tolist(), hours=48)
    told = np.where(rng.random(48) < 0.5, happened, 0.0)
    silent = np.array(seen(counted, told.tolist()))
    first = float(happened[0] - told[0])  # before the first boot count nothing can be compared
    assert told.sum() + silent.sum() == pytest.approx(boots - max(first, 0.0))
