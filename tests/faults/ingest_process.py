"""The ingestor as a process of its own: ``python -m tests.faults.ingest_process EVERY_S OPTIONS``, where OPTIONS are settings as JSON.

It says how it is as one JSON line every so many seconds; SIGTERM ends it in good order. It is put together as ``hearthwatch up`` does it,
but without the jobs and the pages, which have memory and files of their own.
"""

from __future__ import annotations

import json
import signal
import statistics
import sys
import threading
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from hearthwatch.clock import SystemClock
from hearthwatch.ports import TelemetryStore
from hearthwatch.run.assembly import build_runner, open_platform
from hearthwatch.settings import load_settings
from hearthwatch.values import Event, Presence, Reading, WriteResult


class Lags:
    """How long after its own time the oldest value of each batch was durable, since it was last asked."""

    def __init__(self, store: TelemetryStore) -> None:
        self._seconds: list[float] = []
        self._turn = threading.Lock()
        self._write = store.write
        store.write = self.write  # type: ignore[method-assign]

    def write(self, values: Sequence[Reading | Event | Presence]) -> WriteResult:
        """As the store."""
        result = self._write(values)
        seconds = (datetime.now(UTC) - min(value.at for value in values)).total_seconds()
        with self._turn:
            self._seconds.append(seconds)
        return result

    def told(self) -> dict[str, float | None]:
        """Median and longest; None where nothing was stored."""
        with self._turn:
            seconds, self._seconds = self._seconds, []
        if not seconds:
            return {"lag_median_s": None, "lag_longest_s": None}
        return {"lag_median_s": statistics.median(seconds), "lag_longest_s": max(seconds)}


def held_by_the_store(store: Any) -> float | None:
    """Megabytes that DuckDB holds of its file in memory, which its own limit bounds; None for a store on a server."""
    if not hasattr(store, "_file"):
        return None
    with store._file.reading() as cursor:
        (held,) = cursor.execute("SELECT sum(memory_usage_bytes) FROM duckdb_memory()").fetchone()
    return round(float(held) / 2**20, 2)


def main(every_s: float, options: Mapping[str, Any]) -> None:
    """Ingest until told to end."""
    stopping = threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: stopping.set())
    platform = open_platform(load_settings(**options), SystemClock())
    lags = Lags(platform.store)
    runner = build_runner(platform)
    runner.start()

    def say() -> None:
        told = {**runner.health(), **lags.told(), "store_mb": held_by_the_store(platform.store)}
        print(json.dumps(told), flush=True)

    while not stopping.wait(every_s):
        say()
    runner.stop()
    say()
    platform.close()


if __name__ == "__main__":
    main(float(sys.argv[1]), json.loads(sys.argv[2]))
