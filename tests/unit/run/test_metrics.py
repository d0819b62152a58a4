"""What /metrics says, docs/prometheus.md explains, and nothing else; and the figures are right."""

from __future__ import annotations

import re
from datetime import timedelta
from pathlib import Path

import pytest
import sqlalchemy as sa
from fastapi import FastAPI
from fastapi.testclient import TestClient
from prometheus_client import CollectorRegistry, PlatformCollector, ProcessCollector, generate_latest
from prometheus_client.parser import text_string_to_metric_families

from hearthwatch.clock import SteppedClock
from hearthwatch.errors import Unavailable
from hearthwatch.ports import TelemetryStore
from hearthwatch.records.database import Database
from hearthwatch.records.tables import job_runs
from hearthwatch.run.metrics import FRESH_SECONDS, PlatformMetrics, RequestMetrics
from ingest.ledger import Ledger
from ingest.spool import SpoolState
from tests.records_rows import fill

PAGE = Path(__file__).resolve().parents[3] / "docs" / "prometheus.md"
NOT_OURS = ("process_", "python_")


class Monotonic:
    """A clock of seconds that stands until it is moved."""

    def __init__(self) -> None:
        self.at = 0.0

    def __call__(self) -> float:
        return self.at


@pytest.fixture
def monotonic() -> Monotonic:
    """Time since the start."""
    return Monotonic()


@pytest.fixture
def registry(database: Database, store: TelemetryStore, clock: SteppedClock, monotonic: Monotonic) -> CollectorRegistry:
    """What a process that does everything shows."""
    made = CollectorRegistry()
    ledger = Ledger()
    ledger.spool_opened("ingest", SpoolState)
    ledger.register(made)
    PlatformMetrics(database, store, clock, monotonic).register(made)
    ProcessCollector(registry=made)
    PlatformCollector(registry=made)
    return made


def shown(registry: CollectorRegistry) -> dict[str, tuple[str, frozenset[str]]]:
    """Type and labels of every metric of ours."""

    found = {}
    for family in text_string_to_metric_families(generate_latest(registry).decode()):
        labels = frozenset(label for sample in family.samples for label in sample.labels) - {"le"}
        if not family.name.startswith(NOT_OURS) and not family.name.endswith("_created"):
            name = f"{family.name}_total" if family.type == "counter" else family.name
            found[name] = (family.type, labels)
    return found


def documented() -> dict[str, tuple[str, frozenset[str]]]:
    found = {}
    for row in PAGE.read_text().splitlines():
        cells = [cell.strip() for cell in row.strip("|").split("|")]
        if row.startswith("| `hearthwatch_"):
            assert len(cells) == 5, row
            assert cells[3], f"{cells[0]} has no meaning"
            labels = frozenset(re.findall(r"`([a-z_]+)`", cells[2]))
            found[cells[0].strip("`")] = (cells[1], labels)
    return found


def test_the_page_and_the_metrics_say_the_same(registry: CollectorRegistry, database: Database) -> None:
    fill(database)
    with database.transaction() as connection:
        processes = sa.Table("processes", sa.MetaData(), autoload_with=connection)
        connection.execute(
            sa.text(
                "INSERT INTO processes (id, role, started_at, seen_at, health) VALUES ('p', 'jobs', :at, :at, '{}')"
            ),
            {"at": "2026-05-01 00:00:00.000000"},
        )
        assert processes.c.role is not None
    app = FastAPI()
    app.add_middleware(RequestMetrics, registry=registry)
    TestClient(app).get("/nowhere")
    assert shown(registry) == documented()


def test_every_metric_of_ours_has_a_help_text_and_a_unit_or_a_noun(registry: CollectorRegistry) -> None:
    for family in registry.collect():
        if family.name.startswith("hearthwatch_"):
            assert family.documentation.endswith("."), family.name


