"""The daily search for anomalies: what the stores know in, findings and the next day's memory out.

Once a day, for every complete day since the last run. A second run on the same day finds nothing left to do and changes nothing.
Devices without data on a day keep their evidence; days that nobody worked on are caught up with, as far as a month back.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any

import numpy as np

from analytics.anomaly.engine import Day, Seen, State, Watch
from analytics.anomaly.evidence import (
    Context,
    device_observation,
    group_observation,
    lasting_severity,
)
from analytics.anomaly.state import dump_devices, dump_model, restore
from analytics.panel import Flags, Floats, Panel, day_number, day_start, panel_of
from analytics.scorers.peers import MIN_PEERS
from analytics.service import renewals
from analytics.signals import METRICS, signals_for
from analytics.silence import SILENT_DAYS, blind_days, still_standing
from hearthwatch.failure_modes import MODES
from hearthwatch.firmware import version
from hearthwatch.ports import TelemetryStore
from hearthwatch.records import analysis_states, devices, findings, outages
from hearthwatch.records.database import Database
from hearthwatch.records.outages import PlannedOutage
from hearthwatch.values import Device, Finding, Observation

NAME = "anomaly"
MODEL_PREFIX = "model:"
CATCH_UP_DAYS = 28
FRESH_DAYS = 3
"""Only what shows on one of the last days may raise an alarm; older days are caught up with in silence."""
EVERYTHING = 10_000_000


@dataclass(frozen=True, slots=True)
class _Known:
    """What the records hold."""

    by_model: Mapping[str, Sequence[Device]]
    states: Mapping[str, Any]
    renewed: Mapping[tuple[str, str], Sequence[int]]
    outages: Sequence[PlannedOutage]
    findings: Mapping[tuple[str, str], Finding]
    blind: AbstractSet[int]


def find_anomalies(
    store: TelemetryStore, database: Database, now: datetime, *, rate: float, relapse: timedelta
) -> dict[str, Any]:
    """Work every complete day that is not worked yet. ``rate``: false alarms per 1,000 device-days, over all modes of a device."""
    last = day_number(now) - 1
    known = _load(database, last)
    begins = {model: _first_day(known.states.get(MODEL_PREFIX + model), last) for model in known.by_model}
    due = sorted(model for model, first in begins.items() if first <= last)
    work = _Round(
        known, _read(store, min(begins[model] for model in due), last, known) if due else None, last, now, rate
    )
    for model in due:
        work.take_model(model, begins[model])
    with database.transaction(alone=False) as connection:
        for observation in work.observations:
            findings.observe(connection, observation, relapse=relapse)
        analysis_states.save(connection, NAME, work.states, now)
    incidents = sum(observation.kind == "incident" for observation in work.observations)
    return {
        "day": day_start(last).date().isoformat(),
        "days": work.days,
        "device_days": work.device_days,
        "raised": work.raised,
        "in_alarm": len(work.observations) - incidents,
        "incidents": incidents,
    }


def _load(database: Database, last: int) -> _Known:
    since, until = day_start(last - CATCH_UP_DAYS), day_start(last + 2)
    with database.reading() as connection:
        by_model: dict[str, list[Device]] = {}
        for device in devices.list_devices(connection, test=False, limit=EVERYTHING):
            if device.model is not None and device.removed_at is None:
                by_model.setdefault(device.model, []).append(device)
        return _Known(
            by_model,
            analysis_states.load(connection, NAME),
            renewals(connection, since=since),
            outages.between(connection, since, until),
            {
                (finding.subject, finding.mode): finding
                for finding in findings.list_findings(
                    connection, kind="anomaly", states=findings.UNRECOVERED, limit=EVERYTHING
                )
            },
            blind_days(connection, day_start(last + 1)),
        )


def _first_day(state: Any, last: int) -> int:
    oldest = last - CATCH_UP_DAYS + 1
    return oldest if state is None else max(oldest, state["day"] + 1)


def _read(store: TelemetryStore, first: int, last: int, known: _Known) -> Panel:
    since, until = day_start(first - 1), day_start(last + 1)
    names = [device.id for members in known.by_model.values() for device in members]
    return panel_of(
        store.daily(since, until, metrics=sorted(METRICS)),
        store.events(since, until, kinds=["reboot"]),
        first_day=first - 1,
        days=last - first + 2,
        devices=names,
    )


@dataclass(slots=True)
class _Round:
    """One run's work; ``states`` and ``observations`` are what it leaves, the numbers are for its report."""

    known: _Known
    panel: Panel | None
    last: int
    now: datetime
    rate: float
    states: dict[str, Any] = field(default_factory=dict)
    observations: list[Observation] = field(default_factory=list)
    days: int = 0
    device_days: int = 0
    raised: int = 0

    def take_model(self, model: str, first: int) -> None:
        """Work the days [first, last] of one device model."""
        assert self.panel is not None
        panel, members = self._active(self.panel, self.known.by_model[model])
        before = self.known.states.get(MODEL_PREFIX + model)
        metrics = _metrics(panel.values, before)
        signals = signals_for(metrics)
        if not members or not signals:
            return
        watch = Watch(signals, self.rate / 1000)
        last_data = _last_data(panel, self.known.states)
        state, seen = self._live(watch, panel, members, restore(watch, panel.devices, self.known.states, before), first)
        state = _given_up(state, panel.devices, last_data, self.last, self.known.blind)
        self.days = max(self.days, self.last - first + 1)
        self.states.update(dump_devices(watch, panel.devices, state, last_data))
        self.states[MODEL_PREFIX + model] = dump_model(watch, state, self.last, sorted(metrics))
        about = Context(self.last, self.now, model, int(panel.present[:, -1].sum()), self.rate)
        self._observe(watch, panel, state, seen, about)
        self.observations.extend(_incidents(watch, seen, panel, about))

    def _active(self, panel: Panel, members: Sequence[Device]) -> tuple[Panel, Sequence[Device]]:
        """The devices of a model that have data in these days or are in alarm."""
        row_of = {name: row for row, name in enumerate(panel.devices)}
        works = [
            device
            for device in members
            if panel.present[row_of[device.id]].any() or _in_alarm(self.known.states.get(device.id))
        ]
        return panel.only(np.array([row_of[device.id] for device in works], dtype=np.int64)), works

    def _live(
        self, watch: Watch, panel: Panel, members: Sequence[Device], state: State, first: int
    ) -> tuple[State, Seen]:
        """Day by day. A model that is seen for the first time is learned in silence."""
        new = MODEL_PREFIX + str(members[0].model) not in self.known.states
        every = _values(watch, panel)
        seen: Seen | None = None
        for day in range(first, self.last + 1):
            at = day - panel.first_day
            values = every[:, at].copy()
            values[_away(self.known.outages, members, day)] = np.nan
            today = Day(values, panel.firmware[:, at], _renewed(watch, self.known, panel.devices, day))
            state, seen = watch.step(state, today, may_raise=not new and day > self.last - FRESH_DAYS)
            self.raised += int(seen.raised.sum())
            self.device_days += int((~np.isnan(values)).any(axis=1).sum())
        assert seen is not None
        return state, seen

    def _observe(self, watch: Watch, panel: Panel, state: State, seen: Seen, about: Context) -> None:
        raw = {name: values[:, -1] for name, values in panel.values.items()}
        for row, mode in zip(*(axis.tolist() for axis in np.nonzero(state.alarmed)), strict=True):
            device = panel.devices[row]
            old = self.known.findings.get((device, watch.modes[mode]))
            if old is not None and np.isnan(seen.p[row, watch.mode_of_stream == mode]).all():
                self.observations.append(still_standing(old, self.now, self.known.blind))
            else:
                found = device_observation(watch, state, seen, raw, row, mode, device, about)
                self.observations.append(lasting_severity(found, old))


