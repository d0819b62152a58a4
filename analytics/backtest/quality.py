"""The data quality of a history as a backtest sees it: what was odd, where for example, and what was done about it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any

import numpy as np

from analytics.backtest.case import Case
from analytics.panel import Panel, day_start
from hearthwatch.history import History, Remark


def quality_of(history: History, panel: Panel, case: Case | None) -> dict[str, Any]:
    """The section ``quality``: counts, the share of device-days on which each metric is there, and ``remarks``. ``case`` is None where
    it could not be made."""
    vanished = _vanished(panel, case)
    columns = {metric.name: metric.column for metric in history.metrics}
    told = [replace(one, column=columns.get(one.column, one.column)) if one.column else one for one in history.remarks]
    remarks = [*told, *(_placed(history, panel, one, where) for one, where in _of_panel(history, panel, vanished))]
    return {
        **history.quality.as_json(),
        "days": panel.days,
        "device_days": int(panel.present.sum()),
        "vanished": int(vanished.sum()),
        "metrics": {
            name: round(1 - float(np.isnan(values[panel.present]).mean()), 4)
            for name, values in sorted(panel.values.items())
        },
        "remarks": [one.as_json() for one in sorted(remarks, key=lambda one: not one.grave)],
    }


def _vanished(panel: Panel, case: Case | None) -> np.ndarray[tuple[int], np.dtype[np.bool_]]:
    """Devices that fell silent before the end without a failure."""
    last = panel.days - 1 - np.argmax(panel.present[:, ::-1], axis=1)
    gone: np.ndarray[tuple[int], np.dtype[np.bool_]] = last < panel.days - 1
    if case is not None:
        gone &= ~np.isfinite(case.lives.to_failure).any(axis=1)
    return gone


def _of_panel(
    history: History, panel: Panel, vanished: np.ndarray[tuple[int], np.dtype[np.bool_]]
) -> Iterator[tuple[Remark, tuple[int, int] | None]]:
    """Remarks that need the whole history, each with a device and a day (indices) that show it."""
    last = panel.days - 1 - np.argmax(panel.present[:, ::-1], axis=1)
    if vanished.any():
        device = int(np.argmax(vanished))
        said = f"{int(vanished.sum()):,} devices fall silent before the end and are not known to have failed"
        done = "taken as no longer observed, not as healthy"
        yield Remark("vanished_devices", int(vanished.sum()), said, done), (device, int(last[device]))
    yield from _gaps(panel, last)
    yield from _resets(panel)
    yield from _without_model(history, panel)


def _gaps(panel: Panel, last: np.ndarray[tuple[int], np.dtype[np.int64]]) -> Iterator[tuple[Remark, tuple[int, int]]]:
    days = np.arange(panel.days)
    first = np.argmax(panel.present, axis=1)
    missing = ~panel.present & (days > first[:, None]) & (days < last[:, None])
    count = int(missing.sum())
    if not count:
        return
    devices = missing.any(axis=1)
    device = int(np.argmax(missing.sum(axis=1)))
    day = int(np.argmax(missing[device]))
    after = day + int(np.argmax(panel.present[device, day:]))
    share = count / (count + int(panel.present.sum()))
    said = f"{int(devices.sum()):,} devices have days without a reading between their first and last: {share:.1%} of their days"
    done = "means take the days that are there; what a counter grew by is spread over the gap"
    yield Remark("gaps", count, said, done, grave=share > 0.2), (device, after)


def _resets(panel: Panel) -> Iterator[tuple[Remark, tuple[int, int]]]:
    for name in sorted(panel.totals):
        fell = _falls(panel.totals[name])
        if fell.any():
            device, day = (int(place[0]) for place in np.nonzero(fell))
            said = f"the counter fell {int(fell.sum()):,} times, on {int(fell.any(axis=1).sum()):,} devices"
            share = int(fell.sum()) / max(int((~np.isnan(panel.totals[name])).sum()), 1)
            done = "read as a reset: it has counted from 0 since"
            if share > 0.05:
                done += "; that is so often that it may be a gauge"
            yield Remark("counter_reset", int(fell.sum()), said, done, column=name, grave=share > 0.05), (device, day)


def _falls(
    totals: np.ndarray[tuple[int, int], np.dtype[np.float64]],
) -> np.ndarray[tuple[int, int], np.dtype[np.bool_]]:
    """Where a counter stands below what it stood at when it was last seen."""
    known = ~np.isnan(totals)
    days = np.arange(totals.shape[1])
    seen = np.maximum.accumulate(np.where(known, days, -1), axis=1)
    before = np.concatenate([np.full((len(totals), 1), -1), seen[:, :-1]], axis=1)
    there = before >= 0
    value = np.take_along_axis(totals, np.maximum(before, 0), axis=1)
    fell: np.ndarray[tuple[int, int], np.dtype[np.bool_]] = known & there & (totals < value)
    return fell


def _without_model(history: History, panel: Panel) -> Iterator[tuple[Remark, tuple[int, int]]]:
    if "model" not in history.mapping.attributes and (
        history.mapping.devices is None or history.mapping.devices.model is None
    ):
        done = "all devices are one another's peers; name a column for it in [columns] or [devices] if there are several models"
        yield Remark("no_model_column", len(panel.devices), "the mapping names no model", done), (-1, 0)
        return
    table = history.devices
    index = {device: number for number, device in enumerate(panel.devices)}
    names = zip(table.column("device").to_pylist(), table.column("model").to_pylist(), strict=True)
    without = [index[device] for device, model in names if model is None and device in index]
    if without:
        said = f"{len(without):,} devices without a model"
        done = "they are compared with one another"
        yield Remark("without_model", len(without), said, done), (without[0], int(np.argmax(panel.present[without[0]])))


def _placed(history: History, panel: Panel, remark: Remark, where: tuple[int, int] | None) -> Remark:
    """A remark with the row that shows it, where a survey knows it."""
    columns: Mapping[str, str] = {metric.name: metric.column for metric in history.metrics}
    column = columns.get(remark.column, remark.column) if remark.column else None
    if where is None or where[0] < 0:
        return replace(remark, column=column)
    device, day = panel.devices[where[0]], panel.first_day + where[1]
    place = history.survey.find(device, day) if history.survey is not None else None
    return replace(
        remark,
        column=column,
        example=f"{device} on {day_start(day).date().isoformat()}",
        file=place.file if place else None,
        row=place.row if place else None,
    )
