"""Threads race to open tickets of one cause, under different numbers and without taking turns: the database's index lets one through."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
import sqlalchemy as sa

from hearthwatch.errors import HearthwatchError
from hearthwatch.records import tickets
from hearthwatch.records.database import Database, open_database
from hearthwatch.records.tables import ticket_events
from hearthwatch.records.tables import tickets as rows
from hearthwatch.records.tickets import NewTicket
from tests.conftest import START

RACERS, CAUSES = 4, 12


@pytest.fixture(params=["sqlite", "postgresql"])
def database(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Database]:
    """Migrated records that several connections can open."""
    if request.param == "postgresql":
        opened = open_database(str(request.getfixturevalue("postgresql")))
    else:
        opened = open_database(f"sqlite:///{tmp_path / 'records.sqlite3'}?synchronous=off")
        opened.upgrade()
    yield opened
    opened.close()


def race(database: Database) -> list[tuple[int, bool]]:
    """Every racer opens every cause under a number of its own."""
    start, found, broken = threading.Barrier(RACERS), list[tuple[int, bool]](), list[HearthwatchError]()

    def run(number: int) -> None:
        start.wait()
        try:
            for cause in range(CAUSES):
                new = NewTicket(f"device:d-{cause}/battery/{number}", "device", "t", 3, None, device_id=f"d-{cause}")
                with database.transaction(alone=False) as connection:
                    ticket, opened = tickets.open_once(connection, new, actor="policy", now=START, detail={})
                found.append((ticket.id, opened))
        except HearthwatchError as error:
            broken.append(error)

    threads = [threading.Thread(target=run, args=(number,)) for number in range(1, RACERS + 1)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert broken == []
    return found


def test_of_all_that_open_a_cause_at_once_there_is_one_open_ticket(database: Database) -> None:
    found = race(database)
    with database.reading() as connection:
        standing = list(connection.execute(sa.select(rows.c.stem, rows.c.id)).all())
        said = list(connection.execute(sa.select(ticket_events.c.what)).scalars())
    assert sorted(stem for stem, _ in standing) == sorted(f"device:d-{cause}/battery" for cause in range(CAUSES))
    assert said == ["opened"] * CAUSES
    assert sum(opened for _, opened in found) == CAUSES
    assert {id_ for id_, _ in found} == {id_ for _, id_ in standing}


def test_once_it_is_closed_the_race_for_the_next_one_has_one_winner_too(database: Database) -> None:
    race(database)
    with database.transaction() as connection:
        closed = {"state": "closed", "closing_code": "recovered", "cause": rows.c.cause + "0"}
        connection.execute(sa.update(rows).values(closed))
    found = race(database)
    assert sum(opened for _, opened in found) == CAUSES
    with database.reading() as connection:
        assert tickets.count(connection, open_only=True) == CAUSES
        assert tickets.count(connection) == 2 * CAUSES
