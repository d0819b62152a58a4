"""The devices of one kind: who they are, where they are."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import numpy as np
from numpy.random import Generator

from device_sim.households import Home
from device_sim.randomness import stream
from device_sim.scenario import Kind, ModelPlan, Scenario

_PREFIX: Mapping[Kind, str] = {"lock": "lock", "plug": "plug", "thermostat": "heat", "camera": "cam"}
_OLDEST_DAYS, _YOUNGEST_DAYS = 700, 40


@dataclass(frozen=True, slots=True)
class Population:
    """All devices of one kind; sequences and arrays run in parallel over them. ``home`` and ``region`` are indices."""

    kind: Kind
    plan: ModelPlan
    ids: tuple[str, ...]
    hardware: tuple[str, ...]
    serials: tuple[str, ...]
    made: tuple[str, ...]
    installed: tuple[datetime, ...]
    home: np.ndarray
    region: np.ndarray

    def __len__(self) -> int:
        return len(self.ids)


def settle(scenario: Scenario, counts: Mapping[Kind, int], homes: Sequence[Home], seed: int) -> dict[Kind, Population]:
    """Give every device an identity and a home; every home has at least one device when there are enough."""
    rng = stream(seed, "population")
    total = sum(counts.values())
    places = np.concatenate(
        [np.arange(min(len(homes), total)), rng.integers(0, len(homes), max(0, total - len(homes)))]
    )
    rng.shuffle(places)
    regions = np.array([home.region for home in homes])
    taken: set[str] = set()
    populations: dict[Kind, Population] = {}
    for plan in scenario.models:
        count = counts.get(plan.kind, 0)
        mine, places = places[:count], places[count:]
        populations[plan.kind] = _population(plan, mine, regions[mine], scenario.start, rng, taken)
    return populations


def _population(
    plan: ModelPlan, home: np.ndarray, region: np.ndarray, start: datetime, rng: Generator, taken: set[str]
) -> Population:
    count = len(home)
    shares = np.array(list(plan.hardware.values()))
    revisions = rng.choice(list(plan.hardware), count, p=shares / shares.sum())
    ages = rng.integers(_YOUNGEST_DAYS, _OLDEST_DAYS, count)
    midnight = start.astimezone(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    installed = tuple(midnight - timedelta(days=int(age)) for age in ages)
    shelf = rng.integers(20, 120, count)
    made = tuple(
        (day - timedelta(days=int(days))).date().isoformat() for day, days in zip(installed, shelf, strict=True)
    )
    return Population(
        kind=plan.kind,
        plan=plan,
        ids=tuple(_fresh_id(_PREFIX[plan.kind], rng, taken) for _ in range(count)),
        hardware=tuple(str(revision) for revision in revisions),
        serials=tuple(f"{plan.name[:2].upper()}{int(number):09d}" for number in rng.integers(0, 10**9, count)),
        made=made,
        installed=installed,
        home=home,
        region=region,
    )


def _fresh_id(prefix: str, rng: Generator, taken: set[str]) -> str:
    while True:
        id_ = f"{prefix}-{int(rng.integers(0, 16**8)):08x}"
        if id_ not in taken:
            taken.add(id_)
            return id_
