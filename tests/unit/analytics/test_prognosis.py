from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import sqlalchemy as sa

from analytics.decision.cost_file import read_costs
from analytics.prognosis import prognose
from analytics.training.job import train
from hearthwatch.ports import TelemetryStore
from hearthwatch.records import devices, findings, model_versions, parts, prognoses
from hearthwatch.records.database import Database, open_database
from hearthwatch.records.prognoses import Prognosis
from hearthwatch.records.tables import installed_parts
from hearthwatch.telemetry import open_store
from hearthwatch.values import Finding
from tests.unit.analytics.fleets import (
    START,
    burnt,
    healthy,
    morning_after,
    names,
    register,
    seen,
    write_days,
)
from tests.unit.analytics.past import write_past

DEVICES = 30
BURNT, ONSET = 7, 12
WEEK = timedelta(days=7)
LAST = 21

World = tuple[TelemetryStore, Database, dict[str, Any]]


def run(store: TelemetryStore, database: Database, now: datetime, alarm: float = 0.5) -> dict[str, Any]:
    return prognose(store, database, now, alarm=alarm, relapse=WEEK)


def of(database: Database, device: str) -> list[Prognosis]:
    with database.reading() as connection:
        return prognoses.of_device(connection, device)


def found(database: Database) -> list[Finding]:
    with database.reading() as connection:
        every = findings.list_findings(connection, kind="prognosis", limit=1000)
    return [one for one in every if one.subject.startswith("plug-")]


@pytest.fixture(scope="module")
def world() -> Iterator[World]:
    """A fleet three weeks old, one relay burning; champions from another fleet's past. Prognoses of every day."""
    store, database = open_store("duckdb://"), open_database("sqlite://")
    database.upgrade()
    write_past(store, database)
    train(store, database, START + timedelta(hours=2), min_failures=20)
    values = healthy(50, DEVICES, LAST + 1)
    values["relay_contact_mohm"] = burnt(values["relay_contact_mohm"], BURNT, ONSET)
    register(database, DEVICES, installed=START - timedelta(days=60))
    answers: dict[str, Any] = {"risk": []}
    for day in range(LAST + 1):
        write_days(store, values, day, day + 1)
        seen(database, names(DEVICES), START + timedelta(days=day, hours=23))
        run(store, database, morning_after(day))
        answers["risk"].append(of(database, names(DEVICES)[BURNT])[0].p30)
        if day in {3, LAST}:
            answers[f"rows {day}"] = of(database, names(DEVICES)[0])
    yield store, database, answers
    store.close()
    database.close()


def test_without_a_model_every_active_device_gets_the_reason(store: TelemetryStore, database: Database) -> None:
    write_days(store, healthy(1, 3, 9), 0, 9)
    register(database, 3)
    seen(database, names(2), morning_after(7))
    assert run(store, database, morning_after(8))["abstained"] == {"no model for this kind of device": 2}
    assert of(database, names(3)[0])[0].abstained == "no model for this kind of device"
    assert of(database, names(3)[2]) == []


def test_a_young_device_is_not_judged(world: World) -> None:
    assert world[2]["rows 3"][0].abstained == "too short a history"
    assert world[2]["rows 3"][0].p30 is None


def test_a_healthy_device_gets_its_probabilities(world: World) -> None:
    row = world[2][f"rows {LAST}"][0]
    assert row.abstained is None
    assert row.part == "relay"
    assert 0 < row.p7 <= row.p30 <= row.p90 < 1
    assert row.p30 < 0.3


def test_a_burning_relay_is_foretold_with_its_reason(world: World) -> None:
    known = found(world[1])
    assert [(one.subject, one.mode, one.part) for one in known] == [(names(DEVICES)[BURNT], "relay_wear", "relay")]
    assert known[0].first_seen <= START + timedelta(days=ONSET + 8)
    assert known[0].last_seen == morning_after(LAST)
    assert known[0].probability is not None
    assert known[0].probability >= 0.5
    assert known[0].evidence["metrics"][0] == "relay_contact_mohm"
    first = known[0].evidence["reasons"][0]
    assert first["text"].startswith("Contact resistance")
    assert "than all 29 others of the same model and firmware; raises the 30-day risk" in first["text"]
    assert known[0].evidence["against"]["text"] == "Speaks against it: no unexpected reboots"
    assert known[0].evidence["probable_part"] == "relay"


def test_the_same_day_twice_gives_the_same(world: World) -> None:
    store, database, _ = world
    before, rows = found(database), of(database, names(DEVICES)[BURNT])
    run(store, database, morning_after(LAST))
    assert found(database) == before
    assert of(database, names(DEVICES)[BURNT]) == rows


