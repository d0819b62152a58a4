"""A small fleet of one model in the real stores, played hour by hour or all at once."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
import pyarrow as pa

from analytics.cohorts.watch import watch_releases
from hearthwatch.ports import TelemetryStore
from hearthwatch.records import devices, releases
from hearthwatch.records.database import Database
from hearthwatch.values import Assignment, Event, Release

START = datetime(2026, 5, 1, tzinfo=UTC)
HOUR = timedelta(hours=1)
OPTIONS: Mapping[str, Any] = {
    "margin": 1.05,
    "guard": 30,
    "burn_in": timedelta(hours=24),
    "page_fdr": 0.10,
    "watch_fdr": 0.20,
    "relapse": timedelta(days=7),
}


@dataclass(slots=True)
class Scene:
    """Devices ``d0000``... that report every hour. ``update`` is the hour (from `START`) each device gets 2.0; before, it runs 1.0.

    ``rate`` is each device's unexpected reboots per day on 1.0, ``ratio`` what 2.0 multiplies it by. ``metrics`` are further values by
    device and hour, shape (devices, hours), NaN where a device tells none. ``mute``: reboots happen, but no event tells of them.
    ``versions`` are what the devices run before and after, those in ``second`` the third one.
    """

    store: TelemetryStore
    database: Database
    update: np.ndarray[Any, np.dtype[np.int64]]
    rate: np.ndarray[Any, np.dtype[np.float64]]
    ratio: float = 1.0
    days: int = 28
    seed: int = 0
    model: str = "lock"
    metrics: Mapping[str, np.ndarray[Any, np.dtype[np.float64]]] = field(default_factory=dict)
    mute: bool = False
    versions: tuple[str, str, str] = ("1.0", "2.0", "2.1")
    second: np.ndarray[Any, np.dtype[np.bool_]] | None = None
    reboots: np.ndarray[Any, np.dtype[np.int64]] = field(init=False)

    def __post_init__(self) -> None:
        rng = np.random.default_rng(self.seed)
        hours = np.arange(self.days * 24)
        rate = self.rate[:, None] / 24.0 * np.where(hours >= self.update[:, None], self.ratio, 1.0)
        self.reboots = rng.poisson(rate)

    @property
    def ids(self) -> list[str]:
        return [f"d{index:04d}" for index in range(self.update.size)]

    @property
    def _after(self) -> np.ndarray[Any, np.dtype[np.str_]]:
        """The version each device updates to."""
        second = np.zeros(self.update.size, dtype=bool) if self.second is None else self.second
        return np.where(second, self.versions[2], self.versions[1])

    def register(self, **changes: Any) -> None:
        """Put the devices into the records, as they are before the update."""
        rows = [
            {"id": name, "model": self.model, "hardware": "A", "region": "north", "firmware": "1.0", **changes}
            for name in self.ids
        ]
        with self.database.transaction() as connection:
            devices.register(connection, rows)

    def release(self, at: int, assignment: Assignment = "randomised", version: str = "2.0") -> Release:
        with self.database.transaction() as connection:
            return releases.create(
                connection,
                model=self.model,
                version=version,
                replaces=None,
                assignment=assignment,
                released_at=START + at * HOUR,
            )

    def play(self, begin: int, end: int, *, skip: frozenset[tuple[int, int]] = frozenset()) -> None:
        """What the devices report in the hours [begin, end), except (device, hour) in ``skip``; registry kept in step."""
        device, hour = np.meshgrid(np.arange(self.update.size), np.arange(begin, end), indexing="ij")
        rows = np.stack((device.ravel(), hour.ravel()), axis=1)
        if skip:
            rows = rows[[(d, h) not in skip for d, h in rows.tolist()]]
        self.write(rows)
        moved = [index for index, at in enumerate(self.update.tolist()) if begin <= at < end]
        if moved:
            changed = [{"id": self.ids[index], "firmware": str(self._after[index])} for index in moved]
            with self.database.transaction() as connection:
                devices.register(connection, changed)

    def write(self, rows: Any) -> None:
        """The readings and events of (device, hour)."""
        device, hour = np.asarray(rows, dtype=np.int64).T
        names, firmware = (
            np.array(self.ids),
            np.where(hour >= self.update[device], self._after[device], self.versions[0]),
        )
        at = int(START.timestamp()) + hour * 3600 + 1800
        table = pa.table(
            {
                "device": names[device],
                "at": pa.array(at * 1_000_000, pa.timestamp("us", "UTC")),
                "firmware": firmware,
                "rssi_dbm": np.full(device.size, -60.0),
                **{name: pa.array(values[device, hour], from_pandas=True) for name, values in self.metrics.items()},
            }
        )
        self.store.write_table("native", table)
        counts = self.reboots[device, hour] * (not self.mute)
        events = [
            Event(
                device=str(names[device[row]]),
                stream="native/event",
                at=START + int(hour[row]) * HOUR + timedelta(minutes=3 + 5 * number),
                kind="reboot",
                code="watchdog",
                firmware=str(firmware[row]),
            )
            for row in np.flatnonzero(counts).tolist()
            for number in range(int(counts[row]))
        ]
        if events:
            self.store.write(events)
        self.store.rollup(START + self.days * 24 * HOUR)

    def look(self, hour: int, **options: Any) -> Mapping[str, Any]:
        return watch_releases(self.store, self.database, START + hour * HOUR, **{**OPTIONS, **options})
