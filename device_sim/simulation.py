"""The physical world, without any message: weather, homes, and all devices of all kinds, moved on together."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from device_sim.faults import FaultTable
from device_sim.households import Holidays, Home, found_homes
from device_sim.models.camera import Cameras
from device_sim.models.controller import Reboot
from device_sim.models.line import Line
from device_sim.models.lock import Locks
from device_sim.models.moment import REFERENCE_SAMPLE_S, Moment
from device_sim.models.plug import Plugs
from device_sim.models.thermostat import Thermostats
from device_sim.population import Population, settle
from device_sim.randomness import stream
from device_sim.scenario import Kind, Scenario
from device_sim.weather import Sky, Weather


@dataclass(frozen=True, slots=True)
class Measured:
    """What all devices of a kind measured at one instant: values (devices, metrics), NaN where absent, and reboots since the last."""

    values: np.ndarray
    reboots: tuple[Reboot, ...]
    silent: np.ndarray


class Simulation:
    """A fleet's world. The same scenario, counts and seed give the same numbers when it is moved in the same steps."""

    def __init__(
        self, scenario: Scenario, counts: Mapping[Kind, int], seed: int, start: float, *, lowest_charge: float
    ) -> None:
        self.now = start
        homes = max(1, math.ceil(sum(counts.values()) / scenario.devices_per_home))
        self.homes: tuple[Home, ...] = found_homes(scenario.regions, homes, stream(seed, "homes"))
        self.populations: dict[Kind, Population] = settle(scenario, counts, self.homes, seed)
        self.faults: dict[Kind, FaultTable] = {
            kind: FaultTable(kind, len(population)) for kind, population in self.populations.items()
        }
        self.lines: dict[Kind, Line] = {
            kind: _line(population, seed, start, lowest_charge) for kind, population in self.populations.items()
        }
        self._weather = Weather(scenario.regions, stream(seed, "weather"))
        self._holidays = Holidays(homes, start, stream(seed, "holidays"))

    def advance(self, until: float) -> dict[Kind, Measured]:
        """Move the world on to ``until`` (Unix seconds) in one interval."""
        dt_s = until - self.now
        sky = self._weather.advance(until, dt_s)
        occupied = self._holidays.occupied(until)
        measured = {}
        for kind, line in self.lines.items():
            moment = self._moment(kind, until, dt_s, sky, occupied)
            values, reboots = line.advance(moment)
            silent = line.silent() | (moment.faults.of("wifi_failing") >= 1)
            measured[kind] = Measured(values, tuple(reboots), silent)
        self.now = until
        return measured

    def repair(self, kind: Kind, index: int, part: str, at: float) -> None:
        """Put a new part into a device: its fault is gone, and it starts again."""
        self.faults[kind].repair(index, part)
        self.lines[kind].renew(index, part)
        self.lines[kind].electronics.controller.boot(index, at)

    def _moment(self, kind: Kind, at: float, dt_s: float, sky: Sky, occupied: np.ndarray) -> Moment:
        region, home = self.populations[kind].region, self.populations[kind].home
        return Moment(
            at=at,
            dt_s=dt_s,
            noise=min(1.0, math.sqrt(REFERENCE_SAMPLE_S / dt_s)),
            hour=sky.hour[region],
            weekend=sky.weekend[region],
            outdoor_c=sky.outdoor_c[region],
            daylight_lux=sky.daylight_lux[region],
            occupied=occupied[home],
            faults=self.faults[kind].severity(at),
        )


def _line(population: Population, seed: int, start: float, lowest_charge: float) -> Line:
    plan, devices = population.plan, len(population)
    rng = stream(seed, "devices", population.kind)
    if population.kind == "lock":
        return Locks(rng, devices, start, plan, lowest_charge)
    if population.kind == "plug":
        return Plugs(rng, devices, start, plan)
    if population.kind == "thermostat":
        return Thermostats(rng, devices, start, plan)
    return Cameras(rng, devices, start, plan)
