"""Spans of time in which we could not have heard a device, and how much of a silence they explain."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta


@dataclass(frozen=True, slots=True)
class Blind:
    """We could not hear from ``since`` to ``until`` (None: still). ``reason`` says why; ``bridge`` names the one that was away.

    Of a bridge that is only late nobody is ``sure`` that it is away.
    """

    since: datetime
    until: datetime | None
    reason: str
    bridge: str | None = None
    sure: bool = True

    def ends(self, now: datetime, grace: timedelta = timedelta(0)) -> datetime:
        """When it is over, with a grace after it in which a device may be heard again; ``now`` while it lasts."""
        return now if self.until is None else min(now, self.until + grace)

    def covers(self, at: datetime, grace: timedelta = timedelta(0)) -> bool:
        """Whether an instant lies in it, or in the grace after it."""
        return self.since <= at and (self.until is None or at <= self.until + grace)


def explained(spans: Iterable[Blind], since: datetime, now: datetime, grace: timedelta) -> timedelta:
    """How much of [since, now] lies in any of the spans, each with its grace."""
    total, reached = timedelta(0), since
    for begin, end in sorted((one.since, one.ends(now, grace)) for one in spans):
        begin = max(begin, reached)
        if end > begin:
            total += end - begin
            reached = end
    return total


def latest(spans: Sequence[Blind], since: datetime, now: datetime) -> Blind | None:
    """The span that ends last of those that touch [since, now]."""
    touching = [one for one in spans if one.since <= now and one.ends(now) > since]
    return max(touching, key=lambda one: (one.until is None, one.ends(now), one.since), default=None)
