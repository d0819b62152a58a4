"""Whole histories: found, read through, and what could not be read told by file, row and column."""

from __future__ import annotations

import gzip
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from hearthwatch.errors import Invalid
from hearthwatch.history import History, RejectedRow, parse_mapping, read_history, read_mapping
from hearthwatch.history import files as history_files

COLUMNS = {"device": "id", "at": "time"}
DAY = datetime(2026, 5, 1, tzinfo=UTC)


def write(folder: Path, name: str, text: str) -> Path:
    """A file with some text, compressed where its name says so."""
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(gzip.compress(text.encode()) if name.endswith(".gz") else text.encode())
    return path


def read(path: Path, **mapping: Any) -> History:
    """A history by a mapping."""
    return read_history(path, parse_mapping({"columns": COLUMNS, **mapping}))


def rows(history: History) -> list[dict[str, Any]]:
    """All readings."""
    return [row for table in history.readings() for row in table.to_pylist()]


# -- what is refused -----------------------------------------------------------------------------------------------------


def test_a_place_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(Invalid, match="nowhere"):
        read(tmp_path / "nowhere")


def test_a_folder_without_files_is_an_error(tmp_path: Path) -> None:
    write(tmp_path, "notes.txt", "hello")
    with pytest.raises(Invalid, match=r"source\.files.*matches any of"):
        read(tmp_path)
    with pytest.raises(Invalid, match=r"source\.files.*matches \*\.parquet"):
        read(tmp_path, source={"files": "*.parquet"})
    with pytest.raises(Invalid, match="is none of"):
        read(tmp_path, source={"files": "*.txt"})


@pytest.mark.parametrize(
    ("mapping", "said"),
    [
        (
            {"columns": {"device": "ID", "at": "time"}},
            r"a\.csv: there is no column 'ID' \(columns\.device\); it has id, time, x",
        ),
        ({"columns": {**COLUMNS, "model": "type"}}, r"a\.csv: there is no column 'type' \(columns\.model\)"),
        ({"metrics": {"t": "temp"}}, r"a\.csv: there is no column 'temp' \(metrics\.t\)"),
        ({"failures": {"column": "broke"}}, r"a\.csv: there is no column 'broke' \(failures\.column\)"),
        ({"failures": {"files": "f.csv", "device": "id", "at": "time"}}, r"failures\.files: no file under"),
        (
            {"events": {"files": "a.csv", "device": "id", "at": "time", "kind": "k"}},
            r"a\.csv: there is no column 'k' \(events\.kind\)",
        ),
        (
            {"service": {"files": "a.csv", "device": "id", "at": "when"}},
            r"a\.csv: there is no column 'when' \(service\.at\)",
        ),
        (
            {"devices": {"files": "a.csv", "device": "id", "model": "m"}},
            r"a\.csv: there is no column 'm' \(devices\.model\)",
        ),
    ],
)
def test_a_wrong_column_is_named_with_its_file(tmp_path: Path, mapping: dict[str, Any], said: str) -> None:
    write(tmp_path, "a.csv", "id,time,x\n1,2026-05-01,2\n")
    with pytest.raises(Invalid, match=said):
        read(tmp_path, **mapping)


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("a.csv", b""),
        ("a.csv", b"\n\n"),
        ("a.csv", b"id,time,id\n1,2026-05-01,2\n"),
        ("a.csv.gz", b"this is not compressed"),
        ("a.csv.gz", gzip.compress(b"id,time,x\n" + b"1,2026-05-01,2\n" * 100_000)[:-2000]),
        ("a.parquet", b"PAR1 it is not"),
        ("a.csv", "id,time,température\n".encode("latin-1")),
    ],
    ids=["empty", "blank", "column twice", "not compressed", "cut short", "no parquet", "not UTF-8"],
)
def test_a_broken_file_is_named(tmp_path: Path, name: str, content: bytes) -> None:
    (tmp_path / name).write_bytes(content)
    with pytest.raises(Invalid, match=name.replace(".", r"\.")):
        rows(read(tmp_path))


