from __future__ import annotations

import numpy as np
import pytest

from analytics.scorers.peers import FULL_GROUP, MIN_PEERS, residuals

ONE = np.zeros(120, dtype=np.int64)


def test_a_device_in_a_warm_region_is_no_warmer_than_its_neighbours() -> None:
    region = np.repeat([0, 1], 60)
    values = np.random.default_rng(1).normal(0, 1, (120, 1)) + 20.0 * region[:, None]
    there = residuals(values, ONE, region)
    assert abs(np.median(there[:60])) < 0.5
    assert abs(np.median(there[60:])) < 0.5
    assert np.abs(np.median(residuals(values, ONE)[60:])) > 5


def test_a_few_neighbours_are_drawn_towards_all_of_the_firmware() -> None:
    region = np.repeat([0, 1], [110, 10])
    values = np.where(region == 1, 9.0, 0.0)[:, None]
    expected = 9.0 - 9.0 * 10 / FULL_GROUP
    assert residuals(values, ONE, region)[-1, 0] == pytest.approx(expected)


def test_a_firmware_that_runs_in_one_region_alone_is_one_group() -> None:
    firmware = np.repeat([0, 1], [100, 20])
    values = np.where(firmware == 1, 3.0, 0.0)[:, None]
    np.testing.assert_array_equal(residuals(values, firmware, firmware), residuals(values, firmware))


def test_devices_of_unknown_region_are_compared_with_their_firmware() -> None:
    region = np.repeat([0, -1], 60)
    values = np.random.default_rng(2).normal(size=(120, 2))
    np.testing.assert_array_equal(residuals(values, ONE, region)[60:], residuals(values, ONE)[60:])


def test_too_few_devices_are_no_peers() -> None:
    values = np.full((20, 1), np.nan)
    values[: MIN_PEERS - 1] = 1.0
    assert np.isnan(residuals(values, ONE[:20])).all()
