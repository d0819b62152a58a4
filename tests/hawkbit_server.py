"""A scripted hawkBit: the part of its Management API that leads roll-outs, held to what the project publishes of it.

Facts, from github.com/eclipse-hawkbit/hawkbit: `MgmtRolloutRestApi` (paths, methods, permissions; the annotations from which its OpenAPI
description is made), `ApiResponsesConstants` (answers by kind of request), `ExceptionInfo` (fields of a 400), `Rollout.RolloutStatus` and
`RolloutGroup.RolloutGroupStatus` (states), `MgmtRolloutResponseBody` and `MgmtRolloutGroupResponseBody` (fields), docs/authentication.md
(HTTP Basic), `JpaRolloutManagement` (which state allows what, and what resuming starts).
"""

from __future__ import annotations

import base64
import json
import re
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import SplitResult, parse_qsl, urlsplit

USER, PASSWORD = "gate", "s3cret:with@signs"
ILLEGAL_STATE = "hawkbit.server.error.rollout.illegalstate"
ROLLOUT_STATES = frozenset(
    {
        "creating", "waiting_for_approval", "approval_denied", "ready", "paused", "starting", "stopped", "stopping", "running",
        "finished", "deleting", "deleted",
    }
)  # fmt: skip
GROUP_STATES = frozenset({"creating", "ready", "scheduled", "finished", "error", "running"})
_COMMON = frozenset({400, 401, 403, 405, 406, 429})  # CommonErrorResponses
_GET = _COMMON | {200, 404}  # GetResponses
_ACT = _COMMON | {204, 409, 415}  # PostCreateNoContentResponses


@dataclass(frozen=True)
class Published:
    """An operation as it is published: which answers it may give, which query parameters it takes, which permission it needs."""

    answers: frozenset[int]
    parameters: frozenset[str]
    permission: str


PUBLISHED = {
    ("GET", "/rest/v1/rollouts/{rolloutId}"): Published(_GET, frozenset(), "READ_ROLLOUT"),
    ("GET", "/rest/v1/rollouts/{rolloutId}/deploygroups"): Published(
        _GET, frozenset({"q", "offset", "limit", "sort", "representation"}), "READ_ROLLOUT"
    ),
    ("POST", "/rest/v1/rollouts/{rolloutId}/start"): Published(_ACT, frozenset(), "HANDLE_ROLLOUT"),
    ("POST", "/rest/v1/rollouts/{rolloutId}/pause"): Published(_ACT, frozenset(), "HANDLE_ROLLOUT"),
    ("POST", "/rest/v1/rollouts/{rolloutId}/resume"): Published(_ACT, frozenset(), "HANDLE_ROLLOUT"),
    ("POST", "/rest/v1/rollouts/{rolloutId}/triggerNextGroup"): Published(_ACT, frozenset(), "UPDATE_ROLLOUT"),
}
ALL = frozenset({"READ_ROLLOUT", "HANDLE_ROLLOUT", "UPDATE_ROLLOUT"})
_PATH = re.compile(r"/rest/v1/rollouts/(\d+)(?:/(\w+))?")


@dataclass
class Group:
    """A group of a roll-out, in the order of their ids; ``finished`` of ``total`` targets are done."""

    status: str = "scheduled"
    success_action: str = "PAUSE"
    threshold: str = "100"
    total: int = 10
    finished: int = 0

    @property
    def fulfilled(self) -> bool:
        return 100 * self.finished >= float(self.threshold) * self.total


