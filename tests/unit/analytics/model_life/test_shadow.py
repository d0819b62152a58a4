from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta

import numpy as np
import pytest

from analytics.model_life.blocks import Block
from analytics.prognosis import prognose
from analytics.training.job import train
from hearthwatch.ports import TelemetryStore
from hearthwatch.records import model_looks, model_versions, prognoses, said_days
from hearthwatch.records.database import Database, open_database
from hearthwatch.records.said_days import SaidDay
from hearthwatch.telemetry import open_store
from tests.unit.analytics.fleets import MODEL, START, healthy, morning_after, names, register, seen, write_days
from tests.unit.analytics.past import write_past

DEVICES, DAYS = 32, 16
NAME = f"hazard/{MODEL}/relay"

World = tuple[Database, int, int]


@pytest.fixture(scope="module")
def world() -> Iterator[World]:
    """A champion and a challenger, and prognoses of four mornings; the challenger comes after the second."""
    store, database = open_store("duckdb://"), open_database("sqlite://")
    database.upgrade()
    write_past(store, database)
    train(store, database, START + timedelta(hours=2), min_failures=20)
    register(database, DEVICES, installed=START - timedelta(days=60))
    write_days(store, healthy(50, DEVICES, DAYS), 0, DAYS)
    seen(database, names(DEVICES), START + timedelta(days=DAYS))
    for day in (8, 10):
        run(store, database, day)
    with database.transaction() as connection:
        (champion,) = model_versions.champions(connection)
        challenger = model_versions.register(
            connection, NAME, trained_at=morning_after(10), card=champion.card, artifact=champion.artifact
        )
    for day in (12, 14):
        run(store, database, day)
    yield database, champion.id, challenger.id
    store.close()
    database.close()


def run(store: TelemetryStore, database: Database, day: int) -> None:
    prognose(store, database, morning_after(day), alarm=0.5, relapse=timedelta(days=7))


def kept(database: Database) -> list[SaidDay]:
    with database.reading() as connection:
        return said_days.list_days(connection, NAME)


def test_one_day_a_week_is_kept_and_another_when_a_challenger_comes(world: World) -> None:
    database, champion, challenger = world
    days = kept(database)
    assert [tuple(day.versions) for day in days] == [(champion,), (champion, challenger)]
    assert [day.at for day in days] == [
        morning_after(day).replace(hour=0, minute=0) - timedelta(days=1) for day in (8, 12)
    ]


def test_both_speak_of_the_same_devices_and_the_champion_says_what_it_said_aloud(world: World) -> None:
    database, champion, _ = world
    block = Block.unpack(kept(database)[1].block)
    assert block.p.shape == (2, DEVICES, 3)
    np.testing.assert_array_equal(block.p[0], block.p[1])  # here they are the same model
    with database.reading() as connection:
        aloud = {row.device_id: row.p30 for row in prognoses.riskiest(connection, limit=100) if row.method == "hazard"}
    assert set(aloud) == set(block.devices) == set(names(DEVICES))
    assert block.firmwares[int(block.firmware[0])] in {"1.0.0", ""}
    with database.reading() as connection:
        assert {row.model_version_id for row in prognoses.riskiest(connection, limit=100)} == {champion}


def test_how_far_its_inputs_have_moved_is_told_beside_it(world: World) -> None:
    database, champion, _ = world
    with database.reading() as connection:
        looks = model_looks.list_looks(connection, champion, "features")
    columns = looks[-1].detail["columns"]
    assert len(looks) == 2
    assert looks[-1].detail["devices"] == DEVICES
    assert [one["psi"] for one in columns] == sorted((one["psi"] for one in columns), reverse=True)
    assert all(0 <= one["js"] <= 1 and one["psi"] >= 0 for one in columns)
