"""Whether something grows: the slope of a straight line through it, and how sure that is."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from scipy import stats

BLOCKS = 12
"""Neighbouring samples resemble each other (a store's checkpoint takes longer than their distance), so medians of this many blocks are
what the line is drawn through; else it would look far surer than it is."""
CONFIDENCE = 0.95


@dataclass(frozen=True, slots=True)
class Trend:
    """Growth for each hour, with the ends of its 95 % confidence interval."""

    per_hour: float
    low: float
    high: float


def trend(hours: Sequence[float], values: Sequence[float]) -> Trend | None:
    """The trend of samples in order of time; None where they are too few to tell."""
    if len(values) < 2 * BLOCKS:
        return None
    ends = np.linspace(0, len(values), BLOCKS + 1).astype(int)
    at = [float(np.mean(hours[first:last])) for first, last in pairwise(ends)]
    level = [float(np.median(values[first:last])) for first, last in pairwise(ends)]
    if min(level) == max(level):
        return Trend(0.0, 0.0, 0.0)
    line = stats.linregress(at, level)
    reach = float(stats.t.ppf((1 + CONFIDENCE) / 2, BLOCKS - 2) * line.stderr)
    return Trend(float(line.slope), float(line.slope) - reach, float(line.slope) + reach)
