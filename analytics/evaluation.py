"""How good probabilities were: ranking, calibration, and what an operator with a budget of alerts would have had of them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from sklearn.metrics import average_precision_score, roc_auc_score

from analytics.panel import Flags, Floats, Ints

ECE_BINS = 10


def scores(probability: Floats, failed: Flags) -> dict[str, Any]:
    """Positives, rows, base rate, AUC, average precision, Brier score, ECE and observed/expected; null where undefined."""
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
    order = np.lexsort((day, device))
    chosen = order[above[order]]
    who, when = device[chosen], day[chosen]
    if len(who) == 0:
        empty = np.zeros(0, dtype=np.int64)
        return Episodes(empty, empty, empty)
    fresh = np.ones(len(who), dtype=bool)
    fresh[1:] = (who[1:] != who[:-1]) | (when[1:] - when[:-1] > 2)
    begins = np.flatnonzero(fresh)
    ends = np.append(begins[1:], len(who)) - 1
    return Episodes(who[begins], when[begins], when[ends])


def alerts_at_budget(
    probability: Floats, device: Ints, day: Ints, to_failure: Floats, *, horizon: int, per_1000_weeks: float
) -> dict[str, Any]:
    """What alerts at a budget would have been worth.

    The threshold is the lowest at which the spells of alerted days stay within the budget. A spell is right when the device
    fails within ``horizon`` days of its last day; recall is over the failures that some row could have foreseen; lead is
    from a spell's first day to the failure.
    """
    budget = per_1000_weeks * len(device) / 7 / 1000
    threshold = _threshold(probability, device, day, budget)
    found = episodes(device, day, probability >= threshold)
    fails_on = np.where(np.isinf(to_failure), -1, day + np.where(np.isinf(to_failure), 0, to_failure)).astype(np.int64)
    failures = {(int(who), int(when)) for who, when in zip(device, fails_on, strict=True) if when >= 0}
    foreseeable = {
        (int(who), int(when))
        for who, when in zip(device[to_failure <= horizon], fails_on[to_failure <= horizon], strict=True)
    }
    leads: dict[tuple[int, int], int] = {}
    right = 0
    for who, begin, end in zip(found.device.tolist(), found.begin.tolist(), found.end.tolist(), strict=True):
        hits = [failure for failure in failures if failure[0] == who and end < failure[1] <= end + horizon]
        right += bool(hits)
        for failure in hits:
            leads[failure] = max(leads.get(failure, 0), failure[1] - begin)
    return {
        "per_1000_device_weeks": 1000 * 7 * len(found.device) / len(device) if len(device) else None,
        "precision": right / len(found.device) if len(found.device) else None,
        "recall": len(leads.keys() & foreseeable) / len(foreseeable) if foreseeable else None,
        "lead_days_median": float(np.median(list(leads.values()))) if leads else None,
        "threshold": float(threshold) if np.isfinite(threshold) else None,
    }


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
