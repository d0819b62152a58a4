"""A simulated release under watch: what the product's own tests say at every look, put together as `analytics.cohorts.weighing` does.

A test holds what is put together here to what `weigh` says of the same fleet.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from analytics.cohorts.spec import KNOWN_PAST_HOURS, PLACEBO_LOG_E, WASHOUT_HOURS
from analytics.cohorts.weighing import LOG_2, NO_EVIDENCE, Assignment
from analytics.sequential.cluster import PastSums
from analytics.sequential.looks import RateLooks
from analytics.sequential.mixture import Floats, Kind, log_e_different, tau_of
from analytics.sequential.moments import Estimates
from analytics.sequential.strata import Strata
from analytics.sequential.winsor import winsor_cap, winsorised
from analytics.suites.cohort_fleets import PRE_DAYS, Fleet
from analytics.suites.cohort_looks import first_event_looks, rate_looks

GUARD = 30
NEVER = float("nan")
_KEPT_DAYS = PRE_DAYS - round(WASHOUT_HOURS / 24.0)


@dataclass(frozen=True, slots=True)
class Watch:
    """How a release is watched: its declared ``assignment``, the ``margin`` as a ratio, the ``guard`` in devices with events.

    ``kind`` "rate" has first events beside it, "mean" has amounts, which are winsorised.
    """

    assignment: Assignment = "randomised"
    margin: float = 1.0
    guard: int = GUARD
    burn_in_hours: float = 0.0
    slots_per_look: int = 1
    kind: Kind = "rate"


@dataclass(frozen=True, slots=True)
class Trial:
    """Natural logarithms of e at each look; minus infinity where a test may not speak.

    ``combined`` is the stream's: max(e_rate, e_first) / 2 while the release counts as randomised, else the rate alone.
    """

    days: Floats
    rate: Floats
    first: Floats
    combined: Floats

    def alarm(self, log_e: Floats, alpha: float) -> float:
        """Day of the first look with e >= 1 / alpha, or nan."""
        hits = np.flatnonzero(log_e >= -np.log(alpha))
        return float(self.days[hits[0]]) if hits.size else NEVER


@dataclass(frozen=True, slots=True)
class OwnPast:
    """Each device's relative rate before the release: in all, and in either half of the pre-period without its wash-out."""

    rates: Floats
    early: Floats
    late: Floats

    @property
    def all(self) -> list[Floats]:
        """The whole first, then the later and the earlier half."""
        return [self.rates, self.late, self.early]

    @classmethod
    def of(cls, fleet: Fleet) -> OwnPast:
        """From the days before."""
        strata, middle = Strata.of(fleet.stratum), _KEPT_DAYS // 2
        halves = [
            PastSums.nothing(fleet.devices).add(np.full_like(part, 24.0), part, strata)
            for part in (fleet.before[:, :middle], fleet.before[:, middle:_KEPT_DAYS])
        ]
        early, late = (half.rates(KNOWN_PAST_HOURS / 2.0) for half in halves)
        return cls(halves[0].plus(halves[1]).rates(KNOWN_PAST_HOURS), early, late)


def watch(fleet: Fleet, plan: Watch) -> Trial:
    """Look at a fleet every ``plan.slots_per_look`` slots."""
    return watch_all([fleet], plan)[0]


def watch_all(fleets: Sequence[Fleet], plan: Watch) -> list[Trial]:
    """The same of several fleets of as many slots each, which is faster."""
    seen = [winsorised_fleet(fleet) if plan.kind == "mean" else fleet for fleet in fleets]
    pasts = [OwnPast.of(fleet) for fleet in seen]
    # The halves of the past are needed where it is not believed that the waves were drawn by lot.
    needed = [[past.rates] if plan.assignment == "randomised" else past.all for past in pasts]
    looks = rate_looks(seen, plan.burn_in_hours, needed)
    return [_trial(*parts, plan) for parts in zip(seen, pasts, looks, strict=True)]


def winsorised_fleet(fleet: Fleet) -> Fleet:
    """Amounts with glitches cut at the cap of the control's past."""
    cap = winsor_cap(fleet.before[fleet.update >= fleet.slots, :_KEPT_DAYS])
    return replace(
        fleet,
        count=winsorised(fleet.count, np.full(fleet.count.size, fleet.slot_hours / 24.0), cap),
        before=winsorised(fleet.before, np.ones_like(fleet.before), cap),
    )


def _trial(fleet: Fleet, past: OwnPast, looks: RateLooks, plan: Watch) -> Trial:
    tau = tau_of(plan.kind)
    comparable = looks.devices_with_past.min(axis=0) >= plan.guard
    differed = comparable & _speaks(looks.past_differences(), tau)
    randomised = ~differed if plan.assignment == "randomised" else np.zeros_like(differed)
    rate = looks.log_e("cuped", margin=plan.margin, guard=plan.guard, tau=tau)
    if not randomised.all():
        known = plan.assignment != "randomised"
        halves = looks if known else rate_looks([fleet], plan.burn_in_hours, [past.all])[0]
        drifted = _speaks(halves.past_differences(1, 2), tau)
        against_past = looks.log_e("differences", margin=plan.margin, guard=plan.guard, tau=tau)
        rate = np.where(randomised, rate, np.where(comparable & ~drifted, against_past, NO_EVIDENCE))
    first = np.full(rate.size, NO_EVIDENCE)
    together = rate
    if plan.kind == "rate" and randomised.any():
        first = np.where(randomised, first_event_looks(fleet, plan.burn_in_hours, plan.margin), NO_EVIDENCE)
        together = np.where(randomised, np.maximum(rate, first) - LOG_2, rate)
    days = np.arange(1, fleet.slots + 1, dtype=np.float64) * (fleet.slot_hours / 24.0)
    looked = slice(plan.slots_per_look - 1, None, plan.slots_per_look)
    return Trial(days[looked], rate[looked], first[looked], together[looked])


def _speaks(placebo: Estimates, tau: float) -> NDArray[np.bool_]:
    result: NDArray[np.bool_] = log_e_different(placebo.theta, placebo.information, tau) >= PLACEBO_LOG_E
    return result
