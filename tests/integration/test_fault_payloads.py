"""Floods of what no device should send: the ingestor stays alive, good traffic passes, everything is accounted for, memory stays."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from hearthwatch.messaging import open_publisher
from hearthwatch.telemetry import open_store
from tests.faults.ingest_child import Child, ledger_closes
from tests.faults.numbered import Load, check
from tests.faults.places import ROOMY, Broker

RATE, SECONDS = 500.0, 2.0
LIMIT = 4 << 20

POISON: tuple[Callable[[int], bytes], ...] = (
    lambda n: b"\xff\xfe%d\x80" % n,
    lambda n: b'{"samples":[{"at":"2026-05-01T00:00:00Z","m":{"x":NaN}}],"n":%d}' % n,
    lambda n: b'{"samples":[{"at":"2026-05-01T00:00:00Z","m":{"x":-Infinity}}],"n":%d}' % n,
    lambda n: b'{"samples":[{"at":"2026-05-01T00:00:00Z","m":{"x":1e400}}],"n":%d}' % n,
    lambda n: b'{"samples":[{"at":"2026-05-01T00:00:00Z","m":{"x":%d}}]}' % (2**70 + n),
    lambda n: b"[" * 100_000 + b"%d" % n,
    lambda n: b'{"samples":[{"at":"2026-05-01T00:00:00Z","m":{"x":"\\u0000%d"}}]}' % n,
    lambda n: b'{"fw":"\\ud800","samples":[{"at":"2026-05-01T00:00:00Z","m":{"x":%d}}]}' % n,
    lambda n: b'{"samples":[{"at":"1970-01-01T00:00:%02dZ","m":{"x":1}}]}' % (n % 60),
    lambda n: b'{"device":"another","samples":[{"at":"2026-05-01T00:00:00Z","m":{"x":%d}}]}' % n,
    lambda n: b"",
)


@pytest.fixture
def broker(tmp_path: Path) -> Iterator[Broker]:
    made = Broker(tmp_path / "broker", ROOMY + f"max_packet_size {LIMIT + 1000}\n")
    made.start()
    yield made
    made.kill()


@pytest.fixture
def child(broker: Broker, tmp_path: Path) -> Iterator[Child]:
    """The ingestor as a process, connected."""
    made = Child({"data_dir": str(tmp_path / "data"), "broker": broker.address, "conventions": ["native"]})
    made.wait_for("it is connected", lambda said: bool(said["connected"]))
    yield made
    if made.alive:
        made.kill()


@pytest.fixture
def load(broker: Broker) -> Iterator[Load]:
    made = Load(broker.address, devices=20)
    yield made
    made.close()


class Flood:
    """Poison, one after the other, at a rate."""

    def __init__(self, broker: Broker) -> None:
        self._publisher = open_publisher(broker.address, client_id="flood")
        self._ending = threading.Event()
        self._thread = threading.Thread(target=self._run)
        self.sent = 0

    def __enter__(self) -> Flood:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ending.set()
        self._thread.join()
        self._publisher.flush(60)
        self._publisher.close()

    def _run(self) -> None:
        while not self._ending.wait(0.02):
            for _ in range(int(RATE * 0.02)):
                kind = POISON[self.sent % len(POISON)]
                self._publisher.publish(f"hearthwatch/v1/bad{self.sent % 7}/telemetry", kind(self.sent))
                self.sent += 1


def _good_rate(child: Child, load: Load) -> float:
    """Messages stored of each second in which as many were sent as ever."""
    began, before = time.monotonic(), load.sent
    load.start(RATE)
    threading.Event().wait(SECONDS)
    load.stop()
    child.wait_for("the good is stored", lambda said: said["samples"]["stored"] >= load.sent)
    return (load.sent - before) / (time.monotonic() - began)


def test_a_flood_of_poison_leaves_good_traffic_alone_and_every_piece_is_accounted_for(
    broker: Broker, child: Child, load: Load, tmp_path: Path
) -> None:
    alone = _good_rate(child, load)
    with Flood(broker) as flood:
        beside = _good_rate(child, load)
    print(
        f"good traffic beside {flood.sent} pieces of poison: {beside / alone:.0%} of its rate without ({alone:.0f}/s)"
    )
    child.wait_for("all is handled", lambda said: said["handled_messages"] >= load.sent + flood.sent)
    assert child.end() == 0
    counts = child.said["samples"]
    assert ledger_closes(child.said)
    assert counts["stored"] == load.sent
    assert counts["quarantined"] == flood.sent > 300
    assert child.said["gaps"]["lost"] == 0
    store = open_store(f"duckdb:///{tmp_path / 'data' / 'telemetry.duckdb'}")
    found = check(store, load)
    store.close()
    assert (found.missing, found.twice) == (0, 0)


def test_payloads_beyond_what_is_read_grow_no_memory(broker: Broker, child: Child, load: Load) -> None:
    publisher = open_publisher(broker.address, client_id="large")
    handled = 0

    def flood(size: int, count: int) -> float:
        """Send so many of a size; returns what the process holds afterwards."""
        nonlocal handled
        for number in range(count):
            publisher.publish("hearthwatch/v1/large/telemetry", b"%d" % number + b" " * (size - 1))
            if number % 20 == 19 or size == LIMIT:
                publisher.flush(60)
        publisher.flush(60)
        load.send(200)  # what is left over is let go of with the next work
        handled += count + 200
        child.wait_for("all is handled", lambda said: said["handled_messages"] >= handled)
        return _at_rest_mb(child)

    try:
        before = flood(0, 0)
        one = flood(65_536 + 1, 1) - before
        small = flood(65_536 + 1, 1500) - before
        large = flood(LIMIT, 50) - before
    finally:
        publisher.close()
    print(
        f"one payload of 64 KiB and a byte: {one:+.1f} MB; 1,500 of them: {small:+.1f} MB; 50 of 4 MiB: {large:+.1f} MB"
    )
    assert one < 10
    assert small < 64, "of 98 MB that were sent"
    assert large < 128, "of 210 MB that were sent; 64 MB of them may wait at a time, and the allocator keeps some"
    assert child.end() == 0
    assert child.said["samples"]["quarantined"] == 1551
    assert ledger_closes(child.said)


def test_a_payload_of_256_megabytes_is_refused_by_the_broker_and_nobody_notices(
    broker: Broker, child: Child, load: Load
) -> None:
    load.send(100)
    for _ in range(3):
        assert _give(broker.port, 268_000_000) < 32 << 20, "the broker took it"
    load.send(100)
    load.flush()
    child.wait_for("the good is stored", lambda said: said["samples"]["stored"] == 200)
    assert child.end() == 0
    assert child.said["samples"]["received"] == 200


def _at_rest_mb(child: Child) -> float:
    """Its memory when it has nothing to do; what it holds only for a moment is not in it."""
    pause = threading.Event()
    found = []
    for _ in range(6):
        pause.wait(0.1)
        found.append(child.memory_mb())
    return min(found)


def _give(port: int, size: int) -> int:
    """Begin to publish so many bytes, as they are; returns how many could be given before the broker hung up."""
    topic = b"hearthwatch/v1/huge/telemetry"
    with socket.create_connection(("127.0.0.1", port)) as line:
        line.sendall(b"\x10\x10\x00\x04MQTT\x04\x02\x00\x3c\x00\x04huge")
        assert line.recv(4)[:1] == b"\x20"
        head = b"\x32" + _length(2 + len(topic) + 2 + size) + len(topic).to_bytes(2, "big") + topic + b"\x00\x01"
        given = 0
        try:
            line.sendall(head)
            while given < size:
                given += line.send(bytes(1 << 16))
        except OSError:
            pass
        return given


def _length(value: int) -> bytes:
    """MQTT's variable length."""
    made = bytearray()
    while True:
        value, low = divmod(value, 128)
        made.append(low | (128 if value else 0))
        if not value:
            return bytes(made)
