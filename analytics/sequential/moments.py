"""Log rate ratios with cluster-robust variance from sums of products over devices, for any number of streams, looks or restarts at once.

The influence of a device is a linear combination of a few numbers of the device (its contributions to A and B, what was expected of it in
either arm, the same times what its past was beyond average). Its coefficients depend on the whole stream only, so that variances and
covariances follow from the matrix of the sums of products of these numbers, a *Gram* matrix: one pass over the devices.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from analytics.sequential.mixture import Direction, Floats, log_e_worse

Adjustment = Literal["none", "cuped", "differences"]

# The numbers of a device, in the order of the running sums; then four for each past: weight and weight times (past - 1) in either arm.
OWN = 4
_A, _EXPECTED_T, _B, _EXPECTED_C = range(OWN)
_EXACT = 1e-13  # what is left of the pasts' spread, relative to the sums it is taken from, when they are all the same


@dataclass(frozen=True, slots=True)
class Past:
    """What devices did before: ``known`` is 1 or 0, ``excess`` their rate relative to their stratum minus 1 (0 where unknown)."""

    known: Floats
    excess: Floats

    @classmethod
    def of(cls, own_past: Floats) -> Past:
        """From rates relative to the stratum, NaN where unknown."""
        known = np.isfinite(own_past)
        return cls(known.astype(np.float64), np.where(known, own_past - 1.0, 0.0))


@dataclass(frozen=True, slots=True)
class Moments:
    """Sums over the devices: ``gram`` of products (..., K, K), ``sums`` (..., K); ``totals`` A and B (..., 2)."""

    gram: Floats
    sums: Floats
    totals: Floats


@dataclass(frozen=True, slots=True)
class Estimates:
    """Log rate ratios, their variances (infinite where there is no estimate) and the share of the past that was subtracted."""

    theta: Floats
    variance: Floats
    beta: Floats

    @property
    def information(self) -> Floats:
        """1 / variance, 0 where there is no estimate."""
        known = np.isfinite(self.variance) & (self.variance > 0)
        return np.divide(1.0, self.variance, out=np.zeros_like(self.variance), where=known)

    def log_e_worse(self, margin: float, tau: float, direction: Direction) -> Floats:
        """Natural logarithms of the e-values against "not worse by more than ``margin``", a ratio; ``direction`` is which is worse."""
        theta = self.theta if direction == "more" else -self.theta
        return log_e_worse(theta - np.log(margin), self.information, tau)


def numbers(own: Floats, pasts: Sequence[Past] = ()) -> Floats:
    """The numbers of each device, (..., K, devices), from a, expected treated, b, expected control, (..., 4, devices)."""
    rows = np.empty((*own.shape[:-2], OWN + 4 * len(pasts), own.shape[-1]))
    rows[..., :OWN, :] = own
    expected = own[..., _EXPECTED_T : _EXPECTED_C + 1 : 2, :]
    for index, past in enumerate(pasts):
        at = OWN + 4 * index
        np.multiply(expected, past.known, out=rows[..., at : at + 4 : 2, :])
        np.multiply(expected, past.excess, out=rows[..., at + 1 : at + 4 : 2, :])
    return rows


def moments(rows: Floats, totals: Floats) -> Moments:
    """The sums over devices of `numbers`; ``totals`` are A and B, (..., 2)."""
    return Moments(rows @ np.swapaxes(rows, -1, -2), rows.sum(axis=-1), totals)


def estimates(sums: Moments, adjustment: Adjustment = "none") -> Estimates:
    """The watched comparisons, adjusted by the (first) past as `analytics.sequential.cluster.estimate` says."""
    watched = _watched(sums)
    if adjustment == "none":
        return _estimates(sums, watched, np.zeros_like(watched.theta))
    past = _past(sums, 0)
    if adjustment == "differences":
        return _estimates(sums, watched.minus(past, np.ones_like(past.theta)), np.ones_like(past.theta))
    beta = np.where(past.exists, _beta(sums, watched, past), 0.0)
    return _estimates(sums, watched.minus(past, beta, needed=False), beta)


def past_estimates(sums: Moments, late: int = 0, earlier: int | None = None) -> Estimates:
    """The comparison of a past, relative to an earlier one where it is given; numbers of the pasts as `numbers` got them."""
    found = _past(sums, late)
    one = np.ones_like(found.theta)
    if earlier is not None:
        found = found.minus(_past(sums, earlier), one)
    return _estimates(sums, found, np.zeros_like(one))


@dataclass(frozen=True, slots=True)
class _Comparison:
    """A log ratio, and the coefficients of the devices' influence on it through either arm, (..., K)."""

    theta: Floats
    treated: Floats
    control: Floats
    exists: NDArray[np.bool_]

    def minus(self, other: _Comparison, share: Floats, *, needed: bool = True) -> _Comparison:
        """Less a share of another; it exists where both do, unless the other is not ``needed``."""
        return _Comparison(
            self.theta - share * other.theta,
            self.treated - share[..., None] * other.treated,
            self.control - share[..., None] * other.control,
            self.exists & other.exists if needed else self.exists,
        )


