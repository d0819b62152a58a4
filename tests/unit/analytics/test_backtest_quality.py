"""What is odd about a maker's data is told with file, row and column, and with what was done about it. Nothing is dropped in silence."""

from __future__ import annotations

import gzip
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from analytics.backtest import TooLittle, backtest
from analytics.history_panel import panel_of_history
from hearthwatch.errors import Invalid
from hearthwatch.history import History, Survey, parse_mapping, read_history
from tests.kept_sentences import left_in_english

NOW = datetime(2026, 6, 1, tzinfo=UTC)
START = date(2026, 1, 1)
MAPPING: dict[str, Any] = {
    "columns": {"device": "id", "at": "day", "model": "model"},
    "metrics": {"warmth": "temp", "errors": {"column": "errs", "kind": "counter"}},
    "failures": {"column": "failed"},
}
HEADER = ["id", "day", "model", "temp", "errs", "failed"]
Row = list[Any]
Write = Callable[[Path, list[Row]], None]


def days(device: str, numbers: range | list[int], **changed: Any) -> list[Row]:
    """A device's rows of some days; ``changed`` puts the same into a column of all of them."""
    rows = []
    for number in numbers:
        row = {
            "id": device,
            "day": (START + timedelta(days=number)).isoformat(),
            "model": "A",
            "temp": 20.5 + number % 3,
        }
        row |= {"errs": 10 + number, "failed": 0} | changed
        rows.append([row[name] for name in HEADER])
    return rows


def csv_file(path: Path, rows: list[Row], header: list[str] = HEADER) -> None:
    """Rows as CSV."""
    lines = [",".join(header), *(",".join("" if cell is None else str(cell) for cell in row) for row in rows)]
    path.write_text("\n".join(lines) + "\n")


def parquet_file(path: Path, rows: list[Row]) -> None:
    """Rows as Parquet: the device as a dictionary, the time with a zone, and a nested column besides."""
    columns = {name: [row[place] for row in rows] for place, name in enumerate(HEADER)}
    stamps = pa.array(
        [datetime.fromisoformat(day).replace(tzinfo=UTC) for day in columns["day"]], pa.timestamp("ms", "Europe/Berlin")
    )
    table = pa.table(
        {
            "id": pa.array(columns["id"]).dictionary_encode(),
            "day": stamps,
            **{name: pa.array(columns[name]) for name in HEADER[2:]},
            "nested": pa.array([{"a": 1}] * len(rows)),
        }
    )
    pq.write_table(table, path)


FORMS: list[tuple[str, Write]] = [("a.csv", csv_file), ("a.parquet", parquet_file)]


def told(folder: Path, mapping: dict[str, Any] | None = None) -> dict[str, Any]:
    """The quality section of a history that has too little for anything else."""
    (folder / "mapping.toml").write_text(_toml(mapping or MAPPING))
    with pytest.raises(TooLittle) as little:
        backtest(folder, folder / "mapping.toml", cut=None, horizon=timedelta(days=7), now=NOW)
    assert little.value.report is not None
    quality: dict[str, Any] = little.value.report["quality"]
    remarks, refused = quality["remarks"], little.value.report["refused"]
    assert left_in_english(one[name] for one in remarks for name in ("said", "done")) == []
    assert left_in_english(one[name] for one in refused for name in ("why", "missing")) == []
    return quality


def only(quality: dict[str, Any], kind: str) -> dict[str, Any]:
    """The one remark of a kind."""
    found = [one for one in quality["remarks"] if one["kind"] == kind]
    assert len(found) == 1, quality["remarks"]
    return dict(found[0])


def kinds(quality: dict[str, Any]) -> set[str]:
    return {one["kind"] for one in quality["remarks"]}


def where(remark: dict[str, Any]) -> tuple[Any, ...]:
    return remark["file"], remark["row"], remark["column"]


def _toml(mapping: dict[str, Any]) -> str:
    import json

    lines = []
    for section, keys in mapping.items():
        lines.append(f"[{section}]")
        for key, value in keys.items():
            inner = (
                "{ " + ", ".join(f"{name} = {json.dumps(one)}" for name, one in value.items()) + " }"
                if isinstance(value, dict)
                else json.dumps(value)
            )
            lines.append(f"{key} = {inner}")
    return "\n".join(lines)


