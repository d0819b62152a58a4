"""How well would we have predicted this history? Learns from its first part, predicts the rest, and compares.

A row is a device-day; its label is 1 if the device fails in (t, t + H]. Rows at or after a failure, and windows cut by the end of the
data or by a device that vanished, are left out. H days are purged before the cut: no label the model learns from reaches past it, and
what it learns from is told by what was known on the day of the cut: a device not seen since is a vanished one, though it came back.
The model is the mean of several, each of which has not seen one fold of the devices; that one alone predicts them as "devices never seen
in training". Only its calibration, one or three numbers, is common to all.
"""

from __future__ import annotations

import math
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from zlib import crc32

import numpy as np
import pyarrow as pa

from analytics.calibration import fit_calibration, independent_failures
from analytics.evaluation import alerts_at_budget, scores
from analytics.explanation import influences
from analytics.features import Background, Feature, features_of, first_days, matrix
from analytics.hazard import AgeHazard, Hazard, Snapshots, fit_age_hazard, fit_hazard
from analytics.history_panel import panel_of_history
from analytics.lives import Lives, labelled, lives_of
from analytics.panel import Flags, Floats, Ints, Panel, day_number, day_start, days_of, encoded
from hearthwatch.errors import Invalid
from hearthwatch.history.mapping import read_mapping
from hearthwatch.history.reader import History, read_history

FOLDS = 5
EVERY = 4
CUT_SHARE = 0.6
ALERTS_PER_1000_WEEKS = 5.0
MAX_METRICS = 40
FEWEST_FAILING = 5
"""Devices that must fail on either side of the cut; below that no figure means anything."""
CLOCK_PER_DAY = (20.0, 25.0)
"""A counter that grows by about 24 a day on most days is a clock of operating hours, and tells a device's age where no date does."""


@dataclass(frozen=True, slots=True)
class _Case:
    """Everything the comparison needs, as dense arrays."""

    panel: Panel
    background: Background
    lives: Lives
    past: Lives  # as they were known on the day of the cut
    columns: tuple[Feature, ...]
    fold: Ints
    horizon: int
    cut: int  # index of the first test day


@dataclass(frozen=True, slots=True)
class _Rows:
    """Some device-days: where they are, their features, and what came of them."""

    device: Ints
    day: Ints
    features: np.ndarray[tuple[int, int], np.dtype[np.float32]]
    failed: Flags
    to_failure: Floats
    to_end: Floats
    left: Floats
    age: Floats
    weight: Floats


@dataclass(frozen=True, slots=True)
class Backtest:
    """What was said of every test row, and the report on it.

    ``device`` and ``day`` are indices; ``known`` are the probabilities of the model of all devices, ``unseen`` of those that never saw
    the row's device, ``by_age`` of the age-only hazard; ``fails_on`` is the day of the failure that a positive row foresees, else -1.
    """

    report: dict[str, Any]
    device: Ints
    day: Ints
    failed: Flags
    fails_on: Ints
    known: Floats
    unseen: Floats
    by_age: Floats


def backtest(path: Path, mapping: Path, *, cut: datetime | None, horizon: timedelta) -> dict[str, Any]:
    """Backtest a history. Raises `Invalid` naming what is missing (readings, days or failing devices on a side of the cut)."""
    began = time.perf_counter()
    history = read_history(path, read_mapping(mapping))
    report = backtested(history, panel_of_history(history), cut=cut, horizon=horizon).report
    return {**report, "seconds": round(time.perf_counter() - began, 2)}


def backtested(history: History, panel: Panel, *, cut: datetime | None, horizon: timedelta) -> Backtest:
    """As `backtest`, of a history that has been read, with what was said of every row; the report has no ``seconds``."""
    case = _case(history, panel, cut, horizon)
    _has_whole_windows(case)
    train, test = _rows(case, test=False), _rows(case, test=True)
    _has_failures(case, train, "before")
    _has_failures(case, test, "after")
    known, unseen, model = _predict(case, train, test)
    baseline = _baseline(train, test, case.horizon)
    report = {
        "devices": len(panel.devices),
        "readings": int(history.quality.readings),
        "failures": int(history.failures.num_rows),
        "cut": day_start(panel.first_day + case.cut).isoformat(),
        "horizon_days": case.horizon,
        "test": scores(known, test.failed),
        "unseen_devices": scores(unseen, test.failed),
        "baseline": {
            name: value
            for name, value in scores(baseline, test.failed).items()
            if name in {"auc", "average_precision", "brier"}
        },
        "alerts": _alerts(case, test, known),
        "reasons": influences(model, test.features, case.columns, known, case.horizon),
        "quality": _quality(history, case),
    }
    fails_on = np.where(test.failed, test.day + np.where(test.failed, test.to_failure, 0), -1).astype(np.int64)
    return Backtest(report, test.device, test.day, test.failed, fails_on, known, unseen, baseline)


