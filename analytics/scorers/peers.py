"""How far a device is today from its peers, given how far it always was.

Peers are the devices of the same model on the same day: those on the same firmware in the same region, shrunk to the firmware and then to
the whole model where they are fewer than 30.
The distance from their median is a device's residual. Its own long-run residual is taken off (a naturally hot device is not flagged for
ever), and so is what of yesterday's lasts until today: what remains is new each day, and its rank among peers is close to uniform
whatever happened before.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from analytics.panel import Flags, Floats, Ints
from analytics.scorers.past import WARM_UP_DAYS, Running

FULL_GROUP = 30.0
MIN_PEERS = 8
MOST_CARRIED = 0.8
_PRIOR_PAIRS = 200.0


@dataclass(frozen=True, slots=True)
class Company:
    """What the peers' comparison remembers: running residuals, yesterday's (NaN where there is none), and how much of it lasts.

    ``carried`` has shape (2, signals): running sums of products of neighbouring days and of squares, whose ratio is the share that lasts.
    """

    residual: Running
    yesterday: Floats
    carried: Floats

    @staticmethod
    def empty(devices: int, signals: int) -> Company:
        """Nothing known yet."""
        return Company(Running.empty(devices, signals), np.full((devices, signals), np.nan), np.zeros((2, signals)))

    @property
    def share(self) -> Floats:
        """How much of yesterday's deviation lasts until today, in [0, `MOST_CARRIED`], drawn to 0 while few days are known."""
        ratio = self.carried[0] / (self.carried[1] + _PRIOR_PAIRS)
        clipped: Floats = np.clip(ratio, 0.0, MOST_CARRIED)
        return clipped


@dataclass(frozen=True, slots=True)
class Peers:
    """Standardised distance from the peers beyond the usual one. ``floor``: smallest deviation of each signal."""

    floor: Floats

    @property
    def name(self) -> str:
        """The scorer's name in evidence."""
        return "peers"

    def score(self, values: Floats, context: Company) -> Floats:
        """Signed scores of shape (devices, signals) of today's residuals (see `residuals`); NaN before `WARM_UP_DAYS` own days."""
        past = context.residual
        news = self.news(values, context)
        # The deviation is that of residuals; what is new each day is smaller where much is carried over.
        fresh = np.where(np.isnan(context.yesterday), 1.0, np.sqrt(1 - context.share**2))
        spread = past.deviation(self.floor) * fresh * np.sqrt(1 + 1 / np.maximum(past.count, 1))
        spread = np.maximum(spread, self.floor)
        return np.where(past.count >= WARM_UP_DAYS, news / spread, np.nan)

    def news(self, values: Floats, context: Company) -> Floats:
        """Today's residual without the usual one and without what is left of yesterday's; where yesterday is unknown, nothing is."""
        mean = context.residual.mean
        before = np.where(np.isnan(context.yesterday), 0.0, context.yesterday - mean)
        return values - mean - context.share * before


def learned(company: Company, residual: Floats, floor: Floats, trust: Floats | float = 1.0) -> Company:
    """With one more day of residuals; see `Running.learned` for ``trust``."""
    spread = company.residual.deviation(floor)
    mean = company.residual.mean
    both = ~np.isnan(residual) & ~np.isnan(company.yesterday) & (company.residual.count >= WARM_UP_DAYS)
    today = np.where(both, np.clip((residual - mean) / spread, -3, 3), 0.0)
    before = np.where(both, np.clip((company.yesterday - mean) / spread, -3, 3), 0.0)
    carried = np.stack([(today * before).sum(axis=0), (before**2).sum(axis=0)]) + 0.98 * company.carried
    return Company(company.residual.learned(residual, spread, trust), residual, carried)


def residuals(values: Floats, firmware: Ints, region: Ints | None = None) -> Floats:
    """Distance from the peers' median, shape (devices, signals); NaN where fewer than `MIN_PEERS` devices have a value.

    ``firmware`` and ``region`` (devices,) are codes, -1 where it is not known.
    """
    known = ~np.isnan(values)
    usual = np.repeat(_medians(values)[None, :], len(values), axis=0)
    for group in np.unique(firmware[firmware >= 0]):
        _draw(usual, values, known, np.flatnonzero(firmware == group))
    if region is not None:
        for group in np.unique(firmware[region >= 0]):
            of_firmware = firmware == group
            for place in np.unique(region[of_firmware & (region >= 0)]):
                here = of_firmware & (region == place)
                if here.sum() < of_firmware.sum():
                    _draw(usual, values, known, np.flatnonzero(here))
    return np.where(known.sum(axis=0) >= MIN_PEERS, values - usual, np.nan)


def _draw(usual: Floats, values: Floats, known: Flags, rows: Ints) -> None:
    """Draw what is usual for some devices from the larger group they are in towards their own median, as far as they are many."""
    size = known[rows].sum(axis=0)
    weight = np.minimum(size / FULL_GROUP, 1.0)
    own = np.where(size > 0, _medians(values[rows]), 0.0)
    usual[rows] = weight * own + (1 - weight) * usual[rows]


def _medians(values: Floats) -> Floats:
    """Median of every column's known values, NaN where there is none."""
    ordered = np.sort(values, axis=0)
    count = (~np.isnan(values)).sum(axis=0)
    columns = np.arange(values.shape[1])
    low = ordered[np.maximum((count - 1) // 2, 0), columns]
    high = ordered[np.minimum(count // 2, len(values) - 1), columns]
    return np.where(count > 0, (low + high) / 2, np.nan)
