"""Leases: one holder among all that use a database, let go of with the process."""

from __future__ import annotations

import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import pytest

from hearthwatch.errors import Unavailable
from hearthwatch.records.database import Database, open_database
from hearthwatch.records.leases import Lease, lease

HOLDER = """
import sys
from hearthwatch.records.database import open_database
from hearthwatch.records.leases import lease

held = lease(open_database(sys.argv[1]), "job")
print(held.hold(), flush=True)
sys.stdin.read()
"""


@pytest.fixture
def file(tmp_path: Path) -> Iterator[Database]:
    opened = open_database(f"sqlite:///{tmp_path / 'records.sqlite3'}")
    yield opened
    opened.close()


@pytest.fixture(params=["sqlite_database", "file", "postgresql_database"])
def ask(request: pytest.FixtureRequest) -> Iterator[Callable[[str], Lease]]:
    """Makes leases, each for another who asks; in the end all are given up."""
    database: Database = request.getfixturevalue(request.param)
    made: list[Lease] = []

    def make(name: str) -> Lease:
        made.append(lease(database, name))
        return made[-1]

    yield make
    for one in made:
        one.give_up()


Ask = Callable[[str], Lease]


def test_one_of_two_holds_it(ask: Ask) -> None:
    one, two = ask("job"), ask("job")
    assert one.hold()
    assert not two.hold()
    assert one.hold()


def test_another_gets_what_was_given_up(ask: Ask) -> None:
    one, two = ask("job"), ask("job")
    assert one.hold()
    one.give_up()
    one.give_up()
    assert two.hold()
    assert not one.hold()


def test_who_does_not_hold_it_can_not_give_it_up(ask: Ask) -> None:
    one, two = ask("job"), ask("job")
    assert one.hold()
    two.give_up()
    assert not two.hold()


def test_names_do_not_stand_in_each_others_way(ask: Ask) -> None:
    leases = [ask(name) for name in ("job", "job2", "ingest/1", "../job")]
    assert all(one.hold() for one in leases)


def test_a_lock_file_that_was_removed_is_a_lease_that_was_lost(file: Database, tmp_path: Path) -> None:
    one, two = lease(file, "job"), lease(file, "job")
    assert one.hold()
    (tmp_path / "records.sqlite3.job.lock").unlink()
    assert two.hold()
    assert not one.hold()
    two.give_up()
    assert one.hold()


def test_a_folder_that_can_not_be_written_is_unavailable(file: Database, tmp_path: Path) -> None:
    (tmp_path / "records.sqlite3.job.lock").mkdir()
    with pytest.raises(Unavailable, match=r"job\.lock"):
        lease(file, "job").hold()


@pytest.mark.parametrize("place", ["file", "postgresql"])
def test_a_killed_process_lets_go_at_once(place: str, request: pytest.FixtureRequest, tmp_path: Path) -> None:
    address = request.getfixturevalue("postgresql") if place == "postgresql" else f"sqlite:///{tmp_path / 'r.sqlite3'}"
    database = open_database(address)
    mine = lease(database, "job")
    with subprocess.Popen(
        [sys.executable, "-c", HOLDER, address], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"True\n"
        assert not mine.hold()
        process.send_signal(signal.SIGKILL)
        process.wait(20)
        wait_for(mine.hold)
        mine.give_up()
    database.close()


def wait_for(answer: Callable[[], bool], seconds: float = 20) -> None:
    pause = threading.Event()
    for _ in range(int(seconds / 0.02)):
        if answer():
            return
        pause.wait(0.02)
    pytest.fail("it is still held")


@pytest.fixture
def two(postgresql: str) -> Iterator[tuple[Database, Database]]:
    """The same PostgreSQL database, opened by two."""
    with closing(open_database(postgresql)) as one, closing(open_database(postgresql)) as other:
        yield one, other


def test_who_waits_for_a_lease_makes_no_session_for_each_time_it_asks(two: tuple[Database, Database]) -> None:
    """A session of PostgreSQL is a process of the server and a signing in."""
    one, other = two
    mine, theirs = lease(one, "job"), lease(other, "job")
    assert mine.hold()
    holder = sessions(one)
    seen: set[int] = set()
    for _ in range(5):
        assert not theirs.hold()
        seen |= sessions(one) - holder
    assert len(seen) == 1
    mine.give_up()
    assert theirs.hold()
    assert sessions(one) - holder == seen
    theirs.give_up()
    wait_for(lambda: not sessions(one))


def test_who_waits_in_a_session_that_was_ended_gets_it_in_another(two: tuple[Database, Database]) -> None:
    one, other = two
    mine, theirs = lease(one, "job"), lease(other, "job")
    assert mine.hold()
    assert not theirs.hold()
    for pid in sessions(one):
        with one.transaction() as connection:
            connection.exec_driver_sql(f"SELECT pg_terminate_backend({pid}, 5000)")
    assert not mine.hold()
    wait_for(theirs.hold)
    assert not mine.hold()
    theirs.give_up()


def test_a_connection_that_was_asked_in_vain_holds_nothing_when_others_use_it(two: tuple[Database, Database]) -> None:
    one, other = two
    mine, theirs = lease(one, "job"), lease(other, "job")
    assert mine.hold()
    assert not theirs.hold()
    mine.give_up()
    with other.transaction() as connection:
        connection.exec_driver_sql("SELECT 1")
    wait_for(mine.hold)
    mine.give_up()


def sessions(database: Database) -> set[int]:
    """The server's processes that were last asked for a lease."""
    with database.reading() as connection:
        found = connection.exec_driver_sql(
            "SELECT pid FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()"
            " AND query LIKE '%pg_try_advisory_lock(%'"
        )
        return {int(pid) for pid in found.scalars()}
