"""Times as the stores count them: microseconds and whole hours since 1970, within what nanoseconds of 64 bits can hold."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
import pyarrow as pa

from hearthwatch.errors import Invalid

HOUR_US = 3_600_000_000
GAP_HOURS = 6
MAX_RANGES = 8
FIRST = datetime(1970, 1, 1, tzinfo=UTC)
LAST = datetime(2262, 1, 1, tzinfo=UTC)
_SPAN_US = pa.duration("us")
_MICROSECOND = timedelta(microseconds=1)
END_US = (LAST - FIRST) // _MICROSECOND


def microseconds(at: datetime) -> int:
    """A time as the store counts it. Raises `Invalid` without an offset or outside 1970..2261."""
    if at.tzinfo is None:
        raise Invalid(f"a time without an offset: {at.isoformat()}", where="at")
    if not FIRST <= at < LAST:
        raise Invalid(f"a time outside 1970..2261: {at.isoformat()}", where="at")
    return (at - FIRST) // _MICROSECOND


def all_microseconds(times: Sequence[datetime]) -> np.ndarray[Any, np.dtype[np.int64]]:
    """`microseconds` of many times at once."""
    try:
        since = [at - FIRST for at in times]  # Arrow reads spans in a fifth of the time it takes for times
        stamps: np.ndarray[Any, np.dtype[np.int64]] = pa.array(since, _SPAN_US).cast(pa.int64()).to_numpy()
    except TypeError:  # one without an offset
        return np.fromiter(map(microseconds, times), np.int64, len(times))
    if len(stamps) and (stamps.min() < 0 or stamps.max() >= END_US):
        return np.fromiter(map(microseconds, times), np.int64, len(times))  # says which one is wrong
    return stamps


def last_hour(at: datetime) -> int:
    """Number of the hour a time lies in. Any time will do, the store's own range bounds it."""
    return instant(at) // HOUR_US


def first_hour(at: datetime) -> int:
    """Number of the first whole hour at or after a time; any time will do, the store's own range bounds it."""
    return -(-instant(at) // HOUR_US)


def instant(at: datetime) -> int:
    """A time in microseconds. Any time will do, the store's own range bounds it."""
    return (max(min(at, LAST), FIRST) - FIRST) // _MICROSECOND


def stamp(at: datetime) -> datetime:
    """A time as the tables hold it: in UTC, without saying so. Any time will do."""
    return max(min(at, LAST), FIRST).astimezone(UTC).replace(tzinfo=None)


def ranges(hours: np.ndarray[Any, Any], most: int = MAX_RANGES) -> list[tuple[int, int]]:
    """Hours (at least one) as at most so many ranges [first, last], apart where the gaps are widest and over six hours."""
    distinct = np.unique(hours)
    gaps = np.diff(distinct)
    cuts = np.flatnonzero(gaps > GAP_HOURS)
    if len(cuts) >= most:
        cuts = np.sort(cuts[np.argsort(gaps[cuts])[len(cuts) - most + 1 :]])
    first = distinct[np.concatenate(([0], cuts + 1))]
    last = distinct[np.concatenate((cuts, [len(distinct) - 1]))]
    return [(int(a), int(b)) for a, b in zip(first, last, strict=True)]
