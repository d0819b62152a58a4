"""Time as an argument: the real clock, and one that moves only when told to."""

from __future__ import annotations

import threading
from datetime import UTC, datetime, timedelta

from hearthwatch.errors import Invalid

SET_BACK = timedelta(seconds=1)


def was_set_back(last: datetime, now: datetime) -> bool:
    """Whether a clock that showed ``last`` and shows ``now`` was set back, and did not just stand still or slow down a little.

    Stamps that must all differ go on from the last one while a clock stands still; one that was set back they have to follow, or
    they would lie in the future for as long as it was wrong.
    """
    return last - now > SET_BACK


class SystemClock:
    """The machine's clock, in UTC."""

    def now(self) -> datetime:
        """The current instant, timezone-aware, in UTC."""
        return datetime.now(UTC)


class SteppedClock:
    """A clock that stands still until ``advance`` moves it; used by the demo and by tests."""

    def __init__(self, start: datetime) -> None:
        if start.tzinfo is None:
            raise Invalid("a clock needs a time with an offset", where=start.isoformat())
        self._now = start.astimezone(UTC)
        self._lock = threading.Lock()

    def now(self) -> datetime:
        """The instant the clock stands at, timezone-aware, in UTC."""
        with self._lock:
            return self._now

    def advance(self, step: timedelta) -> datetime:
        """Move forward by ``step`` and return the new instant. Raises `Invalid` for a step backwards."""
        if step < timedelta(0):
            raise Invalid("a clock does not go backwards", where=str(step))
        with self._lock:
            self._now += step
            return self._now
