"""Spare parts on stock, by the models they fit."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import sqlalchemy as sa
from sqlalchemy import Connection

from hearthwatch.errors import Missing
from hearthwatch.records.database import insert_missing, update_at_revision
from hearthwatch.records.tables import spare_parts


@dataclass(frozen=True, slots=True)
class SparePart:
    """A part number; ``models`` empty means it fits all."""

    id: str
    name: str
    models: tuple[str, ...]
    stock: int
    revision: int


def put(
    connection: Connection,
    part_id: str,
    *,
    name: str,
    models: Sequence[str] = (),
    stock: int = 0,
    revision: int | None = None,
) -> SparePart:
    """Make a part number, or change one (at ``revision``, if given). Raises `Stale`."""
    row = {"id": part_id, "name": name, "models": list(models), "stock": stock}
    if not insert_missing(connection, spare_parts, [row]):
        update_at_revision(connection, spare_parts, {"id": part_id}, revision, row)
    return get(connection, part_id)


def get(connection: Connection, part_id: str) -> SparePart:
    """One part number. Raises `Missing`."""
    row = connection.execute(sa.select(spare_parts).where(spare_parts.c.id == part_id)).mappings().one_or_none()
    if row is None:
        raise Missing("no such spare part", where=part_id)
    return _part(row)


def list_parts(connection: Connection, *, after: str | None = None, limit: int = 100) -> list[SparePart]:
    """Part numbers by id; ``after`` is the id to go on from."""
    query = sa.select(spare_parts).order_by(spare_parts.c.id).limit(limit)
    if after is not None:
        query = query.where(spare_parts.c.id > after)
    return [_part(row) for row in connection.execute(query).mappings()]


def _part(row: sa.RowMapping) -> SparePart:
    return SparePart(**{**row, "models": tuple(row["models"])})
