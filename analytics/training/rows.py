"""Device-days chosen to learn from or to test on, with their features and what came of them."""

from __future__ import annotations

from dataclasses import dataclass
from zlib import crc32

import numpy as np

from analytics.arrival import matrix, on_time
from analytics.hazard import Snapshots
from analytics.lives import Lives
from analytics.panel import Flags, Floats, Ints, Panel
from analytics.training.data import Data

HELD_OUT = 4
"""One device in so many is held out of the judged training."""
EVERY = 4
"""Of days far from a failure one in so many is kept, with a weight of as many."""
FOLDS = 3
NEAR_DAYS = 21


@dataclass(frozen=True, slots=True)
class Rows:
    """Chosen device-days, with their features and what came of them; days are indices into the panel."""

    device: Ints
    day: Ints
    snapshots: Snapshots


def chosen_rows(data: Data, lives: Lives, chosen: Flags, *, until: int | None = None, test: bool = False) -> Rows:
    """Some of the chosen device-days. ``until``: what happens after that day is not known yet (index into the panel).

    To learn from: all days near a failure and one in `EVERY` of the others, with a weight of as many. To test on: every other day, whatever
    came of it, so that scores count all alike. Each is as its morning could have had it (`analytics.arrival`).
    """
    near = lives.to_failure <= NEAR_DAYS
    kept = _turn(data.panel, 2) if test else near | _turn(data.panel, EVERY)
    device, day = np.nonzero(chosen & lives.usable & kept & on_time(data.panel, data.late))
    to_failure, to_end, left = lives.to_failure[device, day], lives.to_end[device, day], lives.left[day]
    weight = np.where(near[device, day] | test, 1.0, float(EVERY)) * data.weight[device]
    if until is not None:
        left = np.minimum(left, until - day)
        to_failure = np.where(to_failure > left, np.inf, to_failure)
        to_end = np.minimum(to_end, left)
    device, day = device.astype(np.int64), day.astype(np.int64)
    features = matrix(data.panel, data.background, data.columns, device, day, data.late)
    return Rows(device, day, Snapshots(features, to_failure, to_end, left, weight))


def _turn(panel: Panel, every: int) -> Flags:
    """One day in ``every`` of each device, by device and day alone."""
    offset = np.array([crc32(device.encode()) % every for device in panel.devices])
    days = np.arange(panel.first_day, panel.first_day + panel.days)
    return np.asarray((days[None, :] + offset[:, None]) % every == 0)


def held_out(panel: Panel) -> Flags:
    """The devices that a judged candidate never sees, by name alone."""
    return np.array([crc32(b"held out " + device.encode()) % HELD_OUT == 0 for device in panel.devices], dtype=bool)


def folds_of(panel: Panel) -> Ints:
    """The fold of every device, by name alone."""
    return np.array([crc32(b"fold " + device.encode()) % FOLDS for device in panel.devices], dtype=np.int64)


def ages_of(data: Data, rows: Rows) -> Floats:
    """Days since each row's device came into service; NaN where that is not known."""
    return np.maximum(data.panel.first_day + rows.day - data.background.born[rows.device], 0.0)
