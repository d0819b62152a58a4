"""Firmware releases on their way to the devices: waves of randomly chosen devices of a model."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

from numpy.random import Generator

from device_sim.scenario import Kind, ReleasePlan

_DAY_S = 86_400.0
_BEGINS_AT_S = 9 * 3600.0
_SPREAD_S = 6 * 3600.0


@dataclass(frozen=True, slots=True)
class Offer:
    """A device (index in its kind) installs ``version`` at an instant (Unix seconds)."""

    at: float
    index: int
    version: str


@dataclass(frozen=True, slots=True)
class Rollout:
    """A release's way: which device gets it when, in order of time."""

    kind: Kind
    model: str
    version: str
    replaces: str
    begins: float
    offers: tuple[Offer, ...]
    fixed_by: str | None


def plan_rollout(
    plan: ReleasePlan, model: str, replaces: str, devices: int, spared: Collection[int], start: float, rng: Generator
) -> Rollout:
    """Choose each wave at random. Devices in ``spared`` keep what they have, so that one story stays one."""
    begins = start + plan.day * _DAY_S + _BEGINS_AT_S
    order = [int(index) for index in rng.permutation(devices) if int(index) not in spared]
    offers: list[Offer] = []
    for wave in plan.waves:
        upto = min(len(order), round(wave.share * devices))
        opens = begins + wave.day * _DAY_S
        chosen = order[len(offers) : upto]
        offers.extend(Offer(opens + float(rng.random()) * _SPREAD_S, index, plan.version) for index in chosen)
    offers.sort(key=lambda offer: (offer.at, offer.index))
    return Rollout(plan.kind, model, plan.version, replaces, begins, tuple(offers), plan.fixed_by)
