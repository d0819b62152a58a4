"""Cluster-robust Mantel-Haenszel log rate ratio of two arms that devices move between, with each device's influence on it.

A *slot* is a piece of calendar time in a stratum (hardware x region); devices are compared only within a slot. With Y events and E hours,
T the new firmware, C its control and k over slots,

    theta = log (A / B),  A = sum_k (E_Ck / E_k) Y_Tk,  B = sum_k (E_Tk / E_k) Y_Ck
    a_i = sum_k [i in T] (E_Ck / E_k) (y_ik - R_k lambda_k e_ik),  b_i = sum_k [i in C] (E_Tk / E_k) (y_ik - lambda_k e_ik)
    lambda_k = (Y_Tk + Y_Ck) / (R_k E_Tk + E_Ck),  influence psi_i = a_i / A - b_i / B,  V = sum_i psi_i^2

R_k is exp(theta) as it stood when the slot closed, so that everything is a running sum over slots: adding slot by slot, in any grouping,
gives what one pass gives. A device may be in both arms, at different times; its repeated events only count through its own psi_i.

Sources: Mantel and Haenszel 1959; Greenland and Robins 1985 (sparse-data consistency); Deng, Xu, Kohavi, Walker 2013 (CUPED).
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from analytics.sequential.mixture import Direction, Floats
from analytics.sequential.strata import Strata

_SHRINK = 2.0  # weighted events added to A and B in R_k, so that the first slots do not swing it
_R_BOUND = 8.0

Adjustment = Literal["none", "cuped", "differences"]


@dataclass(frozen=True, slots=True)
class Block:
    """Consecutive slots of all devices, arrays of shape (devices, slots).

    ``hours`` is the exposure that counts in either arm (0 where a device is in none), ``treated`` says which arm, ``events`` are the
    events within that exposure.
    """

    hours: Floats
    treated: NDArray[np.bool_]
    events: Floats


@dataclass(frozen=True, slots=True)
class RateSums:
    """Running sums by device, shape (devices,), and the two weighted totals A and B. A value: `add` gives a new one.

    ``expected_*`` are the hours in each arm, weighted as the events are and by the slot's common rate: what a device of average rate
    would have contributed to A and to B.
    """

    a: Floats
    b: Floats
    expected_treated: Floats
    expected_control: Floats
    hours_treated: Floats
    hours_control: Floats
    events_treated: Floats
    events_control: Floats
    total_a: float = 0.0
    total_b: float = 0.0

    @classmethod
    def nothing(cls, devices: int) -> RateSums:
        """No slot yet."""
        nothing = np.zeros(devices)
        return cls(nothing, nothing, nothing, nothing, nothing, nothing, nothing, nothing)

    def add(self, block: Block, strata: Strata) -> RateSums:
        """The sums after further slots."""
        hours_t = np.where(block.treated, block.hours, 0.0)
        hours_c = block.hours - hours_t
        events_t = np.where(block.treated, block.events, 0.0)
        events_c = block.events - events_t
        exposed_t, exposed_c = strata.total(hours_t), strata.total(hours_c)
        happened_t, happened_c = strata.total(events_t), strata.total(events_c)
        exposed = exposed_t + exposed_c
        weight_t = np.divide(exposed_c, exposed, out=np.zeros_like(exposed), where=exposed > 0)
        weight_c = np.divide(exposed_t, exposed, out=np.zeros_like(exposed), where=exposed > 0)
        sum_a = self.total_a + np.cumsum((weight_t * happened_t).sum(axis=0))
        sum_b = self.total_b + np.cumsum((weight_c * happened_c).sum(axis=0))
        ratio = np.clip((sum_a + _SHRINK) / (sum_b + _SHRINK), 1.0 / _R_BOUND, _R_BOUND)
        rated = ratio * exposed_t + exposed_c
        rate = np.divide(happened_t + happened_c, rated, out=np.zeros_like(rated), where=rated > 0)
        home = strata.of_device
        factor_t, factor_c, rate_here = weight_t[home], weight_c[home], rate[home]
        expected_t = factor_t * rate_here * hours_t
        expected_c = factor_c * rate_here * hours_c
        return RateSums(
            a=self.a + (factor_t * events_t - ratio * expected_t).sum(axis=1),
            b=self.b + (factor_c * events_c - expected_c).sum(axis=1),
            expected_treated=self.expected_treated + expected_t.sum(axis=1),
            expected_control=self.expected_control + expected_c.sum(axis=1),
            hours_treated=self.hours_treated + hours_t.sum(axis=1),
            hours_control=self.hours_control + hours_c.sum(axis=1),
            events_treated=self.events_treated + events_t.sum(axis=1),
            events_control=self.events_control + events_c.sum(axis=1),
            total_a=float(sum_a[-1]) if sum_a.size else self.total_a,
            total_b=float(sum_b[-1]) if sum_b.size else self.total_b,
        )

    def since(self, start: RateSums) -> RateSums:
        """What came after an earlier state of the same sums, centred anew: the ratio may have become another since."""
        a, b = self.a - start.a, self.b - start.b
        expected_t = self.expected_treated - start.expected_treated
        expected_c = self.expected_control - start.expected_control
        return RateSums(
            a=_centred(a, expected_t),
            b=_centred(b, expected_c),
            expected_treated=expected_t,
            expected_control=expected_c,
            hours_treated=self.hours_treated - start.hours_treated,
            hours_control=self.hours_control - start.hours_control,
            events_treated=self.events_treated - start.events_treated,
            events_control=self.events_control - start.events_control,
            total_a=self.total_a - start.total_a,
            total_b=self.total_b - start.total_b,
        )

    def gathered(self, owner: NDArray[np.int64], devices: int) -> RateSums:
        """Rows that are parts of devices (in one stratum each) summed up to the devices: ``owner`` is the device of each row."""

        return RateSums(
            _summed(self.a, owner, devices),
            _summed(self.b, owner, devices),
            _summed(self.expected_treated, owner, devices),
            _summed(self.expected_control, owner, devices),
            _summed(self.hours_treated, owner, devices),
            _summed(self.hours_control, owner, devices),
            _summed(self.events_treated, owner, devices),
            _summed(self.events_control, owner, devices),
            self.total_a,
            self.total_b,
        )


@dataclass(frozen=True, slots=True)
class PastSums:
    """Each device's hours, events and expected events before the release; arrays of shape (devices,). A value."""

    hours: Floats
    events: Floats
    expected: Floats

    @classmethod
    def nothing(cls, devices: int) -> PastSums:
        """No slot yet."""
        return cls(np.zeros(devices), np.zeros(devices), np.zeros(devices))

    def add(self, hours: Floats, events: Floats, strata: Strata) -> PastSums:
        """The sums after further slots; arrays of shape (devices, slots). Expected is what the device's stratum had at the same times."""
        exposed = strata.total(hours)
        rate = np.divide(strata.total(events), exposed, out=np.zeros_like(exposed), where=exposed > 0)
        return PastSums(
            self.hours + hours.sum(axis=1),
            self.events + events.sum(axis=1),
            self.expected + (rate[strata.of_device] * hours).sum(axis=1),
        )

    def gathered(self, owner: NDArray[np.int64], devices: int) -> PastSums:
        """As `RateSums.gathered`."""
        return PastSums(*(_summed(values, owner, devices) for values in (self.hours, self.events, self.expected)))

    def plus(self, other: PastSums) -> PastSums:
        """Both periods together."""
        return PastSums(self.hours + other.hours, self.events + other.events, self.expected + other.expected)

    def rates(self, least_hours: float) -> Floats:
        """Events over expected events, 1 for a device of average rate, NaN for one seen for less than ``least_hours``."""
        relative = np.divide(self.events, self.expected, out=np.ones_like(self.expected), where=self.expected > 0)
        known: Floats = np.where(self.hours >= least_hours, relative, np.nan)
        return known


