"""Trains a hazard for every device model and part that has failed often enough, on closed tickets, imported history and telemetry.

Each candidate is first judged: trained on the early part of time and three quarters of the devices, tested on the late part of time, on
all devices and on those it never saw. If it beats the failure rate by age alone, it is trained again on everything and becomes
champion. Its calibration comes from the late part that the judged candidate had not learned from.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any
from zlib import crc32

import numpy as np

from analytics.artifacts import Artifact, dump
from analytics.calibration import Calibration, fit_calibration
from analytics.evaluation import scores
from analytics.explanation import typical
from analytics.features import Background, Feature, features_of, matrix
from analytics.hazard import SEED, Matrix, Snapshots, fit_age_hazard, fit_hazard
from analytics.labels import Labels, born, read_labels
from analytics.lives import Lives, labelled, lives_of
from analytics.panel import Flags, Floats, Ints, Panel, day_number, day_start, panel_of
from analytics.signals import derived, metrics_of_part
from hearthwatch.ports import TelemetryStore
from hearthwatch.records import model_versions
from hearthwatch.records.database import Database
from hearthwatch.records.model_versions import ModelVersion
from hearthwatch.values import Device

FAMILY = "hazard/"
HORIZONS = (7, 30, 90)
EDGES = (0, 3, 7, 14, 30, 60, 90)
JUDGED_AT = 30
HISTORY = timedelta(days=730)
TEST_SHARE = 0.3
HELD_OUT = 4
"""One device in so many is held out of the judged training."""
EVERY = 4
FOLDS = 3
SETTLE_DAYS = 7
"""A new part is not judged for so long: what is known of its device is still about the old one."""
"""Of days far from a failure one in so many is kept, with a weight of as many."""
NEAR_DAYS = 21
MORE_FAILURES = 1.1
STALE = timedelta(days=60)
MIN_COVERAGE = 0.02
MIN_TEST_FAILURES = 3


@dataclass(frozen=True, slots=True)
class Data:
    """The device-days of one device model."""

    devices: Sequence[Device]
    panel: Panel
    background: Background
    covered: frozenset[str]
    columns: tuple[Feature, ...]

    def for_part(self, labels: Labels, part: str) -> Data:
        """With the columns and services of one part."""
        background = replace(self.background, serviced=services(self.devices, labels, part))
        return replace(self, background=background, columns=features_of(*metrics_of_part(part, self.covered)))


@dataclass(frozen=True, slots=True)
class Judgement:
    """What a candidate was worth: its report, whether it beat age alone, and the calibration that its test days gave."""

    report: dict[str, Any]
    better: bool
    calibration: Mapping[int, Calibration]


def train(store: TelemetryStore, database: Database, now: datetime, *, min_failures: int) -> dict[str, Any]:
    """Train what is due. Models stay while there are few new failures; parts with too few failures are named in the result."""
    with database.reading() as connection:
        labels = read_labels(connection, now)
        newest: dict[str, ModelVersion] = {}
        for version in model_versions.list_versions(connection):
            newest.setdefault(version.name, version)
    result: dict[str, Any] = {"champions": [], "challengers": [], "kept": [], "too_few_failures": {}}
    for model in sorted(labels.by_model):
        due = []
        for part, failures in labels.parts_of(model).items():
            name = model_name(model, part)
            if failures < min_failures:
                result["too_few_failures"][name] = failures
            elif _is_fresh(newest.get(name), failures, now):
                result["kept"].append(name)
            else:
                due.append((part, failures))
        if due:
            _train_model(store, database, labels, model, due, now, result)
    return result


def model_name(model: str, part: str) -> str:
    """The name of a hazard in the registry of models."""
    return f"{FAMILY}{model}/{part}"[:120]


def _is_fresh(newest: ModelVersion | None, failures: int, now: datetime) -> bool:
    """Whether there is nothing to gain from training again: the last model is young, and there are hardly more failures than it knew."""
    if newest is None or newest.role == "retired" or now - newest.trained_at > STALE:
        return False
    return failures <= MORE_FAILURES * float(newest.card.get("failures", 0)) + 1


def _train_model(
    store: TelemetryStore,
    database: Database,
    labels: Labels,
    model: str,
    due: Sequence[tuple[str, int]],
    now: datetime,
    result: dict[str, Any],
) -> None:
    data = _read(store, labels, model, now)
    if data is None:
        return
    for part, failures in due:
        name = model_name(model, part)
        mine = data.for_part(labels, part)
        lives = _lives(mine, labels, part)
        judgement = _judge(mine, lives) if mine.columns else None
        if judgement is None:
            result["too_few_failures"][name] = failures
            continue
        artifact, rows = _fit_final(mine, lives, judgement)
        card = _card(mine, model, part, failures, judgement, rows)
        role = "champion" if judgement.better else "challenger"
        with database.transaction() as connection:
            model_versions.register(connection, name, trained_at=now, card=card, artifact=dump(artifact), role=role)
        result[f"{role}s"].append(name)


def _read(store: TelemetryStore, labels: Labels, model: str, now: datetime) -> Data | None:
    """The panel of a model's devices from their first day on, two years back at most; None without telemetry."""
    devices = labels.by_model[model]
    seen = [device.first_seen for device in devices if device.first_seen is not None]
    if not seen:
        return None
    last = day_number(now) - 1
    first = max(day_number(min(seen)), day_number(now - HISTORY))
    if first > last:
        return None
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
    return Data(devices, panel, background, covered, ())


