"""The ingestor over the broker inside the process, with both stores in memory."""

from __future__ import annotations

import time
import uuid
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager
from datetime import timedelta
from typing import Any

import msgspec
import pytest
from sqlalchemy import Connection

from hearthwatch.clock import SteppedClock
from hearthwatch.errors import Unavailable
from hearthwatch.messaging import open_publisher, open_subscriber
from hearthwatch.ports import Publisher, Receipt, Subscriber, TelemetryStore
from hearthwatch.records import decoder_states, devices, findings, metric_names, quarantine
from hearthwatch.records.database import Database
from hearthwatch.values import Event, Message, Presence, Reading, WriteResult
from hearthwatch.wire.registry import Decoder, conventions
from ingest import runner as module
from ingest.ledger import Ledger
from ingest.runner import Limits, Runner
from ingest.spool import Spool

PATIENCE_S = 20.0
LIMITS = Limits(batch_seconds=60.0, metric_budget=4)  # a batch is stored when somebody asks, or never
DAY = timedelta(days=1)


class Store:
    """A store that is away as often as told, before or after it did its work."""

    def __init__(self, real: TelemetryStore) -> None:
        self._real = real
        self.away = 0
        self.answers_lost = 0
        self.batches: list[int] = []

    def write(self, values: Sequence[Reading | Event | Presence]) -> WriteResult:
        if self.away:
            self.away -= 1
            raise Unavailable("away", retry_after=0.01)
        result = self._real.write(values)
        self.batches.append(len(values))
        if self.answers_lost:
            self.answers_lost -= 1
            raise Unavailable("the answer did not come", retry_after=0.01)
        return result

    def __getattr__(self, name: str) -> Any:
        return getattr(self._real, name)


class Deaf:
    """A subscriber whose acknowledgements do not arrive: as if the process had been killed before it sent them."""

    def __init__(self, real: Subscriber) -> None:
        self._real = real

    def start(
        self,
        on_message: Callable[[Message, Receipt], None],
        on_connection: Callable[[bool, bool], None],
        on_new_session: Callable[[], None] | None = None,
    ) -> None:
        self._real.start(on_message, on_connection, on_new_session)

    def acknowledge(self, receipts: Sequence[Receipt]) -> None:
        """They are lost."""

    def stop(self, *, forget: bool = False) -> None:
        self._real.stop()


class Bench:
    """Builds ingestors that follow one another on one session and the same stores."""

    def __init__(self, store: TelemetryStore, database: Database, clock: SteppedClock) -> None:
        self.store = Store(store)
        self.database = database
        self.clock = clock
        self.address = f"local://{uuid.uuid4()}"
        self.publisher: Publisher = open_publisher(self.address, client_id="devices")
        self.sent = 0
        self.ledger = Ledger()
        self._runners: list[Runner] = []

    def runner(self, *, deaf: bool = False, limits: Limits = LIMITS, spool: Spool | None = None) -> Runner:
        spoken = conventions(("native", "shelly_gen1"))
        subscriber: Subscriber = open_subscriber(
            self.address,
            client_id="ingest",
            filters=[topic for convention in spoken for topic in convention.filters],
            session_expiry_s=3600,
            receive_maximum=limits.receive_maximum,
            clock=self.clock,
        )
        with self.database.reading() as connection:
            decoder = Decoder(spoken, decoder_states.load(connection))
        self.ledger = Ledger()
        chosen = Deaf(subscriber) if deaf else subscriber
        made = Runner(chosen, decoder, self.store, self.database, self.clock, limits, self.ledger, spool=spool)
        made.start()
        self._runners.append(made)
        return made

    def send(self, kind: str, given: object, device: str = "d1") -> None:
        payload = given if isinstance(given, bytes) else msgspec.json.encode(given)
        self.publisher.publish(f"hearthwatch/v1/{device}/{kind}", payload)
        self.sent += 1

    def telemetry(self, count: int = 1, *, device: str = "d1", **metrics: float) -> None:
        for number in range(count):
            at = self.clock.now() - timedelta(minutes=number + 1)
            sample = {"at": at.isoformat(), "m": metrics or {"temperature_c": 20.0 + number}}
            self.send("telemetry", {"samples": [sample], "fw": "2.4.1", "boot": "b7"}, device)

    def rows(self, device: str = "d1") -> int:
        now = self.clock.now()
        return int(self.store.window(device, now - DAY, now + DAY).num_rows)

    def presences(self, device: str = "d1") -> list[bool]:
        now = self.clock.now()
        table = self.store.presence(now - DAY, now + DAY, devices=[device])
        return [bool(value) for value in table["online"].to_pylist()]

    def reading(self) -> AbstractContextManager[Connection]:
        return self.database.reading()

    def close(self) -> None:
        for one in self._runners:
            one.stop()
        self.publisher.close()


@pytest.fixture
def bench(store: TelemetryStore, database: Database, clock: SteppedClock) -> Iterator[Bench]:
    made = Bench(store, database, clock)
    yield made
    made.close()


