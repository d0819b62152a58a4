"""``hearthwatch bench cohorts``: an hourly look at thousands of releases on one core, beside the same streams taken one by one.

A look is the newly closed hour added to every stream's rates and first events, then every stream's estimate (each device's own past
taken into account), interval and e-value, and e-BH over all of them. The reference is the one-stream form of the same functions on
some of the streams in the same minutes; what both find is compared. Beside them: all hourly looks of one release's fortnight at once.
"""

from __future__ import annotations

import os
import resource
import statistics
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from analytics.sequential.cluster import Block, RateSums, estimate
from analytics.sequential.ebh import e_bh
from analytics.sequential.logrank import LogrankEvidence
from analytics.sequential.looks import first_event_looks, rate_looks
from analytics.sequential.many import Layout, ManyFirstEvents, ManySums
from analytics.sequential.mixture import half_width, log_e_worse
from analytics.sequential.moments import Past
from analytics.sequential.risk import first_events
from analytics.sequential.slots import Slot
from analytics.sequential.strata import Strata

Floats = NDArray[np.float64]

PER_HOUR = 0.5 / 24.0  # events of an average device
TREATED = 0.2
STRATA = 8
GUARD = 30
ALPHA = 0.10
LOG_2 = float(np.log(2.0))


@dataclass(frozen=True, slots=True)
class Options:
    """What the command line asked for."""

    streams: int = 10_000
    devices: int = 500
    looks: int = 6
    reference_streams: int = 300
    block_devices: int = 4_200
    block_hours: int = 336


@dataclass(frozen=True, slots=True)
class Fleet:
    """The devices of all streams: their arms, strata, own rates and relative pasts; arrays of shape (streams * devices,)."""

    strata: tuple[Strata, ...]
    treated: NDArray[np.bool_]
    rate: Floats
    past: Floats


@dataclass(frozen=True, slots=True)
class Found:
    """What a look says of each stream: log e of the stream, log ratio, half the width of its interval; arrays of shape (streams,)."""

    log_e: Floats
    theta: Floats
    width: Floats


def run_cohorts(options: Options, say: Callable[[str], None]) -> dict[str, Any]:
    """Simulate the fleets and measure. Needs about 250 bytes of memory for each device of a stream."""
    chance = np.random.default_rng(2026)
    fleet = _fleet(chance, options)
    all_at_once, one_by_one = _Together(fleet), _OneByOne(fleet, options.devices, options.reference_streams)
    together: list[tuple[float, float]] = []
    alone: list[tuple[float, float]] = []
    differences = []
    with one_core() as cores:
        for look in range(1, options.looks + 1):
            slot = _slot(chance, fleet)
            found = _timed(all_at_once.look, slot, together)
            reference = _timed(one_by_one.look, slot, alone)
            differences.append(_difference(found, reference))
            say(f"look {look}: {together[-1][0]:.2f} s for {options.streams} streams, {cores} core")
        block = _block_seconds(chance, options)
    return _report(options, together, alone, max(differences), cores) | block


@contextmanager
def one_core() -> Iterator[int]:
    """Keep this process on one core where the system can; gives how many cores it may use."""
    if not hasattr(os, "sched_setaffinity"):
        yield os.cpu_count() or 1
        return
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {min(before)})
    try:
        yield len(os.sched_getaffinity(0))
    finally:
        os.sched_setaffinity(0, before)


class _Together:
    """All streams at once."""

    def __init__(self, fleet: Fleet) -> None:
        layout = Layout.of(fleet.strata)
        self.past = Past.of(fleet.past)
        self.sums, self.first = ManySums.nothing(layout), ManyFirstEvents.nothing(layout)

    def look(self, slot: Slot) -> Found:
        """Add an hour and say what is known."""
        self.sums = self.sums.add(slot)
        self.first = self.first.add(slot.hours, slot.treated, slot.events > 0)
        found = self.sums.estimates(self.past, "cuped")
        spoken = self.sums.devices_with_events().min(axis=0) >= GUARD
        rate = np.where(spoken, log_e_worse(found.theta, found.information), -np.inf)
        log_e = np.maximum(rate, self.first.log_e) - LOG_2
        e_bh(log_e, ALPHA)
        return Found(log_e, found.theta, half_width(found.information))


