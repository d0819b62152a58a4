"""A real PostgreSQL for the tests: one server for the session, a migrated database of its own for every test that asks for one."""

from __future__ import annotations

import itertools
import os
import secrets
import shutil
import signal
import subprocess
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from hearthwatch.records.database import Database, open_database
from hearthwatch.records.tables import metadata

PROGRAMS = "/usr/lib/postgresql/15/bin"
USER = "hearthwatch"
TEMPLATE = "migrated"

# Fast, because nothing of it must outlive the tests. Text sorts as in English, which our tables must not depend on.
SETTINGS = {
    "listen_addresses": "127.0.0.1",
    "unix_socket_directories": "",
    "fsync": "off",
    "synchronous_commit": "off",
    "full_page_writes": "off",
    "autovacuum": "off",
    "max_wal_senders": "0",
    "wal_level": "minimal",
    "shared_buffers": "64MB",
    "max_connections": "100",
    "timezone": "Asia/Kolkata",
    "log_min_messages": "fatal",
}


@dataclass
class PostgresServer:
    """A running server; ``stop`` and ``start`` again keep the port and the data."""

    folder: Path
    port: int
    password: str
    program: str
    process: subprocess.Popen[bytes] | None = None
    numbers: Iterator[int] = field(default_factory=itertools.count)

    def address(self, database: str) -> str:
        """The records' address of one of its databases."""
        return f"postgresql://{USER}:{self.password}@127.0.0.1:{self.port}/{database}"

    def start(self) -> None:
        """Start it, and wait until it answers."""
        from tests.conftest import wait_for_port

        options = [part for name, value in SETTINGS.items() for part in ("-c", f"{name}={value}")]
        self.process = as_server_user([self.program, "-D", str(self.folder / "data"), "-p", str(self.port), *options])
        wait_for_port(self.port, self.process)
        self._wait_until_it_answers()

    def stop(self, how: signal.Signals = signal.SIGINT) -> None:
        """End it: SIGINT closes connections and ends in order, SIGQUIT crashes all of it at once."""
        assert self.process is not None
        self.process.send_signal(how)
        self.process.wait(timeout=30)
        self.process = None

    def run(self, *statements: str) -> None:
        """Run statements that stand outside transactions, in the database that every server has."""
        database = open_database(self.address("postgres"))
        connection = database.engine.raw_connection()
        cursor = connection.cursor()
        for statement in statements:
            cursor.execute(statement)
        connection.close()
        database.close()

    def _wait_until_it_answers(self) -> None:
        pause = threading.Event()
        for _ in range(400):
            try:
                self.run("SELECT 1")
                return
            except Exception as error:
                if "57P03" not in str(error):  # starting up, or not yet consistent
                    raise
                pause.wait(0.05)
        pytest.fail("the server does not come up")


def as_server_user(command: list[str]) -> subprocess.Popen[bytes]:
    """Start a program as the user that may run the server: it refuses root."""
    user = "postgres" if os.geteuid() == 0 else None
    return subprocess.Popen(
        command, user=user, group=user, cwd="/", stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )


@contextmanager
def running_server() -> Iterator[PostgresServer]:
    """A running PostgreSQL with a migrated template; its folder is removed at the end."""
    from tests.conftest import free_port, needed

    initdb, program = (needed(name, f"{PROGRAMS}/{name}") for name in ("initdb", "postgres"))
    folder = Path(tempfile.mkdtemp(prefix="hearthwatch-postgresql-"))
    server = PostgresServer(folder, free_port(), secrets.token_urlsafe(16), program)
    try:
        _initialise(initdb, server)
        server.start()
        server.run(f"CREATE DATABASE {TEMPLATE}")
        template = open_database(server.address(TEMPLATE))
        template.upgrade()
        template.close()
        yield server
    finally:
        if server.process is not None:
            server.stop()
        shutil.rmtree(folder)


@pytest.fixture(scope="session")
def postgres() -> Iterator[PostgresServer]:
    """The session's server."""
    with running_server() as server:
        yield server


@pytest.fixture
def postgresql(postgres: PostgresServer) -> Iterator[str]:
    """The address of a migrated PostgreSQL database that belongs to this test alone."""
    name = f"test_{next(postgres.numbers)}"
    postgres.run(f"CREATE DATABASE {name} TEMPLATE {TEMPLATE} STRATEGY file_copy")
    yield postgres.address(name)
    postgres.run(f"DROP DATABASE {name} WITH (FORCE)")


@pytest.fixture(scope="session")
def shared_postgresql(postgres: PostgresServer) -> Iterator[Database]:
    """Records that tests share one after the other."""
    postgres.run(f"CREATE DATABASE shared TEMPLATE {TEMPLATE} STRATEGY file_copy")
    opened = open_database(postgres.address("shared"))
    yield opened
    opened.close()


@pytest.fixture
def postgresql_database(shared_postgresql: Database) -> Database:
    """Records in PostgreSQL, migrated and empty; emptying them takes milliseconds, where a database of its own takes half a second."""
    empty(shared_postgresql)
    return shared_postgresql


# A test may leave a lease behind, as a process may; in the next test it is another's.
_END_LEASES = """
SELECT pg_terminate_backend(pid, 5000) FROM pg_locks JOIN pg_database ON pg_database.oid = pg_locks.database
WHERE locktype = 'advisory' AND pid <> pg_backend_pid() AND datname = current_database()
"""


def empty(database: Database) -> None:
    """Delete every row and begin all numbers at 1 again. As a replica does, so that neither ledgers nor references stand in the way."""
    with database.transaction(alone=False) as connection:
        connection.exec_driver_sql(_END_LEASES)
        connection.exec_driver_sql("SET LOCAL session_replication_role = replica")
        connection.exec_driver_sql("; ".join(f'DELETE FROM "{table}"' for table in metadata.tables))
        used = "SELECT sequencename FROM pg_sequences WHERE last_value IS NOT NULL"
        for sequence in connection.exec_driver_sql(used).scalars().all():
            connection.exec_driver_sql(f'ALTER SEQUENCE "{sequence}" RESTART')


def _initialise(initdb: str, server: PostgresServer) -> None:
    password = server.folder / "password"
    password.write_text(server.password)
    if os.geteuid() == 0:
        for place in (server.folder, password):
            shutil.chown(place, "postgres", "postgres")
    command = [initdb, "-D", str(server.folder / "data"), "-U", USER, "-A", "scram-sha-256", f"--pwfile={password}"]
    command += ["-E", "UTF8", "--locale-provider=icu", "--icu-locale=en-US", "--locale=C.UTF-8", "--no-sync"]
    if as_server_user(command).wait(timeout=120) != 0:
        pytest.fail(f"initdb can not make a server in {server.folder}")
