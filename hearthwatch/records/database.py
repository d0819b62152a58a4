"""The relational store: opens it, gives transactions, translates its errors. SQLite by default, PostgreSQL by address."""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, nullcontext
from itertools import groupby, islice
from operator import itemgetter
from pathlib import Path
from typing import Any, TypeVar

import sqlalchemy as sa
from sqlalchemy import Connection, Engine, event
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.exc import DBAPIError, IntegrityError, OperationalError, SQLAlchemyError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from sqlalchemy.pool import StaticPool

from hearthwatch.errors import Conflict, HearthwatchError, Invalid, Missing, Stale, Unavailable
from hearthwatch.records.json_text import json_text
from hearthwatch.records.postgresql import Contended, meaning, postgresql_engine, take_turn
from hearthwatch.records.revisions import known, standing_at
from hearthwatch.records.statements import insert_missing_into, updated

T = TypeVar("T")

RETRIES = 2

_WAL_IS_SAFE = (3, 51, 3)  # earlier versions can corrupt the file when a WAL is reset


class Database:
    """An open relational store. Thread-safe; one transaction per request or job."""

    def __init__(self, engine: Engine) -> None:
        self.engine = engine
        # A database in memory is one connection: its transactions take turns.
        self._turn = threading.RLock() if isinstance(engine.pool, StaticPool) else nullcontext()
        self.leases: set[str] = set()  # held in a database in memory; see `hearthwatch.records.leases`
        self.lease_turn = threading.Lock()

    @contextmanager
    def transaction(self, *, alone: bool = True) -> Iterator[Connection]:
        """One transaction: committed when the block ends, rolled back when it raises.

        Those that run ``alone`` take turns, on every database: what one has read does not change before it has written. Say ``alone=False``
        where the writes commute with others (newest wins, counted up, claimed or locked row by row); SQLite has one writer all the same.
        Raises `Unavailable` when the database is away, locked or full, `Conflict` where a constraint says no, `Contended` where
        another transaction was in the way.
        """
        with self._begun(alone=alone) as connection:
            yield connection

    @contextmanager
    def reading(self) -> Iterator[Connection]:
        """A transaction that only reads: one consistent view, and no writer has to wait for it to begin."""
        with self._begun(read_only=True) as connection:
            yield connection

    def retrying(self, work: Callable[[Connection], T], *, alone: bool = True) -> T:
        """The result of ``work`` in a transaction; where another was in the way it is rolled back and done again, at most twice."""
        for _ in range(RETRIES):
            try:
                with self.transaction(alone=alone) as connection:
                    return work(connection)
            except Contended:
                continue
        with self.transaction(alone=alone) as connection:
            return work(connection)

    @contextmanager
    def _begun(self, **options: bool) -> Iterator[Connection]:
        with translated(), self._turn, self.engine.connect() as plain:
            connection = plain.execution_options(**options)
            with connection.begin():
                yield connection

    def upgrade(self, revision: str = "head") -> None:
        """Bring the schema to a migration; where it is current already nothing is asked of Alembic."""
        if revision == "head" and self.schema_is_current():
            return
        from hearthwatch.records import migrating  # it brings Alembic along

        self._migrate(migrating.upgrade, revision)

    def downgrade(self, revision: str) -> None:
        """Take the schema back to a migration (``base``: empty)."""
        from hearthwatch.records import migrating

        self._migrate(migrating.downgrade, revision)

    def schema_is_current(self) -> bool:
        """Whether every migration has been applied."""
        with translated(), self.engine.connect() as connection:
            return standing_at(connection) == known()[-1]

    def is_fresh(self) -> bool:
        """Whether there is nothing in it yet, not even a table."""
        with translated(), self.engine.connect() as connection:
            return not sa.inspect(connection).get_table_names()

    def close(self) -> None:
        """Release all connections."""
        self.engine.dispose()

    def _migrate(self, step: Callable[[Connection, str], None], revision: str) -> None:
        with translated(), self.engine.begin() as connection:
            # Of processes that start at once one migrates and the others wait: on SQLite BEGIN IMMEDIATE has seen to that already.
            if connection.dialect.name == "postgresql":
                take_turn(connection, "migrations")
            _check_known(connection)
            step(connection, revision)


def open_database(address: str) -> Database:
    """Open ``sqlite:///path``, ``sqlite://`` (memory) or ``postgresql://...``. Raises `Invalid` for any other address.

    ``?synchronous=off`` after a SQLite path does not wait for the disk: for data that may be lost when the power fails.
    """
    scheme = address.split(":", 1)[0]
    if scheme == "sqlite":
        return Database(_sqlite(address))
    if scheme in {"postgresql", "postgres"}:
        return Database(postgresql_engine(address))
    raise Invalid(f"no relational store speaks {scheme!r}; use sqlite:///... or postgresql://...", where="records")


def _sqlite(address: str) -> Engine:
    address, synchronous = _durability(address)
    path = address.removeprefix("sqlite://").removeprefix("/")
    options: dict[str, Any] = {
        "connect_args": {"timeout": 30, "check_same_thread": False},
        "json_serializer": json_text,
    }
    if path in {"", ":memory:"}:
        options["poolclass"] = StaticPool
    else:
        Path(path).parent.mkdir(parents=True, exist_ok=True)
    engine = sa.create_engine(address, **options)
    journal = "WAL" if sqlite3.sqlite_version_info >= _WAL_IS_SAFE else "DELETE"

    @event.listens_for(engine, "connect")
    def configure(connection: sqlite3.Connection, _record: object) -> None:
        connection.isolation_level = (
            None  # we say BEGIN ourselves: pysqlite's own is deferred and can fail in the middle
        )
        for pragma in (
            f"journal_mode={journal}",
            "foreign_keys=ON",
            f"synchronous={synchronous}",
            "busy_timeout=30000",
        ):
            connection.execute(f"PRAGMA {pragma}")

    @event.listens_for(engine, "begin")
    def begin(connection: Connection) -> None:
        reading = connection.get_execution_options().get("read_only", False)
        connection.exec_driver_sql("BEGIN" if reading else "BEGIN IMMEDIATE")

    return engine