def _watched(sums: Moments) -> _Comparison:
    total_a, total_b = sums.totals[..., 0], sums.totals[..., 1]
    exists = (total_a > 0) & (total_b > 0)
    treated, control = np.zeros_like(sums.sums), np.zeros_like(sums.sums)
    for coefficients, total, own, expected in (
        (treated, total_a, _A, _EXPECTED_T),
        (control, total_b, _B, _EXPECTED_C),
    ):
        coefficients[..., own] = _ratio(1.0, total, exists)
        centre = _ratio(sums.sums[..., own], sums.sums[..., expected], exists & (sums.sums[..., expected] > 0))
        coefficients[..., expected] = -centre * coefficients[..., own]
    return _Comparison(_log_ratio(total_a, total_b, exists), treated, control, exists)


def _past(sums: Moments, which: int) -> _Comparison:
    """The watched comparison with every device's events replaced by what its own past lets expect."""
    at = OWN + 4 * which
    weight_t, beyond_t, weight_c, beyond_c = (sums.sums[..., at + index] for index in range(4))
    past_a, past_b = weight_t + beyond_t, weight_c + beyond_c
    exists = (weight_t > 0) & (weight_c > 0) & (past_a > 0) & (past_b > 0)
    treated, control = np.zeros_like(sums.sums), np.zeros_like(sums.sums)
    for coefficients, first, total, weight, beyond in (
        (treated, at, past_a, weight_t, beyond_t),
        (control, at + 2, past_b, weight_c, beyond_c),
    ):
        coefficients[..., first + 1] = _ratio(1.0, total, exists)
        coefficients[..., first] = -_ratio(beyond, weight, exists) * coefficients[..., first + 1]
    theta = _log_ratio(_ratio(past_a, weight_t, exists), _ratio(past_b, weight_c, exists), exists)
    return _Comparison(theta, treated, control, exists)


def _beta(sums: Moments, watched: _Comparison, past: _Comparison) -> Floats:
    """How much of a difference of the past is expected to stay: the regression within the arms, every device counting alike.

    The regression of the influences themselves would be the small treated arm's alone, and follow its noise.
    """
    common, spread, rough = (np.zeros_like(watched.theta) for _ in range(3))
    for now, before, expected in (
        (watched.treated, past.treated, _EXPECTED_T),
        (watched.control, past.control, _EXPECTED_C),
    ):
        equally = _devices(sums, expected) ** 2
        common += equally * _form(now, sums.gram, before)
        spread += equally * _form(before, sums.gram, before)
        rough += equally * _form(np.abs(before), np.abs(sums.gram), np.abs(before))
    return _ratio(common, spread, spread > _EXACT * rough)


def _estimates(sums: Moments, found: _Comparison, beta: Floats) -> Estimates:
    variance = np.where(found.exists, _variance(sums, found), np.inf)
    known = np.isfinite(variance)
    return Estimates(np.where(known, found.theta, 0.0), variance, np.where(known, beta, 0.0))


def _variance(sums: Moments, found: _Comparison) -> Floats:
    """Sum of squared influences; a small treated arm is not believed to be less spread than both arms together."""
    within_t = _form(found.treated, sums.gram, found.treated)
    within_c = _form(found.control, sums.gram, found.control)
    plain = within_t - 2.0 * _form(found.treated, sums.gram, found.control) + within_c
    devices_t, devices_c = _devices(sums, _EXPECTED_T), _devices(sums, _EXPECTED_C)
    spread_t, spread_c = devices_t * within_t, devices_c * within_c
    told = (devices_t > 1.0) & (devices_c > 1.0) & (plain > 0.0)
    pooled = _ratio(devices_t * spread_t + devices_c * spread_c, devices_t + devices_c, told)
    lacking = _ratio(np.maximum(0.0, pooled - spread_t), devices_t, told)
    result: Floats = np.where(told, plain * _ratio(devices_t, devices_t - 1.0, told) + lacking, np.inf)
    return result


def _devices(sums: Moments, expected: int) -> Floats:
    """The effective number of devices of an arm."""
    squares = sums.gram[..., expected, expected]
    return _ratio(sums.sums[..., expected] ** 2, squares, squares > 0)


def _form(left: Floats, gram: Floats, right: Floats) -> Floats:
    result: Floats = (left * (gram @ right[..., None])[..., 0]).sum(axis=-1)
    return result


def _ratio(above: Floats | float, below: Floats, where: NDArray[np.bool_]) -> Floats:
    """above / below, 0 elsewhere."""
    return np.divide(above, below, out=np.zeros(np.shape(below)), where=where)


def _log_ratio(above: Floats, below: Floats, where: NDArray[np.bool_]) -> Floats:
    return np.log(above, out=np.zeros(np.shape(above)), where=where) - np.log(
        below, out=np.zeros(np.shape(below)), where=where
    )
