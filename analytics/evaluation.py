"""How good probabilities were: ranking, calibration, and what an operator with a budget of alerts would have had of them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from analytics.panel import Flags, Floats, Ints

ECE_BINS = 10


def scores(probability: Floats, failed: Flags) -> dict[str, Any]:
    """Positives, rows, base rate, AUC, average precision, Brier score, ECE and observed/expected; null where undefined."""
    from sklearn.metrics import average_precision_score, roc_auc_score  # heavy: not before something is judged

    rows, positives = len(failed), int(failed.sum())
    defined = 0 < positives < rows
    expected = float(probability.sum())
    return {
        "positives": positives,
        "rows": rows,
        "base_rate": positives / rows if rows else None,
        "auc": float(roc_auc_score(failed, probability)) if defined else None,
        "average_precision": float(average_precision_score(failed, probability)) if defined else None,
        "brier": float(np.mean((probability - failed) ** 2)) if rows else None,
        "ece": expected_calibration_error(probability, failed) if rows else None,
        "observed_expected": positives / expected if expected > 0 else None,
    }


def expected_calibration_error(probability: Floats, failed: Flags, bins: int = ECE_BINS) -> float:
    """Mean distance between predicted and observed share over bins with equal numbers of rows."""
    order = np.argsort(probability, kind="stable")
    total = 0.0
    for part in np.array_split(order, bins):
        if len(part):
            total += len(part) * abs(float(probability[part].mean()) - float(failed[part].mean()))
    return total / len(order)


@dataclass(frozen=True, slots=True)
class Episodes:
    """Spells of days on which a device stood above the threshold: device, first and last day."""

    device: Ints
    begin: Ints
    end: Ints


def episodes(device: Ints, day: Ints, above: Flags) -> Episodes:
    """Spells of alerted days of each device; a single day below does not end one."""
    rows = np.flatnonzero(above)
    chosen = rows[np.lexsort((day[rows], device[rows]))]
    who, when = device[chosen], day[chosen]
    if len(who) == 0:
        empty = np.zeros(0, dtype=np.int64)
        return Episodes(empty, empty, empty)
    fresh = np.ones(len(who), dtype=bool)
    fresh[1:] = (who[1:] != who[:-1]) | (when[1:] - when[:-1] > 2)
    begins = np.flatnonzero(fresh)
    ends = np.append(begins[1:], len(who)) - 1
    return Episodes(who[begins], when[begins], when[ends])


Failure = tuple[int, int]
"""A device and the day on which it failed."""


@dataclass(frozen=True, slots=True)
class Alerts:
    """Spells of alerted days at a threshold, and what came of them.

    ``right``: the device of the spell failed within the horizon of its last day. ``leads`` are days from a spell's first day to a
    failure that it foretold; ``foreseeable`` are the failures that some row could have foretold. ``weeks`` are device-weeks.
    """

    threshold: float
    spells: Episodes
    right: Flags
    leads: Mapping[Failure, int]
    foreseeable: frozenset[Failure]
    weeks: float

    @property
    def foretold(self) -> frozenset[Failure]:
        """The failures that could be and were foretold."""
        return frozenset(self.leads) & self.foreseeable


def alerts_within(
    probability: Floats,
    device: Ints,
    day: Ints,
    to_failure: Floats,
    *,
    horizon: int,
    per_1000_weeks: float,
    least: float = 0.0,
) -> Alerts:
    """The alerts at the lowest threshold at which the spells of alerted days stay within a budget per 1,000 device-weeks.

    ``least``: no lower threshold is taken, though the budget would allow it.
    """
    weeks = len(device) / 7
    threshold = max(_threshold(probability, device, day, per_1000_weeks * weeks / 1000), least)
    found = episodes(device, day, probability >= threshold)
    ending = np.flatnonzero(np.isfinite(to_failure))
    fails_on = (day[ending] + to_failure[ending]).astype(np.int64)
    within = to_failure[ending] <= horizon
    by_device: dict[int, list[int]] = {}
    for who, when in sorted(_pairs(device[ending], fails_on)):
        by_device.setdefault(who, []).append(when)
    leads: dict[Failure, int] = {}
    right = np.zeros(len(found.device), dtype=bool)
    for place, (who, begin, end) in enumerate(
        zip(found.device.tolist(), found.begin.tolist(), found.end.tolist(), strict=True)
    ):
        for when in by_device.get(who, ()):
            if end < when <= end + horizon:
                right[place] = True
                leads[who, when] = max(leads.get((who, when), 0), when - begin)
    return Alerts(threshold, found, right, leads, _pairs(device[ending][within], fails_on[within]), weeks)


def _pairs(device: Ints, day: Ints) -> frozenset[Failure]:
    return frozenset(zip(device.tolist(), day.tolist(), strict=True))


def _threshold(probability: Floats, device: Ints, day: Ints, budget: float) -> float:
    candidates = np.unique(probability)[::-1][: int(50 * budget) + 2000]
    low, high = 0, len(candidates)  # the number of spells grows with every candidate taken in, but for spells that join
    while low < high:
        middle = (low + high) // 2
        if len(episodes(device, day, probability >= candidates[middle]).device) <= budget:
            low = middle + 1
        else:
            high = middle
    return float(candidates[low - 1]) if low else np.inf