def _has_whole_windows(case: _Case) -> None:
    """Raises `Invalid` where the history is too short for the horizon, with the length that would do."""
    for side, days in (("before", case.cut - case.horizon + 1), ("after", case.panel.days - case.horizon - case.cut)):
        if days <= 0:
            least = math.ceil((case.horizon + 1) / (1 - CUT_SHARE))
            raise Invalid(
                f"the history is too short for a horizon of {case.horizon} days: no day {side} the cut has a whole window on "
                f"that side. It has {case.panel.days} days; with the default cut at least {least} are needed",
                where="--horizon",
            )


def _has_failures(case: _Case, rows: _Rows, side: str) -> None:
    failing = len(np.unique(rows.device[rows.failed]))
    if failing < FEWEST_FAILING:
        raise Invalid(
            f"{failing or 'no'} device{'' if failing == 1 else 's'} with a failure in a whole {case.horizon}-day window {side} the "
            f"cut: too little to judge, {FEWEST_FAILING} are needed",
            where="--cut",
        )


def _case(history: History, panel: Panel, cut: datetime | None, horizon: timedelta) -> _Case:
    index = {device: number for number, device in enumerate(panel.devices)}
    devices = history.devices
    position = np.array([index.get(name, -1) for name in devices.column("device").to_pylist()], dtype=np.int64)
    failures = _dates(history.failures, index)
    if not failures:
        raise Invalid("the history names no failure of a device with readings", where="failures")
    where = panel.days * CUT_SHARE if cut is None else day_number(cut) - panel.first_day
    renewed, ended = _dates(history.service, index), _single(devices.column("removed"), position)
    lives = lives_of(panel, failures, renewed, ended=ended)
    past = lives_of(panel, failures, renewed, ended=ended, last_day=panel.first_day + int(where))
    totals = sorted(panel.totals, key=lambda name: (_missing(panel.totals[name]), name))[:MAX_METRICS]
    metrics = sorted(panel.values, key=lambda name: (_missing(panel.values[name]), name))[:MAX_METRICS]
    model = np.full(len(panel.devices), -1, dtype=np.int64)
    codes, _ = encoded(devices.column("model"))
    model[position[position >= 0]] = codes[position >= 0]
    background = Background(model, _born(panel, devices, position), renewed)
    fold = np.array([crc32(device.encode()) % FOLDS for device in panel.devices], dtype=np.int64)
    return _Case(panel, background, lives, past, features_of(metrics, totals), fold, horizon.days, int(where))


def _missing(array: Floats) -> float:
    return round(float(np.isnan(array).mean()), 6)


def _dates(table: pa.Table, index: Mapping[str, int]) -> dict[int, list[int]]:
    found: dict[int, list[int]] = {}
    for name, day in zip(table.column("device").to_pylist(), days_of(table.column("at")).tolist(), strict=True):
        if name in index:
            found.setdefault(index[name], []).append(day)
    return found


def _single(column: pa.ChunkedArray, position: Ints) -> dict[int, int]:
    known = np.asarray(column.is_valid().to_numpy(), dtype=bool)
    days = days_of(column.fill_null(datetime(1970, 1, 1, tzinfo=UTC)))
    return {
        int(place): int(day) for place, day, given in zip(position, days, known, strict=True) if given and place >= 0
    }


def _born(panel: Panel, devices: pa.Table, position: Ints) -> Floats:
    """The day each device was new: installed, else made, else by its clock of operating hours, else first seen."""
    born = np.full(len(panel.devices), np.nan)
    for name in ("made", "installed"):
        for device, day in _single(devices.column(name), position).items():
            born[device] = day
    days = np.arange(panel.first_day, panel.first_day + panel.days)
    for name in sorted(panel.totals):
        daily = panel.values[name]
        ticking = (daily >= CLOCK_PER_DAY[0]) & (daily <= CLOCK_PER_DAY[1])
        if ticking.sum() > 0.7 * (~np.isnan(daily)).sum() > 0:
            started = days[None, :] - panel.totals[name] / 24
            first = np.argmax(~np.isnan(started), axis=1)
            by_clock = np.floor(started[np.arange(len(started)), first])
            born = np.where(np.isnan(born), by_clock, born)
            break
    return np.where(np.isnan(born), first_days(panel), born)


