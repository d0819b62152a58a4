"""Quiet hours, by the wall clock of a home: across midnight and across changes of daylight saving time."""

from __future__ import annotations

from datetime import UTC, datetime, time, timedelta
from zoneinfo import ZoneInfo


def zone(name: str | None, fallback: str) -> ZoneInfo:
    """The time zone of a name; the fallback where there is none of that name."""
    if name:
        try:
            return ZoneInfo(name)
        except (KeyError, ValueError, OSError):  # what a file of customers holds is not always a time zone
            pass
    return ZoneInfo(fallback)


def next_allowed(now: datetime, start: time, end: time, home: ZoneInfo) -> datetime:
    """``now`` outside the quiet hours [start, end), else the instant they end, in UTC. Equal times: no quiet hours."""
    local = now.astimezone(home)
    wall = local.time().replace(tzinfo=None)
    if not _within(wall, start, end):
        return now.astimezone(UTC)
    day = local.date() if wall < end else local.date() + timedelta(days=1)
    for fold in (0, 1):  # an hour that comes twice: the second one, where the first is over
        ends = datetime.combine(day, end, tzinfo=home).replace(fold=fold).astimezone(UTC)
        if ends > now:
            return ends
    return now.astimezone(UTC)


def _within(wall: time, start: time, end: time) -> bool:
    if start <= end:
        return start <= wall < end
    return wall >= start or wall < end
