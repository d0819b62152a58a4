"""PostgreSQL behind the records: how it is reached (by pg8000), how its transactions begin, and what its error codes mean.

Writers run at READ COMMITTED. Those that decide by what they read take turns, by one advisory lock, as they do on SQLite; those whose
writes commute run side by side. Readers run at REPEATABLE READ, READ ONLY: one consistent view, which never fails to serialise.
See docs/adr/0008-postgresql.md.
"""

from __future__ import annotations

import hashlib
import ssl
from typing import Any

import sqlalchemy as sa
from sqlalchemy import Connection, Engine, event
from sqlalchemy.dialects import registry
from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import ArgumentError, DBAPIError

from hearthwatch.errors import Conflict, HearthwatchError, Invalid, Unavailable
from hearthwatch.records.json_text import json_text

CONNECT_SECONDS = 10
ANSWER_SECONDS = 300  # no statement of ours takes that long
SILENCE_SECONDS = 30  # after which a peer whose machine does not answer is given up
POOL = 5  # connections kept for each process
POOL_PEAK = 10  # and more under load: six processes stay below the 100 that a server allows by default
RETRY_AFTER = 1.0

_DRIVER = "hearthwatch_pg8000"
_SSL_MODES = ("disable", "prefer", "require", "verify-ca", "verify-full")
_SESSION = {
    "timezone": "UTC",
    "lock_timeout": "30s",  # as long as SQLite waits for its file
    "tcp_keepalives_idle": "20",  # a client that vanished keeps locks and leases for less than a minute
    "tcp_keepalives_interval": "10",
    "tcp_keepalives_count": "3",
}
SET_UP = "SELECT " + ", ".join(f"set_config('{name}', '{value}', false)" for name, value in _SESSION.items())
_READ_ONLY_SERVER = "25006"
GONE = ("08", "57P01", "57P02", "57P03", "57P05", "25P03", _READ_ONLY_SERVER)


class Contended(Unavailable):
    """Another transaction was in the way, and this one was rolled back. Retry at once; see `Database.retrying`."""


registry.register(f"postgresql.{_DRIVER}", "hearthwatch.records.postgresql_dialect", "PipelinedDialect")


def postgresql_engine(address: str) -> Engine:
    """An engine for ``postgresql://USER:PASSWORD@HOST:PORT/DATABASE``. Raises `Invalid` for an address that can not be read.

    Options: ``password_file=/path``, ``sslmode`` (as of libpq; ``prefer`` unless given), ``sslrootcert=/path``, ``host=/folder`` of a
    Unix socket.
    """
    url = _url(address)
    options = _connect_options(url)
    engine = sa.create_engine(
        url.set(drivername=f"postgresql+{_DRIVER}", query={}),
        connect_args=options,
        paramstyle="numeric_dollar",
        pool_size=POOL,
        max_overflow=POOL_PEAK,
        pool_pre_ping=True,
        pool_use_lifo=True,
        hide_parameters=True,
        json_serializer=json_text,
    )

    @event.listens_for(engine, "begin")
    def begin(connection: Connection) -> None:
        options = connection.get_execution_options()
        if options.get("read_only"):
            connection.exec_driver_sql("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY")
        elif options.get("alone"):
            connection.exec_driver_sql(f"{_WRITING}; {_TURN}")
        else:
            connection.exec_driver_sql(_WRITING)

    return engine


def _url(address: str) -> URL:
    try:
        return make_url("postgresql" + address[address.index(":") :])
    except (ArgumentError, ValueError):
        raise Invalid(
            "the address can not be read; it is postgresql://USER:PASSWORD@HOST:PORT/DATABASE, with special characters of the password as "
            "%XX, or with ?password_file=/path instead of it",
            where="records",
        ) from None


def _connect_options(url: URL) -> dict[str, Any]:
    query = {name: value if isinstance(value, str) else value[-1] for name, value in url.query.items()}
    if wrong := set(query) - {"password_file", "sslmode", "sslrootcert", "host"}:
        raise Invalid(f"no option of a PostgreSQL address: {', '.join(sorted(wrong))}", where="records")
    host = query.get("host") or url.host or "127.0.0.1"
    options: dict[str, Any] = {
        "host": host,
        "port": url.port or 5432,
        "ssl_context": _tls(query.get("sslmode", "prefer"), query.get("sslrootcert"), local=host.startswith("/")),
        "application_name": "hearthwatch",
    }
    if "password_file" in query:
        options["password_file"] = query["password_file"]
    elif url.password is None:
        options["password"] = ""
    if url.username is None or not url.database:
        raise Invalid("the address names no user or no database", where="records")
    return options


