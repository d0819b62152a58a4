"""Where a model keeps silent: rows unlike those it has learned from, or without the values it lives on."""

from __future__ import annotations

import numpy as np

from analytics.artifacts import Artifact
from analytics.hazard import Matrix
from analytics.panel import Flags, Ints, Panel

MAX_OUTSIDE = 0.25
MAX_MISSING = 0.5
FRESH_DAYS = 2


def judged_day(panel: Panel) -> Ints:
    """The last day, or the newest one with data if that is not long ago."""
    ago = np.argmax(panel.present[:, ::-1], axis=1)
    day: Ints = panel.days - 1 - np.where(ago <= FRESH_DAYS, ago, 0)
    return day


def outside(features: Matrix, artifact: Artifact) -> Flags:
    """Rows of which more than a quarter of the values lie clearly outside what the model has learned from."""
    with np.errstate(invalid="ignore"):
        span = artifact.high - artifact.low
        span = np.where(np.isfinite(span), span, 0)
        far = (features < artifact.low - span / 2) | (features > artifact.high + span / 2)
    known = ~np.isnan(features)
    share = (far & known).sum(axis=1) / np.maximum(known.sum(axis=1), 1)
    return np.asarray(share > MAX_OUTSIDE)


def too_much_missing(features: Matrix, artifact: Artifact) -> Flags:
    """Rows that lack more than half of the values that the model nearly always had."""
    usual = artifact.missing < 0.1
    if not usual.any():
        return np.zeros(len(features), dtype=bool)
    return np.asarray(np.isnan(features[:, usual]).mean(axis=1) > MAX_MISSING)