def _metrics(values: Mapping[str, Floats], before: Any) -> set[str]:
    """What the model's devices report: seen now on enough of them, or before."""
    enough = {name for name, array in values.items() if (~np.isnan(array)).any(axis=1).sum() >= MIN_PEERS}
    return enough | set(before["metrics"] if before is not None else ())


def _values(watch: Watch, panel: Panel) -> Floats:
    """The signals of all days, shape (devices, days, signals)."""
    nothing = np.full(panel.present.shape, np.nan)
    needed = {name for signal in watch.signals for name in signal.needs}
    days = {name: panel.values.get(name, nothing) for name in needed}
    return np.stack([signal.over(days) for signal in watch.signals], axis=2)


def _away(planned: Sequence[PlannedOutage], members: Sequence[Device], day: int) -> Flags:
    """Devices that a planned outage touched on that day: what they showed is our own doing."""
    begin, end = day_start(day), day_start(day + 1)
    away = np.zeros(len(members), dtype=bool)
    for outage in planned:
        if outage.from_at < end and outage.to_at > begin:
            away |= np.array(
                [outage.model in {None, d.model} and outage.region in {None, d.region} for d in members], dtype=bool
            )
    return away


def _renewed(watch: Watch, known: _Known, names: Sequence[str], day: int) -> Flags:
    """Modes whose part was renewed on that day: half of the day was the old part, so learning begins on the next."""
    result = np.zeros((len(names), len(watch.modes)), dtype=bool)
    place = {name: row for row, name in enumerate(names)}
    parts = [MODES[mode].part for mode in watch.modes]
    for (device, part), days in known.renewed.items():
        if day in days and device in place:
            result[place[device], [column for column, own in enumerate(parts) if own == part]] = True
    return result


def _in_alarm(state: Any) -> bool:
    return bool(state and state["a"])


def _last_data(panel: Panel, states: Mapping[str, Any]) -> dict[str, int]:
    """The newest day with data of each device."""
    newest = panel.days - 1 - np.argmax(panel.present[:, ::-1], axis=1) + panel.first_day
    any_data: Flags = np.asarray(panel.present.any(axis=1))
    return {
        name: int(newest[row]) if any_data[row] else int(states.get(name, {}).get("d", 0))
        for row, name in enumerate(panel.devices)
    }


def _given_up(
    state: State, names: Sequence[str], last_data: Mapping[str, int], last: int, blind: AbstractSet[int]
) -> State:
    silent = [last - last_data[name] - sum(last_data[name] < day <= last for day in blind) for name in names]
    gone: Flags = np.array([days > SILENT_DAYS for days in silent], dtype=bool)
    alarmed = np.where(gone[:, None], False, state.alarmed)
    return replace(state, alarmed=alarmed)


def _incidents(watch: Watch, seen: Seen, panel: Panel, about: Context) -> list[Observation]:
    result = []
    for code, mode, share in seen.incidents:
        group = f"{about.model}/{version(panel.firmwares[code]).text}"
        size = int((panel.firmware[:, -1] == code).sum())
        result.append(group_observation(group, watch.modes[mode], share, size, about))
    return result