def _covered(values: Floats, panel: Panel) -> bool:
    return bool((~np.isnan(values)).sum() >= MIN_COVERAGE * max(int(panel.present.sum()), 1))


def _lives(data: Data, labels: Labels, part: str) -> Lives:
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


@dataclass(frozen=True, slots=True)
class Rows:
    """Chosen device-days, with their features and what came of them; days are indices into the panel."""

    device: Ints
    day: Ints
    snapshots: Snapshots


def _rows(data: Data, lives: Lives, chosen: Flags, *, until: int | None = None, test: bool = False) -> Rows:
    """Some of the chosen device-days. ``until``: what happens after that day is not known yet (index into the panel).

    To learn from: all days near a failure and one in `EVERY` of the others, with a weight of as many. To test on: every other day, whatever
    came of it, so that scores count all alike.
    """
    near = lives.to_failure <= NEAR_DAYS
    kept = _turn(data.panel, 2) if test else near | _turn(data.panel, EVERY)
    device, day = np.nonzero(chosen & lives.usable & kept)
    to_failure, to_end, left = lives.to_failure[device, day], lives.to_end[device, day], lives.left[day]
    weight = np.where(near[device, day] | test, 1.0, float(EVERY))
    if until is not None:
        left = np.minimum(left, until - day)
        to_failure = np.where(to_failure > left, np.inf, to_failure)
        to_end = np.minimum(to_end, left)
    device, day = device.astype(np.int64), day.astype(np.int64)
    features = matrix(data.panel, data.background, data.columns, device, day)
    return Rows(device, day, Snapshots(features, to_failure, to_end, left, weight))


def _turn(panel: Panel, every: int) -> Flags:
    """One day in ``every`` of each device, by device and day alone."""
    offset = np.array([crc32(device.encode()) % every for device in panel.devices])
    days = np.arange(panel.first_day, panel.first_day + panel.days)
    return np.asarray((days[None, :] + offset[:, None]) % every == 0)


def _held_out(panel: Panel) -> Flags:
    return np.array([crc32(b"held out " + device.encode()) % HELD_OUT == 0 for device in panel.devices], dtype=bool)


def _folds(panel: Panel) -> Ints:
    return np.array([crc32(b"fold " + device.encode()) % FOLDS for device in panel.devices], dtype=np.int64)


def _cut(lives: Lives) -> int:
    """The day from which on a candidate is tested: the last `TEST_SHARE` of the days that anything is known of."""
    days = np.flatnonzero(lives.usable.any(axis=0))
    return int(days[int(len(days) * (1 - TEST_SHARE))]) if len(days) else 0


