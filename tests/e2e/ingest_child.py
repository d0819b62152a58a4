"""An ingestor as a process of its own: ``python -m tests.e2e.ingest_child ADDRESS FOLDER``.

Tells its health as one JSON line every 0.1 s; SIGTERM ends it in good order.
"""

from __future__ import annotations

import json
import signal
import sys
import threading
from pathlib import Path

from hearthwatch.clock import SystemClock
from hearthwatch.records.database import open_database
from hearthwatch.telemetry import open_store
from ingest.runner import Limits
from tests.integration.ingestor import ingesting

LIMITS = Limits(batch_messages=500, batch_seconds=0.1, receive_maximum=1000)


def main(address: str, folder: Path) -> None:
    """Ingest until told to end."""
    stopping = threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: stopping.set())
    store = open_store(f"duckdb:///{folder / 'telemetry.duckdb'}")
    database = open_database(f"sqlite:///{folder / 'records.sqlite3'}")
    with ingesting(address, store, database, SystemClock(), limits=LIMITS, spoken=["native"]) as ingestor:
        while not stopping.wait(0.1):
            print(json.dumps(ingestor.runner.health()), flush=True)
    print(json.dumps(ingestor.runner.health()), flush=True)
    store.close()
    database.close()


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]))
