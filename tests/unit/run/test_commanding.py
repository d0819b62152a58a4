"""``hearthwatch command``: what it refuses, says and waits for. The command line runs in this process, on a SQLite file."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from hearthwatch.records import commands, consents, customers, devices
from hearthwatch.records.database import Database, open_database
from hearthwatch.run.cli import run
from tests.conftest import START


@pytest.fixture
def records(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Database]:
    """Records with a device, where the command line finds them."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HEARTHWATCH_RECORDS", f"sqlite:///{tmp_path / 'records.sqlite3'}")
    database = open_database(f"sqlite:///{tmp_path / 'records.sqlite3'}")
    database.upgrade()
    with database.transaction() as connection:
        devices.register(connection, [{"id": "lock-1"}])
    yield database
    database.close()


def told(capsys: pytest.CaptureFixture[str]) -> Any:
    return json.loads(capsys.readouterr().out)


def send(*more: str) -> int:
    return run(["command", "send", "lock-1", "diagnostics", "--why", "it is slow", *more])


def test_without_consent_it_says_which_is_missing(records: Database, capsys: pytest.CaptureFixture[str]) -> None:
    with records.transaction() as connection:
        customers.put_customer(connection, "c-1", name="Kim", language="en", channels=())
        customers.own(connection, "lock-1", "c-1", None, START)
        consents.record(connection, "c-1", "service", False, START, "test")
    assert send() == 2
    assert "customer c-1 has not consented to the purpose service" in capsys.readouterr().err


def test_a_question_nobody_answers_in_time_is_a_no(records: Database, capsys: pytest.CaptureFixture[str]) -> None:
    assert send("--wait", "0.01", "--json") == 1
    asked = told(capsys)
    assert (asked["state"], asked["why"], asked["asked_by"]) == ("queued", "it is slow", "command line")
    assert run(["command", "list", "--device", "lock-1", "--json"]) == 0
    assert [one["id"] for one in told(capsys)["items"]] == [asked["id"]]


def test_an_answer_that_comes_while_it_waits_is_printed_line_by_line(
    records: Database, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def answer(_seconds: float) -> None:  # instead of a pause between two looks
        with records.transaction() as connection:
            (asked,) = commands.list_commands(connection)
            found = {"wifi": {"rssi": -61}, "ok": True}
            commands.answered(connection, asked.id, ok=True, answer=found, reason=None, at=asked.created_at)

    monkeypatch.setattr("hearthwatch.run.commanding.time.sleep", answer)
    assert send("--wait", "60") == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].endswith("lock-1  diagnostics  answered")
    assert lines[1:] == ["  wifi / rssi: -61", "  ok: yes"]
