"""Looks of standing comparisons. Append-only, as the looks at releases are."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from sqlalchemy import Connection

from hearthwatch.records.look_ledger import LookLedger, Place
from hearthwatch.records.tables import comparison_looks


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


_LEDGER = LookLedger(comparison_looks, "comparison_id", ComparisonLook)


def append(connection: Connection, looks: Sequence[ComparisonLook]) -> int:
    """Append looks; one of the same comparison, metric and time that is there already is left. Returns how many were new."""
    return _LEDGER.append(connection, looks)


def list_looks(
    connection: Connection,
    comparison_id: int,
    *,
    metric: str | None = None,
    since: datetime | None = None,
    after: Place | None = None,
    limit: int | None = None,
) -> list[ComparisonLook]:
    """Looks at a comparison, oldest first; only those later than ``since`` and ``after``, at most ``limit``."""
    return _LEDGER.list_looks(connection, comparison_id, metric=metric, since=since, after=after, limit=limit)


def latest(connection: Connection, comparison_ids: Sequence[int] | None = None) -> list[ComparisonLook]:
    """The newest look of each comparison and metric, by comparison and metric."""
    return _LEDGER.latest(connection, comparison_ids)
