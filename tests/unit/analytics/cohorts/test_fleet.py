"""The strata within which devices are compared."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import numpy as np
import pytest

from analytics.cohorts.fleet import LEAST_IN_STRATUM, Fleet, Place, age_band
from analytics.cohorts.spec import SILENT_HOURS, SLEEPY_SILENT_HOURS
from tests.unit.analytics.cohorts.test_evidence import device

RELEASED = datetime(2026, 5, 1, tzinfo=UTC)


def test_a_fleet_nobody_knows_more_of_is_parted_by_revision_and_region_alone() -> None:
    devices = [device(0), device(1, hardware="B"), device(2, region="south"), device(3)]
    fleet = Fleet.of(devices, at=RELEASED)
    assert fleet.places == (Place("A", "north", "", ""), Place("A", "south", "", ""), Place("B", "north", "", ""))
    assert fleet.strata.of_device.tolist() == [0, 2, 1, 0]


@pytest.mark.parametrize(
    ("days", "band"), [(5, "up to 90 days"), (89, "up to 90 days"), (91, "up to a year"), (400, "over a year")]
)
def test_age_counts_from_when_it_was_made_else_installed_else_first_seen(days: int, band: str) -> None:
    since, long_ago = RELEASED - timedelta(days=days), RELEASED - timedelta(days=2000)
    assert age_band(replace(device(0), first_seen=since), RELEASED) == band
    assert age_band(replace(device(0), installed_at=since, first_seen=long_ago), RELEASED) == band
    assert age_band(replace(device(0), made=since, installed_at=long_ago), RELEASED) == band


def test_the_age_of_a_device_nothing_is_known_of_is_none() -> None:
    assert age_band(device(0), RELEASED) == ""


def test_age_and_power_part_only_groups_that_are_large_enough() -> None:
    many, few = LEAST_IN_STRATUM, LEAST_IN_STRATUM - 1
    old = RELEASED - timedelta(days=500)
    devices = [replace(device(number), made=old) for number in range(many)]
    devices += [device(many + number) for number in range(few)]
    fleet = Fleet.of(devices, power={"d000": "mains"}, at=RELEASED)
    assert set(fleet.places) == {Place("A", "north", "", "")}, "one short of enough, they stay together"
    fleet = Fleet.of([*devices, replace(device(900), made=old)], power={"d000": "mains"}, at=RELEASED)
    assert Place("A", "north", "over a year", "") in fleet.places
    counts = np.bincount(fleet.strata.of_device)
    assert sorted(counts.tolist()) == [few + 1, many]


def test_a_device_that_sleeps_may_be_silent_for_longer() -> None:
    fleet = Fleet.of([device(0), device(1)], power={"d001": "sleepy"})
    assert fleet.silent_after.tolist() == [SILENT_HOURS, SLEEPY_SILENT_HOURS]


def test_a_registry_that_says_something_else_is_not_like_the_one_before() -> None:
    devices = [device(0), device(1)]
    assert Fleet.of(devices).is_like(Fleet.of(list(reversed(devices))))
    assert not Fleet.of(devices).is_like(Fleet.of(devices, power={"d001": "mains"}))
    assert not Fleet.of(devices).is_like(Fleet.of([device(0), device(1, hardware="B")]))
    assert not Fleet.of(devices).is_like(Fleet.of([device(0), replace(device(1), removed_at=RELEASED)]))