def test_with_costs_the_finding_says_what_acting_saves_and_the_job_how_the_week_stands(world: World) -> None:
    store, database, _ = world
    sheet = read_costs(Path("docs/examples/costs.toml"))
    now = morning_after(LAST) + timedelta(hours=1)
    result = prognose(store, database, now, alarm=0.5, relapse=WEEK, costs=sheet, per_1000_and_week=5)
    row = of(database, names(DEVICES)[BURNT])[0]
    decision = found(database)[0].evidence["decision"]
    assert row.p30 is not None
    assert decision["net_benefit"] == pytest.approx(row.p30 * 52.5 - 0.5 - (1 - row.p30) * 4, abs=0.01)
    assert (decision["currency"], decision["threshold"]) == ("EUR", 0.0796)
    assert row.decision == {"state": "flagged", **decision}
    assert row.against is not None
    assert result["week"]["limit"] == 5
    assert result["waiting"] == 0


def test_a_finding_closes_only_well_below_the_alarm(world: World) -> None:
    store, database, _ = world
    p30 = of(database, names(DEVICES)[BURNT])[0].p30
    assert p30 is not None
    later = morning_after(LAST) + timedelta(hours=3)
    assert run(store, database, later, alarm=min(p30 * 1.2, 0.999))["in_alarm"] == 1
    assert run(store, database, later + timedelta(hours=1), alarm=0.999999)["in_alarm"] == int(p30 >= 0.6)


def test_the_first_high_probability_alone_opens_nothing(world: World) -> None:
    risk = world[2]["risk"]
    first_high = next(day for day, p30 in enumerate(risk) if p30 is not None and p30 >= 0.5)
    before = risk[first_high - 1] or 0.0
    opened = found(world[1])[0].first_seen
    assert opened == morning_after(first_high if before >= 0.3 else first_high + 1)


def test_a_renewed_part_is_not_judged_by_the_signs_of_the_old_one(world: World) -> None:
    store, database, _ = world
    before = found(database)[0].last_seen
    with database.transaction() as connection:
        # Undone at the end: the other tests share this world.
        parts.install(connection, names(DEVICES)[BURNT], "relay", before + timedelta(hours=5))
    run(store, database, before + timedelta(days=1))
    row = of(database, names(DEVICES)[BURNT])[0]
    with database.transaction() as connection:
        connection.execute(sa.delete(installed_parts).where(installed_parts.c.device_id == names(DEVICES)[BURNT]))
    assert row.abstained == "too short a history"
    assert found(database)[0].last_seen == before


def test_a_device_unlike_those_of_the_training_is_not_judged(world: World) -> None:
    store, database, _ = world
    strange = {name: array[:1] for name, array in healthy(60, 2, 20).items()}
    strange["relay_contact_mohm"] = strange["relay_contact_mohm"] * 1e6
    renamed = "stranger-1"
    write_days(store, strange, 0, 20, called=[renamed])
    with database.transaction() as connection:
        devices.register(connection, [{"id": renamed, "model": "plug-x", "installed_at": START - timedelta(days=60)}])
    for day in (0, 19):
        seen(database, [renamed], morning_after(day))
    run(store, database, morning_after(19))
    assert of(database, renamed)[0].abstained == "unlike anything the model has learned from"


def test_a_device_that_falls_silent_keeps_its_finding_for_two_weeks(world: World) -> None:
    store, database, _ = world
    assert found(database)[0].state == "open"
    began = found(database)[0].last_seen
    for days in (4, 12):
        run(store, database, began + timedelta(days=days))
        assert found(database)[0].last_seen == began + timedelta(days=days)
    assert found(database)[0].evidence["reasons"][-1]["text_key"] == "silent"
    run(store, database, began + timedelta(days=20))
    assert found(database)[0].last_seen == began + timedelta(days=12)


def test_a_device_without_the_values_the_model_needs_is_not_judged(world: World) -> None:
    store, database, _ = world
    values = {name: array.copy() for name, array in healthy(61, DEVICES, 50).items()}
    values["relay_contact_mohm"][:, 30:] = np.nan
    write_days(store, values, 38, 50)
    seen(database, names(DEVICES), morning_after(49))
    run(store, database, morning_after(49))
    assert of(database, names(DEVICES)[0])[0].abstained == "too many values are missing"


def test_a_model_that_cannot_be_read_is_a_reason_and_no_crash(world: World) -> None:
    store, database, _ = world
    with database.transaction() as connection:
        version = model_versions.champions(connection)[0]
        model_versions.register(
            connection,
            version.name,
            trained_at=version.trained_at,
            card=version.card,
            artifact=b"not a model",
            role="champion",
        )
    assert any(
        "the stored model is not in the format" in why for why in run(store, database, morning_after(49))["abstained"]
    )