def _durability(address: str) -> tuple[str, str]:
    """The address without its option, and SQLite's ``synchronous``: FULL unless ``?synchronous=off`` gives durability away."""
    place, _, option = address.partition("?")
    if option not in {"", "synchronous=off"}:
        raise Invalid(f"SQLite's only option here is synchronous=off, not {option!r}", where="records")
    return place, "OFF" if option else "FULL"


@contextmanager
def translated() -> Iterator[None]:
    """Translate SQLAlchemy's errors into ours; the one place that does."""
    try:
        yield
    except DBAPIError as error:
        if isinstance(error.orig, sqlite3.Error):
            raise _meaning_of_sqlite(error) from error
        raise meaning(error) from error
    except PoolTimeout as error:
        raise Unavailable("every connection to the records is in use", retry_after=1.0, where="records") from error
    except UnicodeEncodeError as error:
        raise Invalid(f"the records cannot hold this: it is no text ({error.reason})") from error
    except SQLAlchemyError as error:
        raise Invalid(f"the records cannot do this: {error}") from error


def _meaning_of_sqlite(error: DBAPIError) -> HearthwatchError:
    if isinstance(error, IntegrityError):
        return Conflict(f"the records do not allow this: {error.orig}")
    if isinstance(error, OperationalError):
        return Unavailable(f"the records are away: {error.orig}", where="records")
    return Invalid(f"the records cannot hold this: {error.orig}")


def _check_known(connection: Connection) -> None:
    """Raise `Invalid` for a schema that a later version made: what it means is not known here."""
    revision = standing_at(connection)
    if revision is not None and revision not in known():
        raise Invalid(
            f"their schema {revision} was made by a later version than this one; update Hearthwatch,"
            " or restore a backup from before",
            where="records",
        )


def update_at_revision(
    connection: Connection,
    table: sa.Table,
    key: Mapping[str, Any],
    revision: int | None,
    changes: Mapping[str, Any],
) -> int:
    """Change one row and count its revision up; returns the new revision.

    ``revision`` is the one the caller read, or None to change whatever is there. Raises `Missing` or `Stale`.
    """
    (written,) = row_at_revision(connection, table, key, revision, changes, (table.c.revision,))
    return int(written)


def row_at_revision(
    connection: Connection,
    table: sa.Table,
    key: Mapping[str, Any],
    revision: int | None,
    changes: Mapping[str, Any],
    columns: tuple[sa.Column[Any], ...],
) -> Sequence[Any]:
    """As `update_at_revision`; returns some columns of the row as it is then."""
    row = updated(connection, table, key, revision, changes, columns)
    if row is not None:
        return row
    where = [table.c[name] == value for name, value in key.items()]
    current = connection.execute(sa.select(table.c.revision).where(*where)).scalar_one_or_none()
    if current is None:
        raise Missing(f"no such row in {table.name}", where=str(dict(key)))
    raise Stale(
        f"it changed since you read it (revision {revision}, now {current})",
        where=f"{table.name} {dict(key)}",
    )


def insert_missing(connection: Connection, table: sa.Table, rows: Sequence[Mapping[str, Any]]) -> int:
    """Insert rows whose unique keys are not there yet, leave the others as they are; returns how many were new."""
    new = 0
    # One statement serves all rows that give the same columns.
    for _, alike in groupby(rows, key=_column_names):
        new += connection.execute(insert_missing_into(connection, table), list(alike)).rowcount
    return new


def _column_names(row: Mapping[str, Any]) -> tuple[str, ...]:
    return tuple(row)


def replace_rows(connection: Connection, table: sa.Table, rows: Sequence[Mapping[str, Any]]) -> None:
    """Insert rows, or replace what stands under the same primary key. All rows give the same columns; a key twice: the last one."""
    if not rows:
        return
    keys = [column.name for column in table.primary_key]
    insert = insert_for(connection, table)
    changes = {name: insert.excluded[name] for name in rows[0] if name not in keys}
    # In the order of the keys: two that write the same rows at once wait for each other, but not in a circle.
    ordered = sorted(rows, key=itemgetter(*keys))
    connection.execute(insert.on_conflict_do_update(index_elements=keys, set_=changes), ordered)


def insert_for(connection: Connection, table: sa.Table) -> postgresql.Insert | sqlite.Insert:
    """An INSERT that knows ON CONFLICT, in the database's dialect."""
    return postgresql.insert(table) if connection.dialect.name == "postgresql" else sqlite.insert(table)


def batched(values: Iterable[T], size: int = 5000) -> Iterator[list[T]]:
    """Lists of at most ``size`` values: a statement takes a bounded number of them."""
    iterator = iter(values)
    while batch := list(islice(iterator, size)):
        yield batch


def containing(column: sa.ColumnElement[Any], text: str) -> sa.ColumnElement[bool]:
    """Whether a column contains a text, in any case; the text's own ``%`` and ``_`` mean themselves."""
    return column.icontains(text, autoescape=True)
