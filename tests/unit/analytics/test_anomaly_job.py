from __future__ import annotations

from datetime import timedelta
from typing import Any

import numpy as np
import pytest

from analytics.anomaly import find_anomalies
from analytics.findings import recover_findings
from hearthwatch.ports import TelemetryStore
from hearthwatch.records import analysis_states, devices, findings, outages, parts
from hearthwatch.records.database import Database
from hearthwatch.values import Finding
from tests.unit.analytics.fleets import (
    START,
    Values,
    burnt,
    healthy,
    morning_after,
    names,
    register,
    write_days,
    write_reboots,
)

DEVICES = 40
WEEK = timedelta(days=7)


def run(store: TelemetryStore, database: Database, day: int) -> dict[str, Any]:
    return find_anomalies(store, database, morning_after(day), rate=0.5, relapse=WEEK)


def live(store: TelemetryStore, database: Database, values: Values, first: int, until: int) -> None:
    for day in range(first, until):
        write_days(store, values, day, day + 1)
        run(store, database, day)


def raised(store: TelemetryStore, database: Database, values: Values, until: int) -> None:
    """A fleet known from ten days of history, then watched day by day."""
    register(database, DEVICES)
    write_days(store, values, 0, 10)
    run(store, database, 9)
    live(store, database, values, 10, until)


def all_findings(database: Database) -> list[Finding]:
    with database.reading() as connection:
        return findings.list_findings(connection, limit=1000)


def states(database: Database) -> dict[str, Any]:
    with database.reading() as connection:
        return analysis_states.load(connection, "anomaly")


@pytest.fixture
def broken() -> dict[str, Any]:
    values = healthy(1, DEVICES, 40)
    values["relay_contact_mohm"] = burnt(values["relay_contact_mohm"], 7, 12)
    return values


def test_without_devices_or_data_there_is_nothing_to_find(store: TelemetryStore, database: Database) -> None:
    assert run(store, database, 5)["device_days"] == 0
    register(database, 3)
    assert run(store, database, 6)["in_alarm"] == 0


def test_a_broken_device_is_found_with_its_evidence(store: TelemetryStore, database: Database, broken: Values) -> None:
    raised(store, database, broken, 24)
    found = all_findings(database)
    assert [(one.kind, one.subject, one.mode, one.part) for one in found] == [
        ("anomaly", names(DEVICES)[7], "relay_wear", "relay")
    ]
    evidence = found[0].evidence
    assert evidence["metrics"] == ["relay_contact_mohm"]
    assert evidence["scores"]["relay_contact_mohm"]["peers"] > 3
    assert evidence["scores"]["relay_contact_mohm"]["own_past"] > 3
    assert evidence["e_value"] >= evidence["threshold"] > 1
    assert "relay_contact_mohm is far above" in evidence["reasons"][0]["text"]
    assert found[0].first_seen <= START + timedelta(days=12 + 9)
    assert found[0].last_seen == morning_after(23)


def test_the_same_day_twice_changes_nothing(store: TelemetryStore, database: Database, broken: Values) -> None:
    raised(store, database, broken, 22)
    before, remembered = all_findings(database), states(database)
    again = run(store, database, 21)
    assert again["days"] == 0
    assert all_findings(database) == before
    assert states(database) == remembered


def test_days_that_nobody_worked_on_are_caught_up_with(
    store: TelemetryStore, database: Database, broken: Values
) -> None:
    raised(store, database, broken, 20)
    write_days(store, broken, 20, 24)
    answer = run(store, database, 23)
    assert answer["days"] == 4
    assert [one.mode for one in all_findings(database)] == ["relay_wear"]


def test_history_is_learned_from_in_silence(store: TelemetryStore, database: Database, broken: Values) -> None:
    register(database, DEVICES)
    write_days(store, broken, 0, 24)
    assert run(store, database, 23)["days"] == 28
    assert all_findings(database) == []
    write_days(store, broken, 24, 27)
    for day in (24, 25, 26):
        run(store, database, day)
    assert [one.subject for one in all_findings(database)] == [names(DEVICES)[7]]


def test_a_finding_that_lasts_is_seen_again_and_one_that_is_over_recovers(
    store: TelemetryStore, database: Database, broken: dict[str, Any]
) -> None:
    broken["relay_contact_mohm"][7, 24:] = healthy(1, DEVICES, 40)["relay_contact_mohm"][7, 24:]
    raised(store, database, broken, 24)
    assert all_findings(database)[0].last_seen == morning_after(23)
    live(store, database, broken, 24, 29)
    assert all_findings(database)[0].last_seen < morning_after(28)
    answer = recover_findings(database, morning_after(28), quiet=timedelta(hours=24))
    assert answer == {"recovered": 1}
    assert all_findings(database)[0].state == "recovered"


