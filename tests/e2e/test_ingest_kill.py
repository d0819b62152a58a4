"""An ingestor that is killed again and again, under load, through a real broker: nothing missing, nothing twice."""

from __future__ import annotations

import random
import threading
import time
from collections import Counter
from datetime import UTC, datetime, timedelta
from pathlib import Path

import msgspec

from hearthwatch.messaging import open_publisher
from hearthwatch.ports import Publisher
from hearthwatch.records import devices, quarantine
from hearthwatch.records.database import open_database
from hearthwatch.telemetry import open_store
from tests.faults.ingest_child import Child, ledger_closes

KILLS = 6
DEVICES = 20
PATIENCE_S = 60.0
ROUNDS = 120  # messages of every device for each life of the ingestor
SMALL_BATCHES = {"batch_messages": 500, "batch_seconds": 0.1, "receive_maximum": 1000}
PAUSE_S = 0.005  # between two rounds
BASE = datetime.now(UTC).replace(microsecond=0) - timedelta(days=2)


class Load:
    """Numbered messages of many devices, and some of every awkward kind, as many as allowed, until told to end."""

    def __init__(self, publisher: Publisher) -> None:
        self._publisher = publisher
        self._ending = threading.Event()
        self._thread = threading.Thread(target=self._run)
        self.rounds = 0
        self._allowed = 0
        self.poison = 0
        self.comings: list[bool] = []

    def start(self) -> None:
        self._thread.start()

    def allow(self, rounds: int) -> None:
        self._allowed += rounds

    def end(self) -> None:
        self._ending.set()
        self._thread.join()
        self._publisher.flush(PATIENCE_S)

    def _run(self) -> None:
        while not self._ending.wait(PAUSE_S):
            number = self.rounds
            if number >= self._allowed:
                continue
            at = (BASE + timedelta(seconds=number)).isoformat()
            for device in range(DEVICES):
                sample = {"at": at, "m": {"temperature_c": float(number)}}
                self._send(f"d{device}", "telemetry", {"boot": "b1", "seq": number, "fw": "1.0", "samples": [sample]})
            if number % 5 == 0:
                self.comings.append(not self.comings or not self.comings[-1])
                self._send("timeless", "presence", {"online": self.comings[-1], "boot": "b1"})
            if number % 50 == 0:
                self.poison += 1
                self._send("d0", "telemetry", {"samples": [{"at": at, "m": {"temperature_c": f"hot {number}"}}]})
            self.rounds += 1

    def _send(self, device: str, kind: str, given: object) -> None:
        self._publisher.publish(f"hearthwatch/v1/{device}/{kind}", msgspec.json.encode(given))


def test_kills_under_load_lose_nothing_and_store_nothing_twice(mosquitto: str, tmp_path: Path) -> None:
    options = {"data_dir": str(tmp_path), "broker": mosquitto, "conventions": ["native"], **SMALL_BATCHES}
    chance = random.Random(4)
    publisher = open_publisher(mosquitto, client_id="devices")
    load = Load(publisher)
    child = Child(options)
    child.wait_until_handled(0)  # it is subscribed
    load.start()
    began = time.monotonic()
    for _ in range(KILLS):
        load.allow(ROUNDS)
        child.wait_until_handled(1)
        threading.Event().wait(chance.uniform(0.0, 0.4))
        child.kill()
        child = Child(options)
    load.allow(ROUNDS)
    child.wait_until_handled(1)
    load.end()
    child.wait_until_quiet()
    assert child.end() == 0
    publisher.close()
    assert ledger_closes(child.said)
    _check_stores(tmp_path, load)
    print(f"{load.rounds * DEVICES} messages, {KILLS} kills, {time.monotonic() - began:.0f} s")


def _check_stores(folder: Path, load: Load) -> None:
    store = open_store(f"duckdb:///{folder / 'telemetry.duckdb'}")
    database = open_database(f"sqlite:///{folder / 'records.sqlite3'}")
    until = datetime.now(UTC) + timedelta(days=1)
    for device in range(DEVICES):
        rows = Counter(store.window(f"d{device}", BASE, until)["value"].to_pylist())
        assert sorted(rows) == [float(number) for number in range(load.rounds)], "something is missing"
        assert set(rows.values()) == {1}, "something is stored twice"
    presence = store.presence(BASE, until, devices=["timeless"])
    assert presence["online"].to_pylist() == load.comings
    with database.reading() as connection:
        held = quarantine.list_items(connection, limit=10_000)
        assert sum(item.samples for item in held) == load.poison
        assert len({item.payload for item in held}) == load.poison
        assert devices.get(connection, "d3").firmware == "1.0"
        assert devices.get(connection, "timeless").online is load.comings[-1]
    store.close()
    database.close()