@dataclass
class Hawkbit:
    """The server's side. ``faults`` are answers given instead, one for each request: a status, with a body; or None: silence."""

    address: str = ""
    url: str = ""
    rollouts: dict[int, str] = field(default_factory=dict)
    groups: dict[int, list[Group]] = field(default_factory=dict)
    requests: list[tuple[str, str]] = field(default_factory=list)
    wrong: list[str] = field(default_factory=list)
    """What a client asked that is not published."""
    faults: list[tuple[int, bytes] | None] = field(default_factory=list)
    permissions: frozenset[str] = ALL
    changes: list[str] = field(default_factory=list)
    """What acts have changed: ``pause 6``."""
    error_code: str = ILLEGAL_STATE
    acknowledges: int = 204
    """Older releases answered 200."""
    before_answer: Callable[[str], None] = lambda _act: None

    def plan(self, rollout: int = 6, *, groups: int = 3, status: str = "ready", started: int = 0) -> None:
        """A roll-out with so many groups, of which the first ones have started."""
        self.rollouts[rollout] = status
        self.groups[rollout] = [Group("running" if number < started else "scheduled") for number in range(groups)]

    def started(self, rollout: int = 6) -> int:
        return sum(1 for one in self.groups[rollout] if one.status not in {"creating", "ready", "scheduled"})

    def tick(self, rollout: int = 6) -> None:
        """What its scheduler does by itself: a roll-out that starts gets running, with its first group."""
        if self.rollouts[rollout] == "starting":
            self.rollouts[rollout] = "running"
            self.groups[rollout][0].status = "running"

    def act(self, rollout: int, verb: str) -> tuple[int, bytes]:
        """An act as `JpaRolloutManagement` does it."""
        state, groups = self.rollouts[rollout], self.groups[rollout]
        waiting = [one for one in groups if one.status == "scheduled"]
        if verb == "start" and state == "ready":
            self.rollouts[rollout] = "starting"
        elif verb == "pause" and state == "running":
            self.rollouts[rollout] = "paused"
        elif verb == "resume" and state == "paused":
            started = [one for one in groups if one.status != "scheduled"]
            last = started[-1] if started else None
            goes_on = last is not None and (
                last.status == "error" or (last.success_action == "PAUSE" and last.fulfilled)
            )
            if goes_on and waiting:
                waiting[0].status = "running"
            self.rollouts[rollout] = "running"
        elif verb == "triggerNextGroup" and state == "running" and waiting:
            waiting[0].status = "running"
        else:
            return self._illegal(f"The rollout is {state}")
        self.changes.append(f"{verb} {rollout}")
        return self.acknowledges, b""

    def _illegal(self, message: str) -> tuple[int, bytes]:
        body = {"exceptionClass": "RolloutIllegalStateException", "errorCode": self.error_code, "message": message}
        return 400, json.dumps(body).encode()

    def read(self, rollout: int, what: str | None, given: dict[str, str]) -> dict[str, Any]:
        """A roll-out, or a page of its groups, with the fields that are published as always there and those that matter here."""
        groups = self.groups[rollout]
        if what is None:
            return {
                "id": rollout,
                "name": "2.0",
                "status": self.rollouts[rollout],
                "totalTargets": 40,
                "totalGroups": len(groups),
            }
        offset, limit = int(given.get("offset", 0)), int(given.get("limit", 50))
        rows = [
            {
                "id": 100 + number,
                "name": f"group-{number}",
                "status": one.status,
                "totalTargets": one.total,
                "totalTargetsPerStatus": {"finished": one.finished},
                "successCondition": {"condition": "THRESHOLD", "expression": one.threshold},
                "successAction": {"action": one.success_action, "expression": ""},
            }
            for number, one in enumerate(groups)
        ]
        chosen = rows[offset : offset + limit]
        return {"content": chosen, "total": len(rows), "size": len(chosen)}


class Handler(BaseHTTPRequestHandler):
    """Takes a request to pieces and holds it against what is published."""

    server: Server

    def do_GET(self) -> None:
        self._serve("GET")

    def do_POST(self) -> None:
        self._serve("POST")

    def _serve(self, method: str) -> None:
        its, url = self.server.its, urlsplit(self.path)
        its.requests.append((method, url.path))
        sent = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        operation, wrong = self._held_against(method, url.path, dict(parse_qsl(url.query)), sent)
        its.wrong.extend(wrong)
        answer = (404, b"") if operation is None else self._answer(operation, method, url)
        if answer is not None:
            self._send(*answer)

    def _held_against(
        self, method: str, path: str, given: dict[str, str], sent: bytes
    ) -> tuple[Published | None, list[str]]:
        found = _PATH.fullmatch(path)
        template = "/rest/v1/rollouts/{rolloutId}" + (f"/{found[2]}" if found and found[2] else "")
        operation = PUBLISHED.get((method, template)) if found else None
        if operation is None:
            return None, [f"{method} {path}"]
        wrong = [f"{method} {path}?{name}" for name in given if name not in operation.parameters]
        if sent:
            wrong.append(f"{method} {path} with a body")
        if self.headers.get("Accept") not in {"application/json", "application/hal+json"}:
            wrong.append(f"{method} {path} accepts {self.headers.get('Accept')}")
        return operation, wrong

    def _answer(self, operation: Published, method: str, url: SplitResult) -> tuple[int, bytes] | None:
        its = self.server.its
        if its.faults:
            fault = its.faults.pop(0)
            if fault is None:
                time.sleep(1.0)
            return fault
        if self.headers.get("Authorization") != _basic():
            return 401, b""
        if operation.permission not in its.permissions:
            return 403, b""
        found = _PATH.fullmatch(url.path)
        assert found is not None
        rollout, what = int(found[1]), found[2]
        if rollout not in its.rollouts:
            return 404, b""
        if method == "GET":
            return 200, json.dumps(its.read(rollout, what, dict(parse_qsl(url.query)))).encode()
        answer = its.act(rollout, what)
        assert answer[0] in operation.answers | {200}
        its.before_answer(what)
        return answer

    def _send(self, status: int, body: bytes) -> None:
        self.send_response(status)
        if 300 <= status < 400:
            self.send_header("Location", "https://elsewhere.example")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *args: object) -> None:
        """Say nothing."""


class Server(ThreadingHTTPServer):
    """An HTTP server with its state."""

    daemon_threads = True

    def __init__(self, its: Hawkbit) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.its = its


@contextmanager
def hawkbit() -> Iterator[Hawkbit]:
    """A server on a free port of this machine."""
    its = Hawkbit()
    server = Server(its)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
    thread.start()
    its.url = f"127.0.0.1:{server.server_address[1]}"
    its.address = f"hawkbit://{USER}:s3cret%3Awith%40signs@{its.url}"
    try:
        yield its
    finally:
        server.shutdown()
        server.server_close()


def _basic() -> str:
    return "Basic " + base64.b64encode(f"{USER}:{PASSWORD}".encode()).decode()