class _OneByOne:
    """Each stream by itself, of the first ``streams``."""

    def __init__(self, fleet: Fleet, devices: int, streams: int) -> None:
        count = min(streams, len(fleet.strata))
        self.strata = fleet.strata[:count]
        self.rows = [slice(number * devices, (number + 1) * devices) for number in range(count)]
        self.pasts = [fleet.past[rows] for rows in self.rows]
        self.sums = [RateSums.nothing(devices)] * count
        self.first = [LogrankEvidence.nothing(interval=False)] * count
        self.used = [np.zeros(devices, dtype=np.bool_)] * count

    def look(self, slot: Slot) -> Found:
        """Add an hour and say what is known."""
        said = [self._look(number, slot) for number in range(len(self.rows))]
        log_e, theta, width = (np.array(values) for values in zip(*said, strict=True))
        e_bh(log_e, ALPHA)
        return Found(log_e, theta, width)

    def _look(self, number: int, slot: Slot) -> tuple[float, float, float]:
        rows, strata = self.rows[number], self.strata[number]
        hours, treated, events = slot.hours[rows, None], slot.treated[rows, None], slot.events[rows, None]
        self.sums[number] = sums = self.sums[number].add(Block(hours, treated, events), strata)
        groups, self.used[number] = first_events(hours, treated, events > 0, self.used[number], strata)
        self.first[number] = self.first[number].add(groups)
        found = estimate(sums, self.pasts[number], "cuped")
        rate = -np.inf
        if min(np.count_nonzero(sums.events_treated), np.count_nonzero(sums.events_control)) >= GUARD:
            rate = float(log_e_worse(found.theta, found.information))
        return (
            max(rate, self.first[number].log_e) - LOG_2,
            found.theta,
            float(half_width(found.information)),
        )


def _fleet(chance: np.random.Generator, options: Options) -> Fleet:
    """Devices of very different rates; a fifth of each stream has the release."""
    rows = options.streams * options.devices
    patterns = [Strata.of(chance.integers(0, STRATA, options.devices)) for _ in range(16)]
    own = np.exp(chance.standard_normal(rows) - 0.5)
    return Fleet(
        strata=tuple(patterns[number % len(patterns)] for number in range(options.streams)),
        treated=np.arange(rows) % options.devices < TREATED * options.devices,
        rate=own * PER_HOUR,
        past=chance.poisson(own * PER_HOUR * 24 * 14) / (PER_HOUR * 24 * 14),
    )


def _slot(chance: np.random.Generator, fleet: Fleet) -> Slot:
    """An hour; one device in twenty is not heard."""
    hours = (chance.random(fleet.rate.size) < 0.95).astype(np.float64)
    return Slot(hours, fleet.treated, np.where(hours > 0, chance.poisson(fleet.rate), 0.0))


def _timed(look: Callable[[Slot], Found], slot: Slot, times: list[tuple[float, float]]) -> Found:
    """Run a look and note its seconds, of the clock and of the processor."""
    wall, processor = time.perf_counter(), time.process_time()
    found = look(slot)
    times.append((time.perf_counter() - wall, time.process_time() - processor))
    return found


def _difference(found: Found, reference: Found) -> float:
    """The largest difference between both ways, over all streams that both took."""
    count = reference.log_e.size
    pairs = ((found.log_e, reference.log_e), (found.theta, reference.theta), (1 / found.width, 1 / reference.width))
    return max(float(np.abs(many[:count] - alone).max()) for many, alone in pairs)


def _block_seconds(chance: np.random.Generator, options: Options) -> dict[str, Any]:
    """Processor seconds of all hourly looks at one release at once; the best of three."""
    fleet = _fleet(chance, replace(options, streams=1, devices=options.block_devices))
    hours = np.ones((options.block_devices, options.block_hours))
    treated = np.broadcast_to(fleet.treated[:, None], hours.shape)
    events = chance.poisson(fleet.rate[:, None], hours.shape).astype(np.float64)
    taken = []
    for _ in range(3):
        began = time.process_time()
        rate_looks(Block(hours, treated, events), fleet.strata[0], [fleet.past]).log_e("cuped")
        first_event_looks(hours, treated, events > 0, fleet.strata[0])
        taken.append(time.process_time() - began)
    return {
        "block": f"{options.block_hours} hourly looks at {options.block_devices} devices",
        "block_cpu_seconds": round(min(taken), 3),
    }


def _report(
    options: Options,
    together: list[tuple[float, float]],
    alone: list[tuple[float, float]],
    difference: float,
    cores: int,
) -> dict[str, Any]:
    scale = options.streams / min(options.reference_streams, options.streams)
    seconds, processor = (statistics.median(times) for times in zip(*together, strict=True))
    one_by_one = scale * statistics.median(cpu for _, cpu in alone)
    return {
        "streams": options.streams,
        "devices": options.devices,
        "looks": options.looks,
        "cores": cores,
        "seconds_per_look": round(seconds, 3),
        "cpu_seconds_per_look": round(processor, 3),
        "first_look_cpu_seconds": round(together[0][1], 3),
        "one_by_one_cpu_seconds_per_look": round(one_by_one, 3),
        "ratio": round(one_by_one / processor, 1) if processor > 0 else None,
        "largest_difference": difference,
        "peak_memory_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024,
        "reference": f"the one-stream form on {min(options.reference_streams, options.streams)} of the streams, scaled up",
    }
