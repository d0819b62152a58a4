"""The running evidence about one metric of one release. Values: adding hours gives a new one, and the old one can be added to again."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from analytics.cohorts.arms import Arms
from analytics.cohorts.spec import KNOWN_PAST_HOURS, Metric
from analytics.sequential.cluster import Block, PastSums, RateSums
from analytics.sequential.logrank import LogrankEvidence, first_events
from analytics.sequential.mixture import Floats
from analytics.sequential.strata import Strata


@dataclass(frozen=True, slots=True)
class Counts:
    """What happened in a block of hours, shape (devices, hours): ``events`` as counted, ``happened`` where there was any."""

    events: Floats
    happened: NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class Past:
    """The pre-period of a metric, in two halves; fixed when the release begins."""

    early: PastSums
    late: PastSums

    @classmethod
    def nothing(cls, devices: int) -> Past:
        """No past."""
        return cls(PastSums.nothing(devices), PastSums.nothing(devices))

    @property
    def rates(self) -> Floats:
        """Each device's own rate, relative to its stratum; NaN where unknown."""
        return self.early.plus(self.late).rates(KNOWN_PAST_HOURS)

    @property
    def halves(self) -> tuple[Floats, Floats]:
        """The same of the earlier and of the later half, only of devices known in both."""
        early, late = self.early.rates(KNOWN_PAST_HOURS / 2), self.late.rates(KNOWN_PAST_HOURS / 2)
        both = np.isfinite(early) & np.isfinite(late)
        return np.where(both, early, np.nan), np.where(both, late, np.nan)

    @property
    def known(self) -> NDArray[np.bool_]:
        """Devices whose past is known."""
        known: NDArray[np.bool_] = np.isfinite(self.rates)
        return known


@dataclass(frozen=True, slots=True)
class Stream:
    """Running sums of a metric: ``everyone``'s rates, the rates of devices with a ``known`` past only, and the first events.

    ``used`` marks devices that had their first event on the release's clock, shape (devices,).
    """

    metric: Metric
    past: Past
    everyone: RateSums
    known: RateSums
    logrank: LogrankEvidence
    used: NDArray[np.bool_]

    @classmethod
    def begin(cls, metric: Metric, past: Past, margin: float) -> Stream:
        """At the release's first wave."""
        devices = past.early.hours.size
        nothing = RateSums.nothing(devices)
        return cls(metric, past, nothing, nothing, LogrankEvidence.nothing(margin), np.zeros(devices, dtype=bool))

    def add(self, arms: Arms, counts: Counts, strata: Strata) -> Stream:
        """The evidence after further hours."""
        exposure = (arms.counted if self.metric.repeats else arms.watched).astype(np.float64)
        groups, used = first_events(exposure, arms.treated, counts.happened, self.used, strata)
        events = np.where(exposure > 0, counts.events, 0.0)
        block = Block(exposure, arms.treated, events)
        everyone, known = self.everyone.add(block, strata), self.known
        if self.metric.repeats:
            past = self.past.known[:, None]
            known = known.add(Block(np.where(past, exposure, 0.0), arms.treated, np.where(past, events, 0.0)), strata)
        return Stream(self.metric, self.past, everyone, known, self.logrank.add(groups), used)
