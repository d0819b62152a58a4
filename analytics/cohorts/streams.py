"""The running evidence about one metric of one release. Values: adding hours gives a new one, and the old one can be added to again."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from analytics.cohorts.spec import KNOWN_PAST_HOURS, Metric
from analytics.sequential.cluster import Block, PastSums, RateSums
from analytics.sequential.logrank import LogrankEvidence, first_events
from analytics.sequential.mixture import Floats
from analytics.sequential.strata import Strata

DAILY_STARTS_H = 28 * 24
"""For so long every day end is kept to restart from; of older ones only the first wave."""
LARGE_FLEET = 5_000
"""With more devices than this the kept day ends thin out with their age: daily for a week, then every 2 and every 4 days. Fewer restarts
make the detector of late regressions a little slower, never falser."""


@dataclass(frozen=True, slots=True)
class Counts:
    """What happened in a block of slots, shape (devices, slots).

    ``hours`` is the exposure in either arm (0 where a device is in none), ``treated`` says which arm, ``events`` is what happened there as
    counted, ``happened`` marks slots in which anything did, in an arm or not.
    """

    hours: Floats
    treated: NDArray[np.bool_]
    events: Floats
    happened: NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class Past:
    """The pre-period of a metric, in two halves; fixed when the release begins. Known from ``least_hours`` of it on."""

    early: PastSums
    late: PastSums
    least_hours: float = KNOWN_PAST_HOURS

    @classmethod
    def nothing(cls, devices: int, least_hours: float = KNOWN_PAST_HOURS) -> Past:
        """No past."""
        return cls(PastSums.nothing(devices), PastSums.nothing(devices), least_hours)

    @property
    def rates(self) -> Floats:
        """Each device's own rate, relative to its stratum; NaN where unknown."""
        return self.early.plus(self.late).rates(self.least_hours)

    @property
    def halves(self) -> tuple[Floats, Floats]:
        """The same of the earlier and of the later half, only of devices known in both."""
        early, late = self.early.rates(self.least_hours / 2), self.late.rates(self.least_hours / 2)
        both = np.isfinite(early) & np.isfinite(late)
        return np.where(both, early, np.nan), np.where(both, late, np.nan)

    @property
    def known(self) -> NDArray[np.bool_]:
        """Devices whose past is known."""
        known: NDArray[np.bool_] = np.isfinite(self.rates)
        return known


@dataclass(frozen=True, slots=True)
class Start:
    """The sums as they stood at the beginning of an hour (since 1970): a later comparison may begin there."""

    hour: int
    everyone: RateSums
    known: RateSums


@dataclass(frozen=True, slots=True)
class Stream:
    """Running sums of a metric: ``everyone``'s rates, the rates of devices with a ``known`` past only, and the first events.

    ``used`` marks devices that had their first event on the release's clock, shape (devices,). ``starts`` are the sums as they stood at
    the first wave and at each day end since. ``cap`` is the most that counts of a device-day. ``reported``: the fleet reports it at all.
    """

    metric: Metric
    past: Past
    everyone: RateSums
    known: RateSums
    logrank: LogrankEvidence
    used: NDArray[np.bool_]
    starts: tuple[Start, ...] = ()
    cap: float = float("inf")
    reported: bool = True

    @classmethod
    def begin(cls, metric: Metric, past: Past, margin: float, *, cap: float = float("inf")) -> Stream:
        """At the release's first wave. A metric's own margin goes before ``margin``."""
        devices = past.early.hours.size
        nothing = RateSums.nothing(devices)
        logrank = LogrankEvidence.nothing(metric.margin or margin)
        return cls(metric, past, nothing, nothing, logrank, np.zeros(devices, dtype=bool), cap=cap)

    def add(self, counts: Counts, strata: Strata) -> Stream:
        """The evidence after further slots."""
        events = np.where(counts.hours > 0, counts.events, 0.0)
        everyone = self.everyone.add(Block(counts.hours, counts.treated, events), strata)
        known, logrank, used = self.known, self.logrank, self.used
        past = self.past.known[:, None]
        if self.metric.repeats and past.all():
            known = everyone
        elif self.metric.repeats and past.any():
            block = Block(np.where(past, counts.hours, 0.0), counts.treated, np.where(past, events, 0.0))
            known = known.add(block, strata)
        if self.metric.has_first_events:
            groups, used = first_events(counts.hours, counts.treated, counts.happened, self.used, strata)
            logrank = logrank.add(groups)
        return replace(self, everyone=everyone, known=known, logrank=logrank, used=used)

    def marked(self, hour: int) -> Stream:
        """The same with a further start at the beginning of ``hour``. First events need none."""
        if not self.metric.repeats:
            return self
        kept = self.starts[:1] + tuple(one for one in self.starts[1:] if self._is_kept(one.hour, hour))
        return replace(self, starts=(*kept, Start(hour, self.everyone, self.known)))

    def _is_kept(self, start: int, now: int) -> bool:
        age = now - start
        if age > DAILY_STARTS_H:
            return False
        every = 1 if age <= 7 * 24 or self.used.size <= LARGE_FLEET else 2 if age <= 14 * 24 else 4
        return start // 24 % every == 0
