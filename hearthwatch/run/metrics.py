"""Figures for Prometheus about the platform as a whole; docs/prometheus.md names every one. (What an ingestor counts is in its ledger.)

They come from the records, so that every process tells the same; one question each, asked at most every ten seconds.
"""

from __future__ import annotations

import logging
import platform as python
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from datetime import datetime, timedelta
from typing import Any

import sqlalchemy as sa
from prometheus_client import CollectorRegistry, Counter, Histogram
from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector
from sqlalchemy import Connection
from starlette.types import ASGIApp, Message, Receive, Scope, Send

import hearthwatch
from hearthwatch.errors import HearthwatchError
from hearthwatch.ports import Clock, TelemetryStore
from hearthwatch.records import admissions, blindness, brakes, liveness, processes
from hearthwatch.records.database import Database
from hearthwatch.records.tables import (
    commands,
    device_aliases,
    devices,
    findings,
    job_runs,
    outbox,
    quarantine,
    tickets,
)
from hearthwatch.run.metrics_delivery import delivery_metrics

LOG = logging.getLogger(__name__)

FRESH_SECONDS = 10.0
FAILURES_WITHIN = timedelta(days=1)
_SECONDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
_UNMATCHED = "(none)"
_WAITING = ("pending", "claimed")
_COMMANDS = ("queued", "sent", "failed", "timed_out")


class PlatformMetrics(Collector):
    """Asks the stores when it is asked, and remembers the answer for a while. A store that is away makes figures missing, not wrong."""

    def __init__(
        self,
        database: Database,
        store: TelemetryStore,
        clock: Clock,
        monotonic: Callable[[], float] = time.monotonic,
        channels: Sequence[str] = (),
    ) -> None:
        self._channels = tuple(channels)
        self._database = database
        self._store = store
        self._clock = clock
        self._monotonic = monotonic
        self._turn = threading.Lock()
        self._known: Sequence[Metric] = ()
        self._asked: float | None = None

    def register(self, registry: CollectorRegistry) -> None:
        """Show it on a registry."""
        registry.register(self)

    def describe(self) -> Sequence[Metric]:
        """Nothing: the registry need not ask the stores when it is built."""
        return ()

    def collect(self) -> Iterator[Metric]:
        """All figures."""
        with self._turn:
            now = self._monotonic()
            if self._asked is None or now - self._asked >= FRESH_SECONDS:
                self._known = tuple(self._ask())
                self._asked = now
            yield from self._known

    def _ask(self) -> Iterator[Metric]:
        build = GaugeMetricFamily("hearthwatch_build_info", "Always 1.", labels=["version", "python"])
        build.add_metric([hearthwatch.__version__, python.python_version()], 1)
        yield build
        now = self._clock.now()
        from_records: list[Metric] = []
        asked = (
            ("records", lambda: from_records.extend(self._of_records(now))),
            ("telemetry", lambda: self._store.events(now, now)),  # an empty span, but it has to answer
        )
        up = GaugeMetricFamily("hearthwatch_store_up", "Whether a store answers.", labels=["store"])
        seconds = GaugeMetricFamily(
            "hearthwatch_store_answer_seconds", "Time a store took to answer this process.", labels=["store"]
        )
        for name, ask in asked:
            began = self._monotonic()
            answered = _answers(name, ask)
            up.add_metric([name], answered)
            if answered:
                seconds.add_metric([name], self._monotonic() - began)
        yield from (up, seconds, *from_records)

    def _of_records(self, now: datetime) -> Iterator[Metric]:
        current = self._database.schema_is_current()
        yield _gauge("hearthwatch_schema_current", "Whether every migration is applied.", current)
        if not current:
            return
        with self._database.reading() as connection:
            yield from _jobs(connection, now)
            yield from _outbox(connection, now)
            yield from delivery_metrics(connection, self._channels, now)
            yield _counted(
                connection, "hearthwatch_quarantine_items", "Things that could not be taken in.", quarantine.c.state
            )
            yield _counted(
                connection,
                "hearthwatch_findings_open",
                "Findings that have not recovered.",
                findings.c.kind,
                findings.c.severity,
                where=findings.c.state != "recovered",
            )
            yield _counted(
                connection,
                "hearthwatch_tickets_open",
                "Tickets that are not closed.",
                tickets.c.state,
                where=tickets.c.state != "closed",
            )
            known, online = connection.execute(
                sa.select(sa.func.count(), sa.func.count(1).filter(devices.c.online))
            ).one()
            yield _gauge("hearthwatch_devices", "Devices known.", known)
            yield _gauge("hearthwatch_devices_online", "Devices that said they are online.", online)
            yield from _admissions(connection, now)
            yield from _liveness(connection, now)
            yield _processes(connection, now)


