"""The records as lines of JSON, the same from SQLite and PostgreSQL, and back into either.

A line is one row: an object with the columns that are not NULL. Times are ISO 8601 in UTC, bytes base64, and JSON columns are
what they hold, so that ``null`` there is JSON's own null. Tables are taken as they are in the database, not as this version would make
them: an older schema is copied, and brought back, as faithfully as today's.
"""

from __future__ import annotations

import base64
import json
import sqlite3
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from sqlalchemy import Connection

from hearthwatch.errors import Invalid, Unavailable
from hearthwatch.records.database import Database, batched, open_database
from hearthwatch.records.revisions import known, standing_at
from hearthwatch.records.tables import metadata as ours
from hearthwatch.records.tables.columns import Instant

PASSING = frozenset({"leases", "processes"})
"""Tables about processes that run right now: they mean nothing later."""
MADE_AT_START = frozenset(
    {
        *PASSING,
        *("policies", "brakes", "job_runs", "analysis_states", "broker_sessions", "receivers", "blind_spans"),
        *("event_cursors", "delivery_channels"),
    }
)
"""Tables that a platform without devices and people fills by itself."""
_ALL = frozenset({*ours.tables, *PASSING, "alembic_version"})
_TABLES_OF_OUR_USER = """
SELECT tablename FROM pg_tables
WHERE schemaname = current_schema() AND tableowner = current_user AND NOT EXISTS (
    SELECT 1 FROM pg_depend
    WHERE classid = 'pg_class'::regclass AND objid = format('%I.%I', schemaname, tablename)::regclass AND deptype = 'e'
)
"""
_ROWS = 500
_LARGE_ROWS = 20
_LARGE = frozenset({"report_photos", "inbound_mails"})
"""Tables whose rows hold pictures or whole mails: few of them are in memory at once."""


@contextmanager
def consistent(database: Database, folder: Path) -> Iterator[Connection]:
    """A connection on one state of the records.

    SQLite's writers would wait for a long reader, so its pages are copied first (in seconds) and read from the copy in ``folder``.
    """
    if database.engine.dialect.name != "sqlite":
        with database.reading() as connection:
            yield connection
        return
    path = folder / "records.sqlite3"
    copy_sqlite(database, path)
    copy = open_database(f"sqlite:///{path}")
    try:
        with copy.reading() as connection:
            yield connection
    finally:
        copy.close()
        path.unlink()


def copy_sqlite(database: Database, path: Path) -> None:
    """Copy SQLite's records into a file that is not there yet. Raises `Unavailable`."""
    target = sqlite3.connect(path)
    try:
        with database.reading() as connection:
            source: Any = connection.connection.driver_connection
            source.backup(target)
    except sqlite3.Error as error:
        raise Unavailable(f"they can not be copied to {path.parent}: {error}", where="records") from error
    finally:
        target.close()


def take_down(connection: Connection) -> None:
    """Drop all of ours, in the connection's transaction. Raises `Invalid` where it can not be done.

    What a later version made is not known here by name: there every table goes that belongs to our user and to no extension.
    """
    revision = standing_at(connection)
    if revision is None:
        return
    if revision in known():
        from hearthwatch.records import migrating

        migrating.downgrade(connection, "base")
        return
    names = connection.exec_driver_sql(_TABLES_OF_OUR_USER).scalars().all()
    preparer = connection.dialect.identifier_preparer
    # Together: they refer to one another.
    connection.exec_driver_sql("DROP TABLE " + ", ".join(preparer.quote(name) for name in names))


def tables_of(connection: Connection) -> list[sa.Table]:
    """Our tables that are there, but for `PASSING` ones, in an order in which their rows may be inserted."""
    metadata = sa.MetaData()
    sa.event.listen(metadata, "column_reflect", _take_our_types)
    there = set(sa.inspect(connection).get_table_names())
    metadata.reflect(connection, only=sorted(there & set(ours.tables) - PASSING))
    return metadata.sorted_tables


def is_empty(connection: Connection) -> bool:
    """Whether no device and no person has left anything in the records; on SQLite, whose file goes as a whole, nor anybody else."""
    if connection.dialect.name == "sqlite" and not _ALL.issuperset(sa.inspect(connection).get_table_names()):
        return False
    return all(
        connection.execute(sa.select(sa.literal(1)).select_from(table).limit(1)).first() is None
        for table in tables_of(connection)
        if table.name not in MADE_AT_START
    )


def lines(connection: Connection, table: sa.Table) -> Iterator[bytes]:
    """The rows of a table, by primary key."""
    columns = [sa.cast(one, sa.Text).label(one.name) if _is_json(one) else one for one in table.columns]
    query = sa.select(*columns).order_by(*table.primary_key.columns)
    kinds = {column.name: _writer(column) for column in table.columns}
    for row in connection.execution_options(yield_per=_rows_of(table)).execute(query).mappings():
        values = {name: kinds[name](value) for name, value in row.items() if value is not None}
        yield json.dumps(values, ensure_ascii=False, separators=(",", ":")).encode() + b"\n"


