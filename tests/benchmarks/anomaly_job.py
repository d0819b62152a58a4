"""What the daily search for anomalies costs, hours and all: `python -m tests.benchmarks.anomaly_job [DEVICES] [DAYS]`.

Simulated devices that report eight gauges every hour, written into an embedded store; the job is run every morning. Prints CPU seconds of
this process for the job, of which reading the rollups, and the size of what is remembered; one JSON line. Asserts nothing.
"""

from __future__ import annotations

import json
import sys
import tempfile
import time
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any, cast

import numpy as np
import pyarrow as pa

from analytics.anomaly import find_anomalies
from analytics.anomaly.job import HOURS_NAME, NAME
from hearthwatch.ports import TelemetryStore
from hearthwatch.records import analysis_states, devices
from hearthwatch.records.database import open_database
from hearthwatch.telemetry import open_store
from tests.unit.analytics.fleets import MODEL, START, morning_after, names

METRICS = (
    "temperature_c",
    "rssi_dbm",
    "free_heap_bytes",
    "device_temperature_c",
    "supply_v",
    "load_average",
    "humidity_pct",
    "voltage_v",
)


class Timed:
    """A store whose hourly readings are timed, in CPU seconds."""

    def __init__(self, store: TelemetryStore) -> None:
        self._store = store
        self.seconds = 0.0

    def __getattr__(self, name: str) -> Any:
        return getattr(self._store, name)

    def hourly(self, since: datetime, until: datetime, **chosen: Any) -> pa.Table:
        """As the port's."""
        began = time.process_time()
        table = self._store.hourly(since, until, **chosen)
        self.seconds += time.process_time() - began
        return table


def day_of(rng: np.random.Generator, own: np.ndarray, day: int) -> np.ndarray:
    """A day of values, (24, devices, metrics): a course through the day, a load that moves all, noise."""
    hours = np.arange(24)[:, None, None]
    load = np.abs(rng.normal(size=(24, len(own), 1)))
    return own + np.sin(2 * np.pi * hours / 24) + 0.5 * load + rng.normal(size=(24, len(own), len(METRICS)))


def write(store: TelemetryStore, values: np.ndarray, day: int, ids: Sequence[str]) -> None:
    """One reading per device and hour."""
    at = [START + timedelta(days=day, hours=hour, minutes=30) for hour in range(24)]
    table = {
        "device": pa.array([name for _ in at for name in ids]),
        "at": pa.array([moment for moment in at for _ in ids], pa.timestamp("us", "UTC")),
        "firmware": pa.array(["1.0.0"] * (24 * len(ids))),
    }
    columns = {name: values[:, :, place].reshape(-1) for place, name in enumerate(METRICS)}
    store.write_table("native", pa.table({**table, **columns}))
    store.rollup(START + timedelta(days=day + 1))


def main(count: int, days: int) -> None:
    """Write and work day by day."""
    with tempfile.TemporaryDirectory() as folder:
        measure(count, days, folder)


def measure(count: int, days: int, folder: str) -> None:
    """As told at the top, with the store in a folder."""
    rng, ids = np.random.default_rng(0), names(count)
    own = rng.normal(0, 5, (count, len(METRICS))) + 50
    store, database = Timed(open_store(f"duckdb:///{folder}/telemetry.duckdb")), open_database("sqlite://")
    database.upgrade()
    with database.transaction() as connection:
        devices.register(connection, [{"id": name, "model": MODEL} for name in ids])
    spent, slowest, alarms = 0.0, 0.0, 0
    for day in range(days):
        write(cast(TelemetryStore, store), day_of(rng, own, day), day, ids)
        began = time.process_time()
        answer = find_anomalies(
            cast(TelemetryStore, store), database, morning_after(day), rate=0.5, relapse=timedelta(days=7)
        )
        took = time.process_time() - began
        spent, slowest, alarms = spent + took, max(slowest, took), alarms + answer["raised"]
    with database.reading() as connection:
        sizes = {name: len(json.dumps(analysis_states.load(connection, name))) for name in (NAME, HOURS_NAME)}
    print(
        json.dumps(
            {
                "devices": count,
                "metrics": len(METRICS),
                "days": days,
                "job_cpu_seconds": round(spent, 1),
                "of_which_reading_hours": round(store.seconds, 1),
                "slowest_day_cpu_seconds": round(slowest, 2),
                "kilobytes_per_device": {name: round(size / count / 1000, 2) for name, size in sizes.items()},
                "alarms": alarms,
                "alarms_declared": 0.5 * count * days / 1000,
            }
        )
    )


if __name__ == "__main__":
    main(*(int(given) for given in (sys.argv[1:] + ["2000", "30"][len(sys.argv) - 1 :])))
