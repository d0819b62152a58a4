"""A backup still holds whoever was erased after it was made: a restore erases them again, where it can know of it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import closing, contextmanager
from datetime import UTC, datetime
from pathlib import Path

import pytest
from typer.testing import CliRunner

from hearthwatch.records import customers, erasures
from hearthwatch.records.database import Database, open_database
from hearthwatch.run.backup import run_backup
from hearthwatch.run.cli import app
from hearthwatch.run.erasures_file import read_erasures
from hearthwatch.run.restore import run_restore
from hearthwatch.settings import Settings

NAME = "Quillfeather"
NOW = datetime(2026, 5, 1, tzinfo=UTC)


@pytest.fixture
def settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Settings:
    """An installation with one customer, and a backup of it."""
    monkeypatch.setenv("HEARTHWATCH_DATA_DIR", str(tmp_path / "data"))
    (tmp_path / "data").mkdir()
    made = Settings()
    with records(made) as database:
        database.upgrade()
        with database.transaction() as connection:
            customers.put_customer(connection, "c-1", name=NAME, email="q@example.org")
    run_backup(made, tmp_path / "before.zip", token=None, with_secret_key=False)
    return made


@contextmanager
def records(settings: Settings) -> Iterator[Database]:
    with closing(open_database(settings.records_address)) as database:
        yield database


def name(settings: Settings) -> str:
    with records(settings) as database, database.reading() as connection:
        return customers.get_customer(connection, "c-1").name


def run(*arguments: str, answer: str = "") -> tuple[int, str]:
    result = CliRunner().invoke(app, list(arguments), input=answer)
    return result.exit_code, result.stdout


def test_who_does_not_confirm_erases_nobody(settings: Settings) -> None:
    assert run("customer", "erase", "c-1", "--reason", "asked", answer="n\n")[0] != 0
    assert name(settings) == NAME


def test_a_restore_over_the_records_erases_again_whom_they_know_to_be_erased(
    settings: Settings, tmp_path: Path
) -> None:
    assert run("customer", "erase", "c-1", "--reason", "asked", "--yes")[0] == 0
    assert name(settings) == ""
    run_restore(settings, tmp_path / "before.zip", force=True)
    assert name(settings) == ""
    with records(settings) as database, database.reading() as connection:
        reasons = [one.reason for one in erasures.list_erasures(connection)]
    assert reasons == ["asked", "again, after a restore: asked"]


def test_a_restore_elsewhere_needs_the_list(
    settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run("customer", "erase", "c-1", "--reason", "asked", "--yes")
    code, told = run("customer", "erasures", "--json")
    assert code == 0
    kept = tmp_path / "erasures.json"
    kept.write_text(told)
    monkeypatch.setenv("HEARTHWATCH_DATA_DIR", str(tmp_path / "elsewhere"))
    elsewhere = Settings()
    run_restore(elsewhere, tmp_path / "before.zip", force=False)
    assert name(elsewhere) == NAME, "nobody told it"
    run_restore(elsewhere, tmp_path / "before.zip", force=True, forgotten=read_erasures(kept))
    assert name(elsewhere) == ""
    assert json.loads(run("customer", "erasures", "--json")[1])["erasures"][0]["customer_id"] == "c-1"
