"""Which values were seen at the same hour of earlier days, for many series at once.

The hours before and after count too. Values of the last twelve hours do not: they are of the same day, and a fault of today must not be
the yardstick of today. Twenty-four words of 64 bits a series on one `Axis`, and twelve for the hours that still wait.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from analytics.panel import Floats, Ints
from analytics.scorers.occupancy import Axis, Words, folded, nearest, taken

HOURS = 24
WAIT = 12
_ONE = np.uint64(1)
NEVER = np.int64(-(2**40))
"""The hour of a series of which nothing was seen yet."""


@dataclass(slots=True)
class SameHour:
    """``past`` (series, 24): by hour of the day (UTC); ``waiting`` (series, 12): by hour; ``hour``: the last one, in hours since 1970."""

    axis: Axis
    past: Words
    waiting: Words
    hour: NDArray[np.int64]

    @staticmethod
    def empty(series: int) -> SameHour:
        """Nothing seen yet."""
        words = [np.zeros((series, size), dtype=np.uint64) for size in (HOURS, WAIT)]
        return SameHour(Axis.empty(series), words[0], words[1], np.full(series, NEVER))

    def meet(self, values: Floats, hours: Ints) -> tuple[NDArray[np.bool_], Ints, Floats]:
        """Remember one value of every series (NaN: none) of an hour since 1970; an hour before the last one counts as the last one.

        Returns which series have a past to compare with; and of these the ones whose value is new, and how far it is from any before.
        """
        known = ~np.isnan(values)
        self._pass_time(known, hours)
        every = np.arange(len(values))
        of_day = self.hour % HOURS
        bits = self.past[every, of_day] | self.past[every, of_day - 1] | self.past[every, (of_day + 1) % HOURS]
        comparable = known & (bits != 0)
        place, inside = self.axis.places(values)
        rows = np.flatnonzero(comparable & ~(inside & ((bits >> place) & _ONE).astype(bool)))
        axis = taken(self.axis, rows)
        distance = nearest(bits[rows], (values[rows] - axis.low) * axis.per_unit) / axis.per_unit
        beyond = np.flatnonzero(known & ~inside)
        if beyond.size:
            self._reach(beyond, values[beyond])
            place, inside = self.axis.places(values)
        self.axis.stretch(values)
        self.waiting[every, self.hour % WAIT] |= np.where(inside, _ONE << place, np.uint64(0))
        return comparable, rows, distance

    def _pass_time(self, known: NDArray[np.bool_], hours: Ints) -> None:
        """What has waited for twelve hours becomes the past."""
        rows = np.flatnonzero(known & (hours > self.hour))
        if not rows.size:
            return
        last, now = self.hour[rows], hours[rows]
        for back in range(WAIT):
            hour = last - back
            due = rows[hour <= now - WAIT]
            of = hour[hour <= now - WAIT]
            if due.size:
                self.past[due, of % HOURS] |= self.waiting[due, of % WAIT]
                self.waiting[due, of % WAIT] = 0
        self.hour[rows] = now

    def _reach(self, rows: Ints, values: Floats) -> None:
        """Give the axis to values that it does not hold."""
        least, most = self.axis.least[rows], self.axis.most[rows]
        first = np.isnan(least)
        second = ~first & (least == most)
        self.axis.begin(rows[first], values[first])
        if second.any():
            bits = self.axis.spread(rows[second], values[second])[:, None]
            for words in (self.past, self.waiting):
                mine = words[rows[second]]
                words[rows[second]] = np.where(mine != 0, bits, np.uint64(0))
        wide, given = rows[~first & ~second], values[~first & ~second]
        upper = self.axis.double(wide, given)[:, None]
        for words in (self.past, self.waiting):
            words[wide] = folded(words[wide], upper)
