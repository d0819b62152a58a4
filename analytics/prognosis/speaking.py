"""One round of prognoses: device model by device model, part by part."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

import numpy as np

from analytics.artifacts import Artifact
from analytics.decision.rule import Rule
from analytics.early_life import EarlyLives
from analytics.features import Background, matrix
from analytics.hazard import Matrix
from analytics.labels import born
from analytics.model_life.shadow import Seen, Shadow
from analytics.panel import Floats, Ints, Panel, day_number
from analytics.prognosis.alarms import AHEAD, METHOD, Said
from analytics.prognosis.by_age import ByAge
from analytics.prognosis.known import Key, Known, is_active
from analytics.prognosis.limits import judged_day, outside, too_much_missing
from analytics.risk_reasons import UNEXPLAINED, Around, around, explained
from analytics.signals import derived
from analytics.training.data import SETTLE_DAYS, services
from analytics.training.names import HORIZONS
from hearthwatch.records.prognoses import Prognosis
from hearthwatch.values import Device

MANY, MANY_SHARE = 5, 0.2
"""That so many devices of a model fail at once is less likely than that the world has left what the model learned from."""


@dataclass(frozen=True, slots=True)
class Spoken:
    """Which part of which device model is spoken about, by which version of its hazard."""

    model: str
    part: str
    artifact: Artifact
    version: int


@dataclass(slots=True)
class Round:
    """One run's work; ``rows``, ``said`` (what may become findings) and ``abstained`` are what it leaves."""

    known: Known
    artifacts: Mapping[Key, Artifact | str]
    panel: Panel
    early: EarlyLives
    by_age: ByAge
    shadow: Shadow
    now: datetime
    rule: Rule
    rows: list[Prognosis] = field(default_factory=list)
    said: list[Said] = field(default_factory=list)
    abstained: dict[str, int] = field(default_factory=dict)

    def take_model(self, model: str) -> None:
        """Every active device of a device model, part by part."""
        devices = [device for device in self.known.labels.by_model[model] if is_active(device, self.now)]
        if not devices:
            return
        parts = sorted(part for of, part in self.artifacts if of == model)
        failed = {*self.known.labels.parts_of(model), *self.by_age.parts_of(model)}
        for part in sorted(failed.difference(parts)):
            self._tell_by_age(devices, part)
        if not parts and not failed:
            self._abstain(devices, "device", "no model for this kind of device")
        if not parts:
            return
        row_of = {name: row for row, name in enumerate(self.panel.devices)}
        panel = derived(self.panel.only(np.array([row_of[device.id] for device in devices], dtype=np.int64)))
        nearby = around(panel, devices, judged_day(panel))
        for part in parts:
            artifact = self.artifacts[model, part]
            if isinstance(artifact, str):
                self._abstain(devices, part, artifact, self.known.champions[model, part].id)
            else:
                self._take_part(
                    panel, devices, Spoken(model, part, artifact, self.known.champions[model, part].id), nearby
                )

    def _tell_by_age(self, devices: Sequence[Device], part: str) -> None:
        rows = self.by_age.rows(devices, part)
        for row in rows:
            if row.abstained is not None:
                self.abstained[row.abstained] = self.abstained.get(row.abstained, 0) + 1
        self.rows += rows

    def _abstain(self, devices: Sequence[Device], part: str, why: str, version: int | None = None) -> None:
        if devices:
            self.abstained[why] = self.abstained.get(why, 0) + len(devices)
        method = None if version is None else METHOD
        self.rows += [
            Prognosis(one.id, part, self.now, version, None, None, None, why, (), method=method) for one in devices
        ]

    def _take_part(self, panel: Panel, devices: Sequence[Device], of: Spoken, nearby: Around) -> None:
        part, artifact, version = of.part, of.artifact, of.version
        features = matrix(
            panel, self._background(devices, part), artifact.columns, np.arange(len(devices)), judged_day(panel)
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
            day, background = judged_day(panel), self._background(devices, part)
            self.shadow.see(Seen(of.model, part, artifact, panel, background, day, devices, able, features))
            self._say(devices, features, able, of, nearby)

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

    def _say(self, devices: Sequence[Device], features: Matrix, able: Ints, of: Spoken, nearby: Around) -> None:
        probability: Floats = np.round(of.artifact.hazard.probabilities(features[able], HORIZONS), 6)
        high = probability[:, AHEAD] >= self.rule.alarm
        speaking = [devices[row] for row in able.tolist()]
        if high.sum() >= MANY and high.mean() > MANY_SHARE:
            self._abstain(speaking, of.part, "it says this of too many devices at once to be believed", of.version)
            return
        near_from = self.rule.line(of.model, of.part).close
        why = explained(of.artifact, features, able, probability[:, AHEAD], nearby, near_from)
        for place, device in enumerate(speaking):
            p = probability[place].tolist()
            known = why.get(place, UNEXPLAINED)
            said = Said(device.id, of.model, of.part, p, of.version, known.reasons, known.against)
            self.said.append(said)
            self.rows.append(self._row(said))

    def _row(self, said: Said) -> Prognosis:
        p7, p30, p90 = said.p
        return Prognosis(
            said.device,
            said.part,
            self.now,
            said.version,
            p7,
            p30,
            p90,
            None,
            said.reasons,
            method=METHOD,
            against=said.against,
        )
