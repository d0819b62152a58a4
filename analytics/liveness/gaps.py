"""How often a device is heard, learned from the gaps between its messages.

A gap is how long nothing was heard until something was. The expected interval is the gap that the median *instant* lies in: each gap counts
by its length, so that a burst of messages does not make a device that otherwise speaks hourly look late, and one long absence
among many gaps changes little. Gaps are kept in bins that grow by a quarter, which is exact to about an eighth.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from datetime import timedelta

from analytics.liveness.power import LONGEST, SHORTEST

ENOUGH = 5
"""With fewer gaps the interval is never taken for shorter than the power class suggests."""
MOST = 200
"""With more, all counts are halved: what a device did long ago fades."""
_GROWTH = 1.25

Bins = Mapping[str, int]
"""Counts by the number of the bin, as text: they are kept as JSON."""


def learn(bins: Bins, gap: timedelta) -> Bins:
    """The bins with one more gap."""
    key = str(_bin(min(max(gap, SHORTEST), LONGEST)))
    counted = {**bins, key: bins.get(key, 0) + 1}
    if sum(counted.values()) <= MOST:
        return counted
    return {name: count // 2 for name, count in counted.items() if count // 2}


def count(bins: Bins) -> int:
    """How many gaps are remembered."""
    return sum(bins.values())


def expected_interval(bins: Bins, prior: timedelta) -> timedelta:
    """The interval to expect; the ``prior`` until something is known."""
    learned = _typical(bins)
    if learned is None:
        return prior
    return learned if count(bins) >= ENOUGH else max(prior, learned)


def _typical(bins: Bins) -> timedelta | None:
    lengths = sorted((_length(int(name)), number) for name, number in bins.items())
    half = sum(length * number for length, number in lengths) / 2
    passed = 0.0
    for length, number in lengths:
        passed += length * number
        if passed >= half > 0:
            return timedelta(seconds=length)
    return None


def _bin(gap: timedelta) -> int:
    return round(math.log(gap / SHORTEST, _GROWTH))


def _length(number: int) -> float:
    return SHORTEST.total_seconds() * _GROWTH**number
