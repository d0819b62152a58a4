"""How long the parts in a fleet's devices will last: what the daily prognosis asks of this package.

`learn` fits a part's model to the lives that are known, `tell` says what is left of each part that is at work, or why it does not say.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from analytics.remaining_life.histories import Floats, in_order
from analytics.remaining_life.model import RemainingLife, fit_remaining_life
from analytics.remaining_life.parts import PartLife

CAP_DAYS = 365.0
MIN_FAILURES = 20
MIN_DAYS = 20
"""A part is judged after so many days with data: before, its own start is not known."""
FOLLOWED = 0.2
"""The cap is at most what so large a share of the lives was followed for: beyond it nothing was learned."""
MAX_OUTSIDE = 0.25
MAX_MISSING = 0.5
REGIME_DISTANCE = 0.5

Why = Literal["too_few_failures", "too_young", "too_little_data", "outside"]


@dataclass(frozen=True, slots=True)
class PartForecast:
    """Days that are left of the part in a device: ``expected``, ``p10``, ``p50``, ``p90``, none above ``cap``. A value at the cap means
    that or longer. Without values, ``why`` says why nothing is said."""

    device: str
    expected: float | None = None
    p10: float | None = None
    p50: float | None = None
    p90: float | None = None
    cap: float | None = None
    why: Why | None = None


@dataclass(frozen=True, slots=True, eq=False)
class PartModel:
    """A part's model with the usual range of each of its inputs (0.1 and 99.9 % quantiles), the oldest age and the distance of settings
    from their regimes that it has seen."""

    life: RemainingLife
    low: Floats
    high: Floats
    oldest: float
    distance: float


@dataclass(frozen=True, slots=True)
class TooFewFailures:
    """Why there is no model: ``failures`` of at least ``needed``."""

    failures: int
    needed: int


def learn(
    lives: Sequence[PartLife], *, cap: float = CAP_DAYS, min_failures: int = MIN_FAILURES
) -> PartModel | TooFewFailures:
    """Fit a part's model to its lives in all devices of a model, the unfinished ones as censored."""
    failures = sum(life.history.failed_at is not None for life in lives)
    if failures < min_failures:
        return TooFewFailures(failures, min_failures)
    units = in_order([life.history for life in lives])
    followed = np.quantile([unit.known_until - unit.age[0] for unit in units], 1.0 - FOLLOWED)
    model = fit_remaining_life(units, cap=min(cap, max(float(followed), 1.0)))
    features = np.concatenate([model.preparation.of(unit) for unit in units])
    low, high = np.full(features.shape[1], -np.inf), np.full(features.shape[1], np.inf)
    known = ~np.isnan(features).all(axis=0)
    low[known], high[known] = np.nanquantile(features[:, known], [0.001, 0.999], axis=0)
    distance = max(float(model.preparation.regimes.distance(unit.settings).max()) for unit in units)
    return PartModel(model, low, high, float(features[:, 0].max()), distance)


def tell(model: PartModel | TooFewFailures, lives: Sequence[PartLife], devices: Sequence[str]) -> list[PartForecast]:
    """What is left of every part at work, as of its last row. ``devices`` are the names of the panel's rows."""
    at_work = [life for life in lives if life.at_work]
    if isinstance(model, TooFewFailures) or not at_work:
        return [PartForecast(devices[life.device], why="too_few_failures") for life in at_work]
    features = np.stack([model.life.preparation.last_of(life.history) for life in at_work])
    told = model.life.of_features(features)
    result = []
    for row, life in enumerate(at_work):
        why = _why_not(model, life, features[row])
        p10, p50, p90 = (float(value) for value in told.quantiles[row])
        said = PartForecast(devices[life.device], float(told.expected[row]), p10, p50, p90, model.life.cap)
        result.append(said if why is None else PartForecast(devices[life.device], why=why))
    return result


def _why_not(model: PartModel, life: PartLife, features: Floats) -> Why | None:
    """Why nothing is said of a part: hardly watched yet, its inputs missing, or unlike everything that was learned from."""
    if len(life.history.age) < MIN_DAYS:
        return "too_young"
    missing = np.isnan(features)
    if missing.mean() > MAX_MISSING:
        return "too_little_data"
    outside = ~missing & ((features < model.low) | (features > model.high))
    distance = model.life.preparation.regimes.distance(life.history.settings[-1:])[0]
    if (
        features[0] > model.oldest
        or outside.sum() > MAX_OUTSIDE * (~missing).sum()
        or distance > model.distance + REGIME_DISTANCE
    ):
        return "outside"
    return None
