"""The engine's state as compact JSON: one object per device, one per model; so that a run continues where the last one ended."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from analytics.anomaly.conformal import Calibration
from analytics.anomaly.engine import WAIT_DAYS, State, Watch
from analytics.panel import Floats
from analytics.scorers.past import Running
from analytics.scorers.peers import Company

DIGITS = 6
"""Significant digits kept; the last one is far below any decision."""


def restore(watch: Watch, devices: Sequence[str], saved: Mapping[str, Any], model: Any) -> State:
    """The state of some devices; what was not saved (a new device, a new signal) begins empty."""
    empty = watch.begin(len(devices))
    table = _empty_table(len(devices), len(watch.signals))
    place = {signal.id: index for index, signal in enumerate(watch.signals)}
    stream = {name: index for index, name in enumerate(stream_ids(watch))}
    mode = {name: index for index, name in enumerate(watch.modes)}
    evidence, alarmed, calm = empty.evidence, empty.alarmed, empty.calm
    for row, device in enumerate(devices):
        known = saved.get(device)
        if known is None:
            continue
        for name, values in known["s"].items():
            if name in place:
                table[row, place[name]] = [np.nan if value is None else value for value in values]
        for name, value in known["e"].items():
            if name in stream:
                evidence[row, stream[name]] = value
        for name, days in known["a"].items():
            if name in mode:
                alarmed[row, mode[name]] = True
                calm[row, mode[name]] = days
    waiting = np.moveaxis(table[:, :, 7:], 2, 0)
    carried, counts = _model_arrays(watch, model)
    residual = Running(table[:, :, 3], table[:, :, 4], table[:, :, 5])
    own = Running(table[:, :, 0], table[:, :, 1], table[:, :, 2])
    return State(own, Company(residual, table[:, :, 6], carried), Calibration(counts), evidence, alarmed, calm, waiting)


def dump_devices(watch: Watch, devices: Sequence[str], state: State, seen: Mapping[str, int]) -> dict[str, Any]:
    """One JSON object per device. ``seen``: the last day on which each device had data."""
    own, residual = state.own, state.company.residual
    arrays = [own.count, own.mean, own.variance, residual.count, residual.mean, residual.variance]
    table = np.stack([*arrays, state.company.yesterday, *state.waiting], axis=2)
    rounded = _rounded(table).tolist()
    names = [signal.id for signal in watch.signals]
    ids = stream_ids(watch)
    result: dict[str, Any] = {}
    for row, device in enumerate(devices):
        signals = {
            name: [None if value != value else value for value in values]
            for name, values in zip(names, rounded[row], strict=True)
            if values[0] > 0
        }
        result[device] = {
            "d": seen.get(device, 0),
            "s": signals,
            "e": {ids[k]: round(float(state.evidence[row, k]), 4) for k in np.flatnonzero(state.evidence[row] > 0)},
            "a": {watch.modes[k]: int(state.calm[row, k]) for k in np.flatnonzero(state.alarmed[row])},
        }
    return result


def dump_model(watch: Watch, state: State, day: int, metrics: Sequence[str]) -> dict[str, Any]:
    """One JSON object for the model: the last day worked, the metrics its devices have, the comparison of scores."""
    counts = _rounded(state.calibration.counts)
    signals = {
        signal.id: {
            "carried": _rounded(state.company.carried[:, place]).tolist(),
            "bins": np.flatnonzero(counts[place] > 1e-3).tolist(),
            "counts": counts[place][counts[place] > 1e-3].tolist(),
        }
        for place, signal in enumerate(watch.signals)
    }
    return {"day": day, "metrics": sorted(metrics), "signals": signals}


def stream_ids(watch: Watch) -> list[str]:
    """A name for every stream that outlives a change of the list of signals."""
    return [watch.signals[stream.signal].id + ("+" if stream.sign > 0 else "-") for stream in watch.streams]


def _model_arrays(watch: Watch, model: Any) -> tuple[Floats, Floats]:
    carried = np.zeros((2, len(watch.signals)))
    counts = Calibration.empty(len(watch.signals)).counts
    known = {} if model is None else model["signals"]
    for place, signal in enumerate(watch.signals):
        if signal.id in known:
            carried[:, place] = known[signal.id]["carried"]
            counts[place, known[signal.id]["bins"]] = known[signal.id]["counts"]
    return carried, counts


def _empty_table(devices: int, signals: int) -> Floats:
    table = np.zeros((devices, signals, 7 + WAIT_DAYS))
    table[:, :, 6:] = np.nan
    return table


def _rounded(array: Floats) -> Floats:
    """To `DIGITS` significant digits."""
    with np.errstate(divide="ignore", invalid="ignore"):
        scale = 10.0 ** (DIGITS - 1 - np.floor(np.log10(np.abs(array))))
        result = np.round(array * scale) / scale
    return np.where((array == 0) | ~np.isfinite(array), array, result)
