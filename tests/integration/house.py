"""One installation whose ingestors divide the messages of a real broker among themselves; each has threads of its own, and no process."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from hearthwatch.clock import SystemClock
from hearthwatch.messaging import open_publisher, open_subscriber
from hearthwatch.ports import Convention, Publisher, TelemetryStore
from hearthwatch.records import decoder_states
from hearthwatch.records.database import Database, open_database
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


class House:
    """A broker, the stores, and the ingestors that were started. ``spools``: where they keep their spools, if they have any."""

    def __init__(self, broker: str, store: TelemetryStore, records: str, spools: Path | None = None) -> None:
        self.broker = broker
        self.store = store
        self.records = records
        self.spools = spools
        self.database = open_database(records)
        self.publisher: Publisher = open_publisher(broker, client_id="devices")
        self.running: list[tuple[Sessions, Database]] = []
        self.sent = 0

    def ingestor(self, holder: str, split: Split = SPLIT, spoken: Sequence[Convention] = SPOKEN) -> Sessions:
        """One that begins to take sessions."""
        database = open_database(self.records)
        ledger = Ledger()

        def open_runner(plan: Plan) -> Runner:
            return self._runner(plan, spoken, database, ledger)

        made = Sessions(split, open_runner, database, SystemClock(), ledger, holder, self._with_a_spool)
        made.start()
        self.running.append((made, database))
        return made

    def send(self, count: int) -> None:
        """Numbered samples of ten devices."""
        for number in range(self.sent, self.sent + count):
            at = (BASE + timedelta(seconds=number)).isoformat()
            given = {"boot": "b1", "seq": number, "samples": [{"at": at, "m": {"temperature_c": float(number)}}]}
            self.publisher.publish(f"hearthwatch/v1/d{number % 10}/telemetry", json.dumps(given).encode())
        self.sent += count
        self.publisher.flush(PATIENCE_S)

    def say(self, kind: str, **given: object) -> None:
        """Something retained of the first device."""
        self.publisher.publish(f"hearthwatch/v1/d0/{kind}", json.dumps(given).encode(), retain=True)
        self.publisher.flush(PATIENCE_S)

    def stored(self) -> list[float]:
        """All numbers that are stored, sorted."""
        values: list[float] = []
        for number in range(10):
            values += self.store.window(f"d{number}", BASE, BASE + timedelta(days=2))["value"].to_pylist()
        return sorted(values)

    def wait_until_all_is_stored(self) -> None:
        """Every number that was sent is stored, once."""
        wait(lambda: len(self.stored()) >= self.sent)
        assert self.stored() == [float(number) for number in range(self.sent)]

    def spooled(self) -> int:
        """Messages that wait in the spools."""
        assert self.spools is not None
        return sum(state.messages for state in survey(self.spools).values())

    def stop(self, ingestor: Sessions) -> None:
        """End one in good order."""
        ingestor.stop()
        for running, database in self.running:
            if running is ingestor:
                database.close()
        self.running = [one for one in self.running if one[0] is not ingestor]

    def close(self) -> None:
        """End all of it."""
        for running, _ in list(self.running):
            self.stop(running)
        self.publisher.close()
        self.database.close()

    def _runner(self, plan: Plan, spoken: Sequence[Convention], database: Database, ledger: Ledger) -> Runner:
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
        decoder = SharedDecoder(spoken, states) if plan.shared else Decoder(spoken, states)
        spool = None
        if self.spools is not None:
            spool = Spool(folder_of(self.spools, plan.client_id), SpoolBounds(free_share=0.0, free_bytes=0))
        name = plan.client_id
        return Runner(subscriber, decoder, self.store, database, SystemClock(), LIMITS, ledger, name=name, spool=spool)

    def _with_a_spool(self) -> Sequence[str]:
        return () if self.spools is None else sessions_with_a_spool(self.spools)


def in_a_hurry(monkeypatch: pytest.MonkeyPatch) -> None:
    """Sessions that nobody has are looked after within seconds."""
    monkeypatch.setattr(sessions, "LEFT_AFTER", timedelta(seconds=2))
    monkeypatch.setattr(sessions, "NOTE_SECONDS", 0.5)
    monkeypatch.setattr(sessions, "EMPTY_AFTER_SECONDS", 1.0)


def wait(condition: Callable[[], bool], seconds: float = PATIENCE_S) -> None:
    """Until something is so."""
    until = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < until, "it did not come about"
        time.sleep(0.05)


def names(ingestor: Sessions) -> set[str]:
    """The sessions that an ingestor has."""
    return set(ingestor.health()["sessions"])
