"""The pages of backtests in a real browser: a history is brought, backtested by a process of its own, and its report read."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from playwright.sync_api import Browser, expect

from hearthwatch.records import audit, backtests
from hearthwatch.records.backtests import Question
from hearthwatch.run.backtesting import BacktestWorker
from hearthwatch.settings import Settings
from tests.conftest import restore
from tests.integration.conftest import HOSTILE, PHONE, Server, opened
from tests.unit.run.test_backtesting import write


@pytest.fixture
def shelf(server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty folder for histories, and no backtest yet."""
    restore(server.database, server.empty)
    folder = tmp_path / "shelf"
    monkeypatch.setattr(Settings, "history_folder", property(lambda _settings: folder))
    return folder


def test_an_engineer_brings_a_history_starts_a_backtest_and_reads_what_came_of_it(
    server: Server, shelf: Path, browser: Browser, tmp_path: Path
) -> None:
    mapping = write(tmp_path / "mine")
    page = opened(browser, f"{server.url}/backtests")
    expect(page.get_by_text("No backtest yet.")).to_be_visible()
    page.get_by_role("button", name="Upload").click()
    expect(page.get_by_text("Name a folder and choose files.")).to_be_visible()
    page.get_by_label("Folder", exact=True).last.fill("../out")
    page.get_by_label("CSV, CSV.gz, Parquet, and a mapping (.toml)").set_input_files(str(mapping))
    page.get_by_role("button", name="Upload").click()
    expect(page.get_by_role("status").filter(has_text="mapping.toml: ")).to_be_visible()
    assert not shelf.exists() or not list(shelf.rglob("*"))

    page.get_by_label("Folder", exact=True).last.fill("machines")
    files = [str(mapping), str(mapping.with_name("readings.csv"))]
    page.get_by_label("CSV, CSV.gz, Parquet, and a mapping (.toml)").set_input_files(files)
    page.get_by_role("button", name="Upload").click()
    expect(page.get_by_text(re.compile(r"machines \(1 file, "))).to_be_visible()
    assert (shelf / "machines" / "readings.csv").read_bytes() == mapping.with_name("readings.csv").read_bytes()

    page.get_by_role("button", name="Start").click()
    page.get_by_role("link", name="machines").click()
    expect(page.get_by_text("waiting")).to_be_visible()
    settings = Settings(history_dir=shelf)
    assert BacktestWorker().work(settings, server.database, server.clock, "worker") == {"done": 1}
    expect(page.get_by_text(re.compile(r"of \d+ failures after 2026-01-31 would have been foretold"))).to_be_visible()
    expect(page.locator("canvas")).to_have_count(4)
    expect(page.get_by_text("Nothing odd was found.")).to_be_visible()
    assert page.title() != "harmed"
    with server.database.reading() as connection:
        assert {"history.upload", "backtest.create"} <= {one.action for one in audit.list_entries(connection)}


def test_a_refused_one_says_what_is_missing_and_names_out_of_the_data_do_no_harm(
    server: Server, shelf: Path, browser: Browser
) -> None:
    remark = {
        "kind": "unreadable_value", "count": 1, "said": f"a value {HOSTILE}", "done": "left out", "file": HOSTILE, "row": 3,
        "column": HOSTILE, "example": "=1+1", "grave": False,
    }  # fmt: skip
    quality = {
        "files": 1, "rows": 9, "readings": 8, "rejected_rows": 0, "rejected_values": 1, "days": 3, "device_days": 8, "remarks": [remark],
    }  # fmt: skip
    refused = [{"figure": "test", "why": f"too little of {HOSTILE}", "missing": "5 more devices"}]
    report = {"answer": None, "refused": refused, "quality": quality}
    question = Question(HOSTILE, "m.toml", f"# {HOSTILE}", None, 7)
    now = server.clock.now()
    with server.database.transaction() as connection:
        kept = backtests.keep(connection, question, report, why="too little", began=now, now=now, actor="command")
    page = opened(browser, f"{server.url}/backtests", PHONE)
    page.get_by_role("link", name=HOSTILE).click()
    expect(page.get_by_text("5 more devices")).to_be_visible()
    expect(page.get_by_text(f"{HOSTILE}, row 3, column {HOSTILE}, =1+1")).to_be_visible()
    expect(page.get_by_text(f"# {HOSTILE}")).to_be_visible()
    assert page.title() != "harmed"
    assert page.url.endswith(f"/backtests/{kept.id}")