def _admissions(connection: Connection, now: datetime) -> Iterator[Metric]:
    stands = admissions.today(connection, now)
    admitted = "Devices that came unregistered and were taken in since midnight (UTC)."
    yield _gauge("hearthwatch_devices_admitted_today", admitted, stands.admitted)
    away = "Samples of devices that were not taken in since midnight (UTC): held in quarantine, or let go."
    yield _gauge("hearthwatch_devices_turned_away_samples_today", away, stands.turned_away)
    waiting = sa.select(sa.func.count()).select_from(device_aliases).where(device_aliases.c.state == "proposed")
    text = "Pairs of ids that tell one hardware address, and wait for a person."
    yield _gauge("hearthwatch_device_aliases_proposed", text, connection.execute(waiting).scalar_one())


def _answers(name: str, ask: Callable[[], object]) -> bool:
    try:
        ask()
    except HearthwatchError as error:
        LOG.warning("metrics: %s", error, extra={"store": name})
        return False
    return True


def _jobs(connection: Connection, now: datetime) -> Iterator[Metric]:
    success = _by_job("hearthwatch_job_last_success_timestamp_seconds", "When the newest run that succeeded ended.")
    duration = _by_job("hearthwatch_job_last_duration_seconds", "How long that run took.")
    done = (
        sa.select(job_runs.c.job, sa.func.max(job_runs.c.id).label("id"))
        .where(job_runs.c.state == "done")
        .group_by(job_runs.c.job)
        .subquery()
    )
    query = sa.select(job_runs.c.job, job_runs.c.started_at, job_runs.c.finished_at).join(
        done, done.c.id == job_runs.c.id
    )
    for job, started, finished in connection.execute(query):
        success.add_metric([job], finished.timestamp())
        duration.add_metric([job], (finished - started).total_seconds())
    failures = _by_job("hearthwatch_job_failures", "Runs that failed within the last 24 hours.")
    failed = sa.func.count(1).filter(job_runs.c.state == "failed", job_runs.c.started_at > now - FAILURES_WITHIN)
    for job, count in connection.execute(sa.select(job_runs.c.job, failed).group_by(job_runs.c.job)):
        failures.add_metric([job], count)
    running = _by_job("hearthwatch_job_running_seconds", "How long the run has lasted that is going on.")
    going_on = sa.select(job_runs.c.job, sa.func.min(job_runs.c.started_at)).where(job_runs.c.state == "running")
    for job, started in connection.execute(going_on.group_by(job_runs.c.job)):
        running.add_metric([job], (now - started).total_seconds())
    yield from (success, duration, failures, running)