@pytest.mark.parametrize(("metrics", "device"), [({"x": "deep"}, "id"), ({"x": "many"}, "id"), ({"x": "v"}, "deep")])
def test_a_column_of_lists_or_structures_is_refused_by_name(
    tmp_path: Path, metrics: dict[str, str], device: str
) -> None:
    columns = {"id": ["a"], "time": ["2026-05-01"], "v": [1.0], "deep": [{"a": 1}], "many": [[1, 2]]}
    pq.write_table(pa.table(columns), tmp_path / "a.parquet")
    with pytest.raises(Invalid, match=r"a\.parquet: the column '(deep|many)' .* holds lists or structures"):
        read(tmp_path, columns={"device": device, "at": "time"}, metrics=metrics)


def test_a_history_in_which_no_row_can_be_read_is_an_error_that_shows_the_first(tmp_path: Path) -> None:
    write(tmp_path, "a.csv", "id,time,x\nd1,yesterday,2\nd2,today,3\n")
    with pytest.raises(Invalid, match=r"a\.csv: no row could be read.*row 2, column 'time': 'yesterday' is not a time"):
        rows(read(tmp_path))
    write(tmp_path, "a.csv", "id,time,x\n")
    with pytest.raises(Invalid, match=r"a\.csv: holds no rows"):
        rows(read(tmp_path))


def test_two_columns_of_one_metric_name_are_an_error(tmp_path: Path) -> None:
    write(tmp_path, "a.csv", "id,time,Temp (C),temp c\nd1,2026-05-01,2,3\n")
    with pytest.raises(Invalid, match=r"'Temp \(C\)' and 'temp c' would both be called 'temp_c'"):
        read(tmp_path)


# -- what cannot be read ------------------------------------------------------------------------------------------------------


def test_what_cannot_be_read_is_told_by_file_row_and_column(tmp_path: Path) -> None:
    write(
        tmp_path,
        "a.csv",
        "id,time,x\nd1,2026-05-01,2\nd2,soon,3\n,2026-05-01,4\nd4,2026-05-01,hot\nd5,,5\nd6,2026-05-02\nd7,2026-05-02,7",
    )
    history = read(tmp_path, metrics={"x": "x"})
    assert [(row["device"], row["x"]) for row in rows(history)] == [("d1", 2.0), ("d4", None), ("d7", 7.0)]
    assert sorted(history.rejected, key=lambda one: one.row or 0) == [
        RejectedRow("a.csv", 3, "time", "soon", "is not a time between 1970 and 2261"),
        RejectedRow("a.csv", 4, "id", "", "is missing"),
        RejectedRow("a.csv", 5, "x", "hot", "is not a finite number", whole=False),
        RejectedRow("a.csv", 6, "time", "", "is missing"),
        RejectedRow("a.csv", 7, "", "d6,2026-05-02", "has 2 cells, not 3"),
    ]
    quality = history.quality
    assert (quality.rows, quality.readings, quality.rejected_rows, quality.rejected_values) == (7, 3, 4, 1)


