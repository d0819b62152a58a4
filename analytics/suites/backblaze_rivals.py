"""What people use to foretell failing drives, learned on the same days and judged on the same rows as ours.

Backblaze itself looks at five attributes and at whether their raw value is above 0 (A. Klein, "What SMART Stats Tell Us About Hard
Drives", backblaze.com/blog, 2016); a logistic regression on the same five is the usual first model.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta

import numpy as np
from sklearn.linear_model import LogisticRegression

from analytics.backtest import Backtest
from analytics.backtest.case import Case, case_of
from analytics.lives import labelled
from analytics.panel import Flags, Floats, Ints, Panel
from hearthwatch.history import History

FIVE = ("smart_5", "smart_187", "smart_188", "smart_197", "smart_198")
EVERY = 4
"""Of the days to learn from that no failure follows one in so many is taken, with a weight of as many."""
_PRIOR_FAILURES = 2.0


@dataclass(frozen=True, slots=True)
class _Learned:
    """The device-days to learn from, as indices, and what came of them."""

    device: Ints
    day: Ints
    failed: Flags
    weight: Floats


def rivals(history: History, panel: Panel, told: Backtest, horizon: timedelta) -> Mapping[str, Floats]:
    """Probabilities of the test rows of ``told`` by each rival."""
    case = case_of(history, panel, cut=None, horizon=horizon)
    learned = _learned(case)
    here, there = (learned.device, learned.day), (told.device, told.day)
    model = case.background.model
    past, now = (_five(panel, *rows) for rows in (here, there))
    return {
        "model_rate": _rates(learned, model[learned.device], model[told.device]),
        "smart_above_0": _rates(learned, (past > 0).sum(axis=1), (now > 0).sum(axis=1)),
        "logistic_5_smart": _logistic(learned, past, now),
    }


def _learned(case: Case) -> _Learned:
    known, fails = labelled(case.past, case.horizon)
    day = np.arange(case.panel.days)
    turn = (day[None, :] + np.arange(len(case.panel.devices))[:, None]) % EVERY == 0
    chosen = known & (day <= case.cut - case.horizon)[None, :] & (fails | turn)
    device, when = np.nonzero(chosen)
    failed = fails[device, when]
    return _Learned(device.astype(np.int64), when.astype(np.int64), failed, np.where(failed, 1.0, float(EVERY)))


def _five(panel: Panel, device: Ints, day: Ints) -> Floats:
    """The raw values of the five on some device-days, 0 where a drive does not report one; those that no drive reports are left out."""
    held = [panel.totals.get(name, panel.values.get(name)) for name in FIVE]
    columns = [np.nan_to_num(values[device, day]) for values in held if values is not None]
    return np.stack(columns, axis=1) if columns else np.zeros((len(device), 1))


def _rates(learned: _Learned, group: Ints, of: Ints) -> Floats:
    """The share that failed in the group of each row, drawn to that of all by two failures' worth of rows; of all where a group is new."""
    size = int(max(group.max(initial=0), of.max(initial=0))) + 2  # -1, an unknown group, is the last
    rows = np.bincount(group % size, weights=learned.weight, minlength=size)
    failed = np.bincount(group % size, weights=learned.weight * learned.failed, minlength=size)
    overall = failed.sum() / rows.sum()
    rate: Floats = (failed + _PRIOR_FAILURES) / (rows + _PRIOR_FAILURES / overall)
    return rate[of % size]


def _logistic(learned: _Learned, past: Floats, now: Floats) -> Floats:
    fitted = LogisticRegression(max_iter=500).fit(np.log1p(past), learned.failed, sample_weight=learned.weight)
    return np.asarray(fitted.predict_proba(np.log1p(now))[:, 1], dtype=np.float64)
