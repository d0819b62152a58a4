"""What it costs to act and not to act on a probability, and from which probability on acting is cheaper.

Acting on a device that will fail saves ``(failure - planned) * effectiveness`` and costs a notice; acting on one that will not costs the
notice and a false alarm. Acting is cheaper when ``p * avoidable > notice + (1 - p) * false_alarm``, that is for p above
``c / (c + b)`` with c = notice + false_alarm and b = avoidable - notice (Elkan, The Foundations of Cost-Sensitive Learning, IJCAI 2001).
"""

from __future__ import annotations

from dataclasses import dataclass

from analytics.panel import Floats


@dataclass(frozen=True, slots=True)
class Costs:
    """Costs of one part, all in ``currency``.

    ``failure`` is an unforeseen failure, ``planned`` the same repair in time, ``effectiveness`` the share of failures that acting really
    turns into a planned repair, ``notice`` what every notice costs, ``false_alarm`` what one costs beside it where nothing was to fail.
    """

    failure: float
    planned: float
    effectiveness: float
    notice: float
    false_alarm: float
    currency: str = ""

    @property
    def avoidable(self) -> float:
        """What acting saves on average where a failure was to come."""
        return (self.failure - self.planned) * self.effectiveness

    @property
    def threshold(self) -> float:
        """The probability above which acting is cheaper than waiting."""
        return (self.notice + self.false_alarm) / (self.avoidable + self.false_alarm)

    def net_benefit(self, p: Floats | float) -> Floats:
        """What acting saves on average at some probabilities, after the notice and the chance of a false alarm; below the threshold it is
        negative."""
        benefit: Floats = p * self.avoidable - self.notice - (1.0 - p) * self.false_alarm  # type: ignore[assignment]
        return benefit
