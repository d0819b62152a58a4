"""An ingestor behind a bad network, and one whose store stands still: it is soon back, nothing is missing, nothing is stored twice."""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from hearthwatch import messaging
from hearthwatch.clock import SystemClock
from hearthwatch.messaging import link
from hearthwatch.messaging.address import BrokerAddress, parse_broker
from hearthwatch.ports import TelemetryStore
from hearthwatch.records.database import Database
from ingest.runner import Limits
from tests.faults.numbered import Load, check
from tests.faults.places import Broker
from tests.faults.proxy import Proxy
from tests.faults.standing import Standing
from tests.integration.ingestor import Ingestor, ingesting

KEEPALIVE_S = 1
PATIENCE_S = 60.0
LIMITS = Limits(batch_messages=100, batch_seconds=0.05, receive_maximum=200)


@pytest.fixture(autouse=True)
def _impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """An address allows keepalives from 5 s on; the faults are the same with shorter ones, and sooner over."""

    def parse(address: str) -> BrokerAddress:
        return replace(parse_broker(address), keepalive_s=KEEPALIVE_S)

    monkeypatch.setattr(messaging, "parse_broker", parse)
    monkeypatch.setattr(link, "FIRST_PAUSE_S", 0.05)
    monkeypatch.setattr(link, "LONGEST_PAUSE_S", 0.2)


@pytest.fixture
def broker(tmp_path: Path) -> Iterator[Broker]:
    made = Broker(tmp_path)
    made.start()
    yield made
    made.kill()


@pytest.fixture
def proxy(broker: Broker) -> Iterator[Proxy]:
    made = Proxy(broker.port)
    yield made
    made.close()


@pytest.fixture
def load(broker: Broker) -> Iterator[Load]:
    """Devices, which have a good network."""
    made = Load(broker.address, devices=10)
    yield made
    made.close()


@pytest.fixture
def ingestor(proxy: Proxy, store: TelemetryStore, database: Database) -> Iterator[Ingestor]:
    address = f"mqtt://127.0.0.1:{proxy.port}"
    with ingesting(address, store, database, SystemClock(), limits=LIMITS, spoken=["native"]) as made:
        yield made


def wait(done: Callable[[], bool], what: str) -> float:
    """Wait until something is so; returns the seconds it took."""
    began = time.monotonic()
    while not done():
        assert time.monotonic() < began + PATIENCE_S, what
        time.sleep(0.01)
    return time.monotonic() - began


def settle(ingestor: Ingestor, load: Load) -> None:
    """Everything that was sent is acknowledged, and nothing is on its way."""
    load.stop()
    wait(
        lambda: ingestor.ledger.snapshot()["stored"] >= load.sent and ingestor.runner.still_for() > 0.2, "all is stored"
    )


def assert_nothing_lost(store: TelemetryStore, ingestor: Ingestor, load: Load) -> None:
    found = check(store, load)
    assert (found.missing, found.twice) == (0, 0)
    counts = ingestor.ledger.snapshot()
    assert counts["in_flight"] == 0
    assert counts["received"] == counts["stored"] + counts["duplicate"]
    told = ingestor.runner.health()["gaps"]
    assert told["lost"] == 0, told


def test_a_partition_is_noticed_and_loses_nothing(
    proxy: Proxy, store: TelemetryStore, load: Load, ingestor: Ingestor
) -> None:
    load.start(500)
    wait(lambda: ingestor.ledger.snapshot()["stored"] > 100, "it works")
    proxy.part()
    seconds = wait(lambda: not ingestor.runner.health()["connected"], "it notices")
    print(f"a partition was noticed after {seconds:.1f} s, with a keepalive of {KEEPALIVE_S} s")
    wait(lambda: proxy.accepted >= 2, "it tries again")
    proxy.heal()
    settle(ingestor, load)
    assert_nothing_lost(store, ingestor, load)


def test_a_connection_whose_other_end_is_gone_is_noticed_and_loses_nothing(
    proxy: Proxy, store: TelemetryStore, load: Load, ingestor: Ingestor
) -> None:
    load.start(500)
    wait(lambda: ingestor.ledger.snapshot()["stored"] > 100, "it works")
    proxy.half_open()
    seconds = wait(lambda: proxy.accepted == 2, "it is back")
    print(f"a half-open connection was given up, and another begun, after {seconds:.1f} s")
    settle(ingestor, load)
    assert_nothing_lost(store, ingestor, load)


def test_connections_cut_in_the_middle_of_packets_and_pieces_that_come_late_lose_nothing(
    proxy: Proxy, store: TelemetryStore, load: Load, ingestor: Ingestor
) -> None:
    chance = random.Random(13)
    proxy.delay(0.3, 0.02)
    load.start(1000)
    for _ in range(15):
        proxy.cut_after(chance.randrange(1, 20_000))
        wait(lambda: proxy.cut_is_done, "it is cut")
        wait(lambda: bool(ingestor.runner.health()["connected"]), "it is back")
    settle(ingestor, load)
    print(f"{load.sent} messages, {proxy.accepted} connections, {ingestor.ledger.messages()}")
    assert proxy.accepted >= 10
    assert_nothing_lost(store, ingestor, load)


@pytest.mark.parametrize("protocol", ["5", "3.1.1"])
def test_a_full_window_for_many_keepalives_keeps_the_connection_and_loses_nothing(
    broker: Broker, store: TelemetryStore, database: Database, load: Load, protocol: str
) -> None:
    standing = Standing(store)
    address = f"{broker.address}?protocol={protocol}"
    with ingesting(address, standing.as_store, database, SystemClock(), limits=LIMITS, spoken=["native"]) as ingestor:
        load.send(100)
        wait(lambda: ingestor.ledger.snapshot()["stored"] > 0, "it works")
        standing.goes.clear()
        load.send(3000)  # far more than the window, and, by MQTT 3.1.1, all of it is on its way at once
        load.flush()
        pause = threading.Event()
        for _ in range(int(3.5 * KEEPALIVE_S * 10)):
            pause.wait(0.1)
            assert ingestor.runner.health()["connected"], "the connection was given up while the window was full"
        standing.goes.set()
        settle(ingestor, load)
        assert ingestor.ledger.messages()["received"] == load.sent, "it was sent again: the connection had been lost"
        assert_nothing_lost(store, ingestor, load)
