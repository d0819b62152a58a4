"""``make outage MINUTES=10 RATE=5000``: InfluxDB is killed, the ingestor is killed in the middle of it, and then InfluxDB comes back.

Everything is acknowledged meanwhile (it goes to the spool), the spool is emptied afterwards, nothing is missing, nothing is stored twice,
and the ingestor needs no more memory for it.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
import threading
import time
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from hearthwatch.run.bench import servers
from hearthwatch.telemetry import open_store
from ingest.spools import survey
from tests import influxdb_server
from tests.faults.ingest_child import Child, ledger_closes
from tests.faults.numbered import Load, check

MOST_MB = 300.0
BEFORE_S, LOOK_S = 5.0, 1.0
EMPTY_S = 3600.0


class Server:
    """An influxd that can be killed and started again."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir()
        self._folder = folder
        self._found, self._process = influxdb_server.start(folder)
        self.address = self._found.address("outage")

    def kill(self) -> None:
        """SIGKILL."""
        self._process.kill()
        self._process.wait()

    def start(self) -> None:
        """Start it again where it was."""
        port = int(self._found.url.rpartition(":")[2])
        self._found, self._process = influxdb_server.start(self._folder, port=port)

    def stop(self) -> None:
        """End it, if it runs."""
        if self._process.poll() is None:
            influxdb_server.stop(self._process)


class Watched:
    """The ingestor, started again after a kill, and the most memory any of its lives held."""

    def __init__(self, options: dict[str, Any], log: Path) -> None:
        self._options, self._log = options, log
        self.most_mb = 0.0
        self.child = Child(options, every_s=0.5, log=log)

    def look(self) -> None:
        """Note its memory."""
        self.most_mb = max(self.most_mb, self.child.most_memory_mb())

    def kill_and_start(self) -> None:
        """SIGKILL, and a new one."""
        self.look()
        self.child.kill()
        self.child = Child(self._options, every_s=0.5, log=self._log)

    def rest(self, seconds: float) -> None:
        """Look at it for so long."""
        until = time.monotonic() + seconds
        while (left := until - time.monotonic()) > 0:
            threading.Event().wait(min(LOOK_S, left))
            self.look()


def run(minutes: float, rate: float, folder: Path) -> dict[str, Any]:
    """The whole outage; returns what was found."""
    server = Server(folder / "influxd")
    data = folder / "data"
    with servers.mosquitto(folder / "broker") as broker:
        options = {"data_dir": str(data), "telemetry": server.address, "broker": broker.address}
        house = Watched({**options, "conventions": ["native"], "spool_after_s": 2}, folder / "ingestor.log")
        load = Load(broker.address)
        try:
            house.child.wait_for("it is connected", lambda said: bool(said["connected"]))
            load.start(rate)
            house.rest(BEFORE_S)
            server.kill()
            house.rest(minutes * 30)
            house.kill_and_start()
            house.rest(minutes * 30)
            spooled = sum(state.messages for state in survey(data).values())
            spool_mb = sum(state.bytes for state in survey(data).values()) / 1e6
            server.start()
            came_back = time.monotonic()
            house.rest(BEFORE_S)
            load.stop()
            house.child.wait_until_quiet(EMPTY_S)
            emptied_s = time.monotonic() - came_back
            house.look()
            code = house.child.end()
            store = open_store(server.address)
            found = check(store, load)
            store.close()
        finally:
            if house.child.alive:
                house.child.kill()
            load.close()
            server.stop()
    left = sum(state.messages for state in survey(data).values())
    closes = ledger_closes(house.child.said)
    return {
        "passed": found.missing == 0 == found.twice == left == code
        and closes
        and house.most_mb < MOST_MB
        and spooled > 0,
        "minutes": minutes,
        "rate": rate,
        **asdict(found),
        "ledger_closes": closes,
        "spooled_when_it_came_back": spooled,
        "spool_mb": round(spool_mb, 1),
        "left_in_the_spool": left,
        "emptied_s": round(emptied_s, 1),
        "most_rss_mb": round(house.most_mb, 1),
    }


def main(given: Sequence[str] | None = None) -> int:
    """Run; 0 when nothing was lost or stored twice and memory stayed below its bound, else 1."""
    parser = argparse.ArgumentParser(
        prog="make outage", description="InfluxDB is away, and the ingestor is killed meanwhile."
    )
    parser.add_argument("--minutes", type=float, default=10.0)
    parser.add_argument("--rate", type=float, default=5000.0, help="messages a second")
    arguments = parser.parse_args(given)
    with tempfile.TemporaryDirectory(prefix="hearthwatch-outage-") as folder:
        found = run(arguments.minutes, arguments.rate, Path(folder))
    print(json.dumps(found, indent=2))
    return 0 if found["passed"] else 1


if __name__ == "__main__":
    sys.exit(main())
