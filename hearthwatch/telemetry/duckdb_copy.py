"""Copies a DuckDB database out, as Parquet, and builds one from such a copy: nothing in it depends on the engine's file format."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from hearthwatch.errors import Invalid
from hearthwatch.telemetry.duckdb_file import Cursor, DuckDBFile
from hearthwatch.telemetry.duckdb_schema import SCHEMA_VERSION, count, create_or_check, load

_NAME = re.compile(r"[a-z][a-z0-9_]{0,127}")
_TYPES = frozenset({"INTEGER", "BIGINT", "DOUBLE", "VARCHAR", "BOOLEAN", "TIMESTAMP"})


@dataclass(frozen=True, slots=True)
class TableCopy:
    """One table in a Parquet file, with its columns' types in order."""

    name: str
    columns: Mapping[str, str]
    rows: int
    path: Path


def copy_tables(file: DuckDBFile, folder: Path) -> Iterator[TableCopy]:
    """Every table, as it is at this moment; writers go on meanwhile. Raises `Unavailable`, for instance when the disk is full."""
    with file.reading() as cursor:
        for name, columns in _tables(cursor).items():
            path = folder / f"{name}.parquet"
            cursor.execute(f"COPY {name} TO {_quoted(path)} (FORMAT parquet, COMPRESSION zstd)")
            yield TableCopy(name, columns, count(cursor), path)


def build(path: Path, tables: Sequence[TableCopy]) -> None:
    """Make a new database file from copies. Raises `Invalid` when they are not what they say or of another schema, `Unavailable`."""
    for table in tables:
        _check(table)
    file = DuckDBFile(str(path))
    try:
        with file.writing() as cursor:
            for table in tables:
                columns = ", ".join(f"{name} {kind}" for name, kind in table.columns.items())
                cursor.execute(f"CREATE TABLE {table.name} ({columns})")
                cursor.execute(
                    f"INSERT INTO {table.name} SELECT {', '.join(table.columns)} FROM read_parquet({_quoted(table.path)})"
                )
                if count(cursor) != table.rows:
                    raise Invalid(f"holds other than {table.rows} rows", where=table.name)
            create_or_check(cursor)
            load(cursor, file.generation)
    finally:
        file.close()


def is_empty(path: Path) -> bool:
    """Whether a database file has never had anything written to it. Raises `Unavailable` while another process has it open."""
    file = DuckDBFile(str(path))
    try:
        with file.reading() as cursor:
            names = _tables(cursor).get("names")
            if names is None:
                return not _tables(cursor)
            cursor.execute("SELECT count(*) FROM names")
            return count(cursor) == 0
    finally:
        file.close()


def schema_version() -> int:
    """The version of the tables that this program reads and writes."""
    return SCHEMA_VERSION


def _tables(cursor: Cursor) -> dict[str, dict[str, str]]:
    rows = cursor.execute(
        "SELECT table_name, column_name, data_type FROM duckdb_columns() WHERE NOT internal AND database_name = current_database()"
        " AND table_name IN (SELECT table_name FROM duckdb_tables() WHERE NOT internal AND NOT temporary)"
        " ORDER BY table_name, column_index"
    ).fetchall()
    tables: dict[str, dict[str, str]] = {}
    for table, column, kind in rows:
        tables.setdefault(table, {})[column] = kind
    return tables


def _check(table: TableCopy) -> None:
    """Names and types become part of statements: nothing else than a name or a type of ours may stand there."""
    for name in (table.name, *table.columns):
        if not _NAME.fullmatch(name):
            raise Invalid(f"not a name of a table or column: {name!r:.80}", where="telemetry")
    for kind in table.columns.values():
        if kind not in _TYPES:
            raise Invalid(f"not a type of a column: {kind!r:.80}", where=table.name)


def _quoted(path: Path) -> str:
    return "'" + str(path).replace("'", "''") + "'"
