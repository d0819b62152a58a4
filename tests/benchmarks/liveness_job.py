"""How long the liveness job takes for a fleet in which every device was heard since the last look: processor seconds of each of five looks.

``python -m tests.benchmarks.liveness_job 10000``
"""

from __future__ import annotations

import sys
import tempfile
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

from analytics.liveness import watch_liveness
from hearthwatch.records import devices
from hearthwatch.records.database import open_database
from hearthwatch.records.devices import Sighting
from hearthwatch.telemetry import open_store

START = datetime(2026, 5, 1, tzinfo=UTC)
LOOKS = 5


def measure(count: int, folder: Path) -> list[float]:
    """Processor seconds of each look at so many devices, records in a SQLite file."""
    database, store = open_database(f"sqlite:///{folder / 'records.sqlite3'}"), open_store("duckdb://")
    database.upgrade()
    names = [f"d{number:06d}" for number in range(count)]
    with database.transaction() as connection:
        devices.register(connection, [{"id": name, "region": f"r{place % 7}"} for place, name in enumerate(names)])
    spent = []
    for look in range(1, LOOKS + 1):
        now = START + timedelta(minutes=look)
        with database.transaction() as connection:
            devices.see(connection, [Sighting(name, now) for name in names])
        began = time.process_time()
        watch_liveness(store, database, now)
        spent.append(round(time.process_time() - began, 2))
    store.close()
    database.close()
    return spent


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as place:
        sys.stdout.write(f"{measure(int(sys.argv[1]), Path(place))}\n")
