"""What forecasts of remaining life were worth: each engine counts once, and figures come with what another draw of engines would give."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from analytics.remaining_life.histories import Flags, Floats, Ints

RESAMPLES = 2000
SEED = 20260702
_MIDDLE_95 = (2.5, 97.5)


@dataclass(frozen=True, slots=True, eq=False)
class Told:
    """Forecasts: what is expected, and P10, P50 and P90, for each row."""

    expected: Floats
    quantiles: Floats


@dataclass(frozen=True, slots=True, eq=False)
class Judged:
    """For each engine, averaged over the rows at which it was judged: squared error, NASA score, and the shares of rows on which the life
    lay below P10, above P90; and the width of the band."""

    squared: Floats
    score: Floats
    below: Floats
    above: Floats
    width: Floats

    @staticmethod
    def of(told: Told, life: Floats, engine: Ints, judged: Flags) -> Judged:
        """Judge the rows in ``judged``; engines without one are left out."""
        error = told.expected - life
        measures = (
            error**2,
            nasa_score(error),
            (life < told.quantiles[:, 0]).astype(np.float64),
            (life > told.quantiles[:, 2]).astype(np.float64),
            told.quantiles[:, 2] - told.quantiles[:, 0],
        )
        rows = np.bincount(engine[judged])
        kept = rows > 0
        means = [np.bincount(engine[judged], weights=one[judged])[kept] / rows[kept] for one in measures]
        return Judged(*means)

    def numbers(self) -> dict[str, float | int | list[float]]:
        """RMSE, NASA score (a sum over engines) and coverage, with 95 % bootstrap intervals by engine."""
        drawn = np.random.default_rng(SEED).integers(0, len(self.squared), (RESAMPLES, len(self.squared)))
        covered = 1.0 - self.below - self.above
        rmse, coverage = np.sqrt(self.squared[drawn].mean(axis=1)), covered[drawn].mean(axis=1)
        return {
            "engines": len(self.squared),
            "rmse": round(float(np.sqrt(self.squared.mean())), 2),
            "rmse_95": [round(float(value), 2) for value in np.percentile(rmse, _MIDDLE_95)],
            "score": round(float(self.score.sum()), 1),
            "coverage": round(float(covered.mean()), 4),
            "coverage_95": [round(float(value), 4) for value in np.percentile(coverage, _MIDDLE_95)],
            "below_p10": round(float(self.below.mean()), 4),
            "above_p90": round(float(self.above.mean()), 4),
            "mean_width": round(float(self.width.mean()), 1),
        }


def nasa_score(error: Floats) -> Floats:
    """The asymmetric score of the PHM 2008 challenge (Saxena et al.): a forecast that is too long costs more than one too short.

    ``error`` is forecast less truth, in cycles; exp(-error / 13) - 1 below zero, exp(error / 10) - 1 above.
    """
    result: Floats = np.where(error < 0, np.expm1(-error / 13.0), np.expm1(error / 10.0))
    return result


def pooled(judged: Sequence[Judged]) -> Mapping[str, float | int | list[float]]:
    """The figures of all engines of all sets together."""
    names = ("squared", "score", "below", "above", "width")
    return Judged(*(np.concatenate([getattr(one, name) for one in judged]) for name in names)).numbers()