def test_rows_are_numbered_right_after_broken_ones_and_over_blocks(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    lines = ["id,time,x", *(f"d{n},2026-05-01T00:00:00,{n}" for n in range(2, 3000))]
    lines[9] = "d10,2026-05-01T00:00:00,1,2,3"
    lines[99] = "d100,2026-05-01T00:00:00,bad"
    lines[1999] = "d2000"
    lines[2499] = '"d\n2500",2026-05-01T00:00:00,worse'
    write(tmp_path, "a.csv", "\n".join(lines))
    monkeypatch.setattr(history_files, "BLOCK_BYTES", 8192)
    history = read(tmp_path, metrics={"x": "x"})
    assert len(rows(history)) == 2996
    assert sorted((one.row, one.column, one.whole) for one in history.rejected) == [
        (10, "", True),
        (100, "x", False),
        (2000, "", True),
        (2500, "x", False),
    ]


def test_much_of_the_same_trouble_is_counted_and_not_all_kept(tmp_path: Path) -> None:
    write(tmp_path, "a.csv", "id,time,x\nd1,2026-05-01,1\n" + "d1,never,2\n" * 950 + "d1,2026-05-02,hot\n" * 150)
    history = read(tmp_path, metrics={"x": "x"})
    assert len(rows(history)) == 151
    assert len(history.rejected) == 202
    whole = [one for one in history.rejected if one.whole]
    assert whole[-1] == RejectedRow("a.csv", None, "time", "", "is not a time between 1970 and 2261", rows=850)
    assert sum(one.rows for one in whole) == history.quality.rejected_rows == 950
    assert history.quality.rejected_values == 150


def test_trouble_in_the_tables_beside_is_told_too(tmp_path: Path) -> None:
    write(tmp_path, "a.csv", "id,time,x\nd1,2026-05-01,2\n")
    write(tmp_path, "f.csv", "id,time\nd1,2026-05-02\nd1,never\n")
    history = read(tmp_path, failures={"files": "f.csv", "device": "id", "at": "time"})
    assert history.failures.num_rows == 1
    assert [(one.file, one.row) for one in history.rejected] == [("f.csv", 3)]
    assert (history.quality.rows, history.quality.rejected_rows, history.quality.files) == (1, 1, 2)


# -- readings ----------------------------------------------------------------------------------------------------------------


def test_every_numeric_column_is_a_metric_unless_some_are_named(tmp_path: Path) -> None:
    write(
        tmp_path,
        "a.csv",
        "id,time,Temp °C,note,empty,9lives,mixed\nd1,2026-05-01,21.5,fine,,9,\nd1,2026-05-02,22,,,9,x\n",
    )
    history = read(tmp_path)
    assert [(metric.name, metric.column) for metric in history.metrics] == [
        ("temp_c", "Temp °C"),
        ("m_9lives", "9lives"),
    ]
    assert rows(history)[0] == {"device": "d1", "at": DAY, "firmware": None, "temp_c": 21.5, "m_9lives": 9.0}
    assert history.quality.ignored_columns == ("note", "empty", "mixed")
    named = read(tmp_path, metrics={"t": {"column": "Temp °C", "kind": "counter", "unit": "°C", "direction": "high"}})
    assert [(one.name, one.kind, one.unit, one.direction) for one in named.metrics] == [("t", "counter", "°C", "high")]


def test_a_metric_may_begin_in_a_later_file(tmp_path: Path) -> None:
    write(tmp_path, "1.csv", "id,time,x\nd1,2026-05-01,1\n")
    write(tmp_path, "sub/2.csv.gz", "time,y,x,id\n2026-05-02,5,,d1\n")
    history = read(tmp_path)
    assert [(row["x"], row["y"]) for row in rows(history)] == [(1.0, None), (None, 5.0)]
    assert {tuple(table.column_names) for table in history.readings()} == {("device", "at", "firmware", "x", "y")}


def test_files_are_found_by_pattern_or_all_and_a_file_is_itself(tmp_path: Path) -> None:
    for name in ("a.csv", "b.csv", "deep/er/c.csv", ".hidden.csv", "_temporary/d.csv"):
        write(tmp_path, name, f"id,time,x\n{name.replace('/', '-')},2026-05-01,1\n")
    assert [row["device"] for row in rows(read(tmp_path))] == ["a.csv", "b.csv", "deep-er-c.csv"]
    assert [row["device"] for row in rows(read(tmp_path, source={"files": "[b-z].csv"}))] == ["b.csv"]
    assert [row["device"] for row in rows(read(tmp_path, source={"files": "**/c.csv"}))] == ["deep-er-c.csv"]
    assert [row["device"] for row in rows(read(tmp_path / "a.csv"))] == ["a.csv"]


@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|"])
def test_cells_may_be_parted_in_several_ways_and_begin_with_a_mark(tmp_path: Path, delimiter: str) -> None:
    lines = [["id", "time", "x"], ["d1", "2026-05-01", "1.5"]]
    write(tmp_path, "a.csv", "\ufeff" + "\r\n".join(delimiter.join(line) for line in lines))
    assert rows(read(tmp_path)) == [{"device": "d1", "at": DAY, "firmware": None, "x": 1.5}]


def test_parquet_and_csv_may_lie_side_by_side(tmp_path: Path) -> None:
    table = pa.table({"id": [7], "time": pa.array([DAY], pa.timestamp("ns", tz="UTC")), "x": pa.array([1], pa.int32())})
    pq.write_table(table, tmp_path / "a.parquet")
    write(tmp_path, "b.csv", "id,time,x\n8,2026-05-01,2\n")
    assert [(row["device"], row["at"], row["x"]) for row in rows(read(tmp_path))] == [("7", DAY, 1.0), ("8", DAY, 2.0)]


def test_attributes_are_told_with_each_reading(tmp_path: Path) -> None:
    write(tmp_path, "a.csv", "id,time,x,fw,type,lot\nd1,2026-05-01,1,1.0,plug,NA\nd1,2026-05-02,2,,plug,\n")
    history = read(tmp_path, columns={**COLUMNS, "firmware": "fw", "model": "type", "batch": "lot"})
    assert history.attributes == ("model", "batch")
    (table,) = history.readings()
    assert table.column_names == ["device", "at", "firmware", "model", "batch", "x"]
    assert table.column("firmware").to_pylist() == ["1.0", None]
    assert table.column("batch").to_pylist() == ["NA", None]


def test_a_history_can_be_read_twice_and_asked_before(tmp_path: Path) -> None:
    write(tmp_path, "a.csv", "id,time,x,bad\nd1,2026-05-01,1,1\nd1,2026-05-02,x,0\n")
    history = read(tmp_path, metrics={"x": "x"}, failures={"column": "bad"})
    assert history.failures.to_pylist() == [{"device": "d1", "at": DAY, "part": "device"}]
    next(history.readings())  # a pass that is given up counts nothing
    assert rows(history) == rows(history)
    assert (history.failures.num_rows, history.devices.num_rows, len(history.rejected)) == (1, 1, 1)


# -- the tables beside --------------------------------------------------------------------------------------------------------


def test_devices_are_gathered_from_the_readings_newest_word_first(tmp_path: Path) -> None:
    write(
        tmp_path,
        "a.csv",
        "id,time,x,fw,type,born\nd2,2026-05-03,1,2.0,plug,2025-01-01\nd1,2026-05-02,1,,,\nd2,2026-05-01,1,1.0,bulb,2025-01-01\n"
        "d1,2026-05-01,1,1.1,lock,\n",
    )
    history = read(tmp_path, columns={**COLUMNS, "firmware": "fw", "model": "type", "made": "born"})
    assert history.devices.select(["device", "model", "firmware", "made", "first_at", "last_at"]).to_pylist() == [
        {
            "device": "d1",
            "model": "lock",
            "firmware": "1.1",
            "made": None,
            "first_at": DAY,
            "last_at": DAY.replace(day=2),
        },
        {
            "device": "d2",
            "model": "plug",
            "firmware": "2.0",
            "made": datetime(2025, 1, 1, tzinfo=UTC),
            "first_at": DAY,
            "last_at": DAY.replace(day=3),
        },
    ]
    assert history.devices.column_names == [
        "device", "model", "hardware", "firmware", "region", "made", "installed", "removed", "first_at", "last_at"
    ]  # fmt: skip


def test_master_data_win_over_the_readings(tmp_path: Path) -> None:
    write(tmp_path, "a.csv", "id,time,x,type\nd1,2026-05-01,1,plug\nd2,2026-05-01,1,plug\n")
    write(
        tmp_path,
        "devices.csv",
        "serial,type,place,since,lot\nd1,bulb,north,2026-01-01,\nd3,lock,south,2026-02-01,L7\nd3,,east,,\n",
    )
    history = read(
        tmp_path,
        columns={**COLUMNS, "model": "type"},
        devices={
            "files": "devices.csv",
            "device": "serial",
            "model": "type",
            "region": "place",
            "installed": "since",
            "lot": "lot",
        },
    )
    found = history.devices.select(["device", "model", "region", "installed", "last_at", "lot"]).to_pylist()
    assert [tuple(row.values()) for row in found] == [
        ("d1", "bulb", "north", datetime(2026, 1, 1, tzinfo=UTC), DAY, None),
        ("d2", "plug", None, None, DAY, None),
        ("d3", "lock", "east", datetime(2026, 2, 1, tzinfo=UTC), None, "L7"),
    ]


def test_a_history_may_have_no_readings(tmp_path: Path) -> None:
    write(tmp_path, "d.csv", "id,on,off,fw\nd1,2026-01-01,2026-05-01,1.0\nd2,2026-01-01,,1.1\n")
    write(tmp_path, "f.csv", "id,time,what\nd1,2026-05-01,motor\n")
    mapping = {
        "devices": {"files": "d.csv", "device": "id", "installed": "on", "removed": "off", "firmware": "fw"},
        "failures": {"files": "f.csv", "device": "id", "at": "time", "part": "what"},
    }
    history = read_history(tmp_path, parse_mapping(mapping))
    assert rows(history) == []
    assert history.devices.select(["device", "removed"]).to_pylist() == [
        {"device": "d1", "removed": DAY},
        {"device": "d2", "removed": None},
    ]
    assert history.failures.to_pylist() == [{"device": "d1", "at": DAY, "part": "motor"}]
    write(tmp_path, "d.csv", "id,on,off,fw\n")
    with pytest.raises(Invalid, match="nothing to learn from"):
        read_history(tmp_path, parse_mapping(mapping))


def test_failures_stand_beside_the_reading_or_in_a_table(tmp_path: Path) -> None:
    write(
        tmp_path,
        "a.csv",
        "id,time,x,bad,what\nd1,2026-05-01,1,0,\nd1,2026-05-02,1,1,motor\nd2,2026-05-02,1,1,\nd2,2026-05-02,1,1,\n",
    )
    beside = read(tmp_path, failures={"column": "bad", "part": "what"})
    second = DAY.replace(day=2)
    assert [tuple(row.values()) for row in beside.failures.to_pylist()] == [
        ("d1", second, "motor"),
        ("d2", second, "device"),
    ]
    assert [metric.name for metric in beside.metrics] == ["x"]
    named = read(tmp_path, failures={"column": "bad", "part_value": "drive"})
    assert set(named.failures.column("part").to_pylist()) == {"drive"}


def test_events_and_service_are_in_order_of_time_without_repetitions(tmp_path: Path) -> None:
    write(tmp_path, "a.csv", "id,time,x\nd1,2026-05-01,1\n")
    write(tmp_path, "e.csv", "id,time,code\nd1,2026-05-02,E7\nd1,2026-05-01,\nd1,2026-05-02,E7\n")
    write(tmp_path, "s.csv", "id;time;comp\nd1;01.05.2026;fan\nd1;30.04.2026;\n")
    history = read(
        tmp_path,
        events={"files": "e.csv", "device": "id", "at": "time", "code": "code"},
        service={"files": "s.csv", "device": "id", "at": "time", "at_format": "%d.%m.%Y", "part": "comp"},
    )
    assert [tuple(row.values()) for row in history.events.to_pylist()] == [
        ("d1", DAY, None, "fault", ""),
        ("d1", DAY.replace(day=2), None, "fault", "E7"),
    ]
    assert [(row["at"].day, row["part"]) for row in history.service.to_pylist()] == [(30, ""), (1, "fan")]
    reboots = read(tmp_path, events={"files": "e.csv", "device": "id", "at": "time", "kind_value": "reboot"})
    assert set(reboots.events.column("kind").to_pylist()) == {"reboot"}


def test_a_table_without_a_form_of_time_takes_that_of_the_readings_or_iso(tmp_path: Path) -> None:
    write(tmp_path, "a.csv", "id,time,x,born\nd1,1777593600,1,2025-01-01\n")
    write(tmp_path, "f.csv", "id,time\nd1,1777593600\n")
    write(tmp_path, "s.csv", "id,time\nd1,2026-05-01\nd1,soon\n")
    write(tmp_path, "e.csv", "id,time\nd1,1.5.2026\n")
    table = {"device": "id", "at": "time"}
    history = read(
        tmp_path,
        columns={**COLUMNS, "at_format": "epoch_s", "made": "born"},
        source={"files": "a.csv"},
        failures={"files": "f.csv", **table},
        service={"files": "s.csv", **table},
        events={"files": "e.csv", "at_format": "%d.%m.%Y", **table},
    )
    for found in (history.failures, history.service, history.events):
        assert found.column("at").to_pylist() == [DAY]
    assert history.devices.column("made").to_pylist() == [datetime(2025, 1, 1, tzinfo=UTC)]
    assert [(one.file, one.row) for one in history.rejected] == [("s.csv", 3)]


def test_the_example_of_separate_tables_reads_such_tables(tmp_path: Path) -> None:
    write(
        tmp_path,
        "PdM_telemetry.csv",
        '"datetime","machineID","volt","rotate","pressure","vibration"\n2015-01-01 06:00:00,1,176.2,418,113,45\n',
    )
    write(tmp_path, "PdM_failures.csv", '"datetime","machineID","failure"\n2015-01-05 06:00:00,1,comp4\n')
    write(tmp_path, "PdM_errors.csv", '"datetime","machineID","errorID"\n2015-01-03 07:00:00,1,error1\n')
    write(tmp_path, "PdM_maint.csv", '"datetime","machineID","comp"\n2014-06-01 06:00:00,1,comp2\n')
    write(tmp_path, "PdM_machines.csv", '"machineID","model","age"\n1,model3,18\n2,model4,7\n')
    mapping = read_mapping(Path(__file__).parents[3] / "docs" / "examples" / "machines.toml")
    history = read_history(tmp_path, mapping)
    assert [row["voltage_v"] for row in rows(history)] == [176.2]
    assert history.devices.select(["device", "model", "age_years"]).to_pylist() == [
        {"device": "1", "model": "model3", "age_years": "18"},
        {"device": "2", "model": "model4", "age_years": "7"},
    ]
    assert history.failures.column("part").to_pylist() == ["comp4"]
    assert history.events.select(["kind", "code"]).to_pylist() == [{"kind": "fault", "code": "error1"}]
    assert history.service.column("part").to_pylist() == ["comp2"]


# -- laws and real data -----------------------------------------------------------------------------------------------------------

_cell = st.text(st.characters(exclude_characters='\x00\r\n"', exclude_categories=["Cs"]), max_size=6)


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(cells=st.lists(st.tuples(_cell, _cell, _cell), max_size=12))
def test_every_row_is_read_or_rejected(tmp_path: Path, cells: list[tuple[str, str, str]]) -> None:
    lines = ["good,2026-05-01,1", *(",".join(f'"{cell}"' for cell in row) for row in cells)]
    write(tmp_path, "a.csv", "id,time,x\n" + "\n".join(lines) + "\n")
    history = read(tmp_path, metrics={"x": "x"})
    assert len(rows(history)) + history.quality.rejected_rows == history.quality.rows == len(lines)
    assert all(one.row is not None and 2 < one.row <= len(lines) + 1 for one in history.rejected)


def test_backblaze_is_read_whole(third_party_data: Path) -> None:
    mapping = Path(__file__).parents[3] / "docs" / "examples" / "backblaze.toml"
    history = read_history(third_party_data / "backblaze-2013q2", read_mapping(mapping))
    assert sum(table.num_rows for table in history.readings()) == 868_524
    assert (history.devices.num_rows, history.failures.num_rows, len(history.rejected)) == (22_892, 120, 0)
