"""The vitals as people read them: ratios of the sums that `analytics.vitals` keeps. Defined in docs/metrics.md."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Vital:
    """A ratio of two sums times ``scale``; ``unit`` is that of the result, ``%`` for a share between 0 and 1."""

    name: str
    heading: str
    unit: str
    numerator: str
    denominator: tuple[str, ...]
    scale: float = 1.0


VITALS: tuple[Vital, ...] = (
    Vital("crash_free_hours", "Crash-free hours", "%", "crash_free_hours", ("hours",)),
    Vital("unexpected_reboots", "Reboots per 1,000 h", "1/1000 h", "unexpected_reboots", ("hours",), 1000.0),
    Vital("connectivity", "Connectivity", "%", "connected_hours", ("expected_hours",)),
    Vital("sync_success", "Sync success", "%", "sync_ok", ("sync_ok", "sync_failed")),
    Vital("battery_drain", "Battery, % a day", "%/d", "battery_loss_pct", ("battery_days",)),
    Vital("signal", "Signal, dBm", "dBm", "signal_dbm", ("signal_days",)),
)


def ratios(sums: Mapping[str, float]) -> dict[str, float | None]:
    """Every vital of some sums; None where the denominator is missing or nothing."""
    found: dict[str, float | None] = {}
    for vital in VITALS:
        below = sum(sums.get(name, 0.0) for name in vital.denominator)
        found[vital.name] = vital.scale * sums.get(vital.numerator, 0.0) / below if below else None
    return found
