"""The daily search for anomalies: what the stores know in, findings and the next day's memory out.

Once a day, for every complete day since the last run. A second run on the same day finds nothing left to do and changes nothing.
Devices without data on a day keep their evidence; days that nobody worked on are caught up with, as far as a month back.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
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
from analytics.silence import SILENT_DAYS, still_standing
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


@dataclass(slots=True)
class _Outcome:
    """What a run leaves behind."""

    states: dict[str, Any]
    observations: list[Observation]
    days: int = 0
    device_days: int = 0
    raised: int = 0


def find_anomalies(
    store: TelemetryStore, database: Database, now: datetime, *, rate: float, relapse: timedelta
) -> dict[str, Any]:
    """Work every complete day that is not worked yet. ``rate``: false alarms per 1,000 device-days, over all modes of a device."""
    last = day_number(now) - 1
    known = _load(database, last)
    begins = {model: _first_day(known.states.get(MODEL_PREFIX + model), last) for model in known.by_model}
    outcome = _Outcome({}, [])
    first = min(begins.values(), default=last + 1)
    if first <= last:
        panel = _read(store, first, last, known)
        for model, members in known.by_model.items():
            if begins[model] <= last:
                _work(outcome, known, panel, model, members, begins[model], last, now, rate)
    with database.transaction() as connection:
        for observation in outcome.observations:
            findings.observe(connection, observation, relapse=relapse)
        analysis_states.save(connection, NAME, outcome.states, now)
    incidents = sum(observation.kind == "incident" for observation in outcome.observations)
    return {
        "day": day_start(last).date().isoformat(),
        "days": outcome.days,
        "device_days": outcome.device_days,
        "raised": outcome.raised,
        "in_alarm": len(outcome.observations) - incidents,
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


def _work(
    outcome: _Outcome,
    known: _Known,
    panel: Panel,
    model: str,
    members: Sequence[Device],
    first: int,
    last: int,
    now: datetime,
    rate: float,
) -> None:
    """Work one model's days and add what came of it to the outcome."""
    before = known.states.get(MODEL_PREFIX + model)
    row_of = {name: row for row, name in enumerate(panel.devices)}
    rows = np.array([row_of[device.id] for device in members], dtype=np.int64)
    active = panel.present[rows].any(axis=1) | np.array([_in_alarm(known.states.get(d.id)) for d in members])
    members = [device for device, works in zip(members, active, strict=True) if works]
    rows = rows[active]
    arrays = {name: values[rows] for name, values in panel.values.items()}
    metrics = _metrics(arrays, before)
    if not members or not metrics:
        return
    watch = Watch(signals_for(metrics), rate / 1000)
    names = [device.id for device in members]
    state = restore(watch, names, known.states, before)
    last_data = _last_data(panel, rows, names, known.states)
    seen: Seen | None = None
    every = _values(watch, arrays, (len(rows), panel.days))
    for day in range(first, last + 1):
        at = day - panel.first_day
        values = every[:, at].copy()
        values[_away(known.outages, members, day)] = np.nan
        fresh = before is not None and day > last - FRESH_DAYS
        today = Day(values, panel.firmware[rows, at], _renewed(watch, known, names, day))
        state, seen = watch.step(state, today, may_raise=fresh)
        outcome.raised += int(seen.raised.sum())
        outcome.device_days += int((~np.isnan(values)).any(axis=1).sum())
    assert seen is not None
    state = _given_up(state, names, last_data, last)
    outcome.days = max(outcome.days, last - first + 1)
    outcome.states.update(dump_devices(watch, names, state, last_data))
    outcome.states[MODEL_PREFIX + model] = dump_model(watch, state, last, sorted(metrics))
    present = int(panel.present[rows, -1].sum())
    about = Context(last, now, model, present, rate)
    raw = {name: values[:, -1] for name, values in arrays.items()}
    for row, mode in zip(*np.nonzero(state.alarmed), strict=True):
        old = known.findings.get((names[row], watch.modes[mode]))
        if old is not None and np.isnan(seen.p[row, watch.mode_of_stream == mode]).all():
            outcome.observations.append(still_standing(old, now))
        else:
            found = device_observation(watch, state, seen, raw, int(row), int(mode), names[row], about)
            outcome.observations.append(lasting_severity(found, old))
    outcome.observations.extend(_incidents(watch, seen, panel, rows, about))


def _metrics(arrays: Mapping[str, Floats], before: Any) -> set[str]:
    """What the model's devices report: seen now on enough of them, or before."""
    enough = {name for name, values in arrays.items() if (~np.isnan(values)).any(axis=1).sum() >= MIN_PEERS}
    return enough | set(before["metrics"] if before is not None else ())


def _values(watch: Watch, arrays: Mapping[str, Floats], shape: tuple[int, int]) -> Floats:
    """The signals of all days, shape (devices, days, signals)."""
    needed = {name for signal in watch.signals for name in signal.needs}
    days = {name: arrays[name] if name in arrays else np.full(shape, np.nan) for name in needed}
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


def _last_data(panel: Panel, rows: Any, names: Sequence[str], states: Mapping[str, Any]) -> dict[str, int]:
    newest = panel.days - 1 - np.argmax(panel.present[rows][:, ::-1], axis=1) + panel.first_day
    any_data = panel.present[rows].any(axis=1)
    return {
        name: int(newest[row]) if any_data[row] else int(states.get(name, {}).get("d", 0))
        for row, name in enumerate(names)
    }


def _given_up(state: State, names: Sequence[str], last_data: Mapping[str, int], last: int) -> State:
    gone = np.array([last - last_data[name] > SILENT_DAYS for name in names], dtype=bool)
    alarmed = state.alarmed & ~gone[:, None]
    return State(state.own, state.company, state.calibration, state.evidence, alarmed, state.calm, state.waiting)


def _incidents(watch: Watch, seen: Seen, panel: Panel, rows: Any, about: Context) -> list[Observation]:
    result = []
    firmware = panel.firmware[rows, -1]
    for code, mode, share in seen.incidents:
        group = f"{about.model}/{version(panel.firmwares[code]).text}"
        size = int((firmware == code).sum())
        result.append(group_observation(group, watch.modes[mode], share, size, about))
    return result