@dataclass(frozen=True, slots=True)
class Estimate:
    """A log rate ratio with its cluster-robust variance; ``information`` is 1 / variance, 0 where there is no estimate."""

    theta: float
    variance: float
    beta: float = 0.0

    @property
    def information(self) -> float:
        """The clock of the e-process."""
        return 1.0 / self.variance if np.isfinite(self.variance) and self.variance > 0 else 0.0

    def facing(self, direction: Direction) -> Estimate:
        """The same with theta > 0 where it is worse: turned round for a metric of which less is worse."""
        return self if direction == "more" else replace(self, theta=-self.theta)


NO_ESTIMATE = Estimate(theta=0.0, variance=float("inf"))


@dataclass(frozen=True, slots=True)
class _Arms:
    """The influence of each device through either arm, already divided by the arm's total."""

    theta: float
    treated: Floats
    control: Floats


def estimate(sums: RateSums, own_past: Floats | None = None, adjustment: Adjustment = "none") -> Estimate:
    """The log rate ratio of the watched period, adjusted by each device's own past.

    ``own_past`` is the device's rate before the release relative to its stratum (see `PastSums`), shape (devices,), NaN where
    unknown. ``cuped`` subtracts the part of the difference that the past predicts (beta estimated; for randomised arms: unknown pasts
    count as average). ``differences`` subtracts all of it (beta = 1, for arms that chose themselves: give it sums of devices with a
    known past only).
    """
    watched = _watched(sums)
    if watched is None:
        return NO_ESTIMATE
    if adjustment == "none" or own_past is None:
        return Estimate(watched.theta, _variance(watched, sums))
    past = _past(sums, own_past)
    if past is None:
        return NO_ESTIMATE if adjustment == "differences" else Estimate(watched.theta, _variance(watched, sums))
    beta = 1.0
    if adjustment == "cuped":
        influence, past_influence = watched.treated - watched.control, past.treated - past.control
        spread = float(past_influence @ past_influence)
        beta = float(influence @ past_influence) / spread if spread > 0 else 0.0
    adjusted = _Arms(
        theta=watched.theta - beta * past.theta,
        treated=watched.treated - beta * past.treated,
        control=watched.control - beta * past.control,
    )
    return Estimate(adjusted.theta, _variance(adjusted, sums), beta)


