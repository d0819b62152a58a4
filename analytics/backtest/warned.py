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
TIE = 1e-9
"""Devices of one age are alike to the age-only hazard. Which of them it warns of, where the budget does not do for all, is drawn by lot."""


@dataclass(frozen=True, slots=True)
class Told:
    """Some figures of the report by key, and those that are not given."""

    figures: Mapping[str, Any]
    refused: Sequence[Refusal] = field(default=())


@dataclass(frozen=True, slots=True)
class Warned:
    """Alerts by budget. ``failures`` are all of the days after the cut, also those that no row could have foreseen."""

    ours: Mapping[float, Alerts]
    by_age: Mapping[float, Alerts]
    failures: frozenset[Failure]

    @property
    def declared(self) -> Alerts:
        """The alerts at the budget of the contract."""
        return self.ours[DECLARED]


def _turn(case: Case) -> Floats:
    """A number from 0 to 1 for each device, by its name: the same every time."""
    drawn = np.array([crc32(b"turn " + device.encode()) for device in case.panel.devices], dtype=np.float64)
    return drawn / 2**32


def warned_of(case: Case, test: Rows, predicted: Predicted) -> Warned:
    """The alerts of the test rows."""

    def at(probability: Floats, budget: float) -> Alerts:
        return alerts_within(
            probability, test.device, test.day, test.to_failure, horizon=case.horizon, per_1000_weeks=budget
        )

    first = case.panel.first_day
    by_age = predicted.by_age * (1 + TIE * _turn(case)[test.device])
    later = {(device, day - first) for device, day in case.failures if case.cut < day - first < case.panel.days}
    return Warned(
        {budget: at(predicted.known, budget) for budget in BUDGETS},
        {budget: at(by_age, budget) for budget in BUDGETS},
        frozenset(later),
    )
