"""What a closed slot adds to the running sums: one code for the devices of one stream and for the rows of many streams at once.

The formulas are those of `analytics.sequential.cluster`. Rows are devices, those of a stream one after another; strata are numbered through
all streams, those of a stream one after another. Everything that happened in a slot is first summed by *cell* (a stratum's arm); what the
slot's rate, ratio and weights are follows from the cells, and each row then looks up its own cell.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from analytics.sequential.mixture import Floats

A, EXPECTED_TREATED, B, EXPECTED_CONTROL, HOURS_TREATED, HOURS_CONTROL, EVENTS_TREATED, EVENTS_CONTROL = range(8)
STATE = 8
"""Running sums of a row, in this order."""

_SHRINK = 2.0  # weighted events added to A and B in R_k, so that the first slots do not swing it
_R_BOUND = 8.0


@dataclass(frozen=True, slots=True)
class Slot:
    """A slot of all rows, shape (rows,): ``hours`` counted in the arm that ``treated`` says, and the ``events`` within them."""

    hours: Floats
    treated: NDArray[np.bool_]
    events: Floats


@dataclass(frozen=True, slots=True)
class Cells:
    """Where each row belongs: ``control_cell`` is twice its stratum; its treated cell is the next. ``first_stratum`` is each stream's."""

    control_cell: NDArray[np.intp]
    strata: int
    first_stratum: NDArray[np.intp]

    @classmethod
    def of_one(cls, of_device: NDArray[np.int64], strata: int) -> Cells:
        """The devices of one stream."""
        return cls(2 * of_device.astype(np.intp), max(1, strata), np.zeros(1, dtype=np.intp))

    def by_stratum(self, of_stream: Floats) -> Floats:
        """A value of each stream given to its strata."""
        if self.first_stratum.size == 1:
            return np.broadcast_to(of_stream, (self.strata,))
        return np.repeat(of_stream, np.diff(self.first_stratum, append=self.strata))


def advance(state: Floats, totals: Floats, slot: Slot, cells: Cells) -> None:
    """Add a slot, in place, to the rows' running sums, shape (8, rows), and to the streams' totals A and B, shape (2, streams)."""
    cell = cells.control_cell + slot.treated
    hours, events = (_by_cell(cell, values, cells.strata) for values in (slot.hours, slot.events))
    weight, expected, slope = _factors(hours, events, totals, cells)
    contribution = weight[cell]
    contribution *= slot.events
    share = slope[cell]
    share *= slot.hours
    contribution -= share
    np.take(expected, cell, out=share)
    share *= slot.hours
    treated = slot.treated.astype(np.float64)
    for values, first, second in (
        (contribution, A, B),
        (share, EXPECTED_TREATED, EXPECTED_CONTROL),
        (slot.hours, HOURS_TREATED, HOURS_CONTROL),
        (slot.events, EVENTS_TREATED, EVENTS_CONTROL),
    ):
        part = values * treated
        state[first] += part
        np.subtract(values, part, out=part)
        state[second] += part


def _by_cell(cell: NDArray[np.intp], values: Floats, strata: int) -> Floats:
    """Sums of the (control, treated) cells of each stratum, shape (strata, 2)."""
    sums: Floats = np.bincount(cell, weights=values, minlength=2 * strata).astype(np.float64, copy=False)
    return sums.reshape(strata, 2)


def _factors(hours: Floats, events: Floats, totals: Floats, cells: Cells) -> tuple[Floats, Floats, Floats]:
    """By cell: the weight of an event, that weight times lambda, and times lambda and the arm's ratio. Adds the slot to the totals."""
    exposed = hours.sum(axis=1, keepdims=True)
    weight = np.divide(hours[:, ::-1], exposed, out=np.zeros_like(hours), where=exposed > 0)
    happened = np.add.reduceat(weight * events, cells.first_stratum, axis=0)
    totals[0] += happened[:, 1]
    totals[1] += happened[:, 0]
    ratio = cells.by_stratum(np.clip((totals[0] + _SHRINK) / (totals[1] + _SHRINK), 1.0 / _R_BOUND, _R_BOUND))
    rated = ratio * hours[:, 1] + hours[:, 0]
    rate = np.divide(events.sum(axis=1), rated, out=np.zeros_like(rated), where=rated > 0)
    expected = weight * rate[:, None]
    slope = expected.copy()
    slope[:, 1] *= ratio
    return weight.ravel(), expected.ravel(), slope.ravel()