def _outbox(connection: Connection, now: datetime) -> Iterator[Metric]:
    yield _counted(
        connection,
        "hearthwatch_outbox_items",
        "What waits to leave the house, and what could not (failed).",
        outbox.c.state,
        where=outbox.c.state.in_((*_WAITING, "failed")),
        always=(*_WAITING, "failed"),
    )
    yield _counted(
        connection,
        "hearthwatch_commands",
        "Questions to devices that wait, and those that failed or were not answered in time.",
        commands.c.state,
        where=commands.c.state.in_(_COMMANDS),
        always=_COMMANDS,
    )
    oldest = sa.select(sa.func.min(outbox.c.created_at)).where(outbox.c.state.in_(_WAITING), outbox.c.next_at <= now)
    since: datetime | None = connection.execute(oldest).scalar_one()
    age = (now - since).total_seconds() if since else 0.0
    yield _gauge("hearthwatch_outbox_oldest_seconds", "Age of the oldest item that is due.", age)
    paused, _ = brakes.is_paused(connection)
    yield _gauge("hearthwatch_outbox_paused", "Whether a person stopped all sending.", paused)


def _liveness(connection: Connection, now: datetime) -> Iterator[Metric]:
    family = GaugeMetricFamily(
        "hearthwatch_devices_by_state", "Devices by whether they are there (docs/liveness.md).", labels=["state"]
    )
    for state, count in liveness.counts(connection).items():
        family.add_metric([state], count)
    yield family
    blind = blindness.current(connection, now)
    seconds = (now - blind.since).total_seconds() if blind is not None else 0.0
    yield _gauge(
        "hearthwatch_blind_seconds", "How long nobody has been heard by any ingestor; 0 while one hears.", seconds
    )


def _processes(connection: Connection, now: datetime) -> Metric:
    family = GaugeMetricFamily("hearthwatch_processes", "Processes that report that they run.", labels=["role"])
    counts: dict[str, int] = {}
    for one in processes.list_processes(connection):
        counts[one.role] = counts.get(one.role, 0) + one.reports(now)
    for role, count in counts.items():
        family.add_metric([role], count)
    return family


def _counted(
    connection: Connection,
    name: str,
    text: str,
    *columns: sa.Column[str],
    where: sa.ColumnElement[bool] | None = None,
    always: Sequence[str] = (),
) -> Metric:
    family = GaugeMetricFamily(name, text, labels=[column.name for column in columns])
    query = sa.select(*columns, sa.func.count()).group_by(*columns)
    rows = connection.execute(query if where is None else query.where(where)).all()
    counts: dict[tuple[Any, ...], Any] = {(value,): 0 for value in always}
    counts.update((tuple(row[:-1]), row[-1]) for row in rows)
    for labels, count in counts.items():
        family.add_metric([str(label) for label in labels], count)
    return family


def _by_job(name: str, text: str) -> GaugeMetricFamily:
    return GaugeMetricFamily(name, text, labels=["job"])


def _gauge(name: str, text: str, value: float) -> Metric:
    return GaugeMetricFamily(name, text, value=float(value))


class RequestMetrics:
    """Counts HTTP requests by the template of their route: the same few names however many devices there are."""

    def __init__(self, app: ASGIApp, registry: CollectorRegistry) -> None:
        self._app = app
        self._requests = Counter(
            "hearthwatch_http_requests", "HTTP requests answered.", ["method", "route", "status"], registry=registry
        )
        self._seconds = Histogram(
            "hearthwatch_http_request_seconds",
            "Time to answer.",
            ["method", "route"],
            registry=registry,
            buckets=_SECONDS,
        )

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer as the application does, and count."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        status = "500"
        began = time.perf_counter()

        async def noted(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = str(message["status"])
            await send(message)

        try:
            await self._app(scope, receive, noted)
        finally:
            method, route = _method(scope), _template(scope)
            self._requests.labels(method, route, status).inc()
            self._seconds.labels(method, route).observe(time.perf_counter() - began)


def _method(scope: Scope) -> str:
    method: str = scope["method"]
    return method if method in {"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"} else "other"


def _template(scope: Scope) -> str:
    path = getattr(scope.get("route"), "path", None)
    if path is None:
        return _UNMATCHED
    outer = len(scope.get("app_root_path", ""))
    return str(scope.get("root_path", ""))[outer:] + str(path)
