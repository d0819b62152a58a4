"""Telemetry as arrays."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from analytics.cohorts.boots import DayCap
from analytics.cohorts.panel import ANOTHER, THIS, Panel, Question, Versions, hour_of, time_of
from analytics.cohorts.reading import load_panel
from hearthwatch.ports import TelemetryStore
from hearthwatch.values import Event, Presence, Reading

DAY = datetime(2026, 5, 1, tzinfo=UTC)
BEGIN = hour_of(DAY)
HOUR = timedelta(hours=1)
EVERYTHING = Question(target=0, counter="sync_failed", gauges=("battery_pct",))


def reading(device: str, hour: float, firmware: str | None = "1.0") -> Reading:
    return Reading(device, "native", DAY + hour * HOUR, {"uptime_s": 1.0}, firmware=firmware)


def reboot(device: str, hour: float, code: str = "watchdog", firmware: str | None = "1.0") -> Event:
    return Event(device, "native/event", DAY + hour * HOUR, "reboot", code, firmware=firmware)


def load(
    store: TelemetryStore,
    *devices: str,
    hours: int = 24,
    versions: Versions | None = None,
    question: Question = EVERYTHING,
) -> Panel:
    store.rollup(DAY + timedelta(days=30))
    return load_panel(store, devices, versions or Versions(), BEGIN, BEGIN + hours, question)


def capped(panel: Panel, cap: float) -> np.ndarray[Any, np.dtype[np.float64]]:
    kept, _ = DayCap.nothing(panel.reported.shape[0]).apply(panel.unexpected, panel.begin, cap)
    return kept


def test_hours_and_times_are_each_others_inverse() -> None:
    assert time_of(hour_of(DAY + 5.7 * HOUR)) == DAY + 5 * HOUR


def test_nothing_stored_gives_an_empty_panel(store: TelemetryStore) -> None:
    panel = load(store, "a", "b")
    assert panel.reported.shape == (2, 24)
    assert not panel.reported.any()
    assert panel.unexpected.sum() == 0


def test_other_devices_are_left_out(store: TelemetryStore) -> None:
    store.write([reading("a", 1.5), reading("b", 1.5), reboot("b", 2.5)])
    panel = load(store, "a")
    assert panel.reported.sum() == 1
    assert panel.unexpected.sum() == 0


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
    assert np.flatnonzero(load(store, "a").unexpected[0]).tolist() == [3]


def test_an_hour_with_an_event_is_seen_even_without_a_reading(store: TelemetryStore) -> None:
    versions = Versions()
    store.write([reboot("a", 3.5, firmware="2.0")])
    panel = load(store, "a", versions=versions)
    assert panel.reported[0, 3]
    assert panel.version[0, 3] == versions.number("2.0")


def test_a_crash_loop_counts_up_to_the_cap_of_its_day(store: TelemetryStore) -> None:
    store.write([reboot("a", 1 + number / 20) for number in range(30)] + [reboot("a", 25.5)])
    panel = load(store, "a", hours=48)
    assert capped(panel, 4).sum() == 5.0
    assert capped(panel, 4)[0, 1] == 4.0


def test_a_part_of_a_panel_is_what_the_whole_says_of_it(store: TelemetryStore) -> None:
    store.write([reading("a", hour + 0.5) for hour in range(24)] + [reboot("a", 5.5), reboot("a", 20.5)])
    panel = load(store, "a")
    part = panel.part(10, 24)
    assert part.begin == BEGIN + 10
    np.testing.assert_array_equal(part.unexpected, panel.unexpected[:, 10:])
    np.testing.assert_array_equal(part.signs.count, panel.signs.count[:, 10:])


def test_a_day_cut_in_two_counts_no_more_than_a_whole_one(store: TelemetryStore) -> None:
    store.write([reboot("a", 5.5), reboot("a", 20.5)])
    panel = load(store, "a")
    morning, counted = DayCap.nothing(1).apply(panel.part(0, 10).unexpected, BEGIN, 1)
    evening, _ = counted.apply(panel.part(10, 24).unexpected, BEGIN + 10, 1)
    assert (morning.sum(), evening.sum()) == (1.0, 0.0)


def test_a_panel_by_days_is_cut_at_midnight(store: TelemetryStore) -> None:
    panel = load(store, "a", hours=50).part(5, 50)
    assert [(day.begin - BEGIN, day.hours) for day in panel.days()] == [(5, 19), (24, 24), (48, 2)]


def test_what_a_device_says_it_installs_is_the_newest_release(store: TelemetryStore) -> None:
    store.write(
        [
            Event("a", "native/event", DAY + 2.5 * HOUR, "update", "started", firmware="1.0"),
            reboot("a", 9.5, "update"),
            Event("a", "native/event", DAY + 12.5 * HOUR, "update", "failed", firmware="1.0"),
        ]
    )
    told = load(store, "a", question=Question(target=0, own_words=(BEGIN, BEGIN + 5))).told_to_update[0]
    assert {int(hour): int(told[hour]) for hour in np.flatnonzero(told)} == {2: THIS, 9: ANOTHER}


def test_what_devices_were_told_to_install_is_marked_in_its_hour(store: TelemetryStore) -> None:
    versions = Versions()
    question = Question(
        target=versions.number("2.0"), offers=(("a", BEGIN + 3, "2.0"), ("a", BEGIN + 7, "3.0"), ("x", BEGIN, "2.0"))
    )
    told = load(store, "a", "b", versions=versions, question=question).told_to_update
    assert (told[0, 3], told[0, 7], told.sum()) == (THIS, ANOTHER, THIS + ANOTHER)


def test_boot_ids_of_presence_and_events_are_counted_once(store: TelemetryStore) -> None:
    comings: list[Presence | Event] = [
        Presence("a", "native/presence", DAY + 1.1 * HOUR, True, boot="b1"),
        Presence("a", "native/presence", DAY + 1.2 * HOUR, False, boot="b1"),
        Presence("a", "native/presence", DAY + 1.3 * HOUR, True, boot="b2"),
        Event("a", "native/event", DAY + 1.3 * HOUR, "reboot", "panic", boot="b2"),
    ]
    store.write(comings)
    signs = load(store, "a").signs
    assert signs.ids[0].tolist()[:3] == [0, 2, 0]
    assert signs.first_id[0, 1] != signs.last_id[0, 1]


def test_a_gauge_is_the_mean_of_its_hour(store: TelemetryStore) -> None:
    for minute, charge in ((10, 80.0), (40, 78.0)):
        at = DAY + 3 * HOUR + timedelta(minutes=minute)
        store.write([Reading("a", "native", at, {"battery_pct": charge}, firmware="1.0")])
    assert load(store, "a").gauges["battery_pct"][0, 3] == pytest.approx(79.0)


def test_the_last_value_of_a_counter_is_read(store: TelemetryStore) -> None:
    times = pa.array([DAY + 1.2 * HOUR, DAY + 1.8 * HOUR], pa.timestamp("us", "UTC"))
    store.write_table(
        "native", pa.table({"device": ["a", "a"], "at": times, "firmware": ["1", "1"], "sync_failed": [3.0, 4.0]})
    )
    counter = load(store, "a").counter
    assert counter is not None
    assert counter[0, 1] == pytest.approx(4.0)
    assert np.isnan(counter[0, 2])
