"""Tasmota's clock: ``Time`` is local time without a zone, so an offset has to be learned from something else."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from hearthwatch.errors import Invalid
from hearthwatch.wire.draft import Draft
from hearthwatch.wire.instants import in_utc

QUARTER_S = 900
"""All offsets of the world are whole quarters of an hour."""
FARTHEST_S = 14 * 3600
AHEAD_TOLERANCE_S = 150
"""How far from a whole quarter a clock may be and still count as set to local time."""


def time_of(draft: Draft, given: Any, *, local: bool = True) -> datetime | None:
    """A ``Time`` in UTC; None where there is none or the clock was never set.

    Without a known offset it counts as UTC. A time ahead of its own arrival by whole quarters of an hour proves a local clock:
    the offset is learned from it. A time behind proves nothing, since messages may have waited.
    """
    at = _parse(given)
    if at is None:
        return None
    if at.tzinfo is None:
        offset = draft.recall("offset_s") if local else 0
        at = at.replace(tzinfo=UTC)
        moved = at - timedelta(seconds=offset if isinstance(offset, int) else 0)
        ahead = (moved - draft.message.received_at).total_seconds() if local else 0.0
        if QUARTER_S - AHEAD_TOLERANCE_S <= ahead <= FARTHEST_S + AHEAD_TOLERANCE_S:
            quarters = round(ahead / QUARTER_S) * QUARTER_S
            if abs(ahead - quarters) <= AHEAD_TOLERANCE_S:
                known = offset if isinstance(offset, int) else 0
                if known + quarters <= FARTHEST_S:
                    draft.keep("offset_s", known + quarters)
                    moved -= timedelta(seconds=quarters)
        at = moved
    try:
        return in_utc(at)
    except Invalid:
        return None


def learn_offset(draft: Draft, status: Mapping[str, Any]) -> None:
    """The offset from ``Status 7``, which shows the same moment in UTC and in local time."""
    utc, local = _parse(status.get("UTC")), _parse(status.get("Local"))
    if utc is None or local is None:
        return
    difference = (local.replace(tzinfo=UTC) - utc.replace(tzinfo=UTC)).total_seconds()
    offset = round(difference / QUARTER_S) * QUARTER_S
    if abs(offset) <= FARTHEST_S:
        draft.keep("offset_s", offset)


def _parse(given: Any) -> datetime | None:
    if not isinstance(given, str) or not 19 <= len(given) <= 35 or not given.isascii() or given[10] != "T":
        return None
    try:
        at = datetime.fromisoformat(given)
    except ValueError:
        return None
    # A clock that was never set; arithmetic at the ends of the calendar would overflow besides.
    return at if 2000 <= at.year < 2200 else None
