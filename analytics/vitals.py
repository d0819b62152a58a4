"""Vitals of the fleet by day, model, hardware and firmware, as sums, so that any period and grouping is a ratio of sums.

The exact definitions stand in docs/metrics.md. A device-hour counts when the device was heard of in it (a reading or an event of a reboot);
a device that crashes faster than it reports still counts with the hours in which it crashed. Devices marked as test devices do not count.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from datetime import datetime, timedelta
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from analytics.panel import Floats, day_number, day_start, panel_of
from hearthwatch.firmware import version
from hearthwatch.metrics import REBOOT_CODES_EXPECTED
from hearthwatch.ports import TelemetryStore
from hearthwatch.records import blindness, devices, vitals
from hearthwatch.records.database import Database
from hearthwatch.records.vitals import VitalsRow
from hearthwatch.values import Device

DAYS = 3
"""Late data comes: so many days are computed again in every run, today's beginning included."""
UNKNOWN = "unknown"
HOURS = 24
_HOUR_US = 3_600_000_000
_METRICS = ("battery_pct", "rssi_dbm", "sync_failed", "sync_ok")
EVERYTHING = 10_000_000

Key = tuple[int, str, str, str]
"""Day, model, hardware, firmware."""


def compute_vitals(store: TelemetryStore, database: Database, now: datetime) -> dict[str, Any]:
    """Compute today and the `DAYS` days before it, writing over what was computed earlier. The same data give the same rows."""
    first, last = day_number(now) - DAYS, day_number(now)
    with database.reading() as connection:
        known = {d.id: d for d in devices.list_devices(connection, test=False, limit=EVERYTHING)}
        spans = blindness.between(connection, day_start(first), now, now)
    blind = {
        hour for hour in blindness.hours_of(spans, now) if hour < int(now.timestamp()) // 3600
    }  # those that are over
    groups = _Groups(known)
    _take_hours(groups, store, first, last, now, blind)
    _take_metrics(groups, store, first, last)
    rows = groups.rows()
    with database.transaction(alone=False) as connection:
        vitals.put(connection, rows)
    return {"since": day_start(first).date().isoformat(), "groups": len(rows), "device_days": groups.device_days}


class _Groups:
    """Sums in the making."""

    def __init__(self, known: Mapping[str, Device]) -> None:
        self._known = known
        self._sums: dict[Key, dict[str, float]] = {}
        self._devices: dict[Key, set[str]] = {}

    def add(self, device: str, day: int, firmware: str | None, **amounts: float) -> None:
        """Add amounts to the group that a device belonged to on a day; unknown and test devices are left out."""
        about = self._known.get(device)
        if about is None:
            return
        said = firmware or about.firmware
        key = (day, about.model or UNKNOWN, about.hardware or UNKNOWN, version(said).text if said else UNKNOWN)
        sums = self._sums.setdefault(key, {})
        for name, amount in amounts.items():
            sums[name] = sums.get(name, 0.0) + amount
        self._devices.setdefault(key, set()).add(device)

    @property
    def devices(self) -> list[str]:
        """The devices that count, sorted."""
        return sorted(self._known)

    @property
    def device_days(self) -> int:
        """Device-days of all groups; a device that changed its firmware counts in both."""
        return sum(len(members) for members in self._devices.values())

    def rows(self) -> list[VitalsRow]:
        """One row for each group, in order."""
        return [
            VitalsRow(
                day_start(key[0]),
                key[1],
                key[2],
                key[3],
                len(self._devices[key]),
                {name: round(value, 6) for name, value in sorted(self._sums[key].items())},
            )
            for key in sorted(self._sums)
        ]


def _take_hours(
    groups: _Groups, store: TelemetryStore, first: int, last: int, now: datetime, blind: AbstractSet[int]
) -> None:
    """Hours heard, hours crashed in, unexpected reboots, hours in which a device should have been heard."""
    since, until = day_start(first), day_start(last + 1)
    exposure = store.exposure(since, until)
    reboots = unexpected(store.events(since, until, kinds=["reboot"]))
    heard = pa.concat_tables([_hours(exposure, "hour"), _hours(reboots, "at")]).group_by(["device", "hour"])
    by_hour = heard.aggregate([("crashes", "sum"), ("firmware", "max")])
    table = pa.table(
        {
            "device": by_hour.column("device"),
            "day": pc.divide(by_hour.column("hour"), HOURS),
            "firmware": by_hour.column("firmware_max"),
            "free": pc.equal(by_hour.column("crashes_sum"), 0).cast(pa.int64()),
            "crashes": by_hour.column("crashes_sum"),
        }
    )
    by_day = table.group_by(["device", "day", "firmware"]).aggregate(
        [("free", "count"), ("free", "sum"), ("crashes", "sum")]
    )
    names = ("device", "day", "firmware", "free_count", "free_sum", "crashes_sum")
    hours: dict[tuple[str, int], list[tuple[int, str | None]]] = {}
    for device, day, firmware, total, free, crashes in zip(*(by_day.column(n).to_pylist() for n in names), strict=True):
        groups.add(device, day, firmware, hours=total, crash_free_hours=free, unexpected_reboots=crashes)
        hours.setdefault((device, day), []).append((total, firmware))
    _take_expected(groups, hours, _unheard_blind(by_hour, blind), now)


