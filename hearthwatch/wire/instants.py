"""Times as devices write them, read strictly and turned into UTC."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Annotated, Any

import msgspec

from hearthwatch.errors import Invalid
from hearthwatch.wire.limits import shown

EARLIEST = datetime(2000, 1, 1, tzinfo=UTC)
"""A device that says an earlier time has a clock that was never set."""
LATEST = datetime(2200, 1, 1, tzinfo=UTC)
"""Beyond this no store can be trusted with a time."""

_AWARE = Annotated[datetime, msgspec.Meta(tz=True)]


def parse_instant(value: Any) -> datetime:
    """ISO 8601 with date, seconds and offset (RFC 3339): ``2026-05-01T12:00:00.25+02:00``. Raises `Invalid`."""
    if not isinstance(value, str):
        raise Invalid(f"not a time in ISO 8601 with an offset: {shown(value)}")
    try:
        return in_utc(msgspec.convert(value, _AWARE))
    except ValueError:
        raise Invalid(f"not a time in ISO 8601 with an offset: {shown(value)}") from None


def in_utc(instant: datetime) -> datetime:
    """An aware time in UTC. Raises `Invalid` for one that no set clock shows."""
    moved = instant
    if instant.tzinfo is not UTC:
        try:
            moved = instant.astimezone(UTC)
        except OverflowError:
            raise Invalid("no such time in UTC") from None
    if not EARLIEST <= moved < LATEST:
        raise Invalid(f"no set clock shows {moved.isoformat()}")
    return moved


def from_epoch(value: Any) -> datetime | None:
    """Seconds since 1970, or None where it is no such number or a clock that was never set."""
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return None
    if not EARLIEST.timestamp() <= value < LATEST.timestamp():
        return None
    return datetime(1970, 1, 1, tzinfo=UTC) + timedelta(seconds=round(float(value), 6))


def spell(instant: datetime) -> str:
    """An aware time as RFC 3339 in UTC with a ``Z``, microseconds where it has any."""
    return instant.astimezone(UTC).isoformat().replace("+00:00", "Z")
