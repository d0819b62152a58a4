"""All looks of a block of slots at once: what was known of one stream at the end of each slot, for the study of many releases.

It gives what adding slot by slot and asking after each would give, by the same code.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from analytics.sequential.cluster import Block
from analytics.sequential.logrank import POINTS, evidence_of, log_e_of
from analytics.sequential.mixture import TAU_RATE, Direction, Floats
from analytics.sequential.moments import (
    OWN,
    Adjustment,
    Estimates,
    Moments,
    Past,
    estimates,
    moments,
    numbers,
    past_estimates,
)
from analytics.sequential.risk import first_events_by_slot
from analytics.sequential.slots import (
    EVENTS_CONTROL,
    EVENTS_TREATED,
    HOURS_CONTROL,
    HOURS_TREATED,
    STATE,
    Cells,
    Slot,
    advance,
)
from analytics.sequential.strata import Strata


@dataclass(frozen=True, slots=True)
class RateLooks:
    """A stream at the end of each look. Counts of devices are (treated, control), shape (2, looks).

    ``devices_with_events`` had had events by then; ``devices_with_past`` had hours by then and events before the release.
    """

    moments: Moments
    devices_with_events: NDArray[np.int64]
    devices_with_past: NDArray[np.int64]

    def estimates(self, adjustment: Adjustment = "none") -> Estimates:
        """What `estimate` says at each look, by the first past."""
        return estimates(self.moments, adjustment)

    def past_differences(self, late: int = 0, earlier: int | None = None) -> Estimates:
        """What `past_difference` says at each look, by the pasts of these numbers."""
        return past_estimates(self.moments, late, earlier)

    def log_e(
        self,
        adjustment: Adjustment = "none",
        *,
        margin: float = 1.0,
        guard: int = 30,
        tau: float = TAU_RATE,
        direction: Direction = "more",
    ) -> Floats:
        """Natural logarithms of the e-values; minus infinity while fewer than ``guard`` devices of either arm have had events."""
        log_e = self.estimates(adjustment).log_e_worse(margin, tau, direction)
        result: Floats = np.where(self.devices_with_events.min(axis=0) >= guard, log_e, -np.inf)
        return result


def rate_looks(block: Block, strata: Strata, pasts: Sequence[Floats] = (), *, slots_per_look: int = 1) -> RateLooks:
    """The rates of a stream at each look from its first slot on.

    ``block`` and ``strata`` are those of `RateSums.add`; ``pasts`` are rates before the release as `estimate` takes them.
    """
    known = [Past.of(past) for past in pasts]
    had_past = known[0].excess > -known[0].known if known else np.zeros(strata.of_device.size, dtype=np.bool_)
    state, totals = np.zeros((STATE, strata.of_device.size)), np.zeros((2, 1))
    cells = Cells.of_one(strata.of_device, strata.count)
    columns = [np.ascontiguousarray(part.T) for part in (block.hours, block.treated, block.events)]
    found: list[Moments] = []
    with_events, with_past = (np.zeros((2, block.hours.shape[1] // slots_per_look), dtype=np.int64) for _ in range(2))
    for number, (hours, treated, events) in enumerate(zip(*columns, strict=True), 1):
        advance(state, totals, Slot(hours, treated, events), cells)
        if number % slots_per_look == 0:
            look = len(found)
            with_events[:, look] = np.count_nonzero(state[EVENTS_TREATED : EVENTS_CONTROL + 1] > 0, axis=1)
            with_past[:, look] = np.count_nonzero((state[HOURS_TREATED : HOURS_CONTROL + 1] > 0) & had_past, axis=1)
            found.append(moments(numbers(state[:OWN], known), totals[:, 0].copy()))
    together = Moments(*(np.stack([getattr(one, name) for one in found]) for name in Moments.__slots__))
    return RateLooks(together, with_events, with_past)


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
