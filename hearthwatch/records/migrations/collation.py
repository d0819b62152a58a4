"""Text sorts by its bytes on every database: order, keys of pages and version keys must not depend on where a server was installed."""

from __future__ import annotations

from itertools import groupby

import sqlalchemy as sa
from sqlalchemy import Connection

_OTHERWISE = sa.text("""
    SELECT c.relname AS table, a.attname AS column, format_type(a.atttypid, a.atttypmod) AS type
    FROM pg_attribute a
    JOIN pg_class c ON c.oid = a.attrelid
    JOIN pg_type t ON t.oid = a.atttypid
    JOIN pg_collation l ON l.oid = a.attcollation
    WHERE c.relnamespace = current_schema()::regnamespace AND c.relkind = 'r' AND a.attnum > 0 AND NOT a.attisdropped
      AND t.typname IN ('varchar', 'text') AND l.collname <> 'C' AND c.relname <> 'alembic_version'
    ORDER BY c.relname, a.attnum
""")


def sort_by_bytes(connection: Connection) -> None:
    """Give every text column of a PostgreSQL schema the collation "C"; nothing happens to those that have it."""
    quote = connection.dialect.identifier_preparer.quote
    columns = connection.execute(_OTHERWISE).mappings().all()
    for table, of_table in groupby(columns, key=lambda row: row["table"]):
        changes = ", ".join(f'ALTER COLUMN {quote(row["column"])} TYPE {row["type"]} COLLATE "C"' for row in of_table)
        connection.exec_driver_sql(f"ALTER TABLE {quote(table)} {changes}")
