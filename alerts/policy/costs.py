"""What acting on a finding is expected to cost, and what not acting is: a rule may act only where the first is less.

Acting costs the notice and the visit whether or not the finding is right, and a false alarm besides where it is not; not acting costs the
failure where it is right. So acting pays where ``p * failure > notice + visit + (1 - p) * false_alarm``, the decision rule of least
expected cost (J. Berger, Statistical Decision Theory and Bayesian Analysis, ch. 1).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from pydantic import Field

from alerts.policy.section import Section

Money = Annotated[float, Field(ge=0, allow_inf_nan=False)]
Chance = Annotated[float, Field(ge=0, le=1)]


class PartCosts(Section):
    """Costs that differ for one part; what is left out is as for all."""

    failure: Money | None = None
    notice: Money | None = None
    visit: Money | None = None
    false_alarm: Money | None = None


class Assumed(Section):
    """How likely a finding is taken to be right that tells no probability itself, by severity."""

    info: Chance = 0.05
    warning: Chance = 0.25
    critical: Chance = 0.6


class Costs(Section):
    """What things cost, in one currency: a failure that nobody foresaw, a notice, a visit or whatever a ticket ends in, a false alarm."""

    currency: str = Field("EUR", min_length=1, max_length=8)
    failure: Money = 150
    notice: Money = 1
    visit: Money = 60
    false_alarm: Money = 20
    assumed: Assumed = Assumed()
    parts: dict[str, PartCosts] = Field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Account:
    """The sums for one finding and rule. ``assumed``: the finding tells no probability, its severity's was taken.

    ``acting`` is what acting costs in any case, ``loss`` what is expected to be lost by not acting, ``price`` what acting is expected to
    cost with the false alarms among such findings.
    """

    probability: float
    assumed: bool
    failure: float
    acting: float
    false_alarm: float

    @property
    def loss(self) -> float:
        """Expected cost of not acting."""
        return self.probability * self.failure

    @property
    def price(self) -> float:
        """Expected cost of acting."""
        return self.acting + (1 - self.probability) * self.false_alarm

    def pays(self, margin: float = 0.0) -> bool:
        """Whether acting costs less; with a ``margin``, whether it would if the probability were higher by that much."""
        likely = min(1.0, self.probability + margin)
        return likely * self.failure > self.acting + (1 - likely) * self.false_alarm


def account(costs: Costs, *, part: str, severity: str, probability: float | None, notice: bool, visit: bool) -> Account:
    """What a finding about a part costs one way and the other; ``notice`` and ``visit`` say what acting would be."""
    own = costs.parts.get(part, _NONE)

    def of(name: str) -> float:
        given = getattr(own, name)
        return float(getattr(costs, name) if given is None else given)

    likely = probability if probability is not None else float(getattr(costs.assumed, severity))
    acting = (of("notice") if notice else 0.0) + (of("visit") if visit else 0.0)
    return Account(likely, probability is None, of("failure"), acting, of("false_alarm"))


_NONE = PartCosts()
