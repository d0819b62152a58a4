"""Who is in which arm when: from the firmware that reported to exposure, with burn-in after each update, and to silence."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from analytics.cohorts.panel import THIS, UNKNOWN, Panel
from analytics.cohorts.spec import SILENT_HOURS, UPDATE_HOURS

_NEVER = -(10**9)

Mask = NDArray[np.bool_]
Ints = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Carry:
    """What must be remembered of each device from one block of hours to the next; arrays of shape (devices,).

    ``changed_at``, ``reported_at`` and ``offered_at`` are hours: when it came to its version, was last heard, was last told to install one.
    """

    version: NDArray[np.int32]
    changed_at: Ints
    reported_at: Ints
    counter: NDArray[np.float64]
    offered_at: Ints
    offered: NDArray[np.int8]

    @classmethod
    def nothing(cls, devices: int) -> Carry:
        """Nothing seen yet."""
        never = np.full(devices, _NEVER, dtype=np.int64)
        return cls(
            np.full(devices, UNKNOWN, dtype=np.int32),
            never,
            never,
            np.full(devices, np.nan),
            never,
            np.zeros(devices, dtype=np.int8),
        )


@dataclass(frozen=True, slots=True)
class Comparison:
    """Which versions are compared: the ``target``'s number, and the numbers of its control (None: every other)."""

    target: int
    control: frozenset[int] | None

    def treated(self, version: NDArray[np.int32]) -> Mask:
        """Where the release runs."""
        result: Mask = version == self.target
        return result

    def compared(self, version: NDArray[np.int32]) -> Mask:
        """Where the release or its control runs."""
        result: Mask = version != UNKNOWN
        return result if self.control is None else np.isin(version, [self.target, *self.control])


@dataclass(frozen=True, slots=True)
class Arms:
    """Arms by device and hour, shape (devices, hours).

    ``settled``: the hour is exposure of an arm but for burn-in; ``since`` counts the hours since the device came to its version;
    ``counted``: it is exposure after the usual burn-in. ``treated``: of which arm. ``watched`` and ``blamed`` are the same for silence,
    without burn-in: hours in which the device had reported not long ago, and whether the release would be to blame: it runs it, or was
    told to install it in the last `UPDATE_HOURS` and hours of silence. ``silent`` marks the hour in which it had not reported for long
    enough, of which those in which nobody could be heard are none; ``grew`` hours in which the counter grew. ``version`` is the last one
    known, ``arrived`` the device's first hour on another version than before.
    """

    settled: Mask
    since: Ints
    counted: Mask
    treated: Mask
    watched: Mask
    blamed: Mask
    silent: Mask
    grew: Mask | None
    version: NDArray[np.int32]
    arrived: Mask

    def exposed(self, burn_in: int | None) -> Mask:
        """Exposure after a burn-in of so many hours, or after the usual one."""
        return self.counted if burn_in is None else self.settled & (self.since >= burn_in)


def arrange(
    panel: Panel,
    carry: Carry,
    comparison: Comparison,
    burn_in: int,
    removed: Ints,
    silent_after: Ints | None = None,
) -> tuple[Arms, Carry]:
    """The arms of a block and what to remember after it.

    ``burn_in`` in hours; ``removed`` is the hour each device was taken away, ``silent_after`` the hours without a report after which it is
    silent (`SILENT_HOURS` for all where it is not given).
    """
    if silent_after is None:
        silent_after = np.full(removed.size, SILENT_HOURS, dtype=np.int64)
    hour = panel.begin + np.arange(panel.hours)
    version = _versions(panel, carry.version)
    before = np.concatenate([carry.version[:, None], version[:, :-1]], axis=1)
    arrived = (before != UNKNOWN) & (version != before)
    changed_at = np.maximum.accumulate(np.where(arrived, hour, _NEVER), axis=1)
    changed_at = np.maximum(changed_at, carry.changed_at[:, None])
    reported_at = _reported_at(panel, carry, hour)
    compared, treated = comparison.compared(version), comparison.treated(version)
    present = (hour < removed[:, None]) & ~panel.blind
    settled = panel.reported & ~panel.mixed & compared & present
    since = hour - changed_at
    gap = hour - reported_at
    offered_at, offered = _offers(panel, carry, hour)
    # For as long as a device's silence may be due to the offer it is of that arm whatever it does: were those that go on reporting to
    # leave it, it would be left to those that fall silent anyway.
    installing = (hour <= offered_at + UPDATE_HOURS + silent_after[:, None]) & (changed_at < offered_at)
    watchable = present & np.where(installing, offered == THIS, compared)
    grew, counter = _growth(panel, carry)
    arms = Arms(
        settled=settled,
        since=since,
        counted=settled & (since >= burn_in),
        treated=treated,
        watched=watchable & (gap <= silent_after[:, None]),
        blamed=treated | (installing & (offered == THIS)),
        silent=watchable & (gap == silent_after[:, None]),
        grew=grew,
        version=version,
        arrived=arrived,
    )
    if panel.hours == 0:
        return arms, carry
    return arms, Carry(
        version=version[:, -1].copy(),
        changed_at=changed_at[:, -1].copy(),
        reported_at=reported_at[:, -1].copy(),
        counter=counter,
        offered_at=offered_at[:, -1].copy(),
        offered=offered[:, -1].copy(),
    )


def _versions(panel: Panel, carried: NDArray[np.int32]) -> NDArray[np.int32]:
    """Each hour's version, or the last one told before it; of two in one hour, the one the device came to."""
    result = np.empty_like(panel.version)
    last = carried
    for hour in range(panel.hours):
        one, other = panel.version[:, hour], panel.other[:, hour]
        last = np.where(one == UNKNOWN, last, np.where(one == last, other, one))
        result[:, hour] = last
    return result


def _offers(panel: Panel, carry: Carry, hour: Ints) -> tuple[Ints, NDArray[np.int8]]:
    """By device and hour: when it was last told to install something, and whether that was this release."""
    told = panel.told_to_update != 0
    offered_at = np.maximum.accumulate(np.where(told, hour, _NEVER), axis=1)
    offered_at = np.maximum(offered_at, carry.offered_at[:, None])
    fresh = offered_at >= panel.begin
    place = np.where(fresh, offered_at - panel.begin, 0)
    if panel.hours == 0:
        return offered_at, np.zeros(offered_at.shape, dtype=np.int8)
    offered = np.where(fresh, np.take_along_axis(panel.told_to_update, place, axis=1), carry.offered[:, None])
    return offered_at, offered.astype(np.int8)


def _reported_at(panel: Panel, carry: Carry, hour: Ints) -> Ints:
    """The hour in which each device last reported, moved on by the blind hours since."""
    passed = np.cumsum(panel.blind)
    own = np.maximum.accumulate(np.where(panel.reported, hour - passed, _NEVER), axis=1)
    result: Ints = np.maximum(own, carry.reported_at[:, None]) + passed
    return result


def _growth(panel: Panel, carry: Carry) -> tuple[Mask | None, NDArray[np.float64]]:
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
