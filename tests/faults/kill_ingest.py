"""``make kill-ingest KILLS=50``: the ingestor is killed at random under load. Nothing missing, nothing twice, and it catches up.

A kill may fall between any two instructions: within a batch, within the commit, between commit and acknowledgement.
"""

from __future__ import annotations

import argparse
import json
import random
import statistics
import sys
import tempfile
import threading
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from hearthwatch.errors import Unavailable
from hearthwatch.run.bench import servers
from hearthwatch.telemetry import open_store
from tests.faults.ingest_child import Child, ledger_closes
from tests.faults.numbered import Load, check
from tests.faults.places import telemetry_store

CAUGHT_UP_S = 1.0
"""It has caught up when no message of the last tenth of a second waited longer than this."""
MOST_BEHIND_S = 5.0


@dataclass(frozen=True, slots=True)
class Life:
    """How soon a restarted ingestor was where the devices are. ``away_s``: from the kill until it was connected again."""

    away_s: float
    behind_s: float
    longest_lag_s: float


class _Watch:
    """Hears what the process says of its lags, and notes when it was connected and when it had caught up."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._longest = 0.0
        self._connected_at = self._caught_up_at = 0.0

    def hear(self, said: Mapping[str, Any]) -> None:
        """One line of the process."""
        now = time.monotonic()
        with self._changed:
            if said["connected"] and not self._connected_at:
                self._connected_at = now
            lag = said["lag_longest_s"]
            if lag is not None:
                self._longest = max(self._longest, lag)
                if lag < CAUGHT_UP_S and not self._caught_up_at:
                    self._caught_up_at = now
            self._changed.notify_all()

    def wait(self, seconds: float) -> None:
        """Until it has caught up."""
        with self._changed:
            if not self._changed.wait_for(lambda: self._caught_up_at > 0, seconds):
                raise Unavailable(f"the ingestor has not caught up in {seconds:g} s", where="kill-ingest")

    def life(self, killed_at: float) -> Life:
        """What became of this life, after the kill of the one before."""
        return Life(self._connected_at - killed_at, max(0.0, self._caught_up_at - self._connected_at), self._longest)


def run(arguments: argparse.Namespace, folder: Path) -> dict[str, Any]:
    """All kills; returns what was found."""
    chance = random.Random(arguments.seed)
    lives: list[Life] = []
    with (
        servers.mosquitto(folder / "broker") as broker,
        telemetry_store(arguments.store, folder / "store") as telemetry,
    ):
        options = {"data_dir": str(folder), "telemetry": telemetry, "broker": broker.address, "conventions": ["native"]}
        log = folder / "ingestor.log"
        child, load = Child(options, log=log), Load(broker.address, devices=50)
        try:
            child.wait_for("it is connected", lambda said: bool(said["connected"]))
            load.start(arguments.rate)
            child.wait_until_handled(1)
            for number in range(arguments.kills):
                threading.Event().wait(chance.uniform(0.0, 0.7))
                child.kill()
                killed_at = time.monotonic()
                watch = _Watch()
                child = Child(options, log=log, hear=watch.hear)
                watch.wait(arguments.patience)
                lives.append(watch.life(killed_at))
                if arguments.verbose and (number + 1) % 10 == 0:
                    print(f"  {number + 1} kills, {load.sent:,} messages", flush=True)
            load.stop()
            child.wait_until_quiet()
            code = child.end()
        finally:
            if child.alive:
                child.kill()
            load.close()
        store = open_store(telemetry)
        found = check(store, load)
        store.close()
    return {
        "passed": found.missing == 0 == found.twice == code and ledger_closes(child.said),
        "kills": arguments.kills,
        "store": arguments.store,
        **asdict(found),
        "ledger_closes": ledger_closes(child.said),
        "away_s": _spread([one.away_s for one in lives]),
        "behind_s": _spread([one.behind_s for one in lives]),
        "longest_lag_s": _spread([one.longest_lag_s for one in lives]),
        "behind_is_short": max(one.behind_s for one in lives) < MOST_BEHIND_S,
    }


def _spread(values: Sequence[float]) -> dict[str, float]:
    return {"median": round(statistics.median(values), 2), "most": round(max(values), 2)}


def options(given: Sequence[str] | None = None) -> argparse.Namespace:
    """What the command line asks for."""
    parser = argparse.ArgumentParser(
        prog="make kill-ingest", description="Kill the ingestor again and again under load."
    )
    parser.add_argument("--kills", type=int, default=50)
    parser.add_argument("--rate", type=float, default=2000.0, help="messages a second")
    parser.add_argument("--store", choices=["duckdb", "influxdb"], default="duckdb")
    parser.add_argument("--seed", type=int, default=4)
    parser.add_argument("--patience", type=float, default=120.0, help="seconds for a restarted one to catch up")
    parser.add_argument("--verbose", action="store_true")
    return parser.parse_args(given)


def main(given: Sequence[str] | None = None) -> int:
    """Run; 0 when nothing was lost or stored twice and it was soon back, else 1."""
    arguments = options(given)
    arguments.verbose = True
    with tempfile.TemporaryDirectory(prefix="hearthwatch-kills-") as folder:
        answer = run(arguments, Path(folder))
    print(json.dumps(answer, indent=2))
    return 0 if answer["passed"] and answer["behind_is_short"] else 1


if __name__ == "__main__":
    sys.exit(main())
