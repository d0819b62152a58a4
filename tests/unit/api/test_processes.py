"""What one process tells of all: health over roles, the list of processes, liveness and readiness of its own."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import timedelta
from typing import Any

from fastapi import FastAPI
from fastapi.testclient import TestClient

from api.app import ApiContext
from api.routes.system import create_health_app
from hearthwatch.records import processes
from hearthwatch.records.database import Database
from hearthwatch.records.processes import Process
from tests.conftest import START

Client = Callable[..., TestClient]
HERE: Mapping[str, Any] = {"base_url": "http://127.0.0.1", "address": "127.0.0.1"}


def report(
    database: Database, name: str, role: str, *, ago: float = 0.0, stored: int | None = None, ok: bool = True
) -> None:
    part = {"ok": ok, **({} if stored is None else {"samples": {"stored": stored}})}
    at = START - timedelta(seconds=ago)
    with database.transaction() as connection:
        processes.report(connection, Process(name, role, at - timedelta(minutes=1), at, {role: part}))


def test_a_role_that_nobody_works_any_more_is_told(app: FastAPI, context: ApiContext, client: Client) -> None:
    app.state.context = replace(context, health={})
    report(context.database, "a", "ingest", ago=60)
    told = client(**HERE).get("/health").json()
    assert told["status"] == "degraded"
    assert told["parts"]["ingest"] == {"ok": False, "processes": 0}


def test_a_killed_process_is_no_trouble_while_another_does_its_work(
    app: FastAPI, context: ApiContext, client: Client
) -> None:
    app.state.context = replace(context, health={})
    report(context.database, "killed", "ingest", ago=60, stored=5)
    report(context.database, "one", "ingest", stored=7)
    report(context.database, "two", "ingest", stored=8)
    told = client(**HERE).get("/health").json()
    assert told["status"] == "ok"
    assert told["parts"]["ingest"] == {"ok": True, "processes": 2, "samples": {"stored": 15}}


def test_a_process_in_trouble_is_told_by_the_others(app: FastAPI, context: ApiContext, client: Client) -> None:
    app.state.context = replace(context, health={})
    report(context.database, "one", "jobs")
    report(context.database, "two", "jobs", ok=False)
    assert client(**HERE).get("/health").json()["status"] == "degraded"
    assert client(**HERE).get("/readyz").json()["status"] == "ok", "it is no trouble of this process"


def test_the_processes_are_listed_with_the_age_of_their_reports(context: ApiContext, client: Client) -> None:
    report(context.database, "old", "jobs", ago=45)
    report(context.database, "new", "ingest", ago=3)
    items = client("viewer").get("/api/v1/processes").json()["items"]
    assert [(one["id"], one["reports"], one["age_s"]) for one in items] == [("new", True, 3.0), ("old", False, 45.0)]


def test_a_process_silent_for_an_hour_is_forgotten(context: ApiContext) -> None:
    report(context.database, "gone", "jobs", ago=4000)
    report(context.database, "here", "jobs")
    with context.database.reading() as connection:
        assert [one.id for one in processes.list_processes(connection)] == ["here"]


def test_a_process_without_the_api_tells_whether_it_is_alive_and_ready(context: ApiContext) -> None:
    troubled = replace(context, health={"ingest": lambda: {"ok": False}})
    for told, ready in ((context, 200), (troubled, 503)):
        with TestClient(create_health_app(told), base_url="http://127.0.0.1", client=("127.0.0.1", 5)) as here:
            assert here.get("/healthz").json() == {"status": "ok"}
            assert here.get("/readyz").status_code == ready
            assert here.get("/metrics").status_code == 200
            assert here.get("/api/v1/devices").status_code == 404


def test_strangers_learn_no_more_than_whether_it_is_ready_and_get_no_metrics(context: ApiContext) -> None:
    app = create_health_app(context)
    with TestClient(app, base_url="http://watch.example", client=("203.0.113.7", 5)) as stranger:
        assert stranger.get("/readyz").json() == {"status": "ok"}
        assert stranger.get("/metrics").status_code == 401
