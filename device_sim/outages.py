"""Homes whose internet, and now and then power, is away for some hours."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.random import Generator

from device_sim.scenario import WirePlan

_DAY_S = 86_400.0
_HOUR_S = 3600.0


@dataclass(frozen=True, slots=True)
class Outage:
    """[since, until) in Unix seconds; ``dark`` when the power was away too."""

    since: float
    until: float
    dark: bool

    def covers(self, at: float) -> bool:
        """Whether it lasts at an instant."""
        return self.since <= at < self.until


class Outages:
    """The outages of all homes, one at a time per home."""

    def __init__(self, plan: WirePlan, homes: int, start: float, rng: Generator) -> None:
        self._plan = plan
        self._rng = rng
        self._next = np.full(homes, np.inf)
        if plan.home_outages_per_day > 0:
            self._next = start + self._pause(homes)
        self._now: dict[int, Outage] = {}

    def advance(self, since: float, until: float) -> dict[int, Outage]:
        """Outages that touch [since, until), by home."""
        self._now = {home: outage for home, outage in self._now.items() if outage.until > since}
        for home in np.flatnonzero(self._next < until):
            begins = max(float(self._next[home]), since)
            hours = self._rng.uniform(*self._plan.outage_hours)
            outage = Outage(begins, begins + hours * _HOUR_S, bool(self._rng.random() < self._plan.power_cut_share))
            self._now[int(home)] = outage
            self._next[home] = outage.until + float(self._pause(1)[0])
        return dict(self._now)

    def of(self, home: int) -> Outage | None:
        """The outage that a home is in or last was in."""
        return self._now.get(home)

    def _pause(self, count: int) -> np.ndarray:
        # Never twice within a step: a day lies between two outages of a home.
        pause: np.ndarray = _DAY_S + self._rng.exponential(_DAY_S / self._plan.home_outages_per_day, count)
        return pause