@pytest.mark.parametrize(("name", "write"), FORMS)
def test_a_clean_history_has_nothing_to_be_told(tmp_path: Path, name: str, write: Write) -> None:
    write(tmp_path / name, [row for device in "abc" for row in days(device, range(20))])
    quality = told(tmp_path)
    assert kinds(quality) <= {"unknown_columns"}
    assert (quality["readings"], quality["device_days"], quality["days"]) == (60, 60, 20)


def test_columns_that_are_not_named_are_listed_also_nested_ones(tmp_path: Path) -> None:
    parquet_file(tmp_path / "a.parquet", days("a", range(9)))
    remark = only(told(tmp_path), "unknown_columns")
    assert (remark["count"], where(remark)) == (1, ("a.parquet", None, "nested"))
    assert remark["said"].endswith("nested")


@pytest.mark.parametrize(("name", "write"), FORMS)
def test_rows_that_come_twice_are_told_from_rows_that_contradict(tmp_path: Path, name: str, write: Write) -> None:
    rows = days("a", range(10)) + days("b", range(10))
    rows += days("a", [3]) + days("a", [3]) + days("b", [4], temp=99.0)
    write(tmp_path / name, rows)
    quality = told(tmp_path)
    same, other = only(quality, "duplicate_rows"), only(quality, "conflicting_rows")
    assert (same["count"], where(same)) == (2, (name, 22, None))
    assert same["example"].startswith("a at 2026-01-04")
    assert (other["count"], where(other), other["grave"]) == (1, (name, 24, None), True)
    assert quality["device_days"] == 20


@pytest.mark.parametrize(("name", "write"), FORMS)
def test_rows_out_of_order_make_no_difference_but_are_told(tmp_path: Path, name: str, write: Write) -> None:
    rows = days("a", range(10)) + days("b", range(10))
    write(tmp_path / name, rows)
    before = told(tmp_path)
    write(tmp_path / name, rows[::-1])
    after = told(tmp_path)
    assert only(after, "unsorted_rows")["count"] == 18
    assert where(only(after, "unsorted_rows")) == (name, 2, None)
    assert after["metrics"] == before["metrics"]
    assert "counter_reset" not in kinds(after)


@pytest.mark.parametrize(("name", "write"), FORMS)
def test_days_without_a_reading_are_counted_with_the_row_after_them(tmp_path: Path, name: str, write: Write) -> None:
    write(tmp_path / name, days("a", [0, 1, 2, 6, 7]) + days("b", range(8)))
    gaps = only(told(tmp_path), "gaps")
    assert (gaps["count"], where(gaps), gaps["example"]) == (3, (name, 5, None), "a on 2026-01-07")
    assert "18.8%" in gaps["said"]


@pytest.mark.parametrize(("name", "write"), FORMS)
def test_a_counter_that_falls_was_reset_and_is_told_by_its_column(tmp_path: Path, name: str, write: Write) -> None:
    write(tmp_path / name, days("b", range(20)) + days("a", range(10)) + days("a", range(10, 20), errs=1))
    reset = only(told(tmp_path), "counter_reset")
    assert (reset["count"], where(reset), reset["example"]) == (1, (name, 32, "errs"), "a on 2026-01-11")


def test_a_counter_that_falls_all_the_time_may_be_a_gauge(tmp_path: Path) -> None:
    csv_file(tmp_path / "a.csv", [row for n in range(10) for row in days("a", [n], errs=100 - n)])
    reset = only(told(tmp_path), "counter_reset")
    assert "may be a gauge" in reset["done"]
    assert reset["grave"]


@pytest.mark.parametrize(("name", "write"), FORMS)
def test_columns_in_which_nothing_moves_and_empty_ones_are_told(tmp_path: Path, name: str, write: Write) -> None:
    write(tmp_path / name, days("a", range(10), temp=21.0, errs=None))
    quality = told(tmp_path)
    still = only(quality, "constant_column")
    assert (where(still), still["example"], still["count"]) == ((name, 2, "temp"), "21", 10)
    assert only(quality, "empty_column")["column"] == "errs"


