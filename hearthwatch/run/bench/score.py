"""``hearthwatch bench score``: every metric of every device scored against its own past, on one core, beside a running z-score.

A tick is one minute: one value of each metric of each device goes through the novelty scorer and its alarms. The devices have a daily
course and noise; one value in twenty is missing. The reference is what a dashboard does with the same values in the same minutes, a
running mean and deviation of each metric as arrays: about the least that looks at every value.
"""

from __future__ import annotations

import resource
import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from analytics.scorers.alarm_level import raised
from analytics.scorers.novelty import scores, step
from analytics.scorers.novelty_state import Memory, size
from hearthwatch.run.bench.cohorts import one_core

Floats = NDArray[np.float64]

METRICS = 8
SERIES_AT_ONCE = 8_000  # keeps what is computed on the way in the processor's cache
_BEGIN = 1_767_225_600  # 2026-01-01
_MISSING = 0.05
_WEIGHT = 0.01
_FLEET, _MINUTE = 1_000_000, 60.0


@dataclass(frozen=True, slots=True)
class Options:
    """What the command line asked for. ``minutes_before``: ticks that the devices' past is made of; the first of them are reported too."""

    devices: int = 4_000
    minutes: int = 60
    minutes_before: int = 1_440


def run_score(options: Options, say: Callable[[str], None]) -> dict[str, Any]:
    """Simulate, learn, measure. Needs about 12 kB of memory for each device."""
    chance = np.random.default_rng(2026)
    series = options.devices * METRICS
    own = chance.normal(0.0, 10.0, series)
    blocks = [slice(begin, min(begin + SERIES_AT_ONCE, series)) for begin in range(0, series, SERIES_AT_ONCE)]
    memories = [Memory.empty(block.stop - block.start) for block in blocks]
    chart = _Chart(series)
    ours: list[float] = []
    theirs: list[float] = []
    alarms = 0
    with one_core() as cores:
        for minute in range(options.minutes_before + options.minutes):
            values = _values(chance, own, minute)
            began = time.process_time()
            found = sum(_tick(memory, values[block], minute) for memory, block in zip(memories, blocks, strict=True))
            ours.append(time.process_time() - began)
            began = time.process_time()
            for block in blocks:
                chart.tick(values[block], block)
            theirs.append(time.process_time() - began)
            alarms += found if minute >= options.minutes_before else 0
            if minute % 240 == 0:
                say(f"minute {minute}: {1e9 * ours[-1] / series:.0f} ns a value, {cores} core")
    return _report(options, ours, theirs, alarms, sum(size(memory) for memory in memories), cores)


def _tick(memory: Memory, values: Floats, minute: int) -> int:
    at = np.full(values.size, _BEGIN + 60 * minute, dtype=np.int64)
    found = scores(step(memory.state, values, at))
    return int(raised(memory.levels, found, ~np.isnan(values)).sum())


class _Chart:
    """Running mean and deviation of each series."""

    def __init__(self, series: int) -> None:
        self.mean, self.variance = np.zeros(series), np.ones(series)

    def tick(self, values: Floats, block: slice) -> NDArray[np.bool_]:
        """Which values lie more than four deviations off."""
        off = np.where(np.isnan(values), 0.0, values - self.mean[block])
        beyond: NDArray[np.bool_] = off * off > 16.0 * self.variance[block]
        self.mean[block] += _WEIGHT * off
        self.variance[block] += _WEIGHT * (off * off - self.variance[block])
        return beyond


def _values(chance: np.random.Generator, own: Floats, minute: int) -> Floats:
    values: Floats = own + 5.0 * np.sin(2 * np.pi * minute / 1_440) + chance.standard_normal(own.size)
    values[chance.random(own.size) < _MISSING] = np.nan
    return values


def _report(
    options: Options, ours: list[float], theirs: list[float], alarms: int, memory: int, cores: int
) -> dict[str, Any]:
    series = options.devices * METRICS
    settled, chart = (statistics.median(times[-options.minutes :]) / series for times in (ours, theirs))
    first = statistics.mean(ours[:60]) / series
    share = settled * _FLEET * METRICS / _MINUTE
    return {
        "devices": options.devices,
        "metrics": METRICS,
        "minutes": options.minutes,
        "minutes_before": options.minutes_before,
        "cores": cores,
        "cpu_ns_per_value": round(1e9 * settled, 1),
        "cpu_ns_per_value_in_the_first_hour": round(1e9 * first, 1),
        "cpu_seconds_per_minute_of_a_million_devices": round(settled * _FLEET * METRICS, 2),
        "share_of_one_core": round(share, 4),
        "goal_share_of_one_core": 0.10,
        "alarms": alarms,
        "bytes_per_device": round(memory / options.devices),
        "gigabytes_per_million_devices": round(memory / options.devices * _FLEET / 1e9, 1),
        "reference_cpu_ns_per_value": round(1e9 * chart, 1),
        "ratio": round(chart / settled, 3) if settled > 0 else None,
        "peak_memory_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024,
        "reference": "running mean and deviation of each metric as arrays, on the same values in the same minutes",
    }
