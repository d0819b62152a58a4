"""A TCP proxy on 127.0.0.1 that is a bad network: it holds everything back, loses one side of a connection, cuts, and delays."""

from __future__ import annotations

import contextlib
import random
import selectors
import socket
import struct
import threading
from dataclasses import dataclass

_READ_BYTES = 16_384
_STEP_S = 0.02
_RESET = struct.pack("ii", 1, 0)


@dataclass(eq=False)
class _Pair:
    """A client's connection and ours to the server. ``deaf``: nothing passes any more, and nobody is told."""

    client: socket.socket
    server: socket.socket
    deaf: bool = False

    def other(self, one: socket.socket) -> socket.socket:
        return self.server if one is self.client else self.client


class Proxy:
    """Passes connections on to a port. What it does to them is said by its methods, from any thread."""

    def __init__(self, port: int, seed: int = 13) -> None:
        self._to = port
        self._chance = random.Random(seed)
        self._server = socket.create_server(("127.0.0.1", 0))
        self.port = int(self._server.getsockname()[1])
        self.accepted = 0
        self._pairs: list[_Pair] = []
        self._turn = threading.RLock()
        self._away = False
        self._cut_in: int | None = None
        self._delays = (0.0, 0.0)
        self._ending = threading.Event()
        self._selector = selectors.DefaultSelector()
        self._selector.register(self._server, selectors.EVENT_READ)
        self._thread = threading.Thread(target=self._run, name="proxy", daemon=True)
        self._thread.start()

    def part(self) -> None:
        """A partition: connections stay, nothing passes, and who connects anew hears nothing."""
        with self._turn:
            self._away = True

    def heal(self) -> None:
        """The partition is over; what connections of before still had to say is lost, as after a router's restart."""
        with self._turn:
            self._away = False
            for pair in self._pairs:
                pair.deaf = True

    def half_open(self) -> None:
        """The server's side of every connection ends; the client is not told. New connections are good."""
        with self._turn:
            for pair in self._pairs:
                pair.deaf = True
                self._close(pair.server)

    def cut_after(self, size: int) -> None:
        """Once so many further bytes came from the server, in the middle of whatever they are, both sides are reset."""
        with self._turn:
            self._cut_in = size

    def delay(self, share: float, seconds: float) -> None:
        """This share of the pieces comes late: to TCP a lost packet is one that comes again, and whatever is behind it waits."""
        with self._turn:
            self._delays = (share, seconds)

    def close(self) -> None:
        """End everything."""
        self._ending.set()
        self._thread.join()
        for pair in self._pairs:
            for one in (pair.client, pair.server):
                self._close(one)
        self._server.close()
        self._selector.close()

    @property
    def cut_is_done(self) -> bool:
        """Whether the cut that was asked for has happened."""
        with self._turn:
            return self._cut_in is None

    def _run(self) -> None:
        while not self._ending.is_set():
            for key, _ in self._selector.select(_STEP_S):
                with self._turn:
                    if key.fileobj is self._server:
                        self._accept()
                    else:
                        self._pass_on(key.data, key.fileobj)  # type: ignore[arg-type]

    def _accept(self) -> None:
        client, _ = self._server.accept()
        self.accepted += 1
        server = socket.create_connection(("127.0.0.1", self._to))
        pair = _Pair(client, server, deaf=self._away)
        self._pairs.append(pair)
        for one in (client, server):
            self._selector.register(one, selectors.EVENT_READ, pair)

    def _pass_on(self, pair: _Pair, one: socket.socket) -> None:
        if pair not in self._pairs:
            return  # its other side ended a moment ago
        if self._away and not pair.deaf:
            self._ending.wait(_STEP_S)  # what comes is kept by the kernel, for now
            return
        try:
            data = one.recv(_READ_BYTES)
        except OSError:
            data = b""
        if not data:
            self._end(pair, one)
        elif not pair.deaf:
            share, seconds = self._delays
            if self._chance.random() < share:
                self._ending.wait(seconds)
            self._send(pair, one, data)

    def _send(self, pair: _Pair, one: socket.socket, data: bytes) -> None:
        if self._cut_in is not None and one is pair.server:
            if len(data) >= self._cut_in:
                self._write(pair.client, data[: self._cut_in])
                self._cut_in = None
                self._cut(pair)
                return
            self._cut_in -= len(data)
        self._write(pair.other(one), data)

    def _write(self, to: socket.socket, data: bytes) -> None:
        with contextlib.suppress(OSError):
            to.sendall(data)

    def _cut(self, pair: _Pair) -> None:
        for one in (pair.client, pair.server):
            with contextlib.suppress(OSError):
                one.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
            self._close(one)
        self._pairs.remove(pair)

    def _end(self, pair: _Pair, one: socket.socket) -> None:
        self._close(one)
        if not pair.deaf:
            self._close(pair.other(one))
            self._pairs.remove(pair)

    def _close(self, one: socket.socket) -> None:
        with contextlib.suppress(KeyError, ValueError):
            self._selector.unregister(one)
        one.close()
