"""A database of an earlier schema, as an operator upgrades it: by command, or by starting the platform; nothing is lost."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from datetime import UTC, datetime
from pathlib import Path

import httpx
import pytest
import sqlalchemy as sa

from hearthwatch.records import access, outbox, tables
from hearthwatch.records.database import Database, open_database
from hearthwatch.telemetry import open_store
from tests.conftest import free_port
from tests.integration.test_doctor import claim_format
from tests.records_rows import Row, all_rows, fill

NOW = datetime(2026, 5, 1, tzinfo=UTC)
MADE_AT_START = frozenset({"policies", "job_runs", "analysis_states", "vitals"})
ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(params=["sqlite", "postgresql"])
def address(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """Records of the first schema, with rows in every table and rows that the platform's own functions made."""
    made = f"sqlite:///{tmp_path / 'var' / 'records.sqlite3'}"
    if request.param == "postgresql":
        made = str(request.getfixturevalue("postgresql"))
    with closing(open_database(made)) as database:
        database.downgrade("base")
        database.upgrade("0001")
        fill(database)
        use(database)
    return made


def use(database: Database) -> None:
    """What an installation does in its first days, written as the first schema had it."""
    rows: list[tuple[sa.Table, dict[str, object]]] = [
        (tables.models, {"id": "lock-2", "name": "Lock 2"}),
        (tables.devices, {"id": "lock-1", "firmware": "2.4.1", "version": "2.4.1", "convention": "native", "last_seen": NOW}),
        (tables.homes, {"id": "h-1", "address": "Main St 1", "city": "Town", "region": "EU", "timezone": "Europe/Berlin"}),
        (tables.customers, {"id": "c-1", "name": "Ada", "email": "ada@example.com", "channels": ["mailbox://c-1"]}),
        (tables.ownerships, {"device_id": "lock-1", "customer_id": "c-1", "home_id": "h-1", "from_at": NOW}),
        (tables.consent_events, {"customer_id": "c-1", "purpose": "service", "granted": True, "at": NOW, "source": "test"}),
        (
            tables.findings,
            {
                "kind": "anomaly", "subject_type": "device", "subject": "lock-1", "mode": "battery_fade", "episode": 1,
                "severity": "warning", "state": "open", "evidence": {}, "first_seen": NOW, "last_seen": NOW,
            },
        ),
    ]  # fmt: skip
    with database.transaction() as connection:
        for table, row in rows:
            connection.execute(sa.insert(table).values(row))
        access.create_user(connection, "ada", "correct horse battery", "admin", NOW)


def environment(tmp_path: Path, address: str, **options: str) -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith("HEARTHWATCH_")}
    return {
        **kept,
        "HEARTHWATCH_DATA_DIR": str(tmp_path / "var"),
        "HEARTHWATCH_RECORDS": address,
        "HEARTHWATCH_BROKER": "local://upgrade",
        "PYTHONPATH": str(ROOT),
        **options,
    }


def hearthwatch(environment: Mapping[str, str], *arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "hearthwatch", *arguments]
    return subprocess.run(command, env=dict(environment), capture_output=True, text=True, timeout=120, check=False)


def kept(address: str, without: frozenset[str] = frozenset()) -> dict[str, list[Row]]:
    with closing(open_database(address)) as database:
        return all_rows(database, without)


def test_the_command_upgrades_and_nothing_is_lost(tmp_path: Path, address: str) -> None:
    before = kept(address)
    done = hearthwatch(environment(tmp_path, address), "db", "upgrade")
    assert (done.returncode, done.stdout) == (0, "the schema is current\n"), done.stderr
    after = kept(address)
    assert_contains(after, before)
    again = hearthwatch(environment(tmp_path, address), "db", "upgrade")
    assert again.returncode == 0
    with closing(open_database(address)) as database, database.reading() as connection:
        assert database.schema_is_current()
        assert access.check_password(connection, "ada", "correct horse battery").role == "admin"
        assert outbox.list_items(connection)


