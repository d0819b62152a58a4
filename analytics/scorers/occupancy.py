"""Which values were ever seen, 64 bits on an axis of 64 bins, for many series at once; how far a new one is from the nearest of them.

The axis is the series' own: it begins at twice the distance between its first two different values and is doubled when a value
falls outside, neighbouring bins being merged; at most once a value, so that one absurd value cannot take the resolution from the rest.
Nothing seen is ever forgotten. A distance is known to about half a bin inside the range seen, exactly beyond it.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from analytics.panel import Floats, Ints

Words = NDArray[np.uint64]
BINS = 64
_FIRST_SPAN = 32.0  # bins between the first two different values
_SAME = 1e-9  # values that differ by less than this share are one value while only one is known
_FINEST = 1e-140  # a bin's least width: places of the greatest values must stay finite
_ONE = np.uint64(1)
_UP_TO = np.array([(1 << place) - 1 for place in range(BINS + 1)], dtype=np.uint64)  # the bins below `place`
_FOLDS = (
    (1, 0x3333333333333333),
    (2, 0x0F0F0F0F0F0F0F0F),
    (4, 0x00FF00FF00FF00FF),
    (8, 0x0000FFFF0000FFFF),
    (16, 0x00000000FFFFFFFF),
)


@dataclass(slots=True)
class Axis:
    """The bins of many series: left edge of the first, bins per unit, least and greatest value seen; shape (series,), NaN at first."""

    low: Floats
    per_unit: Floats
    least: Floats
    most: Floats

    @staticmethod
    def empty(series: int) -> Axis:
        """Nothing seen yet."""
        return Axis(*(np.full(series, np.nan) for _ in range(4)))

    def places(self, values: Floats) -> tuple[Words, NDArray[np.bool_]]:
        """Bin of each value, and whether the axis reaches it (never for NaN)."""
        place = (values - self.low) * self.per_unit
        inside = (place >= 0) & (place < BINS)
        return np.where(inside, place, 0.0).astype(np.uint64), inside

    def begin(self, rows: Ints, values: Floats) -> None:
        """The first value of some series."""
        step = np.maximum(np.abs(values) * _SAME, 1e-12)
        self.low[rows], self.per_unit[rows] = values, 1.0 / step

    def spread(self, rows: Ints, values: Floats) -> Words:
        """The second value of some series: gives the axis its width; returns the bits of the first value."""
        first = self.least[rows]
        step = np.maximum(np.abs(values - first) / _FIRST_SPAN, _FINEST)
        self.low[rows] = np.minimum(values, first) - (BINS - _FIRST_SPAN) / 2 * step
        self.per_unit[rows] = 1.0 / step
        return _ONE << ((first - self.low[rows]) * self.per_unit[rows]).astype(np.uint64)

    def double(self, rows: Ints, values: Floats) -> NDArray[np.bool_]:
        """Twice as wide, towards the value; returns where the old bins are now the upper half. The bits are to be `folded`."""
        downwards = values < self.low[rows]
        self.low[rows] -= np.where(downwards, BINS / self.per_unit[rows], 0.0)
        self.per_unit[rows] /= 2
        return downwards

    def stretch(self, values: Floats) -> None:
        """Least and greatest value with these."""
        np.fmin(self.least, values, out=self.least)
        np.fmax(self.most, values, out=self.most)


def folded(bits: Words, upper: NDArray[np.bool_]) -> Words:
    """Neighbouring bins merged; the result stands in the upper half where asked, else in the lower."""
    word = (bits | bits >> _ONE) & np.uint64(0x5555555555555555)
    for shift, mask in _FOLDS:
        word = (word | word >> np.uint64(shift)) & np.uint64(mask)
    return np.where(upper, word << np.uint64(32), word)


def nearest(bits: Words, place: Floats) -> Floats:
    """Bins from a place on the axis (also beyond its ends) to the centre of the nearest occupied bin; 0 in one; inf if none is."""
    own = np.clip(np.floor(np.where(np.isnan(place), -1.0, place)), -1, BINS).astype(np.int64)
    below = bits & _UP_TO[np.minimum(own + 1, BINS)]
    above = bits & ~_UP_TO[np.minimum(own + 1, BINS)]
    # x & ~(x >> 1) keeps the highest bit and clears its neighbour, so that rounding to a float cannot carry into the next power of two.
    left = np.frexp((below & ~(below >> _ONE)).astype(np.float64))[1] - 1
    right = np.frexp((above & (~above + _ONE)).astype(np.float64))[1] - 1
    to_left = np.where(left >= 0, np.where(left == own, 0.0, place - (left + 0.5)), np.inf)
    to_right = np.where(right >= 0, right + 0.5 - place, np.inf)
    return np.minimum(to_left, to_right)


@dataclass(slots=True)
class Seen:
    """All values ever seen of many series; changed in place."""

    axis: Axis
    bits: Words

    @staticmethod
    def empty(series: int) -> Seen:
        """Nothing seen yet."""
        return Seen(Axis.empty(series), np.zeros(series, dtype=np.uint64))

    def meet(self, values: Floats) -> tuple[Ints, Floats]:
        """Remember one value of every series (NaN: none). Returns the series whose value is new, and how far it is from any before.

        Not among them: series without a value, and those whose value falls into an occupied bin (distance 0). NaN: there was none before.
        """
        place, inside = self.axis.places(values)
        familiar = inside & ((self.bits >> place) & _ONE).astype(bool)
        rows = np.flatnonzero(~familiar & ~np.isnan(values))
        distance = self._learn(rows, values[rows]) if rows.size else np.empty(0)
        self.axis.stretch(values)
        return rows, distance

    def _learn(self, rows: Ints, values: Floats) -> Floats:
        distance = self._distance(rows, values)
        first = np.isnan(self.axis.least[rows])
        self.axis.begin(rows[first], values[first])
        second = ~first & (self.axis.least[rows] == self.axis.most[rows])
        self.bits[rows[second]] = self.axis.spread(rows[second], values[second])
        outside = ~taken(self.axis, rows).places(values)[1]
        wide = rows[outside]
        self.bits[wide] = folded(self.bits[wide], self.axis.double(wide, values[outside]))
        place, inside = taken(self.axis, rows).places(values)
        self.bits[rows] |= np.where(inside, _ONE << place, np.uint64(0))
        return distance

    def _distance(self, rows: Ints, values: Floats) -> Floats:
        axis = taken(self.axis, rows)
        inner = nearest(self.bits[rows], (values - axis.low) * axis.per_unit) / axis.per_unit
        edge = np.minimum(np.abs(values - axis.least), np.abs(values - axis.most))
        beyond = (values < axis.least) | (values > axis.most)
        return np.where(beyond, edge, np.minimum(inner, edge))


def taken(axis: Axis, rows: Ints) -> Axis:
    """The axes of some series (a copy)."""
    return Axis(axis.low[rows], axis.per_unit[rows], axis.least[rows], axis.most[rows])
