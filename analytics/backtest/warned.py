"""The alerts of a backtest at every budget, by our model and by age alone."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any
from zlib import crc32

import numpy as np

from analytics.backtest.case import Case
from analytics.backtest.predicting import Predicted
from analytics.backtest.refusals import Refusal
from analytics.backtest.rows import Rows
from analytics.evaluation import Alerts, Failure, alerts_within
from analytics.panel import Floats

BUDGETS = (1.0, 2.0, 5.0, 10.0, 20.0)
"""Alerts per 1,000 device-weeks."""
DECLARED = 5.0
ENOUGH_ALERTS = 5
"""So many alerts a budget must allow before what came of them says anything; a small fleet needs a larger budget for that."""
LARGER = (50.0, 100.0, 200.0, 500.0, 1000.0)
TIE = 1e-9
"""Devices of one risk are alike; where the budget does not do for all of them, it is drawn by lot of which is warned. (Without that not
one would be: the surest, whose risks are all the highest that a model gives, and for age alone every device of a band.)"""


@dataclass(frozen=True, slots=True)
class Told:
    """Some figures of the report by key, and those that are not given."""

    figures: Mapping[str, Any]
    refused: Sequence[Refusal] = field(default=())


@dataclass(frozen=True, slots=True)
class Warned:
    """Alerts by budget. ``budget`` is the one that the answer speaks of: the declared one, or the first larger one that
    allows an alert for each failure. ``failures`` are all of the days after the cut, also those that
    no row could have foreseen."""

    ours: Mapping[float, Alerts]
    by_age: Mapping[float, Alerts]
    failures: frozenset[Failure]
    budget: float

    @property
    def chosen(self) -> Alerts:
        """The alerts that the answer speaks of."""
        return self.ours[self.budget]


def _turn(case: Case) -> Floats:
    """A number from 0 to 1 for each device, by its name: the same every time."""
    drawn = np.array([crc32(b"turn " + device.encode()) for device in case.panel.devices], dtype=np.float64)
    return drawn / 2**32


def warned_of(case: Case, train: Rows, test: Rows, predicted: Predicted) -> Warned:
    """The alerts of the test rows. Whatever the budget, nobody is warned of less than the risk that a device had before the cut."""

    def at(probability: Floats, budget: float, least: float = 0.0) -> Alerts:
        return alerts_within(
            probability,
            test.device,
            test.day,
            test.to_failure,
            horizon=case.horizon,
            per_1000_weeks=budget,
            least=least,
        )

    first = case.panel.first_day
    turn = 1 + TIE * _turn(case)[test.device]
    by_age, known = predicted.by_age * turn, predicted.known * turn
    later = {(device, day - first) for device, day in case.failures if case.cut < day - first < case.panel.days}
    usual = float(np.average(train.failed, weights=train.weight))
    foreseeable = at(known, 0.0).foreseeable
    least, weeks = max(ENOUGH_ALERTS, len(foreseeable)), len(test.device) / 7
    enough = (one for one in (*BUDGETS, *LARGER) if one >= DECLARED and one * weeks / 1000 >= least)
    chosen = next(enough, LARGER[-1])
    wanted = sorted({*BUDGETS, chosen})
    return Warned(
        {budget: at(known, budget, usual) for budget in wanted},
        {budget: at(by_age, budget) for budget in wanted},
        frozenset(later),
        chosen,
    )
