"""How far forecasts of left-out units were from what came: the bands around a forecast, with a stated share of lives inside.

Split-conformal by unit (Vovk, Gammerman, Shafer, "Algorithmic Learning in a Random World", 4.5: Mondrian, with the forecast itself as
the category): errors differ between a part that is new and one that is nearly worn out, so the quantiles of what came are taken among
left-out rows with a similar forecast. Every unit counts once, however long it was watched: its rows are not independent.

What came is known up to the cap only. A P90 that stands at the cap means "the cap or more".
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from analytics.remaining_life.histories import Floats, Ints

LEVELS = (0.1, 0.5, 0.9)
GRID = 41
NEIGHBOURS = 0.08
"""Share of all left-out units' weight that is taken as similar to a forecast."""
FEWEST_UNITS = 15
"""... but at least the rows of so many units' weight."""


@dataclass(frozen=True, slots=True, eq=False)
class Bands:
    """For forecasts ``at`` (growing): ``error``, what to add to them for each of `LEVELS` (forecasts, levels)."""

    at: Floats
    error: Floats
    cap: float

    def of(self, forecast: Floats) -> Floats:
        """P10, P50 and P90 for each forecast (rows, 3), in order and within 0..cap."""
        moved = [forecast + np.interp(forecast, self.at, self.error[:, level]) for level in range(self.error.shape[1])]
        result: Floats = np.sort(np.clip(np.column_stack(moved), 0.0, self.cap), axis=1)
        return result


def fit_bands(forecast: Floats, life: Floats, weight: Floats, unit: Ints, cap: float) -> Bands:
    """Bands from forecasts of units that were left out, and what was left of their lives.

    ``weight`` is what each row stands for (0: not known); within a unit it is shared out, so that every unit weighs alike.
    """
    known = weight > 0
    forecast, life, weight, unit = forecast[known], life[known], weight[known], unit[known]
    _, of_unit, rows = np.unique(unit, return_inverse=True, return_counts=True)
    share = weight / rows[of_unit]
    order = np.lexsort((life, forecast))
    forecast, life, share = forecast[order], life[order], share[order]
    total = np.cumsum(share)
    wanted = min(max(NEIGHBOURS, FEWEST_UNITS / len(rows)), 1.0) * total[-1]
    middles = np.linspace(wanted / 2, total[-1] - wanted / 2, GRID)
    at, error = [], []
    for middle in middles:
        begin, end = np.searchsorted(total, [middle - wanted / 2, middle + wanted / 2])
        near = slice(int(begin), max(int(end) + 1, int(begin) + 1))
        at.append(np.average(forecast[near], weights=share[near]))
        error.append(_quantiles(life[near] - forecast[near], share[near]))
    return Bands(np.maximum.accumulate(np.array(at)), np.array(error), cap)


def crossed_bands(forecast: Floats, life: Floats, weight: Floats, unit: Ints, fold: Ints, cap: float) -> Floats:
    """P10, P50 and P90 of each row by bands from the units of the other folds: what the bands are worth where they were not made."""
    result = np.zeros((len(forecast), len(LEVELS)))
    for one in np.unique(fold):
        others = fold != one
        bands = fit_bands(forecast[others], life[others], weight[others], unit[others], cap)
        result[~others] = bands.of(forecast[~others])
    return result


def _quantiles(values: Floats, weight: Floats) -> Floats:
    """Weighted quantiles at `LEVELS`."""
    order = np.argsort(values, kind="stable")
    values, weight = values[order], weight[order]
    reached = (np.cumsum(weight) - weight / 2) / weight.sum()
    result: Floats = np.interp(LEVELS, reached, values)
    return result
