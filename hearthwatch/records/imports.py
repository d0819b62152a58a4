"""Imports of history: what was read when, and what came of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy import Connection

from hearthwatch.records.tables import imports
from hearthwatch.records.tables.columns import fitted


@dataclass(frozen=True, slots=True)
class Import:
    """One import; ``result`` is None until it has finished."""

    id: int
    source: str
    mapping: str
    started_at: datetime
    finished_at: datetime | None
    result: Mapping[str, Any] | None


def begin(connection: Connection, source: str, mapping: str, now: datetime) -> int:
    """Note that an import began; returns its id."""
    row = {"source": fitted(imports.c.source, source), "mapping": mapping, "started_at": now}
    return int(connection.execute(sa.insert(imports).values(row).returning(imports.c.id)).scalar_one())


def finish(connection: Connection, import_id: int, now: datetime, result: Mapping[str, Any]) -> None:
    """Note how it ended."""
    connection.execute(sa.update(imports).where(imports.c.id == import_id).values(finished_at=now, result=dict(result)))


def list_imports(connection: Connection, *, limit: int = 50) -> list[Import]:
    """Imports, newest first."""
    rows = connection.execute(sa.select(imports).order_by(imports.c.id.desc()).limit(limit)).mappings()
    return [Import(**row) for row in rows]