def _unheard_blind(by_hour: pa.Table, blind: AbstractSet[int]) -> Callable[[str, int], int]:
    """Of a device and day: the hours in which nobody could be heard and it was not. What came late all the same counts as heard."""
    of_day = Counter(hour // HOURS for hour in blind)
    heard: Counter[tuple[str, int]] = Counter()
    if blind:
        late = by_hour.filter(pc.is_in(by_hour.column("hour"), value_set=pa.array(sorted(blind), pa.int64())))
        heard.update(
            (device, hour // HOURS)
            for device, hour in set(
                zip(late.column("device").to_pylist(), late.column("hour").to_pylist(), strict=True)
            )
        )
    return lambda device, day: of_day[day] - heard[device, day]


def _take_expected(
    groups: _Groups,
    hours: Mapping[tuple[str, int], Sequence[tuple[int, str | None]]],
    unheard_blind: Callable[[str, int], int],
    now: datetime,
) -> None:
    """Connectivity: of the hours of a day (of today, those that are over), in how many was a device heard that was heard at all.

    Hours in which nobody could be heard are not expected. The device-day and both sums go to the firmware the device was heard on most, so
    that an update does not count a day twice.
    """
    today = day_number(now)
    over = (now - day_start(today)) // timedelta(hours=1)
    for (device, day), parts in hours.items():
        firmware = max(parts, key=lambda part: (part[0], part[1] or ""))[1]
        heard, expected = sum(total for total, _ in parts), over if day == today else HOURS
        expected = max(0, expected - unheard_blind(device, day))
        groups.add(device, day, firmware, device_days=1, connected_hours=min(heard, expected), expected_hours=expected)


def _take_metrics(groups: _Groups, store: TelemetryStore, first: int, last: int) -> None:
    """Battery loss between neighbouring days, mean signal, synchronisations; all to the day's last firmware."""
    names = groups.devices
    daily = store.daily(day_start(first - 1), day_start(last + 1), metrics=list(_METRICS))
    panel = panel_of(daily, None, first_day=first - 1, days=last - first + 2, devices=names)
    nothing = np.full(panel.present.shape, np.nan)
    sums: dict[str, Floats] = {name: panel.values.get(name, nothing)[:, 1:] for name in ("sync_ok", "sync_failed")}
    charge, signal = panel.values.get("battery_pct", nothing), panel.values.get("rssi_dbm", nothing)[:, 1:]
    loss = charge[:, :-1] - charge[:, 1:]
    sums["battery_loss_pct"] = np.where(loss >= 0, loss, np.nan)
    sums["battery_days"] = np.where(loss >= 0, 1.0, np.nan)
    sums["signal_dbm"], sums["signal_days"] = signal, np.where(np.isnan(signal), np.nan, 1.0)
    for device, day in zip(*(axis.tolist() for axis in np.nonzero(panel.present[:, 1:])), strict=True):
        code = panel.firmware[device, day + 1]
        amounts = {
            name: float(array[device, day]) for name, array in sums.items() if array[device, day] == array[device, day]
        }
        groups.add(names[device], first + day, panel.firmwares[code] if code >= 0 else None, **amounts)


def unexpected(events: pa.Table) -> pa.Table:
    """The reboots among some events that nobody asked for."""
    codes = pc.fill_null(events.column("code"), "")
    expected = pa.array(sorted(REBOOT_CODES_EXPECTED), type=pa.string())
    return events.filter(pc.invert(pc.is_in(codes, expected)))


def _hours(table: pa.Table, time: str) -> pa.Table:
    hour = pc.divide(table.column(time).cast(pa.timestamp("us", "UTC")).cast(pa.int64()), _HOUR_US)
    crashes = np.full(table.num_rows, 1 if time == "at" else 0)
    return pa.table(
        {
            "device": table.column("device").cast(pa.string()),
            "hour": hour,
            "firmware": table.column("firmware").cast(pa.string()),
            "crashes": pa.array(crashes, pa.int64()),
        }
    )
