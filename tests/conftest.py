"""Fixtures every test may use. Servers are started here, on free ports of 127.0.0.1, and ended by process id."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, settings
from sqlalchemy import Engine

from hearthwatch.clock import SteppedClock
from hearthwatch.ports import TelemetryStore
from hearthwatch.records.database import Database, open_database
from tests.influxdb_server import influxd, influxdb
from tests.postgresql_server import postgres, postgresql, postgresql_database, shared_postgresql

__all__ = ["influxd", "influxdb", "postgres", "postgresql", "postgresql_database", "shared_postgresql"]

START = datetime(2026, 5, 1, tzinfo=UTC)

# A busy machine is no failure of the code: laws are tested without a time limit for each example.
settings.register_profile("hearthwatch", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("hearthwatch")


# Where Python is told to keep no compiled modules beside their sources, it would compile the platform anew in each of the
# hundred processes that tests start, which takes longer than all else of their start: so they are kept where pytest keeps its own.
if sys.dont_write_bytecode:
    os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
    os.environ["PYTHONPYCACHEPREFIX"] = sys.pycache_prefix = str(
        Path(__file__).parents[1] / ".pytest_cache" / "bytecode"
    )
    sys.dont_write_bytecode = False


@pytest.fixture
def clock() -> SteppedClock:
    """A clock that stands at 2026-05-01T00:00Z until the test moves it."""
    return SteppedClock(START)


@pytest.fixture(scope="session")
def migrated() -> bytes:
    """A migrated database, as bytes: it is migrated once and copied for every test."""
    return migrated_image()


@pytest.fixture
def database(request: pytest.FixtureRequest) -> Database:
    """Migrated records: in memory, or where ``HEARTHWATCH_TEST_RECORDS`` is ``postgresql`` in PostgreSQL."""
    place = os.environ.get("HEARTHWATCH_TEST_RECORDS", "sqlite")
    found: Database = request.getfixturevalue(f"{place}_database")
    return found


@pytest.fixture
def sqlite_database() -> Iterator[Database]:
    """Records in memory, migrated."""
    with records_in_memory() as opened:
        yield opened


@pytest.fixture
def store() -> Iterator[TelemetryStore]:
    """A telemetry store in memory."""
    from hearthwatch.telemetry import open_store

    opened = open_store("duckdb://")
    yield opened
    opened.close()


@pytest.fixture
def mosquitto(tmp_path: Path) -> Iterator[str]:
    """Address of a real Mosquitto that belongs to this test alone."""
    program = needed("mosquitto", "/usr/sbin/mosquitto")
    port = free_port()
    config = tmp_path / "mosquitto.conf"
    config.write_text(
        f"listener {port} 127.0.0.1\nallow_anonymous true\nmax_inflight_messages 5000\nmax_queued_messages 1000000\n"
    )
    process = subprocess.Popen([program, "-c", str(config)], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        wait_for_port(port, process)
        yield f"mqtt://127.0.0.1:{port}"
    finally:
        process.terminate()
        process.wait(timeout=10)


@pytest.fixture
def third_party_data() -> Path:
    """The folder with third-party data; the test is skipped where there is none."""
    named = os.environ.get("HEARTHWATCH_DATA")
    if not named:
        pytest.skip("HEARTHWATCH_DATA is not set")
    return Path(named)


@cache
def migrated_image() -> bytes:
    """A migrated database in memory, as bytes."""
    opened = open_database("sqlite://")
    opened.upgrade()
    image = image_of(opened)
    opened.close()
    return image


@cache
def _memory() -> Engine:
    return open_database("sqlite://").engine


_one_at_a_time = threading.Lock()


@contextmanager
def records_in_memory() -> Iterator[Database]:
    """A migrated database in memory; there is one at a time.

    Each is a new connection of the same engine, which remembers the statements that it has compiled: to compile them anew takes half the
    time of a test.
    """
    assert _one_at_a_time.acquire(blocking=False), (
        "the records in memory are in use: the fixture `database` is one of them"
    )
    opened = Database(_memory())
    try:
        restore(opened, migrated_image())
        yield opened
    finally:
        opened.close()
        _one_at_a_time.release()


def image_of(database: Database) -> bytes:
    """A database in memory, as bytes."""
    connection = database.engine.raw_connection()
    driver: Any = connection.driver_connection
    image: bytes = driver.serialize()
    connection.close()
    return image


def restore(database: Database, image: bytes) -> None:
    """Make a database in memory what its bytes say."""
    connection = database.engine.raw_connection()
    driver: Any = connection.driver_connection
    driver.deserialize(image)
    connection.close()


def needed(program: str, *places: str) -> str:
    """Path of a server's program; without it the test is skipped, or fails where services are required."""
    found = shutil.which(program) or next((place for place in places if Path(place).exists()), None)
    if found is None:
        message = f"{program} is not installed (make services installs it)"
        if os.environ.get("HEARTHWATCH_REQUIRE_SERVICES") == "1":
            pytest.fail(message)
        pytest.skip(message)
    return found


def free_port() -> int:
    """A port of 127.0.0.1 that nobody listens on right now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def wait_for_port(port: int, process: subprocess.Popen[bytes], seconds: float = 20) -> None:
    """Wait until someone listens on a port; fails when the process ends before."""
    pause = threading.Event()
    for _ in range(int(seconds / 0.05)):
        if process.poll() is not None:
            pytest.fail(f"the server ended with {process.returncode} before it listened on {port}")
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        pause.wait(0.05)
    pytest.fail(f"nobody listens on port {port} after {seconds} s")
