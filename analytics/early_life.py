"""The early life of devices, remembered: its means are a baseline for ever, and are read from the telemetry only once."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import numpy as np
from sqlalchemy import Connection

from analytics.features import EARLY_DAYS, first_days
from analytics.labels import Labels
from analytics.panel import Floats, Panel, day_number, day_start, panel_of
from analytics.signals import derived
from hearthwatch.ports import TelemetryStore
from hearthwatch.records import analysis_states
from hearthwatch.records.database import Database
from hearthwatch.values import Device

NAME = "early_life"


@dataclass(frozen=True, slots=True)
class EarlyLives:
    """First day with data, and the means of the first `EARLY_DAYS` where they are complete, by device. ``fresh``: not saved yet."""

    first: Mapping[str, int]
    complete: Mapping[str, Mapping[str, float]]
    fresh: Mapping[str, Any] = field(default_factory=dict)

    def first_seen(self, devices: Sequence[Device]) -> Floats:
        """First days, shape (devices,), NaN where there is none."""
        return np.array([self.first.get(device.id, np.nan) for device in devices], dtype=np.float64)

    def means(self, devices: Sequence[Device]) -> dict[str, Floats]:
        """By metric, shape (devices,); NaN where the early life is not complete, so that the panel gives it."""
        metrics = {metric for device in devices for metric in self.complete.get(device.id, ())}
        return {
            metric: np.array([self.complete.get(device.id, {}).get(metric, np.nan) for device in devices])
            for metric in sorted(metrics)
        }

    def save(self, connection: Connection, now: datetime) -> None:
        """Keep what was completed in this run."""
        analysis_states.save(connection, NAME, self.fresh, now)


def early_lives(store: TelemetryStore, database: Database, labels: Labels, panel: Panel, now: datetime) -> EarlyLives:
    """The early lives of the panel's devices: remembered, else from the panel, else (devices older than it) read once from the store."""
    with database.reading() as connection:
        saved = analysis_states.load(connection, NAME)
    first = {name: int(state["first"]) for name, state in saved.items()}
    complete: dict[str, Mapping[str, float]] = {name: state["means"] for name, state in saved.items()}
    fresh: dict[str, Any] = {}
    begun = {d.id: day_number(d.first_seen) for devices in labels.by_model.values() for d in devices if d.first_seen}
    active = [name for row, name in enumerate(panel.devices) if panel.present[row].any() and name not in saved]
    older = [name for name in active if begun.get(name, panel.first_day) < panel.first_day]
    for source in (panel, _old_panel(store, older, begun)):
        if source is None:
            continue
        wanted = older if source is not panel else [name for name in active if name not in set(older)]
        _take(derived(source), wanted, day_number(now), first, complete, fresh)
    return EarlyLives(first, complete, fresh)


def _old_panel(store: TelemetryStore, names: Sequence[str], begun: Mapping[str, int]) -> Panel | None:
    if not names:
        return None
    since = min(begun[name] for name in names) - 1
    until = max(begun[name] for name in names) + EARLY_DAYS + 1
    begin, end = day_start(since), day_start(until)
    return panel_of(
        store.daily(begin, end, devices=list(names)),
        store.events(begin, end, devices=list(names), kinds=["reboot"]),
        first_day=since,
        days=until - since,
        devices=names,
    )


def _take(
    panel: Panel,
    names: Sequence[str],
    today: int,
    first: dict[str, int],
    complete: dict[str, Mapping[str, float]],
    fresh: dict[str, Any],
) -> None:
    begins = first_days(panel)
    row_of = {name: row for row, name in enumerate(panel.devices)}
    for name in names:
        row = row_of[name]
        if np.isnan(begins[row]):
            continue
        begin = int(begins[row])
        first[name] = begin
        if begin + EARLY_DAYS > today:
            continue
        span = slice(begin - panel.first_day, begin - panel.first_day + EARLY_DAYS)
        means = {
            metric: float(np.nanmean(values[row, span]))
            for metric, values in panel.values.items()
            if not np.isnan(values[row, span]).all()
        }
        complete[name] = means
        fresh[name] = {"first": begin, "means": {metric: float(f"{value:.9g}") for metric, value in means.items()}}
