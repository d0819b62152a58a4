"""From which probability on a part of a device model is worth a finding, by costs where there are any, else by one probability for all."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from analytics.decision.cost_file import CostSheet
from analytics.decision.costs import Costs

CLOSE_AT = 0.6
"""A finding stays open down to this share of the probability at which it opens."""


@dataclass(frozen=True, slots=True)
class Line:
    """Where the line lies for one part of one device model: ``threshold`` for 30 days, ``critical`` for seven.

    ``costs`` is None where one probability holds for all parts.
    """

    threshold: float
    critical: float
    costs: Costs | None = None

    @property
    def close(self) -> float:
        """Below this an open finding is not kept."""
        return self.threshold * CLOSE_AT

    def worth(self, p30: float) -> float:
        """What ranks what is above the line: expected net benefit in money, or how far the probability lies above it."""
        return p30 - self.threshold if self.costs is None else float(self.costs.net_benefit(p30))

    def told(self, p30: float) -> dict[str, Any]:
        """The decision as evidence: threshold, and with costs the expected net benefit and what it was reckoned with."""
        if self.costs is None:
            return {"by": "probability", "threshold": self.threshold}
        costs = self.costs
        return {
            "by": "costs",
            "threshold": round(self.threshold, 4),
            "net_benefit": round(self.worth(p30), 2),
            "currency": costs.currency,
            "costs": {
                "failure": costs.failure,
                "planned": costs.planned,
                "effectiveness": costs.effectiveness,
                "notice": costs.notice,
                "false_alarm": costs.false_alarm,
            },
        }


@dataclass(frozen=True, slots=True)
class Rule:
    """The configured rule. ``alarm`` is the line where there is no ``sheet``, and what makes a finding critical within seven days;
    ``per_1000_and_week`` of 0 lets any number of findings open."""

    alarm: float
    sheet: CostSheet | None = None
    per_1000_and_week: float = 0.0

    def line(self, model: str, part: str) -> Line:
        """The line for one part of one device model."""
        if self.sheet is None:
            return Line(self.alarm, self.alarm)
        costs = self.sheet.of(model, part)
        return Line(costs.threshold, self.alarm, costs)
