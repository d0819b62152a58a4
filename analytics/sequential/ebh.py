"""e-BH: the Benjamini-Hochberg procedure for e-values (Wang and Ramdas 2022, arXiv 2009.02824)."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray


def e_bh(log_e: Any, alpha: float) -> NDArray[np.bool_]:
    """Which of K null hypotheses to reject so that the expected share of false rejections is at most ``alpha``, whatever their dependence.

    ``log_e`` holds natural logarithms of K e-values (minus infinity for "no evidence"). With e_(1) >= e_(2) >= ... the k* largest are
    rejected, k* = max {k : e_(k) >= K / (alpha k)}. Give it the current e-values, never their running maxima: those are not e-values.
    """
    values = np.asarray(log_e, dtype=np.float64)
    count = values.size
    if count == 0:
        return np.zeros(0, dtype=np.bool_)
    order = np.argsort(-values, kind="stable")
    ranks = np.arange(1, count + 1)
    passed = values[order] >= np.log(count / (alpha * ranks)) - 1e-12
    rejected = np.zeros(count, dtype=np.bool_)
    if passed.any():
        last = int(np.flatnonzero(passed)[-1])
        rejected[order[: last + 1]] = True
    return rejected
