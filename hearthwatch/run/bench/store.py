"""``hearthwatch bench store``: what the embedded store makes of months of readings, beside what its engine does at its barest.

Readings come day by day, as in operation: written, and once a day is over sorted by the nightly job. Then all of it is rolled up at
once. The references are DuckDB itself on the same rows: a Parquet file for the size and the window, a plain GROUP BY for the rollup.
"""

from __future__ import annotations

import shutil
import statistics
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from hearthwatch.telemetry import open_store
from hearthwatch.telemetry.duckdb import DuckDBStore
from hearthwatch.telemetry.duckdb_schema import wide
from hearthwatch.values import Reading

START = datetime(2026, 5, 1, tzinfo=UTC)
DAY = timedelta(days=1)
MINUTES = 24 * 60
METRICS = ("temperature_c", "rssi_dbm", "power_w", "free_heap_bytes", "uptime_s")
QUESTIONS = 40
BATCH = 2000
"""Readings of one write of the ingestor."""


@dataclass(frozen=True, slots=True)
class Options:
    """What the command line asked for."""

    devices: int = 1000
    days: int = 14


def run_store(options: Options, say: Callable[[str], None]) -> dict[str, Any]:
    """Fill a store in a temporary folder and measure it. Needs about 6 bytes of disk for each reading."""
    began = time.perf_counter()
    folder = Path(tempfile.mkdtemp(prefix="hearthwatch-bench-"))
    try:
        path = folder / "telemetry.duckdb"
        filled = _fill(path, options, say)
        rolled = _rollup(path, say)
        asked = _windows(path, folder, options, say)
        size = _size(path, folder, options, say)
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    readings = options.devices * options.days * MINUTES * len(METRICS)
    return {
        "readings": readings,
        **size,
        **asked,
        **rolled,
        **filled,
        "reference": "DuckDB on the same rows: Parquet (zstd), GROUP BY",
        "seconds": round(time.perf_counter() - began, 1),
    }


def day_of_readings(options: Options, day: int) -> pa.Table:
    """A reading a minute of each device: numbers with as many digits as such devices give."""
    chance = np.random.default_rng(day)
    rows = options.devices * MINUTES
    minute = np.repeat(np.arange(MINUTES), options.devices)
    device = np.tile(np.arange(options.devices), MINUTES)
    began = int((START + day * DAY).timestamp()) * 1_000_000
    at = began + minute * 60_000_000 + device * 37_000
    columns = (
        np.round(40 + device % 17 + 3 * np.sin(minute / 229) + chance.normal(0, 0.3, rows), 1),
        np.round(-60 + chance.normal(0, 2, rows)),
        np.round(np.abs(chance.normal(5, 2, rows)), 1),
        np.round(180_000 + chance.normal(0, 300, rows) / 16) * 16,
        minute * 60.0 + day * 86_400,
    )
    names = pa.array([_device(number) for number in range(options.devices)])
    return pa.table(
        {
            "device": names.take(pa.array(device)),
            "at": pa.array(at).cast(pa.timestamp("us", tz="UTC")),
            "firmware": pa.array(["2.4.1"]).take(pa.array(np.zeros(rows, np.int64))),
            **dict(zip(METRICS, columns, strict=True)),
        }
    )


def _device(number: int) -> str:
    return f"dev-{number:05d}"


def _fill(path: Path, options: Options, say: Callable[[str], None]) -> dict[str, Any]:
    store = _opened(path)
    writing = sorting = 0.0
    for day in range(options.days):
        rows = day_of_readings(options, day)
        began = time.perf_counter()
        store.write_table("native", rows)
        written = time.perf_counter()
        store.expire(raw_before=START, rollups_before=START)  # sorts what is over
        writing, sorting = writing + written - began, sorting + time.perf_counter() - written
        say(f"  day {day + 1} of {options.days}: {len(rows):,} rows")
    values = [
        Reading(_device(number % options.devices), "native", _later(options, number), _one(number), "2.4.1")
        for number in range(10 * BATCH)
    ]
    began = time.perf_counter()
    for first in range(0, len(values), BATCH):
        store.write(values[first : first + BATCH])
    seconds = time.perf_counter() - began
    store.close()
    rows_written = options.devices * MINUTES * options.days
    return {
        "write_rows_per_s": round(len(values) / seconds),
        "write_table_rows_per_s": round(rows_written / writing),
        "sort_rows_per_s": round(rows_written / sorting),
    }


def _later(options: Options, number: int) -> datetime:
    """After everything else."""
    return START + options.days * DAY + timedelta(milliseconds=number)


