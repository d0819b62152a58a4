"""What is watched for anomalies: daily quantities derived from metrics, each with the failure mode it speaks for.

A derived quantity is used where the raw metric moves for good reasons. Charge falls by itself, its daily loss does not rise by itself; a
room's temperature is the weather and the people, its distance from a second sensor is the sensor. Metrics that only tell how a
device is used (power, motion, setpoints) are not watched: a holiday is not a fault.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np

from analytics.panel import Floats, Panel
from hearthwatch.failure_modes import MODES, UNEXPECTED_REBOOTS, mode_of_metric

Days = Mapping[str, Floats]
"""Metric: values of shape (devices, days)."""


@dataclass(frozen=True, slots=True)
class Signal:
    """One watched quantity. ``metric`` is the one it speaks for, ``needs`` what it is computed from, ``unless`` metrics that say it better.

    ``bad`` is the direction that worries; ``floor`` the smallest standard deviation it is given, in its own unit: what is less than a
    few of it is no fault, however regular the device was.
    """

    id: str
    metric: str
    needs: tuple[str, ...]
    unless: tuple[str, ...]
    bad: Literal["high", "low", "both"]
    floor: float
    over: Callable[[Days], Floats]
    """Its value on every day, shape (devices, days), from that day and the one before."""
    called: str = ""
    """What a person reads for it; empty: its metric."""
    joined: bool = False
    """Joined signals of a mode see the same event in two ways: their bets are averaged and not counted twice."""

    @property
    def mode(self) -> str:
        """The failure mode it speaks for."""
        return mode_of_metric(self.metric).id


def _today(metric: str) -> Callable[[Days], Floats]:
    return lambda days: days[metric]


def _log(metric: str) -> Callable[[Days], Floats]:
    """Relative change: resistance, current, memory differ by factors between devices."""

    def derive(days: Days) -> Floats:
        value = days[metric]
        return np.log(np.where(value > 0, value, np.nan))

    return derive


def _log_product(metric: str, other: str) -> Callable[[Days], Floats]:
    one, two = _log(metric), _log(other)
    return lambda days: one(days) + two(days)


def _count(metric: str) -> Callable[[Days], Floats]:
    """A daily count, on a scale on which chance moves large and small counts alike (Anscombe's root)."""
    return lambda days: 2 * np.sqrt(np.maximum(days[metric], 0.0) + 0.375)


def _loss(metric: str) -> Callable[[Days], Floats]:
    """How much was lost since the eve; a rise (it was charged or changed) says nothing."""

    def derive(days: Days) -> Floats:
        left = days[metric]
        lost = np.full(left.shape, np.nan)
        lost[:, 1:] = left[:, :-1] - left[:, 1:]
        return np.where(lost > -1.0, np.maximum(lost, 0.0), np.nan)

    return derive


def _difference(metric: str, reference: str) -> Callable[[Days], Floats]:
    return lambda days: days[metric] - days[reference]


def _plain(metric: str, bad: Literal["high", "low", "both"], floor: float, *unless: str) -> Signal:
    return Signal(metric, metric, (metric,), unless, bad, floor, _today(metric))


def _relative(metric: str, bad: Literal["high", "low"], floor: float, *unless: str) -> Signal:
    return Signal(f"log_{metric}", metric, (metric,), unless, bad, floor, _log(metric))


def _counted(metric: str, *unless: str) -> Signal:
    return Signal(f"{metric}_per_day", metric, (metric,), unless, "high", 0.5, _count(metric), f"{metric} per day")


_PCT, _REFERENCE = "battery_pct", "reference_temperature_c"

SIGNALS: tuple[Signal, ...] = (
    Signal("battery_loss", _PCT, (_PCT,), (), "high", 0.3, _loss(_PCT), "battery_pct lost per day"),
    _plain("battery_v", "low", 0.01, _PCT),
    _plain("battery_low", "high", 0.1, _PCT, "battery_v"),
    _relative("relay_contact_mohm", "high", 0.02),
    Signal(
        "temperature_error_c",
        "temperature_c",
        ("temperature_c", _REFERENCE),
        (),
        "both",
        0.05,
        _difference("temperature_c", _REFERENCE),
        "temperature_c less reference_temperature_c",
    ),
    _plain("temperature_c", "both", 0.1, _REFERENCE),
    _plain("humidity_pct", "both", 0.5, _REFERENCE),
    _plain("rssi_dbm", "low", 1.5),
    _plain("link_quality_pct", "low", 0.5, "rssi_dbm"),
    _counted("wifi_reconnects"),
    _counted("sync_failed"),
    _relative("free_heap_bytes", "low", 0.03),
    _counted(UNEXPECTED_REBOOTS),
    # A motor's speed follows its voltage: a lock that is slow because its cells are low has no worn motor.
    Signal(
        "actuation_work",
        "actuation_s",
        ("actuation_s", "battery_v"),
        (),
        "high",
        0.01,
        _log_product("actuation_s", "battery_v"),
        "actuation_s for its voltage",
    ),
    _relative("actuation_s", "high", 0.01, "battery_v"),
    _relative("motor_current_a", "high", 0.01),
    _relative("frame_rate_fps", "low", 0.04),
    # Without a second thermometer this is mostly the weather, so only many degrees count.
    _plain("device_temperature_c", "high", 4.0),
    _plain("flash_wear_pct", "high", 1.0),
)

NOVELTY, STRUCTURE = "hourly_novelty", "hourly_structure"
DAY_PEAKS: tuple[Signal, ...] = tuple(
    Signal(name, name, (name,), (), "high", floor, _today(name), called, joined=True)
    for name, floor, called in (
        (NOVELTY, 0.1, "how new its hours are to itself"),
        (STRUCTURE, 0.03, "how far its metrics together leave what they were"),
    )
)
"""A day's number of each scorer that looks at hours, as a logarithm; not derived from daily metrics (analytics/anomaly/hourly.py)."""

HOURLY_METRICS: tuple[str, ...] = (
    "actuation_s",
    "battery_pct",
    "battery_v",
    "device_temperature_c",
    "frame_rate_fps",
    "free_heap_bytes",
    "frequency_hz",
    "fs_free_bytes",
    "humidity_pct",
    "link_quality_pct",
    "load_average",
    "motor_current_a",
    "pressure_hpa",
    _REFERENCE,
    "relay_contact_mohm",
    "rssi_dbm",
    "supply_v",
    "temperature_c",
    "voltage_v",
)
"""The gauges whose hours are watched: what tells of the device and its surroundings, not of how it is used."""

BY_ID = {signal.id: signal for signal in SIGNALS}
METRICS = frozenset(metric for signal in SIGNALS for metric in signal.needs) - {UNEXPECTED_REBOOTS}
"""All metrics that signals are computed from, as a store knows them."""


def signals_for(metrics: Collection[str]) -> tuple[Signal, ...]:
    """The signals of devices that report some metrics, in the order of the list."""
    known = set(metrics)
    return tuple(signal for signal in SIGNALS if known.issuperset(signal.needs) and known.isdisjoint(signal.unless))


def derived(panel: Panel) -> Panel:
    """The panel with all derived quantities beside its metrics, under their ids: what shows a fault also foretells its end."""
    extra = {
        signal.id: signal.over(panel.values)
        for signal in SIGNALS
        if signal.id != signal.metric and panel.values.keys() >= set(signal.needs)
    }
    return replace(panel, values={**panel.values, **extra})


def raw_metrics(names: Collection[str]) -> list[str]:
    """The metrics that a store must give for some columns: derived quantities stand for what they are computed from."""
    found: set[str] = set()
    for name in names:
        found |= set(BY_ID[name].needs) if name in BY_ID else {name}
    return sorted(found - {UNEXPECTED_REBOOTS})


WEAR_COUNTERS = {"relay": ("relay_cycles",), "motor": ("lock_cycles",), "flash": ("flash_written_mb",)}
"""Counters of what wears a part out."""


def metrics_of_part(part: str, known: Collection[str]) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """What may foretell the failure of a part: signals or metrics, and totals of counters, sorted.

    For a part of the list of failure modes these are the signals that watch it: a few dozen failures cannot tell chance from cause
    among a hundred columns, and a raw metric beside its signal (the charge beside its daily loss) tells where in its life a device
    of the past was, not what is wrong with it. For any other part they are all metrics, and no signals.
    """
    signals = tuple(sorted(s.id for s in signals_for(known) if MODES[s.mode].part == part))
    if signals:
        return signals, tuple(name for name in WEAR_COUNTERS.get(part, ()) if name in known)
    plain = tuple(sorted(name for name in known if name not in BY_ID or BY_ID[name].metric == name))
    return plain, plain


@dataclass(frozen=True, slots=True)
class Stream:
    """One question to one signal: does it leave its place to the bad side? ``sign`` is +1 for upwards, -1 for downwards."""

    signal: int
    sign: int
    mode: str


def streams_of(signals: Collection[Signal]) -> tuple[Stream, ...]:
    """The streams of some signals; one that may be wrong to both sides has two."""
    signs = {"high": (1,), "low": (-1,), "both": (1, -1)}
    return tuple(Stream(place, sign, signal.mode) for place, signal in enumerate(signals) for sign in signs[signal.bad])