def insert(connection: Connection, table: sa.Table, rows: Iterable[bytes]) -> int:
    """Insert rows that `lines` gave; returns how many. Raises `Invalid` for a line that is none of this table."""
    statement = sa.insert(table)
    if connection.dialect.name == "postgresql":
        statement = statement.returning(sa.literal(1))  # with an answer, many rows go in one statement
    read = {column.name: _reader(column) for column in table.columns}
    inserted = 0
    parsed = (_row(table, read, number, line) for number, line in enumerate(rows, 1))
    for batch in batched(_parents_first(table, parsed), _rows_of(table)):
        connection.execute(statement, batch)
        inserted += len(batch)
    return inserted


def _rows_of(table: sa.Table) -> int:
    return _LARGE_ROWS if table.name in _LARGE else _ROWS


def next_ids(connection: Connection, tables: Sequence[sa.Table]) -> dict[str, int]:
    """The highest number each table has given out by itself, where it is known."""
    given = {}
    for table in tables:
        column = _numbered(table)
        if column is None:
            continue
        highest = connection.execute(sa.select(sa.func.max(column))).scalar_one() or 0
        if connection.dialect.name == "postgresql":
            sequence = _sequence(connection, table, column)
            if sequence is None:
                continue
            last, called = connection.exec_driver_sql(f"SELECT last_value, is_called FROM {sequence}").one()
            highest = max(highest, last if called else 0)
        given[table.name] = int(highest)
    return given


def set_next_ids(connection: Connection, tables: Sequence[sa.Table], given: Mapping[str, int]) -> None:
    """Let each table go on behind the numbers given out before. SQLite goes on behind its highest row by itself."""
    if connection.dialect.name != "postgresql":
        return
    for table in tables:
        column = _numbered(table)
        if column is not None and given.get(table.name, 0) > 0:
            sequence = _sequence(connection, table, column)
            if sequence is not None:
                connection.exec_driver_sql(f"SELECT setval('{sequence}', {int(given[table.name])})")


def _take_our_types(_inspector: Any, _table: sa.Table, column: dict[str, Any]) -> None:
    if isinstance(column["type"], sa.DateTime):
        column["type"] = Instant()
    elif isinstance(column["type"], sa.JSON):
        column["type"] = sa.JSON(none_as_null=True)


def _is_json(column: sa.Column[Any]) -> bool:
    return isinstance(column.type, sa.JSON)


def _writer(column: sa.Column[Any]) -> Any:
    if _is_json(column):
        return json.loads
    if isinstance(column.type, Instant):
        return lambda value: value.isoformat()
    if isinstance(column.type, sa.LargeBinary):
        return lambda value: base64.b64encode(value).decode()
    return _same


def _reader(column: sa.Column[Any]) -> Any:
    if _is_json(column):
        return lambda value: sa.JSON.NULL if value is None else value
    if isinstance(column.type, Instant):
        return datetime.fromisoformat
    if isinstance(column.type, sa.LargeBinary):
        return base64.b64decode
    return _same


def _same(value: Any) -> Any:
    return value


def _row(table: sa.Table, read: Mapping[str, Any], number: int, line: bytes) -> dict[str, Any]:
    try:
        values = json.loads(line)
        unknown = set(values) - set(read)
        if unknown:
            raise ValueError(f"there is no column {min(unknown)!r:.80}")
        return {name: convert(values[name]) if name in values else None for name, convert in read.items()}
    except (ValueError, TypeError) as error:
        raise Invalid(f"line {number}: {error}", where=table.name) from None


def _parents_first(table: sa.Table, rows: Iterator[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    """Rows that name another row of their own table come after it."""
    own = [(key.parent.name, key.column.name) for key in table.foreign_keys if key.column.table is table]
    if not own:
        yield from rows
        return
    key = own[0][1]
    there: set[Any] = {None}
    waiting = list(rows)
    while waiting:
        ready = [row for row in waiting if all(row.get(child) in there for child, _ in own)]
        if not ready:
            names = " or ".join(child for child, _ in own)
            raise Invalid(f"a row's {names} names a row that is not there", where=table.name)
        there |= {row[key] for row in ready}
        waiting = [row for row in waiting if row[key] not in there]
        yield from ready


def _numbered(table: sa.Table) -> sa.Column[Any] | None:
    """The one column that may number a table's rows by itself."""
    keys = list(table.primary_key.columns)
    alone = len(keys) == 1 and isinstance(keys[0].type, sa.Integer) and not keys[0].foreign_keys
    return keys[0] if alone else None


def _sequence(connection: Connection, table: sa.Table, column: sa.Column[Any]) -> str | None:
    asked = sa.select(sa.func.pg_get_serial_sequence(table.name, column.name))
    sequence: str | None = connection.execute(asked).scalar_one()
    return sequence
