"""Do the devices of the open wave fall silent more often than those whose turn has not come?

A bricked device says nothing, and often it never tells that it has the release: so the arms are what was drawn (intention to treat), the
open wave against the waves that are not open, whoever updated. By the draw both arms are equally often away for reasons of their own.
In the last wave the devices of earlier ones, drawn as well, are the control: that finds what dies of the update, not what dies later of it.

At a look, in each stratum, a_T and a_C devices had been heard not long ago; d of them have fallen silent since, d_T of the open wave.
Under "no more often" d_T is hypergeometric or smaller (Fisher), so the likelihood ratio of a hazard ratio h > 1 is an e-value; products
over looks and strata are e-processes, and so is their mixture over h (1.5 to 200, uniform on the logarithm: a brick may be a hundred
times rarer in the control). Exact for any number of devices: it ever exceeds 1 / alpha with probability at most alpha.

Source: as `analytics.sequential.logrank`, whose likelihood this is.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from analytics.sequential.logrank import log_likelihood
from analytics.sequential.risk import RiskGroups

_RATIOS = np.linspace(np.log(1.5), np.log(200.0), 24)
_LARGEST = 700.0


@dataclass(frozen=True, slots=True)
class Standing:
    """A device at a look: its stratum, whether it is of the open wave, and whether it has fallen silent since the last look.

    Only devices that had been heard not long before the last look are given.
    """

    stratum: str
    treated: bool
    silent: bool


@dataclass(frozen=True, slots=True)
class Silence:
    """The evidence so far. ``expected`` are the silences that the open wave would have had at the control's rate, where there was one."""

    log_ratios: tuple[float, ...] = (0.0,) * len(_RATIOS)
    treated_events: int = 0
    control_events: int = 0
    expected: float = 0.0

    def add(self, standings: Sequence[Standing]) -> Silence:
        """The evidence after a further look."""
        groups, expected = _grouped(standings)
        if groups.events.size == 0:
            return self
        moved = log_likelihood(groups, _RATIOS).sum(axis=0)
        treated = int(groups.treated_events.sum())
        return Silence(
            tuple(float(one) for one in np.asarray(self.log_ratios) + moved),
            self.treated_events + treated,
            self.control_events + int(groups.events.sum()) - treated,
            self.expected + expected,
        )

    @property
    def e(self) -> float:
        """Evidence that the open wave falls silent more often."""
        from scipy.special import logsumexp

        values = np.asarray(self.log_ratios) - np.log(len(_RATIOS))
        return float(np.exp(min(_LARGEST, float(logsumexp(values)))))

    def share(self, took: int) -> float:
        """Of the devices that took the release (``took`` told so), the part that fell silent beyond what the control leads to expect."""
        excess = max(0.0, self.treated_events - self.expected)
        return excess / (took + excess) if excess else 0.0

    def as_json(self) -> dict[str, Any]:
        """As it is kept between looks."""
        return {
            "log_ratios": list(self.log_ratios),
            "treated_events": self.treated_events,
            "control_events": self.control_events,
            "expected": self.expected,
        }

    @classmethod
    def of_json(cls, kept: Mapping[str, Any]) -> Silence:
        """What `as_json` gave."""
        return cls(
            tuple(float(one) for one in kept["log_ratios"]),
            int(kept["treated_events"]),
            int(kept["control_events"]),
            float(kept["expected"]),
        )


def _grouped(standings: Sequence[Standing]) -> tuple[RiskGroups, float]:
    """Strata with devices of both arms in which somebody fell silent, and what the control's rate leads to expect of the open wave."""
    sums: dict[str, list[int]] = {}
    for one in standings:
        of_stratum = sums.setdefault(one.stratum, [0, 0, 0, 0])
        arm = 0 if one.treated else 1
        of_stratum[arm] += 1
        of_stratum[2 + arm] += one.silent
    told = [one for one in sums.values() if one[0] and one[1] and one[2] + one[3]]
    rows = np.array(told, dtype=np.int64).reshape(-1, 4)
    groups = RiskGroups(rows[:, 0], rows[:, 1], rows[:, 2], rows[:, 2] + rows[:, 3])
    return groups, float((rows[:, 0] * rows[:, 3] / np.maximum(rows[:, 1], 1)).sum())
