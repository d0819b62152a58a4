"""A thermostat and the room it heats: heat loss, setpoints by the clock, gains from people and sun, a sensor that may drift.

The room is one heat capacity behind one resistance, dT/dt = (T_out - T) / tau + gains + u * heating, integrated exactly over short
intervals. The thermostat measures T plus its own error and calls for heat in proportion to what is missing, so a sensor that reads
too warm leaves the room cold and calls for less heat, as it does in real homes.
"""

from __future__ import annotations

import numpy as np
from numpy.random import Generator

from device_sim.models.controller import Reboot
from device_sim.models.line import ELECTRONICS_METRICS, Electronics
from device_sim.models.moment import Moment
from device_sim.randomness import relaxed
from device_sim.rhythm import activity
from device_sim.scenario import ModelPlan

_INNER_S = 900.0
_HOUR_S = 3600.0
_DRIFT_C = 4.5
_BAND_C = 1.0  # width of the proportional band
_HUMID_TIME_S = 8 * _HOUR_S


class Thermostats:
    """All thermostats of the fleet and their rooms."""

    def __init__(self, rng: Generator, devices: int, at: float, plan: ModelPlan) -> None:
        self._rng = rng
        self.electronics = Electronics(rng, devices, at, plan, heap_bytes=140_000.0, sync_per_hour=4.0)
        self._tau_s = rng.uniform(22.0, 55.0, devices) * _HOUR_S
        self._lift_c = rng.uniform(32.0, 42.0, devices)  # above outdoors at full heat for ever
        self._comfort_c = np.round(rng.normal(20.8, 0.7, devices) * 2) / 2
        self._night_c = self._comfort_c - np.round(rng.uniform(1.5, 3.5, devices) * 2) / 2
        self._shift_h = rng.normal(0.0, 0.7, devices)
        self._gain_c = rng.uniform(1.0, 3.0, devices)
        self._sun_c = rng.uniform(0.5, 4.0, devices)
        self._offset_c = rng.normal(0.0, 0.15, devices)
        self._reference_offset_c = rng.normal(0.0, 0.15, devices)
        self._drift_sign = rng.choice((-1.0, 1.0), devices)
        self._room_c = self._comfort_c.copy()
        self._moist = rng.normal(0.0, 0.8, devices)
        self._stuck_c = self._comfort_c.copy()

    @property
    def metrics(self) -> tuple[str, ...]:
        """Names of the columns that `advance` gives."""
        return (
            *ELECTRONICS_METRICS,
            "temperature_c",
            "reference_temperature_c",
            "humidity_pct",
            "setpoint_c",
            "heating_on",
        )

    def advance(self, moment: Moment) -> tuple[np.ndarray, list[Reboot]]:
        """See `Line.advance`."""
        reboots = self.electronics.advance(moment)
        severity = moment.faults.of("sensor_drift")
        error = self._offset_c + self._drift_sign * _DRIFT_C * severity
        setpoint = self._setpoint(moment)
        heating = self._heat(moment, setpoint, error, severity >= 1)
        noise = self._rng.standard_normal((2, len(error))) * 0.06 * moment.noise
        shown = np.where(severity >= 1, self._stuck_c, self._room_c + error + noise[0])
        self._stuck_c = shown
        humidity = self._humidity(moment, shown)
        columns = [
            *self.electronics.columns(moment, self._room_c + 3.0 + 1.0 * heating),
            shown,
            self._room_c + self._reference_offset_c + noise[1],
            humidity,
            setpoint,
            heating,
        ]
        return np.column_stack(columns), reboots

    def _setpoint(self, moment: Moment) -> np.ndarray:
        hour = (moment.hour + self._shift_h) % 24
        at_home = (
            ((hour >= 6.5) & (hour < 8.5))
            | ((hour >= 16.5) & (hour < 22.5))
            | (moment.weekend > 0.5) & (hour >= 8.0) & (hour < 22.5)
        )
        wanted: np.ndarray = np.where(at_home & (moment.occupied > 0.5), self._comfort_c, self._night_c)
        return wanted

    def _heat(self, moment: Moment, setpoint: np.ndarray, error: np.ndarray, stuck: np.ndarray) -> np.ndarray:
        """Let the room and its control run over the interval; gives the mean call for heat, 0..1."""
        inner = max(1, round(moment.dt_s / _INNER_S))
        keep = np.exp(-moment.dt_s / inner / self._tau_s)
        busy = activity(moment.hour + self._shift_h, moment.weekend) * moment.occupied
        free_c = self._gain_c * np.minimum(busy, 2.0) + self._sun_c * moment.daylight_lux / 50_000
        called = np.zeros(len(setpoint))
        for _ in range(inner):
            seen = np.where(stuck, self._stuck_c, self._room_c + error)
            call = np.clip((setpoint + 0.5 * _BAND_C - seen) / _BAND_C, 0.0, 1.0)
            settles = moment.outdoor_c + free_c + self._lift_c * call
            self._room_c = settles + (self._room_c - settles) * keep
            called += call
        share: np.ndarray = called / inner
        return share

    def _humidity(self, moment: Moment, temperature_c: np.ndarray) -> np.ndarray:
        """Relative humidity: outdoor air warmed up to the room, plus what people add (Magnus formula for saturation)."""
        self._moist = relaxed(self._moist, moment.dt_s, _HUMID_TIME_S, 0.8, self._rng)
        outdoor_hpa = 0.78 * _saturation_hpa(np.minimum(moment.outdoor_c, 22.0))
        vapour = outdoor_hpa + 3.0 + self._moist
        percent: np.ndarray = np.clip(100 * vapour / _saturation_hpa(temperature_c), 5.0, 99.0)
        return percent

    def silent(self) -> np.ndarray:
        """See `Line.silent`: a thermostat is wired."""
        return np.zeros(len(self._room_c), dtype=bool)

    def renew(self, index: int, part: str) -> None:
        """See `Line.renew`: a new sensor has an error of its own."""
        if part == "sensor":
            self._offset_c[index] = self._rng.normal(0.0, 0.15)

    def worn(self) -> list[tuple[int, str]]:
        """See `Line.worn`."""
        return []


def _saturation_hpa(temperature_c: np.ndarray) -> np.ndarray:
    pressure: np.ndarray = 6.112 * np.exp(17.62 * temperature_c / (243.12 + temperature_c))
    return pressure
