"""The model that goes to work: trained on everything, with the calibration of the judged one, and its card."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

from analytics.artifacts import Artifact
from analytics.explanation import typical
from analytics.hazard import SEED, Matrix, fit_hazard
from analytics.lives import Lives
from analytics.model_files.provenance import provenance
from analytics.panel import day_start
from analytics.training.data import Data
from analytics.training.judging import Judgement
from analytics.training.names import EDGES, HORIZONS
from analytics.training.rows import NEAR_DAYS, chosen_rows, folds_of


def fit_final(data: Data, lives: Lives, judgement: Judgement) -> tuple[Artifact, int]:
    """The model of everything known, and how many rows it has learned from."""
    everything = chosen_rows(data, lives, np.ones(data.panel.present.shape, dtype=bool))
    fitted = fit_hazard(everything.snapshots, EDGES, folds_of(data.panel)[everything.device], near_days=NEAR_DAYS)
    hazard = replace(fitted, calibration=judgement.calibration)
    features = everything.snapshots.features
    return Artifact(hazard, data.columns, typical(features), *_ranges(features)), len(features)


def _ranges(features: Matrix) -> tuple[Matrix, Matrix, Matrix]:
    """Lowest and highest usual value of every column, and the share of rows that lack it."""
    low = np.full(features.shape[1], -np.inf, dtype=np.float32)
    high = np.full(features.shape[1], np.inf, dtype=np.float32)
    missing = np.isnan(features).mean(axis=0).astype(np.float32)
    known = missing < 1
    if known.any():
        low[known], high[known] = np.nanquantile(features[:, known], [0.001, 0.999], axis=0)
    return low, high, missing


INTENDED_USE = (
    "Ranks devices of this model by how likely this part fails, so that service can look at the likeliest first; opens findings where that "
    "is worth what they cost."
)
LIMITS = (
    "It knows signs that went before past failures; a failure that comes without signs, or by a cause not seen yet, is not foretold.",
    "A reason is what raises the probability in this model, not a proven cause.",
    "Failures that a notice prevented look like false alarms unless some notices are held out.",
    "Figures of the test are those of a candidate trained on less; the model at work has learned from everything.",
    "Not for decisions about people, and not for safety: absence of a finding does not mean that a device is safe.",
)


def model_card(data: Data, model: str, part: str, failures: int, judgement: Judgement, rows: int) -> dict[str, Any]:
    """What the version is: data cut, features, calibration, evaluation, what it is for and what not."""
    last = data.panel.first_day + data.panel.days - 1
    return {
        "model": model,
        "part": part,
        "method": "discrete-time hazard, gradient-boosted trees",
        "intervals_days": list(EDGES),
        "horizons_days": list(HORIZONS),
        "data_from": day_start(data.panel.first_day).date().isoformat(),
        "data_until": day_start(last).date().isoformat(),
        "devices": data.fleet,
        "devices_learned_from": len(data.devices),
        "device_days": int(data.panel.present.sum()),
        "rows": rows,
        "failures": failures,
        "failures_per_crowd": judgement.dispersion,
        "features": [column.name for column in data.columns],
        "calibration": judgement.calibrated,
        "borrowed": {
            horizon: f"no whole window of {horizon} days in the test: its calibration is that of {told['taken_from_days']} days"
            for horizon, told in judgement.calibrated.items()
            if told.get("taken_from_days")
        },
        "evaluation": judgement.report,
        "beats_age_alone": judgement.better,
        "intended_use": INTENDED_USE,
        "limits": list(LIMITS),
        "seed": SEED,
        "provenance": provenance(),
    }