def _tls(mode: str, authority: str | None, *, local: bool) -> ssl.SSLContext | bool | None:
    """What pg8000 takes: False for none, None for where the server has it, True for always, or a context that checks certificates."""
    if mode not in _SSL_MODES:
        raise Invalid(f"sslmode is one of {', '.join(_SSL_MODES)}, not {mode!r}", where="records")
    if mode == "disable" or local:
        return False
    if mode in {"prefer", "require"}:
        return None if mode == "prefer" else True
    try:
        context = ssl.create_default_context(cafile=authority)
    except OSError as error:
        raise Invalid(f"sslrootcert can not be read: {error.strerror}", where="records") from error
    context.check_hostname = mode == "verify-full"
    return context


def advisory_key(name: str) -> int:
    """The number, of 64 bits with sign, that stands for a name among the server's advisory locks."""
    return int.from_bytes(hashlib.sha256(f"hearthwatch:{name}".encode()).digest()[:8], "big", signed=True)


_WRITING = "BEGIN ISOLATION LEVEL READ COMMITTED"
_TURN = f"SELECT pg_advisory_xact_lock({advisory_key('writers')})"


def take_turn(connection: Connection, name: str) -> None:
    """Wait until no other transaction has this turn, and keep it until ours ends. It may take as long as it takes."""
    connection.exec_driver_sql("SET LOCAL lock_timeout = 0")
    connection.exec_driver_sql("SELECT pg_advisory_xact_lock($1::bigint)", (advisory_key(name),))
    connection.exec_driver_sql(f"SET LOCAL lock_timeout = '{_SESSION['lock_timeout']}'")


def sqlstate(error: BaseException | None) -> str:
    """The server's five-character code in an error of pg8000; empty where the error does not come from the server."""
    said = error.args[0] if error is not None and error.args else None
    return str(said.get("C", "")) if isinstance(said, dict) else ""


def meaning(error: DBAPIError) -> HearthwatchError:
    """What a failure of PostgreSQL is to the caller, by its code (https://www.postgresql.org/docs/15/errcodes-appendix.html)."""
    code = sqlstate(error.orig)
    if not code:
        return _unreachable(error)
    said = error.orig.args[0].get("M", "") if error.orig is not None else ""
    if code[:2] == "23" or code == "P0001":  # a constraint, or the trigger of a ledger
        return Conflict(f"the records do not allow this: {said}")
    if code in {"40001", "40P01", "55P03"}:
        return Contended("another transaction was in the way; try again", retry_after=RETRY_AFTER, where="records")
    for codes, remedy in _REMEDIES:
        if code.startswith(codes):
            return Unavailable(f"{remedy} ({said})", where="records")
    return Invalid(
        f"the records cannot hold this: {said}" if code[:2] == "22" else f"the records cannot do this: {said}"
    )


_REMEDIES: tuple[tuple[tuple[str, ...], str], ...] = (
    (
        ("28",),
        "the server refuses this user: check user and password in the address of the records, or its password file",
    ),
    (("3D000",), "the database does not exist: create it, owned by the user of the address"),
    (("42501",), "the user of the address may not do this: make it the owner of the database"),
    (("42P01", "42703"), "the schema is not current; run: hearthwatch db upgrade"),
    (("53300",), "the server has no connection left: raise max_connections, or run fewer processes"),
    (("53100",), "the server's disk is full"),
    ((_READ_ONLY_SERVER,), "the server only reads: it is a standby, or its disk is full"),
    (("08", "53", "57", "58", "25P03"), "the records are away"),
)


def _unreachable(error: DBAPIError) -> HearthwatchError:
    said = str(error.orig)
    if "network error" in said or "connection is closed" in said:
        return Unavailable(f"the server does not answer, or the connection to it was lost ({said})", where="records")
    if "SSL" in said:
        return Unavailable("the server has no TLS: see sslmode in the address of the records", where="records")
    from pg8000.dbapi import InterfaceError  # type: ignore[import-untyped]

    if isinstance(error.orig, InterfaceError):
        return Unavailable(f"the records are away ({said})", where="records")
    return Invalid(f"the records cannot do this: {said}")