def past_difference(sums: RateSums, past: Floats, earlier: Floats | None = None) -> Estimate:
    """The placebo: how the arms, weighted as they are now, differed before the release; relative to ``earlier`` where it is given.

    Without ``earlier`` it tests that the arms were alike, with it that they moved in parallel.
    """
    late = _past(sums, past)
    if late is None:
        return NO_ESTIMATE
    if earlier is not None:
        early = _past(sums, earlier)
        if early is None:
            return NO_ESTIMATE
        late = _Arms(late.theta - early.theta, late.treated - early.treated, late.control - early.control)
    return Estimate(late.theta, _variance(late, sums))


def _centred(contributions: Floats, expected: Floats) -> Floats:
    """Contributions without what an average device of the arm contributed."""
    exposed = float(expected.sum())
    return contributions - expected * (float(contributions.sum()) / exposed) if exposed > 0 else contributions


def _summed(values: Floats, owner: NDArray[np.int64], devices: int) -> Floats:
    return np.bincount(owner, weights=values, minlength=devices).astype(np.float64, copy=False)


def _watched(sums: RateSums) -> _Arms | None:
    if sums.total_a <= 0 or sums.total_b <= 0:
        return None
    return _Arms(float(np.log(sums.total_a / sums.total_b)), sums.a / sums.total_a, sums.b / sums.total_b)


def _past(sums: RateSums, own_past: Floats) -> _Arms | None:
    """The watched comparison with every device's events replaced by what its own past lets expect."""
    known = np.isfinite(own_past)
    rate = np.where(known, own_past, 0.0)
    weight_t = np.where(known, sums.expected_treated, 0.0)
    weight_c = np.where(known, sums.expected_control, 0.0)
    past_a, past_b = float(weight_t @ rate), float(weight_c @ rate)
    if past_a <= 0 or past_b <= 0:
        return None
    mean_t, mean_c = past_a / weight_t.sum(), past_b / weight_c.sum()
    return _Arms(
        theta=float(np.log(mean_t / mean_c)),
        treated=weight_t * (rate - mean_t) / past_a,
        control=weight_c * (rate - mean_c) / past_b,
    )


def _variance(arms: _Arms, sums: RateSums) -> float:
    """Sum of squared influences; a small treated arm is not believed to be less spread than both arms together."""
    influence = arms.treated - arms.control
    plain = float(influence @ influence)
    devices_t, spread_t = _spread(arms.treated, sums.expected_treated)
    devices_c, spread_c = _spread(arms.control, sums.expected_control)
    if devices_t <= 1 or devices_c <= 1 or plain <= 0:
        return float("inf")
    pooled = (devices_t * spread_t + devices_c * spread_c) / (devices_t + devices_c)
    lacking = max(0.0, pooled - spread_t) / devices_t
    return plain * devices_t / (devices_t - 1.0) + lacking


def _spread(influence: Floats, expected: Floats) -> tuple[float, float]:
    """The effective number of devices of an arm, and the variance of one device's contribution relative to the mean."""
    squares = float(expected @ expected)
    devices = float(expected.sum()) ** 2 / squares if squares > 0 else 0.0
    return devices, devices * float(influence @ influence)
