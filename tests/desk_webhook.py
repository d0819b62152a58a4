"""A maker's own desk behind a webhook: it checks signatures, and takes each word once, by its id."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from alerts.channels.signing import key_of, signature

SECRET = "a secret that both sides know, long enough"


@dataclass
class OwnDesk:
    """The desk's side: tickets by reference, each with its words by id. ``faults`` are statuses given instead."""

    address: str = ""
    tickets: dict[str, dict[str, Any]] = field(default_factory=dict)
    words: dict[str, dict[int, dict[str, Any]]] = field(default_factory=dict)
    unsigned: int = 0
    posts: int = 0
    faults: list[int] = field(default_factory=list)
    deaf: int = 0

    def take(self, body: dict[str, Any]) -> None:
        data = body["data"]
        self.tickets[data["reference"]] = data
        self.words.setdefault(data["reference"], {}).update({word["id"]: word for word in data["words"]})


class Handler(BaseHTTPRequestHandler):
    """Checks who posts, then takes it."""

    server: Server

    def do_POST(self) -> None:
        its = self.server.its
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        its.posts += 1
        if its.faults:
            self._send(its.faults.pop(0), {})
            return
        expected = signature(
            key_of(SECRET, where="test"), self.headers["webhook-id"], self.headers["webhook-timestamp"], body
        )
        if self.headers["webhook-signature"] != expected:
            its.unsigned += 1
            self._send(401, {})
            return
        its.take(json.loads(body))
        if its.deaf:
            its.deaf -= 1
            self.connection.close()
            return
        self._send(200, {"id": "crm-5", "number": "5", "url": "https://crm.example.com/5"})

    def _send(self, status: int, answer: dict[str, Any]) -> None:
        content = json.dumps(answer).encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, *args: object) -> None:
        """Say nothing."""


class Server(ThreadingHTTPServer):
    """An HTTP server with its state."""

    daemon_threads = True

    def __init__(self, its: OwnDesk) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.its = its

    def handle_error(self, request: object, client_address: object) -> None:
        """A connection that was closed on purpose is none."""


@contextmanager
def own_desk() -> Iterator[OwnDesk]:
    """A server on a free port of this machine."""
    its = OwnDesk()
    server = Server(its)
    threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
    its.address = f"webhook://127.0.0.1:{server.server_address[1]}/tickets"
    try:
        yield its
    finally:
        server.shutdown()
        server.server_close()