def test_draining_what_never_comes_says_so_in_time(bench: Bench) -> None:
    runner = bench.runner()
    bench.telemetry()
    with pytest.raises(Unavailable, match="0 of 2 messages"):
        runner.drain(2, 0.2)


def test_a_store_that_comes_back_gets_everything(bench: Bench) -> None:
    bench.store.away = 5
    runner = bench.runner()
    bench.telemetry(20)
    runner.drain(20, PATIENCE_S)
    assert bench.rows() == 20
    assert bench.ledger.snapshot()["stored"] == 20


def test_a_store_whose_answer_is_lost_stores_nothing_twice(bench: Bench) -> None:
    bench.store.answers_lost = 2
    runner = bench.runner()
    bench.telemetry(20)
    runner.drain(20, PATIENCE_S)
    counts = bench.ledger.snapshot()
    assert (bench.rows(), counts["stored"], counts["duplicate"], counts["in_flight"]) == (20, 0, 20, 0)


def test_records_that_come_back_get_everything(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    failures = [Unavailable("locked", retry_after=0.01), ZeroDivisionError("a bug")]
    real = quarantine.hold

    def hold(connection: Connection, items: Sequence[quarantine.QuarantineItem]) -> int:
        if failures:
            raise failures.pop()
        return real(connection, items)

    monkeypatch.setattr(quarantine, "hold", hold)
    runner = bench.runner()
    bench.telemetry()
    bench.send("telemetry", b"no json")
    runner.drain(2, PATIENCE_S)
    with bench.reading() as connection:
        assert quarantine.counts(connection) == {"held": 1}
        assert devices.get(connection, "d1").firmware == "2.4.1"
    assert bench.store.batches == [1]


def test_while_the_store_is_away_health_says_so(bench: Bench) -> None:
    bench.store.away = 1_000_000
    runner = bench.runner()
    bench.telemetry()
    with pytest.raises(Unavailable, match="last error: away"):
        runner.drain(1, 0.3)
    health = runner.health()
    assert not health["ok"]
    assert health["store_away"]
    assert health["connected"]
    assert health["samples"]["in_flight"] == 1
    bench.store.away = 0
    runner.drain(1, PATIENCE_S)
    assert runner.health()["ok"]


def test_stopping_while_the_store_is_away_ends_in_time_and_loses_nothing(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "STOP_SECONDS", 0.2)
    bench.store.away = 1_000_000
    runner = bench.runner()
    bench.telemetry(10)
    began = time.monotonic()
    runner.stop()
    assert time.monotonic() - began < 5
    bench.store.away = 0
    bench.runner().drain(10, PATIENCE_S)
    assert bench.rows() == 10


def test_a_broker_that_is_away_does_not_keep_the_ingestor_from_starting(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "CONNECT_SECONDS", 0.1)
    away = open_subscriber("mqtt://127.0.0.1:1", client_id="i", filters=["#"], session_expiry_s=60, receive_maximum=10)
    runner = Runner(away, Decoder(conventions(("native",))), bench.store, bench.database, bench.clock, LIMITS, Ledger())
    runner.start()
    assert not runner.health()["ok"]
    assert not runner.health()["connected"]
    runner.stop()


def test_draining_does_not_wait_for_a_batch_to_fill_up(bench: Bench) -> None:
    runner = bench.runner()
    for step in range(1, 4):
        bench.telemetry(5, device=f"d{step}")
        runner.drain(5 * step, PATIENCE_S)
        assert bench.rows(f"d{step}") == 5


def test_without_anybody_waiting_a_batch_is_stored_when_it_is_old(bench: Bench) -> None:
    runner = bench.runner(limits=Limits(batch_seconds=0.05))
    bench.telemetry(3)
    until = time.monotonic() + PATIENCE_S
    while runner.health()["handled_messages"] < 3 and time.monotonic() < until:
        pass
    assert bench.rows() == 3


def test_stopping_stores_and_acknowledges_what_is_here(bench: Bench) -> None:
    runner = bench.runner()
    bench.telemetry(10)
    runner.drain(10, PATIENCE_S)
    bench.telemetry(4, device="d2")
    runner.stop()
    assert bench.ledger.snapshot()["in_flight"] == 0
    left = 14 - runner.health()["handled_messages"]  # what had not come before the stop is still with the broker
    again = bench.runner()
    bench.telemetry(1, device="d3")
    again.drain(left + 1, PATIENCE_S)
    assert bench.ledger.snapshot()["duplicate"] == 0
    assert (bench.rows(), bench.rows("d2"), bench.rows("d3")) == (10, 4, 1)


def test_what_was_not_acknowledged_comes_again_and_is_a_duplicate(bench: Bench) -> None:
    runner = bench.runner(deaf=True)
    bench.telemetry(5)
    bench.send("event", {"at": bench.clock.now().isoformat(), "kind": "reboot", "code": "watchdog"})
    runner.drain(6, PATIENCE_S)
    runner.stop()
    again = bench.runner()
    again.drain(6, PATIENCE_S)
    counts = bench.ledger.snapshot()
    assert (counts["received"], counts["stored"], counts["duplicate"]) == (6, 0, 6)
    assert bench.rows() == 5


def test_what_has_no_time_of_its_own_is_a_duplicate_as_well(bench: Bench) -> None:
    runner = bench.runner(deaf=True)
    bench.send("presence", {"online": True, "boot": "b1"})
    bench.send("presence", {"online": False, "boot": "b1"})
    bench.publisher.publish("shellies/s1/relay/0/power", b"12.5")
    bench.publisher.publish("shellies/s1/relay/0/power", b"12.5")
    runner.drain(4, PATIENCE_S)
    runner.stop()
    bench.clock.advance(timedelta(minutes=5))
    again = bench.runner()
    again.drain(4, PATIENCE_S)
    assert bench.presences() == [True, False]
    assert bench.rows("s1") == 2
    assert bench.ledger.snapshot()["stored"] == 0


def test_a_crash_between_the_two_stores_is_healed_by_the_redelivery(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "STOP_SECONDS", 0.1)
    with monkeypatch.context() as broken:
        broken.setattr(devices, "see", _fails)
        runner = bench.runner()
        bench.send("presence", {"online": True, "boot": "b1"})
        bench.telemetry(3)
        with pytest.raises(Unavailable):
            runner.drain(4, 0.3)
        runner.stop()
    bench.clock.advance(timedelta(minutes=5))
    again = bench.runner()
    again.drain(4, PATIENCE_S)
    assert bench.presences() == [True]
    assert bench.rows() == 3
    with bench.reading() as connection:
        assert devices.get(connection, "d1").online is True


def _fails(*_arguments: object) -> None:
    raise Unavailable("the records are away")


def test_decoders_remember_across_a_restart(bench: Bench) -> None:
    runner = bench.runner()
    bench.send("presence", {"online": True, "boot": "b2"})
    runner.drain(1, PATIENCE_S)
    runner.stop()
    again = bench.runner()
    bench.send("presence", {"online": False, "boot": "b1"})  # the last will of the boot before
    again.drain(1, PATIENCE_S)
    assert bench.ledger.snapshot()["ignored"] == 1
    assert bench.presences() == [True]


def test_what_a_device_says_of_itself_is_in_the_records_and_a_contradiction_is_a_finding(bench: Bench) -> None:
    with bench.database.transaction() as connection:
        devices.register(connection, [{"id": "d1", "model": "lock-2", "serial": "S1"}])
    runner = bench.runner()
    bench.send("identity", {"model": "lock-2", "serial": "S2", "fw": "2.4.1", "hardware": "r3"})
    bench.send("reply", {"id": "c1", "ok": True})
    runner.drain(2, PATIENCE_S)
    with bench.reading() as connection:
        device = devices.get(connection, "d1")
        (finding,) = findings.list_findings(connection, kind="mismatch")
    assert (device.serial, device.hardware, device.firmware) == ("S1", "r3", "2.4.1")
    assert (finding.subject, finding.mode) == ("d1", "serial")
    assert bench.ledger.snapshot()["stored"] == 2
    now = bench.clock.now()
    assert bench.store.events(now - DAY, now + DAY, kinds=["reply"]).num_rows == 1


def test_metric_names_beyond_the_budget_are_held_also_after_a_restart(bench: Bench) -> None:
    runner = bench.runner()
    bench.telemetry(a=1, b=2, c=3, d=4)
    runner.drain(1, PATIENCE_S)
    runner.stop()
    again = bench.runner()
    bench.telemetry(device="d2", a=1, e=5)
    again.drain(1, PATIENCE_S)
    with bench.reading() as connection:
        assert metric_names.load(connection) == {"a", "b", "c", "d"}
        (item,) = quarantine.list_items(connection)
    assert item.part.endswith(" e")
    assert bench.rows("d2") == 1


def test_the_ledger_closes_over_good_and_bad(bench: Bench) -> None:
    runner = bench.runner()
    bench.telemetry(7)
    bench.telemetry(2)  # the same again
    for kind, given in (("telemetry", b"\xff"), ("presence", {"online": "yes"}), ("command", {"id": "1"})):
        bench.send(kind, given)
    bench.send(
        "telemetry", {"samples": [{"at": "2026-04-30T23:59:59Z", "m": {"a": 1}}, {"at": "never", "m": {"a": 1}}]}
    )
    handled = bench.sent - 1  # commands are not subscribed to
    runner.drain(handled, PATIENCE_S)
    assert bench.ledger.snapshot() == {
        "received": 13, "stored": 8, "duplicate": 2, "quarantined": 3, "ignored": 0, "spooled": 0, "in_flight": 0,
    }  # fmt: skip
