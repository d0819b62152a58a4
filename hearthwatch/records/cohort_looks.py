"""Looks of the cohort watch: what was known about a release and a metric at a moment. Append-only, so that a verdict can be retraced."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy import Connection

from hearthwatch.records.database import insert_missing
from hearthwatch.records.tables import cohort_looks
from hearthwatch.records.tables.columns import fitted


@dataclass(frozen=True, slots=True)
class CohortLook:
    """One look. ``e`` is the evidence that the release is worse, ``ratio`` with [low, high] the effect where it can be estimated."""

    release_id: int
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


_FIELDS = tuple(CohortLook.__dataclass_fields__)
_COLUMNS = tuple(cohort_looks.c[name] for name in _FIELDS)


def append(connection: Connection, looks: Sequence[CohortLook]) -> int:
    """Append looks; one of the same release, metric and time that is there already is left. Returns how many were new."""
    rows = [
        {name: getattr(look, name) for name in _FIELDS} | {"why": fitted(cohort_looks.c.why, look.why)}
        for look in looks
    ]
    return insert_missing(connection, cohort_looks, rows)


def list_looks(connection: Connection, release_id: int, *, metric: str | None = None) -> list[CohortLook]:
    """Looks at a release, oldest first."""
    query = sa.select(*_COLUMNS).where(cohort_looks.c.release_id == release_id)
    if metric is not None:
        query = query.where(cohort_looks.c.metric == metric)
    rows = connection.execute(query.order_by(cohort_looks.c.at, cohort_looks.c.id)).mappings()
    return [CohortLook(**row) for row in rows]


def latest(connection: Connection, release_ids: Sequence[int] | None = None) -> list[CohortLook]:
    """The newest look of each release and metric, by release and metric."""
    newest = sa.func.row_number().over(
        partition_by=(cohort_looks.c.release_id, cohort_looks.c.metric),
        order_by=(cohort_looks.c.at.desc(), cohort_looks.c.id.desc()),
    )
    ranked = sa.select(*_COLUMNS, newest.label("rank"))
    if release_ids is not None:
        ranked = ranked.where(cohort_looks.c.release_id.in_(release_ids))
    inner = ranked.subquery()
    query = sa.select(*(inner.c[name] for name in _FIELDS)).where(inner.c.rank == 1)
    rows = connection.execute(query.order_by(inner.c.release_id, inner.c.metric)).mappings()
    return [CohortLook(**row) for row in rows]
