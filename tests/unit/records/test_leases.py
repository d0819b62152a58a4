"""Leases of databases in memory and in files: one holder, let go of with the process."""

from __future__ import annotations

import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from hearthwatch.errors import Unavailable
from hearthwatch.records.database import Database, open_database
from hearthwatch.records.leases import lease

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


@pytest.fixture(params=["memory", "file"])
def anywhere(request: pytest.FixtureRequest, database: Database, file: Database) -> Database:
    return database if request.param == "memory" else file


def test_one_of_two_holds_it(anywhere: Database) -> None:
    one, two = lease(anywhere, "job"), lease(anywhere, "job")
    assert one.hold()
    assert not two.hold()
    assert one.hold()


def test_another_gets_what_was_given_up(anywhere: Database) -> None:
    one, two = lease(anywhere, "job"), lease(anywhere, "job")
    assert one.hold()
    one.give_up()
    one.give_up()
    assert two.hold()
    assert not one.hold()


def test_who_does_not_hold_it_can_not_give_it_up(anywhere: Database) -> None:
    one, two = lease(anywhere, "job"), lease(anywhere, "job")
    assert one.hold()
    two.give_up()
    assert not two.hold()


def test_names_do_not_stand_in_each_others_way(anywhere: Database) -> None:
    leases = [lease(anywhere, name) for name in ("job", "job2", "ingest/1", "../job")]
    assert all(one.hold() for one in leases)
    for one in leases:
        one.give_up()


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


def test_a_killed_process_lets_go_at_once(file: Database, tmp_path: Path) -> None:
    command = [sys.executable, "-c", HOLDER, f"sqlite:///{tmp_path / 'records.sqlite3'}"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"True\n"
        mine = lease(file, "job")
        assert not mine.hold()
        process.send_signal(signal.SIGKILL)
        process.wait(20)
        assert mine.hold()
        mine.give_up()
