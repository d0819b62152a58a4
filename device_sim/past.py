"""What happened to another fleet of the same models in the past: who was there when, what failed, when it was repaired, what it ran."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.random import Generator

from device_sim.faults import Fault
from device_sim.randomness import stream
from device_sim.scenario import FAULT_MODES_OF, FaultMode, HistoryPlan, Kind, Scenario
from device_sim.simulation import Simulation

_DAY_S = 86_400.0
_QUIET_DAYS = 10.0  # nothing fails in the first days, so that every failure has a past
_SETTLED_DAYS = 35.0  # nor in the first weeks of a device that joined later: infant mortality is another story
_APART_DAYS = 60.0  # between two failures of one device
_REPAIRED_DAYS = (0.7, 6.0)
_SUDDEN_S = 4 * 3600.0
_UPDATED = (0.25, 0.45)  # shares of the span within which devices move to the present firmware


@dataclass(frozen=True, slots=True)
class Breakdown:
    """A fault of the past and when its device worked again (Unix seconds)."""

    fault: Fault
    repaired_at: float


@dataclass(frozen=True, slots=True)
class Stay:
    """Of all devices of a kind: when each joined and left the fleet, and when it got the present firmware; arrays of Unix seconds."""

    joined: np.ndarray
    left: np.ndarray
    updated: np.ndarray


def stays(plan: HistoryPlan, devices: int, start: float, end: float, rng: Generator) -> Stay:
    """Draw who was there when: most all the time, some joined meanwhile (left truncation), some left (right censoring)."""
    span = end - start
    joined = np.full(devices, start)
    late = rng.random(devices) < plan.installed_meanwhile
    joined[late] = np.floor((start + rng.random(int(late.sum())) * 0.6 * span) / _DAY_S) * _DAY_S + 10 * 3600
    gone = rng.exponential(365.25 * _DAY_S / max(plan.removed_per_year, 1e-9), devices)
    left = np.minimum(joined + 20 * _DAY_S + gone, end)
    updated = start + rng.uniform(*_UPDATED, devices) * span
    return Stay(joined, left, updated)


def breakdowns(
    scenario: Scenario, simulation: Simulation, stay: dict[Kind, Stay], start: float, end: float, seed: int
) -> list[Breakdown]:
    """Draw all faults of the past. Some still develop at the end and are cut off there, as in every real history."""
    rng = stream(seed, "past faults")
    plan = scenario.history
    taken: dict[tuple[Kind, int], list[float]] = {}
    drawn: list[Breakdown] = []
    for mode, count in plan.failures.items():
        kinds = [kind for kind in simulation.populations if mode in FAULT_MODES_OF[kind]]
        pool = [(kind, index) for kind in kinds for index in range(len(simulation.populations[kind]))]
        overhang = plan.develops_days[1] * _DAY_S
        total = round(count * (end - start + overhang) / (end - start - _QUIET_DAYS * _DAY_S)) if pool else 0
        for _ in range(total):
            found = _free_place(pool, stay, taken, start, end + overhang, rng)
            if found is not None:
                kind, index, fails_at = found
                taken.setdefault((kind, index), []).append(fails_at)
                drawn.append(_breakdown(plan, kind, index, mode, fails_at, rng))
    return sorted(drawn, key=lambda breakdown: breakdown.fault.onset)


def _free_place(
    pool: Sequence[tuple[Kind, int]],
    stay: dict[Kind, Stay],
    taken: dict[tuple[Kind, int], list[float]],
    start: float,
    until: float,
    rng: Generator,
) -> tuple[Kind, int, float] | None:
    for _ in range(100):
        kind, index = pool[int(rng.integers(len(pool)))]
        fails_at = start + _QUIET_DAYS * _DAY_S + rng.random() * (until - start - _QUIET_DAYS * _DAY_S)
        there = stay[kind].joined[index] + _SETTLED_DAYS * _DAY_S < fails_at or stay[kind].joined[index] <= start
        if there and all(abs(fails_at - other) > _APART_DAYS * _DAY_S for other in taken.get((kind, index), ())):
            return kind, index, float(fails_at)
    return None


def _breakdown(
    plan: HistoryPlan, kind: Kind, index: int, mode: FaultMode, fails_at: float, rng: Generator
) -> Breakdown:
    span = rng.uniform(*plan.develops_days) * _DAY_S
    if rng.random() < plan.sudden_share:
        span = _SUDDEN_S
    repaired_at = fails_at + rng.uniform(*_REPAIRED_DAYS) * _DAY_S
    return Breakdown(Fault(kind, index, mode, fails_at - span, fails_at), float(repaired_at))
