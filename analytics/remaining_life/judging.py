"""What a model of remaining life is worth, on units that were left out of it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from analytics.remaining_life.histories import Flags, Floats, History, Ints
from analytics.remaining_life.model import FOLDS, RemainingLife, fold_of_units
from analytics.remaining_life.quantiles import crossed_bands

AGE_BANDS = 12


@dataclass(frozen=True, slots=True)
class LeftOut:
    """Errors in days and shares of lives, every unit counting once. ``rmse_by_age``: of the mean life left at the same age, by units of
    the other folds. A life at the cap lies within a band that ends there, so ``within_band`` is above 80 % where many last longer."""

    units: int
    failures: int
    rmse: float
    rmse_by_age: float
    within_band: float
    sooner_than_p10: float
    later_than_p90: float

    def report(self) -> dict[str, Any]:
        """For a model card."""
        return {
            "left_out_units": self.units,
            "left_out_failures": self.failures,
            "rmse_days": round(self.rmse, 2),
            "rmse_days_by_age_alone": round(self.rmse_by_age, 2),
            "p10_to_p90_holds": round(self.within_band, 3),
            "sooner_than_p10": round(self.sooner_than_p10, 3),
            "later_than_p90": round(self.later_than_p90, 3),
        }


def left_out(model: RemainingLife, units: Sequence[History]) -> LeftOut:
    """Judge a model on the units it was fitted to, each by the trees that had not seen it and by bands from other units' errors.

    ``units`` in the order of `in_order`, as they were fitted. Rows are weighed as in the fit (censoring), shared out within a unit.
    """
    targets = model.targets
    fold = fold_of_units(units, FOLDS)[targets.unit]
    known = targets.weight > 0
    counted = np.bincount(targets.unit[known], minlength=len(units))
    share = np.where(known, targets.weight / np.maximum(counted[targets.unit], 1), 0.0)
    age = np.concatenate([unit.age for unit in units])
    bands = crossed_bands(model.left_out, targets.life, targets.weight, targets.unit, fold, model.cap)
    by_age = _mean_left(age, targets.life, share, fold)
    return LeftOut(
        units=int((counted > 0).sum()),
        failures=model.failures,
        rmse=_root(model.left_out - targets.life, share),
        rmse_by_age=_root(by_age - targets.life, share),
        within_band=_mean((bands[:, 0] <= targets.life) & (targets.life <= bands[:, 2]), share),
        sooner_than_p10=_mean(targets.life < bands[:, 0], share),
        later_than_p90=_mean(targets.life > bands[:, 2], share),
    )


def _mean_left(age: Floats, life: Floats, share: Floats, fold: Ints) -> Floats:
    """The mean life left in bands of age with as many rows each, by the units of the other folds."""
    edges = np.unique(np.quantile(age, np.linspace(0, 1, AGE_BANDS + 1)[1:-1]))
    band = np.searchsorted(edges, age, side="right")
    found = np.zeros(len(age))
    for one in np.unique(fold):
        others = fold != one
        weight = np.bincount(band[others], weights=share[others], minlength=len(edges) + 1)
        total = np.bincount(band[others], weights=(share * life)[others], minlength=len(edges) + 1)
        overall = total.sum() / max(float(weight.sum()), 1e-12)
        mean = np.where(weight > 0, total / np.maximum(weight, 1e-12), overall)
        found[~others] = mean[band[~others]]
    return found


def _root(error: Floats, share: Floats) -> float:
    return float(np.sqrt((share * error**2).sum() / share.sum()))


def _mean(which: Flags, share: Floats) -> float:
    return float((share * which).sum() / share.sum())
