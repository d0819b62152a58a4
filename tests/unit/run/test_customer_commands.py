"""``hearthwatch customer export``: one archive with all of a person and what their devices reported, or a clear error and no file."""

from __future__ import annotations

import csv
import io
import json
import zipfile
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from typer.testing import CliRunner

from hearthwatch.clock import SteppedClock
from hearthwatch.records import audit
from hearthwatch.records.database import open_database
from hearthwatch.run.cli import app
from hearthwatch.settings import Settings
from hearthwatch.telemetry import open_store
from hearthwatch.values import Reading
from tests.unit.alerts.world import World


@pytest.fixture
def settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, migrated: bytes) -> Settings:
    """An installation with embedded stores that does not run: a customer whose lock reported three days of temperatures."""
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "records.sqlite3").write_bytes(migrated)
    monkeypatch.setenv("HEARTHWATCH_DATA_DIR", str(tmp_path / "data"))
    monkeypatch.chdir(tmp_path)
    settings, now = Settings(), datetime.now(UTC)
    with closing(open_database(settings.records_address)) as database:
        world = World(database, SteppedClock(now))
        world.policy()
        world.home()
        world.stand()
        world.run()
    days = [
        Reading("lock-1", "native", now - timedelta(days=n), {"temperature_c": 20.0 + n}, "2.4.0") for n in (3, 2, 1)
    ]
    with closing(open_store(settings.telemetry_address)) as store:
        store.write(days)
    return settings


def run(*arguments: str) -> tuple[int, str]:
    result = CliRunner().invoke(app, ["customer", *arguments])
    return result.exit_code, result.stdout


@pytest.mark.usefixtures("settings")
def test_of_nobody_there_is_no_archive_and_no_half_one(tmp_path: Path) -> None:
    assert run("export", "c-9")[0] != 0
    assert not list(tmp_path.glob("*.zip*"))


def test_the_archive_has_what_is_known_and_what_the_devices_reported_and_is_audited(
    settings: Settings, tmp_path: Path
) -> None:
    code, said = run("export", "c-1", "--json")
    assert (code, json.loads(said)["file"]) == (0, "customer-c-1.zip")
    with zipfile.ZipFile(tmp_path / "customer-c-1.zip") as found:
        assert json.loads(found.read("customer.json"))["name"] == "Kim 1"
        assert b"battery" in found.read("notices.jsonl")
        name = next(one for one in found.namelist() if one.endswith("-readings.csv"))
        told = list(csv.DictReader(io.StringIO(found.read(name).decode())))
    assert [(row["metric"], float(row["value"])) for row in told] == [
        ("temperature_c", 20.0 + day) for day in (3, 2, 1)
    ]
    with closing(open_database(settings.records_address)) as database, database.reading() as connection:
        assert "customer.export" in {entry.action for entry in audit.list_entries(connection, limit=50)}
