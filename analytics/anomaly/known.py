"""What a run knows before it begins: devices, states, services and outages of a model's devices, and its daily signals."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from analytics.anomaly.engine import State, Watch
from analytics.panel import Flags, Floats, Ints, Panel, day_start
from analytics.scorers.peers import MIN_PEERS
from analytics.silence import SILENT_DAYS
from hearthwatch.failure_modes import MODES, UNUSUAL
from hearthwatch.records.outages import PlannedOutage
from hearthwatch.values import Device, Finding


@dataclass(frozen=True, slots=True)
class Known:
    """What the records hold."""

    by_model: Mapping[str, Sequence[Device]]
    states: Mapping[str, Any]
    hours: Mapping[str, Any]
    renewed: Mapping[tuple[str, str], Sequence[int]]
    outages: Sequence[PlannedOutage]
    findings: Mapping[tuple[str, str], Finding]
    blind: AbstractSet[int]


def active_devices(panel: Panel, known: Known, model: str) -> tuple[Panel, Sequence[Device]]:
    """The devices of a model that have data in these days or are in alarm."""
    row_of = {name: row for row, name in enumerate(panel.devices)}
    works = [
        device
        for device in known.by_model[model]
        if panel.present[row_of[device.id]].any() or _in_alarm(known.states.get(device.id))
    ]
    return panel.only(np.array([row_of[device.id] for device in works], dtype=np.int64)), works


def _in_alarm(state: Any) -> bool:
    return bool(state and state["a"])


def codes_of(names: Sequence[str | None]) -> Ints:
    """Each one's place among the sorted names, -1 for none."""
    place = {name: code for code, name in enumerate(sorted({name for name in names if name}))}
    return np.array([place.get(name or "", -1) for name in names], dtype=np.int64)


def metrics_of(values: Mapping[str, Floats], before: Any) -> set[str]:
    """What the model's devices report: seen now on enough of them, or before."""
    enough = {name for name, array in values.items() if (~np.isnan(array)).any(axis=1).sum() >= MIN_PEERS}
    return enough | set(before["metrics"] if before is not None else ())


def values_of(watch: Watch, panel: Panel) -> Floats:
    """The signals of all days, shape (devices, days, signals); those of hours are filled in day by day."""
    nothing = np.full(panel.present.shape, np.nan)
    needed = {name for signal in watch.signals for name in signal.needs}
    days = {name: panel.values.get(name, nothing) for name in needed}
    if not watch.signals:
        return np.empty((*panel.present.shape, 0))
    return np.stack([signal.over(days) for signal in watch.signals], axis=2)


def out_of_service(planned: Sequence[PlannedOutage], members: Sequence[Device], day: int) -> Flags:
    """Devices that a planned outage touched on that day: what they showed is our own doing."""
    begin, end = day_start(day), day_start(day + 1)
    away = np.zeros(len(members), dtype=bool)
    for outage in planned:
        if outage.from_at < end and outage.to_at > begin:
            away |= np.array(
                [outage.model in {None, d.model} and outage.region in {None, d.region} for d in members], dtype=bool
            )
    return away


def renewed_modes(watch: Watch, known: Known, names: Sequence[str], day: int) -> Flags:
    """Modes whose part was renewed on that day: half of the day was the old part, so learning begins on the next.

    What is unusual about a device may come from any part.
    """
    result = np.zeros((len(names), len(watch.modes)), dtype=bool)
    place = {name: row for row, name in enumerate(names)}
    parts = [MODES.get(mode, UNUSUAL).part for mode in watch.modes]
    for (device, part), days in known.renewed.items():
        if day in days and device in place:
            result[place[device], [column for column, own in enumerate(parts) if own in (part, UNUSUAL.part)]] = True
    return result


def last_days(panel: Panel, states: Mapping[str, Any]) -> dict[str, int]:
    """The newest day with data of each device."""
    newest = panel.days - 1 - np.argmax(panel.present[:, ::-1], axis=1) + panel.first_day
    any_data: Flags = np.asarray(panel.present.any(axis=1))
    return {
        name: int(newest[row]) if any_data[row] else int(states.get(name, {}).get("d", 0))
        for row, name in enumerate(panel.devices)
    }


def without_the_lost(
    state: State, names: Sequence[str], last_data: Mapping[str, int], last: int, blind: AbstractSet[int]
) -> State:
    silent = [last - last_data[name] - sum(last_data[name] < day <= last for day in blind) for name in names]
    gone: Flags = np.array([days > SILENT_DAYS for days in silent], dtype=bool)
    alarmed = np.where(gone[:, None], False, state.alarmed)
    return replace(state, alarmed=alarmed)
