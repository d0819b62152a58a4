"""What is remembered of devices to compare their today with: running means and spreads, drawn to the model's usual spread."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from analytics.panel import Flags, Floats

MEMORY_DAYS = 60.0
"""Days a running mean looks back at most; older ones fade."""
WARM_UP_DAYS = 7
"""Own days a device needs before anything is said about it."""
PRIOR_DAYS = 8.0
"""What the model's usual spread counts for beside a device's own, in days."""
_SETTLED_DAYS = 4
_CUT = 2.5  # a day further off than this many deviations teaches no more than one that far off


@dataclass(frozen=True, slots=True)
class Running:
    """Running mean and variance, each of shape (devices, signals); ``count`` is the number of days, up to `MEMORY_DAYS`."""

    count: Floats
    mean: Floats
    variance: Floats

    @staticmethod
    def empty(devices: int, signals: int) -> Running:
        """Nothing known yet."""
        shape = (devices, signals)
        return Running(np.zeros(shape), np.zeros(shape), np.zeros(shape))

    def deviation(self, floor: Floats) -> Floats:
        """Standard deviation of a day, own spread and the model's usual one weighed by days; at least ``floor``."""
        enough = self.count >= WARM_UP_DAYS - 2
        own = self.variance * self.count / np.maximum(self.count - 1, 1)
        usual = np.zeros(self.mean.shape[1])
        for signal in range(len(usual)):
            seen = own[enough[:, signal], signal]
            usual[signal] = np.median(seen) if len(seen) else 0.0
        days = np.where(enough, self.count, 0.0)
        pooled = (PRIOR_DAYS * usual[None, :] + days * own) / (PRIOR_DAYS + days)
        return np.maximum(np.sqrt(pooled), floor[None, :])

    def learned(self, values: Floats, deviation: Floats, trust: Floats | float = 1.0) -> Running:
        """With one more day; values far off are cut, so that a developing fault does not become the new normal at once.

        ``trust`` (devices, signals), in (0, 1], slows learning down.
        """
        known = ~np.isnan(values)
        count = np.where(known, np.minimum(self.count + 1, MEMORY_DAYS), self.count)
        step = np.where(known, values - self.mean, 0.0)
        settled = self.count >= _SETTLED_DAYS
        cut = _CUT * deviation
        step = np.where(settled, np.clip(step, -cut, cut), step)
        share = np.where(settled, trust, 1.0) / np.maximum(count, 1)
        mean = self.mean + step * share
        variance = np.where(known, self.variance + (step**2 * (1 - share) - self.variance) * share, self.variance)
        return Running(count, mean, variance)

    def forgotten(self, which: Flags) -> Running:
        """Without some entries, shape (devices, signals)."""
        return Running(*(np.where(which, 0.0, array) for array in (self.count, self.mean, self.variance)))
