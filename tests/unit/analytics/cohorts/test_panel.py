"""Telemetry as arrays."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import numpy as np
import pyarrow as pa
import pytest

from analytics.cohorts.panel import Panel, Versions, hour_of, load_panel, time_of
from hearthwatch.ports import TelemetryStore
from hearthwatch.values import Event, Reading

DAY = datetime(2026, 5, 1, tzinfo=UTC)
BEGIN = hour_of(DAY)
HOUR = timedelta(hours=1)


def reading(device: str, hour: float, firmware: str | None = "1.0") -> Reading:
    return Reading(device, "native", DAY + hour * HOUR, {"uptime_s": 1.0}, firmware=firmware)


def reboot(device: str, hour: float, code: str = "watchdog", firmware: str | None = "1.0") -> Event:
    return Event(device, "native/event", DAY + hour * HOUR, "reboot", code, firmware=firmware)


def load(
    store: TelemetryStore, *devices: str, hours: int = 24, counters: bool = False, versions: Versions | None = None
) -> Panel:
    store.rollup(DAY + timedelta(days=30))
    return load_panel(store, devices, versions or Versions(), BEGIN, BEGIN + hours, counters=counters)


def test_hours_and_times_are_each_others_inverse() -> None:
    assert time_of(hour_of(DAY + 5.7 * HOUR)) == DAY + 5 * HOUR


def test_nothing_stored_gives_an_empty_panel(store: TelemetryStore) -> None:
    panel = load(store, "a", "b", counters=True)
    assert panel.reported.shape == (2, 24)
    assert not panel.reported.any()
    assert panel.reboot_counts(3).sum() == 0


def test_other_devices_are_left_out(store: TelemetryStore) -> None:
    store.write([reading("a", 1.5), reading("b", 1.5), reboot("b", 2.5)])
    panel = load(store, "a")
    assert panel.reported.sum() == 1
    assert panel.reboot_counts(3).sum() == 0


def test_one_version_in_two_spellings_is_one_version(store: TelemetryStore) -> None:
    versions = Versions()
    store.write([reading("a", 1.2, "14.2.0(release-tasmota)"), reading("a", 1.7, "14.2.0"), reading("a", 2.5, None)])
    panel = load(store, "a", versions=versions)
    assert panel.version[0, 1] == versions.number("14.2.0")
    assert panel.version[0, 2] == -1
    assert panel.reported[0, 2]
    assert not panel.mixed.any()


def test_an_hour_with_two_versions_is_marked(store: TelemetryStore) -> None:
    store.write([reading("a", 1.2, "1.0"), reading("a", 1.7, "2.0"), reading("a", 2.5, "2.0")])
    panel = load(store, "a")
    assert panel.mixed[0].tolist()[:4] == [False, True, False, False]


def test_reboots_that_were_asked_for_do_not_count(store: TelemetryStore) -> None:
    store.write([reboot("a", 1.5, "update"), reboot("a", 2.5, "power_on"), reboot("a", 3.5, "panic")])
    assert np.flatnonzero(load(store, "a").reboot_counts(3)[0]).tolist() == [3]


def test_an_hour_with_an_event_is_seen_even_without_a_reading(store: TelemetryStore) -> None:
    versions = Versions()
    store.write([reboot("a", 3.5, firmware="2.0")])
    panel = load(store, "a", versions=versions)
    assert panel.reported[0, 3]
    assert panel.version[0, 3] == versions.number("2.0")


def test_a_crash_loop_counts_up_to_the_cap_of_its_day(store: TelemetryStore) -> None:
    store.write([reboot("a", 1 + number / 20) for number in range(30)] + [reboot("a", 25.5)])
    panel = load(store, "a", hours=48)
    assert panel.reboot_counts(4).sum() == 5.0
    assert panel.reboot_counts(4)[0, 1] == 4.0


def test_a_part_of_a_panel_is_what_the_whole_says_of_it(store: TelemetryStore) -> None:
    store.write([reading("a", hour + 0.5) for hour in range(24)] + [reboot("a", 5.5), reboot("a", 20.5)])
    panel = load(store, "a")
    part = panel.part(10, 24)
    assert part.begin == BEGIN + 10
    np.testing.assert_array_equal(part.reboot_counts(1), panel.reboot_counts(1)[:, 10:])
    assert part.reboot_counts(1).sum() == 0.0  # the second of its day, also seen from the afternoon


def test_the_last_value_of_a_counter_is_read(store: TelemetryStore) -> None:
    times = pa.array([DAY + 1.2 * HOUR, DAY + 1.8 * HOUR], pa.timestamp("us", "UTC"))
    store.write_table(
        "native", pa.table({"device": ["a", "a"], "at": times, "firmware": ["1", "1"], "sync_failed": [3.0, 4.0]})
    )
    counter = load(store, "a", counters=True).counter
    assert counter is not None
    assert counter[0, 1] == pytest.approx(4.0)
    assert np.isnan(counter[0, 2])
