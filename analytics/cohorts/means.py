"""What a gauge was like on each UTC day, for devices that spent the day in one arm: its level, or how far it fell since the day before.

A day's value is the mean of its hourly means over hours that count in the arm. A *level* is that mean, a full device-day of exposure. A
*fall* is the mean of the day before less that of the day, over the time between the middles of both, where the device was in the same arm
on both days; a small rise is a fall of 0 (gauges are noisy), a large one leaves the day out. Amounts are per device-day; exposure is in
hours.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from analytics.cohorts.spec import Metric

Floats = NDArray[np.float64]
Mask = NDArray[np.bool_]

_LEAST_HOURS = 12.0  # between the middles of two days: less says nothing about a day's fall
_NOBODY, _CONTROL, _TREATED, _BOTH = 0, 1, 2, 3


@dataclass(frozen=True, slots=True)
class DayMemory:
    """A gauge on the day that is under way and on the day before, by device, shape (devices,).

    ``total``, ``hours`` and ``clock`` are sums over counted hours of value, 1 and hour; ``arm`` says which arms they were in (bit 1
    control, bit 2 treated), ``booted`` whether the device booted. ``mean``, ``middle``, ``mean_arm`` and ``mean_booted`` are those of
    ``mean_day`` (days since 1970, -1 none).
    """

    total: Floats
    hours: Floats
    clock: Floats
    arm: NDArray[np.int8]
    booted: Mask
    mean: Floats
    middle: Floats
    mean_arm: NDArray[np.int8]
    mean_booted: Mask
    mean_day: int = -1

    @classmethod
    def nothing(cls, devices: int) -> DayMemory:
        """No day yet."""
        zeros, nobody = np.zeros(devices), np.zeros(devices, dtype=np.int8)
        never = np.zeros(devices, dtype=bool)
        return cls(zeros, zeros, zeros, nobody, never, np.full(devices, np.nan), zeros, nobody, never)


@dataclass(frozen=True, slots=True)
class DayValues:
    """A day's values per device-day, not yet winsorised, with their exposure in hours (0 where there is none) and arm; shape (devices,)."""

    value: Floats
    hours: Floats
    treated: Mask


def part_of_day(memory: DayMemory, values: Floats, exposed: Mask, treated: Mask, booted: Mask, begin: int) -> DayMemory:
    """The memory after some hours of one UTC day; arrays of shape (devices, hours), ``begin`` the first hour since 1970."""
    counted = exposed & np.isfinite(values)
    hour = begin + np.arange(values.shape[1])
    in_treated, in_control = (counted & treated).any(axis=1), (counted & ~treated).any(axis=1)
    arm = memory.arm | (_CONTROL * in_control).astype(np.int8) | (_TREATED * in_treated).astype(np.int8)
    return DayMemory(
        total=memory.total + np.where(counted, values, 0.0).sum(axis=1),
        hours=memory.hours + counted.sum(axis=1),
        clock=memory.clock + (counted * (hour % 24)).sum(axis=1),
        arm=arm,
        booted=memory.booted | booted.any(axis=1),
        mean=memory.mean,
        middle=memory.middle,
        mean_arm=memory.mean_arm,
        mean_booted=memory.mean_booted,
        mean_day=memory.mean_day,
    )


def end_of_day(metric: Metric, memory: DayMemory, day: int) -> tuple[DayValues, DayMemory]:
    """The values of the day (days since 1970) that is over, and the memory with which the next one begins."""
    seen = memory.hours > 0
    devices = memory.hours.size
    mean = np.divide(memory.total, memory.hours, out=np.full(devices, np.nan), where=seen)
    middle = np.divide(memory.clock, memory.hours, out=np.zeros(devices), where=seen)
    alone = (memory.arm == _CONTROL) | (memory.arm == _TREATED)
    values = _levels(mean, alone) if metric.source == "level" else _falls(metric, memory, mean, middle, day)
    nothing = DayMemory.nothing(devices)
    after = DayMemory(
        total=nothing.total,
        hours=nothing.hours,
        clock=nothing.clock,
        arm=nothing.arm,
        booted=nothing.booted,
        mean=mean,
        middle=middle,
        mean_arm=memory.arm,
        mean_booted=memory.booted,
        mean_day=day,
    )
    return DayValues(*values, memory.arm == _TREATED), after


def _levels(mean: Floats, alone: Mask) -> tuple[Floats, Floats]:
    counted = alone & (mean >= 0.0)
    return np.where(counted, mean, 0.0), np.where(counted, 24.0, 0.0)


def _falls(metric: Metric, memory: DayMemory, mean: Floats, middle: Floats, day: int) -> tuple[Floats, Floats]:
    fell = memory.mean - mean
    between = 24.0 + middle - memory.middle
    same = (memory.arm == memory.mean_arm) & ((memory.arm == _CONTROL) | (memory.arm == _TREATED))
    counted = same & (memory.mean_day == day - 1) & (between >= _LEAST_HOURS)
    with np.errstate(invalid="ignore"):
        counted &= fell >= -metric.largest_rise  # also false where one of the days has no mean
    if metric.one_boot:
        counted &= ~memory.booted & ~memory.mean_booted
    per_day = np.divide(np.maximum(fell, 0.0) * 24.0, between, out=np.zeros_like(fell), where=counted)
    return np.where(counted, per_day, 0.0), np.where(counted, between, 0.0)
