"""A Wi-Fi camera: frames as the link and the processor allow, motion by the household's rhythm, daylight, its own heat."""

from __future__ import annotations

import numpy as np
from numpy.random import Generator

from device_sim.models.controller import Reboot
from device_sim.models.line import ELECTRONICS_METRICS, Electronics
from device_sim.models.moment import Moment
from device_sim.rhythm import activity
from device_sim.scenario import ModelPlan

_FRAMES = 15.0
_MOTION_PER_DAY = 45.0
_DAY_S = 86_400.0


class Cameras:
    """All cameras of the fleet; three in ten hang outdoors."""

    def __init__(self, rng: Generator, devices: int, at: float, plan: ModelPlan) -> None:
        self._rng = rng
        self.electronics = Electronics(rng, devices, at, plan, heap_bytes=6_400_000.0, sync_per_hour=6.0)
        self._outdoors = rng.random(devices) < 0.3
        self._indoor_c = rng.normal(20.5, 1.2, devices)
        self._window = np.where(self._outdoors, rng.uniform(0.3, 0.9, devices), rng.uniform(0.002, 0.02, devices))
        self._lamp_lux = np.where(self._outdoors, 3.0, rng.uniform(60, 220, devices))
        self._motion = rng.lognormal(0.0, 0.5, devices) * _MOTION_PER_DAY
        self._shift_h = rng.normal(0.0, 0.7, devices)
        self._selfheat_c = rng.normal(14.0, 1.5, devices)
        self._frames = _FRAMES * rng.normal(1.0, 0.01, devices)
        self._idle_load = rng.uniform(0.22, 0.34, devices)
        self._motion_events = np.floor(self._motion * rng.uniform(10, 500, devices))

    @property
    def metrics(self) -> tuple[str, ...]:
        """Names of the columns that `advance` gives."""
        return (*ELECTRONICS_METRICS, "frame_rate_fps", "motion_events", "illuminance_lux", "load_average")

    def advance(self, moment: Moment) -> tuple[np.ndarray, list[Reboot]]:
        """See `Line.advance`."""
        noise = self._rng.standard_normal((3, len(self._frames)))
        busy = activity(moment.hour + self._shift_h, moment.weekend)
        # Outdoors something moves also while the household is away.
        seen = busy * np.maximum(moment.occupied, np.where(self._outdoors, 0.5, 0.03))
        motion = self._rng.poisson(self._motion * seen * moment.dt_s / _DAY_S)
        self._motion_events += motion
        per_half_hour = motion * 1800.0 / moment.dt_s
        load = np.clip(
            self._idle_load + 0.035 * np.minimum(per_half_hour, 10) + 0.02 * moment.noise * noise[0], 0.05, 1.0
        )
        reboots = self.electronics.advance(moment, load)
        weak = np.clip((-self.electronics.radio.rssi_dbm - 74) / 18, 0.0, 1.0)
        frames = (
            self._frames * (1 - 0.6 * weak) * (1 - 0.04 * np.maximum(load - 0.6, 0)) + 0.15 * moment.noise * noise[1]
        )
        lux = self._window * moment.daylight_lux + self._lit(moment) * self._lamp_lux
        ambient = np.where(self._outdoors, moment.outdoor_c + 6e-5 * moment.daylight_lux, self._indoor_c)
        columns = [
            *self.electronics.columns(moment, ambient + self._selfheat_c * (0.8 + 0.7 * load)),
            np.clip(frames, 0.5, 20.0),
            self._motion_events,
            np.maximum(lux * (1 + 0.08 * moment.noise * noise[2]), 0.05),
            load,
        ]
        return np.column_stack(columns), reboots

    def _lit(self, moment: Moment) -> np.ndarray:
        hour = (moment.hour + self._shift_h) % 24
        dark = moment.daylight_lux < 3000
        awake = (hour > 6.5) & (hour < 23.0)
        lit: np.ndarray = (dark & awake & (moment.occupied > 0.5)).astype(float)
        return lit

    def silent(self) -> np.ndarray:
        """See `Line.silent`: a camera is wired."""
        return np.zeros(len(self._frames), dtype=bool)

    def renew(self, index: int, part: str) -> None:
        """See `Line.renew`: what a camera can lose is renewed in its electronics."""

    def worn(self) -> list[tuple[int, str]]:
        """See `Line.worn`."""
        return []
