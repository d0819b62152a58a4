"""What was seen of trained models day by day: their races, their calibration, their scores. Append-only."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Literal

import sqlalchemy as sa
from sqlalchemy import Connection

from hearthwatch.records.database import insert_missing
from hearthwatch.records.tables import model_looks

Kind = Literal["race", "calibration", "scores", "no_fault", "features"]


@dataclass(frozen=True, slots=True)
class ModelLook:
    """A look at a version on a day: ``e`` is the evidence against the hypothesis that ``kind`` tests, ``detail`` the numbers."""

    name: str
    version_id: int
    kind: str
    at: datetime
    e: float | None = None
    detail: Mapping[str, Any] = field(default_factory=dict)


_COLUMNS = tuple(model_looks.c[name] for name in ModelLook.__dataclass_fields__)


def append(connection: Connection, looks: Sequence[ModelLook]) -> int:
    """Append looks; one of the same version, kind and day that is there already is left. Returns how many were new."""
    rows = [
        {name: getattr(look, name) for name in ModelLook.__dataclass_fields__} | {"detail": dict(look.detail)}
        for look in looks
    ]
    return insert_missing(connection, model_looks, rows)


def list_looks(connection: Connection, version_id: int, kind: Kind | None = None) -> list[ModelLook]:
    """Looks at a version, oldest first."""
    query = sa.select(*_COLUMNS).where(model_looks.c.version_id == version_id)
    if kind is not None:
        query = query.where(model_looks.c.kind == kind)
    rows = connection.execute(query.order_by(model_looks.c.at, model_looks.c.kind)).mappings()
    return [ModelLook(**row) for row in rows]


def latest(connection: Connection, name: str | None = None) -> dict[tuple[int, str], ModelLook]:
    """The newest look of each version and kind."""
    newest = sa.func.row_number().over(
        partition_by=(model_looks.c.version_id, model_looks.c.kind), order_by=model_looks.c.at.desc()
    )
    ranked = sa.select(*_COLUMNS, newest.label("rank"))
    if name is not None:
        ranked = ranked.where(model_looks.c.name == name)
    inner = ranked.subquery()
    query = sa.select(*(inner.c[name] for name in ModelLook.__dataclass_fields__)).where(inner.c.rank == 1)
    return {(row["version_id"], row["kind"]): ModelLook(**row) for row in connection.execute(query).mappings()}
