"""Failures as what a model learns from: how long each device-day was still followed, and whether a failure came within that time.

Counting is in whole days. A row is the end of day t; a failure on day f lies f - t days ahead. Rows at or after a failure are left
out until a new part is in: a broken device tells nothing about how devices break. A device that vanished, or the end of the data,
ends the observation without a failure (right censoring).

Windows that reach past the end of the data are left out whatever came of them: near the end only failures have an answer, and to take
those alone would make the last days look deadly.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from analytics.panel import Flags, Floats, Ints, Panel

NEVER = np.inf
FAR = 10**9


@dataclass(frozen=True, slots=True)
class Lives:
    """For every (device, day) of a panel: ``to_failure`` days until the next failure (inf: none known), ``to_end`` days until the
    observation ends, and whether the day may be used at all (``usable``: with data, and the part at work). ``left``, one number for
    each day: days until the end of what is known of anybody, below 0 after it."""

    to_failure: Floats
    to_end: Floats
    usable: Flags
    left: Floats


def lives_of(
    panel: Panel,
    failures: Mapping[int, Sequence[int]],
    renewed: Mapping[int, Sequence[int]],
    *,
    ended: Mapping[int, int] | None = None,
    last_day: int | None = None,
    settle: int = 0,
) -> Lives:
    """Lives of one part of every device.

    ``failures`` and ``renewed`` (days on which a new part came in) map a device's index to days since 1970; ``ended`` to the day it
    was removed. ``last_day`` is what is known by then: later failures are unknown and later days unseen. ``settle`` days after a
    renewal are not usable: what is known of the device is still about the old part.
    """
    shape = panel.present.shape
    days = np.arange(panel.first_day, panel.first_day + panel.days)
    known_until = panel.first_day + panel.days - 1 if last_day is None else last_day
    seen = panel.present & (days <= known_until)[None, :]
    last_seen = np.where(seen.any(axis=1), days[-1] - np.argmax(seen[:, ::-1], axis=1), -FAR)
    to_failure = np.full(shape, NEVER)
    end = last_seen.astype(np.float64)
    for device, day in (ended or {}).items():
        end[device] = min(end[device], day)
    to_end = np.maximum(end[:, None] - days[None, :], 0.0)
    usable = seen.copy()
    for device in failures.keys() | renewed.keys():
        dates = sorted(day for day in failures.get(device, ()) if day <= known_until)
        renewals = sorted(day for day in renewed.get(device, ()) if day <= known_until)
        _mark(to_failure[device], to_end[device], usable[device], days, dates, renewals)
        for renewal in renewals:
            usable[device, (days > renewal) & (days <= renewal + settle)] = False
    return Lives(to_failure, to_end, usable, (known_until - days).astype(np.float64))


def _mark(
    to_failure: Floats, to_end: Floats, usable: Flags, days: Ints, failures: Sequence[int], renewals: Sequence[int]
) -> None:
    """Fill in one device's days, part by part: each lives from the day after one renewal to the next."""
    begin = -FAR
    for renewal in (*renewals, FAR):
        mine = (days >= begin) & (days <= renewal)
        failure = next((day for day in failures if begin <= day <= renewal), None)
        if failure is not None:
            before = mine & (days < failure)
            to_failure[before] = failure - days[before]
            usable[mine & (days >= failure)] = False
        elif renewal < FAR:  # it was replaced while it still worked: followed until then
            to_end[mine] = np.minimum(to_end[mine], renewal - days[mine])
        begin = renewal + 1


def labelled(lives: Lives, horizon: int) -> tuple[Flags, Flags]:
    """Which days have a known answer to "does it fail within ``horizon`` days?", and the answer."""
    fails = lives.to_failure <= horizon
    return lives.usable & (lives.left >= horizon)[None, :] & (fails | (lives.to_end >= horizon)), fails


@dataclass(frozen=True, slots=True)
class Stack:
    """Rows of the discrete-time hazard: row ``source`` (an index into the snapshots) was still at work when interval ``interval``
    began and was followed to its end; ``failed`` says whether it failed in it."""

    source: Ints
    interval: Ints
    failed: Flags


def stacked(to_failure: Floats, to_end: Floats, left: Floats, edges: Sequence[int]) -> Stack:
    """Expand snapshots into one row for each interval (edges[k], edges[k + 1]] they were followed through.

    ``left``: days until the end of the data; an interval that reaches past it is left out, also where a failure came in its first part.
    """
    sources, intervals, failed = [], [], []
    for interval, (begin, end) in enumerate(pairwise(edges)):
        fails = (to_failure > begin) & (to_failure <= end)
        at_risk = (to_failure > begin) & (left >= end) & (fails | (to_end >= end))
        rows = np.flatnonzero(at_risk)
        sources.append(rows)
        intervals.append(np.full(len(rows), interval, dtype=np.int64))
        failed.append(fails[rows])
    return Stack(np.concatenate(sources), np.concatenate(intervals), np.concatenate(failed))
