"""P-values by rank: how often would a healthy device look at least this strange?

A histogram of past scores of the whole model (faded over about a month, without devices under suspicion) and today's other devices
are the comparison. Beyond the largest of them the rank can say no more than 1 / (N + 1); from 200 scores on, the tail is continued by a
generalised Pareto law whose scale comes from the scores above their 95 % quantile.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from analytics.anomaly.cusum import SMALLEST_P
from analytics.panel import Flags, Floats

LIMIT = 12.0
WIDTH = 0.1
BINS = int(2 * LIMIT / WIDTH)
FADE = 0.97
TAIL_FROM = 200.0
_TAIL_SHARE = 0.05
_SHAPE = 0.2  # heavier than exponential: doubt about what lies beyond the data
_FEW = 3.0


@dataclass(frozen=True, slots=True)
class Calibration:
    """Past scores of one model: ``counts`` of shape (signals, BINS)."""

    counts: Floats

    @staticmethod
    def empty(signals: int) -> Calibration:
        """No past yet."""
        return Calibration(np.zeros((signals, BINS)))

    def learned(self, scores: Floats, trusted: Flags) -> Calibration:
        """With one more day of scores, shape (devices, signals); those not ``trusted`` or NaN are left out."""
        counts = self.counts * FADE
        for signal in range(counts.shape[0]):
            good = scores[trusted[:, signal] & ~np.isnan(scores[:, signal]), signal]
            counts[signal] += np.bincount(_bin(good), minlength=BINS)
        return Calibration(counts)

    def p_values(self, signal: int, scores: Floats, sign: int) -> Floats:
        """P-values of today's scores of one signal, shape (devices,), NaN where the score is."""
        known = ~np.isnan(scores)
        past = self.counts[signal] if sign > 0 else self.counts[signal][::-1]
        place = _bin(np.where(known, sign * scores, 0.0))
        today = np.bincount(place[known], minlength=BINS)
        at_least = np.cumsum((past + today)[::-1])[::-1]
        total = at_least[0]
        as_strange = np.maximum(at_least[place] - 1, 0.0)  # without the device itself
        p = (1 + as_strange) / max(total, 1.0)
        tail = _tail(past, np.where(known, sign * scores, 0.0))
        p = np.where(as_strange <= _FEW, np.minimum(p, np.maximum(tail, SMALLEST_P)), p)
        return _tempered(np.where(known, np.minimum(p, 1.0), np.nan))


def _tempered(p: Floats) -> Floats:
    """On a day on which clearly more devices look strange than chance explains, a device is compared with that day alone.

    A warm spell moves every device that hangs outdoors, a provider's outage every device behind it: being one of many is no fault of
    one. Up to five devices beyond chance are left alone, for those may all be broken.
    """
    known = np.flatnonzero(~np.isnan(p))
    order = known[np.argsort(p[known], kind="stable")]
    ordered = p[order]
    as_small = np.searchsorted(ordered, ordered, side="right").astype(np.float64)
    expected = ordered * len(order)
    crowded = as_small > expected + 3 * np.sqrt(expected) + 5
    result = p.copy()
    result[order] = np.where(crowded, np.maximum(ordered, as_small / len(order)), ordered)
    return result


def _bin(scores: Floats) -> np.ndarray[tuple[int], np.dtype[np.int64]]:
    return np.clip((scores + LIMIT) / WIDTH, 0, BINS - 1).astype(np.int64)


def _tail(past: Floats, scores: Floats) -> Floats:
    total = float(past.sum())
    if total < TAIL_FROM:
        return np.ones(len(scores))
    beyond = np.cumsum(past[::-1])[::-1] / total
    start = int(np.argmax(beyond <= _TAIL_SHARE))
    share = float(beyond[start])
    edge = start * WIDTH - LIMIT
    middle = int(np.argmax(beyond <= share / 2))
    excess = max(middle * WIDTH - LIMIT - edge, WIDTH)
    scale = excess * _SHAPE / (2**_SHAPE - 1)
    ahead = np.maximum(scores - edge, 0.0)
    tail: Floats = np.where(scores > edge, share * (1 + _SHAPE * ahead / scale) ** (-1 / _SHAPE), 1.0)
    return tail
