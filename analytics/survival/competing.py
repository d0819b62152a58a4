"""Several parts of a device may fail: whether any of them will, and which first, whatever method told of each.

Between two horizons each part's hazard is taken to be constant, as its probabilities at both leave it; given what was told, parts are
taken to fail independently. Part i is then the first within an interval with probability (S(begin) - S(end)) x h_i / sum of h, S the
probability that all of them have lasted (cumulative incidence; Klein, Moeschberger, Survival Analysis (2003), 2.7). Exact, no steps.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from analytics.panel import Floats

_SURE = 1 - 1e-9
"""Nothing is surer than this: an infinite hazard could not be shared out."""


def first_to_fail(parts: Mapping[str, Sequence[float]]) -> dict[str, Floats]:
    """Probability that each part is the first of its device to fail, by the end of each horizon.

    ``parts`` hold probabilities at the same growing horizons, which never fall. The sum over parts is the probability that any fails.
    """
    if not parts:
        return {}
    told = np.minimum(np.array([list(probabilities) for probabilities in parts.values()], dtype=np.float64), _SURE)
    hazard = np.diff(-np.log1p(-told), axis=1, prepend=0.0)
    total = hazard.sum(axis=0)
    lasting = np.exp(-np.cumsum(total))
    lost = np.diff(lasting, prepend=1.0) * -1
    share = np.divide(hazard, total, out=np.zeros_like(hazard), where=total > 0)
    return dict(zip(parts, np.cumsum(share * lost, axis=1), strict=True))
