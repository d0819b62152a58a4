"""Simulated fleets for the study of the cohort watch: frail devices, bursts of events, staged and biased roll-outs.

The set-up of S1 and S2 in docs/cohorts.md: lognormal frailty, compound-Poisson bursts of mean 1.5, a fortnight before the release.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

BURST = 1.5  # events per burst: 1 + Poisson(0.5)
PRE_DAYS = 14


@dataclass(frozen=True, slots=True)
class Fleet:
    """What happened: arrays of shape (devices, slots); ``update`` is the slot of each device's update, ``slots`` for never."""

    events: Floats
    update: NDArray[np.int64]
    stratum: NDArray[np.int64]
    before: Floats  # events of the pre-period, (devices, pre slots)
    slot_hours: float


def frailties(rng: np.random.Generator, devices: int, sigma: float) -> Floats:
    """Lognormal with mean 1."""
    return np.exp(sigma * rng.standard_normal(devices) - sigma * sigma / 2.0)


def bursts(rng: np.random.Generator, rate: Floats) -> Floats:
    """Compound-Poisson counts of mean ``rate``."""
    starts = rng.poisson(rate / BURST)
    events = starts.astype(np.float64)
    some = np.nonzero(starts)
    events[some] += rng.poisson((BURST - 1.0) * starts[some])
    return events


def parallel_arms(
    rng: np.random.Generator,
    *,
    treated: int,
    control: int,
    ratio: float,
    per_day: float,
    sigma: float = 1.0,
    days: int = 14,
    slot_hours: float = 1.0,
    concentrated: float = 1.0,
) -> Fleet:
    """S1: both arms from the first slot on. With ``concentrated`` < 1 only that share of the treated devices carries all of the excess."""
    devices = treated + control
    own = frailties(rng, devices, sigma) * per_day / 24.0 * slot_hours
    effect = np.ones(devices)
    hit = rng.random(treated) < concentrated
    effect[:treated][hit] = 1.0 + (ratio - 1.0) / concentrated
    slots = int(days * 24 / slot_hours)
    update = np.full(devices, slots)
    update[:treated] = 0
    return Fleet(
        events=bursts(rng, np.broadcast_to((own * effect)[:, None], (devices, slots))),
        update=update,
        stratum=np.zeros(devices, dtype=np.int64),
        before=bursts(rng, np.broadcast_to(own[:, None] * 24.0 / slot_hours, (devices, PRE_DAYS))),  # by day
        slot_hours=slot_hours,
    )


WAVES = ((0.0, 0.01), (2.0, 0.05), (4.0, 0.20), (7.0, 0.50))
"""Days after the release and the share of the fleet that has it from then on."""


def staged(
    rng: np.random.Generator,
    *,
    devices: int,
    ratio: float,
    per_day: float,
    sigma: float = 1.0,
    days: int = 14,
    slot_hours: float = 6.0,
    bias: float = 0.0,
    outages: bool = False,
    new_hardware_first: bool = False,
    trouble: bool = False,
) -> Fleet:
    """S2: waves of 1, 5, 20 and 50 %. ``bias`` > 0 lets frail devices update first, ``trouble`` those with recent events."""
    slots, pre_slots = int(days * 24 / slot_hours), int(PRE_DAYS * 24 / slot_hours)
    own = frailties(rng, devices, sigma)
    hardware, region = rng.integers(0, 2, devices), rng.integers(0, 4, devices)
    rate = (own * np.where(hardware == 1, 1.5, 1.0))[:, None] * np.ones(slots + pre_slots) * per_day / 24.0 * slot_hours
    if outages:
        for where in rng.choice(4, 2, replace=False):
            begin = int(rng.integers(pre_slots, pre_slots + slots - 4))
            rate[region == where, begin : begin + int(12 / slot_hours)] *= 4.0
    before = bursts(rng, rate[:, :pre_slots])
    eagerness = bias * np.log(own) + new_hardware_first * 2.0 * hardware
    if trouble:
        recent = before[:, -int(3 * 24 / slot_hours) :].sum(axis=1)
        eagerness = eagerness + 2.0 * np.log1p(recent)
    order = np.argsort(-(eagerness + rng.gumbel(size=devices)))
    update = np.full(devices, slots)
    for day, share in reversed(WAVES):
        update[order[: int(share * devices)]] = int(day * 24 / slot_hours)
    treated = np.arange(slots) >= update[:, None]
    events = bursts(rng, rate[:, pre_slots:] * np.where(treated, ratio, 1.0))
    return Fleet(events, update, hardware * 4 + region, before, slot_hours)
