"""Hourly values of simulated devices whose metrics belong together: a day's course, a load that moves four of them, own places, noise."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta

import numpy as np
import pyarrow as pa

from analytics.panel import Floats
from hearthwatch.ports import TelemetryStore
from tests.unit.analytics.fleets import START

METRICS = ("temperature_c", "rssi_dbm", "free_heap_bytes", "device_temperature_c", "supply_v", "load_average")


def lively(seed: int, count: int, days: int) -> Floats:
    """Six metrics of healthy devices, shape (hours, devices, metrics), in the order of `METRICS`."""
    rng = np.random.default_rng(seed)
    hours = days * 24
    weather = np.cumsum(rng.normal(0, 0.05, hours))[:, None]
    day = np.sin(2 * np.pi * (np.arange(hours)[:, None] % 24 - rng.normal(0, 1, (1, count))) / 24)
    load = np.abs(rng.normal(size=(hours, count))) * (1 + 0.5 * day)

    def own(spread: float) -> Floats:
        return rng.normal(0, spread, (1, count))

    room = 21 + own(1) + 2 * day + 0.3 * weather + 0.4 * lasting(rng, hours, count, 0.8)
    return np.stack(
        [
            room,
            -60 + own(6) - day + 1.5 * lasting(rng, hours, count, 0.6),
            30_000 * (1 + own(0.05)) - 800 * load + rng.normal(0, 150, (hours, count)),
            room + 12 + own(2) + 1.5 * load + rng.normal(0, 0.3, (hours, count)),
            5 + own(0.02) - 0.03 * load + rng.normal(0, 0.004, (hours, count)),
            0.2 + 0.15 * load + 0.02 * rng.standard_t(5, (hours, count)),
        ],
        axis=2,
    )


def lasting(rng: np.random.Generator, hours: int, count: int, share: float) -> Floats:
    """Unit-variance noise of which a share lasts from hour to hour."""
    noise = rng.normal(size=(hours, count))
    for hour in range(1, hours):
        noise[hour] = share * noise[hour - 1] + np.sqrt(1 - share**2) * noise[hour]
    return noise


def stuck(values: Floats, device: int, day: int, metric: str = "temperature_c") -> Floats:
    """One metric stays at its mean from a day on: in range, and dead."""
    broken, column = values.copy(), METRICS.index(metric)
    broken[day * 24 :, device, column] = values[: day * 24, device, column].mean()
    return broken


def reversed_relation(values: Floats, device: int, day: int, metric: str = "supply_v") -> Floats:
    """From a day on one metric moves the other way about its mean: the same mean, the same spread, and wrong."""
    broken, column = values.copy(), METRICS.index(metric)
    mean = values[: day * 24, device, column].mean()
    broken[day * 24 :, device, column] = 2 * mean - values[day * 24 :, device, column]
    return broken


def late_rhythm(
    values: Floats, device: int, day: int, metrics: Sequence[str] = ("temperature_c", "rssi_dbm")
) -> Floats:
    """From a day on some metrics live twelve hours late."""
    broken = values.copy()
    for metric in metrics:
        column = METRICS.index(metric)
        broken[day * 24 :, device, column] = np.roll(values[day * 24 :, device, column], 12)
    return broken


def write_hours(
    store: TelemetryStore, values: Floats, first: int, until: int, *, firmware: str = "1.0.0", rows: Sequence[int] = ()
) -> None:
    """One reading per device and hour, at half past, of the days [first, until); NaN is nothing; ``rows``: of these devices only."""
    devices = list(rows) or list(range(values.shape[1]))
    hours = np.arange(first * 24, until * 24)
    block = values[hours][:, devices]
    at = [START + timedelta(hours=hour, minutes=30) for hour in hours.tolist()]
    table = {
        "device": pa.array([f"plug-{number:04d}" for _ in at for number in devices]),
        "at": pa.array([moment for moment in at for _ in devices], pa.timestamp("us", "UTC")),
        "firmware": pa.array([firmware] * (len(at) * len(devices))),
    }
    columns = {name: pa.array(block[:, :, column].reshape(-1), from_pandas=True) for column, name in enumerate(METRICS)}
    store.write_table("native", pa.table({**table, **columns}))
    store.rollup(START + timedelta(days=until))