def _judge(data: Data, lives: Lives) -> Judgement | None:
    """Train on the past and most devices, test on the rest; None where either side has too few failures to say anything, or the
    history is so short that of the test's days only those before a failure have a known answer."""
    cut = _cut(lives)
    day = np.arange(data.panel.days)
    held = _held_out(data.panel)
    past = _rows(data, lives, (day < cut)[None, :] & ~held[:, None], until=cut)
    known, _ = labelled(lives, JUDGED_AT)
    test = _rows(data, lives, (day >= cut)[None, :] & known, test=True)
    fails = test.snapshots.to_failure <= JUDGED_AT
    failing = len(np.unique(test.device[fails]))
    if (
        failing < MIN_TEST_FAILURES
        or fails.all()
        or len(np.unique(past.device[past.snapshots.to_failure <= JUDGED_AT])) < MIN_TEST_FAILURES
    ):
        return None
    model = fit_hazard(past.snapshots, EDGES, _folds(data.panel)[past.device], near_days=NEAR_DAYS)
    raw = model.raw(test.snapshots.features, HORIZONS)
    calibration = _calibrations(test, raw, lives)
    probability = _cross_calibrated(test, raw[:, HORIZONS.index(JUDGED_AT)])
    age = _ages(data, past), _ages(data, test)
    baseline = fit_age_hazard(age[0], past.snapshots.to_failure, past.snapshots.weight)
    by_age = baseline.probabilities(age[1], (JUDGED_AT,))[:, 0]
    ours, theirs = scores(probability, fails), scores(by_age, fails)
    unseen = held[test.device]
    report = {
        "horizon_days": JUDGED_AT,
        "cut": day_start(data.panel.first_day + cut).date().isoformat(),
        "failing_devices": failing,
        "test": ours,
        "unseen_devices": scores(probability[unseen], fails[unseen]),
        "baseline": {key: theirs[key] for key in ("auc", "average_precision", "brier")},
    }
    better = ours["average_precision"] > theirs["average_precision"] and ours["brier"] < theirs["brier"]
    return Judgement(report, bool(better), calibration)


def _ages(data: Data, rows: Rows) -> Floats:
    return np.maximum(data.panel.first_day + rows.day - data.background.born[rows.device], 0.0)


def _calibrations(test: Rows, raw: Floats, lives: Lives) -> dict[int, Calibration]:
    """A calibration for each horizon, on the test days whose answer at that horizon is known."""
    fitted = {}
    for column, horizon in enumerate(HORIZONS):
        known, fails = labelled(lives, horizon)
        rows = known[test.device, test.day]
        failed = fails[test.device, test.day] & rows
        positives = len(np.unique(test.device[failed]))
        fitted[horizon] = fit_calibration(raw[rows, column], failed[rows], positives, test.snapshots.weight[rows])
    return fitted


def _cross_calibrated(test: Rows, raw: Floats) -> Floats:
    """Calibrated on one half of the devices, applied to the other: what the report says was not fitted to itself."""
    half = test.device % 2 == 0
    fails = test.snapshots.to_failure <= JUDGED_AT
    result = np.empty(len(raw))
    for side in (half, ~half):
        other = ~side
        positives = len(np.unique(test.device[other & fails]))
        fitted = fit_calibration(raw[other], fails[other], positives, test.snapshots.weight[other])
        result[side] = fitted.apply(raw[side])
    return result


def _fit_final(data: Data, lives: Lives, judgement: Judgement) -> tuple[Artifact, int]:
    everything = _rows(data, lives, np.ones(data.panel.present.shape, dtype=bool))
    fitted = fit_hazard(everything.snapshots, EDGES, _folds(data.panel)[everything.device], near_days=NEAR_DAYS)
    hazard = replace(fitted, calibration=judgement.calibration)
    features = everything.snapshots.features
    return Artifact(hazard, data.columns, typical(features), *_ranges(features)), len(features)


def _ranges(features: Matrix) -> tuple[Matrix, Matrix, Matrix]:
    """Lowest and highest usual value of every column, and the share of rows that lack it."""
    low = np.full(features.shape[1], -np.inf, dtype=np.float32)
    high = np.full(features.shape[1], np.inf, dtype=np.float32)
    missing = np.isnan(features).mean(axis=0).astype(np.float32)
    known = missing < 1
    if known.any():
        low[known], high[known] = np.nanquantile(features[:, known], [0.001, 0.999], axis=0)
    return low, high, missing


def _card(data: Data, model: str, part: str, failures: int, judgement: Judgement, rows: int) -> dict[str, Any]:
    last = data.panel.first_day + data.panel.days - 1
    return {
        "model": model,
        "part": part,
        "method": "discrete-time hazard, gradient-boosted trees",
        "intervals_days": list(EDGES),
        "horizons_days": list(HORIZONS),
        "data_from": day_start(data.panel.first_day).date().isoformat(),
        "data_until": day_start(last).date().isoformat(),
        "devices": len(data.devices),
        "device_days": int(data.panel.present.sum()),
        "rows": rows,
        "failures": failures,
        "features": [column.name for column in data.columns],
        "calibration": {str(horizon): one.kind for horizon, one in judgement.calibration.items()},
        "evaluation": judgement.report,
        "beats_age_alone": judgement.better,
        "seed": SEED,
    }
