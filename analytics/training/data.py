"""What a hazard learns from: the device-days of one device model, and the lives of one part in it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

import numpy as np

from analytics.arrival import NOTHING_LATE, Late, late_in
from analytics.features import Background, Feature, features_of
from analytics.labels import Labels, born
from analytics.lives import Lives, lives_of
from analytics.panel import Floats, Panel, day_number, day_start, panel_of
from analytics.signals import derived, metrics_of_part
from analytics.training.drawing import drawn
from hearthwatch.ports import TelemetryStore
from hearthwatch.records.late_days import LateDay
from hearthwatch.values import Device

HISTORY = timedelta(days=730)
MIN_COVERAGE = 0.02
SETTLE_DAYS = 7
"""A new part is not judged for so long: what is known of its device is still about the old one."""


@dataclass(frozen=True, slots=True)
class Data:
    """The device-days of one device model; ``late`` are those of which something came after their morning. ``weight`` is how many of the
    fleet's devices each one stands for, ``fleet`` how many there are."""

    devices: Sequence[Device]
    panel: Panel
    background: Background
    covered: frozenset[str]
    columns: tuple[Feature, ...]
    weight: Floats
    fleet: int
    late: Late = NOTHING_LATE

    def for_part(self, labels: Labels, part: str) -> Data:
        """With the columns and services of one part."""
        background = replace(self.background, serviced=services(self.devices, labels, part))
        return replace(self, background=background, columns=features_of(*metrics_of_part(part, self.covered)))


def read_data(
    store: TelemetryStore, labels: Labels, model: str, now: datetime, late: Sequence[LateDay] = ()
) -> Data | None:
    """The panel of a model's devices from their first day on, two years back at most; None without telemetry. Of a large fleet a draw."""
    fleet = labels.by_model[model]
    seen = [device.first_seen for device in fleet if device.first_seen is not None]
    if not seen:
        return None
    last = day_number(now) - 1
    first = max(day_number(min(seen)), day_number(now - HISTORY))
    if first > last:
        return None
    devices, weight = drawn(fleet, labels, last - first + 1)
    names = [device.id for device in devices]
    since, until = day_start(first), day_start(last + 1)
    panel = panel_of(
        store.daily(since, until, devices=names),
        store.events(since, until, devices=names, kinds=["reboot"]),
        first_day=first,
        days=last - first + 1,
        devices=names,
    )
    panel = derived(panel)
    covered = frozenset(name for name, values in panel.values.items() if _covered(values, panel))
    background = Background(np.zeros(len(devices), dtype=np.int64), np.array([born(device) for device in devices]), {})
    return Data(devices, panel, background, covered, (), weight, len(fleet), late_in(panel, late))


def _covered(values: Floats, panel: Panel) -> bool:
    return bool((~np.isnan(values)).sum() >= MIN_COVERAGE * max(int(panel.present.sum()), 1))


def lives_of_part(data: Data, labels: Labels, part: str) -> Lives:
    """How long each device-day was still followed, and whether the part failed."""
    row_of = {name: row for row, name in enumerate(data.panel.devices)}
    failures = {
        row_of[device]: days for (device, of), days in labels.failures.items() if of == part and device in row_of
    }
    renewed = {row_of[device]: days for (device, of), days in labels.renewed.items() if of == part and device in row_of}
    ended = {row_of[d.id]: day_number(d.removed_at) for d in data.devices if d.removed_at is not None}
    return lives_of(data.panel, failures, renewed, ended=ended, settle=SETTLE_DAYS)


def services(devices: Sequence[Device], labels: Labels, part: str) -> dict[int, Sequence[int]]:
    """Days on which a part was renewed in each device, by row; what it came with is no service."""
    found: dict[int, Sequence[int]] = {}
    for row, device in enumerate(devices):
        days = [day for day in labels.renewed.get((device.id, part), ()) if day > born(device) + 1]
        if days:
            found[row] = days
    return found