def test_jobs_tell_success_duration_failures_and_what_hangs(
    registry: CollectorRegistry, database: Database, clock: SteppedClock
) -> None:
    now = clock.now()
    rows = [
        {"state": "done", "started_at": now - timedelta(hours=30), "finished_at": now - timedelta(hours=29)},
        {"state": "failed", "started_at": now - timedelta(hours=26), "finished_at": now - timedelta(hours=26)},
        {"state": "done", "started_at": now - timedelta(minutes=5), "finished_at": now - timedelta(minutes=4)},
        {"state": "failed", "started_at": now - timedelta(minutes=3), "finished_at": now - timedelta(minutes=3)},
        {"state": "running", "started_at": now - timedelta(minutes=2), "finished_at": None},
    ]
    with database.transaction() as connection:
        for number, row in enumerate(rows):
            due = now - timedelta(days=1, minutes=number)
            connection.execute(sa.insert(job_runs).values(job="vitals", due_at=due, **row))
    of_vitals = {"job": "vitals"}
    value = registry.get_sample_value
    assert (
        value("hearthwatch_job_last_success_timestamp_seconds", of_vitals) == (now - timedelta(minutes=4)).timestamp()
    )
    assert value("hearthwatch_job_last_duration_seconds", of_vitals) == 60
    assert value("hearthwatch_job_failures", of_vitals) == 1
    assert value("hearthwatch_job_running_seconds", of_vitals) == 120


def test_an_empty_outbox_is_zero_and_not_missing(registry: CollectorRegistry) -> None:
    for state in ("pending", "claimed", "failed"):
        assert registry.get_sample_value("hearthwatch_outbox_items", {"state": state}) == 0
    assert registry.get_sample_value("hearthwatch_outbox_oldest_seconds") == 0
    assert registry.get_sample_value("hearthwatch_outbox_paused") == 0


def test_the_stores_are_asked_once_in_a_while_however_often_one_looks(
    registry: CollectorRegistry, database: Database, monotonic: Monotonic
) -> None:
    assert registry.get_sample_value("hearthwatch_tickets_open", {"state": "open"}) is None
    fill(database)
    assert registry.get_sample_value("hearthwatch_tickets_open", {"state": "open"}) is None
    monotonic.at += FRESH_SECONDS
    assert registry.get_sample_value("hearthwatch_tickets_open", {"state": "open"}) == 3


def test_a_store_that_is_away_is_said_and_the_rest_is_told(
    database: Database, store: TelemetryStore, clock: SteppedClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    def away() -> bool:
        raise Unavailable("away", where="records")

    monkeypatch.setattr(database, "schema_is_current", away)
    registry = CollectorRegistry()
    PlatformMetrics(database, store, clock).register(registry)
    assert registry.get_sample_value("hearthwatch_store_up", {"store": "records"}) == 0
    assert registry.get_sample_value("hearthwatch_store_up", {"store": "telemetry"}) == 1
    assert registry.get_sample_value("hearthwatch_outbox_paused") is None


def test_requests_are_counted_by_template() -> None:
    registry = CollectorRegistry()
    app, inner = FastAPI(), FastAPI()

    @inner.get("/devices/{device_id}")
    def device(device_id: str) -> str:
        if device_id == "broken":
            raise RuntimeError
        return device_id

    app.mount("/api/v1", inner)
    app.add_middleware(RequestMetrics, registry=registry)
    client = TestClient(app, raise_server_exceptions=False)
    for path in ("/api/v1/devices/a", "/api/v1/devices/b", "/api/v1/devices/broken", "/x/<script>"):
        client.get(path)
    client.request("BREW", "/pot")
    count = registry.get_sample_value
    template = "/api/v1/devices/{device_id}"
    assert count("hearthwatch_http_requests_total", {"method": "GET", "route": template, "status": "200"}) == 2
    assert count("hearthwatch_http_requests_total", {"method": "GET", "route": template, "status": "500"}) == 1
    assert count("hearthwatch_http_requests_total", {"method": "GET", "route": "(none)", "status": "404"}) == 1
    assert count("hearthwatch_http_requests_total", {"method": "other", "route": "(none)", "status": "404"}) == 1
    assert count("hearthwatch_http_request_seconds_count", {"method": "GET", "route": template}) == 3
