"""The demo's story told to two of each role on real servers, one of the six killed every few seconds.

The fleet, the people and the order of things are the demo's own; only who waits for whom differs: the fleet waits until the store holds
what was sent, the jobs until the fleet is done, and the people until every job that is due has been worked, whoever worked it.
"""

from __future__ import annotations

import random
import sys
import threading
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import httpx
import sqlalchemy as sa

from hearthwatch.clock import SteppedClock
from hearthwatch.errors import Invalid, Unavailable
from hearthwatch.ports import Publisher
from hearthwatch.records.database import Database
from hearthwatch.records.tables import job_runs
from hearthwatch.run.jobs import JOBS
from hearthwatch.run.schedule import Outcome
from hearthwatch.values import Event, Message, Presence, Reading, Reply
from hearthwatch.wire.registry import Decoder, conventions
from tests.platform_processes import Role

WAIT_SECONDS = 600.0
STILL_SECONDS = 0.2
IMPORTED = "import:"


@dataclass
class SteppedRole(Role):
    """A role on the story's clock, which stands in a file."""

    clock_file: Path = Path("clock")

    def command(self) -> Sequence[str]:
        """As `Role`, with the clock."""
        return [sys.executable, "-m", "tests.e2e.stepped_role", self.role, str(self.port), str(self.clock_file)]


class ClockForAll(SteppedClock):
    """The story's clock, which also stands in files for the other processes.

    The jobs have a file of their own: their hour strikes when the fleet is done, or they would look at a step that is half stored.
    """

    def __init__(self, start: datetime, path: Path) -> None:
        super().__init__(start)
        self._path = path
        _show(path, start)

    def advance(self, step: timedelta) -> datetime:
        """As the stepped clock."""
        now = super().advance(step)
        _show(self._path, now)
        return now

    def strike_for_jobs(self) -> None:
        """Let the jobs know what time it is."""
        _show(jobs_clock(self._path), self.now())


def jobs_clock(clock: Path) -> Path:
    """The file in which the jobs' time stands, beside everybody's."""
    return clock.with_suffix(".jobs")


def _show(path: Path, now: datetime) -> None:
    written = path.with_suffix(f"{path.suffix}.new")
    written.write_text(now.isoformat())
    written.replace(path)


class Sent:
    """A publisher that remembers what the store must hold in the end: every distinct value once."""

    def __init__(self, publisher: Publisher, clock: SteppedClock) -> None:
        self._publisher = publisher
        self._clock = clock
        self._decoder = Decoder(conventions(["native"]))
        self.values: set[tuple[Any, ...]] = set()

    def publish(
        self, topic: str, payload: bytes, *, retain: bool = False, response: tuple[str, bytes] | None = None
    ) -> None:
        """Send and remember."""
        self._publisher.publish(topic, payload, retain=retain, response=response)
        try:
            _, decoded = self._decoder.decode(Message(topic, payload, self._clock.now(), retain=retain))
        except Invalid:
            return  # it has to end in quarantine
        for value in decoded.values:
            if isinstance(value, Reading):
                self.values.add(("readings", value.device, value.stream, value.at))
            elif isinstance(value, Event):
                self.values.add(("events", value.device, value.at, value.kind, value.code, value.boot, value.seq))
            elif isinstance(value, Presence):
                self.values.add(("presence", value.device, value.at, value.online, value.boot))
            elif isinstance(value, Reply):  # kept as an event
                self.values.add(("events", value.device, value.at, "reply", value.ok))

    def flush(self, timeout: float) -> None:
        """Wait for the broker."""
        self._publisher.flush(timeout)

    def close(self) -> None:
        """Hang up."""
        self._publisher.close()


