"""Simulated fleets for the suite `cohorts`: frail devices, bursts of events, outages, staged and biased adoption.

Written independently of the tests that are judged on it: this module knows neither `analytics.sequential` nor `analytics.cohorts`
(an import contract holds it to that). Events are drawn sparsely: a count for each device and stretch of constant rate, then a slot for
each. Frailty is lognormal with mean 1, bursts are compound Poisson; seventeen days lie before the release, as long as the watch looks
back: a fortnight, and three days that it washes out.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]

BURST = 1.5
"""Mean events of a burst: 1 + Poisson(0.5)."""

PRE_DAYS = 17
DAYS = 14

WAVES = ((0.0, 0.01), (2.0, 0.05), (4.0, 0.20), (7.0, 0.50))
"""Days after the release, and the share of the fleet that has it from then on."""

_HARDWARE, _REGIONS = 2, 4
_HARDWARE_RATE = 1.5  # of the newer revision, relative to the older one
_OUTAGES, _OUTAGE_RATE, _OUTAGE_HOURS = 2, 4.0, 12.0
_RECENT_DAYS = 3  # "recent trouble"


@dataclass(frozen=True, slots=True)
class Fleet:
    """What happened.

    ``device``, ``slot`` and ``count`` are the events of the watched period: one entry for each device and slot that had any, in the order
    of devices and of a device's slots. ``update`` is the slot of each device's update, ``slots`` for never; ``stratum`` numbers what
    devices are compared within; ``before`` holds the events of the pre-period, shape (devices, days).
    """

    device: Integers
    slot: Integers
    count: Floats
    update: Integers
    stratum: Integers
    before: Floats
    slots: int
    slot_hours: float

    @property
    def devices(self) -> int:
        """Number of devices."""
        return self.update.size

    def dense(self) -> Floats:
        """Events by device and slot, shape (devices, slots)."""
        flat = np.bincount(
            self.device * self.slots + self.slot, weights=self.count, minlength=self.devices * self.slots
        )
        result: Floats = flat.astype(np.float64, copy=False).reshape(self.devices, self.slots)
        return result


def frailties(rng: np.random.Generator, devices: int, sigma: float) -> Floats:
    """Each device's own rate, relative to the fleet's: lognormal with mean 1."""
    return np.exp(sigma * rng.standard_normal(devices) - sigma * sigma / 2.0)


def parallel_arms(
    rng: np.random.Generator,
    *,
    treated: int,
    control: int,
    ratio: float,
    per_day: float,
    sigma: float = 1.0,
    days: int = DAYS,
    slot_hours: float = 1.0,
    concentrated: float = 1.0,
    own: Floats | None = None,
) -> Fleet:
    """Both arms from the first slot on, the treated devices first.

    ``ratio`` is the true rate ratio, ``per_day`` the events of an average device, ``sigma`` the frailty's. With ``concentrated`` < 1 only
    that share of the treated devices carries all of the excess. ``own`` gives the frailties instead of drawing them.
    """
    devices = treated + control
    frailty = frailties(rng, devices, sigma) if own is None else own
    effect = np.ones(devices)
    hit = rng.random(treated) < concentrated
    effect[:treated][hit] = 1.0 + (ratio - 1.0) / concentrated
    slots = round(days * 24 / slot_hours)
    update = np.full(devices, slots)
    update[:treated] = 0
    rate = frailty * per_day * slot_hours / 24.0
    device, slot, count = _together([_layer(rng, rate * effect, 0, slots)], devices, slots)
    return Fleet(
        device=device,
        slot=slot,
        count=count,
        update=update,
        stratum=np.zeros(devices, dtype=np.int64),
        before=_daily(rng, frailty * per_day),
        slots=slots,
        slot_hours=slot_hours,
    )


def staged(
    rng: np.random.Generator,
    *,
    devices: int,
    ratio: float,
    per_day: float,
    sigma: float = 1.0,
    days: int = DAYS,
    slot_hours: float = 1.0,
    bias: float = 0.0,
    outages: bool = False,
    new_hardware_first: bool = False,
    trouble: bool = False,
) -> Fleet:
    """Waves of 1, 5, 20 and 50 % of a fleet of two hardware revisions in four regions, drawn by lot unless something biases them.

    ``bias`` > 0 lets frail devices update first, ``trouble`` those with events in the last three days, ``new_hardware_first`` the newer
    revision, which has 1.5 times the events. ``outages``: two regions have four times the events for twelve hours each.
    """
    slots = round(days * 24 / slot_hours)
    own = frailties(rng, devices, sigma)
    hardware, region = rng.integers(0, _HARDWARE, devices), rng.integers(0, _REGIONS, devices)
    daily = own * np.where(hardware == 1, _HARDWARE_RATE, 1.0) * per_day
    before = _daily(rng, daily)
    eagerness = bias * np.log(own) + new_hardware_first * 2.0 * hardware
    if trouble:
        eagerness = eagerness + 2.0 * np.log1p(before[:, -_RECENT_DAYS:].sum(axis=1))
    update = _waves(np.argsort(-(eagerness + rng.gumbel(size=devices))), slots, slot_hours)
    rate = daily * slot_hours / 24.0
    layers = [_layer(rng, rate, 0, update), _layer(rng, rate * ratio, update, slots)]
    for where in rng.choice(_REGIONS, _OUTAGES, replace=False) if outages else ():
        length = round(_OUTAGE_HOURS / slot_hours)
        begin = int(rng.integers(0, slots - length))
        extra = np.where(region == where, rate * (_OUTAGE_RATE - 1.0), 0.0)
        layers.append(_layer(rng, extra, begin, np.clip(update, begin, begin + length)))
        layers.append(_layer(rng, extra * ratio, np.clip(update, begin, begin + length), begin + length))
    device, slot, count = _together(layers, devices, slots)
    return Fleet(device, slot, count, update, hardware * _REGIONS + region, before, slots, slot_hours)


def _waves(order: Integers, slots: int, slot_hours: float) -> Integers:
    """The slot of each device's update when devices update in this order."""
    update = np.full(order.size, slots)
    for day, share in reversed(WAVES):
        update[order[: int(share * order.size)]] = round(day * 24 / slot_hours)
    return update


