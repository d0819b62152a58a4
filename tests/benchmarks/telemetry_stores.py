"""Both telemetry stores side by side: ``python -m tests.benchmarks.telemetry_stores [part ...] [--scale 0.1]``.

Prints seconds of wall time, what influxd took of the processors, and the ratio InfluxDB / DuckDB of the same run. Asserts nothing.

- write     readings of 5 metrics through `write` (batches of 2,000) and `write_table`, rows a second
- window    a device's day at one reading a minute and 5 metrics, p50 of 40 questions
- rollup    10,000 devices x 24 h x 4 metrics, with 1 and with 12 readings an hour (``--scale`` takes fewer devices)
- story     560 devices, 28 days in steps of 4 h, a reading every 30 min with 6 metrics, a reboot every 5 days: all writes, the rollup of
            each step, then the questions of the analytics
- series    100,000 devices x 2 streams, one reading each: influxd's memory and disk for each series
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from hearthwatch.ports import TelemetryStore
from hearthwatch.telemetry import open_store
from hearthwatch.values import Event, Reading
from tests.influxdb_server import Influxd, start, stop

START = datetime(2026, 5, 1, tzinfo=UTC)
HOUR, DAY = timedelta(hours=1), timedelta(days=1)
METRICS = ("temperature_c", "rssi_dbm", "battery_pct", "power_w", "load_ratio", "free_heap_bytes")
ALL = ("write", "window", "rollup", "story", "series")


class Stores:
    """An empty store of each kind."""

    def __init__(self, server: Influxd, folder: Path) -> None:
        self._server = server
        self._folder = folder
        self._count = 0

    @contextmanager
    def opened(self) -> Iterator[dict[str, TelemetryStore]]:
        """Both, opened."""
        self._count += 1
        duckdb = open_store(f"duckdb:///{self._folder / f'{self._count}.duckdb'}")
        influxdb = open_store(self._server.address())
        try:
            yield {"duckdb": duckdb, "influxdb": influxdb}
        finally:
            duckdb.close()
            influxdb.close()

    def processor_s(self) -> float:
        """What influxd took of the processors until now."""
        parts = Path(f"/proc/{self._server.pid}/stat").read_text().rsplit(")", 1)[1].split()
        return (int(parts[11]) + int(parts[12])) / 100

    def memory_mb(self) -> float:
        """What influxd holds in memory."""
        return int(Path(f"/proc/{self._server.pid}/statm").read_text().split()[1]) * 4096 / 1e6


def compared(stores: Stores, name: str, both: dict[str, TelemetryStore], work: Callable[[TelemetryStore], Any]) -> None:
    """Measure one piece of work on each store."""
    seconds = {}
    for kind, store in both.items():
        before, began = stores.processor_s(), time.perf_counter()
        answer = work(store)
        seconds[kind] = time.perf_counter() - began
        server = f", influxd {stores.processor_s() - before:.2f} s of processor" if kind == "influxdb" else ""
        print(f"  {name:<44} {kind:<9} {seconds[kind]:9.3f} s{server}  {_said(answer)}", flush=True)
    print(f"  {name:<44} ratio     {seconds['influxdb'] / seconds['duckdb']:9.1f}")


def _said(answer: Any) -> str:
    if isinstance(answer, pa.Table):
        return f"{answer.num_rows} rows"
    return "" if answer is None else str(answer)


def table(devices: int, at: Sequence[int], metrics: Sequence[str], seed: int) -> pa.Table:
    """Readings of all devices at these microseconds."""
    random = np.random.default_rng(seed)
    rows = devices * len(at)
    names = pa.array([f"device-{n:06d}" for n in range(devices)]).take(pa.array(np.tile(np.arange(devices), len(at))))
    times = pa.array(np.repeat(np.asarray(at, np.int64), devices) + np.tile(np.arange(devices), len(at)) * 1000)
    columns = {name: np.round(random.normal(40, 5, rows), 2) for name in metrics}
    firmware = pa.array(["2.4.1"]).take(pa.array(np.zeros(rows, np.int64)))
    return pa.table({"device": names, "at": times.cast(pa.timestamp("us", tz="UTC")), "firmware": firmware, **columns})


def microseconds(at: datetime) -> int:
    """Since 1970."""
    return int(at.timestamp()) * 1_000_000


def values(rows: pa.Table) -> list[Reading]:
    """A table as readings."""
    return [
        Reading(row.pop("device"), "native", row.pop("at"), row, firmware=row.pop("firmware"))
        for row in rows.to_pylist()
    ]


def measure_write(stores: Stores, scale: float) -> None:
    """Rows a second of both ways to write."""
    at = [microseconds(START + n * timedelta(minutes=1)) for n in range(60)]
    rows = table(int(1000 * scale), at, METRICS[:5], 1)
    readings = values(rows)

    def by_batch(store: TelemetryStore) -> str:
        began = time.perf_counter()
        for first in range(0, len(readings), 2000):
            store.write(readings[first : first + 2000])
        return f"{len(readings) / (time.perf_counter() - began):,.0f} rows/s"

    with stores.opened() as both:
        compared(stores, f"write {len(readings)} readings", both, by_batch)
        compared(stores, "the same again (all duplicates)", both, by_batch)
    with stores.opened() as both:
        compared(stores, f"write_table of {len(rows)}", both, lambda store: store.write_table("native", rows))


def measure_window(stores: Stores, scale: float) -> None:
    """A device's day."""
    at = [microseconds(START + n * timedelta(minutes=1)) for n in range(1440)]
    devices = int(100 * scale)
    with stores.opened() as both:
        for store in both.values():
            store.write_table("native", table(devices, at, METRICS[:5], 2))
        for name, store in both.items():
            taken = []
            for n in range(40):
                began = time.perf_counter()
                rows = store.window(f"device-{n % devices:06d}", START, START + DAY).num_rows
                taken.append((time.perf_counter() - began) * 1000)
            p50, p95 = statistics.median(taken), sorted(taken)[37]
            print(f"  window of a day ({rows} values)  {name:<9} p50 {p50:.1f} ms, p95 {p95:.1f} ms", flush=True)