class Stored:
    """What the telemetry store holds, counted by the server itself: stands where the demo has its ingestor.

    What a batch says of the devices follows into the records after its values, so the ingestors have to be still as well.
    """

    def __init__(self, address: str, sent: Sent, ingestors: Sequence[Role]) -> None:
        parts = urlsplit(address)
        org, bucket = parts.path.strip("/").split("/")
        self._sent = sent
        self._ingestors = ingestors
        self._client = httpx.Client(
            base_url=f"http://{parts.netloc}",
            headers={"Authorization": f"Token {parse_qs(parts.query)['token'][0]}", "Accept": "application/csv"},
            timeout=60,
        )
        self._path = f"/api/v2/query?org={org}"
        self._queries = [self._counting(bucket, "readings"), self._counting(f"{bucket}_rollups", "events|presence")]
        self._before = self.count()

    def count(self) -> int:
        """Rows of readings, events and presence."""
        return sum(self._answer(query) for query in self._queries)

    def close(self) -> None:
        """Hang up."""
        self._client.close()

    @staticmethod
    def _counting(bucket: str, measurements: str) -> str:
        return (
            f'from(bucket: "{bucket}") |> range(start: 0)'
            f' |> filter(fn: (r) => r._measurement =~ /^({measurements})$/ and r._field == "Firmware")'
            f" |> filter(fn: (r) => r.stream !~ /^{IMPORTED}/) |> count() |> group() |> sum()"
        )

    def _answer(self, query: str) -> int:
        body = {"query": query, "type": "flux", "dialect": {"header": True, "annotations": []}}
        answer = self._client.post(self._path, json=body).raise_for_status()
        rows = [line.split(",") for line in answer.text.splitlines() if line.strip(",")]
        return int(rows[1][rows[0].index("_value")]) if len(rows) > 1 else 0

    def drain(self, _messages: int, _timeout: float) -> None:
        """Wait until all that was sent is stored and recorded. Raises `Unavailable` when it is not after a while."""
        until = time.monotonic() + WAIT_SECONDS
        self._wait_for_values(until)
        stood = None
        while (stands := self._standing()) is None or stands != stood:
            if time.monotonic() > until:
                raise Unavailable(f"the ingestors do not come to rest: {stands}", where="story")
            stood = stands
            time.sleep(STILL_SECONDS)

    def _standing(self) -> Mapping[str, Any] | None:
        """Which process has which session, and how much each has handled; None unless all sessions are held and have nothing to do."""
        parts = {(one.name, one.started): one.part("ingest") for one in self._ingestors}
        sessions = {name: told for part in parts.values() for name, told in part.get("sessions", {}).items()}
        at_rest = all(told["connected"] and told["waiting_messages"] == 0 for told in sessions.values())
        if len(sessions) < len(self._ingestors) + 1 or not at_rest:  # a share each, and the one that hears the rest
            return None
        return {f"{name} {started}": part["handled_messages"] for (name, started), part in parts.items()}

    def _wait_for_values(self, until: float) -> None:
        expected = self._before + len(self._sent.values)
        while (held := self.count()) < expected:
            if time.monotonic() > until:
                raise Unavailable(f"the store holds {held} of {expected} values", where="story")
            time.sleep(0.25)  # counting is work for the server
        if held > expected:
            raise Invalid(f"the store holds {held} values, {expected} were sent", where="story")


class Worked:
    """Waits until every window that is due has been worked: stands where the demo has its scheduler."""

    def __init__(self, database: Database, clock: ClockForAll) -> None:
        self._database = database
        self._clock = clock

    def run_due(self) -> list[Outcome]:
        """Let them begin and wait; then say which of the runs failed. Raises `Unavailable` when one does not come to its end."""
        self._clock.strike_for_jobs()
        now, until = self._clock.now(), time.monotonic() + WAIT_SECONDS
        while missing := self._missing(now):
            if time.monotonic() > until:
                raise Unavailable(f"not worked: {', '.join(sorted(missing))}", where="story")
            time.sleep(0.05)
        return [Outcome(name, 0.0, None, error) for name, error in self._errors(now)]

    def _rows(self, now: datetime) -> list[Any]:
        due = [sa.and_(job_runs.c.job == job.name, job_runs.c.due_at == job.due_at(now)) for job in JOBS]
        with self._database.reading() as connection:
            return list(connection.execute(sa.select(job_runs).where(sa.or_(*due))))

    def _missing(self, now: datetime) -> set[str]:
        done = {row.job for row in self._rows(now) if row.finished_at is not None}
        return {job.name for job in JOBS} - done

    def _errors(self, now: datetime) -> list[tuple[str, str]]:
        return [(row.job, row.error) for row in self._rows(now) if row.error]


class Persistent(httpx.BaseTransport):
    """How people reach an API that may be killed: they ask the other one, with the same idempotency key."""

    def __init__(self, ports: Sequence[int]) -> None:
        self._ports = list(ports)
        self._transport = httpx.HTTPTransport()
        self._requests = 0

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        """Ask until somebody answers."""
        body = request.read()
        self._requests += 1
        if request.method == "POST":
            request.headers["Idempotency-Key"] = f"story-{self._requests}"
        until = time.monotonic() + WAIT_SECONDS
        attempt = self._requests
        while True:
            port = self._ports[attempt % len(self._ports)]
            url = request.url.copy_with(host="127.0.0.1", port=port)
            try:
                again = httpx.Request(request.method, url, headers=request.headers, content=body)
                answer = self._transport.handle_request(again)
                answer.read()
                if answer.status_code != 503:
                    return answer
            except httpx.TransportError:
                pass
            if time.monotonic() > until:
                raise httpx.ConnectError("nobody answers")
            attempt += 1
            time.sleep(0.1)

    def close(self) -> None:
        """Hang up."""
        self._transport.close()


@dataclass
class Killer:
    """Kills one of the processes every few seconds and starts it again at once."""

    roles: Sequence[Role]
    chance: random.Random
    every: tuple[float, float]

    def __post_init__(self) -> None:
        self.killed: Counter[str] = Counter()
        self._ending = threading.Event()
        self._thread = threading.Thread(target=self._run, name="killer")

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def stop(self) -> None:
        """End."""
        self._ending.set()
        self._thread.join()

    def _run(self) -> None:
        while not self._ending.wait(self.chance.uniform(*self.every)):
            chosen = self.chance.choice([role for role in self.roles if role.up()] or list(self.roles))
            chosen.kill()
            chosen.start()
            self.killed[chosen.role] += 1