@pytest.mark.parametrize(("name", "write"), FORMS)
def test_devices_that_fall_silent_are_no_healthy_ones(tmp_path: Path, name: str, write: Write) -> None:
    write(tmp_path / name, days("a", range(5)) + days("b", range(20)))
    quality = told(tmp_path)
    gone = only(quality, "vanished_devices")
    assert (quality["vanished"], gone["count"], where(gone)) == (1, 1, (name, 6, None))


@pytest.mark.parametrize(("name", "write"), FORMS)
def test_devices_without_a_model_are_told(tmp_path: Path, name: str, write: Write) -> None:
    write(tmp_path / name, days("a", range(5)) + days("b", range(5), model=None))
    without = only(told(tmp_path), "without_model")
    assert (without["count"], where(without), without["example"]) == (1, (name, 7, None), "b on 2026-01-01")
    no_model = {**MAPPING, "columns": {"device": "id", "at": "day"}}
    assert "no_model_column" in kinds(told(tmp_path, no_model))


@pytest.mark.parametrize(("name", "write"), FORMS)
def test_clocks_of_1970_and_of_the_future_are_left_out_of_the_span(tmp_path: Path, name: str, write: Write) -> None:
    rows = days("a", range(10)) + days("b", range(10))
    rows += [["a", "1970-01-01", "A", 20.0, 1, 0], ["b", "2099-05-05", "A", 20.0, 1, 1]]
    write(tmp_path / name, rows)
    quality = told(tmp_path)
    unset, ahead = only(quality, "clock_1970"), only(quality, "clock_ahead")
    assert (unset["count"], where(unset), unset["done"]) == (1, (name, 22, None), "left out")
    assert (ahead["count"], where(ahead), ahead["done"]) == (1, (name, 23, None), "left out")
    assert (quality["readings"], quality["days"], quality["device_days"]) == (22, 10, 20)


def test_a_history_that_lies_in_1970_as_a_whole_is_believed(tmp_path: Path) -> None:
    csv_file(tmp_path / "a.csv", [["a", f"1970-01-{n:02d}", "A", n, n, 0] for n in range(1, 20)])
    quality = told(tmp_path)
    assert only(quality, "clock_1970")["done"] == "kept: most rows say so"
    assert quality["days"] == 19


def test_times_with_and_without_offsets_are_each_read_by_their_own(tmp_path: Path) -> None:
    stamps = ["2026-01-01T12:00:00Z", "2026-01-02T12:00:00+02:00", "2026-01-03T12:00:00", "2026-01-04T12:00:00Z"]
    csv_file(tmp_path / "a.csv", [["a", at, "A", n, n, 0] for n, at in enumerate(stamps)])
    mixed = only(told(tmp_path), "mixed_offsets")
    assert (where(mixed), mixed["example"]) == (("a.csv", 4, "day"), "no offset")
    assert "2 with +0000" in mixed["said"]
    assert "1 with +0200" in mixed["said"]
    assert "1 with none" in mixed["said"]
    first = next(history(tmp_path).readings())["at"].to_pylist()
    assert [at.hour for at in first] == [12, 10, 12, 12]


def test_text_among_numbers_is_counted_with_the_first_of_it(tmp_path: Path) -> None:
    csv_file(tmp_path / "a.csv", days("a", range(5)) + days("b", range(3), temp="hot"))
    quality = told(tmp_path)
    odd = only(quality, "unreadable_value")
    assert (odd["count"], where(odd), odd["example"]) == (3, ("a.csv", 7, "temp"), "hot")
    assert (quality["rejected_values"], quality["readings"]) == (3, 8)


def test_rows_without_a_device_or_with_too_few_cells_are_counted(tmp_path: Path) -> None:
    csv_file(tmp_path / "a.csv", [*days("a", range(5)), *days("", [5]), ["a", "2026-01-07"]])
    quality = told(tmp_path)
    assert where(only(quality, "unreadable_row")) == ("a.csv", 7, "id")
    assert where(only(quality, "broken_row")) == ("a.csv", 8, None)
    assert quality["rejected_rows"] == 2


