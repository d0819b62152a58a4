"""An application over stores in memory, and a client for each role."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from types import SimpleNamespace
from typing import cast

import pytest
from argon2 import PasswordHasher
from fastapi import FastAPI
from fastapi.testclient import TestClient
from prometheus_client import CollectorRegistry

from api.app import ApiContext, create_app
from api.sign_in import GuessBrake
from hearthwatch.clock import SteppedClock
from hearthwatch.ports import TelemetryStore
from hearthwatch.records import access
from hearthwatch.records.database import Database
from hearthwatch.run.replaying import replay_held
from hearthwatch.settings import Settings
from hearthwatch.telemetry import open_store

Client = Callable[..., TestClient]


@pytest.fixture(autouse=True)
def _cheap_passwords(monkeypatch: pytest.MonkeyPatch) -> None:
    # What makes a password slow to guess makes these tests slow as well.
    monkeypatch.setattr(access, "_HASHER", PasswordHasher(time_cost=1, memory_cost=8, parallelism=1))
    access._hash_of_nobody.cache_clear()


@pytest.fixture(scope="session")
def store() -> Iterator[TelemetryStore]:
    """A telemetry store in memory that these tests share; hardly any of them writes to it."""
    opened = open_store("duckdb://")
    yield opened
    opened.close()


@pytest.fixture
def context(database: Database, store: TelemetryStore, clock: SteppedClock) -> ApiContext:
    """Everything an application needs, in memory."""
    settings = Settings()
    return ApiContext(
        database=database,
        store=store,
        clock=clock,
        settings=settings,
        registry=CollectorRegistry(),
        secret_key="a key for tests",
        health={"ingest": lambda: {"connected": True}, "version": "1"},
        replay=lambda: replay_held(settings, store, database, clock.now()),
    )


@pytest.fixture(scope="session")
def _built() -> FastAPI:
    # Its routes take longer to build than a test to run, and they hold no state.
    return create_app(cast("ApiContext", SimpleNamespace(settings=Settings())), with_pages=False)


@pytest.fixture
def app(_built: FastAPI, context: ApiContext) -> FastAPI:
    """The API without the staff's pages."""
    _built.state.context = context
    _built.state.guess_brake = GuessBrake()
    return _built


@pytest.fixture
def client(app: FastAPI, context: ApiContext) -> Iterator[Client]:
    """Makes clients: ``client("engineer")`` carries a token of that role, ``client()`` nothing; both come from elsewhere."""
    with ExitStack() as stack:

        def make(
            role: str | None = None,
            *,
            name: str | None = None,
            base_url: str = "http://watch.example",
            address: str = "203.0.113.7",
        ) -> TestClient:
            headers = {}
            if role is not None:
                with context.database.transaction() as connection:
                    secret = access.create_token(connection, name or role, role, context.clock.now())
                headers["Authorization"] = f"Bearer {secret}"
            made = TestClient(
                app,
                base_url=base_url,
                headers=headers,
                client=(address, 50_000),
                raise_server_exceptions=False,
                follow_redirects=False,
            )
            return stack.enter_context(made)

        yield make