def _daily(rng: np.random.Generator, per_day: Floats) -> Floats:
    """Compound-Poisson counts of the pre-period by day."""
    device, day, count = _together([_layer(rng, per_day, 0, PRE_DAYS)], per_day.size, PRE_DAYS)
    flat = np.bincount(device * PRE_DAYS + day, weights=count, minlength=per_day.size * PRE_DAYS)
    result: Floats = flat.astype(np.float64, copy=False).reshape(per_day.size, PRE_DAYS)
    return result


def _layer(rng: np.random.Generator, rate: Floats, begin: Any, end: Any) -> tuple[Integers, Integers, Floats]:
    """Bursts of devices with ``rate`` events per slot within [begin, end): device, slot and size of each."""
    length = np.broadcast_to(np.asarray(end) - begin, rate.shape)
    starts = rng.poisson(rate * length / BURST)
    device = np.repeat(np.arange(rate.size, dtype=np.int64), starts)
    offset = np.floor(rng.random(device.size) * length[device]).astype(np.int64)
    slot = np.broadcast_to(np.asarray(begin), rate.shape)[device] + offset
    return device, slot, (1.0 + rng.poisson(BURST - 1.0, device.size)).astype(np.float64, copy=False)


def _together(
    layers: Sequence[tuple[Integers, Integers, Floats]], devices: int, slots: int
) -> tuple[Integers, Integers, Floats]:
    """Entries of all layers, one for each device and slot, in the order of devices and of a device's slots."""
    device, slot, count = (np.concatenate(parts) for parts in zip(*layers, strict=True))
    counts = np.bincount(device * slots + slot, weights=count, minlength=devices * slots)
    places = np.flatnonzero(counts > 0).astype(np.int64, copy=False)
    return places // slots, places % slots, counts[places].astype(np.float64, copy=False)


GLITCH_SHARE, GLITCH_FACTOR = 0.01, 10.0


def drains(
    rng: np.random.Generator, *, treated: int, control: int, ratio: float, sigma: float = 0.5, days: int = DAYS
) -> Fleet:
    """Battery drain by day, both arms from the first day on: heavy tails between and within devices, and 1 % of days ten times too high.

    An amount where the others have counts: one slot is a day, every device has an entry on every day.
    """
    devices = treated + control
    own = np.exp(sigma * rng.standard_normal(devices) - sigma * sigma / 2.0)
    effect = np.where(np.arange(devices) < treated, ratio, 1.0)

    def amounts(level: Floats, length: int) -> Floats:
        daily = np.exp(0.3 * rng.standard_t(4, (devices, length)).clip(-6.0, 6.0))
        glitch = np.where(rng.random((devices, length)) < GLITCH_SHARE, GLITCH_FACTOR, 1.0)
        result: Floats = level[:, None] * daily * glitch
        return result

    update = np.full(devices, days)
    update[:treated] = 0
    device, slot = (values.ravel() for values in np.indices((devices, days)))
    return Fleet(
        device=device,
        slot=slot,
        count=amounts(own * effect, days).ravel(),
        update=update,
        stratum=np.zeros(devices, dtype=np.int64),
        before=amounts(own, PRE_DAYS),
        slots=days,
        slot_hours=24.0,
    )


def correlated_metrics(
    rng: np.random.Generator,
    *,
    treated: int,
    control: int,
    ratios: Sequence[float],
    per_day: float,
    sigma: float = 1.0,
    correlation: float = 0.5,
    slot_hours: float = 1.0,
) -> list[Fleet]:
    """Several metrics of the same devices, whose frailties are correlated: one fleet for each of ``ratios``."""
    devices = treated + control
    common = rng.standard_normal(devices)
    fleets = []
    for ratio in ratios:
        score = np.sqrt(correlation) * common + np.sqrt(1.0 - correlation) * rng.standard_normal(devices)
        own = np.exp(sigma * score - sigma * sigma / 2.0)
        fleets.append(
            parallel_arms(
                rng,
                treated=treated,
                control=control,
                ratio=ratio,
                per_day=per_day,
                slot_hours=slot_hours,
                own=own,
            )
        )
    return fleets
