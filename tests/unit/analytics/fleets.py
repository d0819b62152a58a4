"""Small synthetic fleets: healthy devices that differ, noise, a common weather; faults on request. Not the simulator, on purpose."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta

import numpy as np
import pyarrow as pa

from analytics.panel import Floats
from hearthwatch.ports import TelemetryStore
from hearthwatch.records import devices
from hearthwatch.records.database import Database
from hearthwatch.records.devices import Sighting
from hearthwatch.values import Event

START = datetime(2026, 3, 2, tzinfo=UTC)
MODEL = "plug-x"

Values = Mapping[str, Floats]


def names(count: int) -> list[str]:
    """Device ids, in order."""
    return [f"plug-{number:04d}" for number in range(count)]


def healthy(seed: int, count: int, days: int) -> dict[str, Floats]:
    """Four metrics of healthy plugs, shape (devices, days): own level, slow wandering, weather that all share, daily noise."""
    rng = np.random.default_rng(seed)
    weather = np.cumsum(rng.normal(0, 0.3, days))
    wander = wandering(rng, count, days, share=0.4)
    return {
        "rssi_dbm": rng.normal(-60, 6, (count, 1)) + 1.1 * wander + 0.3 * weather,
        "relay_contact_mohm": 10 * np.exp(rng.normal(0, 0.2, (count, 1)) + rng.normal(0, 0.03, (count, days))),
        "free_heap_bytes": 30_000 * np.exp(rng.normal(0, 0.05, (count, 1)) + rng.normal(0, 0.01, (count, days))),
        "wifi_reconnects": np.cumsum(rng.poisson(0.2, (count, days)), axis=1) + rng.integers(0, 300, (count, 1)) * 1.0,
    }


def wandering(rng: np.random.Generator, count: int, days: int, *, share: float) -> Floats:
    """Unit-variance noise of which a share lasts from day to day."""
    noise = rng.normal(size=(count, days))
    for day in range(1, days):
        noise[:, day] = share * noise[:, day - 1] + np.sqrt(1 - share**2) * noise[:, day]
    return noise


def burnt(values: Floats, device: int, onset: int, days: int = 12) -> Floats:
    """Contact resistance that grows twelvefold within ``days`` of its onset."""
    worn = values.copy()
    for day in range(onset, values.shape[1]):
        worn[device, day] *= 1 + 11 * min((day - onset + 1) / days, 1.0) ** 1.5
    return worn


def write_days(
    store: TelemetryStore,
    values: Values,
    first: int,
    until: int,
    *,
    firmware: str = "1.0.0",
    called: Sequence[str] | None = None,
) -> None:
    """One reading per device and day, at 23:00, for the days [first, until); NaN is a day without a reading."""
    for day in range(first, until):
        here = np.asarray(~np.isnan(np.stack([array[:, day] for array in values.values()])).all(axis=0))
        ids = [name for name, there in zip(called or names(len(here)), here, strict=True) if there]
        if not ids:
            continue
        at = START + timedelta(days=day, hours=23)
        columns = {name: pa.array(array[here, day], from_pandas=True) for name, array in values.items()}
        table = {
            "device": ids,
            "at": pa.array([at] * len(ids), pa.timestamp("us", "UTC")),
            "firmware": [firmware] * len(ids),
        }
        store.write_table("native", pa.table({**table, **columns}))
    store.rollup(START + timedelta(days=until))


def write_reboots(store: TelemetryStore, device: str, day: int, count: int, code: str = "watchdog") -> None:
    """Some reboots of one device, a minute apart from noon on."""
    noon = START + timedelta(days=day, hours=12)
    store.write(
        [Event(device, "native", noon + timedelta(minutes=n), "reboot", code, firmware="1.0.0") for n in range(count)]
    )


def register(database: Database, count: int, *, model: str = MODEL, installed: datetime | None = None) -> None:
    """Registered devices, heard of on the first day."""
    at = installed or START - timedelta(days=100)
    with database.transaction() as connection:
        devices.register(
            connection,
            [{"id": name, "model": model, "hardware": "r1", "installed_at": at} for name in names(count)],
        )
        devices.see(connection, [Sighting(name, START, firmware="1.0.0") for name in names(count)])


def seen(database: Database, ids: Sequence[str], at: datetime) -> None:
    """The devices were heard of."""
    with database.transaction() as connection:
        devices.see(connection, [Sighting(name, at) for name in ids])


def morning_after(day: int) -> datetime:
    """Two o'clock on the day after a day: when the day is complete."""
    return START + timedelta(days=day + 1, hours=2)
