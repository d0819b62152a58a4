"""Columns as they stand in files, read as texts, numbers, times and yes/no."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hearthwatch.history import columns

ZONE = ZoneInfo("Europe/Berlin")
NOON = datetime(2026, 5, 1, 12, tzinfo=UTC)


def raw(*values: str | bytes | None) -> pa.ChunkedArray:
    """A column of a CSV file."""
    cells = [value.encode() if isinstance(value, str) else value for value in values]
    return pa.chunked_array([pa.array(cells, pa.binary())])


def typed(values: list[Any], kind: pa.DataType) -> pa.ChunkedArray:
    """A column of a Parquet file."""
    return pa.chunked_array([pa.array(values, kind)])


def result(found: columns.Converted) -> tuple[list[Any], list[bool]]:
    """Values and where there was trouble."""
    return found.values.to_pylist(), found.bad.tolist()


def test_numbers_are_told_from_gaps_and_from_what_is_none() -> None:
    given_ = raw("1.5", " -2e3 ", "", "NaN", "null", "inf", "12,5", "0x10", "true", "1_000", b"\xff", "+.5", "-")
    assert result(columns.number(given_)) == (
        [1.5, -2000.0, None, None, None, None, None, None, 1.0, None, None, 0.5, None],
        [False, False, False, False, False, True, True, True, False, True, True, False, False],
    )


def test_a_clean_column_of_numbers_has_no_trouble() -> None:
    assert result(columns.number(raw("1", "2.5", "", "1e400"))) == ([1.0, 2.5, None, None], [False, False, False, True])


@pytest.mark.parametrize(
    ("given_", "expected"),
    [
        (typed([1, None], pa.int32()), [1.0, None]),
        (typed([1.5, float("nan")], pa.float32()), [1.5, None]),
        (typed([True, None], pa.bool_()), [1.0, None]),
        (typed([Decimal("1.25"), None], pa.decimal128(5, 2)), [1.25, None]),
        (typed([None, None], pa.null()), [None, None]),
        (typed(["3", ""], pa.string()), [3.0, None]),
        (typed(["3", ""], pa.string()).dictionary_encode(), [3.0, None]),
    ],
)
def test_numbers_of_any_type_are_numbers(given_: pa.ChunkedArray, expected: list[Any]) -> None:
    assert result(columns.number(given_)) == (expected, [False, False])


def test_text_is_trimmed_and_empty_text_is_none() -> None:
    given_ = raw(" NA ", "", "  ", "设备", b"\xff\xfe", None)
    assert result(columns.text(given_)) == (
        ["NA", None, None, "设备", None, None],
        [False, False, False, False, True, False],
    )


@pytest.mark.parametrize(
    ("given_", "expected"),
    [
        (typed([7, None], pa.int64()), ["7", None]),
        (typed([7.0, 7.25, None], pa.float64()), ["7", "7.25", None]),
        (typed([True], pa.bool_()), ["true"]),
        (typed(["a"], pa.large_string()), ["a"]),
    ],
)
def test_devices_may_be_numbers(given_: pa.ChunkedArray, expected: list[Any]) -> None:
    assert result(columns.text(given_))[0] == expected


def test_yes_and_no_are_told_from_anything_else() -> None:
    given_ = raw("1", "0", "", "True", "no", "2", "comp1", "1.0")
    assert result(columns.flag(given_)) == (
        [True, False, None, True, False, None, None, True],
        [False, False, False, False, False, True, True, False],
    )
    assert result(columns.flag(typed([1, 0, None], pa.int8())))[0] == [True, False, None]
    assert result(columns.flag(typed([1.0, 0.0], pa.float64())))[0] == [True, False]


def test_times_without_an_offset_are_of_the_given_zone() -> None:
    given_ = raw(
        "2026-05-01 14:00:00",
        "2026-05-01T12:00:00Z",
        "2026-05-01T14:00+02:00",
        "2026-05-01",
        "",
        "05/01/2026",
        "1969-01-01",
    )
    midnight = datetime(2026, 4, 30, 22, tzinfo=UTC)
    values, bad = result(columns.time(given_, None, ZONE))
    assert values == [NOON, NOON, NOON, midnight, None, None, None]
    assert bad == [False, False, False, False, False, True, True]


def test_the_doubled_hour_is_the_first_one() -> None:
    given_ = "2026-10-25 02:30:00"
    first = datetime(2026, 10, 25, 0, 30, tzinfo=UTC)
    assert result(columns.time(raw(given_), None, ZONE))[0] == [first]
    naive = typed([datetime(2026, 10, 25, 2, 30)], pa.timestamp("us"))  # noqa: DTZ001 - that is the case
    assert result(columns.time(naive, None, ZONE))[0] == [first]


@pytest.mark.parametrize(
    ("given_", "form"),
    [
        (raw("1777636800"), "epoch_s"),
        (raw("1777636800.0"), "epoch_s"),
        (raw("1777636800000"), "epoch_ms"),
        (typed([1777636800], pa.int64()), "epoch_s"),
        (typed([1777636800000], pa.int64()), "epoch_ms"),
        (raw("05/01/2026 02:00 PM"), "%m/%d/%Y %I:%M %p"),
        (raw("01.05.2026 14:00 +0200"), "%d.%m.%Y %H:%M %z"),
        (typed([NOON], pa.timestamp("us", tz="Asia/Tokyo")), None),
        (typed([NOON], pa.timestamp("ns", tz="UTC")), None),
        (typed([NOON], pa.timestamp("s", tz="UTC")), None),
    ],
)
def test_times_are_read_in_the_form_that_is_named(given_: pa.ChunkedArray, form: str | None) -> None:
    assert result(columns.time(given_, form, ZONE)) == ([NOON], [False])


def test_dates_are_midnight_of_the_zone() -> None:
    found = columns.time(typed([date(2026, 5, 1), None], pa.date32()), None, ZONE)
    assert result(found) == ([datetime(2026, 4, 30, 22, tzinfo=UTC), None], [False, False])


@pytest.mark.parametrize(
    ("value", "form"),
    [("1e30", "epoch_s"), ("-5", "epoch_s"), ("noon", "epoch_ms"), ("31.02.2026", "%d.%m.%Y"), ("", "%d")],
)
def test_a_time_that_is_none_is_trouble_unless_nothing_stands_there(value: str, form: str) -> None:
    assert result(columns.time(raw(value), form, ZONE)) == ([None], [value != ""])


@given(st.lists(st.floats(allow_nan=False, allow_infinity=False) | st.none(), max_size=20))
def test_any_number_written_as_text_is_read_back(numbers: list[float | None]) -> None:
    cells = [None if number is None else repr(number) for number in numbers]
    assert result(columns.number(raw(*cells))) == (numbers, [False] * len(numbers))


@given(st.lists(st.binary(max_size=12), max_size=12))
def test_any_bytes_are_read_or_told_apart(cells: list[bytes]) -> None:
    for found in (
        columns.text(raw(*cells)),
        columns.number(raw(*cells)),
        columns.flag(raw(*cells)),
        columns.time(raw(*cells), None, ZONE),
        columns.time(raw(*cells), "%Y", ZONE),
    ):
        assert len(found.values) == len(found.bad) == len(cells)
        assert not any(
            bad and value is not None for value, bad in zip(found.values.to_pylist(), found.bad, strict=True)
        )


@given(st.datetimes(datetime(1971, 1, 1), datetime(2200, 1, 1)), st.integers(-12, 14))  # noqa: DTZ001 - offsets follow
def test_any_iso_time_is_read_back(naive: datetime, hours: int) -> None:
    from datetime import timezone

    at = naive.replace(tzinfo=timezone(timedelta(hours=hours)))
    assert result(columns.time(raw(at.isoformat()), None, ZONE))[0] == [at.astimezone(UTC)]
