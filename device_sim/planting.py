"""Which healthy devices of a fleet develop which fault, and when."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from device_sim.faults import Fault, developing, spread
from device_sim.households import Home
from device_sim.models.lock import Locks
from device_sim.models.plug import Plugs
from device_sim.randomness import stream
from device_sim.scenario import FaultMode, Kind, Scenario
from device_sim.simulation import Simulation

_DAY_S = 86_400.0
_CHARGE_TO_LOSE = 0.5


def plant(scenario: Scenario, simulation: Simulation, seed: int) -> list[Fault]:
    """Choose the devices and plant the faults of the scenario.

    Each is in a home of its own whose customer agreed to service notices: where nobody may be told, the story would end early.
    """
    rng = stream(seed, "faults")
    start = simulation.now
    used_homes: set[int] = set()
    planted: list[Fault] = []
    for plan in scenario.faults:
        able = rng.permutation(_able(simulation, plan.kind, plan.mode))
        chosen: list[int] = []
        for index in able:
            home = int(simulation.populations[plan.kind].home[index])
            if len(chosen) < plan.count and home not in used_homes and _may_be_told(simulation.homes[home]):
                chosen.append(int(index))
                used_homes.add(home)
        onsets = [start + day * _DAY_S for day in spread(rng, *plan.onset_days, len(chosen))]
        spans = [day * _DAY_S for day in spread(rng, *plan.develops_days, len(chosen))]
        planted += developing(plan.kind, plan.mode, chosen, onsets, spans)
    for fault in planted:
        simulation.faults[fault.kind].plant(fault)
    return planted


def homes_of(planted: list[Fault], homes: Mapping[Kind, np.ndarray]) -> frozenset[int]:
    """The homes in which something is planted."""
    return frozenset(int(homes[fault.kind][fault.index]) for fault in planted)


def _may_be_told(home: Home) -> bool:
    return {"service", "safety"} <= set(home.consents)


def _able(simulation: Simulation, kind: Kind, mode: FaultMode) -> np.ndarray:
    """Devices on which the fault can be seen: a battery that has charge to lose, a relay that is used and measures its contact."""
    line = simulation.lines[kind]
    if mode == "battery_fade" and isinstance(line, Locks):
        return np.flatnonzero(line.battery.charge > _CHARGE_TO_LOSE)
    if mode == "relay_wear" and isinstance(line, Plugs):
        return np.flatnonzero(line.measures_contact())
    return np.arange(len(simulation.populations[kind]))