def _days(case: _Case, *, test: bool) -> tuple[Ints, Ints]:
    """The labelled device-days on one side of the cut."""
    lives = case.lives if test else case.past
    known, _ = labelled(lives, case.horizon)
    day = np.arange(case.panel.days)
    side = (day >= case.cut) if test else (day <= case.cut - case.horizon)
    chosen = known & side[None, :]
    if not test:  # far from a failure one day in `EVERY` teaches as much, with a weight of as many
        turn = np.array([crc32(device.encode()) % EVERY for device in case.panel.devices])
        chosen &= (lives.to_failure <= 2 * case.horizon) | ((day[None, :] + turn[:, None]) % EVERY == 0)
    device, when = np.nonzero(chosen)
    return device.astype(np.int64), when.astype(np.int64)


def _rows(case: _Case, *, test: bool) -> _Rows:
    lives = case.lives if test else case.past
    device, day = _days(case, test=test)
    to_failure = lives.to_failure[device, day]
    return _Rows(
        device,
        day,
        matrix(case.panel, case.background, case.columns, device, day),
        to_failure <= case.horizon,
        to_failure,
        lives.to_end[device, day],
        lives.left[day],
        np.maximum(case.panel.first_day + day - case.background.born[device], 0.0),
        np.where(test | (to_failure <= 2 * case.horizon), 1.0, float(EVERY)),
    )


def _edges(horizon: int) -> tuple[int, ...]:
    """Two intervals for a short horizon, three for a long one; what is followed for a part of it teaches the first."""
    parts = 2 if horizon <= 7 else 3
    return tuple(sorted({round(horizon * part / parts) for part in range(parts + 1)}))


def _predict(case: _Case, train: _Rows, test: _Rows) -> tuple[Floats, Floats, Hazard]:
    """Calibrated probabilities of the test rows by the model of all devices, and by models that never saw the row's device."""
    horizons = (case.horizon,)
    learned = Snapshots(train.features, train.to_failure, train.to_end, train.left, train.weight)
    model = fit_hazard(learned, _edges(case.horizon), case.fold[train.device], near_days=2 * case.horizon)
    outside = model.raw_unseen(train.features, horizons, case.fold[train.device])[:, 0]
    positives = independent_failures(
        train.device[train.failed], (train.day + train.to_failure)[train.failed].astype(np.int64), case.cut
    )
    calibration = fit_calibration(outside, train.failed, positives, train.weight)
    model = replace(model, calibration={case.horizon: calibration})
    unseen = calibration.apply(model.raw_unseen(test.features, horizons, case.fold[test.device])[:, 0])
    return model.probabilities(test.features, horizons)[:, 0], unseen, model


def _baseline(train: _Rows, test: _Rows, horizon: int) -> Floats:
    age: AgeHazard = fit_age_hazard(train.age, train.to_failure, train.weight, within=horizon)
    return age.probabilities(test.age, (horizon,))[:, 0]


def _alerts(case: _Case, test: _Rows, probability: Floats) -> dict[str, Any]:
    found = alerts_at_budget(
        probability,
        test.device,
        test.day,
        test.to_failure,
        horizon=case.horizon,
        per_1000_weeks=ALERTS_PER_1000_WEEKS,
    )
    return {name: found[name] for name in ("per_1000_device_weeks", "precision", "recall", "lead_days_median")}


def _quality(history: History, case: _Case) -> dict[str, Any]:
    panel = case.panel
    last = panel.days - 1 - np.argmax(panel.present[:, ::-1], axis=1)
    failed = np.isfinite(case.lives.to_failure).any(axis=1)
    metrics: Sequence[str] = sorted(panel.values)
    return {
        **history.quality.as_json(),
        "days": panel.days,
        "device_days": int(panel.present.sum()),
        "vanished": int(((last < panel.days - 1) & ~failed).sum()),
        "metrics": {name: round(1 - float(np.isnan(panel.values[name][panel.present]).mean()), 4) for name in metrics},
    }
