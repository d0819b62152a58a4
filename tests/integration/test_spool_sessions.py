"""Several ingestors on one machine: what waits in the spool of one that does not come back is stored by another."""

from __future__ import annotations

import json
import shutil
import time
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from hearthwatch.clock import SystemClock
from hearthwatch.errors import Unavailable
from hearthwatch.messaging import open_publisher, open_subscriber
from hearthwatch.ports import TelemetryStore
from hearthwatch.records import decoder_states
from hearthwatch.records.database import Database, open_database
from hearthwatch.values import Event, Presence, Reading, WriteResult
from hearthwatch.wire.registry import Decoder, conventions
from hearthwatch.wire.shared import SharedDecoder
from ingest import sessions
from ingest.ledger import Ledger
from ingest.limits import Limits
from ingest.runner import Runner
from ingest.sessions import Plan, Sessions, Split
from ingest.spool import Spool, SpoolBounds
from ingest.spools import folder_of, sessions_with_a_spool, survey

BASE = datetime.now(UTC).replace(microsecond=0) - timedelta(days=1)
SPOKEN = conventions(("native",))
SPLIT = Split("house", SPOKEN[0].shareable, tuple(one for one in SPOKEN[0].filters if one not in SPOKEN[0].shareable))
LIMITS = Limits(batch_seconds=0.05, receive_maximum=200, spool_after_failures=1)
PATIENCE_S = 30.0


class Away:
    """A telemetry store that can be away."""

    def __init__(self, real: TelemetryStore) -> None:
        self._real = real
        self.away = False

    def write(self, values: Sequence[Reading | Event | Presence]) -> WriteResult:
        if self.away:
            raise Unavailable("away", retry_after=0.2)
        return self._real.write(values)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._real, name)


class Machine:
    """Where the ingestors of one machine keep their spools."""

    def __init__(self, broker: str, store: Away, records: str, data: Path) -> None:
        self.broker = broker
        self.store = store
        self.records = records
        self.data = data
        self.publisher = open_publisher(broker, client_id="devices")
        self.running: list[tuple[Sessions, Database]] = []
        self.sent = 0

    def ingestor(self, holder: str) -> Sessions:
        database = open_database(self.records)
        ledger = Ledger()

        def open_runner(plan: Plan) -> Runner:
            subscriber = open_subscriber(
                self.broker,
                client_id=plan.client_id,
                filters=plan.filters,
                session_expiry_s=3600,
                receive_maximum=LIMITS.receive_maximum,
                leaving=plan.leaving,
            )
            with database.reading() as connection:
                states = decoder_states.load(connection)
            decoder = SharedDecoder(SPOKEN, states) if plan.shared else Decoder(SPOKEN, states)
            bounds = SpoolBounds(free_share=0.0, free_bytes=0)
            spool = Spool(folder_of(self.data, plan.client_id), bounds)
            return Runner(
                subscriber,
                decoder,
                self.store,
                database,
                SystemClock(),
                LIMITS,
                ledger,
                name=plan.client_id,
                spool=spool,
            )

        made = Sessions(
            SPLIT, open_runner, database, SystemClock(), ledger, holder, lambda: sessions_with_a_spool(self.data)
        )
        made.start()
        self.running.append((made, database))
        return made

    def send(self, count: int) -> None:
        for number in range(self.sent, self.sent + count):
            at = (BASE + timedelta(seconds=number)).isoformat()
            given = {"boot": "b1", "seq": number, "samples": [{"at": at, "m": {"temperature_c": float(number)}}]}
            self.publisher.publish(f"hearthwatch/v1/d{number % 10}/telemetry", json.dumps(given).encode())
        self.sent += count
        self.publisher.flush(PATIENCE_S)

    def stored(self) -> list[float]:
        values: list[float] = []
        for number in range(10):
            values += self.store.window(f"d{number}", BASE, BASE + timedelta(days=2))["value"].to_pylist()
        return sorted(values)

    def spooled(self) -> int:
        return sum(state.messages for state in survey(self.data).values())

    def stop(self, ingestor: Sessions) -> None:
        ingestor.stop()
        for running, database in self.running:
            if running is ingestor:
                database.close()
        self.running = [one for one in self.running if one[0] is not ingestor]

    def close(self) -> None:
        for running, _ in list(self.running):
            self.stop(running)
        self.publisher.close()


@pytest.fixture
def machine(
    mosquitto: str, store: TelemetryStore, postgresql: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Machine]:
    monkeypatch.setattr(sessions, "LEFT_AFTER", timedelta(seconds=2))
    monkeypatch.setattr(sessions, "NOTE_SECONDS", 0.5)
    monkeypatch.setattr(sessions, "EMPTY_AFTER_SECONDS", 1.0)
    made = Machine(mosquitto, Away(store), postgresql, tmp_path)
    yield made
    made.close()


def wait(condition: Callable[[], bool]) -> None:
    until = time.monotonic() + PATIENCE_S
    while not condition():
        assert time.monotonic() < until, "it did not come about"
        time.sleep(0.05)


def names(ingestor: Sessions) -> set[str]:
    return set(ingestor.health()["sessions"])


def test_what_waits_for_an_ingestor_that_is_gone_for_good_is_stored_by_another_on_its_machine(
    machine: Machine,
) -> None:
    first = machine.ingestor("first")
    wait(lambda: names(first) >= {"house-0", "house-solo"})
    second = machine.ingestor("second")
    wait(lambda: names(second) >= {"house-1"})
    wait(lambda: bool(first.health()["connected"] and second.health()["connected"]))
    machine.store.away = True
    machine.send(400)
    wait(lambda: machine.spooled() == 400)
    waiting = survey(machine.data)
    assert waiting["house-0"].messages > 0
    assert waiting["house-1"].messages > 0
    machine.stop(second)
    machine.store.away = False
    wait(lambda: machine.spooled() == 0)
    assert machine.stored() == [float(number) for number in range(400)]
    wait(lambda: names(first) == {"house-0", "house-solo"})


def test_an_ingestor_takes_the_session_first_of_which_messages_wait_on_its_machine(machine: Machine) -> None:
    with_three = Spool(folder_of(machine.data, "house-3"), SpoolBounds(free_share=0.0, free_bytes=0))
    with_three.close()
    first = machine.ingestor("first")
    wait(lambda: "house-0" in names(first))  # an empty spool is no reason
    machine.store.away = True
    machine.send(50)
    wait(lambda: machine.spooled() == 50)
    machine.stop(first)
    shutil.rmtree(machine.data / "spool" / "house-3")
    (machine.data / "spool" / "house-0").rename(machine.data / "spool" / "house-3")
    machine.store.away = False
    again = machine.ingestor("again")
    wait(lambda: "house-3" in names(again))
    wait(lambda: machine.spooled() == 0)
    assert machine.stored() == [float(number) for number in range(50)]
