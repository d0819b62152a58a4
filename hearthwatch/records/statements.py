"""Statements that are built once and executed often: making one anew costs more than SQLite needs to answer it."""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from typing import Any

import sqlalchemy as sa
from sqlalchemy import Connection
from sqlalchemy.dialects import postgresql, sqlite

KEPT = 512
_KEY, _NEW, _AT = "key_", "new_", "at_revision"


def among(column: sa.Column[Any], name: str = "some") -> sa.ColumnElement[bool]:
    """Whether a column is among values that are given under a name when the statement is executed."""
    return column.in_(sa.bindparam(name, expanding=True))


@lru_cache(maxsize=KEPT)
def insert_into(table: sa.Table) -> sa.Insert:
    """An INSERT, to be executed with a row or with rows that give the same columns."""
    return sa.insert(table)


def insert_missing_into(connection: Connection, table: sa.Table) -> sa.Insert:
    """An INSERT that leaves what is there, to be executed with rows that give the same columns."""
    return _missing(connection.dialect.name, table)


@lru_cache(maxsize=KEPT)
def _missing(dialect: str, table: sa.Table) -> sa.Insert:
    insert = postgresql.insert(table) if dialect == "postgresql" else sqlite.insert(table)
    return insert.on_conflict_do_nothing()


def replace_in(connection: Connection, table: sa.Table) -> sa.Insert:
    """An INSERT that replaces what stands under the primary key, to be executed with rows that give every column."""
    return _replacing(connection.dialect.name, table)


@lru_cache(maxsize=KEPT)
def _replacing(dialect: str, table: sa.Table) -> sa.Insert:
    insert = postgresql.insert(table) if dialect == "postgresql" else sqlite.insert(table)
    keys = [column.name for column in table.primary_key]
    new = {column.name: insert.excluded[column.name] for column in table.columns if column.name not in keys}
    return insert.on_conflict_do_update(index_elements=keys, set_=new)


def updated(
    connection: Connection,
    table: sa.Table,
    key: Mapping[str, Any],
    revision: int | None,
    changes: Mapping[str, Any],
    returning: tuple[sa.Column[Any], ...],
) -> sa.Row[Any] | None:
    """Change the row of a key, at a revision if one is given, and count its revision up. Returns columns of it as it is then, or None."""
    if any(isinstance(value, sa.ClauseElement) for value in changes.values()):
        update, told = _update(table, tuple(key), revision is not None, (), returning).values(dict(changes)), {}
    else:
        update = _update(table, tuple(key), revision is not None, tuple(changes), returning)
        told = {_NEW + name: value for name, value in changes.items()}
    told |= {_KEY + name: value for name, value in key.items()}
    if revision is not None:
        told[_AT] = revision
    return connection.execute(update, told).one_or_none()


@lru_cache(maxsize=KEPT)
def _update(
    table: sa.Table,
    key: tuple[str, ...],
    guarded: bool,
    names: tuple[str, ...],
    returning: tuple[sa.Column[Any], ...],
) -> sa.Update:
    where = [table.c[name] == sa.bindparam(_KEY + name) for name in key]
    if guarded:
        where.append(table.c.revision == sa.bindparam(_AT))
    new: dict[str, Any] = {name: sa.bindparam(_NEW + name) for name in names}
    return sa.update(table).where(*where).values({**new, "revision": table.c.revision + 1}).returning(*returning)
