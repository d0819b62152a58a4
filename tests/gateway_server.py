"""A scripted HTTP server that stands in for the API of a gateway: it keeps what it gets, and answers what it is told to."""

from __future__ import annotations

import json
import socket
import struct
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit


@dataclass(frozen=True)
class Said:
    """One answer. ``reset``: the connection is cut instead, after the request was read; ``slow``: nothing is said until `Gateway.close`."""

    status: int = 200
    body: Any = None
    headers: Mapping[str, str] = field(default_factory=dict)
    reset: bool = False
    slow: bool = False


RESET, SLOW = Said(reset=True), Said(slow=True)


@dataclass(frozen=True)
class Got:
    """One request."""

    method: str
    path: str
    query: Mapping[str, list[str]]
    headers: Mapping[str, str]
    body: bytes

    @property
    def key(self) -> str:
        """Its idempotency key."""
        return self.headers.get("idempotency-key", "")

    def json(self) -> Any:
        return json.loads(self.body)

    def form(self) -> dict[str, str]:
        return {name: values[0] for name, values in parse_qs(self.body.decode()).items()}


@dataclass
class Gateway:
    """What it got, and its next answers, in turn; then ``usual``."""

    port: int = 0
    usual: Said = Said()
    answers: list[Said] = field(default_factory=list)
    got: list[Got] = field(default_factory=list)
    closing: threading.Event = field(default_factory=threading.Event)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def kept(self) -> list[bytes]:
        """What a receiver has that honours the key."""
        return list({one.key: one.body for one in self.got}.values())


@contextmanager
def gateway(usual: Said = Said()) -> Iterator[Gateway]:
    """Run one on a free port."""
    state = Gateway(usual=usual)

    class Api(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            parts = urlsplit(self.path)
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            headers = {name.lower(): value for name, value in self.headers.items()}
            state.got.append(Got(self.command, parts.path, parse_qs(parts.query), headers, body))
            said = state.answers.pop(0) if state.answers else state.usual
            if said.slow:
                state.closing.wait(60)
                self.close_connection = True
            elif said.reset:
                self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                self.connection.close()  # with nothing to linger for, the other side gets a reset
                self.close_connection = True
            else:
                self._answer(said)

        do_GET = do_POST  # noqa: N815 - the library's name

        def _answer(self, said: Said) -> None:
            body = b"" if said.body is None else json.dumps(said.body).encode()
            self.send_response(said.status)
            for name, value in said.headers.items():
                self.send_header(name, value)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *args: object) -> None:
            """Say nothing."""

    class Server(ThreadingHTTPServer):
        daemon_threads = True

        def handle_error(self, request: Any, client_address: Any) -> None:
            """A client that went away is what some tests are about."""

    with Server(("127.0.0.1", 0), Api) as server:
        state.port = server.server_address[1]
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
        thread.start()
        try:
            yield state
        finally:
            state.closing.set()
            server.shutdown()
            thread.join()
