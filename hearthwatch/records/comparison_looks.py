"""Looks of standing comparisons. Append-only, as the looks at releases are."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy import Connection

from hearthwatch.records.database import insert_missing
from hearthwatch.records.tables import comparison_looks
from hearthwatch.records.tables.columns import fitted


@dataclass(frozen=True, slots=True)
class ComparisonLook:
    """One look; the fields mean what those of `hearthwatch.records.cohort_looks.CohortLook` mean."""

    comparison_id: int
    metric: str
    at: datetime
    verdict: str
    why: str
    e: float
    devices_treatment: int
    devices_control: int
    hours_treatment: float
    hours_control: float
    events_treatment: float
    events_control: float
    e_rate: float | None = None
    e_first: float | None = None
    ratio: float | None = None
    low: float | None = None
    high: float | None = None
    detail: Mapping[str, Any] = field(default_factory=dict)


_FIELDS = tuple(ComparisonLook.__dataclass_fields__)
_COLUMNS = tuple(comparison_looks.c[name] for name in _FIELDS)


def append(connection: Connection, looks: Sequence[ComparisonLook]) -> int:
    """Append looks; one of the same comparison, metric and time that is there already is left. Returns how many were new."""
    rows = [
        {name: getattr(look, name) for name in _FIELDS} | {"why": fitted(comparison_looks.c.why, look.why)}
        for look in looks
    ]
    return insert_missing(connection, comparison_looks, rows)


def list_looks(
    connection: Connection, comparison_id: int, *, metric: str | None = None
) -> list[ComparisonLook]:  # fmt: skip
    """Looks at a comparison, oldest first."""
    query = sa.select(*_COLUMNS).where(comparison_looks.c.comparison_id == comparison_id)
    if metric is not None:
        query = query.where(comparison_looks.c.metric == metric)
    rows = connection.execute(query.order_by(comparison_looks.c.at, comparison_looks.c.id)).mappings()
    return [ComparisonLook(**row) for row in rows]


def latest(connection: Connection, comparison_ids: Sequence[int] | None = None) -> list[ComparisonLook]:
    """The newest look of each comparison and metric, by comparison and metric."""
    newest = sa.func.row_number().over(
        partition_by=(comparison_looks.c.comparison_id, comparison_looks.c.metric),
        order_by=(comparison_looks.c.at.desc(), comparison_looks.c.id.desc()),
    )
    ranked = sa.select(*_COLUMNS, newest.label("rank"))
    if comparison_ids is not None:
        ranked = ranked.where(comparison_looks.c.comparison_id.in_(comparison_ids))
    inner = ranked.subquery()
    query = sa.select(*(inner.c[name] for name in _FIELDS)).where(inner.c.rank == 1)
    rows = connection.execute(query.order_by(inner.c.comparison_id, inner.c.metric)).mappings()
    return [ComparisonLook(**row) for row in rows]
