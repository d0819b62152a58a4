"""Average precision with weights, so that it can be had again for many resamples, and the intervals of resampling."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from analytics.panel import Flags, Floats, Ints


@dataclass(frozen=True, slots=True)
class Ranking:
    """Scores put in order once: ``order`` from highest to lowest, ``ends``: the last place of each run of equal scores."""

    order: Ints
    ends: Ints
    label: Flags

    @staticmethod
    def of(label: Flags, score: Floats) -> Ranking:
        """``label`` and ``score`` of the same length, no NaN."""
        order = np.argsort(-score, kind="stable").astype(np.int64)
        ordered = score[order]
        ends = np.append(np.flatnonzero(ordered[1:] != ordered[:-1]), len(ordered) - 1)
        return Ranking(order, ends.astype(np.int64), label[order])

    def average_precision(self, weight: Floats | None = None) -> float:
        """Sum over thresholds of (recall gained) x precision, each step counted ``weight`` times: what scikit-learn's function gives."""
        counted = np.ones(len(self.order)) if weight is None else weight[self.order]
        found = np.cumsum(np.where(self.label, counted, 0.0))[self.ends]
        flagged = np.cumsum(counted)[self.ends]
        precision = found / np.where(flagged > 0, flagged, 1.0)
        return float((np.diff(found, prepend=0.0) * precision).sum() / found[-1])


def drawn(rng: np.random.Generator, count: int, draws: int) -> Floats:
    """How often each of ``count`` things is drawn when so many are drawn with replacement; shape (draws, count)."""
    return rng.multinomial(count, np.full(count, 1.0 / count), size=draws).astype(np.float64)


def interval(values: Floats) -> list[float] | None:
    """The middle 95 % of the resamples that have a value; None without any."""
    known = values[~np.isnan(values)]
    return [round(float(value), 4) for value in np.quantile(known, [0.025, 0.975])] if len(known) else None
