"""Brakes: what a person pulled to stop sending, and the rounds that wait for a second person."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy import Connection

from hearthwatch.records.database import insert_missing
from hearthwatch.records.tables import brakes

OUTBOX = "outbox_paused"
ROUND = "round:"


@dataclass(frozen=True, slots=True)
class Brake:
    """One brake; while it is ``on``, what it names stands still. ``detail`` says why."""

    name: str
    on: bool
    detail: Mapping[str, Any]
    changed_at: datetime
    changed_by: str
    revision: int


def put(connection: Connection, name: str, *, on: bool, detail: Mapping[str, Any], actor: str, now: datetime) -> None:
    """Pull or release a brake."""
    row = {"name": name, "on": on, "detail": dict(detail), "changed_at": now, "changed_by": actor}
    if not insert_missing(connection, brakes, [row]):
        values = {**row, "revision": brakes.c.revision + 1}
        connection.execute(sa.update(brakes).where(brakes.c.name == name).values(values))


def find(connection: Connection, name: str) -> Brake | None:
    """One brake, if it was ever pulled."""
    row = connection.execute(sa.select(brakes).where(brakes.c.name == name)).mappings().one_or_none()
    return Brake(**row) if row else None


def is_paused(connection: Connection) -> tuple[bool, Mapping[str, Any]]:
    """Whether all sending is stopped, and by whom, since when and why."""
    brake = find(connection, OUTBOX)
    if brake is None:
        return False, {}
    return brake.on, {**brake.detail, "changed_by": brake.changed_by, "changed_at": brake.changed_at.isoformat()}


def rounds(connection: Connection, *, on: bool) -> list[Brake]:
    """Rounds that wait for a second person (``on``), or those one has released; oldest first."""
    query = sa.select(brakes).where(brakes.c.name.startswith(ROUND), brakes.c.on == on).order_by(brakes.c.name)
    return [Brake(**row) for row in connection.execute(query).mappings()]
