"""A smart plug with a relay: an appliance with habits, mains voltage, energy, and contacts that wear with every switching."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.random import Generator

from device_sim.models.controller import Reboot
from device_sim.models.line import ELECTRONICS_METRICS, Electronics
from device_sim.models.moment import Moment
from device_sim.randomness import relaxed
from device_sim.rhythm import daily_profile, slot
from device_sim.scenario import ModelPlan


@dataclass(frozen=True, slots=True)
class Appliance:
    """What is plugged in: power while it runs, power factor, share of time that the relay is closed, switchings a day, habits."""

    name: str
    share: float
    power_w: float
    spread: float  # from interval to interval
    power_factor: float
    on_share: float
    switches_per_day: float
    profile: np.ndarray


APPLIANCES = (
    Appliance("refrigerator", 0.16, 75.0, 0.45, 0.82, 1.0, 0.0, daily_profile((16.0, 5.0, 0.2), floor=1.0)),
    Appliance("television", 0.24, 110.0, 0.15, 0.93, 0.24, 3.0, daily_profile((20.5, 2.2, 4.0), floor=0.15)),
    Appliance("lamp", 0.24, 24.0, 0.03, 0.6, 0.25, 4.0, daily_profile((7.0, 0.8, 1.4), (20.0, 2.4, 3.5), floor=0.05)),
    Appliance(
        "heater", 0.16, 1400.0, 0.06, 1.0, 0.3, 14.0, daily_profile((7.5, 1.5, 2.0), (20.0, 3.0, 2.2), floor=0.2)
    ),
    Appliance(
        "coffee_machine", 0.1, 900.0, 0.3, 0.98, 0.06, 3.0, daily_profile((7.5, 1.0, 4.0), (14.5, 1.5, 1.5), floor=0.05)
    ),
    Appliance("workstation", 0.1, 160.0, 0.3, 0.9, 0.36, 2.0, daily_profile((13.0, 4.0, 3.0), floor=0.2)),
)
_DAY_S = 86_400.0
_MEASURABLE_A = 0.05
_FRESH_MOHM = 10.0
_WORN_FACTOR = 11.0  # a failing contact has twelve times the resistance of a good one
_LIFE_CYCLES = 100_000.0
_VOLTAGE_TIME_S = 2 * 3600.0


class Plugs:
    """All plugs of the fleet."""

    def __init__(self, rng: Generator, devices: int, at: float, plan: ModelPlan) -> None:
        self._rng = rng
        self.electronics = Electronics(rng, devices, at, plan, heap_bytes=26_000.0, sync_per_hour=4.0)
        kind = rng.choice(len(APPLIANCES), devices, p=[appliance.share for appliance in APPLIANCES])
        self.appliance = kind
        self._profile = np.stack([np.clip(one.profile * one.on_share, 0.002, 0.995) for one in APPLIANCES])
        self._always = np.array([one.switches_per_day == 0 for one in APPLIANCES])[kind]
        factor = rng.lognormal(0.0, 0.3, devices)
        self._power_w = np.array([one.power_w for one in APPLIANCES])[kind] * rng.lognormal(0.0, 0.2, devices)
        self._spread = np.array([one.spread for one in APPLIANCES])[kind]
        self._power_factor = np.array([one.power_factor for one in APPLIANCES])[kind]
        self._switch_s = np.array([one.switches_per_day for one in APPLIANCES])[kind] * factor / _DAY_S
        self._shift_h = rng.normal(0.0, 0.8, devices)
        self._indoor_c = rng.normal(21.0, 1.2, devices)
        self._on = (rng.random(devices) < 0.3) | self._always
        self._cycles = np.floor(self._switch_s * _DAY_S * rng.uniform(20, 900, devices))
        self._energy_kwh = np.round(rng.uniform(5, 400, devices), 3)
        self._fresh_mohm = _FRESH_MOHM * rng.lognormal(0.0, 0.15, devices)
        self._mains_v = rng.normal(231.0, 2.0, devices)
        self._mains_drift = np.zeros(devices)

    @property
    def metrics(self) -> tuple[str, ...]:
        """Names of the columns that `advance` gives."""
        return (
            *ELECTRONICS_METRICS,
            "power_w",
            "apparent_power_va",
            "power_factor",
            "voltage_v",
            "current_a",
            "energy_kwh",
            "relay_on",
            "relay_cycles",
            "relay_contact_mohm",
        )

    def advance(self, moment: Moment) -> tuple[np.ndarray, list[Reboot]]:
        """See `Line.advance`."""
        reboots = self.electronics.advance(moment)
        on_share = self._switch(moment)
        voltage = self._voltage(moment)
        running = self._power_w * (1 + self._spread * moment.noise * self._rng.standard_normal(len(on_share)))
        power = np.maximum(running, 0.0) * on_share + 0.6
        apparent = power / self._power_factor
        current = apparent / voltage
        self._energy_kwh = self._energy_kwh + power * moment.dt_s / 3.6e6
        contact = self._contact_mohm(moment)
        flowing = np.maximum(running, 0.0) / self._power_factor / voltage
        heat_w = 0.9 + flowing**2 * contact / 1000 * on_share
        measured = self._on & (flowing > _MEASURABLE_A)
        columns = [
            *self.electronics.columns(moment, self._indoor_c + 0.05 * (moment.outdoor_c - 10) + 6.0 * heat_w),
            power,
            apparent,
            self._power_factor,
            voltage,
            current,
            self._energy_kwh,
            self._on.astype(float),
            self._cycles,
            np.where(measured, contact, np.nan),
        ]
        return np.column_stack(columns), reboots

    def _switch(self, moment: Moment) -> np.ndarray:
        """Move the relays by their habits (a two-state Markov chain) and give the share of the interval that each was closed."""
        wanted = self._profile[self.appliance, slot(moment.hour + self._shift_h)] * moment.occupied
        # The chain forgets at the rate that gives the appliance its switchings; a visit of each state needs one closing.
        busy = np.maximum(wanted * (1 - wanted), 0.02)
        forget = 1 - np.exp(-self._switch_s / busy * moment.dt_s)
        before = self._on.astype(float)
        chance = before + (wanted - before) * forget
        after = (self._rng.random(len(chance)) < chance) | self._always
        after &= moment.faults.of("relay_wear") < 1  # a burnt contact no longer closes
        within = self._rng.poisson(self._switch_s * moment.dt_s * np.minimum(forget, 0.5) * (before + after) / 2)
        self._cycles = self._cycles + (after & ~self._on) + within
        share = np.where(after == self._on, before, self._rng.random(len(chance)))
        self._on = after
        return share

    def _voltage(self, moment: Moment) -> np.ndarray:
        self._mains_drift = relaxed(self._mains_drift, moment.dt_s, _VOLTAGE_TIME_S, 1.1, self._rng)
        evening = 1.5 * np.exp(-0.5 * ((moment.hour - 19.0) / 2.5) ** 2)
        noise = self._rng.standard_normal(len(evening)) * 0.5 * moment.noise
        volt: np.ndarray = self._mains_v + self._mains_drift - evening + noise
        return volt

    def _contact_mohm(self, moment: Moment) -> np.ndarray:
        """Contact resistance: a little with every cycle over a long life, much when the contact burns (relay_wear)."""
        wear = moment.faults.of("relay_wear")
        aged = 1 + 0.8 * self._cycles / _LIFE_CYCLES + _WORN_FACTOR * wear**1.5
        noise = 1 + self._rng.standard_normal(len(aged)) * (0.05 + 0.15 * wear) * moment.noise
        ohm: np.ndarray = self._fresh_mohm * aged * np.maximum(noise, 0.3)
        return ohm

    def measures_contact(self) -> np.ndarray:
        """Plugs that switch, and whose appliance draws enough current to measure the contact, shape (devices,)."""
        able: np.ndarray = ~self._always & (self._power_w / 230.0 > 2 * _MEASURABLE_A)
        return able

    def silent(self) -> np.ndarray:
        """See `Line.silent`: a plug lives on the mains."""
        return np.zeros(len(self._on), dtype=bool)

    def renew(self, index: int, part: str) -> None:
        """See `Line.renew`: a relay is renewed with its plug, whose counter starts again."""
        if part == "relay":
            self._on[index] = True

    def worn(self) -> list[tuple[int, str]]:
        """See `Line.worn`."""
        return []
