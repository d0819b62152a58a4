"""A broker that is restarted, killed, or forgets us: in good order nothing is missing, else the ingestor says how much."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from hearthwatch.clock import SystemClock
from hearthwatch.messaging import link
from hearthwatch.ports import TelemetryStore
from hearthwatch.records.database import Database
from ingest.runner import Limits
from tests.faults.numbered import Load, check
from tests.faults.places import Broker
from tests.faults.standing import Standing
from tests.integration.ingestor import Ingestor, ingesting

PATIENCE_S = 60.0
LIMITS = Limits(batch_messages=50, batch_seconds=0.05, receive_maximum=100)
DEVICES = 10


@pytest.fixture(autouse=True)
def _impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(link, "FIRST_PAUSE_S", 0.05)
    monkeypatch.setattr(link, "LONGEST_PAUSE_S", 0.4)


@pytest.fixture
def broker(tmp_path: Path) -> Iterator[Broker]:
    made = Broker.with_a_file(tmp_path / "broker")
    made.start()
    yield made
    made.kill()


@pytest.fixture
def load(broker: Broker) -> Iterator[Load]:
    made = Load(broker.address, devices=DEVICES)
    yield made
    made.close()


def wait(done: Callable[[], bool], what: str) -> None:
    until = time.monotonic() + PATIENCE_S
    while not done():
        assert time.monotonic() < until, what
        time.sleep(0.01)


def wait_for_stored(ingestor: Ingestor, count: int) -> None:
    def told() -> bool:
        return ingestor.ledger.snapshot()["stored"] >= count and ingestor.runner.still_for() > 0.2

    wait(told, f"{count} are stored: {ingestor.ledger.snapshot()}")


def absent(ingestor: Ingestor) -> float:
    """Connections whose session the broker did not have, as /metrics tells."""
    return next(
        sample.value
        for family in ingestor.ledger.collect()
        for sample in family.samples
        if sample.name == "hearthwatch_ingest_connections_total" and sample.labels["session"] == "absent"
    )


def test_a_broker_that_is_restarted_in_good_order_loses_nothing(
    broker: Broker, store: TelemetryStore, database: Database, load: Load
) -> None:
    with ingesting(broker.address, store, database, SystemClock(), limits=LIMITS, spoken=["native"]) as ingestor:
        load.start(1000)
        for _ in range(3):
            stored = ingestor.ledger.snapshot()["stored"]
            wait(lambda before=stored: ingestor.ledger.snapshot()["stored"] > before + 300, "it works")  # type: ignore[misc]
            broker.end()
            broker.start()
            wait(lambda: bool(ingestor.runner.health()["connected"]), "it is back")
        load.stop()
        wait_for_stored(ingestor, load.sent)
        found = check(store, load)
        assert (found.missing, found.twice) == (0, 0)
        assert absent(ingestor) == 1  # the first of all
        assert ingestor.runner.health()["gaps"]["lost"] == 0
    print(f"{load.sent} messages, 3 restarts: nothing missing")


def test_what_a_killed_broker_had_acknowledged_and_not_written_is_counted_exactly(
    broker: Broker, store: TelemetryStore, database: Database, load: Load
) -> None:
    standing = Standing(store)
    with ingesting(
        broker.address, standing.as_store, database, SystemClock(), limits=LIMITS, spoken=["native"]
    ) as ingestor:
        load.send(200)
        wait_for_stored(ingestor, 200)
        broker.end()  # now the file knows our session
        broker.start()
        wait(lambda: bool(ingestor.runner.health()["connected"]), "it is back")
        standing.goes.clear()
        load.send(1000)
        load.flush()  # the broker has acknowledged all of it; it waits there, in memory
        broker.kill()
        broker.start()
        standing.goes.set()
        wait(lambda: bool(ingestor.runner.health()["connected"]), "it is back")
        load.send(200)
        load.flush()
        wait(lambda: store.latest(["load-0000"])["load-0000"]["number_n"][1] >= load.sent - DEVICES, "the last came")
        wait(lambda: ingestor.runner.still_for() > 0.5, "nothing more comes")
        found, told = check(store, load), ingestor.runner.health()
        assert told["session_present"] is True, "only the numbers can tell"
        assert found.missing > 500
        assert found.twice == 0
        assert told["gaps"]["lost"] == found.missing
        assert told["gaps"]["gaps"] == DEVICES
        assert told["gaps"]["last"]["device"].startswith("load-")
    print(
        f"{found.missing} of {load.sent} messages were lost by the kill of the broker, {told['gaps']['lost']} were counted as lost"
    )


def test_a_session_that_was_wiped_while_we_were_away_is_said_and_what_was_in_it_is_counted_exactly(
    broker: Broker, store: TelemetryStore, database: Database, load: Load
) -> None:
    with ingesting(broker.address, store, database, SystemClock(), limits=LIMITS, spoken=["native"]) as ingestor:
        load.send(200)
        wait_for_stored(ingestor, 200)
    load.send(700)
    load.flush()  # kept for us
    broker.end()
    (broker.folder / "mosquitto.db").unlink()
    broker.start()
    with ingesting(broker.address, store, database, SystemClock(), limits=LIMITS, spoken=["native"]) as ingestor:
        assert ingestor.runner.health()["session_present"] is False
        wait(lambda: absent(ingestor) == 1, "the ingestor has heard of it")
        load.send(200)
        load.flush()
        wait_for_stored(ingestor, 200)
        found, told = check(store, load), ingestor.runner.health()["gaps"]
    assert (found.missing, found.twice) == (700, 0)
    assert told["lost"] == 700
    assert told["gaps"] == DEVICES