def assert_contains(after: Mapping[str, list[Row]], before: Mapping[str, list[Row]]) -> None:
    """Every table has the rows that it had, with every value that they had."""
    assert set(before) <= set(after)
    for table, rows in before.items():
        assert len(after[table]) == len(rows), table
        for row in rows:
            assert any(row <= later for later in after[table]), (table, row)


def test_starting_the_platform_upgrades_and_nothing_is_lost(tmp_path: Path, address: str) -> None:
    with closing(open_database(address)) as database, database.transaction() as connection:
        # What the jobs of the first minute would rightly change is taken out of the way.
        connection.execute(sa.text("UPDATE outbox SET state = 'delivered'"))
    before = kept(address, MADE_AT_START)
    with started(environment(tmp_path, address)):
        pass
    after = kept(address, MADE_AT_START)
    for table in (
        "devices",
        "customers",
        "homes",
        "ownerships",
        "consent_events",
        "users",
        "tokens",
        "quarantine",
        "mailbox",
        "imports",
    ):
        assert_contains({table: after[table]}, {table: before[table]})
    assert set(before) <= set(after)
    assert all(len(after[table]) >= len(rows) for table, rows in before.items() if table != "used_nonces")


@contextmanager
def started(environment: Mapping[str, str], lines: list[str] | None = None) -> Iterator[str]:
    """The platform, running until the block ends; it must be ready before. ``lines`` gets its log afterwards."""
    port = free_port()
    process = subprocess.Popen(
        [sys.executable, "-m", "hearthwatch", "up", "--port", str(port)],
        env=dict(environment),
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        wait_until_ready(f"http://127.0.0.1:{port}", process)
        yield f"http://127.0.0.1:{port}"
    finally:
        process.send_signal(signal.SIGTERM)
        _, log = process.communicate(timeout=30)
        assert process.returncode == 0, log
        if lines is not None:
            lines.extend(log.splitlines())


def wait_until_ready(url: str, process: subprocess.Popen[str]) -> None:
    pause = threading.Event()
    for _ in range(600):
        if process.poll() is not None:
            pytest.fail("it ended: " + process.communicate()[1])
        try:
            if httpx.get(f"{url}/health", timeout=5).status_code == 200:
                return
        except httpx.HTTPError:
            pass
        pause.wait(0.1)
    pytest.fail("it does not become ready")


@pytest.mark.parametrize("arguments", [("up", "--port", "0"), ("db", "upgrade"), ("token", "list")])
def test_a_schema_of_a_later_version_is_refused_in_one_line(
    tmp_path: Path, address: str, arguments: tuple[str, ...]
) -> None:
    with closing(open_database(address)) as database:
        database.upgrade()
        with database.transaction() as connection:
            connection.execute(sa.text("UPDATE alembic_version SET version_num = '9999'"))
    before = kept(address)
    refused = hearthwatch(environment(tmp_path, address), *arguments)
    assert refused.returncode in {2, 3}
    assert len(refused.stderr.strip().splitlines()) == 1, refused.stderr
    assert "schema" in refused.stderr
    assert kept(address) == before


def test_a_telemetry_file_of_a_later_format_is_refused_in_one_line(tmp_path: Path) -> None:
    path = tmp_path / "var" / "telemetry.duckdb"
    open_store(f"duckdb:///{path}").close()
    claim_format(path, 1000)
    before = path.read_bytes()
    refused = hearthwatch(
        environment(tmp_path, f"sqlite:///{tmp_path / 'var' / 'records.sqlite3'}"), "up", "--port", "0"
    )
    assert refused.returncode == 2
    lines = refused.stderr.strip().splitlines()
    assert "storage version number 1000" in lines[-1]
    assert str(path) in lines[-1]
    assert not any("Traceback" in line for line in lines)
    assert path.read_bytes() == before
