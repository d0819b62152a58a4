"""How long a part will last, read off probabilities of failure: only as far as these reach."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from analytics.remaining_life.quantiles import LEVELS

_SURE = 1 - 1e-9


@dataclass(frozen=True, slots=True)
class Reached:
    """Days within which one in ten, half and nine in ten fail; one that equals ``cap`` means that or longer."""

    p10: float
    p50: float
    p90: float
    cap: float


def of_probabilities(horizons: Sequence[int], probabilities: Sequence[float | None]) -> Reached | None:
    """The quantiles of a life whose probabilities of ending within growing horizons are known, up to the first that is not; None where
    not even the first is. Between two horizons the hazard is taken to be constant."""
    known = [
        (float(horizon), -np.log1p(-min(p, _SURE)))
        for horizon, p in zip(horizons, probabilities, strict=True)
        if p is not None
    ]
    if not known:
        return None
    days, hazard = np.array([(0.0, 0.0), *known]).T
    cap = float(days[-1])
    wanted = -np.log1p(-np.array(LEVELS))
    # The earliest day at which the hazard is reached: a level stretch counts from its end, which np.interp on a grown hazard gives.
    grown = hazard + 1e-12 * days
    reached = [float(np.interp(each, grown, days)) if each <= grown[-1] else cap for each in wanted]
    return Reached(reached[0], reached[1], reached[2], cap)
