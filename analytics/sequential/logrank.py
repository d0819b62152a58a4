"""The safe logrank test on first events: exact at every look, also in staggered roll-outs, with ties and strata.

Each device counts until its first event on one clock shared by all. At an event time with risk sets (a_T, a_C) in a stratum and d tied
events, d_T of them treated, the likelihood of a hazard ratio h given the margins is Fisher's noncentral hypergeometric,

    l(h) = h^{d_T} / sum_j HG(j; a_T, a_C, d) h^j       (d = 1: h^{d_T} (a_T + a_C) / (h a_T + a_C)),

whose ratio to l(h0) has expectation <= 1 for every hazard ratio <= h0 < h, so that products over event times and strata are e-processes.
A half-normal mixture over log h makes one of them.

Source: ter Schure, Perez-Ortiz, Ly, Grünwald, "The anytime-valid logrank test", NEJSDS 2(2) 2024, arXiv 2011.06931.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from analytics.sequential.mixture import TAU_RATE, Floats
from analytics.sequential.risk import RiskGroups as RiskGroups
from analytics.sequential.risk import first_events as first_events


def log_sum_exp(values: Any) -> Any:
    """log sum exp over the first axis, without overflow."""
    top = values.max(axis=0)
    return top + np.log(np.exp(values - top).sum(axis=0))


POINTS = 24
_SPAN = 4.0  # the grid reaches to 4 tau; beyond lies 6e-5 of the half-normal
_GRID = (np.arange(POINTS) + 0.5) * (_SPAN * TAU_RATE / POINTS)
_LOG_WEIGHTS = -0.5 * (_GRID / TAU_RATE) ** 2
_LOG_WEIGHTS = _LOG_WEIGHTS - log_sum_exp(_LOG_WEIGHTS)

_WIDE = np.linspace(-4.0, 4.0, 81)  # log hazard ratios among which the interval is looked for
_WIDE_SCALE = 2.0 * TAU_RATE
_WIDE_LOG_WEIGHTS = -0.5 * (_WIDE / _WIDE_SCALE) ** 2
_WIDE_LOG_WEIGHTS = _WIDE_LOG_WEIGHTS - log_sum_exp(_WIDE_LOG_WEIGHTS)

_TIES = ((1, 1), (2, 3), (4, 8), (9, 24))  # ties taken together; for more of them the powers of h could overflow


@dataclass(frozen=True, slots=True)
class LogrankEvidence:
    """The log likelihood of hazard ratios so far. A value: adding groups gives a new one, in any order or split the same.

    ``shifted`` holds log l(h0 h_j) - log l(h0) on the half-normal grid, h0 being the ``margin``; ``wide`` holds log l(h) on the grid of
    the interval.
    """

    margin: float
    shifted: Floats
    wide: Floats | None
    events: int = 0
    treated_events: int = 0

    @classmethod
    def nothing(cls, margin: float = 1.0, *, interval: bool = True) -> LogrankEvidence:
        """No event yet. Without ``interval`` only the e-value is kept, which is faster."""
        return cls(margin=margin, shifted=np.zeros(POINTS), wide=np.zeros(_WIDE.size) if interval else None)

    def add(self, groups: RiskGroups) -> LogrankEvidence:
        """The evidence after further event times."""
        if groups.events.size == 0:
            return self
        shifted, wide = evidence_of(groups, self.margin, interval=self.wide is not None)
        return replace(
            self,
            shifted=self.shifted + shifted.sum(axis=0),
            wide=None if self.wide is None or wide is None else self.wide + wide.sum(axis=0),
            events=self.events + int(groups.events.sum()),
            treated_events=self.treated_events + int(groups.treated_events.sum()),
        )

    @property
    def log_e(self) -> float:
        """Natural logarithm of the e-value against "the hazard ratio is at most the margin"."""
        return float(log_e_of(self.shifted))

    def interval(self, alpha: float = 0.05) -> tuple[float, float, float]:
        """Hazard ratio (most likely) and its (1 - alpha) confidence sequence: ratio, low, high; 0 and infinity beyond exp(-4)..exp(4).

        The bounds are the values h whose l(h) is not 1 / alpha times smaller than the mixture over all values.
        """
        if self.wide is None:
            raise ValueError("this evidence was kept without its interval")
        refuted = log_sum_exp(_WIDE_LOG_WEIGHTS + self.wide) - self.wide - np.log(1.0 / alpha)
        best = int(np.argmax(self.wide))
        inside = np.flatnonzero(refuted < 0.0)
        first, last = (int(inside[0]), int(inside[-1])) if inside.size else (best, best)
        low = _crossing(refuted, first - 1, first) if first > 0 else 0.0
        high = _crossing(refuted, last + 1, last) if last < _WIDE.size - 1 else np.inf
        return (
            float(np.exp(_peak(self.wide, best))) if self.events else 1.0,
            float(np.exp(low) if first > 0 else 0.0),
            float(np.exp(high) if np.isfinite(high) else np.inf),
        )


def evidence_of(groups: RiskGroups, margin: float, *, interval: bool) -> tuple[Floats, Floats | None]:
    """What each group adds to ``shifted``, (groups, POINTS), and to ``wide``, None without ``interval``."""
    at_margin = np.log(margin)
    points = [at_margin + _GRID, np.array([at_margin])]
    if interval:
        points.append(_WIDE)
    found = log_likelihood(groups, np.concatenate(points))
    shifted: Floats = found[:, :POINTS] - found[:, POINTS, None]
    return shifted, found[:, POINTS + 1 :] if interval else None


def log_e_of(shifted: Floats) -> Floats:
    """Natural logarithms of the e-values from sums of `evidence_of`, shape (..., POINTS)."""
    result: Floats = np.asarray(log_sum_exp(np.moveaxis(_LOG_WEIGHTS + shifted, -1, 0)))
    return result


def log_likelihood(groups: RiskGroups, log_h: Floats) -> Floats:
    """Log likelihood of each group at each log hazard ratio: shape (groups, points). 0 where a group cannot tell (one arm at risk)."""
    result = np.zeros((groups.events.size, log_h.size))
    telling = (groups.treated_at_risk > 0) & (groups.control_at_risk > 0)
    for fewest, most in _TIES:
        chosen = np.flatnonzero(telling & (groups.events >= fewest) & (groups.events <= most))
        if chosen.size:
            result[chosen] = _few_tied(groups, chosen, log_h)
    for index in np.flatnonzero(telling & (groups.events > _TIES[-1][1])):
        result[index] = _tied(
            int(groups.treated_at_risk[index]),
            int(groups.control_at_risk[index]),
            int(groups.treated_events[index]),
            int(groups.events[index]),
            log_h,
        )
    return result


def _few_tied(groups: RiskGroups, chosen: NDArray[np.intp], log_h: Floats) -> Floats:
    """Log likelihood of groups with few events each, as powers of h weighted by the central hypergeometric distribution."""
    treated, control = groups.treated_at_risk[chosen], groups.control_at_risk[chosen]
    events = groups.events[chosen]
    fewest = np.maximum(0, events - control)
    span = int((np.minimum(events, treated) - fewest).max())
    ways = np.ones((chosen.size, span + 1))
    for step in range(span):  # each weight from the one before
        count = fewest + step
        ways[:, step + 1] = ways[:, step] * (
            np.maximum(treated - count, 0) * (events - count) / ((count + 1.0) * (control - events + count + 1.0))
        )
    ways /= ways.sum(axis=1, keepdims=True)
    moved = (groups.treated_events[chosen] - fewest)[:, None] * log_h
    result: Floats = moved - np.log(ways @ np.exp(np.arange(span + 1)[:, None] * log_h))
    return result


def _tied(treated: int, control: int, treated_events: int, events: int, log_h: Floats) -> Floats:
    """Log likelihood of one group with several events, by the noncentral hypergeometric distribution."""
    counts = np.arange(max(0, events - control), min(events, treated) + 1, dtype=np.float64)
    log_ways = _log_choose(treated, counts) + _log_choose(control, events - counts)
    log_ways = log_ways - log_sum_exp(log_ways)
    # Measured from the count that was seen, so that the sum stays near 1 for any number of ties.
    likelihood: Floats = -log_sum_exp(log_ways[:, None] + (counts[:, None] - treated_events) * log_h)
    return likelihood


def _log_choose(total: int, taken: Any) -> Any:
    from scipy import special

    return special.gammaln(total + 1.0) - special.gammaln(taken + 1.0) - special.gammaln(total - taken + 1.0)


def _crossing(values: Floats, outside: int, inside: int) -> float:
    """Where the line between two neighbouring grid points crosses zero."""
    rise = values[outside] - values[inside]
    share = values[outside] / rise if rise > 0 else 0.0
    return float(_WIDE[outside] + share * (_WIDE[inside] - _WIDE[outside]))


def _peak(values: Floats, best: int) -> float:
    """The top of the parabola through the best grid point and its neighbours; infinite at the ends of the grid."""
    if best in {0, values.size - 1}:
        return -np.inf if best == 0 else np.inf
    left, middle, right = values[best - 1 : best + 2]
    bend = left - 2.0 * middle + right
    shift = 0.5 * (left - right) / bend if bend < 0 else 0.0
    return float(_WIDE[best] + shift * (_WIDE[1] - _WIDE[0]))
