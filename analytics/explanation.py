"""Why a probability is as high as it is: what it would be if one metric were as usual as its peers'.

The reason's weight is the fall of the probability when all columns of a metric are set to the cohort's median ("cohort-median
deltas"). It needs no further library and answers the question a person asks: is it because of the battery?
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from analytics.features import Feature
from analytics.hazard import Hazard, Matrix
from analytics.panel import Floats

STRONGEST = 200
MIN_SHARE = 0.02


def typical(features: Matrix) -> Matrix:
    """Median of every column over the rows that have it; NaN where none has."""
    result = np.full(features.shape[1], np.nan, dtype=np.float32)
    known = ~np.isnan(features).all(axis=0)
    if known.any():
        result[known] = np.nanmedian(features[:, known], axis=0)
    return result


def deltas(
    model: Hazard, features: Matrix, median: Matrix, columns: Sequence[Feature], horizon: int
) -> tuple[tuple[str, ...], Floats]:
    """By how much each metric raises each row's probability: names, and an array (rows, metrics)."""
    names = tuple(sorted({column.metric for column in columns}))
    variants = [features]
    for name in names:
        mine = np.array([column.metric == name for column in columns])
        changed = features.copy()
        changed[:, mine] = median[mine]
        variants.append(changed)
    p = model.probabilities(np.concatenate(variants), (horizon,))[:, 0].reshape(len(variants), len(features))
    return names, (p[0] - p[1:]).T


def influences(
    model: Hazard, features: Matrix, columns: Sequence[Feature], probability: Floats, horizon: int
) -> list[dict[str, Any]]:
    """What drives the riskiest rows, strongest first: metric, its share of all deltas, and their mean in percentage points."""
    risky = np.argsort(-probability, kind="stable")[:STRONGEST]
    names, change = deltas(model, features[risky], typical(features), columns, horizon)
    strength = np.maximum(change, 0).mean(axis=0)
    total = strength.sum()
    order = np.argsort(-strength, kind="stable")
    return [
        {
            "metric": names[place],
            "share": round(float(strength[place] / total), 4),
            "points": round(100 * float(strength[place]), 4),
        }
        for place in order
        if total > 0 and strength[place] / total >= MIN_SHARE
    ]
