"""The reasons beside a high probability, as people read them."""

from __future__ import annotations

from typing import Any

import numpy as np

from analytics.artifacts import Artifact
from analytics.explanation import deltas
from analytics.hazard import Matrix
from analytics.panel import Floats
from analytics.training.names import JUDGED_AT
from hearthwatch.metrics import BY_NAME

EXPLAIN_FROM = 0.1
MOST_EXPLAINED = 60
MOST_REASONS = 4
MIN_POINTS = 0.01


def reasons_of(artifact: Artifact, features: Matrix, p30: Floats) -> dict[int, list[dict[str, Any]]]:
    """Reasons of the riskiest rows, strongest first, by row."""
    chosen = np.flatnonzero(p30 >= EXPLAIN_FROM)
    chosen = chosen[np.argsort(-p30[chosen], kind="stable")][:MOST_EXPLAINED]
    if not len(chosen):
        return {}
    names, change = deltas(artifact.hazard, features[chosen], artifact.typical, artifact.columns, JUDGED_AT)
    found = {}
    for place, row in enumerate(chosen.tolist()):
        order = np.argsort(-change[place], kind="stable")[:MOST_REASONS]
        found[row] = [
            _reason(names[column], float(change[place, column]), artifact, features[row])
            for column in order
            if change[place, column] >= MIN_POINTS
        ]
    return found


def _reason(metric: str, points: float, artifact: Artifact, row: Matrix) -> dict[str, Any]:
    unit = BY_NAME[metric].unit if metric in BY_NAME else "days" if metric in {"age", "service"} else ""
    values: dict[str, Any] = {"points": round(100 * points, 1)}
    views = {column.view: place for place, column in enumerate(artifact.columns) if column.metric == metric}
    for view, name in (("mean_7", "mean of 7 days"), ("days", "days")):
        if view in views and not np.isnan(row[views[view]]):
            values[name] = f"{float(row[views[view]]):.4g} {unit}".strip()
    if "peers" in views and not np.isnan(row[views["peers"]]):
        values["deviations from peers"] = round(float(row[views["peers"]]), 1)
    return {
        "text_key": "metric_raises_risk",
        "text": f"{metric} raises the 30-day risk by {100 * points:.0f} points",
        "metric": metric,
        "values": values,
    }