def test_a_device_in_alarm_that_falls_silent_keeps_its_finding_and_its_reasons(
    store: TelemetryStore, database: Database, broken: dict[str, Any]
) -> None:
    raised(store, database, broken, 24)
    reasons = all_findings(database)[0].evidence["reasons"]
    for array in broken.values():
        array[7, 24:] = np.nan
    live(store, database, broken, 24, 27)
    now = all_findings(database)[0]
    assert now.last_seen == morning_after(26)
    assert now.evidence["reasons"][:-1] == reasons
    assert now.evidence["reasons"][-1]["text_key"] == "silent"
    run(store, database, 39)
    assert all_findings(database)[0].last_seen < morning_after(39)


def test_a_new_part_ends_the_finding(store: TelemetryStore, database: Database, broken: dict[str, Any]) -> None:
    broken["relay_contact_mohm"][7, 24:] = 5.0
    raised(store, database, broken, 24)
    with database.transaction() as connection:
        parts.install(connection, names(DEVICES)[7], "relay", START + timedelta(days=24, hours=9))
    live(store, database, broken, 24, 28)
    assert all_findings(database)[0].last_seen == morning_after(23)


def test_test_devices_and_removed_devices_are_not_watched(
    store: TelemetryStore, database: Database, broken: Values
) -> None:
    register(database, DEVICES)
    with database.transaction() as connection:
        devices.update(connection, names(DEVICES)[7], None, {"test": True})
    live(store, database, broken, 0, 20)
    assert all_findings(database) == []
    assert names(DEVICES)[7] not in states(database)


def test_a_planned_outage_is_no_fault(store: TelemetryStore, database: Database) -> None:
    values = healthy(2, DEVICES, 30)
    values["rssi_dbm"][3:5, 20:24] -= 30
    with database.transaction() as connection:
        begin, end = START + timedelta(days=20), START + timedelta(days=24)
        outages.plan(connection, model=None, region=None, from_at=begin, to_at=end, reason="works")
    raised(store, database, values, 26)
    assert all_findings(database) == []


def test_most_of_a_group_at_once_is_one_incident(store: TelemetryStore, database: Database) -> None:
    values = healthy(3, DEVICES, 30)
    values["free_heap_bytes"][:15, 20:] *= 0.5
    raised(store, database, values, 21)
    found = [one for one in all_findings(database) if one.last_seen == morning_after(20)]
    assert [(one.kind, one.subject_type, one.subject, one.mode) for one in found] == [
        ("incident", "group", "group:plug-x/1.0.0", "memory_leak")
    ]
    assert found[0].evidence["share"] == pytest.approx(15 / DEVICES)


def test_what_a_bad_release_did_on_the_day_of_its_mending_is_not_laid_to_the_fixed_one(
    store: TelemetryStore, database: Database
) -> None:
    values = healthy(13, DEVICES, 17)
    raised(store, database, values, 12)
    ran = dict.fromkeys(range(12, 15), "1.1.0") | dict.fromkeys(range(15, 17), "1.1.1")
    for day, version in ran.items():
        write_days(store, values, day, day + 1, firmware=version)
        for name in names(DEVICES) if 13 <= day <= 15 else []:
            write_reboots(store, name, day, 8)  # on the 15th before it installs what mends them
        run(store, database, day)
    assert {one.subject for one in all_findings(database)} == {"group:plug-x/1.1.0"}


def test_reboots_nobody_asked_for_are_found_and_those_asked_for_are_not(
    store: TelemetryStore, database: Database
) -> None:
    values = healthy(13, DEVICES, 30)
    raised(store, database, values, 12)
    for day in range(12, 20):
        write_days(store, values, day, day + 1)
        if day >= 13:
            write_reboots(store, names(DEVICES)[5], day, 8)
            write_reboots(store, names(DEVICES)[6], day, 8, code="update")
        run(store, database, day)
    assert {(one.subject, one.mode) for one in all_findings(database)} == {(names(DEVICES)[5], "reboots")}


def test_what_is_remembered_of_a_device_stays_small(store: TelemetryStore, database: Database, broken: Values) -> None:
    import json

    raised(store, database, broken, 12)
    assert (
        max(len(json.dumps(state)) for name, state in states(database).items() if not name.startswith("model:")) < 1500
    )
