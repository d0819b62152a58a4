"""What it costs ingest to notice late days and to write them down: processor time of that, and of all else, for each message, over `local://`.

``python tests/benchmarks/late_days.py [--messages 20000] [--rounds 3]``; DuckDB and SQLite in files, 1,000 devices, one sample a message.
``in time``: nothing is late, as ever. ``late``: every message is of yesterday, as when a store comes back after a day. All else holds the
publisher's work and the broker's inside the process, too.
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
import time
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from hearthwatch.clock import SteppedClock
from hearthwatch.records import late_days
from hearthwatch.records.database import open_database
from hearthwatch.telemetry import open_store
from ingest import lateness
from tests.late_fleet import LateFleet

DEVICES = 1000
NOON = datetime(2026, 5, 2, 12, tzinfo=UTC)


class Spent:
    """Processor seconds in some functions."""

    def __init__(self) -> None:
        self.seconds = 0.0

    def timed(self, work: Callable[..., Any]) -> Callable[..., Any]:
        """The function, timed."""

        def measured(*given: Any) -> Any:
            began = time.thread_time()
            answer = work(*given)
            self.seconds += time.thread_time() - began
            return answer

        return measured


def _microseconds(messages: int, ago: timedelta) -> float:
    with tempfile.TemporaryDirectory() as folder:
        database = open_database(f"sqlite:///{Path(folder) / 'records.sqlite3'}")
        database.upgrade()
        store = open_store(f"duckdb:///{Path(folder) / 'telemetry.duckdb'}")
        fleet = LateFleet(store, database, SteppedClock(NOON))
        for number in range(DEVICES):  # they are known before it counts
            fleet.tell(f"d-{number}", NOON - timedelta(minutes=1), {"temperature_c": 20.0})
        fleet.deliver()
        began = time.process_time()
        for number in range(messages):
            at = NOON - ago + timedelta(seconds=number // DEVICES)
            fleet.tell(f"d-{number % DEVICES}", at, {"temperature_c": 20.0 + number % 7, "humidity_pct": 40.0})
        fleet.deliver()
        spent = time.process_time() - began
        fleet.close()
        store.close()
        database.close()
    return spent / messages * 1e6


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--messages", type=int, default=20_000)
    parser.add_argument("--rounds", type=int, default=5)
    options = parser.parse_args(arguments)
    spent = Spent()
    lateness.Lateness.news = spent.timed(lateness.Lateness.news)  # type: ignore[method-assign]
    late_days.mark = spent.timed(late_days.mark)
    for name, ago in (("in time", timedelta(0)), ("late", timedelta(days=1))):
        rounds = []
        for _ in range(options.rounds):
            spent.seconds = 0.0
            whole = _microseconds(options.messages, ago)
            rounds.append((spent.seconds / options.messages * 1e6, whole))
        own, whole = (statistics.median(column) for column in zip(*rounds, strict=True))
        print(f"{name}: {own:.2f} us of {whole:.1f} us a message, {own / whole:.1%}")


if __name__ == "__main__":
    main()
