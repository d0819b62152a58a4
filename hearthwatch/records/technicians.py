"""Technicians: what they can do, where they go, and how much they can carry."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import sqlalchemy as sa
from sqlalchemy import Connection

from hearthwatch.errors import Missing
from hearthwatch.records.database import insert_missing, update_at_revision
from hearthwatch.records.tables import technicians


@dataclass(frozen=True, slots=True)
class Technician:
    """``skills`` are parts or device classes, ``regions`` places; empty or ``*`` means all. ``capacity`` is open tickets at a time."""

    id: str
    name: str
    skills: tuple[str, ...]
    regions: tuple[str, ...]
    capacity: int
    active: bool
    revision: int


def put(
    connection: Connection,
    technician_id: str,
    *,
    name: str,
    skills: Sequence[str] = (),
    regions: Sequence[str] = (),
    capacity: int = 8,
    active: bool = True,
    revision: int | None = None,
) -> Technician:
    """Make a technician, or change one (at ``revision``, if given). Raises `Stale`."""
    row = {
        "id": technician_id,
        "name": name,
        "skills": list(skills),
        "regions": list(regions),
        "capacity": capacity,
        "active": active,
    }
    if not insert_missing(connection, technicians, [row]):
        update_at_revision(connection, technicians, {"id": technician_id}, revision, row)
    return get(connection, technician_id)


def get(connection: Connection, technician_id: str) -> Technician:
    """One technician. Raises `Missing`."""
    query = sa.select(technicians).where(technicians.c.id == technician_id)
    row = connection.execute(query).mappings().one_or_none()
    if row is None:
        raise Missing("no such technician", where=technician_id)
    return _technician(row)


def list_technicians(
    connection: Connection, *, active: bool | None = None, after: str | None = None, limit: int = 100
) -> list[Technician]:
    """Technicians by id; ``after`` is the id to go on from."""
    query = sa.select(technicians).order_by(technicians.c.id).limit(limit)
    if active is not None:
        query = query.where(technicians.c.active == active)
    if after is not None:
        query = query.where(technicians.c.id > after)
    return [_technician(row) for row in connection.execute(query).mappings()]


def _technician(row: sa.RowMapping) -> Technician:
    return Technician(**{**row, "skills": tuple(row["skills"]), "regions": tuple(row["regions"])})
