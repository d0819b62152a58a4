"""Lives of parts as spells at risk: the age at which somebody began to watch, the age at which that ended, and whether by a failure.

A part that was old when its device came under watch enters at that age (left truncation): parts like it that failed before are not in
the records, and to count its early years as survived would make young parts look immortal. Ages are in days, or in hours of operation.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from analytics.panel import Flags, Floats, Ints


@dataclass(frozen=True, slots=True)
class Spells:
    """Spells at risk: ages ``entry`` < ``exit`` in one unit, whether it ended by a failure, and the group (model) of each."""

    entry: Floats
    exit: Floats
    failed: Flags
    group: Ints

    def __post_init__(self) -> None:
        if not (len(self.entry) == len(self.exit) == len(self.failed) == len(self.group)):
            raise ValueError("spells need an entry, an exit, an end and a group each")
        if not ((self.entry >= 0) & (self.exit > self.entry) & np.isfinite(self.exit)).all():
            raise ValueError("a spell begins at an age of at least 0 and ends later, at a finite age")


@dataclass(frozen=True, slots=True)
class Watched:
    """One part of one device; all days since 1970-01-01.

    ``born``: the day the first part was new. ``since`` .. ``until``: the days on which a failure would have become known.
    """

    group: int
    born: int
    since: int
    until: int
    failures: Sequence[int] = ()
    renewed: Sequence[int] = ()


@dataclass(frozen=True, slots=True)
class Life:
    """One watched life of the part at place ``part`` of what was given: ``new`` on a day (``first``: it came with its device), at risk from
    the age of ``entry`` to that of ``exit``, in days."""

    part: int
    new: int
    first: bool
    entry: float
    exit: float
    failed: bool


def watched_lives(parts: Sequence[Watched]) -> list[Life]:
    """All lives that were watched for at least a day. A failure on a day ends its life with that day.

    A failure on the day of a renewal is that of the old part. After a failure nothing is at risk until a new part is in; a part
    replaced while it worked was watched until then.
    """
    return [life for place, part in enumerate(parts) for life in _lives(place, part)]


def spells_of(parts: Sequence[Watched]) -> Spells:
    """Spells in days of all parts that were watched for at least a day."""
    lives = watched_lives(parts)
    return Spells(
        np.array([life.entry for life in lives], dtype=np.float64),
        np.array([life.exit for life in lives], dtype=np.float64),
        np.array([life.failed for life in lives], dtype=bool),
        np.array([parts[life.part].group for life in lives], dtype=np.int64),
    )


def _lives(place: int, part: Watched) -> Iterator[Life]:
    new = [part.born, *sorted(day for day in part.renewed if day > part.born)]
    for begin, following in zip(new, [*new[1:], part.until], strict=True):
        last = min(following, part.until)
        mine = sorted(day for day in part.failures if begin + (begin != part.born) <= day <= following)
        before = any(day < part.since for day in mine)
        failure = next((day for day in mine if part.since <= day <= last), None)
        entry = max(part.since, begin) - begin
        end = (last if failure is None else failure) - begin + 1
        if end > entry and not before and (failure is not None or last > max(part.since, begin)):
            yield Life(place, begin, begin == part.born, float(entry), float(end), failure is not None)
