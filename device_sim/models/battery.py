"""Four alkaline cells: charge, and voltage under load as it depends on charge and temperature.

The open-circuit curve follows the data sheets of LR6 cells at low drain (6.4 V for four fresh cells, 4.0 V empty). Inner resistance
roughly doubles from 20 °C to -10 °C, which is why locks complain on cold mornings.
"""

from __future__ import annotations

import numpy as np
from numpy.random import Generator

_CHARGE = np.array([0.0, 0.03, 0.08, 0.15, 0.3, 0.5, 0.7, 0.9, 1.0])
_OPEN_V = np.array([3.9, 4.3, 4.6, 4.85, 5.15, 5.45, 5.75, 6.1, 6.4])
_LOAD_A = 0.16
_DAY_S = 86_400.0
LOW_SHARE = 0.2


class Battery:
    """The batteries of one kind of device. ``charge`` is the true share left; it falls only, except by `renew`."""

    def __init__(self, rng: Generator, charge: np.ndarray, *, idle_per_day: float, per_use: float) -> None:
        devices = len(charge)
        self._rng = rng
        self.charge = charge
        self._drain = rng.lognormal(0.0, 0.2, devices)
        self._idle_per_day, self._per_use = idle_per_day, per_use
        self._ohm = rng.normal(0.7, 0.06, devices)
        self._gauge_gain = rng.normal(1.0, 0.015, devices)
        self._offset_v = rng.normal(0.0, 0.03, devices)
        self._faded = np.zeros(devices)

    def advance(self, dt_s: float, uses: np.ndarray, cold: np.ndarray, retries: np.ndarray, fading: np.ndarray) -> None:
        """Take charge out: idle drain, ``uses`` of the motor, more work when ``cold`` (0..1), radio ``retries`` (factor), and a fault.

        A fading cell loses its charge by itself, faster and faster: by severity s the share 1 - (1 - s^1.6) of what it had.
        """
        idle = self._idle_per_day * dt_s / _DAY_S * retries
        spent = self._drain * (idle + self._per_use * uses * (1 + 0.5 * cold))
        kept = 1 - 0.985 * fading**1.6
        lost = np.where(fading > self._faded, 1 - kept / np.maximum(1 - 0.985 * self._faded**1.6, 1e-6), 0.0)
        self._faded = np.where(fading > 0, np.maximum(self._faded, fading), 0.0)
        self.charge = np.maximum((self.charge - spent) * (1 - lost), 0.0)

    def loaded_v(self, temperature_c: np.ndarray, fading: np.ndarray, noise: float) -> np.ndarray:
        """Voltage under the device's usual load, V."""
        ohm = self._ohm * np.exp(0.023 * (20.0 - temperature_c)) * (1 + 1.2 * fading)
        open_v = np.interp(self.charge, _CHARGE, _OPEN_V) + 0.003 * (temperature_c - 20.0)
        measured = self._rng.standard_normal(len(ohm)) * 0.012 * noise
        volt: np.ndarray = open_v - _LOAD_A * ohm + self._offset_v + measured
        return volt

    def gauge_pct(self) -> np.ndarray:
        """The charge as the device's coulomb counter shows it, in whole percent."""
        shown: np.ndarray = np.clip(np.round(100 * self.charge * self._gauge_gain), 0.0, 100.0)
        return shown

    def empty(self) -> np.ndarray:
        """Which devices no longer run, shape (devices,)."""
        flat: np.ndarray = self.charge < 0.03
        return flat

    def renew(self, index: int) -> None:
        """Put fresh cells in."""
        self.charge[index] = 1.0
        self._faded[index] = 0.0
