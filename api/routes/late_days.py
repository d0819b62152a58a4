"""Data that came after its day had been judged: how much, and of a device which days."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Annotated

from fastapi import APIRouter, Query
from pydantic import BaseModel

from api.context import Context
from api.security import Reader
from hearthwatch.records import late_days
from hearthwatch.records.late_days import LateDay, day_of

router = APIRouter(tags=["devices"])

PERIOD_DAYS = 30
LONGEST_DAYS = 4000


class LateData(BaseModel):
    """Device-days of the last ``days`` of which something came late, devices, newest arrival; ``items`` are those of the device asked for,
    newest first.
    """

    days: int
    late_days: int
    devices: int
    last_at: datetime | None
    items: list[LateDay]


@router.get("/late-days")
def list_late_days(
    context: Context,
    _caller: Reader,
    device: Annotated[str | None, Query(max_length=64)] = None,
    days: Annotated[int, Query(ge=1, le=LONGEST_DAYS)] = PERIOD_DAYS,
) -> LateData:
    """How much came after the morning that judged its day; of one device also which days."""
    since = day_of(context.clock.now()) - timedelta(days=days)
    with context.database.reading() as connection:
        found = late_days.told(connection, since)
        items = late_days.of_device(connection, device, limit=days) if device is not None else []
    return LateData(days=days, late_days=found.days, devices=found.devices, last_at=found.last_at, items=items)
