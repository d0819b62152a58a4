"""What the records cost on SQLite and on PostgreSQL, turn by turn on the same machine. Prints times and ratios, asserts nothing.

    python -m tests.benchmarks.records_databases [TURNS]

For each step the best time of some turns, and the processor time, of the server too. SQLite is a file that waits for the disk; PostgreSQL
is the tests' server, which does not (``fsync=off``): compare the work, not the disks. On a busy machine only processor times mean
something: a statement for PostgreSQL gives the processor away twice.
"""

from __future__ import annotations

import os
import sys
import tempfile
import time
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

from hearthwatch.clock import SteppedClock
from hearthwatch.records import analysis_states, devices, findings, prognoses
from hearthwatch.records.database import Database, open_database
from hearthwatch.records.devices import Sighting
from hearthwatch.records.prognoses import Prognosis
from hearthwatch.values import Observation
from tests.conftest import START
from tests.postgresql_server import TEMPLATE, PostgresServer, running_server
from tests.unit.alerts.world import NOON, RELAPSE, World

DEVICES = [f"d-{number:05}" for number in range(2000)]
STATES = {f"d-{number:05}": {"sums": [1.5] * 20} for number in range(10_000)}
HOMES = 60


def see(database: Database, turn: int) -> None:
    """The record step of an ingest batch: 2,000 sightings."""
    at = START + timedelta(minutes=turn)
    with database.transaction(alone=False) as connection:
        devices.see(connection, [Sighting(one, at, "1.2.3", "boot", "native", True) for one in DEVICES])


def save_states(database: Database, _turn: int) -> None:
    """10,000 rows written over those of the same key."""
    with database.transaction(alone=False) as connection:
        analysis_states.save(connection, "benchmark", STATES, START)


def put_prognoses(database: Database, _turn: int) -> None:
    """2,000 prognoses."""
    rows = [Prognosis(one, "battery", START, None, 0.1, 0.2, 0.3, None, []) for one in DEVICES]
    with database.transaction(alone=False) as connection:
        prognoses.put(connection, rows)


def find(database: Database, _turn: int) -> None:
    """2,000 devices read."""
    with database.reading() as connection:
        devices.find(connection, DEVICES)


def observe(database: Database, turn: int) -> None:
    """200 observations, one by one in one transaction."""
    at = START + timedelta(minutes=turn)
    with database.transaction(alone=False) as connection:
        for one in DEVICES[:200]:
            seen = Observation("incident", "device", one, "crowd", "info", at, {"metrics": []})
            findings.observe(connection, seen, relapse=RELAPSE)


def requests(database: Database, _turn: int) -> None:
    """100 small requests, each in a transaction of its own."""
    for one in DEVICES[:100]:
        with database.reading() as connection:
            devices.get(connection, one)


def policy_round(database: Database, turn: int) -> float:
    """A round with 60 new tickets and notices; only the round's own time counts, but the processor time of making its homes too."""
    world = World(database, SteppedClock(NOON + timedelta(days=turn)))
    first = 1 + turn * HOMES
    for number in range(first, first + HOMES):
        world.home(number, devices_=(f"lock-{number}",))
        world.stand(f"lock-{number}")
    world.policy(per_round=f"per_round = {1000 + turn}")
    began = time.perf_counter()
    done = world.apply()
    assert done == {"tickets": HOMES, "queued": HOMES}, done
    return time.perf_counter() - began


STEPS: tuple[Callable[[Database, int], float | None], ...] = (
    see,
    save_states,
    put_prognoses,
    find,
    observe,
    requests,
    policy_round,
)


def processor_seconds(server: PostgresServer) -> float:
    """Processor time so far, of this process and of the server's."""
    assert server.process is not None
    family = str(server.process.pid)
    ticks = 0
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = stat.read_text().rpartition(")")[2].split()
        except OSError:  # it has ended
            continue
        if fields[1] == family or stat.parent.name == family:
            ticks += int(fields[11]) + int(fields[12])
    return time.process_time() + ticks / os.sysconf("SC_CLK_TCK")


def main() -> None:
    turns = int(sys.argv[1]) if len(sys.argv) > 1 else 5
    best: dict[str, list[float]] = {}
    with tempfile.TemporaryDirectory() as folder, running_server() as server:
        for step in STEPS:  # each on databases of its own
            name = step.__name__
            server.run(f"CREATE DATABASE {name} TEMPLATE {TEMPLATE}")
            places = [open_database(f"sqlite:///{folder}/{name}.sqlite3"), open_database(server.address(name))]
            places[0].upgrade()
            if step in {find, requests}:
                for database in places:
                    see(database, 0)
            best[name] = [9e9] * 4
            for turn in range(turns):
                for place, database in enumerate(places):
                    before, began = processor_seconds(server), time.perf_counter()
                    own = step(database, turn)
                    took = own if own is not None else time.perf_counter() - began
                    used = processor_seconds(server) - before
                    for number, value in ((place, took), (place + 2, used)):
                        best[name][number] = min(best[name][number], value)
            for database in places:
                database.close()
    print(f"{'milliseconds':<14}{'SQLite':>9}{'PostgreSQL':>12}{'ratio':>7}{'of processor':>16}{'':>10}{'ratio':>7}")
    for name, (one, other, one_used, other_used) in best.items():
        print(
            f"{name:<14}{one * 1e3:>9.0f}{other * 1e3:>12.0f}{other / one:>7.1f}"
            f"{one_used * 1e3:>16.0f}{other_used * 1e3:>10.0f}{other_used / max(one_used, 1e-3):>7.1f}"
        )


if __name__ == "__main__":
    main()
