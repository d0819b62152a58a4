"""The microcontroller: free heap that fragments with uptime, reboots that come by chance, and a leak that ends in the watchdog."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.random import Generator

from device_sim.models.moment import Moment
from device_sim.randomness import lognormal_of_mean_one, scattered

_DAY_S = 86_400.0
_FRAGMENTS_TIME_S = 1.5 * _DAY_S
_LEAK_FIRST_H = 96.0  # hours from boot to exhaustion when a leak begins,
_LEAK_LAST_H = 1.5  # and when the device has failed
_CODES = ("watchdog", "panic", "brownout")
_CODE_SHARES = (0.5, 0.35, 0.15)


@dataclass(frozen=True, slots=True)
class Reboot:
    """A boot of one device: index in its kind, Unix seconds, cause."""

    index: int
    at: float
    code: str


class Controller:
    """The controllers of one kind. Heap in bytes; ``ratio`` is what the running firmware does to unexpected reboots."""

    def __init__(
        self, rng: Generator, devices: int, at: float, *, heap_bytes: float, per_day: float, frailty: float
    ) -> None:
        self._rng = rng
        self._fresh = heap_bytes * rng.normal(1.0, 0.03, devices)
        self._fragments = self._fresh * rng.uniform(0.06, 0.14, devices)
        self._rate_s = per_day / _DAY_S * lognormal_of_mean_one(rng, frailty, devices)
        self.ratio = np.ones(devices)
        self._leaked = np.zeros(devices)
        mean_uptime = min(20.0, 1 / max(per_day, 1e-6)) * _DAY_S
        self.boot_at = at - rng.exponential(mean_uptime, devices)
        self.boots = rng.integers(3, 60, devices)
        self.free_bytes = self._fresh.copy()
        self.uptime_s = at - self.boot_at

    def boot(self, index: int, at: float) -> None:
        """Start one device again, whatever the reason."""
        self.boot_at[index] = max(float(self.boot_at[index]), at)
        self.boots[index] += 1
        self._leaked[index] = 0.0

    def advance(self, moment: Moment, load: np.ndarray | float) -> list[Reboot]:
        """Move on by one interval and give the unexpected reboots in it, in order of time. ``load`` (0..1) holds heap while it lasts."""
        reboots = [*self._by_chance(moment), *self._by_leak(moment)]
        reboots.sort(key=lambda reboot: reboot.at)
        self.uptime_s = moment.at - self.boot_at
        fragments = self._fragments * (1 - np.exp(-self.uptime_s / _FRAGMENTS_TIME_S))
        wobble = self._rng.standard_normal(len(fragments)) * 0.006 * moment.noise
        self.free_bytes = np.maximum(self._fresh * (1 - 0.04 * load + wobble) - fragments - self._leaked, 1024.0)
        return reboots

    def _by_chance(self, moment: Moment) -> list[Reboot]:
        chosen = scattered(self._rng, self._rate_s * self.ratio * moment.dt_s)
        if not len(chosen):
            return []
        times = np.sort(moment.at - self._rng.random(len(chosen)) * moment.dt_s)
        codes = self._rng.choice(_CODES, len(chosen), p=_CODE_SHARES)
        reboots = [
            Reboot(int(index), float(at), str(code)) for index, at, code in zip(chosen, times, codes, strict=True)
        ]
        for reboot in reboots:
            self.boot(reboot.index, reboot.at)
        return reboots

    def _by_leak(self, moment: Moment) -> list[Reboot]:
        severity = moment.faults.of("memory_leak")
        reboots = []
        for index in np.flatnonzero(severity):
            room = 0.95 * (self._fresh[index] - self._fragments[index])
            hours = _LEAK_FIRST_H * (_LEAK_LAST_H / _LEAK_FIRST_H) ** severity[index]
            rate_s = room / (hours * 3600)
            begun = max(moment.at - moment.dt_s, float(self.boot_at[index]))
            leaked = self._leaked[index] + rate_s * (moment.at - begun)
            while leaked >= room:
                leaked -= room
                at = float(moment.at - leaked / rate_s)
                self.boot(int(index), at)
                reboots.append(Reboot(int(index), at, "watchdog"))
            self._leaked[index] = leaked
        return reboots
