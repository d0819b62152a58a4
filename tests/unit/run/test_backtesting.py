"""Backtests in a process of their own: asked for, worked, and told of; ended with us, and then interrupted."""

from __future__ import annotations

import csv
import json
import threading
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import pytest

from hearthwatch.clock import SystemClock
from hearthwatch.records import backtests
from hearthwatch.records.backtests import Backtest, Question
from hearthwatch.records.database import Database
from hearthwatch.run.backtesting import BacktestWorker
from hearthwatch.run.cli import run
from hearthwatch.settings import Settings

MAPPING = """
[columns]
device = "serial"
at = "date"
model = "model"
[failures]
column = "failed"
"""
DAYS, DEVICES = 50, 200
NOW = datetime(2026, 5, 1, tzinfo=UTC)


def write(folder: Path, failing: int = 80) -> Path:
    """Machines that grow warm for some days before they fail, with a hostile name among them."""
    rng = np.random.default_rng(2)
    fails = {device: int(day) for device, day in enumerate(rng.integers(8, DAYS, failing))}
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / "readings.csv").open("w", newline="") as file:
        rows = csv.writer(file)
        rows.writerow(["serial", "date", "model", "warmth", "failed"])
        for day in range(DAYS):
            for device in range(DEVICES):
                left = fails.get(device, 10**6) - day
                if left < 0:
                    continue
                name = "<img src=x onerror=alert(1)>" if device == 0 else f"=m{device}"
                date = (datetime(2026, 1, 1, tzinfo=UTC) + timedelta(days=day)).date().isoformat()
                rows.writerow([name, date, "A", round(20 + rng.normal() + max(0, 10 - left), 2), int(left == 0)])
    mapping = folder / "mapping.toml"
    mapping.write_text(MAPPING)
    return mapping


def ask(database: Database, folder: str, mapping: str = MAPPING) -> int:
    with database.transaction() as connection:
        return backtests.ask(connection, Question(folder, "mapping.toml", mapping, None, 7), NOW, "ada").id


def read(database: Database, number: int) -> Backtest:
    with database.reading() as connection:
        return backtests.get(connection, number)


def wait_for(condition: Callable[[], bool], seconds: float = 60) -> None:
    until = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < until, "it did not come"
        time.sleep(0.05)


def test_what_waits_is_worked_in_order_and_each_ends_as_it_deserves(sqlite_database: Database, tmp_path: Path) -> None:
    write(tmp_path / "machines")
    write(tmp_path / "few", failing=2)
    settings = Settings(history_dir=tmp_path)
    gone, done, few = (ask(sqlite_database, folder) for folder in ("gone", "machines", "few"))
    bad = ask(sqlite_database, "machines", MAPPING.replace('"serial"', '"nothing"'))
    counts = BacktestWorker().work(settings, sqlite_database, SystemClock(), "me")
    assert counts == {"failed": 2, "done": 1, "refused": 1}
    missing = read(sqlite_database, gone)
    assert missing.why is not None
    assert "there is no folder 'gone'" in missing.why
    report = read(sqlite_database, done).report
    assert report is not None
    assert report["answer"]["foretold"] > 0
    assert {one["device"][0] for one in report["examples"]["foretold"]} <= {"<", "="}
    refused = read(sqlite_database, few)
    assert refused.why is not None
    assert "too little to judge" in refused.why
    assert refused.report is not None
    assert refused.report["answer"] is None
    assert refused.report["quality"]["days"] == DAYS
    wrong = read(sqlite_database, bad)
    assert (wrong.state, wrong.report) == ("failed", None)
    assert wrong.why is not None
    assert "there is no column 'nothing'" in wrong.why


def test_a_run_ends_with_us_and_is_interrupted(sqlite_database: Database, tmp_path: Path) -> None:
    write(tmp_path / "machines")
    number = ask(sqlite_database, "machines")
    worker = BacktestWorker()
    settings = Settings(history_dir=tmp_path)
    thread = threading.Thread(target=worker.work, args=(settings, sqlite_database, SystemClock(), "me"))
    thread.start()
    wait_for(lambda: read(sqlite_database, number).state == "running")
    worker.stop()
    thread.join(60)
    assert not thread.is_alive()
    left = read(sqlite_database, number)
    assert (left.state, left.why, left.report) == ("interrupted", "the platform ended while it ran", None)


def test_a_command_keeps_its_report_where_the_pages_show_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    mapping = write(tmp_path / "machines")
    few = write(tmp_path / "few", failing=1)
    monkeypatch.setenv("HEARTHWATCH_DATA_DIR", str(tmp_path / "var"))
    (tmp_path / "var").mkdir()
    assert run(["backtest", str(mapping.parent), "--mapping", str(mapping), "--save", "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert told["id"] == 1
    assert run(["backtest", str(few.parent), "--mapping", str(few), "--save"]) == 2
    shown = capsys.readouterr()
    assert "too little to judge, 5 are needed" in shown.err
    assert "Not given, because there is too little to judge by:" in shown.out
    assert "Kept as backtest 2" in shown.out
    assert run(["backtest", str(mapping.parent), "--mapping", str(mapping)]) == 0
    words = capsys.readouterr().out
    assert "failures after 2026-01-31 would have been foretold" in words
    assert "false alarms per 1,000 device-weeks" in " ".join(words.split())
