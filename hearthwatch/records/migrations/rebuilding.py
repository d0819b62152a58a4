"""Changing a table that others refer to, on SQLite: there a table is changed by making it anew, which must not leave its children alone.

``PRAGMA foreign_keys`` can not be switched off inside a transaction, so the references are checked at its end instead, and the rows are put
back into the new table under the keys their children name (https://www.sqlite.org/foreignkeys.html#fk_schemacommands).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager

import sqlalchemy as sa
from alembic import op


@contextmanager
def emptied(table: str, computed: Mapping[str, str] | None = None) -> Iterator[None]:
    """Change ``table`` in batch mode inside this block: on SQLite it is empty there, and its rows are back afterwards.

    ``computed`` gives the SQL expression of each column that is new and must not be NULL; columns that are gone are left out. Elsewhere
    nothing is done: other databases change tables in place.
    """
    connection = op.get_bind()
    if connection.dialect.name != "sqlite":
        yield
        return
    kept = f"_kept_{table}"
    connection.exec_driver_sql("PRAGMA defer_foreign_keys = ON")
    connection.exec_driver_sql(f'CREATE TABLE {kept} AS SELECT * FROM "{table}"')
    connection.exec_driver_sql(f'DELETE FROM "{table}"')
    before = _columns(connection, kept)
    yield
    values = dict.fromkeys((f'"{name}"' for name in _columns(connection, table) if name in before), "")
    selected = {name: name for name in values} | {f'"{name}"': how for name, how in (computed or {}).items()}
    connection.exec_driver_sql(
        f'INSERT INTO "{table}" ({", ".join(selected)}) SELECT {", ".join(selected.values())} FROM {kept}'
    )
    connection.exec_driver_sql(f"DROP TABLE {kept}")


def _columns(connection: sa.Connection, table: str) -> list[str]:
    return [column["name"] for column in sa.inspect(connection).get_columns(table)]
