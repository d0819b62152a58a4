"""The Wi-Fi link: signal with slow shadowing and fast fading, drop-outs, and synchronisations that fail when the signal is weak."""

from __future__ import annotations

import numpy as np
from numpy.random import Generator

from device_sim.models.moment import Moment
from device_sim.randomness import relaxed, scattered

_SHADOW_TIME_S = 12 * 3600.0  # doors, people, furniture
_SHADOW_DB = 1.5
_FADING_DB = 1.2
_FAILING_DB = 18.0  # what a corroded antenna contact costs at the end
_MOVES_PER_YEAR = 0.15  # the router or the device is put elsewhere
_YEAR_S = 365.25 * 86_400


class Radio:
    """The links of ``devices`` devices; ``sync_per_hour`` is how often each talks to its cloud."""

    def __init__(self, rng: Generator, devices: int, at: float, sync_per_hour: float) -> None:
        self._rng = rng
        self._sync_per_hour = sync_per_hour
        self._due = 0.0
        self.placed_dbm = np.clip(rng.normal(-60.0, 6.0, devices), -74.0, -42.0)
        self._shadow = rng.normal(0.0, _SHADOW_DB, devices)
        self._moves_at = at + rng.exponential(_YEAR_S / _MOVES_PER_YEAR, devices)
        self.rssi_dbm = self.placed_dbm.copy()
        self.reconnects = rng.integers(0, 400, devices).astype(float)
        self.sync_ok = rng.integers(2_000, 20_000, devices).astype(float)
        self.sync_failed = np.floor(self.sync_ok * rng.uniform(0.001, 0.004, devices))

    def advance(self, moment: Moment) -> None:
        """Move on by one interval."""
        rng, failing = self._rng, moment.faults.of("wifi_failing")
        self._move(moment.at)
        self._shadow = relaxed(self._shadow, moment.dt_s, _SHADOW_TIME_S, _SHADOW_DB, rng)
        fading = rng.standard_normal(len(failing)) * _FADING_DB * moment.noise * (1 + 2 * failing)
        loss = _FAILING_DB * failing**0.8
        self.rssi_dbm = np.clip(self.placed_dbm + self._shadow + fading - loss, -96.0, -25.0)
        hours = moment.dt_s / 3600
        dropping = 0.004 + 0.5 * _logistic((-self.rssi_dbm - 80) / 2) + 1.5 * failing**2
        np.add.at(self.reconnects, scattered(rng, dropping * hours), 1.0)
        attempts = self._attempts(hours)
        failed = rng.binomial(attempts, 0.0015 + 0.9 * _logistic((-self.rssi_dbm - 86) / 2))
        self.sync_failed += failed
        self.sync_ok += attempts - failed

    def cut_off(self, indices: np.ndarray, hours: float) -> None:
        """The home's internet was away: what was counted as synchronised in these hours failed instead."""
        lost = np.minimum(np.round(self._sync_per_hour * hours), self.sync_ok[indices])
        self.sync_failed[indices] += lost
        self.reconnects[indices] += 1

    def _attempts(self, hours: float) -> int:
        """Synchronisations of an interval; they come by a timer, and what is left over of an interval counts in the next."""
        self._due += self._sync_per_hour * hours
        attempts = int(self._due)
        self._due -= attempts
        return attempts

    def _move(self, at: float) -> None:
        if at < self._moves_at.min(initial=np.inf):
            return
        for index in np.flatnonzero(self._moves_at <= at):
            moved = self.placed_dbm[index] + self._rng.normal(0.0, 4.0)
            self.placed_dbm[index] = np.clip(moved, -74.0, -42.0)
            self._moves_at[index] = at + self._rng.exponential(_YEAR_S / _MOVES_PER_YEAR)


def _logistic(x: np.ndarray) -> np.ndarray:
    value: np.ndarray = 1 / (1 + np.exp(-x))
    return value
