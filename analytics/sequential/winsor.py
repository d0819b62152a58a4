"""Winsorising of amounts (battery drain, latency): a glitch ten times the usual counts as the largest that is usual.

With heavy tails this buys more than any choice of test. The cap is fixed before the release, from the control alone, so that the release
cannot move it.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from analytics.sequential.mixture import Floats

QUANTILE = 0.995
LEAST_VALUES = 200
"""Fewer values than this have no 99.5 % quantile but their largest: then nothing is capped."""


def winsor_cap(past: ArrayLike, quantile: float = QUANTILE) -> float:
    """The largest value that counts in full: the quantile of the control's values in the pre-period; NaN is no value.

    A value is an amount per unit observed (per cent of charge per day, say). Infinite where there are too few values to tell.
    """
    values = np.asarray(past, dtype=np.float64).ravel()
    values = values[np.isfinite(values)]
    if values.size < LEAST_VALUES:
        return float("inf")
    return float(np.quantile(values, quantile))


def winsorised(amounts: ArrayLike, observed: ArrayLike, cap: float) -> Floats:
    """Amounts of any shape, each limited to 0 .. ``cap`` times how much of it was ``observed`` (the units the cap is per)."""
    watched = np.asarray(observed, dtype=np.float64)
    most = np.multiply(cap, watched, out=np.zeros_like(watched), where=watched > 0)
    result: Floats = np.clip(np.asarray(amounts, dtype=np.float64), 0.0, most)
    return result
