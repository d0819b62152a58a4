"""Importing a history: into both stores, once however often it is run, and nothing dropped in silence."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest

from hearthwatch.errors import Invalid
from hearthwatch.ports import TelemetryStore
from hearthwatch.records import devices, imports, metric_names, outcomes, parts, quarantine
from hearthwatch.records.database import Database
from hearthwatch.values import Reading
from ingest.history import import_history

NOW = datetime(2026, 6, 1, tzinfo=UTC)
DAY = datetime(2026, 5, 1, tzinfo=UTC)

MAPPING = """
[columns]
device = "id"
at = "time"
firmware = "fw"
model = "type"
[metrics]
x = "x"
[failures]
column = "bad"
part_value = "motor"
"""
READINGS = """id,time,fw,type,x,bad
d1,2026-05-01,1.0,plug,1,0
d2,2026-05-01,1.0,plug,2,0
d1,2026-05-02,1.1,plug,3,1
d2,2026-05-02,1.1,plug,hot,0
d2,someday,1.1,plug,5,0
a/b#c,2026-05-02,1.1,plug,6,1
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with a small history."""
    (tmp_path / "past").mkdir()
    (tmp_path / "past" / "readings.csv").write_text(READINGS)
    (tmp_path / "fleet.toml").write_text(MAPPING)
    return tmp_path


def run(store: TelemetryStore, database: Database, folder: Path, mapping: str = "fleet.toml") -> dict[str, object]:
    """An import, without what differs between two runs."""
    answer = import_history(store, database, folder / "past", folder / mapping, NOW)
    assert answer.pop("seconds") >= 0
    return answer


def contents(store: TelemetryStore, database: Database) -> list[object]:
    """All that an import leaves, but the note that it ran and how often the same trouble came."""
    store.rollup(NOW)
    with database.reading() as connection:
        return [
            *(store.window(name, DAY, NOW).to_pylist() for name in ("d1", "d2")),
            sorted(map(str, store.hourly(DAY, NOW).to_pylist())),
            store.events(DAY, NOW).to_pylist(),
            devices.list_devices(connection),
            outcomes.list_outcomes(connection),
            [
                (item.source, item.topic, item.part, item.payload, item.samples)
                for item in quarantine.list_items(connection)
            ],
            [parts.parts_of(connection, name) for name in ("d1", "d2")],
        ]


def test_a_wrong_column_stores_nothing(store: TelemetryStore, database: Database, folder: Path) -> None:
    (folder / "fleet.toml").write_text(MAPPING.replace('x = "x"', 'x = "y"'))
    with pytest.raises(Invalid, match=r"readings\.csv: there is no column 'y' \(metrics\.x\)"):
        run(store, database, folder)
    assert store.metrics() == []
    with database.reading() as connection:
        assert devices.list_devices(connection) == []
        assert imports.list_imports(connection) == []


def test_a_history_of_devices_with_impossible_names_is_an_error(
    store: TelemetryStore, database: Database, folder: Path
) -> None:
    (folder / "past" / "readings.csv").write_text("id,time,fw,type,x,bad\na b,2026-05-01,1.0,plug,1,0\n")
    with pytest.raises(Invalid, match="proper id"):
        run(store, database, folder)


def test_what_cannot_be_taken_in_is_counted_and_held(store: TelemetryStore, database: Database, folder: Path) -> None:
    answer = run(store, database, folder)
    assert (answer["rejected"], answer["rejected_values"]) == (2, 1)
    with database.reading() as connection:
        held = {(item.source, item.topic, item.part): item for item in quarantine.list_items(connection)}
    assert {place: (item.payload, item.samples) for place, item in held.items()} == {
        ("readings.csv", "row 5", "x"): (b"hot", 0),
        ("readings.csv", "row 6", "time"): (b"someday", 1),
        ("past", "further rows", "device"): (b"a/b#c", 1),
    }


ODD = """id,time,fw,type,x,bad
d1,2026-05-02,1.0,plug,1,0
d1,2026-05-01,1.0,plug,2,0
d1,2026-05-02,1.0,plug,1,0
d1,2026-05-02,1.0,plug,7,0
d2,1970-01-01T00:00:07Z,1.0,plug,3,0
d2,2026-05-03,1.0,plug,3,0
d2,2031-01-01,1.0,plug,3,0
"""


def test_rows_of_clocks_that_were_wrong_are_held_and_what_is_odd_is_told(
    store: TelemetryStore, database: Database, folder: Path
) -> None:
    (folder / "past" / "readings.csv").write_text(ODD)
    answer = run(store, database, folder)
    assert (answer["readings"], answer["stored"], answer["duplicate"], answer["rejected"]) == (5, 3, 2, 2)
    quality = answer["quality"]
    assert isinstance(quality, dict)
    told = {one["kind"]: (one["count"], one["row"], one["done"]) for one in quality["remarks"]}
    assert told == {
        "conflicting_rows": (1, 5, "the first of them is stored"),
        "clock_1970": (1, 6, "left out"),
        "clock_ahead": (1, 8, "left out"),
        "duplicate_rows": (1, 4, "stored once"),
        "unsorted_rows": (1, 2, "stored in order of time"),
        "mixed_offsets": (7, 6, "each read by its own; one without is of the mapping's timezone"),
    }
    assert [row["value"] for row in store.window("d1", DAY, NOW).to_pylist()] == [2.0, 1.0]
    assert store.window("d2", datetime(1970, 1, 1, tzinfo=UTC), DAY).num_rows == 0
    with database.reading() as connection:
        second = devices.list_devices(connection)[1]
        held = {item.reason: item.samples for item in quarantine.list_items(connection)}
    assert (second.first_seen, second.last_seen) == (DAY.replace(day=3), DAY.replace(day=3))
    assert held == {"is of 1970, as of a clock that was never set": 1, "lies in the future": 1}


def test_an_import_fills_both_stores(store: TelemetryStore, database: Database, folder: Path) -> None:
    answer = run(store, database, folder)
    counts = {name: answer[name] for name in ("devices", "readings", "stored", "duplicate", "failures", "new_outcomes")}
    assert counts == {"devices": 2, "readings": 4, "stored": 4, "duplicate": 0, "failures": 1, "new_outcomes": 1}
    window = store.window("d1", DAY, NOW).to_pylist()
    assert [(row["stream"], row["firmware"], row["value"]) for row in window] == [
        ("import:fleet", "1.0", 1.0),
        ("import:fleet", "1.1", 3.0),
    ]
    with database.reading() as connection:
        first, second = devices.list_devices(connection)
        (failure,) = outcomes.list_outcomes(connection)
        assert metric_names.load(connection) == {"x"}
    assert (first.id, first.model, first.version, first.first_seen, first.last_seen) == (
        "d1",
        "plug",
        "1.1",
        DAY,
        DAY.replace(day=2),
    )
    assert second.id == "d2"
    assert (failure.device_id, failure.part, failure.outcome, failure.source) == (
        "d1",
        "motor",
        "failure",
        "import:fleet",
    )


def test_a_second_import_changes_nothing(store: TelemetryStore, database: Database, folder: Path) -> None:
    first = run(store, database, folder)
    before = contents(store, database)
    second = run(store, database, folder)
    assert contents(store, database) == before
    assert second == {**first, "stored": 0, "duplicate": 4, "new_outcomes": 0}
    with database.reading() as connection:
        assert len(imports.list_imports(connection)) == 2


def test_history_does_not_set_a_living_device_back(store: TelemetryStore, database: Database, folder: Path) -> None:
    with database.transaction() as connection:
        devices.see(connection, [devices.Sighting("d1", NOW, firmware="2.0", online=True)])
    store.write([Reading("d1", "native", DAY, {"x": 9.0}, firmware="2.0")])
    run(store, database, folder)
    with database.reading() as connection:
        device = devices.get(connection, "d1")
    assert (device.version, device.last_seen, device.online, device.model) == ("2.0", NOW, True, "plug")
    assert store.window("d1", DAY, DAY.replace(hour=1)).num_rows == 2


def test_tables_beside_become_events_outcomes_and_parts(
    store: TelemetryStore, database: Database, folder: Path
) -> None:
    past = folder / "past"
    (past / "readings.csv").write_text("id,time,x\nd1,2026-05-01,1\n")
    (past / "devices.csv").write_text("id,type,on\nd1,lock,2026-01-01\nd9,lock,2026-02-01\n")
    (past / "events.csv").write_text("id,time,kind,code\nd1,2026-05-02,reboot,panic\nd9,2026-05-03,reboot,panic\n")
    (past / "service.csv").write_text("id,time,part\nd1,2026-05-04,motor\nd9,2026-05-05,\n")
    tables = "\n".join(
        f'[{name}]\nfiles = "{name}.csv"\ndevice = "id"\n{rest}'
        for name, rest in (
            ("devices", 'model = "type"\ninstalled = "on"'),
            ("events", 'at = "time"\nkind = "kind"\ncode = "code"'),
            ("service", 'at = "time"\npart = "part"'),
        )
    )
    (folder / "tables.toml").write_text(
        f'[source]\nfiles = "readings.csv"\n[columns]\ndevice = "id"\nat = "time"\n{tables}'
    )
    answer = run(store, database, folder, "tables.toml")
    assert (answer["devices"], answer["events"], answer["service"]) == (2, 2, 2)
    assert store.events(DAY, NOW).select(["device", "kind", "code"]).to_pylist() == [
        {"device": "d1", "kind": "reboot", "code": "panic"},
        {"device": "d9", "kind": "reboot", "code": "panic"},
    ]
    with database.reading() as connection:
        assert [(part.part, part.from_at.day) for part in parts.parts_of(connection, "d1")] == [("motor", 4)]
        assert parts.parts_of(connection, "d9") == []
        # No list of failures: what had to be repaired is the failure.
        assert [(one.device_id, one.part) for one in outcomes.list_outcomes(connection)] == [
            ("d1", "motor"),
            ("d9", ""),
        ]
        assert devices.get(connection, "d9").installed_at == datetime(2026, 2, 1, tzinfo=UTC)
    before = contents(store, database)
    run(store, database, folder, "tables.toml")
    assert contents(store, database) == before


def test_two_sources_of_one_device_do_not_hide_each_other(
    store: TelemetryStore, database: Database, folder: Path
) -> None:
    (folder / "other maker's.toml").write_text(MAPPING)
    run(store, database, folder)
    assert run(store, database, folder, "other maker's.toml")["stored"] == 4
    streams = store.window("d1", DAY, NOW).column("stream").to_pylist()
    assert set(streams) == {"import:fleet", "import:other_maker_s"}
