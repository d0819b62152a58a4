"""A scripted Zammad: the part of its REST API that tickets are mirrored by, held to what the project publishes of it.

Facts, from github.com/zammad/zammad-documentation (api/intro.rst, api/ticket/index.rst, articles.rst, tags.rst) and, for what an update
merges and a search answers, `TicketsController` of github.com/zammad/zammad.
"""

from __future__ import annotations

import json
import re
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qsl, urlsplit

TOKEN = "s3cret-token"
US, AGENT, PERSON = 7, 3, 11
"""Users: the token's own, an agent of the desk, a customer."""
GROUPS = frozenset({"Users", "Service"})
STATES = ("new", "open", "pending reminder", "closed", "merged", "removed", "pending close")
PRIORITIES = ("1 low", "2 normal", "3 high")
START = datetime(2026, 3, 2, 8, tzinfo=UTC)

PUBLISHED = {
    "GET /api/v1/users/me": frozenset(),
    "GET /api/v1/tickets/search": frozenset({"query", "limit", "expand"}),
    "POST /api/v1/tickets": frozenset({"expand"}),
    "GET /api/v1/tickets/{id}": frozenset({"expand"}),
    "PUT /api/v1/tickets/{id}": frozenset({"expand"}),
    "GET /api/v1/ticket_articles/by_ticket/{id}": frozenset({"expand"}),
    "GET /api/v1/tags": frozenset({"object", "o_id"}),
}
"""Operations, each with the query parameters it takes."""
CREATED = frozenset(
    {"title", "group", "customer_id", "state", "priority", "tags", "article", "preferences", "pending_time", "owner_id"}
)
UPDATED = frozenset({"title", "group", "state", "priority", "article", "preferences", "pending_time", "owner_id"})
ARTICLE = frozenset({"subject", "body", "content_type", "type", "internal", "to", "cc", "time_unit", "attachments"})


@dataclass
class Zammad:
    """The desk's side. ``faults`` are answers given instead, one for each request: a status, or None: silence.

    So many writes as ``deaf`` says do their work, but nobody hears the answer.
    """

    address: str = ""
    tickets: dict[int, dict[str, Any]] = field(default_factory=dict)
    articles: list[dict[str, Any]] = field(default_factory=list)
    tags: dict[int, list[str]] = field(default_factory=dict)
    requests: list[str] = field(default_factory=list)
    wrong: list[str] = field(default_factory=list)
    faults: list[int | None] = field(default_factory=list)
    deaf: int = 0
    letters: list[str] = field(default_factory=list)
    """Articles that Zammad would have mailed to somebody."""
    ticks: int = 0
    lock: threading.RLock = field(default_factory=threading.RLock)

    def now(self) -> str:
        self.ticks += 1
        return (START + timedelta(seconds=self.ticks)).isoformat(timespec="milliseconds").replace("+00:00", "Z")

    def bodies(self, ticket: int | None = None) -> list[str]:
        return [one["body"] for one in self.articles if ticket is None or one["ticket_id"] == ticket]

    def write(
        self,
        ticket: int,
        body: str,
        *,
        by: int = AGENT,
        internal: bool = True,
        sender: str = "Agent",
        html: bool = False,
    ) -> None:
        """What somebody at the desk, or a customer there, writes."""
        with self.lock:
            self._article(ticket, {"body": body, "internal": internal, "type": "note"}, by, sender, html=html)

    def set_state(self, ticket: int, state: str) -> None:
        with self.lock:
            self.tickets[ticket] |= {"state": state, "updated_at": self.now()}

    def _article(self, ticket: int, given: dict[str, Any], by: int, sender: str, *, html: bool = False) -> None:
        if given.get("type") == "email":
            self.letters.append(given["body"])
        name = {US: "Hearthwatch", AGENT: "Chris Chrispresso", PERSON: "Kim Doe"}[by]
        self.articles.append(
            {
                "id": 100 + len(self.articles),
                "ticket_id": ticket,
                "from": name,
                "subject": given.get("subject"),
                "body": given["body"],
                "content_type": "text/html" if html else given.get("content_type", "text/html"),
                "type": given.get("type", "note"),
                "sender": sender,
                "internal": given.get("internal", False),
                "created_by_id": by,
                "created_at": self.now(),
            }
        )
        self.tickets[ticket]["article_count"] += 1

    def create(self, given: dict[str, Any]) -> tuple[int, Any]:
        if given.get("group") not in GROUPS:
            return 422, {"error": "No lookup value found for 'group'"}
        number = 19 + len(self.tickets)
        self.tickets[number] = {
            "id": number,
            "number": f"22{number:03}",
            "title": given["title"],
            "group": given["group"],
            "customer": str(given["customer_id"]).removeprefix("guess:"),
            "state": given.get("state", "new"),
            "priority": given.get("priority", "2 normal"),
            "preferences": given.get("preferences", {}),
            "pending_time": None,
            "article_count": 0,
            "created_by_id": US,
            "updated_at": self.now(),
        }
        self.tags[number] = [tag for tag in str(given.get("tags", "")).split(",") if tag]
        if "article" in given:
            self._article(number, given["article"], US, "Agent")
        return 201, self.tickets[number]

    def update(self, number: int, given: dict[str, Any]) -> tuple[int, Any]:
        ticket = self.tickets[number]
        if str(given.get("state", "")).startswith("pending") and not given.get("pending_time"):
            return 422, {"error": "Missing required value for field 'pending_time'!"}
        ticket["preferences"] = {**ticket["preferences"], **given.get("preferences", {})}
        for name in ("title", "group", "state", "priority", "pending_time"):
            ticket[name] = given.get(name, ticket[name])
        ticket["updated_at"] = self.now()
        if "article" in given:
            self._article(number, given["article"], US, "Agent")
        return 200, ticket

    def search(self, query: str) -> list[dict[str, Any]]:
        """As without a search index: titles and bodies that hold the text."""
        texts = {number: [one["title"], *self.bodies(number)] for number, one in self.tickets.items()}
        return [self.tickets[number] for number, held in texts.items() if any(query in text for text in held)]


