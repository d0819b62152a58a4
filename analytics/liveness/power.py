"""How a device is powered, and what may be expected of it: how often it speaks, and after how much silence it is late or gone."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import timedelta
from typing import Literal

PowerClass = Literal["mains", "battery", "sleepy", "unknown"]
PowerSource = Literal["registry", "bridge", "metrics", "convention", "nothing"]

_MINUTE, _HOUR = timedelta(minutes=1), timedelta(hours=1)
SHORTEST, LONGEST = timedelta(minutes=1), timedelta(days=7)
"""No interval is taken for shorter or longer."""
WORD_TRUST = 4.0
"""A device that said it is online and sent no last will is given so much more silence: many speak only when something happens."""
BATTERY_METRICS = frozenset({"battery_pct", "battery_v", "battery_low"})
MAINS_METRICS = frozenset({"voltage_v", "current_a", "power_w", "frequency_hz", "energy_kwh", "apparent_power_va"})
_BATTERY_MEANS_SLEEPY = frozenset({"zigbee2mqtt", "shelly_gen1", "shelly_gen2", "home_assistant"})
_ON_MAINS = frozenset({"tasmota"})


@dataclass(frozen=True, slots=True)
class Terms:
    """What holds for a power class. ``prior`` is the interval until one is learned; thresholds are multiples of it, never below a floor.

    Zigbee2MQTT gives mains devices 10 minutes and battery devices 25 hours before it calls them offline (its device availability
    page); the floors here are of that order.
    """

    prior: timedelta
    late_factor: float
    late_floor: timedelta
    offline_factor: float
    offline_floor: timedelta

    def late_after(self, interval: timedelta) -> timedelta:
        """Silence after which the device is late."""
        return max(self.late_floor, self.late_factor * interval)

    def offline_after(self, interval: timedelta) -> timedelta:
        """Silence after which it is offline; always more than for being late."""
        return max(self.offline_floor, self.offline_factor * interval)


TERMS: dict[PowerClass, Terms] = {
    "mains": Terms(10 * _MINUTE, 3, 5 * _MINUTE, 6, 15 * _MINUTE),
    "battery": Terms(_HOUR, 3, 30 * _MINUTE, 6, 2 * _HOUR),
    "sleepy": Terms(8 * _HOUR, 2, 2 * _HOUR, 3, 25 * _HOUR),
    "unknown": Terms(_HOUR, 3, 30 * _MINUTE, 6, 2 * _HOUR),
}
FINDING_FACTOR: dict[PowerClass, float] = {"mains": 1.0, "battery": 2.0, "sleepy": 4.0, "unknown": 2.0}
"""How much longer than a device on the mains one may be offline before that is a finding."""


def power_of(
    *, planned: str | None, source: str | None, metrics: Collection[str], convention: str | None
) -> tuple[PowerClass, PowerSource]:
    """The power class and what tells it, strongest first: a person, the bridge's ``power_source``, metrics, the convention."""
    for known in TERMS:
        if planned == known:
            return known, "registry"
    told = (source or "").lower()
    if "battery" in told:  # a Zigbee device on a battery is a sleepy end device
        return "sleepy", "bridge"
    if "mains" in told or "dc source" in told:
        return "mains", "bridge"
    if not MAINS_METRICS.isdisjoint(metrics):
        return "mains", "metrics"
    if not BATTERY_METRICS.isdisjoint(metrics):
        return ("sleepy" if convention in _BATTERY_MEANS_SLEEPY else "battery"), "metrics"
    if convention in _ON_MAINS:
        return "mains", "convention"
    return "unknown", "nothing"
