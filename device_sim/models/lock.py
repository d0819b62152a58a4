"""A battery door lock: bolt movements by the household's rhythm, a motor that labours in the cold, cells that sag."""

from __future__ import annotations

import numpy as np
from numpy.random import Generator

from device_sim.models.battery import LOW_SHARE, Battery
from device_sim.models.controller import Reboot
from device_sim.models.line import ELECTRONICS_METRICS, Electronics
from device_sim.models.moment import Moment
from device_sim.rhythm import activity
from device_sim.scenario import ModelPlan

_CYCLES_PER_DAY = 9.0
_IDLE_PER_DAY = 0.0011  # a year and more of charge at rest,
_PER_CYCLE = 0.00011  # and about as much again for nine movements a day
_WEAR_S = 0.7  # longer and stronger by these shares when the motor fails
_WEAR_A = 0.6
_NOMINAL_V = 5.7
_DAY_S = 86_400.0
_REPLACED_AT = (0.08, LOW_SHARE)


class Locks:
    """All locks of the fleet. The inside of a door is half as cold as the street."""

    def __init__(self, rng: Generator, devices: int, at: float, plan: ModelPlan, lowest_charge: float) -> None:
        self._rng = rng
        self.electronics = Electronics(rng, devices, at, plan, heap_bytes=92_000.0, sync_per_hour=2.0)
        self.battery = Battery(
            rng, rng.uniform(lowest_charge, 1.0, devices), idle_per_day=_IDLE_PER_DAY, per_use=_PER_CYCLE
        )
        self._replaced_at = rng.uniform(*_REPLACED_AT, devices)
        self._use = rng.lognormal(0.0, 0.35, devices) * _CYCLES_PER_DAY
        self._shift_h = rng.normal(0.0, 0.7, devices)
        self._indoor_c = rng.normal(19.5, 1.0, devices)
        self._outdoor_share = rng.uniform(0.35, 0.6, devices)
        self._move_s = rng.normal(1.15, 0.07, devices)
        self._current_a = rng.normal(0.36, 0.025, devices)
        self._cycles = np.floor(self._use * rng.uniform(30, 700, devices))

    @property
    def metrics(self) -> tuple[str, ...]:
        """Names of the columns that `advance` gives."""
        return (
            *ELECTRONICS_METRICS,
            "battery_pct",
            "battery_v",
            "battery_low",
            "lock_cycles",
            "actuation_s",
            "motor_current_a",
        )

    def advance(self, moment: Moment) -> tuple[np.ndarray, list[Reboot]]:
        """See `Line.advance`."""
        reboots = self.electronics.advance(moment)
        busy = activity(moment.hour + self._shift_h, moment.weekend) * moment.occupied
        moved = self._rng.poisson(self._use * busy * moment.dt_s / _DAY_S)
        moved[moment.faults.of("motor_wear") >= 1] = 0  # the bolt is jammed
        self._cycles += moved
        temperature = self._indoor_c + self._outdoor_share * (moment.outdoor_c - self._indoor_c)
        cold = np.clip((10.0 - temperature) / 20.0, 0.0, 1.0)
        fading = moment.faults.of("battery_fade")
        retries = 1 + np.clip((-self.electronics.radio.rssi_dbm - 70) / 20, 0.0, 1.5)
        self.battery.advance(moment.dt_s, moved, cold, retries, fading)
        volt = self.battery.loaded_v(temperature, fading, moment.noise)
        columns = [
            *self.electronics.columns(moment, temperature + 1.0),
            self.battery.gauge_pct(),
            volt,
            (self.battery.charge < LOW_SHARE).astype(float),
            self._cycles,
            *self._drive(moment, moved, volt, cold),
        ]
        return np.column_stack(columns), reboots

    def _drive(self, moment: Moment, moved: np.ndarray, volt: np.ndarray, cold: np.ndarray) -> list[np.ndarray]:
        wear = moment.faults.of("motor_wear") ** 1.3
        many = np.sqrt(np.maximum(moved, 1))
        noise = self._rng.standard_normal((2, len(moved))) * 0.035 / many
        # A DC motor against a given torque: speed follows the voltage; cold grease asks for more torque.
        move = self._move_s * (_NOMINAL_V / volt) ** 0.8 * (1 + 0.12 * cold) * (1 + _WEAR_S * wear + noise[0])
        current = self._current_a * (1 + 0.10 * cold) * (1 + _WEAR_A * wear + noise[1])
        still = moved == 0
        return [np.where(still, np.nan, move), np.where(still, np.nan, current)]

    def silent(self) -> np.ndarray:
        """See `Line.silent`."""
        return self.battery.empty()

    def renew(self, index: int, part: str) -> None:
        """See `Line.renew`."""
        if part == "battery":
            self.battery.renew(index)

    def worn(self) -> list[tuple[int, str]]:
        """See `Line.worn`: people change the cells some time after the lock asks for it."""
        return [(int(index), "battery") for index in np.flatnonzero(self.battery.charge < self._replaced_at)]
