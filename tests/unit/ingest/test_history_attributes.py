"""Further columns of a history become attributes of its devices, for comparisons by them."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

from hearthwatch.ports import TelemetryStore
from hearthwatch.records import attributes
from hearthwatch.records.database import Database
from ingest.history import import_history

NOW = datetime(2026, 5, 1, tzinfo=UTC)
MAPPING = """
[source]
files = "readings.csv"
[columns]
device = "device"
at = "at"
region = "region"
lot = "lot"
[devices]
files = "devices.csv"
device = "device"
supplier = "supplier"
"""
READINGS = "device,at,region,lot,t\na,2026-04-01,north,L1,1\na,2026-04-02,north,L1,2\nb,2026-04-01,south,,3\n"


def load(store: TelemetryStore, database: Database, folder: Path, readings: str, now: datetime) -> None:
    (folder / "readings.csv").write_text(readings)
    (folder / "devices.csv").write_text("device,supplier\na,ACME\nb,Sol\n")
    (folder / "mapping.toml").write_text(MAPPING)
    import_history(store, database, folder, folder / "mapping.toml", now)


def test_they_are_kept_once_and_with_their_time_when_they_change(
    store: TelemetryStore, database: Database, tmp_path: Path
) -> None:
    load(store, database, tmp_path, READINGS, NOW)
    load(store, database, tmp_path, READINGS, NOW + timedelta(days=1))
    with database.reading() as connection:
        assert attributes.present(connection, ["a", "b"]) == {
            "a": {"lot": "L1", "supplier": "ACME"},
            "b": {"supplier": "Sol"},
        }
        assert {one.from_at for one in attributes.of_device(connection, "a")} == {attributes.EVER}

    moved = READINGS.replace("b,2026-04-01,south,,", "b,2026-04-03,east,L2,")
    load(store, database, tmp_path, moved, NOW + timedelta(days=2))
    with database.reading() as connection:
        told = [(one.name, one.value, one.from_at) for one in attributes.of_device(connection, "b")]
    assert told == [
        ("lot", "L2", attributes.EVER),
        ("region", "south", attributes.EVER),
        ("region", "east", NOW + timedelta(days=2)),
        ("supplier", "Sol", attributes.EVER),
    ]
