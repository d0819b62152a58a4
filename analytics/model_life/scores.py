"""Do the scores still look like those of the model's first day at work? A martingale on a few devices each week, drawn by lot.

A two-sample test of all devices would always find something: the same devices come again and again, and a hundred thousand of them differ
from anything. Here only `DRAWN` devices of each week, drawn anew by us, give a conformal p-value each against the first day's scores.
While the fleet's scores are distributed as then, those p-values are uniform whatever ties devices to their own past, because the lot is
ours. The wealth of the simple jumper on them reaches 1 / alpha with a probability of at most alpha, over the whole life of the model.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from analytics.model_life.betting import log_jumper
from analytics.panel import Floats

DRAWN = 20
SMALLEST_SHARE = 0.1
"""Of a small fleet at most so large a part is drawn."""
FEWEST = 30
"""Devices on the first day without which nothing is compared."""
ALARM_AT = 100.0


@dataclass(frozen=True, slots=True, eq=False)
class Scores:
    """What a version said on a day, with what each device stands for; ``day`` since 1970-01-01."""

    day: int
    p: Floats
    weight: Floats


def score_log_e(days: Sequence[Scores], seed: int) -> list[tuple[int, float]]:
    """The logarithm of the evidence that scores have moved, after each day but the first. The same days give the same draw."""
    if not days or len(days[0].p) < FEWEST:
        return []
    order = np.argsort(days[0].p, kind="stable")
    at, weight = days[0].p[order], days[0].weight[order]
    below = np.concatenate([[0.0], np.cumsum(weight)]) / weight.sum()
    p_values: list[float] = []
    ends: list[tuple[int, int]] = []
    for one in days[1:]:
        if len(one.p):
            p_values += _p_values(at, below, one, np.random.default_rng([seed, one.day]))
        ends.append((one.day, len(p_values)))
    wealth = [0.0, *log_jumper(p_values)]
    return [(day, wealth[end]) for day, end in ends]


def _p_values(at: Floats, below: Floats, day: Scores, random: np.random.Generator) -> list[float]:
    """The share of the first day's scores that lie above each drawn one; ties are broken by lot."""
    number = max(1, min(DRAWN, int(len(day.p) * SMALLEST_SHARE)))
    drawn = day.p[random.choice(len(day.p), size=number, p=day.weight / day.weight.sum())]
    left = below[np.searchsorted(at, drawn, side="left")]
    right = below[np.searchsorted(at, drawn, side="right")]
    return [float(one) for one in 1 - (left + random.random(number) * (right - left))]
