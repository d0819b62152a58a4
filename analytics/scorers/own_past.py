"""How far a device is today from its own past."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from analytics.panel import Floats
from analytics.scorers.past import WARM_UP_DAYS, Running


@dataclass(frozen=True, slots=True)
class OwnPast:
    """Standardised distance from the own running mean. ``floor``: smallest deviation of each signal."""

    floor: Floats

    @property
    def name(self) -> str:
        """The scorer's name in evidence."""
        return "own_past"

    def score(self, values: Floats, context: Running) -> Floats:
        """Signed scores of shape (devices, signals): + above, - below; NaN before `WARM_UP_DAYS` own days."""
        spread = context.deviation(self.floor) * np.sqrt(1 + 1 / np.maximum(context.count, 1))
        return np.where(context.count >= WARM_UP_DAYS, (values - context.mean) / spread, np.nan)
