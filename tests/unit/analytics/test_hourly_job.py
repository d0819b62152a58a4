"""The anomaly job on devices that report every hour, through the real stores."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import numpy as np
import pytest

from analytics.anomaly import find_anomalies
from analytics.anomaly.job import HOURS_NAME
from analytics.panel import Floats
from hearthwatch.ports import TelemetryStore
from hearthwatch.records import analysis_states, devices, findings
from hearthwatch.records.database import Database, open_database
from hearthwatch.telemetry import open_store
from hearthwatch.values import Finding
from tests.conftest import migrated_image, restore
from tests.unit.analytics.fleets import morning_after, names, register
from tests.unit.analytics.hourly_fleets import METRICS, lively, reversed_relation, write_hours

DEVICES, DAYS, BREAKS = 40, 27, 21
BROKEN, LEAKS = 7, 20


@dataclass
class Place:
    """Stores of one platform."""

    store: TelemetryStore
    database: Database

    def run(self, day: int) -> dict[str, Any]:
        """The job on the morning after a day."""
        return find_anomalies(self.store, self.database, morning_after(day), rate=0.5, relapse=timedelta(days=7))

    def live(self, values: Floats, first: int, until: int) -> None:
        """Day by day."""
        for day in range(first, until):
            write_hours(self.store, values, day, day + 1)
            self.run(day)

    def findings(self) -> list[Finding]:
        """All of them."""
        with self.database.reading() as connection:
            return findings.list_findings(connection, limit=1000)

    def hours(self) -> dict[str, Any]:
        """What is remembered of hours."""
        with self.database.reading() as connection:
            return analysis_states.load(connection, HOURS_NAME)


def opened() -> Place:
    database = open_database("sqlite://")
    restore(database, migrated_image())
    register(database, DEVICES)
    return Place(open_store("duckdb://"), database)


@pytest.fixture
def place() -> Iterator[Place]:
    """Empty stores with a registered fleet."""
    here = opened()
    yield here
    here.store.close()
    here.database.close()


@pytest.fixture(scope="module")
def story() -> Iterator[tuple[Place, Floats]]:
    """A fleet in which a supply moves the wrong way from a day on, and another device loses its memory."""
    values = reversed_relation(lively(3, DEVICES, DAYS), BROKEN, BREAKS)
    leak = np.minimum(np.arange((DAYS - BREAKS) * 24) / 24 * 0.08, 0.6)
    values[BREAKS * 24 :, LEAKS, METRICS.index("free_heap_bytes")] *= 1 - leak
    here = opened()
    here.live(values, 0, DAYS)
    yield here, values
    here.store.close()
    here.database.close()


def test_a_broken_relation_becomes_a_finding_that_names_its_metrics(story: tuple[Place, Floats]) -> None:
    found = [one for one in story[0].findings() if one.subject == names(DEVICES)[BROKEN]]
    assert [(one.kind, one.mode, one.severity) for one in found] == [("anomaly", "unusual", "warning")]
    evidence = found[0].evidence
    assert evidence["metrics"][0] == "supply_v"
    assert len(evidence["metrics"]) <= 3
    assert evidence["shares"]["supply_v"] > 0.4
    assert evidence["e_value"] >= evidence["threshold"] > 1
    assert evidence["scores"]["hourly_structure"]["peers"] > 2
    assert "supply_v" in evidence["reasons"][0]["text"]
    assert evidence["reasons"][0]["text_key"] == "hours_apart"
    assert found[0].first_seen <= morning_after(BREAKS + 5)


def test_an_event_with_a_name_of_its_own_is_not_told_twice(story: tuple[Place, Floats]) -> None:
    now = morning_after(DAYS - 1)
    standing = [one for one in story[0].findings() if one.subject == names(DEVICES)[LEAKS] and one.last_seen == now]
    assert [one.mode for one in standing] == ["memory_leak"]


def test_nobody_else_is_accused(story: tuple[Place, Floats]) -> None:
    assert {one.subject for one in story[0].findings()} == {names(DEVICES)[BROKEN], names(DEVICES)[LEAKS]}


def test_a_day_worked_twice_changes_nothing(story: tuple[Place, Floats]) -> None:
    place, _ = story
    before, remembered = place.findings(), place.hours()
    assert place.run(DAYS - 1)["days"] == 0
    assert place.findings() == before
    assert place.hours() == remembered


def test_days_caught_up_with_in_one_run_leave_the_same_as_a_run_a_day(place: Place) -> None:
    values = lively(4, DEVICES, 11)
    place.live(values, 0, 11)
    other = opened()
    write_hours(other.store, values, 0, 11)
    other.run(10)
    assert other.hours() == place.hours()
    assert place.hours()["model:plug-x"]["structure"] is not None
    other.store.close()
    other.database.close()


def test_hours_that_come_after_their_day_was_worked_count_only_from_then_on(place: Place) -> None:
    values = lively(5, DEVICES, 6)
    missing = values.copy()
    missing[4 * 24 : 5 * 24, 3] = np.nan
    place.live(missing, 0, 5)
    never = place.hours()
    write_hours(place.store, values, 4, 5, rows=[3])
    assert place.run(4)["days"] == 0
    assert place.hours() == never
    place.live(missing, 5, 6)
    other = opened()
    other.live(missing, 0, 6)
    assert place.hours() == other.hours()
    other.store.close()
    other.database.close()


def test_what_happens_to_a_whole_region_is_one_incident(place: Place) -> None:
    with place.database.transaction() as connection:
        for number, name in enumerate(names(DEVICES)):
            devices.update(connection, name, None, {"region": "north" if number % 2 else "south"})
    values = lively(6, DEVICES, 22)
    shock = np.random.default_rng(1).normal(0, 1, (24, DEVICES // 2))
    supply = METRICS.index("supply_v")
    values[21 * 24 :, 1::2, supply] += 0.2 * shock
    place.live(values, 0, 22)
    found = place.findings()
    assert [(one.kind, one.subject, one.mode) for one in found] == [("incident", "group:plug-x@north", "unusual")]
    assert "supply_v" in found[0].evidence["metrics"]
    assert found[0].evidence["share"] > 0.2


def test_a_memory_that_cannot_be_read_is_given_up_and_said(place: Place) -> None:
    values = lively(7, DEVICES, 4)
    place.live(values, 0, 2)
    broken = {"model:plug-x": {**place.hours()["model:plug-x"], "version": 99}}
    with place.database.transaction() as connection:
        analysis_states.save(connection, HOURS_NAME, broken, morning_after(1))
    write_hours(place.store, values, 2, 3)
    assert place.run(2)["forgotten"] == ["plug-x"]
    write_hours(place.store, values, 3, 4)
    assert place.run(3)["forgotten"] == []
    assert place.hours()["model:plug-x"]["days"] == 2
