"""A high order statistic of all numbers seen, for many series at once, in a fixed number of places.

Wanted is the k-th greatest of n, k = max(`RANK`, `SHARE` n). The greatest `PLACES` are kept; once k no longer fits in them every second
one is dropped and from then on only every second number is taken in (then every fourth, and so on), which keeps the ranks in proportion.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from analytics.panel import Floats, Ints

PLACES = 20


@dataclass(slots=True)
class Greatest:
    """``kept`` (series, `PLACES`), greatest first; ``seen``: how many numbers; ``halvings``: how often every second one was dropped."""

    kept: Floats
    seen: NDArray[np.int64]
    halvings: NDArray[np.int64]

    @staticmethod
    def empty(series: int) -> Greatest:
        """Nothing seen yet."""
        return Greatest(np.zeros((series, PLACES)), np.zeros(series, dtype=np.int64), np.zeros(series, dtype=np.int64))

    def statistic(self, rows: Ints, rank: int, share: float) -> Floats:
        """The order statistic of some series; the least number seen while there are fewer than ``rank``; 0 before any."""
        self._halve(rows, rank, share)
        seen = self.seen[rows]
        wanted = np.maximum(rank, (share * seen).astype(np.int64)) >> self.halvings[rows]
        place = np.maximum(np.minimum(wanted, seen) - 1, 0)
        result: Floats = self.kept[rows, place]
        return result

    def learn(self, rows: Ints, numbers: Floats) -> None:
        """Take in one number of some series. Of the series left out, `seen` must be counted by the caller: their number is 0."""
        due = (self.seen[rows] & ((1 << self.halvings[rows]) - 1)) == 0
        enters = due & (numbers > self.kept[rows, -1])
        rows, numbers = rows[enters], numbers[enters]
        kept = self.kept[rows]
        kept[:, -1] = numbers
        self.kept[rows] = -np.sort(-kept, axis=1)

    def _halve(self, rows: Ints, rank: int, share: float) -> None:
        while True:
            wanted = np.maximum(rank, (share * self.seen[rows]).astype(np.int64)) >> self.halvings[rows]
            full = rows[wanted > PLACES]
            if not full.size:
                return
            self.kept[full, : PLACES // 2] = self.kept[full, 1::2]
            self.kept[full, PLACES // 2 :] = 0.0
            self.halvings[full] += 1
