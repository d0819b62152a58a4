"""Decisions on many probabilities at once, and what they turned out to cost: for studies of them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from analytics.decision.costs import Costs
from analytics.panel import Flags, Floats


@dataclass(frozen=True, slots=True)
class Decided:
    """``flagged``: where acting is expected to be cheaper than waiting; ``net_benefit``: by how much, negative where it is not."""

    flagged: Flags
    net_benefit: Floats


def decided(probabilities: Floats, costs: Costs) -> Decided:
    """What the costs say of every probability, without hysteresis and budget."""
    benefit = costs.net_benefit(np.asarray(probabilities, dtype=np.float64))
    return Decided(benefit > 0, benefit)


def realised(flagged: Flags, failed: Flags, costs: Costs) -> float:
    """What decisions cost on average, given what became of the devices.

    A failure that was flagged costs the notice and, by the share that acting averts, a planned repair instead of a failure.
    """
    caught = costs.notice + costs.failure - costs.avoidable
    alarm = costs.notice + costs.false_alarm
    each = np.where(flagged, np.where(failed, caught, alarm), np.where(failed, costs.failure, 0.0))
    return float(each.mean()) if len(each) else 0.0
