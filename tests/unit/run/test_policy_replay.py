"""Replays in a process of their own, and as a command: what goes wrong is told, what is ended begins again, what is done is kept."""

from __future__ import annotations

import json
import sys
import threading
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from alerts.policy.file import default_text
from hearthwatch.clock import SteppedClock
from hearthwatch.records import policy_replays
from hearthwatch.records.database import Database
from hearthwatch.records.policy_replays import PolicyReplay, Question
from hearthwatch.run import policy_replay
from hearthwatch.run.cli import run
from hearthwatch.run.jobs import JOBS
from hearthwatch.run.policy_replay import RHYTHM, ReplayWorker

NOW = datetime(2026, 5, 1, tzinfo=UTC)


@pytest.fixture
def asked(database: Database) -> int:
    """A replay that waits."""
    with database.transaction() as connection:
        question = Question(default_text(), None, NOW - timedelta(days=2), NOW, open_end=False)
        return policy_replays.ask(connection, question, NOW, "ann").id


def stored(database: Database, number: int) -> PolicyReplay:
    with database.reading() as connection:
        return policy_replays.get(connection, number)


def instead(monkeypatch: pytest.MonkeyPatch, script: str) -> None:
    """Let the process of a run do something else."""
    monkeypatch.setattr(policy_replay, "_command", lambda *_: [sys.executable, "-c", script])


def test_a_replay_looks_as_often_as_the_jobs_do() -> None:
    table = {job.name: (job.every, job.after) for job in JOBS}
    assert table["policy"] == (RHYTHM.policy, timedelta(0))
    assert table["follow_up"] == (RHYTHM.follow_up, timedelta(0))


@pytest.mark.parametrize(
    ("script", "why"),
    [
        ("import os; os.kill(os.getpid(), 9)", "its process was ended by signal 9"),
        ("import sys; sys.exit('hearthwatch: policy: rules: is missing')", "policy: rules: is missing"),
    ],
)
def test_a_run_that_goes_wrong_has_failed_and_says_why(
    database: Database, clock: SteppedClock, asked: int, monkeypatch: pytest.MonkeyPatch, script: str, why: str
) -> None:
    instead(monkeypatch, script)
    assert ReplayWorker().work(database, clock, "me") == {"failed": 1}
    assert why in (stored(database, asked).why or "")


def test_a_run_that_is_ended_with_the_platform_waits_for_the_next(
    database: Database, clock: SteppedClock, asked: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    instead(monkeypatch, "import sys, time; print('progress: begun', file=sys.stderr, flush=True); time.sleep(600)")
    begun = threading.Event()
    monkeypatch.setattr(policy_replay, "_tell", lambda *_: begun.set())
    worker = ReplayWorker()
    working = threading.Thread(target=worker.work, args=(database, clock, "me"))
    working.start()
    assert begun.wait(60)
    worker.stop()
    working.join(60)
    assert (stored(database, asked).state, stored(database, asked).attempts) == ("waiting", 0)


def test_a_run_keeps_the_report_that_the_command_prints(database: Database, clock: SteppedClock, asked: int) -> None:
    assert ReplayWorker().work(database, clock, "me") == {"done": 1}
    report: Any = stored(database, asked).report
    assert (report["policy"]["name"], report["answer"]["notices"]) == ("Hearthwatch default", 0)


@pytest.fixture
def elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with empty records."""
    monkeypatch.setenv("HEARTHWATCH_DATA_DIR", str(tmp_path))
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_the_command_refuses_a_text_that_is_no_policy_and_names_the_line(
    elsewhere: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = elsewhere / "policy.toml"
    file.write_text("name = 'x'\nlouder = 1\n")
    assert run(["replay", "--policy", str(file), "--since", "2026-05-01"]) == 2
    assert "line 2" in capsys.readouterr().err


def test_the_command_prints_one_object_or_a_sentence_and_tables(
    elsewhere: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = elsewhere / "policy.toml"
    file.write_text(default_text())
    assert run(["replay", "--policy", str(file), "--since", "2026-05-01", "--until", "2026-05-03", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["days"] == 2
    assert run(["replay", "--policy", str(file), "--since", "2026-05-01", "--until", "2026-05-03"]) == 0
    assert "this policy would have sent 0 notices" in capsys.readouterr().out
    assert run(["replay", "--policy", str(file), "--since", "soon"]) == 2
