"""What the champions say of every device today: probabilities of failure within 7, 30 and 90 days, with reasons, or why they do not say.

A model speaks only about what it knows: enough days of the device, a champion for the device's model, inputs like those it learned from.
A finding opens when the 30-day probability reaches the alarm twice in a row, and stays until it falls below 0.6 of it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import numpy as np
from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]

from analytics.artifacts import Artifact, load
from analytics.early_life import EarlyLives, early_lives
from analytics.explanation import deltas
from analytics.features import WINDOW_DAYS, Background, matrix
from analytics.hazard import Matrix
from analytics.labels import Labels, born, read_labels
from analytics.panel import Flags, Floats, Panel, day_number, day_start, panel_of
from analytics.signals import derived, raw_metrics
from analytics.training import FAMILY, HORIZONS, services
from hearthwatch.errors import Invalid
from hearthwatch.failure_modes import mode_of_part
from hearthwatch.metrics import BY_NAME
from hearthwatch.ports import TelemetryStore
from hearthwatch.records import findings, model_versions, prognoses
from hearthwatch.records.database import Database
from hearthwatch.records.model_versions import ModelVersion
from hearthwatch.records.prognoses import Prognosis
from hearthwatch.values import Device, Observation, Severity

MIN_DAYS = 7
ACTIVE = timedelta(days=7)
CLOSE_AT = 0.6
EXPLAIN_FROM = 0.1
MOST_EXPLAINED = 60
MOST_REASONS = 4
MIN_POINTS = 0.01
MAX_OUTSIDE = 0.25
MAX_MISSING = 0.5
NEW_HORIZON, MID_HORIZON = 7, 30
EVERYTHING = 10_000_000


@dataclass(frozen=True, slots=True)
class _Known:
    labels: Labels
    champions: Mapping[tuple[str, str], ModelVersion]  # (device model, part)
    alarmed: frozenset[tuple[str, str]]  # (device, mode) with an open finding
    before: Mapping[tuple[str, str], float]  # p30 of the run before


@dataclass(slots=True)
class _Outcome:
    rows: list[Prognosis]
    observations: list[Observation]
    abstained: dict[str, int]


def prognose(
    store: TelemetryStore, database: Database, now: datetime, *, alarm: float, relapse: timedelta
) -> dict[str, Any]:
    """Prognoses of all devices that reported lately. The same day twice gives the same rows."""
    known = _load(database, now)
    artifacts = {key: _loaded(version) for key, version in known.champions.items()}
    outcome = _Outcome([], [], {})
    panel = _read(store, known, artifacts, now)
    early = early_lives(store, database, known.labels, panel, now)
    with threadpool_limits(1):  # some hundred rows are done before a second thread has woken up
        for model, devices in sorted(known.labels.by_model.items()):
            active = [device for device in devices if is_active(device, now)]
            if active:
                _prognose_model(outcome, known, artifacts, panel, early, model, active, now, alarm)
    with database.transaction() as connection:
        early.save(connection, now)
        prognoses.put(connection, outcome.rows)
        for observation in outcome.observations:
            findings.observe(connection, observation, relapse=relapse)
    said = [row.p30 for row in outcome.rows if row.p30 is not None]
    return {
        "day": day_start(day_number(now) - 1).date().isoformat(),
        "prognoses": len(said),
        "abstained": dict(sorted(outcome.abstained.items())),
        "in_alarm": len(outcome.observations),
        "highest": round(max(said), 4) if said else None,
    }


def _loaded(version: ModelVersion) -> Artifact | str:
    """The model, or why it cannot be used."""
    try:
        return load(version)
    except Invalid as error:
        return error.message


def _load(database: Database, now: datetime) -> _Known:
    with database.reading() as connection:
        labels = read_labels(connection, now)
        champions = {
            (version.card["model"], version.card["part"]): version
            for version in model_versions.champions(connection)
            if version.name.startswith(FAMILY)
        }
        open_ones = findings.list_findings(connection, kind="prognosis", states=findings.UNRECOVERED, limit=EVERYTHING)
        today = day_start(day_number(now))
        before = {
            (row.device_id, row.part): row.p30
            for row in prognoses.riskiest(connection, limit=EVERYTHING)
            if row.p30 is not None and today - timedelta(days=3) <= row.at < today
        }
    return _Known(labels, champions, frozenset((one.subject, one.mode) for one in open_ones), before)


def _read(
    store: TelemetryStore, known: _Known, artifacts: Mapping[tuple[str, str], Artifact | str], now: datetime
) -> Panel:
    """The last `WINDOW_DAYS` of what the champions look at, of the devices they speak about."""
    first, last = day_number(now) - 1 - WINDOW_DAYS, day_number(now) - 1
    since, until = day_start(first), day_start(last + 1)
    spoken_for = {model for model, _ in known.champions}
    names = [
        device.id
        for model, devices in known.labels.by_model.items()
        if model in spoken_for
        for device in devices
        if is_active(device, now)
    ]
    columns = {column for one in artifacts.values() if isinstance(one, Artifact) for column in one.columns}
    empty = store.daily(since, since)
    return panel_of(
        store.daily(since, until, metrics=raw_metrics({column.metric for column in columns})) if names else empty,
        store.events(since, until, kinds=["reboot"]),
        first_day=first,
        days=last - first + 1,
        devices=names,
    )


def is_active(device: Device, now: datetime) -> bool:
    """Whether a device is in service and was heard of in the last week."""
    return device.removed_at is None and device.last_seen is not None and now - device.last_seen <= ACTIVE


def _prognose_model(
    outcome: _Outcome,
    known: _Known,
    artifacts: Mapping[tuple[str, str], Artifact | str],
    panel: Panel,
    early: EarlyLives,
    model: str,
    devices: Sequence[Device],
    now: datetime,
    alarm: float,
) -> None:
    parts = sorted(part for of, part in artifacts if of == model)
    missing = [part for part in known.labels.parts_of(model) if part not in parts]
    for part in missing:
        _abstain(outcome, devices, part, None, "too few failures to learn from", now)
    if not parts and not missing:
        _abstain(outcome, devices, "device", None, "no model for this kind of device", now)
    if not parts:
        return
    row_of = {name: row for row, name in enumerate(panel.devices)}
    mine = derived(panel.only(np.array([row_of[device.id] for device in devices], dtype=np.int64)))
    for part in parts:
        version = known.champions[model, part]
        artifact = artifacts[model, part]
        if isinstance(artifact, str):
            _abstain(outcome, devices, part, version.id, artifact, now)
            continue
        background = Background(
            np.zeros(len(devices), dtype=np.int64),
            np.array([born(device) for device in devices]),
            services(devices, known.labels, part),
            early.first_seen(devices),
            early.means(devices),
        )
        _prognose_part(outcome, known, mine, background, devices, part, version.id, artifact, now, alarm)


def _abstain(
    outcome: _Outcome, devices: Sequence[Device], part: str, version: int | None, why: str, now: datetime
) -> None:
    outcome.abstained[why] = outcome.abstained.get(why, 0) + len(devices)
    outcome.rows.extend(Prognosis(d.id, part, now, version, None, None, None, why, ()) for d in devices)


def _prognose_part(
    outcome: _Outcome,
    known: _Known,
    panel: Panel,
    background: Background,
    devices: Sequence[Device],
    part: str,
    version: int,
    artifact: Artifact,
    now: datetime,
    alarm: float,
) -> None:
    last = np.full(len(devices), panel.days - 1, dtype=np.int64)
    newest = (
        panel.days - 1 - np.argmax(panel.present[:, ::-1], axis=1)
    )  # a device that is silent today is judged by its last day
    features = matrix(panel, background, artifact.columns, np.arange(len(devices)), np.minimum(last, newest))
    enough = panel.present.sum(axis=1) >= MIN_DAYS
    strange, lacking = outside(features, artifact), too_much_missing(features, artifact)
    for why, which in (
        ("too short a history", ~enough),
        ("too many values are missing", enough & lacking),
        ("unlike anything the model has learned from", enough & ~lacking & strange),
    ):
        _abstain(outcome, [d for d, is_so in zip(devices, which, strict=True) if is_so], part, version, why, now)
    able = np.flatnonzero(enough & ~lacking & ~strange)
    if not len(able):
        return
    probability = artifact.hazard.probabilities(features[able], HORIZONS)
    p30 = probability[:, HORIZONS.index(MID_HORIZON)]
    mode = mode_of_part(part)
    reasons = _reasons(artifact, features[able], p30)
    for place, row in enumerate(able.tolist()):
        device = devices[row]
        p = [round(float(value), 6) for value in probability[place]]
        outcome.rows.append(Prognosis(device.id, part, now, version, p[0], p[1], p[2], None, reasons.get(place, ())))
        lasting = (device.id, mode) in known.alarmed
        confirmed = lasting or known.before.get((device.id, part), 0.0) >= alarm * CLOSE_AT
        if p30[place] >= (alarm * CLOSE_AT if lasting else alarm) and confirmed:
            outcome.observations.append(
                _observation(device, part, mode, p, reasons.get(place, ()), version, now, alarm)
            )


def outside(features: Matrix, artifact: Artifact) -> Flags:
    """Rows of which more than a quarter of the values lie clearly outside what the model has learned from."""
    span = np.where(np.isfinite(artifact.high - artifact.low), artifact.high - artifact.low, 0)
    known = ~np.isnan(features)
    with np.errstate(invalid="ignore"):
        far = known & ((features < artifact.low - span / 2) | (features > artifact.high + span / 2))
    share = far.sum(axis=1) / np.maximum(known.sum(axis=1), 1)
    return np.asarray(share > MAX_OUTSIDE)


def too_much_missing(features: Matrix, artifact: Artifact) -> Flags:
    """Rows that lack more than half of the values that the model nearly always had."""
    usual = artifact.missing < 0.1
    if not usual.any():
        return np.zeros(len(features), dtype=bool)
    return np.asarray(np.isnan(features[:, usual]).mean(axis=1) > MAX_MISSING)


def _reasons(artifact: Artifact, features: Matrix, p30: Floats) -> dict[int, list[dict[str, Any]]]:
    """Reasons of the riskiest rows, strongest first, by row."""
    chosen = np.flatnonzero(p30 >= EXPLAIN_FROM)
    chosen = chosen[np.argsort(-p30[chosen], kind="stable")][:MOST_EXPLAINED]
    if not len(chosen):
        return {}
    names, change = deltas(artifact.hazard, features[chosen], artifact.typical, artifact.columns, MID_HORIZON)
    found = {}
    for place, row in enumerate(chosen):
        order = np.argsort(-change[place], kind="stable")[:MOST_REASONS]
        found[int(row)] = [
            _reason(names[column], float(change[place, column]), artifact, features[row])
            for column in order
            if change[place, column] >= MIN_POINTS
        ]
    return found


def _reason(metric: str, points: float, artifact: Artifact, row: Matrix) -> dict[str, Any]:
    unit = BY_NAME[metric].unit if metric in BY_NAME else "days" if metric in {"age", "service"} else ""
    values: dict[str, Any] = {"points": round(100 * points, 1)}
    views = {column.view: place for place, column in enumerate(artifact.columns) if column.metric == metric}
    for view, name in (("mean_7", "mean of 7 days"), ("days", "days")):
        if view in views and not np.isnan(row[views[view]]):
            values[name] = f"{float(row[views[view]]):.4g} {unit}".strip()
    if "peers" in views and not np.isnan(row[views["peers"]]):
        values["deviations from peers"] = round(float(row[views["peers"]]), 1)
    return {
        "text_key": "metric_raises_risk",
        "text": f"{metric} raises the 30-day risk by {100 * points:.0f} points",
        "metric": metric,
        "values": values,
    }


def _observation(
    device: Device,
    part: str,
    mode: str,
    p: Sequence[float],
    reasons: Sequence[Mapping[str, Any]],
    version: int,
    now: datetime,
    alarm: float,
) -> Observation:
    p30 = p[HORIZONS.index(MID_HORIZON)]
    severity: Severity = "critical" if p[HORIZONS.index(NEW_HORIZON)] >= alarm else "warning"
    evidence = {
        "metrics": [reason["metric"] for reason in reasons if reason["metric"] not in {"age", "service"}],
        "reasons": list(reasons) or [{"text_key": "risk", "text": "The sum of many small signs", "values": {}}],
        "probabilities": {str(horizon): value for horizon, value in zip(HORIZONS, p, strict=True)},
        "alarm": alarm,
        "model_version": version,
    }
    return Observation("prognosis", "device", device.id, mode, severity, now, evidence, probability=p30, part=part)
