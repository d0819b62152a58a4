"""The fleet by model, hardware revision and firmware, with its vitals."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from fastapi import APIRouter

from analytics.vitals import UNKNOWN
from api.context import Context
from api.paging import Page
from api.security import Reader
from api.times import LastWeek
from hearthwatch.records import devices, vitals
from hearthwatch.records.vitals import VitalsRow

router = APIRouter(tags=["fleet"])

WEEK = timedelta(days=7)


@dataclass(frozen=True, slots=True)
class GroupVitals:
    """A group of devices. ``vitals`` are the sums of the last seven days, numerators and denominators by name."""

    model: str | None
    hardware: str | None
    version: str | None
    devices: int
    online: int
    newest_seen: datetime | None
    vitals: Mapping[str, float]


@router.get("/groups")
def list_groups(context: Context, _caller: Reader) -> Page[GroupVitals]:
    """How many devices there are of each model, hardware revision and firmware, how many are online, and how they do."""
    now = context.clock.now()
    with context.database.reading() as connection:
        groups = devices.groups(connection)
        rows = vitals.list_vitals(connection, now - WEEK, now)
    sums = _sums(rows)
    return Page(
        items=[
            GroupVitals(
                model=group.model,
                hardware=group.hardware,
                version=group.version,
                devices=group.devices,
                online=group.online,
                newest_seen=group.newest_seen,
                vitals=sums.get((group.model or UNKNOWN, group.hardware or UNKNOWN, group.version or UNKNOWN), {}),
            )
            for group in groups
        ]
    )


@router.get("/vitals")
def list_vitals(context: Context, _caller: Reader, span: LastWeek, model: str | None = None) -> Page[VitalsRow]:
    """Daily vitals of every group: numerators and denominators, so that any span is a ratio of sums."""
    with context.database.reading() as connection:
        return Page(items=vitals.list_vitals(connection, span.since, span.until, model=model))


def _sums(rows: Iterable[VitalsRow]) -> dict[tuple[str, str, str], dict[str, float]]:
    total: dict[tuple[str, str, str], dict[str, float]] = defaultdict(lambda: defaultdict(float))
    for row in rows:
        group = total[row.model, row.hardware, row.firmware]
        for name, value in row.sums.items():
            group[name] += value
    return {key: dict(group) for key, group in total.items()}
