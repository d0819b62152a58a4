from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from analytics.features import VIEWS, Background, Feature, features_of, matrix, robust_z, since_service, trailing_mean
from analytics.panel import Floats, Panel, increases
from analytics.signals import derived
from tests.unit.analytics.fleets import healthy, names

DEVICES, DAYS = 12, 40


def panel(values: dict[str, Floats], counters: Sequence[str] = ("wifi_reconnects",)) -> Panel:
    shape = next(iter(values.values())).shape
    daily = {name: increases(array) if name in counters else array for name, array in values.items()}
    present = np.asarray(~np.isnan(np.stack(list(values.values()))).all(axis=0))
    totals = {name: values[name] for name in counters}
    codes = np.zeros(shape, dtype=np.int64)
    return derived(Panel(tuple(names(shape[0])), 100, daily, totals, codes, ("1.0.0",), present))


def gappy(seed: int) -> dict[str, Floats]:
    rng = np.random.default_rng(seed)
    hole = rng.random((DEVICES, DAYS)) < 0.15
    return {name: np.where(hole, np.nan, array) for name, array in healthy(seed, DEVICES, DAYS).items()}


def background(devices: int = DEVICES) -> Background:
    return Background(np.arange(devices) % 2 * 0, np.full(devices, 20.0), {3: [110, 125]})


def columns(of: Panel) -> tuple[Feature, ...]:
    return features_of(list(of.values), list(of.totals))


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 1000), st.integers(0, DAYS - 1))
def test_no_feature_looks_ahead(seed: int, day: int) -> None:
    values = gappy(seed)
    whole, cut = panel(values), panel({name: array[:, : day + 1] for name, array in values.items()})
    rows = np.arange(DEVICES), np.full(DEVICES, day)
    now = matrix(whole, background(), columns(whole), *rows)
    then = matrix(cut, background(), columns(whole), *rows)
    np.testing.assert_array_equal(now, then)


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 1000), st.randoms(use_true_random=False))
def test_the_order_of_devices_does_not_matter(seed: int, random: object) -> None:
    order = np.random.default_rng(seed).permutation(DEVICES)
    one = panel(gappy(seed))
    other = one.only(order)
    day = np.full(DEVICES, 30)
    plain = Background(np.zeros(DEVICES, dtype=np.int64), np.full(DEVICES, 20.0))
    straight = matrix(one, plain, columns(one), np.arange(DEVICES), day)
    shuffled = matrix(other, plain, columns(one), np.arange(DEVICES), day)
    np.testing.assert_allclose(shuffled, straight[order], rtol=1e-5)


def test_every_column_has_a_meaning_and_a_value_somewhere() -> None:
    of = panel(healthy(1, DEVICES, DAYS))
    filled = matrix(of, background(), columns(of), np.arange(DEVICES), np.full(DEVICES, DAYS - 1))
    lacking = [column.name for place, column in enumerate(columns(of)) if np.isnan(filled[:, place]).all()]
    assert lacking == []
    assert {column.view for column in columns(of)} == {*VIEWS, "total", "days"}


def test_a_device_that_always_was_different_is_far_from_its_peers_but_not_apart() -> None:
    values = healthy(5, DEVICES, DAYS)
    values["rssi_dbm"][4] -= 25
    of = panel(values)
    found = matrix(of, background(), columns(of), np.array([4]), np.array([35]))[0]
    by_name = {column.name: found[place] for place, column in enumerate(columns(of))}
    assert by_name["rssi_dbm:peers"] < -2.5
    assert abs(by_name["rssi_dbm:apart"]) < 3


def test_the_early_life_that_is_remembered_takes_the_place_of_the_panels() -> None:
    values = healthy(6, DEVICES, DAYS)
    of = panel(values)
    late = Panel(
        of.devices,
        of.first_day + 20,
        {name: array[:, 20:] for name, array in of.values.items()},
        {name: array[:, 20:] for name, array in of.totals.items()},
        of.firmware[:, 20:],
        of.firmwares,
        of.present[:, 20:],
    )
    early = {name: np.nanmean(array[:, :14], axis=1) for name, array in of.values.items()}
    told = Background(np.zeros(DEVICES, dtype=np.int64), np.full(DEVICES, 20.0), {}, np.full(DEVICES, 100.0), early)
    own = [column for column in columns(of) if column.view in {"own", "apart"}]
    whole = matrix(of, background(), own, np.arange(DEVICES), np.full(DEVICES, 39))
    part = matrix(late, told, own, np.arange(DEVICES), np.full(DEVICES, 19))
    np.testing.assert_allclose(part, whole, rtol=1e-4, atol=1e-5)


def test_a_service_counts_from_the_day_after_it() -> None:
    of = panel(healthy(7, DEVICES, DAYS))
    days = since_service(of, {3: [110, 125]})
    assert np.isnan(days[3, 10])
    assert days[3, 11] == 1
    assert days[3, 25] == 15
    assert days[3, 26] == 1
    assert np.isnan(days[2]).all()


def test_means_leave_out_days_without_a_value() -> None:
    values = np.array([[1.0, np.nan, 3.0, 5.0]])
    assert trailing_mean(values, 2)[0].tolist() == [1.0, 1.0, 3.0, 4.0]


def test_a_few_broken_peers_do_not_hide_another() -> None:
    values = np.concatenate([np.random.default_rng(1).normal(0, 1, 40), [50.0, 60.0]])[:, None]
    assert robust_z(values)[-1, 0] == pytest.approx(30.0)


def test_too_few_peers_are_no_comparison() -> None:
    assert np.isnan(robust_z(np.arange(5.0)[:, None])).all()
