"""When a device was last heard, from what the registry holds of it; and what that teaches about its interval.

The registry knows the newest *sample* of a device (``last_seen``), and a last will moves that too. Here it becomes the newest sign of life:
a last will is none, and a device whose clock is slow is heard when its message came, not when it thinks it sent it.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta

from analytics.liveness.gaps import Bins, learn
from analytics.liveness.spans import Blind, explained
from hearthwatch.records.liveness import Watched

LAG = timedelta(seconds=30)
"""So long a message may take until it is in the registry."""
FINE = timedelta(minutes=5)
"""Looks further apart than this see short gaps only coarsely."""
NO_GRACE = timedelta(0)


def heard_at(
    device: Watched,
    before: datetime | None,
    seen: datetime | None,
    ours: Sequence[Blind],
    looked: datetime | None,
    now: datetime,
) -> datetime | None:
    """The newest sign of life. ``before`` and ``seen`` are this and ``last_seen`` as of the last look, which was at ``looked``."""
    newest = device.last_seen
    if newest is None or _is_last_will(device, newest) or (seen is not None and newest <= seen):
        return before
    at = min(newest, now)
    if before is None or looked is None:
        return at
    if at >= looked - LAG or _could_be_late(ours, at, now):
        return max(at, before)
    return now  # it came since the last look, and says it is older: its clock is slow


def _is_last_will(device: Watched, newest: datetime) -> bool:
    return device.online is False and device.presence_at is not None and newest <= device.presence_at


def _could_be_late(ours: Sequence[Blind], at: datetime, now: datetime) -> bool:
    return any(one.ends(now) >= at for one in ours)


def learned(
    bins: Bins,
    before: datetime | None,
    heard: datetime | None,
    *,
    blind: Sequence[Blind],
    looked: datetime | None,
    now: datetime,
    most: timedelta,
) -> Bins:
    """The gaps with the one that just ended, if it tells anything. Silence beyond ``most`` was an absence, and counts as that."""
    if before is None or heard is None or heard <= before or looked is None:
        return bins
    gap, step = heard - before, now - looked
    if step > FINE and gap < 2 * step:
        return bins
    if explained(blind, before, heard, NO_GRACE):
        return bins
    return learn(bins, min(gap, most))
