"""Who is in which arm when: from the firmware that reported to exposure, with burn-in after each update, and to silence."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from analytics.cohorts.panel import UNKNOWN, Panel
from analytics.cohorts.spec import SILENT_HOURS

_NEVER = -(10**9)


@dataclass(frozen=True, slots=True)
class Carry:
    """What must be remembered of each device from one block of hours to the next; arrays of shape (devices,)."""

    version: NDArray[np.int32]
    changed_at: NDArray[np.int64]
    reported_at: NDArray[np.int64]
    counter: NDArray[np.float64]

    @classmethod
    def nothing(cls, devices: int) -> Carry:
        """Nothing seen yet."""
        never = np.full(devices, _NEVER, dtype=np.int64)
        return cls(np.full(devices, UNKNOWN, dtype=np.int32), never, never, np.full(devices, np.nan))


@dataclass(frozen=True, slots=True)
class Comparison:
    """Which versions are compared: the ``target``'s number, and the numbers of its control (None: every other)."""

    target: int
    control: frozenset[int] | None

    def treated(self, version: NDArray[np.int32]) -> NDArray[np.bool_]:
        """Where the release runs."""
        result: NDArray[np.bool_] = version == self.target
        return result

    def compared(self, version: NDArray[np.int32]) -> NDArray[np.bool_]:
        """Where the release or its control runs."""
        result: NDArray[np.bool_] = version != UNKNOWN
        return result if self.control is None else np.isin(version, [self.target, *self.control])


@dataclass(frozen=True, slots=True)
class Arms:
    """Arms by device and hour, shape (devices, hours).

    ``counted``: the hour is exposure of an arm. ``treated``: of which one. ``watched`` is the same for silence: hours in which the device
    had reported not long ago, without burn-in. ``silent`` marks the hour in which it had not reported for `SILENT_HOURS`, of which those
    in which nobody could be heard are none; ``grew`` hours in which the counter grew. ``version`` is the last one known, ``arrived`` the
    device's first hour on another version than before.
    """

    counted: NDArray[np.bool_]
    treated: NDArray[np.bool_]
    watched: NDArray[np.bool_]
    silent: NDArray[np.bool_]
    grew: NDArray[np.bool_] | None
    version: NDArray[np.int32]
    arrived: NDArray[np.bool_]


def arrange(
    panel: Panel, carry: Carry, comparison: Comparison, burn_in: int, removed: NDArray[np.int64]
) -> tuple[Arms, Carry]:
    """The arms of a block and what to remember after it. ``burn_in`` in hours; ``removed`` is the hour a device was taken away."""
    hour = panel.begin + np.arange(panel.hours)
    told = panel.version != UNKNOWN
    version = _latest(np.where(told, panel.version, UNKNOWN), told, carry.version)
    before = np.concatenate([carry.version[:, None], version[:, :-1]], axis=1)
    arrived = told & (before != UNKNOWN) & (panel.version != before)
    changed_at = np.maximum.accumulate(np.where(arrived, hour, _NEVER), axis=1)
    changed_at = np.maximum(changed_at, carry.changed_at[:, None])
    reported_at, seeing = _reported_at(panel, carry, hour)
    compared = comparison.compared(version)
    present = hour < removed[:, None]
    gap = hour - reported_at
    grew, counter = _growth(panel, carry)
    arms = Arms(
        counted=panel.reported & ~panel.mixed & compared & present & (hour >= changed_at + burn_in),
        treated=comparison.treated(version),
        watched=compared & present & seeing & (gap <= SILENT_HOURS),
        silent=compared & present & seeing & (gap == SILENT_HOURS),
        grew=grew,
        version=version,
        arrived=arrived,
    )
    if panel.hours == 0:
        return arms, carry
    return arms, Carry(version[:, -1].copy(), changed_at[:, -1].copy(), reported_at[:, -1].copy(), counter)


def _reported_at(panel: Panel, carry: Carry, hour: NDArray[np.int64]) -> tuple[NDArray[np.int64], NDArray[np.bool_]]:
    """The hour in which each device last reported, moved on by the blind hours since, and which hours are not blind."""
    blind = np.zeros(panel.hours, dtype=bool) if panel.blind is None else panel.blind
    passed = np.cumsum(blind)
    own = np.maximum.accumulate(np.where(panel.reported, hour - passed, _NEVER), axis=1)
    result: NDArray[np.int64] = np.maximum(own, carry.reported_at[:, None]) + passed
    return result, ~blind


def _latest(values: NDArray[np.int32], told: NDArray[np.bool_], carried: NDArray[np.int32]) -> NDArray[np.int32]:
    """Each hour's value, or the last one told before it."""
    place = np.maximum.accumulate(np.where(told, np.arange(values.shape[1]), -1), axis=1)
    filled = np.take_along_axis(values, np.maximum(place, 0), axis=1)
    result: NDArray[np.int32] = np.where(place >= 0, filled, carried[:, None])
    return result


def _growth(panel: Panel, carry: Carry) -> tuple[NDArray[np.bool_] | None, NDArray[np.float64]]:
    """Hours in which the counter grew (a counter that began again from 0 and counts has grown), and its last value."""
    if panel.counter is None or panel.hours == 0:
        return None, carry.counter
    told = np.isfinite(panel.counter)
    place = np.maximum.accumulate(np.where(told, np.arange(panel.hours), -1), axis=1)
    filled = np.where(
        place >= 0, np.take_along_axis(panel.counter, np.maximum(place, 0), axis=1), carry.counter[:, None]
    )
    before = np.concatenate([carry.counter[:, None], filled[:, :-1]], axis=1)
    grew = told & np.isfinite(before) & (panel.counter != before) & (panel.counter > 0)
    return grew, filled[:, -1].copy()
