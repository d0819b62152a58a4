"""SQLAlchemy's dialect for PostgreSQL over `Session`; SQLAlchemy imports it, and pg8000 with it, when such an address is opened."""

from __future__ import annotations

import socket
from pathlib import Path
from types import ModuleType
from typing import Any

import pg8000.dbapi  # type: ignore[import-untyped]
from sqlalchemy.dialects.postgresql.base import PGCompiler
from sqlalchemy.dialects.postgresql.pg8000 import PGDialect_pg8000

from hearthwatch.errors import Unavailable
from hearthwatch.records.pg8000_session import Session, network_errors
from hearthwatch.records.postgresql import ANSWER_SECONDS, CONNECT_SECONDS, GONE, SET_UP, SILENCE_SECONDS, sqlstate


class PipelinedDialect(PGDialect_pg8000):
    """SQLAlchemy's dialect for pg8000 over `Session`."""

    supports_statement_cache = True
    statement_compiler = PGCompiler  # type: ignore[assignment]  # pg8000's own writes %% for %, as its style of parameters needs it

    @classmethod
    def import_dbapi(cls) -> ModuleType:
        """The driver's module."""
        module: ModuleType = pg8000.dbapi
        return module

    def retrieve_dbapi_version(self, dbapi: Any) -> Any:
        """Its version, which that module does not tell."""
        return super().retrieve_dbapi_version(pg8000)  # type: ignore[no-untyped-call]

    def connect(self, *arguments: Any, **options: Any) -> Any:
        """Connect; a password in a file is read every time, so that it can be changed while we run."""
        file = options.pop("password_file", None)
        if file is not None:
            options["password"] = _password(file)
        host, port = str(options["host"]), int(options["port"])
        with network_errors():
            options["sock"] = _socket(host, port)
            session = Session(*arguments, **options)
            session.run(SET_UP)
        return session

    def is_disconnect(self, e: Any, connection: Any, cursor: Any) -> bool:
        """Also what a server says that goes down, or that has become a standby."""
        broken: bool = super().is_disconnect(e, connection, cursor)  # type: ignore[no-untyped-call]
        return broken or sqlstate(e).startswith(GONE)

    def do_close(self, dbapi_connection: Any) -> None:
        """Close a connection; one that is broken is gone already."""
        try:
            dbapi_connection.close()
        except pg8000.dbapi.Error:
            return


def _password(file: str) -> str:
    try:
        return Path(file).read_text(encoding="utf-8").rstrip("\r\n")
    except OSError as error:
        raise Unavailable(f"the password file {file} can not be read: {error.strerror}", where="records") from error


def _socket(host: str, port: int) -> socket.socket:
    if host.startswith("/"):
        local = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        local.settimeout(ANSWER_SECONDS)
        local.connect(f"{host}/.s.PGSQL.{port}")
        return local
    connected = socket.create_connection((host, port), CONNECT_SECONDS)
    connected.settimeout(ANSWER_SECONDS)
    connected.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    connected.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    for name, value in (("TCP_KEEPIDLE", 20), ("TCP_KEEPINTVL", 5), ("TCP_USER_TIMEOUT", SILENCE_SECONDS * 1000)):
        if hasattr(socket, name):
            connected.setsockopt(socket.IPPROTO_TCP, getattr(socket, name), value)
    return connected
