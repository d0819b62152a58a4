"""Rows for every table of the records, whatever its schema: awkward values, NULLs, forward references; and all rows, to compare."""

from __future__ import annotations

import json
import re
from datetime import UTC, datetime, timedelta
from typing import Any

import sqlalchemy as sa
from sqlalchemy import Connection

from hearthwatch.records.database import Database
from hearthwatch.records.tables.columns import Instant

ROWS = 4
START = datetime(2026, 5, 1, 12, 30, 15, 123456, tzinfo=UTC)
AWKWARD = "ü,\"quoted\" 'too'\n\\ \u2028 日本 <img src=x onerror=alert(1)> =1+1"
_CHOICE = re.compile(r"^\(?\(?([a-z_]+)\)?(?:::text)?\s*(?:in|IN|= ANY)\b", re.ASCII)
_PASSING = {"processes", "leases"}


def tables_there(connection: Connection) -> list[sa.Table]:
    """The tables of a database as they are there, parents first; without those of running processes."""
    metadata = sa.MetaData()
    sa.event.listen(metadata, "column_reflect", _with_instants)
    metadata.reflect(connection)
    return [table for table in metadata.sorted_tables if table.name not in {*_PASSING, "alembic_version"}]


def fill(database: Database) -> dict[str, int]:
    """Put some rows into every table; returns how many lie in each."""
    with database.transaction() as connection:
        tables = tables_there(connection)
        for table in tables:
            rows = [_row(table, number) for number in range(1, ROWS + 1)]
            connection.execute(sa.insert(table), [row for row in rows if row.get("parent_id") is None])
            later = [row for row in rows if row.get("parent_id") is not None]
            if later:  # a row that belongs to a later one of its own table
                connection.execute(sa.insert(table), later)
        if connection.dialect.name == "postgresql":
            for table in tables:
                for key in table.primary_key.columns:
                    asked = sa.select(sa.func.pg_get_serial_sequence(table.name, key.name))
                    sequence = connection.execute(asked).scalar_one()
                    if sequence is not None:
                        connection.exec_driver_sql(f"SELECT setval('{sequence}', {ROWS + 5})")
        return {table.name: ROWS for table in tables}


Row = frozenset[tuple[str, Any]]


def all_rows(database: Database, without: frozenset[str] = frozenset()) -> dict[str, list[Row]]:
    """Every row of every table as pairs of column and value, the same whichever database holds them, in one order."""
    with database.reading() as connection:
        found = {}
        for table in tables_there(connection):
            if table.name in without:
                continue
            columns = [sa.cast(one, sa.Text).label(one.name) if _is_json(one) else one for one in table.columns]
            answer = connection.execute(sa.select(*columns).order_by(*table.primary_key.columns)).mappings()
            rows = [
                frozenset((name, _canonical(table.c[name], value)) for name, value in row.items()) for row in answer
            ]
            found[table.name] = sorted(rows, key=lambda row: sorted(map(repr, row)))
        return found


def _is_json(column: sa.Column[Any]) -> bool:
    return isinstance(column.type, sa.JSON)


def _canonical(column: sa.Column[Any], value: Any) -> Any:
    return json.dumps(json.loads(value), sort_keys=True) if _is_json(column) and value is not None else value


def _with_instants(_inspector: Any, _table: sa.Table, column: dict[str, Any]) -> None:
    if isinstance(column["type"], sa.DateTime):
        column["type"] = Instant()
    elif isinstance(column["type"], sa.JSON):
        column["type"] = sa.JSON(none_as_null=True)


def _row(table: sa.Table, number: int) -> dict[str, Any]:
    choices = _choices(table)
    row = {column.name: _value(table, column, number, choices) for column in table.columns}
    if table.name == "tickets":
        row |= {"state": "closed" if number == 2 else "open", "closing_code": "confirmed" if number == 2 else None}
        row["parent_id"] = 3 if number == 1 else None
        free = ("waiting_for", "merged_into", "remedy_price", "remedy_currency")
        row |= {name: None for name in free if name in row}
    if table.name == "device_warranties":
        row["purchased_at"] = row["purchased_at"] or START  # one of the two is said
    if table.name == "customer_links" and "ticket_id" in row and row["notice_id"] is not None:
        row["ticket_id"] = None  # a link is about one thing
    if table.name == "customers":
        row["channels"] = [_text(table.c.name, number)]  # addresses are texts
    if table.name == "campaigns":
        row["approved_by"] = None if number == 2 else f"second {number}"  # never who submitted it
    return row


def _choices(table: sa.Table) -> dict[str, list[str]]:
    found = {}
    for constraint in table.constraints:
        text = str(getattr(constraint, "sqltext", ""))
        match = _CHOICE.match(text)
        if match:
            found[match.group(1)] = re.findall(r"'([^']+)'", text)
    return found


def _value(table: sa.Table, column: sa.Column[Any], number: int, choices: dict[str, list[str]]) -> Any:
    if column.name in choices:
        return choices[column.name][number % len(choices[column.name])]
    if column.nullable and number == 2:
        return None
    kind = column.type
    named = next(iter(column.foreign_keys), None)
    if named is not None:
        return number if isinstance(kind, sa.Integer) else _text(named.column, number)
    if isinstance(kind, Instant):
        return START + timedelta(hours=number, microseconds=number)
    if isinstance(kind, sa.JSON):
        return (
            sa.JSON.NULL
            if column.nullable and number == 3
            else [{AWKWARD: None, "x": 0.1 * number, "n": 2**53 - number}]
        )
    if isinstance(kind, sa.Boolean):
        return number % 2 == 0
    if isinstance(kind, sa.LargeBinary):
        return bytes(range(256)) * number
    if isinstance(kind, sa.Integer):
        return number
    if isinstance(kind, sa.Float):
        return number / 3
    return _text(column, number)


def _text(column: sa.Column[Any], number: int) -> str:
    length = getattr(column.type, "length", None) or 1000
    return f"{number} {AWKWARD}"[:length]


def look_figures(
    metric: str,
    at: datetime,
    verdict: str,
    why: str = "",
    e: float = 1.0,
    devices: tuple[int, int] = (1, 1),
    hours: tuple[float, float] = (1.0, 1.0),
    events: tuple[float, float] = (1.0, 1.0),
) -> dict[str, Any]:
    """What a look holds beside its subject; pairs are (treatment, control)."""
    pairs = {"devices": devices, "hours": hours, "events": events}
    arms = {
        f"{name}_{arm}": pair[side] for name, pair in pairs.items() for side, arm in enumerate(("treatment", "control"))
    }
    return {"metric": metric, "at": at, "verdict": verdict, "why": why, "e": e, **arms}