def _one(number: int) -> dict[str, float]:
    return dict(zip(METRICS, (40.1 + number % 10, -61.0, 5.2, 180_016.0, float(number)), strict=True))


def _rollup(path: Path, say: Callable[[str], None]) -> dict[str, Any]:
    """All hours at once, and beside it the same groups by the engine alone, which keeps nothing."""
    grouped = ", ".join(f"count({m}), avg({m}), min({m}), max({m}), arg_max({m}, stamp)" for m in _columns())
    plain = f"SELECT device, firmware, hour, {grouped} FROM {wide(1)} GROUP BY device, firmware, hour"
    store = _opened(path)
    with store.file.reading() as engine:
        began = time.perf_counter()
        engine.execute(f"CREATE TEMP TABLE grouped AS {plain}")
        reference = time.perf_counter() - began
    began = time.perf_counter()
    rows = store.rollup(START + 365 * DAY)
    seconds = time.perf_counter() - began
    store.close()
    say(f"  rollup: {seconds:.2f} s, {rows:,} rows; GROUP BY alone {reference:.2f} s")
    return {
        "rollup_s": round(seconds, 2),
        "rollup_rows": rows,
        "group_by_s": round(reference, 2),
        "rollup_ratio": round(seconds / reference, 2),
    }


def _windows(path: Path, folder: Path, options: Options, say: Callable[[str], None]) -> dict[str, Any]:
    """A device's day, of days that are sorted and of the newest, which is not; and from Parquet files of a day."""
    store = _opened(path)
    chance = np.random.default_rng(1)
    sorted_days = max(1, options.days - 2)

    def ask(day: int) -> float:
        device, since = _device(int(chance.integers(options.devices))), START + day * DAY
        began = time.perf_counter()
        answer = store.window(device, since, since + DAY)
        seconds = time.perf_counter() - began
        assert len(answer) == MINUTES * len(METRICS), len(answer)
        return seconds

    old = [ask(int(chance.integers(sorted_days))) for _ in range(QUESTIONS)]
    newest = [ask(options.days - 1) for _ in range(QUESTIONS)]
    file = folder / "day.parquet"
    with store.file.reading() as cursor:
        within = f"hour BETWEEN {int(START.timestamp()) // 3600} AND {int(START.timestamp()) // 3600 + 23}"
        cursor.execute(
            f"COPY (SELECT device, stamp, firmware, {', '.join(_columns())} FROM {wide(1)} WHERE {within} ORDER BY device, stamp) "
            f"TO '{file}' (FORMAT parquet, COMPRESSION zstd)"
        )
        parquet = []
        for _ in range(QUESTIONS):
            began = time.perf_counter()
            cursor.sql(
                f"SELECT * FROM '{file}' WHERE device = {chance.integers(1, options.devices + 1)}"
            ).to_arrow_table()
            parquet.append(time.perf_counter() - began)
    store.close()
    found = {
        "window_ms": _milliseconds(old),
        "window_newest_day_ms": _milliseconds(newest),
        "parquet_window_ms": _milliseconds(parquet),
    }
    say(f"  window: {found}")
    return {**found, "window_ratio": round(found["window_ms"] / found["parquet_window_ms"], 2)}


def _size(path: Path, folder: Path, options: Options, say: Callable[[str], None]) -> dict[str, Any]:
    """Bytes a reading: blocks in use (rollups too), the file with its free blocks, and a sorted Parquet file of the first day."""
    store = _opened(path)
    with store.file.reading() as engine:
        (block, used) = engine.sql("SELECT block_size, used_blocks FROM pragma_database_size()").fetchall()[0]
        raw = engine.sql(
            f"SELECT count(DISTINCT block_id) FROM pragma_storage_info('{wide(1)}') WHERE block_id >= 0"
        ).fetchall()[0][0]
    store.close()
    a_day = options.devices * MINUTES * len(METRICS)
    readings = a_day * options.days
    parquet = (folder / "day.parquet").stat().st_size / a_day
    found = {
        "bytes_per_reading": round(used * block / readings, 2),
        "raw_bytes_per_reading": round(raw * block / readings, 2),
        "file_bytes_per_reading": round(path.stat().st_size / readings, 2),
        "parquet_bytes_per_reading": round(parquet, 2),
    }
    say(f"  size: {found}")
    return {**found, "size_ratio": round(found["bytes_per_reading"] / parquet, 2)}


def _opened(path: Path) -> DuckDBStore:
    store = open_store(f"duckdb:///{path}")
    assert isinstance(store, DuckDBStore)
    return store


def _columns() -> list[str]:
    return [f"m_{name}" for name in METRICS]


def _milliseconds(seconds: list[float]) -> float:
    return round(statistics.median(seconds) * 1000, 1)
