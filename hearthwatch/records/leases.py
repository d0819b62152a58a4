"""Leases: of several processes that could do a thing, one does it. A lease ends with its process, so a killed holder is replaced at once.

A lease is a lock that the operating system or the database server lets go of by itself: an advisory lock of a PostgreSQL session, or
``flock`` on a file beside a SQLite file. There is no clock in it and nothing to renew. What it can not promise: whoever loses the
connection that carries the lock does not know until it asks again. Work under a lease must therefore be harmless when done twice.
"""

from __future__ import annotations

import fcntl
import logging
import os
import threading
from contextlib import suppress
from pathlib import Path
from typing import Any, Protocol
from urllib.parse import quote

from sqlalchemy import Engine
from sqlalchemy.exc import SQLAlchemyError

from hearthwatch.errors import Unavailable
from hearthwatch.records.database import Database
from hearthwatch.records.postgresql import advisory_key

LOG = logging.getLogger(__name__)


class Lease(Protocol):
    """A named right that at most one holder has. Thread-safe."""

    def hold(self) -> bool:
        """Take it, or confirm that it still is ours; never waits for another holder.

        False when another has it, and once when the connection that carried it is lost: the next call tries to take it again.
        """
        ...

    def give_up(self) -> None:
        """Let it go; harmless when it is not held."""
        ...


def lease(database: Database, name: str) -> Lease:
    """A lease on ``name`` among all that use the same database. It is not taken yet."""
    if database.engine.dialect.name == "postgresql":
        return _AdvisoryLock(database.engine, name)
    path = database.engine.url.database
    if path in {None, "", ":memory:"}:
        return _NameInMemory(database, name)
    return _FileLock(Path(f"{path}.{quote(name, safe='')}.lock"))


class _NameInMemory:
    """A database in memory has one process: its leases are names in the object."""

    def __init__(self, database: Database, name: str) -> None:
        self._database = database
        self._name = name
        self._held = False

    def hold(self) -> bool:
        with self._database.lease_turn:
            if not self._held and self._name not in self._database.leases:
                self._database.leases.add(self._name)
                self._held = True
            return self._held

    def give_up(self) -> None:
        with self._database.lease_turn:
            if self._held:
                self._database.leases.discard(self._name)
                self._held = False


class _FileLock:
    """``flock`` on a file of its own beside the database; the file stays, the lock goes with the process."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._turn = threading.Lock()
        self._file: int | None = None

    def hold(self) -> bool:
        with self._turn:
            if self._file is None:
                self._file = self._taken()
                return self._file is not None
            if self._is_the_file_at_the_path(self._file):
                return True
            LOG.warning("the lock file %s was removed; the lease is lost", self._path)
            self._close()
            return False

    def give_up(self) -> None:
        with self._turn:
            self._close()

    def _taken(self) -> int | None:
        try:
            file = os.open(self._path, os.O_RDWR | os.O_CREAT, 0o600)
        except OSError as error:
            raise Unavailable(
                f"the lock file {self._path} can not be opened: {error.strerror}", where="records"
            ) from error
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            os.close(file)
            return None
        if not self._is_the_file_at_the_path(file):
            os.close(file)
            return None
        return file

    def _is_the_file_at_the_path(self, file: int) -> bool:
        try:
            return os.path.samestat(os.fstat(file), self._path.stat())
        except FileNotFoundError:
            return False

    def _close(self) -> None:
        if self._file is not None:
            os.close(self._file)
            self._file = None


class _AdvisoryLock:
    """A session's advisory lock on a connection of its own.

    The server lets go of it when the session ends: at once when the process is killed, and within a minute when its machine vanishes,
    because every session of ours asks for keepalives. PgBouncer's transaction pooling gives every statement another session and can not
    carry it; `hold` then finds that the lock is not its session's and answers False.
    """

    def __init__(self, engine: Engine, name: str) -> None:
        self._engine = engine
        self._name = name
        self._key = advisory_key(name)
        self._away = engine.dialect.loaded_dbapi.Error  # what the driver raises of a session that is lost
        self._turn = threading.Lock()
        self._session: Any = None

    def hold(self) -> bool:
        with self._turn:
            if self._session is None:
                return self._take()
            try:
                if _asked(self._session, _MINE, self._key):
                    return True
                LOG.warning("the lease %s is not this session's any more", self._name)
            except self._away:
                LOG.warning("the connection that carried the lease %s is lost", self._name)
            self._end_session()
            return False

    def give_up(self) -> None:
        """Unlocked by a statement, because the server notices the end of a session only some time after it was closed here."""
        with self._turn:
            if self._session is not None:
                with suppress(self._away):  # a lost session has let go, or will
                    _asked(self._session, _GIVE_UP, self._key)
            self._end_session()

    def _take(self) -> bool:
        """Ask in a connection of the pool. One that carries the lock leaves the pool: closing it ends the session, and the lock with it."""
        session: Any = None
        try:
            session = self._engine.raw_connection()
            if not _asked(session, _TAKE, self._key):
                session.close()  # back into the pool: to wait for a lease costs the server no session for each time we ask
                return False
            session.detach()
        except (self._away, SQLAlchemyError) as error:
            LOG.warning(
                "the lease %s can not be asked for: the records are away (%s)", self._name, type(error).__name__
            )
            if session is not None:
                session.invalidate()  # the lock may be there, and its answer lost
            return False
        self._session = session
        return True

    def _end_session(self) -> None:
        session, self._session = self._session, None
        if session is not None:
            session.close()


def _asked(session: Any, question: str, key: int) -> bool:
    cursor = session.cursor()
    cursor.execute(question, (key,))
    return bool(cursor.fetchone()[0])


_TAKE = "SELECT pg_try_advisory_lock($1::bigint)"
_GIVE_UP = "SELECT pg_advisory_unlock($1::bigint)"
_MINE = """
SELECT count(*) = 1 FROM pg_locks
WHERE locktype = 'advisory' AND pid = pg_backend_pid() AND granted AND objsubid = 1
  AND (classid::bigint << 32 | objid::bigint) = $1::bigint
"""
