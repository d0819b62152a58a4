"""Migrations on both databases, with rows in every table: nothing is lost on the way up, and down only what was not there before."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext

from hearthwatch.clock import SteppedClock
from hearthwatch.records import job_runs
from hearthwatch.records.database import Database, open_database
from hearthwatch.records.tables import metadata
from tests.postgresql_server import PostgresServer
from tests.records_rows import Row, all_rows, fill, tables_there
from tests.unit.alerts.world import BAD, FIX, GOOD, NOON, World

Rows = dict[str, list[tuple[Any, ...]]]

UPGRADE = "import sys; from hearthwatch.records.database import open_database; open_database(sys.argv[1]).upgrade()"


@pytest.fixture(params=["sqlite", "postgresql"])
def address(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """Where there is a database without any schema yet."""
    if request.param == "sqlite":
        yield f"sqlite:///{tmp_path / 'records.sqlite3'}"
        return
    server: PostgresServer = request.getfixturevalue("postgres")
    server.run("CREATE DATABASE bare STRATEGY file_copy")
    yield server.address("bare")
    server.run("DROP DATABASE bare WITH (FORCE)")


@pytest.fixture
def bare(address: str) -> Iterator[Database]:
    opened = open_database(address)
    yield opened
    opened.close()


def test_rows_of_the_first_schema_come_up_and_go_down_unchanged(bare: Database) -> None:
    bare.upgrade("0001")
    fill(bare)
    before = all_rows(bare)
    bare.upgrade()
    assert bare.schema_is_current()
    above = all_rows(bare)
    for name in before.keys() - {"job_runs"}:
        assert len(above[name]) == len(before[name])
        lost = [row for row in before[name] if not any(row <= now for now in above[name])]
        assert lost == [], name  # further columns may have come, no value went
    with bare.reading() as connection:
        said = sa.text("SELECT method FROM prognoses WHERE model_version_id IS NOT NULL")
        assert set(connection.execute(said).scalars()) == {"hazard"}  # there was no other method then
        assert [(run.holder, run.attempt) for run in job_runs.list_runs(connection)] == [(None, 1)] * 4
    bare.downgrade("0001")
    assert all_rows(bare) == before


def known_to(database: Database, rows: dict[str, list[Row]]) -> dict[str, list[Row]]:
    """Rows as far as the schema that a database has now knows their tables and columns."""
    with database.reading() as connection:
        columns = {table.name: set(table.columns.keys()) for table in tables_there(connection)}
    found = {}
    for table in columns.keys() & rows.keys():
        kept = [frozenset((name, value) for name, value in row if name in columns[table]) for row in rows[table]]
        found[table] = sorted(kept, key=lambda row: sorted(map(repr, row)))
    return found


def test_what_the_platform_wrote_survives_the_way_down_and_up(bare: Database, clock: SteppedClock) -> None:
    bare.upgrade()
    tell_a_story(bare, clock)
    before = all_rows(bare)
    assert {"devices", "findings", "tickets", "notices", "outbox", "mailbox", "ticket_events"} <= {
        name for name, rows in before.items() if rows
    }
    bare.downgrade("0001")
    kept = known_to(bare, before)  # what later schemas added went with them
    assert "commands" not in kept
    assert {name: rows for name, rows in all_rows(bare).items() if name != "job_runs"} == {
        name: rows for name, rows in kept.items() if name != "job_runs"
    }
    bare.upgrade()
    after = all_rows(bare)
    for name in kept.keys() - {"job_runs"}:
        assert len(after[name]) == len(kept[name]), name
    with bare.transaction() as connection:  # and it works on: numbers go on, ledgers are closed, one run per window
        assert job_runs.claim(connection, "policy", clock.now(), clock.now(), "here") is None
    World(bare, clock).stand("lock-1", "motor_wear")


def test_all_of_it_can_be_taken_down(bare: Database) -> None:
    bare.upgrade()
    bare.downgrade("base")
    assert set(sa.inspect(bare.engine).get_table_names()) == {"alembic_version"}
    bare.upgrade()
    with bare.reading() as connection:
        assert compare_metadata(MigrationContext.configure(connection), metadata) == []


def test_of_several_processes_that_upgrade_at_once_one_does_and_the_others_wait(address: str, bare: Database) -> None:
    running = [
        subprocess.Popen([sys.executable, "-c", UPGRADE, address], stderr=subprocess.PIPE, text=True) for _ in range(3)
    ]
    said = [process.communicate(timeout=120)[1] for process in running]
    assert ([process.returncode for process in running], said) == ([0, 0, 0], ["", "", ""])
    assert bare.schema_is_current()


def test_text_sorts_by_its_bytes_wherever_the_server_was_installed(postgresql: str) -> None:
    database = open_database(postgresql)
    words = ["Zebra", "apple", "banana", "ähnlich", "-1", "a-b", "ab"]
    with database.transaction() as connection:
        connection.exec_driver_sql("CREATE TEMP TABLE words (word text)")  # of the server's own order
        for word in words:
            connection.execute(sa.text("INSERT INTO words VALUES (:word)"), {"word": word})
            connection.execute(sa.insert(metadata.tables["models"]).values(id=word, name=word))
        theirs = list(connection.exec_driver_sql("SELECT word FROM words ORDER BY word").scalars())
        models = metadata.tables["models"]
        ours = list(connection.execute(sa.select(models.c.id).order_by(models.c.id)).scalars())
    database.close()
    assert ours == sorted(words)
    assert theirs != ours


def test_every_text_column_sorts_by_its_bytes(postgresql: str) -> None:
    database = open_database(postgresql)
    query = (
        "SELECT table_name, column_name FROM information_schema.columns WHERE table_schema = current_schema()"
        " AND data_type IN ('text', 'character varying') AND collation_name IS DISTINCT FROM 'C'"
    )
    with database.reading() as connection:
        assert [name for name, _ in connection.exec_driver_sql(query).all()] == ["alembic_version"]
    database.close()


def tell_a_story(database: Database, clock: SteppedClock) -> None:
    """A bad release, tickets, letters, answers: through the functions that the platform itself calls."""
    clock.advance(NOON - clock.now())
    world = World(database, clock)
    world.technician()
    world.release(GOOD)
    world.release(BAD, replaces=GOOD)
    world.release(FIX, fixes=[BAD, "battery_fade"], replaces=BAD)
    for number in range(1, 4):
        world.home(number, devices_=(f"lock-{number}",), version=BAD)
    world.policy()
    for number in range(1, 4):
        world.stand(f"lock-{number}")
    world.run()
    world.pass_time(days=3)
    world.recover(world.observe("lock-1"))
    world.run()
    with database.transaction() as connection:
        attempt = job_runs.claim(connection, "policy", clock.now(), clock.now(), "here")
        assert attempt is not None
        assert job_runs.finish(connection, "policy", clock.now(), clock.now(), attempt, result={"tickets": 3})
