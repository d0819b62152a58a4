"""Looks of the cohort watch: what was known about a release and a metric at a moment. Append-only, so that a verdict can be retraced."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from sqlalchemy import Connection

from hearthwatch.records.look_ledger import LookLedger, Place
from hearthwatch.records.tables import cohort_looks


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


_LEDGER = LookLedger(cohort_looks, "release_id", CohortLook)


def append(connection: Connection, looks: Sequence[CohortLook]) -> int:
    """Append looks; one of the same release, metric and time that is there already is left. Returns how many were new."""
    return _LEDGER.append(connection, looks)


def list_looks(
    connection: Connection,
    release_id: int,
    *,
    metric: str | None = None,
    since: datetime | None = None,
    after: Place | None = None,
    limit: int | None = None,
) -> list[CohortLook]:
    """Looks at a release, oldest first; only those later than ``since`` and ``after``, at most ``limit``."""
    return _LEDGER.list_looks(connection, release_id, metric=metric, since=since, after=after, limit=limit)


def latest(connection: Connection, release_ids: Sequence[int] | None = None) -> list[CohortLook]:
    """The newest look of each release and metric, by release and metric."""
    return _LEDGER.latest(connection, release_ids)
