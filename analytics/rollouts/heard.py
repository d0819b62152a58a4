"""The clock of a roll-out: hours in which the fleet was heard. Our own outages do not pass on it."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence
from datetime import datetime

from hearthwatch.records.blindness import BlindSpan


class HeardClock:
    """Counts the hours between two times, without those in which nobody was heard. ``now`` ends a blindness that lasts."""

    def __init__(self, spans: Sequence[BlindSpan], now: datetime) -> None:
        self._begins: list[float] = []
        self._ends: list[float] = []
        self._before: list[float] = []  # blind seconds before each span
        passed = 0.0
        for since, until in _merged(spans, now):
            self._begins.append(since)
            self._ends.append(until)
            self._before.append(passed)
            passed += until - since

    def hours(self, since: datetime, until: datetime) -> float:
        """Hours from ``since`` to ``until``; negative where ``until`` comes first."""
        begin, end = since.timestamp(), until.timestamp()
        return (end - begin - (self._blind(end) - self._blind(begin))) / 3600.0

    def _blind(self, at: float) -> float:
        """Blind seconds up to a time."""
        number = bisect_right(self._begins, at) - 1
        if number < 0:
            return 0.0
        return self._before[number] + min(at, self._ends[number]) - self._begins[number]


def _merged(spans: Sequence[BlindSpan], now: datetime) -> list[tuple[float, float]]:
    merged: list[tuple[float, float]] = []
    for since, until in sorted((one.since.timestamp(), (one.until or now).timestamp()) for one in spans):
        if merged and since <= merged[-1][1]:
            merged[-1] = (merged[-1][0], max(until, merged[-1][1]))
        elif until > since:
            merged.append((since, until))
    return merged
