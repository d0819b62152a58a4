"""What the champions say of every device today: probabilities of failure within 7, 30 and 90 days, with reasons, or why they do not say.

A model speaks only about what it knows: enough days of the device, a champion for the device's model, inputs like those it learned from.
A finding opens when the 30-day probability reaches the alarm twice in a row, and stays until it falls below 0.6 of it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]

from analytics.artifacts import Artifact, load
from analytics.early_life import EarlyLives, early_lives
from analytics.features import WINDOW_DAYS, Background, matrix
from analytics.hazard import Matrix
from analytics.labels import EVERYTHING, Labels, born, read_labels
from analytics.panel import Flags, Floats, Ints, Panel, day_number, day_start, panel_of
from analytics.risk_reasons import reasons_of
from analytics.signals import derived, raw_metrics
from analytics.silence import SILENT_DAYS, blind_days, still_standing
from analytics.training import FAMILY, HORIZONS, JUDGED_AT, SETTLE_DAYS, services
from hearthwatch.errors import Invalid
from hearthwatch.failure_modes import mode_of_part
from hearthwatch.ports import TelemetryStore
from hearthwatch.records import findings, model_versions, prognoses
from hearthwatch.records.database import Database
from hearthwatch.records.model_versions import ModelVersion
from hearthwatch.records.prognoses import Prognosis
from hearthwatch.values import Device, Finding, Observation, Severity

ACTIVE = timedelta(days=7)
FRESH_DAYS = 2
CLOSE_AT = 0.6
MAX_OUTSIDE = 0.25
MAX_MISSING = 0.5
MANY, MANY_SHARE = 5, 0.2
"""That so many devices of a model fail at once is less likely than that the world has left what the model learned from."""
SOON = HORIZONS.index(7)
AHEAD = HORIZONS.index(JUDGED_AT)

Key = tuple[str, str]
Reasons = Sequence[Mapping[str, Any]]


@dataclass(frozen=True, slots=True)
class _Known:
    """What the records hold: labels, champions by (device model, part), open findings by (device, mode), the last 30-day probabilities.

    ``blind`` are the days on which nobody could be heard.
    """

    labels: Labels
    champions: Mapping[Key, ModelVersion]
    open: Mapping[Key, Finding]
    before: Mapping[Key, float]
    blind: AbstractSet[int]


def prognose(
    store: TelemetryStore, database: Database, now: datetime, *, alarm: float, relapse: timedelta
) -> dict[str, Any]:
    """Prognoses of all devices that reported lately. The same day twice gives the same rows."""
    known = _load(database, now)
    artifacts = {key: _loaded(version) for key, version in known.champions.items()}
    panel = _read(store, known, artifacts, now)
    early = early_lives(store, database, known.labels, panel, now)
    work = _Round(known, artifacts, panel, early, now, alarm)
    with threadpool_limits(1):  # some hundred rows are done before a second thread has woken up
        for model in sorted(known.labels.by_model):
            work.take_model(model)
    observations = [*work.observations, *_standing(known, work.rows, now)]
    with database.transaction(alone=False) as connection:
        early.save(connection, now)
        prognoses.put(connection, work.rows)
        for observation in observations:
            findings.observe(connection, observation, relapse=relapse)
    said = [row.p30 for row in work.rows if row.p30 is not None]
    return {
        "day": day_start(day_number(now) - 1).date().isoformat(),
        "prognoses": len(said),
        "abstained": dict(sorted(work.abstained.items())),
        "in_alarm": len(observations),
        "highest": round(max(said), 4) if said else None,
    }


def is_active(device: Device, now: datetime) -> bool:
    """Whether a device is in service and was heard of in the last week."""
    return device.removed_at is None and device.last_seen is not None and now - device.last_seen <= ACTIVE


def _load(database: Database, now: datetime) -> _Known:
    with database.reading() as connection:
        champions = {
            (version.card["model"], version.card["part"]): version
            for version in model_versions.champions(connection)
            if version.name.startswith(FAMILY)
        }
        standing = findings.list_findings(connection, kind="prognosis", states=findings.UNRECOVERED, limit=EVERYTHING)
        today = day_start(day_number(now))
        before = {
            (row.device_id, row.part): row.p30
            for row in prognoses.riskiest(connection, limit=EVERYTHING)
            if row.p30 is not None and today - timedelta(days=3) <= row.at < today
        }
        labels = read_labels(connection, now)
        blind = blind_days(connection, now)
    return _Known(labels, champions, {(one.subject, one.mode): one for one in standing}, before, blind)


def _loaded(version: ModelVersion) -> Artifact | str:
    """The model, or why it cannot be used."""
    try:
        return load(version)
    except Invalid as error:
        return error.message


def _read(store: TelemetryStore, known: _Known, artifacts: Mapping[Key, Artifact | str], now: datetime) -> Panel:
    """The last `WINDOW_DAYS` of what the champions look at, of the devices they speak about."""
    first, last = day_number(now) - 1 - WINDOW_DAYS, day_number(now) - 1
    since, until = day_start(first), day_start(last + 1)
    spoken_for = {model for model, _ in known.champions}
    devices = [device for model in spoken_for for device in known.labels.by_model.get(model, ())]
    names = sorted(device.id for device in devices if is_active(device, now))
    columns = {column.metric for one in artifacts.values() if isinstance(one, Artifact) for column in one.columns}
    return panel_of(
        store.daily(since, until if names else since, metrics=raw_metrics(columns)),
        store.events(since, until if names else since, kinds=["reboot"]),
        first_day=first,
        days=last - first + 1,
        devices=names,
    )


def _standing(known: _Known, rows: Sequence[Prognosis], now: datetime) -> list[Observation]:
    """Open findings of devices of which nothing new can be said: silent, or without the values that the model needs."""
    said = {(row.device_id, mode_of_part(row.part)) for row in rows if row.abstained is None}
    result = []
    for key, finding in known.open.items():
        day = finding.evidence.get("day")
        told = None if day is None else datetime.fromisoformat(day).replace(tzinfo=UTC)
        lately = told is not None and now - told < timedelta(
            days=SILENT_DAYS + 2 + sum(one > day_number(told) for one in known.blind)
        )
        days = known.labels.renewed.get((finding.subject, finding.part or ""), ())
        renewed = any(one >= day_number(finding.last_seen) for one in days)
        if key not in said and lately and not renewed:
            result.append(still_standing(finding, now, known.blind))
    return result


@dataclass(slots=True)
class _Round:
    """One run's work; ``rows``, ``observations`` and ``abstained`` are what it leaves."""

    known: _Known
    artifacts: Mapping[Key, Artifact | str]
    panel: Panel
    early: EarlyLives
    now: datetime
    alarm: float
    rows: list[Prognosis] = field(default_factory=list)
    observations: list[Observation] = field(default_factory=list)
    abstained: dict[str, int] = field(default_factory=dict)

    def take_model(self, model: str) -> None:
        """Every active device of a device model, part by part."""
        devices = [device for device in self.known.labels.by_model[model] if is_active(device, self.now)]
        if not devices:
            return
        parts = sorted(part for of, part in self.artifacts if of == model)
        missing = [part for part in self.known.labels.parts_of(model) if part not in parts]
        for part in missing:
            self._abstain(devices, part, "too few failures to learn from")
        if not parts and not missing:
            self._abstain(devices, "device", "no model for this kind of device")
        if not parts:
            return
        row_of = {name: row for row, name in enumerate(self.panel.devices)}
        panel = derived(self.panel.only(np.array([row_of[device.id] for device in devices], dtype=np.int64)))
        for part in parts:
            artifact = self.artifacts[model, part]
            if isinstance(artifact, str):
                self._abstain(devices, part, artifact, self.known.champions[model, part].id)
            else:
                self._take_part(panel, devices, part, artifact, self.known.champions[model, part].id)

    def _abstain(self, devices: Sequence[Device], part: str, why: str, version: int | None = None) -> None:
        if devices:
            self.abstained[why] = self.abstained.get(why, 0) + len(devices)
        self.rows += [Prognosis(one.id, part, self.now, version, None, None, None, why, ()) for one in devices]

    def _take_part(self, panel: Panel, devices: Sequence[Device], part: str, artifact: Artifact, version: int) -> None:
        features = matrix(
            panel, self._background(devices, part), artifact.columns, np.arange(len(devices)), _judged_day(panel)
        )
        enough = np.array([self._days_known(device, part) >= SETTLE_DAYS for device in devices], dtype=bool)
        strange, lacking = outside(features, artifact), too_much_missing(features, artifact)
        for why, which in (
            ("too short a history", ~enough),
            ("too many values are missing", enough & lacking),
            ("unlike anything the model has learned from", enough & ~lacking & strange),
        ):
            self._abstain([devices[row] for row in np.flatnonzero(which).tolist()], part, why, version)
        able = np.flatnonzero(enough & ~lacking & ~strange)
        if len(able):
            self._say([devices[row] for row in able.tolist()], features[able], part, artifact, version)

    def _days_known(self, device: Device, part: str) -> int:
        """Whole days since the device was first heard of, or since this part of it was renewed."""
        if device.first_seen is None:
            return 0
        renewed = self.known.labels.renewed.get((device.id, part), ())
        return day_number(self.now) - max(day_number(device.first_seen), *(day + 1 for day in renewed), 0)

    def _background(self, devices: Sequence[Device], part: str) -> Background:
        return Background(
            np.zeros(len(devices), dtype=np.int64),
            np.array([born(device) for device in devices]),
            services(devices, self.known.labels, part),
            self.early.first_seen(devices),
            self.early.means(devices),
        )

    def _say(self, devices: Sequence[Device], features: Matrix, part: str, artifact: Artifact, version: int) -> None:
        probability: Floats = np.round(artifact.hazard.probabilities(features, HORIZONS), 6)
        high = probability[:, AHEAD] >= self.alarm
        if high.sum() >= MANY and high.mean() > MANY_SHARE:
            self._abstain(devices, part, "it says this of too many devices at once to be believed", version)
            return
        reasons = reasons_of(artifact, features, probability[:, AHEAD])
        for row, device in enumerate(devices):
            p = probability[row].tolist()
            why = reasons.get(row, ())
            self.rows.append(Prognosis(device.id, part, self.now, version, p[0], p[1], p[2], None, why))
            if self._is_alarm(device.id, part, p[AHEAD]):
                self.observations.append(self._observation(device.id, part, p, why, version))

    def _is_alarm(self, device: str, part: str, p30: float) -> bool:
        close = self.alarm * CLOSE_AT
        if (device, mode_of_part(part)) in self.known.open:
            return p30 >= close
        return p30 >= self.alarm and self.known.before.get((device, part), 0.0) >= close

    def _observation(self, device: str, part: str, p: Sequence[float], why: Reasons, version: int) -> Observation:
        severity: Severity = "critical" if p[SOON] >= self.alarm else "warning"
        evidence = {
            "metrics": [reason["metric"] for reason in why if reason["metric"] not in {"age", "service"}],
            "reasons": list(why) or [{"text_key": "risk", "text": "The sum of many small signs", "values": {}}],
            "probabilities": {str(horizon): value for horizon, value in zip(HORIZONS, p, strict=True)},
            "alarm": self.alarm,
            "day": day_start(day_number(self.now) - 1).date().isoformat(),
            "model_version": version,
        }
        mode = mode_of_part(part)
        return Observation("prognosis", "device", device, mode, severity, self.now, evidence, p[AHEAD], part)


def _judged_day(panel: Panel) -> Ints:
    """The last day, or the newest one with data if that is not long ago."""
    ago = np.argmax(panel.present[:, ::-1], axis=1)
    day: Ints = panel.days - 1 - np.where(ago <= FRESH_DAYS, ago, 0)
    return day


def outside(features: Matrix, artifact: Artifact) -> Flags:
    """Rows of which more than a quarter of the values lie clearly outside what the model has learned from."""
    with np.errstate(invalid="ignore"):
        span = artifact.high - artifact.low
        span = np.where(np.isfinite(span), span, 0)
        far = (features < artifact.low - span / 2) | (features > artifact.high + span / 2)
    known = ~np.isnan(features)
    share = (far & known).sum(axis=1) / np.maximum(known.sum(axis=1), 1)
    return np.asarray(share > MAX_OUTSIDE)


def too_much_missing(features: Matrix, artifact: Artifact) -> Flags:
    """Rows that lack more than half of the values that the model nearly always had."""
    usual = artifact.missing < 0.1
    if not usual.any():
        return np.zeros(len(features), dtype=bool)
    return np.asarray(np.isnan(features[:, usual]).mean(axis=1) > MAX_MISSING)
