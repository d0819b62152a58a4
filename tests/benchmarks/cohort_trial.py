"""One simulated release under watch: the e-values of every look, from the product's own functions."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from analytics.sequential.cluster import Adjustment, Block, PastSums, RateSums, estimate
from analytics.sequential.logrank import LogrankEvidence, first_events
from analytics.sequential.mixture import log_e_worse
from analytics.sequential.strata import Strata
from tests.benchmarks.cohort_fleet import Fleet

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Trial:
    """Natural logarithms of e at each look; minus infinity while the guard closes the rate test."""

    days: Floats
    rate: Floats
    first: Floats
    combined: Floats  # max(e_rate, e_first) / 2

    def alarm(self, log_e: Floats, alpha: float) -> float:
        """Day of the first look with e >= 1 / alpha, or nan."""
        hits = np.flatnonzero(log_e >= -np.log(alpha))
        return float(self.days[hits[0]]) if hits.size else float("nan")


def watch(
    fleet: Fleet,
    *,
    adjustment: Adjustment,
    margin: float = 1.0,
    guard: int = 30,
    burn_in_hours: float = 0.0,
    slots_per_look: int = 1,
    washout_slots: int = 0,
    tau: float = 0.405,
) -> Trial:
    """Look at a fleet every ``slots_per_look`` slots."""
    devices, slots = fleet.events.shape
    strata = Strata.of(fleet.stratum)
    pre = fleet.before[:, : fleet.before.shape[1] - washout_slots]
    past = PastSums.nothing(devices).add(np.ones_like(pre), pre, strata).rates(least_hours=1.0)
    burn = int(burn_in_hours / fleet.slot_hours)
    slot = np.arange(slots)
    treated = slot >= (fleet.update + burn)[:, None]
    hours = np.where((slot < fleet.update[:, None]) | treated, fleet.slot_hours, 0.0)
    counted = np.where(hours > 0, fleet.events, 0.0)
    sums, logrank, used = (
        RateSums.nothing(devices),
        LogrankEvidence.nothing(margin, interval=False),
        np.zeros(devices, bool),
    )
    looks = range(slots_per_look, slots + 1, slots_per_look)
    rate, first = np.full(len(looks), -np.inf), np.zeros(len(looks))
    for index, until in enumerate(looks):
        part = slice(until - slots_per_look, until)
        sums = sums.add(Block(hours[:, part], treated[:, part], counted[:, part]), strata)
        groups, used = first_events(hours[:, part], treated[:, part], fleet.events[:, part] > 0, used, strata)
        logrank = logrank.add(groups)
        first[index] = logrank.log_e
        if min(np.count_nonzero(sums.events_treated), np.count_nonzero(sums.events_control)) >= guard:
            found = estimate(sums, past, adjustment)
            rate[index] = log_e_worse(found.theta - np.log(margin), found.information, tau)
    days = np.array([until * fleet.slot_hours / 24.0 for until in looks])
    return Trial(days, rate, first, np.maximum(rate, first) - np.log(2.0))
