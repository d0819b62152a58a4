"""One device model through the days of a run: its daily signals and its hours, the engine's state, and what is to be said at the end."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any

import numpy as np
import pyarrow as pa

from analytics.anomaly.engine import SUSPECT_EVIDENCE, Day, Seen, State, Watch
from analytics.anomaly.evidence import (
    Context,
    device_observation,
    group_observation,
    lasting_severity,
    unusual_observation,
)
from analytics.anomaly.hourly import HOURS, Hours, Peaks, lived
from analytics.anomaly.hourly_format import hours_from_json, hours_to_json
from analytics.anomaly.hourly_learning import LOOK_BACK_DAYS, arranged, drawn, is_due, learn, standing
from analytics.anomaly.hourly_rows import hours_of, reporting
from analytics.anomaly.incidents import Incident
from analytics.anomaly.known import (
    Known,
    active_devices,
    codes_of,
    last_days,
    metrics_of,
    out_of_service,
    renewed_modes,
    values_of,
    without_the_lost,
)
from analytics.anomaly.state import dump_devices, dump_model, restore
from analytics.anomaly.unusual import blamed, columns_of, explained, merged, named
from analytics.panel import Flags, Ints, Panel
from analytics.scorers.peers import MIN_PEERS
from analytics.scorers.structure import FEWEST_STEPS
from analytics.signals import DAY_PEAKS, signals_for
from analytics.silence import still_standing
from hearthwatch.errors import Invalid
from hearthwatch.failure_modes import MODES, UNUSUAL
from hearthwatch.firmware import version
from hearthwatch.values import Observation

MODEL_PREFIX = "model:"
FRESH_DAYS = 3
"""Only what shows on one of the last days may raise an alarm; older days are caught up with in silence."""


Read = Callable[[int, int, Sequence[str]], pa.Table]
"""Hourly rollups of the days [first, until) of some devices."""


class ModelDays:
    """Works the days [first, last] of one device model, one after the other."""

    def __init__(self, known: Known, panel: Panel, model: str, first: int, last: int, rate: float) -> None:
        self.model, self.first, self.last, self._known, self._rate = model, first, last, known, rate
        self._panel, self._members = active_devices(panel, known, model)
        before = known.states.get(MODEL_PREFIX + model)
        self._new = before is None
        self._metrics = sorted(metrics_of(self._panel.values, before))
        self._hours, self.forgotten = _remembered(model, known.hours)
        self._watch = Watch(self._signals(), rate / 1000)
        self._state = restore(self._watch, self._panel.devices, known.states, before)
        self._daily = values_of(self._watch, self._panel)
        self._region = codes_of([device.region for device in self._members])
        self._seen: Seen | None = None
        self._peaks: Peaks | None = None
        self.device_days = self.raised = 0

    @property
    def is_watched(self) -> bool:
        """Whether there is anything to work on."""
        return bool(self._members) and bool(self._watch.signals)

    def work(self, day: int, hourly: pa.Table, read: Read) -> None:
        """One more day. ``hourly``: its rollups, of these devices and others; ``read`` gives past ones to learn from."""
        at = day - self._panel.first_day
        away = out_of_service(self._known.outages, self._members, day)
        peaks = self._live_hours(day, hourly)
        if self._hours is not None and self._hours.days and not columns_of(self._watch):
            self._widen()
        values = self._daily[:, at].copy()
        relative = values
        columns = columns_of(self._watch)
        if peaks is not None and columns:
            tells_nothing = self._named_already(peaks)
            values[:, columns] = np.where(tells_nothing[:, None], np.nan, peaks.score)
            relative = values.copy()
            relative[:, columns] = np.where(tells_nothing[:, None], np.nan, peaks.relative)
        values[away] = np.nan
        relative[away] = np.nan
        renewed = renewed_modes(self._watch, self._known, self._panel.devices, day)
        today = Day(values, self._panel.firmware[:, at], renewed, self._region, relative, self._panel.updated(at))
        before = self._state
        may_raise = not self._new and day > self.last - FRESH_DAYS
        self._state, self._seen = self._watch.step(before, today, may_raise=may_raise)
        self.raised += int(self._seen.raised.sum())
        self.device_days += int((~np.isnan(values)).any(axis=1).sum())
        if peaks is not None and columns:
            self._blame(before, peaks)
        self._peaks = peaks
        self._learn(day, read)

    # -- hours

    def _live_hours(self, day: int, hourly: pa.Table) -> Peaks | None:
        """The day's numbers of the panel's devices; None while the model has no hours."""
        here = self._panel.devices
        metrics = reporting(hourly, here, MIN_PEERS)
        before = self._hours
        if before is None and not metrics:
            return None
        before = before or Hours.empty((), ())
        members = [device.id for device in self._known.by_model[self.model]]
        columns = (*before.metrics, *(name for name in metrics if name not in before.metrics))
        hours = self._hours = arranged(before, standing(before, members, here, day), columns)
        place = {name: row for row, name in enumerate(here)}
        rows = np.array([place.get(name, -1) for name in hours.devices], dtype=np.int64)
        at = day - self._panel.first_day
        firmware = np.where(rows >= 0, self._panel.firmware[rows, at], -1)
        versions = [self._panel.firmwares[code] if code >= 0 else "" for code in firmware.tolist()]
        region = np.where(rows >= 0, self._region[rows], -1)
        values = hours_of(hourly, hours.devices, hours.metrics, day * HOURS, HOURS)
        found = lived(hours, values, day, versions, (firmware, region))
        back = self._rows_of_hours()
        return Peaks(found.score[back], found.relative[back], found.hour[back], found.parts[:, back])

    def _rows_of_hours(self) -> Ints:
        """Where each device of the panel is among those whose hours are remembered: all of them are."""
        assert self._hours is not None
        place = {name: row for row, name in enumerate(self._hours.devices)}
        return np.array([place[name] for name in self._panel.devices], dtype=np.int64)

    def _widen(self) -> None:
        """From now on the hours are watched too."""
        saved = dump_devices(self._watch, self._panel.devices, self._state, {})
        model = dump_model(self._watch, self._state, self.last, self._metrics)
        self._watch = Watch(self._signals(), self._rate / 1000)
        self._state = restore(self._watch, self._panel.devices, saved, model)
        self._daily = values_of(self._watch, self._panel)

    def _signals(self) -> tuple[Any, ...]:
        hours = DAY_PEAKS if self._hours is not None and self._hours.days else ()
        return (*signals_for(self._metrics), *hours)

    def _named_already(self, peaks: Peaks) -> Flags:
        assert self._hours is not None
        return explained(self._watch, self._state.alarmed, peaks.parts.sum(axis=0), self._hours.metrics)

    def _blame(self, before: State, peaks: Peaks) -> None:
        """Lay the day's evidence on metrics; where a mode with a name explains it by now, the unusual is over."""
        assert self._hours is not None
        assert self._seen is not None
        rows = self._rows_of_hours()
        blame = blamed(self._watch, before, self._state, self._seen, peaks, self._hours.blame[rows])
        merged(self._hours, rows, blame)
        over = explained(self._watch, self._state.alarmed, blame, self._hours.metrics)
        mode = self._watch.modes.index(UNUSUAL.id)
        if over.any():
            self.raised -= int(self._seen.raised[over, mode].sum())
            alarmed, evidence = self._state.alarmed.copy(), self._state.evidence.copy()
            alarmed[over, mode] = False
            evidence[np.ix_(over, self._watch.mode_of_stream == mode)] = 0.0
            self._state = replace(self._state, alarmed=alarmed, evidence=evidence)

    def _learn(self, day: int, read: Read) -> None:
        hours = self._hours
        if hours is None or not is_due(hours, day):
            return
        strong = self._state.evidence >= SUSPECT_EVIDENCE
        suspect: Flags = np.asarray(np.concatenate([self._state.alarmed, strong], axis=1).any(axis=1))
        suspects = {name for name, one in zip(self._panel.devices, suspect.tolist(), strict=True) if one}
        rows = drawn(hours, suspects, day)
        if len(rows) < MIN_PEERS:
            return
        names = [hours.devices[row] for row in rows.tolist()]
        first = day + 1 - LOOK_BACK_DAYS
        table = read(first, day + 1, names)
        past = hours_of(table, names, hours.metrics, first * HOURS, LOOK_BACK_DAYS * HOURS)
        some = np.flatnonzero((~np.isnan(past)).any(axis=(1, 2)))
        past = past[some[0] // HOURS * HOURS :] if len(some) else past[:0]
        if len(past) >= FEWEST_STEPS:
            learn(hours, rows, past, day)

    # -- at the end

    def states(self) -> tuple[dict[str, Any], dict[str, Any]]:
        """What is to be remembered: of days, and of hours."""
        last_data = last_days(self._panel, self._known.states)
        self._state = without_the_lost(self._state, self._panel.devices, last_data, self.last, self._known.blind)
        days = dump_devices(self._watch, self._panel.devices, self._state, last_data)
        days[MODEL_PREFIX + self.model] = dump_model(self._watch, self._state, self.last, self._metrics)
        return days, {} if self._hours is None else hours_to_json(self.model, self._hours)

    def observations(self, now: datetime) -> list[Observation]:
        """What the last day showed; to be asked after `states`."""
        assert self._seen is not None
        about = Context(self.last, now, self.model, int(self._panel.present[:, -1].sum()), self._rate)
        result = [
            self._observation(row, mode, about)
            for row, mode in zip(*(axis.tolist() for axis in np.nonzero(self._state.alarmed)), strict=True)
        ]
        return result + [self._incident(one, about) for one in self._seen.incidents]

    def _observation(self, row: int, mode: int, about: Context) -> Observation:
        assert self._seen is not None
        device = self._panel.devices[row]
        old = self._known.findings.get((device, self._watch.modes[mode]))
        if old is not None and np.isnan(self._seen.p[row, self._watch.mode_of_stream == mode]).all():
            return still_standing(old, about.now, self._known.blind)
        if self._watch.modes[mode] == UNUSUAL.id and self._hours is not None and self._peaks is not None:
            behind = named(self._hours.blame[self._rows_of_hours()[row]], self._hours.metrics)
            hour = int(self._peaks.hour[row])
            found = unusual_observation(self._watch, self._state, self._seen, row, behind, hour, device, about)
        else:
            raw = {name: values[:, -1] for name, values in self._panel.values.items()}
            found = device_observation(self._watch, self._state, self._seen, raw, row, mode, device, about)
        return lasting_severity(found, old)

    def _incident(self, one: Incident, about: Context) -> Observation:
        mode = self._watch.modes[one.mode]
        if one.by == "firmware":
            group = f"{about.model}/{version(self._panel.firmwares[one.code]).text}"
            rows = self._panel.firmware[:, -1] == one.code
        else:
            regions = sorted({device.region for device in self._members if device.region})
            group = f"{about.model}@{regions[one.code]}"
            rows = self._region == one.code
        metrics = MODES.get(mode, UNUSUAL).metrics
        if not metrics and self._hours is not None and self._peaks is not None:
            metrics = named(self._peaks.parts[:, rows].sum(axis=(0, 1)), self._hours.metrics).metrics
        return group_observation(group, mode, metrics, one.share, one.devices, about)


def _remembered(model: str, saved: Mapping[str, Any]) -> tuple[Hours | None, bool]:
    """What is remembered of hours, and whether it had to be forgotten: a state that cannot be read must not stop the watch for ever."""
    try:
        return hours_from_json(model, saved), False
    except Invalid:
        return None, True
