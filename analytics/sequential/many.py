"""Thousands of streams at once: arrays instead of objects, taken piece by piece so that what is worked on stays in the processor's cache.

The rows of all streams lie one after another. The numbers are those of `RateSums`, `estimate` and `LogrankEvidence`, by the same code.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from analytics.sequential.cluster import RateSums
from analytics.sequential.logrank import POINTS, evidence_of, log_e_of
from analytics.sequential.mixture import Floats
from analytics.sequential.moments import OWN, Adjustment, Estimates, Moments, Past, estimates, numbers
from analytics.sequential.risk import RiskGroups, risk_groups
from analytics.sequential.slots import (
    EVENTS_CONTROL,
    EVENTS_TREATED,
    STATE,
    Cells,
    Slot,
    advance,
)
from analytics.sequential.strata import Strata

_PIECE_ROWS = 8192  # a dozen arrays of so many numbers fit into a second-level cache of 1 MB


@dataclass(frozen=True, slots=True)
class Piece:
    """Some streams that are worked on together: their numbers, their rows, where each begins within them, and their cells."""

    streams: slice
    rows: slice
    begins: NDArray[np.intp]
    cells: Cells


@dataclass(frozen=True, slots=True)
class Layout:
    """Where the rows of each stream lie: ``begins`` has shape (streams + 1,)."""

    begins: NDArray[np.intp]
    pieces: tuple[Piece, ...]

    @classmethod
    def of(cls, strata: Sequence[Strata]) -> Layout:
        """One entry per stream; a stream has at least one device."""
        sizes = np.array([one.of_device.size for one in strata], dtype=np.intp)
        if (sizes == 0).any():
            raise ValueError(f"stream {int(np.argmin(sizes))} has no device")
        begins = np.concatenate([[0], np.cumsum(sizes)])
        pieces = tuple(_piece(strata, begins, first, last) for first, last in _cut(begins))
        return cls(begins, pieces)

    @property
    def streams(self) -> int:
        """How many."""
        return int(self.begins.size - 1)

    @property
    def rows(self) -> int:
        """Devices of all streams; one that is in two streams is two rows."""
        return int(self.begins[-1])


@dataclass(frozen=True, slots=True)
class ManySums:
    """The running sums of all rows, shape (8, rows), and A and B of all streams, shape (2, streams). A value."""

    layout: Layout
    state: Floats
    totals: Floats

    @classmethod
    def nothing(cls, layout: Layout) -> ManySums:
        """No slot yet."""
        return cls(layout, np.zeros((STATE, layout.rows)), np.zeros((2, layout.streams)))

    def add(self, slot: Slot) -> ManySums:
        """The sums after one more slot of all rows."""
        state, totals = np.empty_like(self.state), self.totals.copy()
        for piece in self.layout.pieces:
            rows = piece.rows
            state[:, rows] = self.state[:, rows]
            part = Slot(slot.hours[rows], slot.treated[rows], slot.events[rows])
            advance(state[:, rows], totals[:, piece.streams], part, piece.cells)
        return ManySums(self.layout, state, totals)

    def estimates(self, past: Past | None = None, adjustment: Adjustment = "none") -> Estimates:
        """The estimate of each stream, shape (streams,); ``past`` is that of all rows."""
        pasts = [] if past is None or adjustment == "none" else [past]
        size = OWN + 4 * len(pasts)
        gram, sums = np.empty((self.layout.streams, size, size)), np.empty((self.layout.streams, size))
        for piece in self.layout.pieces:
            found = numbers(
                self.state[:OWN, piece.rows], [Past(one.known[piece.rows], one.excess[piece.rows]) for one in pasts]
            )
            sums[piece.streams] = np.add.reduceat(found, piece.begins, axis=1).T
            for products, first, last in zip(gram[piece.streams], *_ends(piece), strict=True):
                rows = found[:, first:last]
                np.matmul(rows, rows.T, out=products)
        return estimates(Moments(gram, sums, self.totals.T), adjustment if pasts else "none")

    def devices_with_events(self) -> NDArray[np.int64]:
        """How many devices of each stream have had events in the treated and in the control arm, shape (2, streams)."""
        found = np.empty((2, self.layout.streams), dtype=np.int64)
        for piece in self.layout.pieces:
            had = self.state[EVENTS_TREATED : EVENTS_CONTROL + 1, piece.rows] > 0
            np.add.reduceat(had, piece.begins, axis=1, dtype=np.int64, out=found[:, piece.streams])
        return found

    def stream(self, number: int) -> RateSums:
        """One stream's sums."""
        rows = slice(self.layout.begins[number], self.layout.begins[number + 1])
        return RateSums.of_state(self.state[:, rows], self.totals[:, number : number + 1])


@dataclass(frozen=True, slots=True)
class ManyFirstEvents:
    """The safe logrank evidence of all streams, shape (streams, POINTS), and the rows that are used up. A value."""

    layout: Layout
    margin: float
    shifted: Floats
    used: NDArray[np.bool_]

    @classmethod
    def nothing(cls, layout: Layout, margin: float = 1.0) -> ManyFirstEvents:
        """No event yet."""
        return cls(layout, margin, np.zeros((layout.streams, POINTS)), np.zeros(layout.rows, dtype=np.bool_))

    def add(self, hours: Floats, treated: NDArray[np.bool_], happened: NDArray[np.bool_]) -> ManyFirstEvents:
        """The evidence after one more slot of all rows; the arrays are those of `first_events`, shape (rows,)."""
        used, shifted = self.used.copy(), self.shifted.copy()
        parts, numbers_ = [], []
        for piece in self.layout.pieces:
            rows = piece.rows
            groups, stratum = risk_groups(hours[rows], treated[rows], happened[rows], used[rows], piece.cells)
            parts.append(groups)
            numbers_.append(piece.streams.start + np.searchsorted(piece.cells.first_stratum, stratum, "right") - 1)
        groups, number = RiskGroups.joined(parts), np.concatenate(numbers_)
        if number.size:
            first = np.flatnonzero(np.diff(number, prepend=-1))
            added, _ = evidence_of(groups, self.margin, interval=False)
            shifted[number[first]] += np.add.reduceat(added, first, axis=0)
        return ManyFirstEvents(self.layout, self.margin, shifted, used)

    @property
    def log_e(self) -> Floats:
        """Natural logarithms of the e-values, shape (streams,)."""
        return log_e_of(self.shifted)


def _cut(begins: NDArray[np.intp]) -> Iterator[tuple[int, int]]:
    """The streams of each piece, as first and last + 1."""
    first = 0
    while first < begins.size - 1:
        last = int(np.searchsorted(begins, begins[first] + _PIECE_ROWS, "right")) - 1
        last = max(first + 1, last)
        yield first, last
        first = last


def _piece(strata: Sequence[Strata], begins: NDArray[np.intp], first: int, last: int) -> Piece:
    here = strata[first:last]
    first_stratum = np.cumsum([0, *(one.count for one in here)]).astype(np.intp)
    control_cell = np.concatenate(
        [2 * (one.of_device + offset) for one, offset in zip(here, first_stratum[:-1], strict=True)]
    )
    return Piece(
        streams=slice(first, last),
        rows=slice(int(begins[first]), int(begins[last])),
        begins=begins[first:last] - begins[first],
        cells=Cells(control_cell.astype(np.intp), int(first_stratum[-1]), first_stratum[:-1]),
    )


def _ends(piece: Piece) -> tuple[list[int], list[int]]:
    """Where each stream of a piece begins and ends within it."""
    begins = piece.begins.tolist()
    return begins, [*begins[1:], piece.rows.stop - piece.rows.start]
