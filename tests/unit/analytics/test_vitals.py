from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta

import pytest
import sqlalchemy as sa

from analytics.vital_ratios import ratios
from analytics.vitals import compute_vitals
from hearthwatch.ports import TelemetryStore
from hearthwatch.records import devices, vitals
from hearthwatch.records.database import Database
from hearthwatch.records.devices import Sighting
from hearthwatch.records.tables import blind_spans
from hearthwatch.records.vitals import VitalsRow
from hearthwatch.values import Event, Reading
from tests.unit.analytics.fleets import START

NOON = START + timedelta(hours=12)
NEXT = START + timedelta(days=1, hours=2)


@pytest.fixture(autouse=True)
def two_devices(database: Database) -> None:
    with database.transaction() as connection:
        devices.register(connection, [{"id": name, "model": "lock-x", "hardware": "r1"} for name in ("a", "b")])


def report(
    store: TelemetryStore, device: str, hours: range, *, firmware: str = "1.0.0", day: int = 0, **metrics: float
) -> None:
    values = metrics or {"rssi_dbm": -60.0}
    at = [START + timedelta(days=day, hours=hour, minutes=5) for hour in hours]
    store.write([Reading(device, "native", one, values, firmware) for one in at])


def reboot(store: TelemetryStore, device: str, minutes: int, code: str = "watchdog", firmware: str = "1.0.0") -> None:
    store.write([Event(device, "native", START + timedelta(minutes=minutes), "reboot", code, firmware=firmware)])


def rows(store: TelemetryStore, database: Database, now: object = NEXT) -> list[VitalsRow]:
    store.rollup(NEXT)
    compute_vitals(store, database, NEXT)
    with database.reading() as connection:
        return vitals.list_vitals(connection, START - timedelta(days=9), START + timedelta(days=9))


def sums(found: list[VitalsRow], firmware: str = "1.0.0") -> Mapping[str, float]:
    return next(row.sums for row in found if row.day == START and row.firmware == firmware)


def test_without_data_there_are_no_rows(store: TelemetryStore, database: Database) -> None:
    assert rows(store, database) == []


def test_hours_are_hours_in_which_a_device_was_heard(store: TelemetryStore, database: Database) -> None:
    report(store, "a", range(24))
    report(store, "b", range(6))
    found = rows(store, database)
    assert [(row.model, row.hardware, row.firmware, row.devices) for row in found] == [("lock-x", "r1", "1.0.0", 2)]
    assert sums(found)["hours"] == 30
    assert sums(found)["device_days"] == 2
    assert sums(found)["connected_hours"] == 30
    assert sums(found)["expected_hours"] == 48


def test_an_hour_with_an_unexpected_reboot_is_not_crash_free(store: TelemetryStore, database: Database) -> None:
    report(store, "a", range(24))
    reboot(store, "a", 61)
    reboot(store, "a", 62, "panic")
    reboot(store, "a", 300, "update")
    found = sums(rows(store, database))
    assert (found["hours"], found["crash_free_hours"], found["unexpected_reboots"]) == (24, 23, 2)
    assert ratios(found)["crash_free_hours"] == pytest.approx(23 / 24)


def test_a_device_that_crashes_before_it_can_report_still_counts(store: TelemetryStore, database: Database) -> None:
    report(store, "b", range(24))
    for minute in range(0, 180, 2):
        reboot(store, "a", minute)
    found = sums(rows(store, database))
    assert (found["hours"], found["crash_free_hours"], found["unexpected_reboots"]) == (27, 24, 90)


def test_test_devices_and_strangers_do_not_count(store: TelemetryStore, database: Database) -> None:
    with database.transaction() as connection:
        devices.update(connection, "b", None, {"test": True})
    report(store, "b", range(24))
    report(store, "nobody", range(24))
    assert rows(store, database) == []


def test_a_device_without_a_model_is_in_a_group_of_its_own(store: TelemetryStore, database: Database) -> None:
    with database.transaction() as connection:
        devices.see(connection, [Sighting("c", START)])
    report(store, "c", range(3), firmware="v2.1 (beta build)")
    assert [(row.model, row.hardware, row.firmware) for row in rows(store, database)] == [("unknown", "unknown", "2.1")]


def test_an_update_divides_a_days_hours_but_not_the_day(store: TelemetryStore, database: Database) -> None:
    report(store, "a", range(18))
    report(store, "a", range(18, 24), firmware="1.1.0")
    found = rows(store, database)
    assert (sums(found)["hours"], sums(found, "1.1.0")["hours"]) == (18, 6)
    assert sums(found)["expected_hours"] == 24
    assert "expected_hours" not in sums(found, "1.1.0")


def test_the_battery_loses_what_it_lost_between_days_and_a_new_one_loses_nothing(
    store: TelemetryStore, database: Database
) -> None:
    for device, before, after in (("a", 80.0, 78.5), ("b", 10.0, 100.0)):
        report(store, device, range(24), day=-1, battery_pct=before)
        report(store, device, range(24), battery_pct=after)
    found = sums(rows(store, database))
    assert (found["battery_loss_pct"], found["battery_days"]) == (1.5, 1)


def test_synchronisations_are_what_the_counters_grew_by(store: TelemetryStore, database: Database) -> None:
    report(store, "a", range(24), day=-1, sync_ok=100.0, sync_failed=5.0)
    report(store, "a", range(24), sync_ok=190.0, sync_failed=2.0)
    found = sums(rows(store, database))
    assert (found["sync_ok"], found["sync_failed"]) == (90, 2)


def test_the_signal_is_the_mean_over_device_days(store: TelemetryStore, database: Database) -> None:
    report(store, "a", range(24), rssi_dbm=-50.0)
    report(store, "b", range(2), rssi_dbm=-70.0)
    assert ratios(sums(rows(store, database)))["signal"] == -60.0


def test_late_data_is_counted_and_a_second_run_changes_nothing(store: TelemetryStore, database: Database) -> None:
    report(store, "a", range(12))
    first = rows(store, database)
    assert rows(store, database) == first
    report(store, "a", range(12, 24))
    assert sums(rows(store, database))["hours"] == 24


def test_hours_in_which_nobody_could_be_heard_are_not_expected(store: TelemetryStore, database: Database) -> None:
    with database.transaction() as connection:
        span = {"since": START + timedelta(hours=6), "until": START + timedelta(hours=12), "reason": "no_ingestor"}
        connection.execute(sa.insert(blind_spans).values(span))
    report(store, "a", range(6))
    report(store, "a", range(12, 24))
    report(store, "b", range(8))  # two of the blind hours came late, from the broker's queue
    found = sums(rows(store, database))
    assert found["connected_hours"] == 18 + 8
    assert found["expected_hours"] == (24 - 6) + (24 - 4)


def test_of_today_only_the_hours_that_are_over_are_expected(store: TelemetryStore, database: Database) -> None:
    report(store, "a", range(3), day=1)
    today = next(row.sums for row in rows(store, database) if row.day == START + timedelta(days=1))
    assert today["expected_hours"] == 2
    assert today["connected_hours"] == 2
