"""Is the challenger better than the champion? Both spoke of the same devices on the same days; what came of them is known now.

The measure is the log loss of the 30-day probability, by which alarms are raised. With L the weighted loss of each over all matured rows,

    theta = log (L_champion / L_challenger),   psi_i = l_i,champion / L_champion - l_i,challenger / L_challenger

and V = sum psi_i^2 over clusters: a device's rows, over all weeks, are one cluster, since they say nearly the same again and again. The
failures of one day are one, too, where that gives the larger V. theta and 1 / V go into the normal-mixture e-process
(`analytics.sequential.mixture`), one for each side.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from analytics.panel import Flags, Floats, Ints
from analytics.sequential.mixture import log_e_worse

TAU = 0.10
"""Scale of the mixture: a tenth less loss is much."""
FEWEST_FAILURES = 12
"""Failing devices before anything is said: the e-process is one of large numbers."""
BUDGET = 0.005
"""Share of the devices that would be named each week."""
PRECISION_MARGIN = 0.02
PROMOTE_AT = 20.0
_TINY = 1e-5


@dataclass(frozen=True, slots=True, eq=False)
class Matured:
    """Rows of which the answer is known: ``champion`` and ``challenger`` are probabilities, ``failed_on`` the day of failure (-1: none)."""

    device: Ints
    week: Ints
    champion: Floats
    challenger: Floats
    failed: Flags
    failed_on: Ints
    weight: Floats


@dataclass(frozen=True, slots=True)
class Standing:
    """How a race stands: logarithms of the evidence for and against the challenger, and what they rest on."""

    rows: int
    devices: int
    failing: int
    loss_champion: float
    loss_challenger: float
    log_e_better: float
    log_e_worse: float
    precision_champion: float | None
    precision_challenger: float | None

    @property
    def is_won(self) -> bool:
        """Evidence of 20 to 1 that the challenger is better, and it names the right devices no more rarely."""
        ours, theirs = self.precision_challenger, self.precision_champion
        precise = ours is None or theirs is None or ours >= theirs - PRECISION_MARGIN
        return self.log_e_better >= np.log(PROMOTE_AT) and precise

    @property
    def is_lost(self) -> bool:
        """Evidence of 20 to 1 that it is worse."""
        return self.log_e_worse >= float(np.log(PROMOTE_AT))

    def told(self) -> dict[str, Any]:
        """As JSON, e-values instead of their logarithms."""
        result = {name: value for name, value in asdict(self).items() if not name.startswith("log_")}
        return result | {"e_better": e_value(self.log_e_better), "e_worse": e_value(self.log_e_worse)}


def e_value(log_e: float) -> float:
    """An e-value of its logarithm with four digits, at most 1e300."""
    return float(f"{np.exp(min(log_e, 690.0)):.4g}")


def standing(matured: Matured) -> Standing:
    """How the race stands on what has matured."""
    failing = len(np.unique(matured.device[matured.failed]))
    losses = [_loss(p, matured) for p in (matured.champion, matured.challenger)]
    totals = [float(loss.sum()) for loss in losses]
    weight = float(matured.weight.sum())
    log_better = log_worse = 0.0
    if failing >= FEWEST_FAILURES and min(totals) > 0:
        influence = losses[0] / totals[0] - losses[1] / totals[1]
        variance = max(_variance(influence, matured.device), _variance(influence, _by_day(matured)))
        theta = float(np.log(totals[0] / totals[1]))
        if variance > 0:
            log_better, log_worse = (float(log_e_worse(side * theta, 1 / variance, TAU)) for side in (1.0, -1.0))
    return Standing(
        len(matured.device),
        len(np.unique(matured.device)),
        failing,
        round(totals[0] / weight, 6) if weight else 0.0,
        round(totals[1] / weight, 6) if weight else 0.0,
        log_better,
        log_worse,
        _precision(matured.champion, matured),
        _precision(matured.challenger, matured),
    )


def _loss(p: Floats, matured: Matured) -> Floats:
    p = np.clip(p, _TINY, 1 - _TINY)
    return np.asarray(-matured.weight * np.where(matured.failed, np.log(p), np.log1p(-p)))


def _variance(influence: Floats, cluster: Ints) -> float:
    _, of_row = np.unique(cluster, return_inverse=True)
    return float((np.bincount(of_row, weights=influence) ** 2).sum())


def _by_day(matured: Matured) -> Ints:
    """Clusters: all failures of one day together, the other rows by device."""
    return np.where(matured.failed, -1 - matured.failed_on, matured.device)


def _precision(p: Floats, matured: Matured) -> float | None:
    """Share of failures among the devices that would have been named, week by week; None where that are none."""
    named, right = 0.0, 0.0
    for week in np.unique(matured.week):
        mine = np.flatnonzero(matured.week == week)
        order = mine[np.argsort(-p[mine], kind="stable")]
        before = np.cumsum(matured.weight[order]) - matured.weight[order]
        chosen = order[before < BUDGET * matured.weight[mine].sum()]
        named += float(matured.weight[chosen].sum())
        right += float((matured.weight * matured.failed)[chosen].sum())
    return round(right / named, 4) if named else None