def test_decimal_commas_are_refused_in_words_and_read_when_the_mapping_says_so(tmp_path: Path) -> None:
    lines = ["id;day;model;temp;errs;failed", *(f"a;2026-01-{n:02d};A;2{n % 3},5;1.00{n};0" for n in range(1, 9))]
    (tmp_path / "a.csv").write_text("\ufeff" + "\n".join(lines))
    quality = told(tmp_path)
    comma = only(quality, "decimal_comma")
    assert (comma["count"], where(comma), comma["example"]) == (8, ("a.csv", 2, "temp"), "21,5")
    assert 'decimal = "," in [source]' in comma["done"]
    read = history(tmp_path, {**MAPPING, "source": {"decimal": ","}})
    table = next(read.readings())
    assert table["warmth"].to_pylist()[:3] == [21.5, 22.5, 20.5]
    assert table["errors"].to_pylist()[:3] == [1001.0, 1002.0, 1003.0]
    assert not read.rejected


def test_empty_files_and_files_with_other_columns_do_not_stop_the_others(tmp_path: Path) -> None:
    csv_file(tmp_path / "a.csv", days("a", range(5)))
    (tmp_path / "b.csv").write_text("")
    (tmp_path / "c.csv.gz").write_bytes(gzip.compress(b"\n\n"))
    (tmp_path / "d.csv").write_text(",".join(HEADER) + "\n")
    csv_file(tmp_path / "e.csv", [row[:3] for row in days("a", range(5, 9))], HEADER[:3])
    quality = told(tmp_path)
    assert (only(quality, "empty_file")["count"], only(quality, "empty_file")["file"]) == (2, "b.csv")
    other = [one for one in quality["remarks"] if one["kind"] == "different_columns"]
    assert {(one["column"], one["file"], one["count"]) for one in other} == {(name, "e.csv", 1) for name in HEADER[3:]}
    assert quality["readings"] == 9


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "is empty"),
        (b"id,day,model,temp,errs,failed\n", "holds no rows"),
        (b"\n\nid,day\na,2026-01-01\n", "begins with an empty line"),
        ("id,day,temp°\n".encode("latin-1"), "is not UTF-8 text; save it as UTF-8"),
        ("id,day\na,2026-01-01\n".encode("utf-16"), "is not UTF-8 text"),
        (b"PAR1 and then nothing", "there is no column 'id'"),
    ],
    ids=["empty", "header only", "blank first", "latin-1", "utf-16", "not what it says"],
)
def test_a_file_that_holds_nothing_readable_is_an_error_with_its_name(
    tmp_path: Path, content: bytes, said: str
) -> None:
    (tmp_path / "a.csv").write_bytes(content)
    with pytest.raises(Invalid, match=r"a\.csv") as error:
        panel_of_history(history(tmp_path))
    assert said in str(error.value)


def test_a_panel_that_does_not_fit_into_memory_is_refused_before_it_is_made(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    csv_file(tmp_path / "a.csv", days("a", range(10)) + days("b", range(10)))
    monkeypatch.setattr("analytics.history_panel.MOST_CELLS", 39)
    with pytest.raises(Invalid, match="2 devices x 10 days x 2 metrics are more than the 39 daily values"):
        panel_of_history(history(tmp_path))


def test_cells_that_are_not_utf_8_lose_their_row_and_are_told(tmp_path: Path) -> None:
    csv_file(tmp_path / "a.csv", days("a", range(5)))
    (tmp_path / "a.csv").write_bytes((tmp_path / "a.csv").read_bytes() + b"caf\xe9,2026-01-09,A,1,1,0\n")
    odd = only(told(tmp_path), "unreadable_row")
    assert (where(odd), odd["count"]) == (("a.csv", 7, "id"), 1)


def history(folder: Path, mapping: dict[str, Any] | None = None) -> History:
    return read_history(folder, parse_mapping(mapping or MAPPING), Survey(NOW))
