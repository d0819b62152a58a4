"""Several parts of a device may fail: which will be first, and when. Parts are taken to fail independently given their ages."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from analytics.panel import Floats, Ints
from analytics.survival.weibull import Weibull

STEPS = 200


def first_failures(
    parts: Mapping[str, Weibull], group: Ints, ages: Mapping[str, Floats], ahead: Floats
) -> dict[str, Floats]:
    """Probability that each part is the first of its device to fail within ``ahead`` (cumulative incidence).

    ``group``, ``ages[part]`` and ``ahead`` have one value for each device. Their sum is the probability that any part fails. Rates are the
    expected ones; the hazards are summed over `STEPS` steps.
    """
    survived = np.ones(len(ahead))
    found = {part: np.zeros(len(ahead)) for part in parts}
    step = ahead / STEPS
    for number in range(STEPS):
        hazards = {part: one.hazard(group, ages[part] + number * step, step) for part, one in parts.items()}
        total = np.sum(list(hazards.values()), axis=0)
        lost = survived * -np.expm1(-total)
        for part, hazard in hazards.items():
            found[part] += lost * np.divide(hazard, total, out=np.zeros_like(total), where=total > 0)
        survived = survived - lost
    return found
