"""The ingestor with a spool on a real disk, over the broker inside the process, with both stores in memory."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import Connection

from hearthwatch.clock import SteppedClock
from hearthwatch.errors import Unavailable
from hearthwatch.ports import TelemetryStore
from hearthwatch.records import devices, quarantine
from hearthwatch.records.database import Database
from hearthwatch.values import Event, Presence, Reading, WriteResult
from ingest import runner as module
from ingest.runner import Limits, Runner
from ingest.spool import Spool, SpoolBounds
from tests.unit.ingest.test_runner import PATIENCE_S, Bench, Store

LIMITS = Limits(batch_seconds=0.02, spool_after_failures=2, spool_after_seconds=0.3)
BOUNDS = SpoolBounds(free_share=0.0, free_bytes=0)


@pytest.fixture
def bench(store: TelemetryStore, database: Database, clock: SteppedClock) -> Iterator[Bench]:
    made = Bench(store, database, clock)
    yield made
    made.close()


@pytest.fixture
def start(bench: Bench, tmp_path: Path) -> Callable[..., Runner]:
    """Starts an ingestor on the one spool."""

    def started(bounds: SpoolBounds = BOUNDS, *, deaf: bool = False) -> Runner:
        return bench.runner(limits=LIMITS, spool=Spool(tmp_path / "spool", bounds), deaf=deaf)

    return started


def until(told: Callable[[], bool], what: str) -> None:
    end = time.monotonic() + PATIENCE_S
    pause = threading.Event()
    while not told():
        assert time.monotonic() < end, what
        pause.wait(0.01)


def acknowledged(bench: Bench) -> int:
    return bench.ledger.messages()["acknowledged"]


def test_while_the_store_is_away_everything_is_acknowledged_and_health_says_what_waits(
    bench: Bench, start: Callable[..., Runner]
) -> None:
    bench.store.away = 1_000_000
    runner = start()
    bench.telemetry(30)
    until(lambda: acknowledged(bench) == 30, "all is acknowledged")
    health = runner.health()
    assert (health["ok"], health["store_away"], health["last_error"]) == (False, True, "away")
    assert health["spool"]["messages"] == 30
    assert health["spool"]["ok"]
    assert bench.ledger.snapshot()["spooled"] == 30
    bench.store.away = 0
    runner.drain(30, PATIENCE_S)
    until(lambda: bool(runner.health()["ok"]), "it is well again")
    assert bench.rows() == 30
    assert bench.ledger.snapshot() == {
        "received": 30, "stored": 30, "duplicate": 0, "quarantined": 0, "ignored": 0, "spooled": 0, "in_flight": 0,
    }  # fmt: skip


def test_records_that_are_away_are_bridged_as_well_and_hear_of_everything_later(
    bench: Bench, start: Callable[..., Runner], monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as broken:
        broken.setattr(devices, "see", _fails)
        runner = start()
        bench.send("presence", {"online": True, "boot": "b1"})
        bench.send("telemetry", b"no json")
        bench.telemetry(20)
        until(lambda: acknowledged(bench) == 22, "all is acknowledged")
    runner.drain(22, PATIENCE_S)
    with bench.reading() as connection:
        assert devices.get(connection, "d1").online is True
        assert quarantine.counts(connection) == {"held": 1}
    assert bench.presences() == [True]
    assert bench.rows() == 20


def _fails(_connection: Connection, _sightings: Sequence[object]) -> None:
    raise Unavailable("the records are away", retry_after=0.01)


def test_what_an_ingestor_spooled_the_next_one_stores_before_what_comes_later(
    bench: Bench, start: Callable[..., Runner], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "STOP_SECONDS", 5.0)
    bench.store.away = 1_000_000
    runner = start()
    for online in (True, False, True):  # the order is what these say
        bench.send("presence", {"online": online, "boot": "b1"})
    until(lambda: acknowledged(bench) == 3, "all is acknowledged")
    began = time.monotonic()
    runner.stop()
    assert time.monotonic() - began < 2, "there was nothing to wait for"
    bench.clock.advance(timedelta(minutes=5))
    bench.store.away = 0
    again = start()
    bench.send("presence", {"online": False, "boot": "b1"})
    again.drain(1, PATIENCE_S)
    until(lambda: len(bench.presences()) == 4, "all is stored")
    assert bench.presences() == [True, False, True, False]
    assert bench.ledger.snapshot()["received"] == 4


def test_what_was_spooled_and_comes_again_because_the_acknowledgement_was_lost_is_stored_once(
    bench: Bench, start: Callable[..., Runner]
) -> None:
    bench.store.away = 1_000_000
    runner = start(deaf=True)
    bench.telemetry(5)
    bench.send("presence", {"online": True, "boot": "b1"})
    bench.send("presence", {"online": False, "boot": "b1"})
    until(lambda: acknowledged(bench) == 7, "all is in the spool")
    runner.stop()
    bench.clock.advance(timedelta(minutes=5))
    bench.store.away = 0
    again = start()
    again.drain(7, PATIENCE_S)
    until(lambda: bench.ledger.snapshot()["spooled"] == 0, "the spool is empty")
    assert bench.presences() == [True, False]
    assert bench.rows() == 5
    counts = bench.ledger.snapshot()
    assert (counts["received"], counts["stored"], counts["duplicate"]) == (14, 7, 7)


def test_a_full_spool_acknowledges_nothing_says_why_and_goes_on_by_itself(
    bench: Bench, start: Callable[..., Runner]
) -> None:
    bench.store.away = 1_000_000
    runner = start(replace(BOUNDS, max_bytes=100))
    bench.telemetry(30)
    until(lambda: runner.health()["spool"]["says"] is not None, "it says why")
    health = runner.health()
    assert "spool_max_bytes" in health["spool"]["says"]
    assert not health["ok"]
    assert acknowledged(bench) == 0
    bench.store.away = 0
    runner.drain(30, PATIENCE_S)
    until(lambda: acknowledged(bench) == 30, "all is acknowledged")
    assert bench.rows() == 30


def test_a_message_that_waits_too_long_is_an_alarm_and_is_not_deleted(
    bench: Bench, start: Callable[..., Runner]
) -> None:
    bench.store.away = 1_000_000
    runner = start(replace(BOUNDS, max_age=timedelta(hours=1)))
    bench.telemetry(1)
    until(lambda: acknowledged(bench) == 1, "it is spooled")
    assert runner.health()["spool"]["ok"]
    bench.clock.advance(timedelta(hours=2))
    told = runner.health()["spool"]
    assert not told["ok"]
    assert "longer than 1:00:00" in told["says"]
    assert told["messages"] == 1


class Hanging(Store):
    """A store that does not answer until it is let."""

    def __init__(self, real: TelemetryStore) -> None:
        super().__init__(real)
        self.answering = threading.Event()

    def write(self, values: Sequence[Reading | Event | Presence]) -> WriteResult:
        assert self.answering.wait(PATIENCE_S)
        return super().write(values)


def test_a_store_that_does_not_answer_keeps_nobody_waiting_and_its_late_answer_counts(
    bench: Bench, store: TelemetryStore, start: Callable[..., Runner]
) -> None:
    hanging = Hanging(store)
    bench.store = hanging
    runner = start()
    bench.telemetry(10)
    until(lambda: acknowledged(bench) == 10, "all is acknowledged")
    bench.telemetry(10, device="d2")
    until(lambda: acknowledged(bench) == 20, "all is acknowledged")
    health = runner.health()
    assert health["store_away"]
    assert "no answer for 0.3 s" in health["last_error"]
    hanging.answering.set()
    runner.drain(20, PATIENCE_S)
    assert (bench.rows(), bench.rows("d2")) == (10, 10)
    counts = bench.ledger.snapshot()
    assert (counts["stored"], counts["duplicate"], counts["spooled"]) == (20, 0, 0)


def test_stopping_while_the_store_does_not_answer_ends_in_time(
    bench: Bench, store: TelemetryStore, start: Callable[..., Runner]
) -> None:
    hanging = Hanging(store)
    bench.store = hanging
    runner = start()
    bench.telemetry(10)
    until(lambda: acknowledged(bench) == 10, "all is acknowledged")
    began = time.monotonic()
    runner.stop()
    assert time.monotonic() - began < 2
    hanging.answering.set()
    again = start()
    bench.telemetry(1, device="d2")
    again.drain(1, PATIENCE_S)
    assert (bench.rows(), bench.rows("d2")) == (10, 1)
