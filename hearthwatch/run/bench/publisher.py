"""Publishers that cost the machine next to nothing, so that the broker and the ingestor have it: ready packets through a plain socket."""

from __future__ import annotations

import contextlib
import select
import socket
import time
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from typing import Any

from hearthwatch.errors import Unavailable
from hearthwatch.messaging import packets
from hearthwatch.run.bench import load

WINDOW = 2_000
"""Messages that wait for the broker's PUBACK at most."""
AT_ONCE = 100
PACE_S = 0.005
_CONNECT = b"\x10\x16\x00\x04MQTT\x04\x02\x00\x00\x00\x0abench-load"
_SUBSCRIBE, _PINGREQ, _CONNECT_TYPE = 0x80, 0xC0, 0x10


def publish(port: int, count: int, samples: int, link: Any) -> None:
    """Send ``count`` messages as fast as the broker takes them; tells ``link`` when they are ready, waits for its word, tells the time."""
    ready = load.ready_packets(count, samples)
    with _connected(port) as connection:
        link.send("ready")
        link.recv()
        began = time.monotonic()
        _send(connection, ready)
    link.send(began)


def publish_paced(port: int, rate: float, seconds: float, link: Any) -> None:
    """Send ``rate`` messages a second, each with the time it is sent at; tells the time it began, and how many it sent."""
    with _connected(port) as connection:
        link.send("ready")
        link.recv()
        began = time.monotonic()
        acknowledged = _Acknowledged(connection)
        sent, total = 0, int(rate * seconds)
        while sent < total:
            due = min(total, int((time.monotonic() - began) * rate) + 1)
            now = datetime.now(UTC)
            connection.sendall(b"".join(load.packet(number, 1, now) for number in range(sent, due)))
            sent = max(sent, due)
            acknowledged.look()
            time.sleep(PACE_S)
        acknowledged.wait_for(sent)
    link.send((began, sent))


def replay(count: int, samples: int, link: Any) -> None:
    """A broker's end of one connection, without a broker: greets whoever connects, and at a word sends ready packets to it."""
    ready = load.ready_packets(count, samples, properties=True)
    with socket.create_server(("127.0.0.1", 0)) as server:
        link.send(server.getsockname()[1])
        connection, _ = server.accept()
        with connection:
            _greet(connection)
            link.send("ready")
            link.recv()
            began = time.monotonic()
            _send(connection, ready, window=link.recv())
            link.send(began)
            link.recv()  # the ingestor has said goodbye by then


def _greet(connection: socket.socket) -> None:
    """Answer CONNECT and SUBSCRIBE as an MQTT 5 broker does."""
    held, greeted = b"", 0
    while greeted < 2:
        data = connection.recv(65_536)
        if not data:
            raise Unavailable("the ingestor hung up", where="bench")
        came = packets.read(held + data, properties=True)
        held = (held + data)[came.used :]
        for packet in came.others:
            if packet.header & 0xF0 == _CONNECT_TYPE:
                connection.sendall(b"\x20\x03\x00\x00\x00")
                greeted += 1
            elif packet.header & 0xF0 == _SUBSCRIBE:
                granted = b"\x01" * _filters(packet.body)
                connection.sendall(bytes((0x90, 3 + len(granted))) + packet.body[:2] + b"\x00" + granted)
                greeted += 1


def _filters(subscribe: bytes) -> int:
    at, found = 3 + subscribe[2], 0
    while at < len(subscribe):
        at += 3 + (subscribe[at] << 8 | subscribe[at + 1])
        found += 1
    return found


class _Acknowledged:
    """Counts the PUBACK packets of a connection, all of which have one length."""

    def __init__(self, connection: socket.socket) -> None:
        self._connection = connection
        self._held = b""
        self._over = False
        self.count = 0

    def look(self, wait: float = 0.0) -> None:
        """Take in what came."""
        if self._over:
            raise Unavailable("the other end hung up", where="bench")
        while not self._over and select.select([self._connection], [], [], wait)[0]:
            data = self._connection.recv(262_144)
            self._over = not data
            came = packets.read(self._held + data, properties=True)
            self._held = (self._held + data)[came.used :]
            self.count += len(came.answers)
            if any(packet.header & 0xF0 == _PINGREQ for packet in came.others):
                self._connection.sendall(b"\xd0\x00")
            wait = 0.0

    def wait_for(self, count: int) -> None:
        """Take in until so many are acknowledged."""
        while self.count < count:
            self.look(1.0)


def _send(connection: socket.socket, ready: Sequence[bytes], window: int = WINDOW) -> None:
    acknowledged = _Acknowledged(connection)
    sent = 0
    while sent < len(ready):
        room = window - (sent - acknowledged.count)
        if room > 0:
            some = min(room, AT_ONCE)
            connection.sendall(b"".join(ready[sent : sent + some]))
            sent = min(len(ready), sent + some)
        acknowledged.look(0.0 if room > AT_ONCE else 0.2)
    acknowledged.wait_for(len(ready))


@contextlib.contextmanager
def _connected(port: int) -> Iterator[socket.socket]:
    with socket.create_connection(("127.0.0.1", port), timeout=30) as connection:
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        connection.sendall(_CONNECT)
        if connection.recv(4)[:2] != b"\x20\x02":
            raise Unavailable("the broker did not take the publisher", where="bench")
        yield connection
        connection.sendall(b"\xe0\x00")
