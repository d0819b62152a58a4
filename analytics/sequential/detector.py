"""Late regressions, a leak that shows after a week: e-processes restarted every day, summed (Shiryaev-Roberts).

The plain e-process of a release that was harmless for a week carries that week along. An e-process of what came since day s does not;
the e-detector is the sum over all s. While the release is harmless each of them is worth at most 1 in expectation at any time, so that
their sum at an alarm is at most the days until then: with an alarm where the sum reaches A the mean time to a false alarm is at least A
days, however often one looks in between.

Source: Shin, Ramdas, Rinaldo, "E-detectors: a nonparametric framework for sequential change detection", NEJSDS 2(2) 2024, arXiv 2203.03532.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from analytics.sequential.cluster import RateSums
from analytics.sequential.mixture import TAU_RATE, Direction, Floats
from analytics.sequential.moments import OWN, Adjustment, Past, estimates, moments, numbers
from analytics.sequential.slots import EVENTS_CONTROL, EVENTS_TREATED

RUN_LENGTH_DAYS = 180.0
"""The alarm threshold of a stream: a harmless release raises a false alarm after this many days on average, or later."""

_ROWS = 8192  # devices times starts that are worked on together: they fit into the processor's cache


def late_log_e(
    now: RateSums,
    starts: Sequence[RateSums],
    own_past: Floats | None = None,
    adjustment: Adjustment = "none",
    *,
    margin: float = 1.0,
    guard: int = 30,
    tau: float = TAU_RATE,
    direction: Direction = "more",
) -> tuple[float, int]:
    """Natural logarithm of the e-detector, and the index of the start that contributes most (-1 while none may speak).

    ``starts`` are the running sums as they stood at day ends, at most one for each day (fewer make it blinder, never falser); a
    `RateSums.nothing` among them is the plain e-process. A start may speak once ``guard`` devices of either arm have had events since.
    ``margin`` is a ratio; ``own_past`` and ``adjustment`` are those of `estimate`.
    """
    pasts = [] if own_past is None or adjustment == "none" else [Past.of(own_past)]
    together = max(1, _ROWS // max(1, now.a.size))
    logs = np.full(len(starts), -np.inf)
    for first in range(0, len(starts), together):
        part = slice(first, first + together)
        lately, totals = now.since_each(starts[part])
        found = estimates(moments(numbers(lately[:, :OWN], pasts), totals), adjustment if pasts else "none")
        devices = np.count_nonzero(lately[:, EVENTS_TREATED : EVENTS_CONTROL + 1] > 0, axis=2).min(axis=1)
        logs[part] = np.where(devices >= guard, found.log_e_worse(margin, tau, direction), -np.inf)
    if not np.isfinite(logs).any():
        return float("-inf"), -1
    return float(np.logaddexp.reduce(logs)), int(np.argmax(logs))
