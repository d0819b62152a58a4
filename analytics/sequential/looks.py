"""All looks of a block of slots at once: what was known of one stream at the end of each slot, for the study of many releases.

It gives what adding slot by slot and asking after each would give, by the same code.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from analytics.sequential.cluster import Block
from analytics.sequential.logrank import POINTS, evidence_of, log_e_of
from analytics.sequential.mixture import TAU_RATE, Direction, Floats, log_e_worse
from analytics.sequential.moments import Adjustment, Estimates, Moments, Past, estimates, moments, numbers
from analytics.sequential.risk import first_events_by_slot
from analytics.sequential.slots import (
    EVENTS_CONTROL,
    EVENTS_TREATED,
    EXPECTED_CONTROL,
    EXPECTED_TREATED,
    STATE,
    A,
    B,
    Cells,
    Slot,
    advance,
)
from analytics.sequential.strata import Strata


@dataclass(frozen=True, slots=True)
class RateLooks:
    """The estimates at the end of each look, and how many devices had had events by then: (treated, control), shape (2, looks)."""

    estimates: Estimates
    devices_with_events: NDArray[np.int64]

    def log_e(
        self, *, margin: float = 1.0, guard: int = 30, tau: float = TAU_RATE, direction: Direction = "more"
    ) -> Floats:
        """Natural logarithms of the e-values; minus infinity while fewer than ``guard`` devices of either arm have had events."""
        theta = self.estimates.theta if direction == "more" else -self.estimates.theta
        log_e = log_e_worse(theta - np.log(margin), self.estimates.information, tau)
        result: Floats = np.where(self.devices_with_events.min(axis=0) >= guard, log_e, -np.inf)
        return result


def rate_looks(
    block: Block,
    strata: Strata,
    own_past: Floats | None = None,
    adjustment: Adjustment = "none",
    *,
    slots_per_look: int = 1,
) -> RateLooks:
    """The rates of a stream at each look from its first slot on; the arguments are those of `RateSums.add` and `estimate`."""
    pasts = [Past.of(own_past)] if own_past is not None and adjustment != "none" else []
    state, totals = np.zeros((STATE, strata.of_device.size)), np.zeros((2, 1))
    cells = Cells.of_one(strata.of_device, strata.count)
    columns = [np.ascontiguousarray(part.T) for part in (block.hours, block.treated, block.events)]
    found: list[Moments] = []
    devices = np.zeros((2, block.hours.shape[1] // slots_per_look), dtype=np.int64)
    for number, (hours, treated, events) in enumerate(zip(*columns, strict=True), 1):
        advance(state, totals, Slot(hours, treated, events), cells)
        if number % slots_per_look == 0:
            own = state[[A, EXPECTED_TREATED, B, EXPECTED_CONTROL]]
            devices[:, len(found)] = np.count_nonzero(state[EVENTS_TREATED : EVENTS_CONTROL + 1] > 0, axis=1)
            found.append(moments(numbers(own, pasts), totals[:, 0].copy()))
    together = Moments(*(np.stack([getattr(one, name) for one in found]) for name in Moments.__slots__))
    return RateLooks(estimates(together, adjustment if pasts else "none"), devices)


def first_event_looks(
    hours: Floats,
    treated: NDArray[np.bool_],
    happened: NDArray[np.bool_],
    strata: Strata,
    *,
    margin: float = 1.0,
    slots_per_look: int = 1,
) -> Floats:
    """Natural logarithms of the first events' e-values at each look, from arrays as `first_events` takes them."""
    nobody = np.zeros(strata.of_device.size, dtype=np.bool_)
    groups, slot, _ = first_events_by_slot(hours, treated, happened, nobody, strata)
    added = np.zeros((hours.shape[1] // slots_per_look, POINTS))
    if slot.size:
        look = slot // slots_per_look
        first = np.flatnonzero(np.diff(look, prepend=-1))
        sums = np.add.reduceat(evidence_of(groups, margin, interval=False)[0], first, axis=0)
        ended = look[first] < added.shape[0]
        added[look[first][ended]] = sums[ended]
    return log_e_of(np.cumsum(added, axis=0))
