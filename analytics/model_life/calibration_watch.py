"""Do as many fail as was said? A bet on each matured label, for 7 and for 30 days.

Each device enters a horizon's bets once in as many days as the horizon has, so that no failure counts twice. Hypothesis: the odds of a
failure are those that were said, up to the factor `MARGIN` either way; a model that is off by a tenth is not called wrong. Each side has an
e of its own: the larger of the two horizons', halved.

That fewer fail than was said is asked only of devices below `TOLD_FROM`: where more was said somebody was told, and what a notice
prevents would count against the model that was right.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from analytics.model_life.betting import RATIOS, log_bets, log_e
from analytics.model_life.race import e_value
from analytics.panel import Flags, Floats

MARGIN = 1.15
HORIZONS_WATCHED = (7, 30)
ALARM_AT = 20.0
TOLD_FROM = 0.2


@dataclass(frozen=True, slots=True, eq=False)
class Window:
    """What was said on ``day`` of devices whose answer is known, and the answers."""

    day: int
    p: Floats
    failed: Flags


@dataclass(frozen=True, slots=True)
class Watched:
    """How calibration stands at a horizon: logarithms of the evidence that failures are more or less frequent than said."""

    log_e_more: float
    log_e_less: float
    labels: int
    observed: int
    expected: float


def apart(days: Sequence[int], horizon: int) -> list[int]:
    """Of growing days, those that lie at least ``horizon`` after the one chosen before."""
    chosen: list[int] = []
    for day in days:
        if not chosen or day - chosen[-1] >= horizon:
            chosen.append(day)
    return chosen


def watched(windows: Sequence[Window], dispersion: float) -> Watched:
    """How calibration stands after the windows of one horizon, which do not overlap."""
    bets = np.zeros((2, len(RATIOS)))
    for window in windows:
        quiet = window.p < TOLD_FROM
        bets[0] += log_bets(window.p, window.failed, MARGIN, dispersion)[0]
        bets[1] += log_bets(window.p[quiet], window.failed[quiet], MARGIN, dispersion)[1]
    more, less = log_e(bets)
    return Watched(
        float(more),
        float(less),
        sum(len(one.p) for one in windows),
        int(sum(one.failed.sum() for one in windows)),
        float(sum(one.p.sum() for one in windows)),
    )


def verdict(by_horizon: Mapping[int, Watched]) -> tuple[float, dict[str, Any]]:
    """The evidence of the stronger side, and all numbers as JSON."""
    sides = {
        "e_more": max((one.log_e_more for one in by_horizon.values()), default=0.0) - np.log(2),
        "e_less": max((one.log_e_less for one in by_horizon.values()), default=0.0) - np.log(2),
    }
    detail: dict[str, Any] = {name: e_value(value) for name, value in sides.items()}
    detail["horizons"] = {
        str(horizon): {
            "labels": one.labels,
            "observed": one.observed,
            "expected": round(one.expected, 2),
            "e_more": e_value(one.log_e_more),
            "e_less": e_value(one.log_e_less),
        }
        for horizon, one in by_horizon.items()
    }
    return max(detail["e_more"], detail["e_less"]), detail
