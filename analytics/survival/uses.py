"""How much each device had been used by the end of each day: the clock beside the calendar, from a counter (cycles, hours, writes)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta

import numpy as np

from analytics.panel import Floats, Panel, day_start, panel_of
from hearthwatch.ports import TelemetryStore

RECENT_DAYS = 28
FLEET_DAYS = 2.0
"""A device's own rate is drawn towards the fleet's by so many days: one that rests is not taken to rest for ever."""
CHUNK = 2000
"""Devices read at a time: two years of one counter of so many devices are some 20 MB."""

NAN = float("nan")


@dataclass(frozen=True, slots=True, eq=False)
class Uses:
    """What a counter has counted of each device by the end of the days ``first_day``, ...: never falling, NaN before its first report.

    Resets are taken out. ``born``: the day each device was new; the counter is taken to have begun at 0 then.
    """

    first_day: int
    row: Mapping[str, int]
    total: Floats
    born: Mapping[str, int]

    def at(self, device: str, day: int) -> float:
        """Use of a device by the end of a day since it was new; NaN where nobody knows. Between its first day and the counter's first
        report use is taken to have come evenly; after the last report, to rest."""
        row = self.row.get(device)
        if row is None:
            return NAN
        told = self.total[row]
        place = min(day - self.first_day, len(told) - 1)
        if place >= 0 and np.isfinite(told[place]):
            return float(told[place])
        known = np.flatnonzero(np.isfinite(told))
        born = self.born.get(device)
        if not len(known) or born is None:
            return NAN
        first = self.first_day + int(known[0])
        if first <= born:
            return 0.0
        return float(told[known[0]]) * max(day - born + 1, 0) / (first - born + 1)

    def since_new(self, device: str, new: int, first: bool, day: int) -> float:
        """Use of a part that came in on the day ``new`` (``first``: with its device) by the end of a day."""
        if first:
            return self.at(device, day) if day >= new else 0.0
        row = self.row.get(device)
        place = new - self.first_day
        if row is None or not 0 <= place < self.total.shape[1] or not np.isfinite(self.total[row, place]):
            return NAN  # it was put in before anybody counted
        return max(self.at(device, day) - float(self.total[row, place]), 0.0)

    def per_day(self, device: str, day: int, fleet: float) -> float:
        """The device's own use a day over the last `RECENT_DAYS` up to a day, drawn towards ``fleet`` by `FLEET_DAYS`; NaN if unknown."""
        row = self.row.get(device)
        if row is None:
            return NAN
        told = self.total[row, : max(min(day - self.first_day + 1, self.total.shape[1]), 0)]
        known = told[-RECENT_DAYS - 1 :]
        known = known[np.isfinite(known)]
        if len(known) < 2:
            return NAN
        return float((known[-1] - known[0] + FLEET_DAYS * fleet) / (len(known) - 1 + FLEET_DAYS))

    def fleet_per_day(self, day: int) -> float:
        """Mean use a day of all devices over the last `RECENT_DAYS` up to a day."""
        told = self.total[:, : max(min(day - self.first_day + 1, self.total.shape[1]), 0)][:, -RECENT_DAYS - 1 :]
        grown = np.diff(told, axis=1)
        known = np.isfinite(grown)
        return float(grown[known].mean()) if known.any() else 0.0


def read_uses(
    store: TelemetryStore,
    counters: Sequence[str],
    born: Mapping[str, int],
    begun: Mapping[str, int],
    until: int,
    history: timedelta,
) -> dict[str, Uses]:
    """The uses of some devices by every counter that any of them reports, up to and with the day ``until``.

    ``born`` and ``begun`` (first heard of) are days by device; devices are read in chunks.
    """
    names = sorted(begun)
    oldest = until - history // timedelta(days=1)
    if not names or not counters:
        return {}
    first = max(min(begun.values()), oldest)
    days = until - first + 1
    if days < 1:
        return {}
    found: dict[str, list[tuple[list[str], Floats]]] = {}
    for place in range(0, len(names), CHUNK):
        mine = names[place : place + CHUNK]
        panel = panel_of(
            store.daily(day_start(first), day_start(until + 1), devices=mine, metrics=list(counters)),
            None,
            first_day=first,
            days=days,
            devices=mine,
        )
        for metric in panel.totals:
            reporting = np.flatnonzero(np.isfinite(panel.totals[metric]).any(axis=1))
            found.setdefault(metric, []).append(
                ([mine[row] for row in reporting], _cumulative(panel, metric)[reporting])
            )
    return {
        metric: Uses(
            first,
            {name: row for row, name in enumerate(name for names_, _ in parts for name in names_)},
            np.concatenate([total for _, total in parts]),
            born,
        )
        for metric, parts in found.items()
        if any(names_ for names_, _ in parts)
    }


def _cumulative(panel: Panel, metric: str) -> Floats:
    """First total, and from there on the increases, which know of resets; level over days without a report."""
    totals, grown = panel.totals[metric], panel.values[metric]
    begun = np.maximum.accumulate(np.isfinite(totals), axis=1)
    first = np.argmax(begun, axis=1)
    start = np.nan_to_num(totals[np.arange(len(totals)), first])
    # An increase over a gap is spread evenly: what came on the days between is added on the day it was told.
    told = np.isfinite(totals)
    days = np.arange(totals.shape[1])[None, :]
    last = np.maximum.accumulate(np.where(told, days, -1), axis=1)
    before = np.concatenate([np.full((len(totals), 1), -1), last[:, :-1]], axis=1)
    gap = np.where(before >= 0, days - before, 0)
    total = start[:, None] + np.cumsum(np.nan_to_num(grown) * gap, axis=1)
    return np.where(begun, total, np.nan)
