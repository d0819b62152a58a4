"""How long parts that wear will last, beside their probabilities: by a wear model, else only as far as the probabilities reach."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

import numpy as np

from analytics.labels import Labels
from analytics.panel import Panel, day_number, day_start, panel_of
from analytics.prognosis.known import Key
from analytics.remaining_life.fleet import PartForecast, Why, tell
from analytics.remaining_life.from_risk import of_probabilities
from analytics.signals import derived, raw_metrics
from analytics.training.data import HISTORY
from analytics.training.names import HORIZONS
from analytics.training.remaining_life import WearModel, lives_in, wears
from hearthwatch.failure_modes import UNEXPECTED_REBOOTS
from hearthwatch.ports import TelemetryStore
from hearthwatch.records.prognoses import Prognosis
from hearthwatch.values import Device

METHOD = "wear"
CHUNK = 1000
"""Devices whose whole past is read at a time: two years of three metrics of so many devices are some 20 MB."""
WORDS: dict[Why, str] = {
    "too_few_failures": "too few failures to learn from",
    "too_young": "the part has been watched for too short a time",
    "too_little_data": "too many values are missing",
    "outside": "older, or unlike anything the model has learned from",
}


@dataclass(frozen=True, slots=True)
class Left:
    """What is left of a part in days, or in words why it is not said; ``young``: it has only been watched too shortly for a wear model."""

    p10: float | None = None
    p50: float | None = None
    p90: float | None = None
    cap: float | None = None
    why: str | None = None
    young: bool = False


def with_remaining_life(
    store: TelemetryStore,
    labels: Labels,
    models: Mapping[Key, WearModel | str],
    rows: Sequence[Prognosis],
    now: datetime,
) -> list[Prognosis]:
    """The rows, those of parts that wear with what is left of them. ``models``: by device model and part, or why one cannot be used.

    A wear model has the first word. Where there is none, or it has not watched the part long enough, the probabilities speak, as far as
    they reach. Where it finds the part unlike what it knows, nothing is said.
    """
    of = {device.id: device for devices in labels.by_model.values() for device in devices}
    wanted: dict[Key, list[Device]] = {}
    for row in rows:
        key = (of[row.device_id].model or "", row.part)
        if key in models:
            wanted.setdefault(key, []).append(of[row.device_id])
    told: dict[Key, Left] = {}
    for model in sorted({model for model, _ in wanted}):
        parts = {part: devices for (one, part), devices in wanted.items() if one == model}
        told |= _told(store, labels, {part: models[model, part] for part in parts}, parts, now)
    return [_completed(row, told.get((row.device_id, row.part))) for row in rows]


def _completed(row: Prognosis, left: Left | None) -> Prognosis:
    if left is not None and not left.young:
        return replace(
            row,
            rul_method=METHOD,
            rul_abstained=left.why,
            rul_p10=left.p10,
            rul_p50=left.p50,
            rul_p90=left.p90,
            rul_cap=left.cap,
        )
    reached = of_probabilities(HORIZONS, (row.p7, row.p30, row.p90)) if wears(row.part) else None
    if reached is None:
        why = row.abstained if left is None else left.why
        return replace(row, rul_abstained=why) if row.method is not None and wears(row.part) else row
    return replace(
        row,
        rul_method=row.method,
        rul_p10=round(reached.p10, 1),
        rul_p50=round(reached.p50, 1),
        rul_p90=round(reached.p90, 1),
        rul_cap=reached.cap,
    )


def _told(
    store: TelemetryStore,
    labels: Labels,
    models: Mapping[str, WearModel | str],
    parts: Mapping[str, Sequence[Device]],
    now: datetime,
) -> dict[Key, Left]:
    """What the wear models of one device model say, by device and part; its telemetry is read once for all parts."""
    found: dict[Key, Left] = {}
    speaking: dict[str, WearModel] = {}
    for part, model in models.items():
        if isinstance(model, str):
            found |= {(device.id, part): Left(why=model) for device in parts[part]}
        else:
            speaking[part] = model
    devices = {device.id: device for part in speaking for device in parts[part]}
    metrics = {name for one in speaking.values() for name in (*one.watched.metrics, *one.watched.usage)}
    for chunk, panel in _pasts(store, [devices[name] for name in sorted(devices)], metrics, now):
        for part, one in speaking.items():
            asked = {device.id for device in parts[part]}
            lives = lives_in(panel, chunk, labels, part, one.watched)
            forecasts = {each.device: each for each in tell(one.model, lives, panel.devices)}
            for row, device in enumerate(chunk):
                if device.id in asked:
                    found[device.id, part] = _left(forecasts.get(device.id), _silent_days(panel, row))
    return found


def _pasts(
    store: TelemetryStore, devices: Sequence[Device], metrics: set[str], now: datetime
) -> Iterator[tuple[list[Device], Panel]]:
    """Whole pasts of devices, as far back as training looks, a chunk at a time: a part is compared with its own first days."""
    last = day_number(now) - 1
    for place in range(0, len(devices), CHUNK):
        chunk = [device for device in devices[place : place + CHUNK] if device.first_seen is not None]
        begun = [day_number(device.first_seen) for device in chunk if device.first_seen is not None]
        first = max(min(begun, default=last), day_number(now - HISTORY))
        if first > last:
            continue
        names = [device.id for device in chunk]
        since, until = day_start(first), day_start(last + 1)
        reboots = store.events(since, until, devices=names, kinds=["reboot"]) if _counts_reboots(metrics) else None
        panel = panel_of(
            store.daily(since, until, devices=names, metrics=raw_metrics(metrics)),
            reboots,
            first_day=first,
            days=last - first + 1,
            devices=names,
        )
        yield chunk, _with_all(derived(panel), metrics)


def _counts_reboots(metrics: set[str]) -> bool:
    return any(name.startswith(UNEXPECTED_REBOOTS) for name in metrics)


def _with_all(panel: Panel, metrics: set[str]) -> Panel:
    """With an empty column for what none of these devices has told."""
    nothing = np.full(panel.present.shape, np.nan)
    lacking = dict.fromkeys(metrics - panel.values.keys(), nothing)
    return replace(panel, values={**panel.values, **lacking})


def _silent_days(panel: Panel, row: int) -> int:
    """Days since the device's last one with data."""
    return int(np.argmax(panel.present[row, ::-1])) if panel.present[row].any() else panel.days


def _left(forecast: PartForecast | None, silent: int) -> Left:
    """A forecast is as of the part's last day with data: the days since are taken off."""
    if forecast is None:
        return Left(why="it has failed and was not renewed, or nothing is known of it")
    if forecast.p10 is None or forecast.p50 is None or forecast.p90 is None or forecast.cap is None:
        why = forecast.why or "outside"
        return Left(why=WORDS[why], young=why == "too_young")
    days = (forecast.p10, forecast.p50, forecast.p90, forecast.cap)
    p10, p50, p90, cap = (round(max(each - silent, 0.0), 1) for each in days)
    return Left(p10, p50, p90, cap)
