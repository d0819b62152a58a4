"""What every device model offers to the simulation, and the electronics that all of them share."""

from __future__ import annotations

from typing import Protocol

import numpy as np
from numpy.random import Generator

from device_sim.models.controller import Controller, Reboot
from device_sim.models.moment import Moment
from device_sim.models.radio import Radio
from device_sim.randomness import relaxed
from device_sim.scenario import ModelPlan

ELECTRONICS_METRICS = (
    "rssi_dbm",
    "wifi_reconnects",
    "sync_ok",
    "sync_failed",
    "free_heap_bytes",
    "uptime_s",
    "boot_count",
    "device_temperature_c",
)

_WANDER_C = 0.8  # a chip's own sensor is coarse, and the work it does warms it
_WANDER_TIME_S = 10 * 3600.0


class Electronics:
    """Radio, controller and own temperature of all devices of one model."""

    def __init__(
        self, rng: Generator, devices: int, at: float, plan: ModelPlan, *, heap_bytes: float, sync_per_hour: float
    ) -> None:
        self._rng = rng
        self.radio = Radio(rng, devices, at, sync_per_hour)
        self.controller = Controller(
            rng, devices, at, heap_bytes=heap_bytes, per_day=plan.reboots_per_day, frailty=plan.reboot_frailty
        )
        self._sensor_offset_c = rng.normal(0.0, 0.8, devices)
        self._wander_c = rng.normal(0.0, _WANDER_C, devices)

    def advance(self, moment: Moment, load: np.ndarray | float = 0.0) -> list[Reboot]:
        """Move on by one interval; gives the unexpected reboots in it."""
        self.radio.advance(moment)
        return self.controller.advance(moment, load)

    def columns(self, moment: Moment, temperature_c: np.ndarray) -> list[np.ndarray]:
        """The values of `ELECTRONICS_METRICS`, each of shape (devices,), for devices that are ``temperature_c`` warm inside."""
        self._wander_c = relaxed(self._wander_c, moment.dt_s, _WANDER_TIME_S, _WANDER_C, self._rng)
        noise = self._rng.standard_normal(len(temperature_c)) * 0.3 * moment.noise
        return [
            self.radio.rssi_dbm,
            self.radio.reconnects,
            self.radio.sync_ok,
            self.radio.sync_failed,
            self.controller.free_bytes,
            self.controller.uptime_s,
            self.controller.boots.astype(float),
            temperature_c + self._sensor_offset_c + self._wander_c + noise,
        ]


class Line(Protocol):
    """All devices of one model."""

    @property
    def metrics(self) -> tuple[str, ...]:
        """Names of the columns that `advance` gives."""
        ...

    @property
    def electronics(self) -> Electronics:
        """What all models share."""
        ...

    def advance(self, moment: Moment) -> tuple[np.ndarray, list[Reboot]]:
        """Move on by one interval.

        Gives what the devices measure at its end, shape (devices, metrics), NaN where a metric is absent, and the unexpected reboots.
        """
        ...

    def silent(self) -> np.ndarray:
        """Which devices are dead and send nothing, shape (devices,)."""
        ...

    def renew(self, index: int, part: str) -> None:
        """Put a new part into one device."""
        ...

    def worn(self) -> list[tuple[int, str]]:
        """Devices whose own wear calls for a new part now, as (index, part): what customers replace by themselves."""
        ...
