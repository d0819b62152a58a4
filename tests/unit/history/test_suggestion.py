"""A proposed mapping is a mapping, names what it rests on, and is right about files whose columns speak for themselves."""

from __future__ import annotations

import tomllib
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from hearthwatch.errors import Invalid
from hearthwatch.history.mapping import HistoryMapping, parse_mapping
from hearthwatch.history.suggestion import suggest
from hearthwatch.run.cli import run


def proposed(path: Path) -> HistoryMapping:
    return parse_mapping(tomllib.loads(suggest(path)))


def write(path: Path, header: str, rows: list[str]) -> None:
    path.write_text("\n".join([header, *rows]) + "\n", encoding="utf-8")


def test_files_without_a_device_or_a_time_are_refused_with_their_columns(tmp_path: Path) -> None:
    write(tmp_path / "a.csv", "colour,date", ["red,2026-01-01"])
    with pytest.raises(Invalid, match="no column looks like the device; there are colour, date"):
        suggest(tmp_path)
    write(tmp_path / "a.csv", "serial,colour", ["m1,red", "m2,blue"])
    with pytest.raises(Invalid, match="no column can be read as times"):
        suggest(tmp_path)
    (tmp_path / "a.csv").write_text("serial,date\n")
    with pytest.raises(Invalid, match="holds no rows"):
        suggest(tmp_path)


def test_device_time_model_failure_counters_and_gauges_are_found(tmp_path: Path) -> None:
    days = [(date(2026, 1, 1) + timedelta(days=n)).isoformat() for n in range(40)]
    rows = [f"m{n % 3},{days[n // 3]},X1,{20 + n % 7 / 2},{n // 3 * 2},0,text" for n in range(120)]
    write(tmp_path / "a.csv", "Serial-No,Date,Model,Temp °C,cycles,failed,note", rows)
    found = proposed(tmp_path)
    assert found.columns is not None
    assert (found.columns.device, found.columns.at, found.columns.model) == ("Serial-No", "Date", "Model")
    assert found.failures is not None
    assert found.failures.column == "failed"
    assert found.metrics is not None
    assert {name: (one.column, one.kind) for name, one in found.metrics.items()} == {
        "temp_c": ("Temp °C", "gauge"),
        "cycles": ("cycles", "counter"),
    }


def test_german_dates_and_decimal_commas_are_recognised(tmp_path: Path) -> None:
    write(
        tmp_path / "a.csv", "machineID;Zeitstempel;temp", [f"{n % 2};{n + 1:02d}.03.2026;2{n % 9},5" for n in range(28)]
    )
    found = proposed(tmp_path)
    assert found.columns is not None
    assert (found.columns.at, found.columns.at_format) == ("Zeitstempel", "%d.%m.%Y")
    assert found.source.decimal == ","
    assert found.failures is None
    assert "# [failures]" in suggest(tmp_path)


def test_parquet_with_typed_times_and_nested_columns(tmp_path: Path) -> None:
    at = [datetime(2026, 1, 1, tzinfo=UTC) + timedelta(hours=n) for n in range(30)]
    columns = {
        "unit": pa.array(["u1"] * 30).dictionary_encode(),
        "ts": pa.array(at),
        "v": [1.5] * 30,
        "deep": [{"a": 1}] * 30,
    }
    pq.write_table(pa.table(columns), tmp_path / "a.parquet")
    found = proposed(tmp_path)
    assert found.columns is not None
    assert (found.columns.device, found.columns.at) == ("unit", "ts")
    assert set(found.metrics or {}) == {"v"}


def test_a_hostile_column_stays_a_name(tmp_path: Path) -> None:
    write(tmp_path / "a.csv", 'serial,date,"x"" ]\t[failures]"', ["m1,2026-01-01,1", "m1,2026-01-02,2"])
    found = proposed(tmp_path)
    assert [one.column for one in (found.metrics or {}).values()] == ['x" ]\t[failures]']


def test_the_command_prints_it(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write(tmp_path / "a.csv", "serial,date,x", ["m1,2026-01-01,1", "m1,2026-01-02,2"])
    assert run(["mapping", "suggest", str(tmp_path)]) == 0
    assert parse_mapping(tomllib.loads(capsys.readouterr().out)).columns is not None