class Handler(BaseHTTPRequestHandler):
    """Takes a request to pieces and holds it against what is published."""

    server: Server

    def do_GET(self) -> None:
        self._serve("GET")

    def do_POST(self) -> None:
        self._serve("POST")

    def do_PUT(self) -> None:
        self._serve("PUT")

    def _serve(self, method: str) -> None:
        its, url = self.server.its, urlsplit(self.path)
        sent = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        its.requests.append(f"{method} {url.path}")
        if its.faults:
            fault = its.faults.pop(0)
            if fault is None:
                time.sleep(1.5)
                return
            self._send(fault, {"error": "as scripted"})
            return
        if self.headers.get("Authorization") != f"Token token={TOKEN}":
            self._send(401, {"error": "Authentication required"})
            return
        given, asked = json.loads(sent or b"{}"), dict(parse_qsl(url.query))
        its.wrong.extend(_held_against(method, url.path, asked, given, self.headers.get("Content-Type")))
        with its.lock:
            status, answer = self._answer(method, url.path, asked, given)
        if its.deaf and method != "GET":
            its.deaf -= 1
            self.connection.close()
            return
        self._send(status, answer)

    def _answer(self, method: str, path: str, asked: dict[str, str], given: dict[str, Any]) -> tuple[int, Any]:
        its = self.server.its
        if path == "/api/v1/users/me":
            return 200, {"id": US, "login": "hearthwatch"}
        if path == "/api/v1/tags":
            return 200, {"tags": its.tags.get(int(asked["o_id"]), [])}
        if path == "/api/v1/tickets/search":
            return 200, its.search(asked["query"])
        if (method, path) == ("POST", "/api/v1/tickets"):
            return its.create(given)
        number = int(path.rpartition("/")[2])
        if number not in its.tickets:
            return 404, {"error": "Couldn't find Ticket"}
        if "/ticket_articles/" in path:
            return 200, [one for one in its.articles if one["ticket_id"] == number]
        return its.update(number, given) if method == "PUT" else (200, its.tickets[number])

    def _send(self, status: int, body: Any) -> None:
        content = json.dumps(body).encode()
        self.send_response(status)
        if status == 429:
            self.send_header("Retry-After", "17")
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, *args: object) -> None:
        """Say nothing."""


def _held_against(
    method: str, path: str, asked: dict[str, str], given: dict[str, Any], content_type: str | None
) -> list[str]:
    operation = f"{method} {re.sub(r'/[0-9]+$', '/{id}', path)}"
    if operation not in PUBLISHED:
        return [operation]
    wrong = [f"{operation}?{name}" for name in asked if name not in PUBLISHED[operation]]
    if given and content_type != "application/json":
        wrong.append(f"{operation} as {content_type}")
    allowed = CREATED if method == "POST" else UPDATED
    wrong += [f"{operation} with {name}" for name in given if name not in allowed]
    wrong += [f"{operation} with article.{name}" for name in given.get("article", {}) if name not in ARTICLE]
    if given.get("state", "new") not in STATES or given.get("priority", "1 low") not in PRIORITIES:
        wrong.append(f"{operation} with {given.get('state')} {given.get('priority')}")
    return wrong


class Server(ThreadingHTTPServer):
    """An HTTP server with its state."""

    daemon_threads = True

    def __init__(self, its: Zammad) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.its = its

    def handle_error(self, request: object, client_address: object) -> None:
        """A connection that was closed on purpose is none."""


@contextmanager
def zammad() -> Iterator[Zammad]:
    """A server on a free port of this machine."""
    its = Zammad()
    server = Server(its)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
    thread.start()
    its.address = f"zammad://{TOKEN}@127.0.0.1:{server.server_address[1]}?group=Service&customer=care@example.com"
    try:
        yield its
    finally:
        server.shutdown()
        server.server_close()
