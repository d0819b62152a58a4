"""Cluster-robust Mantel-Haenszel log rate ratio of two arms that devices move between, with each device's influence on it.

A *slot* is a piece of calendar time in a stratum (hardware x region); devices are compared only within a slot. With Y events and E hours,
T the new firmware, C its control and k over slots,

    theta = log (A / B),  A = sum_k (E_Ck / E_k) Y_Tk,  B = sum_k (E_Tk / E_k) Y_Ck
    a_i = sum_k [i in T] (E_Ck / E_k) (y_ik - R_k lambda_k e_ik),  b_i = sum_k [i in C] (E_Tk / E_k) (y_ik - lambda_k e_ik)
    lambda_k = (Y_Tk + Y_Ck) / (R_k E_Tk + E_Ck),  influence psi_i = a_i / A - b_i / B,  V = sum_i psi_i^2

R_k is exp(theta) as it stood when the slot closed, so that everything is a running sum over slots: adding slot by slot, in any grouping,
gives what one pass gives. When the sums are asked, a_i and b_i are centred at their arm's mean for what was expected of the device, since
R_k of the first slots was not yet the ratio. A device may be in both arms, at different times; its repeated events only count through its
own psi_i. An amount (battery drain) takes the place of events as it is: the ratio is then that of the means.

Sources: Mantel and Haenszel 1959; Greenland and Robins 1985 (sparse-data consistency); Deng, Xu, Kohavi, Walker 2013 (CUPED).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from analytics.sequential.mixture import Direction, Floats
from analytics.sequential.moments import (
    OWN,
    Estimates,
    Moments,
    Past,
    estimates,
    moments,
    numbers,
    past_estimates,
)
from analytics.sequential.moments import Adjustment as Adjustment
from analytics.sequential.slots import STATE, Cells, Slot, advance
from analytics.sequential.strata import Strata

_STATE_ORDER = (
    "a",
    "expected_treated",
    "b",
    "expected_control",
    "hours_treated",
    "hours_control",
    "events_treated",
    "events_control",
)
"""Fields of `RateSums` in the order of `analytics.sequential.slots`."""


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
        state, totals = self.state, self.totals
        cells = Cells.of_one(strata.of_device, strata.count)
        columns = (np.ascontiguousarray(part.T) for part in (block.hours, block.treated, block.events))
        for hours, treated, events in zip(*columns, strict=True):
            advance(state, totals, Slot(hours, treated, events), cells)
        return RateSums.of_state(state, totals)

    @property
    def state(self) -> Floats:
        """The sums in the order of `analytics.sequential.slots`, (8, devices): a copy."""
        return np.stack([getattr(self, name) for name in _STATE_ORDER])

    @property
    def totals(self) -> Floats:
        """A and B, shape (2, 1)."""
        return np.array([[self.total_a], [self.total_b]])

    @classmethod
    def of_state(cls, state: Floats, totals: Floats) -> RateSums:
        """From the rows of running sums in the order of `analytics.sequential.slots`, (8, devices), and A and B, (2, 1)."""
        rows = dict(zip(_STATE_ORDER, state, strict=True))
        return cls(**rows, total_a=float(totals[0, 0]), total_b=float(totals[1, 0]))

    def since(self, start: RateSums) -> RateSums:
        """What came after an earlier state of the same sums."""
        state, totals = self.since_each([start])
        return RateSums.of_state(state[0], totals[0][:, None])

    def since_each(self, starts: Sequence[RateSums]) -> tuple[Floats, Floats]:
        """What came after each of several earlier states, as `state` (starts, 8, devices) and `totals` (starts, 2)."""
        state, totals = np.empty((len(starts), STATE, self.a.size)), np.empty((len(starts), 2))
        for index, start in enumerate(starts):
            totals[index] = self.total_a - start.total_a, self.total_b - start.total_b
            for row, name in zip(state[index], _STATE_ORDER, strict=True):
                np.subtract(getattr(self, name), getattr(start, name), out=row)
        return state, totals

    def gathered(self, owner: NDArray[np.int64], devices: int) -> RateSums:
        """Rows that are parts of devices (in one stratum each) summed up to the devices: ``owner`` is the device of each row."""
        state = np.stack([_summed(values, owner, devices) for values in self.state])
        return RateSums.of_state(state, self.totals)


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


def estimate(sums: RateSums, own_past: Floats | None = None, adjustment: Adjustment = "none") -> Estimate:
    """The log rate ratio of the watched period, adjusted by each device's own past.

    ``own_past`` is the device's rate before the release relative to its stratum (see `PastSums`), shape (devices,), NaN where
    unknown. ``cuped`` subtracts the part of the difference that the past predicts (beta estimated; for randomised arms: unknown pasts
    count as average). ``differences`` subtracts all of it (beta = 1, for arms that chose themselves: give it sums of devices with a
    known past only).
    """
    if adjustment == "none" or own_past is None:
        return _only(estimates(_moments(sums)))
    return _only(estimates(_moments(sums, own_past), adjustment))


def past_difference(sums: RateSums, past: Floats, earlier: Floats | None = None) -> Estimate:
    """The placebo: how the arms, weighted as they are now, differed before the release; relative to ``earlier`` where it is given.

    Without ``earlier`` it tests that the arms were alike, with it that they moved in parallel.
    """
    if earlier is None:
        return _only(past_estimates(_moments(sums, past)))
    return _only(past_estimates(_moments(sums, past, earlier), 0, 1))


def _moments(sums: RateSums, *pasts: Floats) -> Moments:
    return moments(numbers(sums.state[:OWN], [Past.of(past) for past in pasts]), sums.totals[:, 0])


def _only(found: Estimates) -> Estimate:
    """The one stream's estimate."""
    if not np.isfinite(found.variance):
        return NO_ESTIMATE
    return Estimate(float(found.theta), float(found.variance), float(found.beta))


def _summed(values: Floats, owner: NDArray[np.int64], devices: int) -> Floats:
    return np.bincount(owner, weights=values, minlength=devices).astype(np.float64, copy=False)
