"""The probabilities of a backtest: by a model of all devices, by models that never saw the row's device, and by age alone."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from analytics.backtest.case import Case
from analytics.backtest.rows import Rows
from analytics.calibration import fit_calibration, independent_failures
from analytics.hazard import AgeHazard, Hazard, Snapshots, fit_age_hazard, fit_hazard
from analytics.panel import Floats


@dataclass(frozen=True, slots=True)
class Predicted:
    """Calibrated probabilities of the test rows, and the model they are of."""

    known: Floats
    unseen: Floats
    by_age: Floats
    model: Hazard


def predict(case: Case, train: Rows, test: Rows) -> Predicted:
    """Learn from the one, and say of the other."""
    horizons = (case.horizon,)
    learned = Snapshots(train.features, train.to_failure, train.to_end, train.left, train.weight)
    model = fit_hazard(learned, _edges(case.horizon), case.fold[train.device], near_days=2 * case.horizon)
    outside = model.raw_unseen(train.features, horizons, case.fold[train.device])[:, 0]
    positives = independent_failures(
        train.device[train.failed], (train.day + train.to_failure)[train.failed].astype(np.int64), case.cut
    )
    calibration = fit_calibration(outside, train.failed, positives, train.weight)
    model = replace(model, calibration={case.horizon: calibration})
    raw = model.raw_by_classifier(test.features, horizons)[:, :, 0]
    fold = case.fold[test.device]
    without = raw[np.minimum(fold, len(raw) - 1), np.arange(len(fold))]
    return Predicted(
        calibration.apply(raw.mean(axis=0)), calibration.apply(without), _by_age(train, test, case.horizon), model
    )


def _edges(horizon: int) -> tuple[int, ...]:
    """Two intervals for a short horizon, three for a long one; what is followed for a part of it teaches the first."""
    parts = 2 if horizon <= 7 else 3
    return tuple(sorted({round(horizon * part / parts) for part in range(parts + 1)}))


def _by_age(train: Rows, test: Rows, horizon: int) -> Floats:
    age: AgeHazard = fit_age_hazard(train.age, train.to_failure, train.weight, within=horizon)
    return age.probabilities(test.age, (horizon,))[:, 0]