def measure_rollup(stores: Stores, scale: float) -> None:
    """The hourly rollup of many devices."""
    for per_hour in (1, 12):
        devices = int(10_000 * scale)
        with stores.opened() as both:
            for hour in range(24):
                at = [microseconds(START + hour * HOUR + n * HOUR / per_hour) for n in range(per_hour)]
                rows = table(devices, at, METRICS[:4], hour)
                for store in both.values():
                    store.write_table("native", rows)
            name = f"rollup {devices} devices x 24 h x {per_hour}/h"
            compared(stores, name, both, lambda store: store.rollup(START + DAY))
            compared(stores, "a second one (nothing new)", both, lambda store: store.rollup(START + DAY))


def measure_story(stores: Stores, scale: float) -> None:
    """What the demo asks of a store."""
    devices, steps = 560, int(28 * 6 * scale)
    end = START + steps * 4 * HOUR

    def live(store: TelemetryStore) -> str:
        random = np.random.default_rng(4)
        written = rolled = 0.0
        for step in range(steps):
            since = START + step * 4 * HOUR
            at = [microseconds(since + n * timedelta(minutes=30)) for n in range(8)]
            batch: list[Reading | Event] = [*values(table(devices, at, METRICS, step))]
            batch += [
                Event(f"device-{number:06d}", "native", since + HOUR, "reboot", "watchdog", firmware="2.4.1")
                for number in np.flatnonzero(random.random(devices) < 1 / 30)
            ]
            began = time.perf_counter()
            for first in range(0, len(batch), 2000):
                store.write(batch[first : first + 2000])
            between = time.perf_counter()
            store.rollup(since + 4 * HOUR)
            written += between - began
            rolled += time.perf_counter() - between
        return f"write {written:.1f} s, rollups {rolled:.1f} s"

    some = [f"device-{number:06d}" for number in range(400)]
    questions: dict[str, Callable[[TelemetryStore], Any]] = {
        "daily, all": lambda store: store.daily(START, end),
        "daily, 4 metrics": lambda store: store.daily(START, end, metrics=METRICS[:4]),
        "daily, last 2 days": lambda store: store.daily(end - 2 * DAY, end),
        "exposure, all": lambda store: store.exposure(START, end),
        "exposure, 400 devices": lambda store: store.exposure(START, end, devices=some),
        "events, all": lambda store: store.events(START, end, kinds=["reboot"]),
        "events, 400 devices": lambda store: store.events(START, end, devices=some, kinds=["reboot"]),
        "hourly, one metric, 400 devices": lambda store: store.hourly(START, end, devices=some, metrics=METRICS[:1]),
        "latest, 50 devices": lambda store: len(store.latest(some[:50])),
    }
    with stores.opened() as both:
        compared(stores, f"{devices} devices, {steps} steps of 4 h", both, live)
        for name, question in questions.items():
            compared(stores, name, both, question)


def measure_series(stores: Stores, scale: float) -> None:
    """What a series costs the server."""
    devices = int(100_000 * scale)
    rows = table(devices, [microseconds(START)], METRICS[:5], 3)
    with stores.opened() as both:
        store = both["influxdb"]
        before = stores.memory_mb()
        began = time.perf_counter()
        for stream in ("native", "tasmota/STATE"):
            store.write_table(stream, rows)
        print(
            f"  {2 * devices} series in {time.perf_counter() - began:.1f} s: influxd {before:.0f} -> {stores.memory_mb():.0f} MB"
        )
        began = time.perf_counter()
        print(
            f"  rollup {store.rollup(START + HOUR)} rows in {time.perf_counter() - began:.1f} s: {stores.memory_mb():.0f} MB"
        )


def main() -> None:
    """Measure the parts named on the command line."""
    parser = argparse.ArgumentParser()
    parser.add_argument("parts", nargs="*", default=ALL)
    parser.add_argument("--scale", type=float, default=1.0)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        server, process = start(Path(folder))
        stores = Stores(server, Path(folder))
        try:
            for part in given.parts:
                print(f"{part}:")
                globals()[f"measure_{part}"](stores, given.scale)
            disk = sum(path.stat().st_size for path in (Path(folder) / "engine").rglob("*") if path.is_file())
            print(f"influxd at the end: {stores.memory_mb():.0f} MB of memory, {disk / 1e6:.0f} MB of disk")
        finally:
            stop(process)


if __name__ == "__main__":
    main()
