"""Rows of past mornings: what had not arrived by then is unknown in every view, and nothing else changes."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from analytics import features
from analytics.arrival import NOTHING_LATE, Late, late_in, matrix, on_time
from analytics.features import Background, features_of
from analytics.panel import Flags, Floats, Panel, day_start, increases
from analytics.signals import derived
from hearthwatch.records.late_days import JUDGED_AFTER, LateDay
from tests.unit.analytics.fleets import healthy, names

DEVICES, DAYS, FIRST = 20, 40, 100
MODEL = np.arange(DEVICES) // 10
KNOWN = Background(MODEL, np.full(DEVICES, 20.0), {3: [110, 125]})
COUNTER = "wifi_reconnects"
Marks = list[tuple[int, int, int]]
"""(device, day, mornings without it)."""
MARKS = st.lists(
    st.tuples(st.integers(0, DEVICES - 1), st.integers(0, DAYS - 1), st.integers(1, 6)),
    min_size=1,
    max_size=12,
    unique_by=lambda mark: mark[:2],
)


def panel_of(raw: dict[str, Floats], unheard: Flags) -> Panel:
    """A panel of what was read of each device-day, without those that were not heard."""
    heard = {name: np.where(unheard, np.nan, values) for name, values in raw.items()}
    values = {name: increases(array) if name == COUNTER else array for name, array in heard.items()}
    codes = np.where(unheard, -1, 0)
    return derived(Panel(tuple(names(DEVICES)), FIRST, values, {COUNTER: heard[COUNTER]}, codes, ("1.0.0",), ~unheard))


def raw_days(seed: int) -> tuple[dict[str, Floats], Flags]:
    return healthy(seed, DEVICES, DAYS), np.random.default_rng(seed).random((DEVICES, DAYS)) < 0.1


def told(marks: Marks) -> list[LateDay]:
    """As ingest writes it down: readable an hour after the last morning that lacked it."""
    found = []
    for device, day, mornings in marks:
        at = day_start(FIRST + day + mornings) + JUDGED_AFTER + timedelta(hours=1)
        found.append(LateDay(names(DEVICES)[device], day_start(FIRST + day), at, at))
    return found


def grid() -> tuple[np.ndarray[tuple[int], np.dtype[np.int64]], np.ndarray[tuple[int], np.dtype[np.int64]]]:
    return np.repeat(np.arange(DEVICES), DAYS), np.tile(np.arange(DAYS), DEVICES)


@settings(max_examples=15)
@given(st.integers(0, 1000), MARKS)
def test_each_row_is_what_its_morning_would_have_computed(seed: int, marks: Marks) -> None:
    raw, gaps = raw_days(seed)
    whole = panel_of(raw, gaps)
    columns = features_of(list(whole.values), list(whole.totals))
    late = late_in(whole, told(marks))
    found = matrix(whole, KNOWN, columns, *grid(), late).reshape(DEVICES, DAYS, -1)
    every = np.arange(DEVICES)
    for day in {
        min(of + lack, DAYS - 1) for _, of, mornings in marks for lack in range(-1, mornings + 1) if of + lack >= 0
    }:
        unheard = gaps.copy()
        for device, of, mornings in marks:
            unheard[device, of] |= of <= day < of + mornings
        then = panel_of({name: values[:, : day + 1] for name, values in raw.items()}, unheard[:, : day + 1])
        wanted = features.matrix(then, KNOWN, columns, every, np.full(DEVICES, day))
        np.testing.assert_allclose(found[:, day], wanted, rtol=1e-6)
        there = on_time(whole, late)[:, day]
        missed = [device for device, of, _ in marks if of == day]
        np.testing.assert_array_equal(there, ~gaps[:, day] & ~np.isin(every, missed))


@settings(max_examples=10)
@given(st.integers(0, 1000), MARKS)
def test_only_what_something_late_touches_is_changed(seed: int, marks: Marks) -> None:
    raw, gaps = raw_days(seed)
    whole = panel_of(raw, gaps)
    columns = features_of(list(whole.values), list(whole.totals))
    late = late_in(whole, told(marks))
    found, plain = matrix(whole, KNOWN, columns, *grid(), late), features.matrix(whole, KNOWN, columns, *grid())
    device, day = grid()
    lacking = {(MODEL[of], then) for of, first, lack in marks for then in range(first, first + lack)}
    touched = np.array([key in lacking for key in zip(MODEL[device].tolist(), day.tolist(), strict=True)])
    np.testing.assert_array_equal(found[~touched], plain[~touched])


def test_nothing_late_is_the_plain_matrix_and_nobody_elses_days_count() -> None:
    raw, gaps = raw_days(1)
    whole = panel_of(raw, gaps)
    stranger = LateDay("somebody-else", day_start(FIRST + 3), day_start(FIRST + 9), day_start(FIRST + 9))
    before = LateDay(names(DEVICES)[0], day_start(FIRST - 3), day_start(FIRST + 9), day_start(FIRST + 9))
    assert not late_in(whole, [])
    assert not late_in(whole, [stranger, before])
    columns = features_of(list(whole.values), ())
    np.testing.assert_array_equal(
        matrix(whole, KNOWN, columns, *grid(), NOTHING_LATE), features.matrix(whole, KNOWN, columns, *grid())
    )


def test_an_outage_of_a_whole_fleet_leaves_its_day_without_rows() -> None:
    raw, gaps = raw_days(2)
    whole = panel_of(raw, np.zeros_like(gaps))
    late = late_in(whole, told([(device, 20, 2) for device in range(DEVICES)]))
    assert not on_time(whole, late)[:, 20].any()
    assert on_time(whole, late)[:, [19, 21]].all()
    columns = features_of(list(raw), ())
    day_after = matrix(whole, KNOWN, columns, np.arange(DEVICES), np.full(DEVICES, 21), late)
    means = [place for place, column in enumerate(columns) if column.view == "mean_7"]
    assert np.isfinite(day_after[:, means]).all()


def test_what_is_known_of_early_lives_holds_for_past_mornings_too() -> None:
    raw, gaps = raw_days(3)
    whole = panel_of(raw, gaps)
    metric = min(raw)
    known = replace(KNOWN, first_seen=np.full(DEVICES, 60.0), early={metric: np.arange(DEVICES, dtype=np.float64)})
    columns = [one for one in features_of([metric], ()) if one.view == "own"]
    device, day = np.array([4]), np.array([30])
    late = Late(np.array([4]), np.array([30]), np.array([31]))
    found = matrix(whole, known, columns, device, day, late)
    eve = np.nanmean(whole.values[metric][4, 28:30])
    np.testing.assert_allclose(found, [[eve - 4.0]], rtol=1e-5)
