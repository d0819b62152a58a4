"""What is said of parts without a model that looks at signs: by their age alone, or by how much they were used.

Such a row opens no finding: of thousands of parts of the same age nobody knows which will fail. It says how many will.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

import numpy as np

from analytics.labels import Labels, born
from analytics.panel import day_number
from analytics.signals import WEAR_COUNTERS
from analytics.survival.cold_start import ColdStart, cold_start, models_by_part, told
from analytics.survival.uses import Uses, read_uses
from analytics.training.data import HISTORY
from analytics.training.names import HORIZONS
from hearthwatch.ports import TelemetryStore
from hearthwatch.records.prognoses import Prognosis
from hearthwatch.values import Device

METHOD = "survival"
OPERATING_HOURS = "operating_h"


@dataclass(slots=True)
class ByAge:
    """The lives of parts over all models, each learned once, when it is first asked for."""

    store: TelemetryStore
    labels: Labels
    now: datetime
    models: Mapping[str, Sequence[str]]
    """By part, the models that have it."""
    _learned: dict[str, ColdStart | str] = field(default_factory=dict)

    @staticmethod
    def of(store: TelemetryStore, labels: Labels, now: datetime) -> ByAge:
        """Of what is known by now."""
        return ByAge(store, labels, now, models_by_part(labels))

    def parts_of(self, model: str) -> list[str]:
        """The parts that have failed on some model and that this one has."""
        return [part for part, models in self.models.items() if model in models]

    def rows(self, devices: Sequence[Device], part: str) -> list[Prognosis]:
        """What is said of one part of each device, in their order."""
        learned = self._lives_of(part)
        if isinstance(learned, str):
            return [
                Prognosis(one.id, part, self.now, None, None, None, None, learned, (), method=METHOD) for one in devices
            ]
        return [
            self._row(device.id, part, said.probabilities, said.abstained, said.clock)
            for device, said in zip(devices, told(learned, devices, self.labels, self.now, HORIZONS), strict=True)
        ]

    def _row(self, device: str, part: str, p: Sequence[float | None] | None, why: str | None, clock: str) -> Prognosis:
        p7, p30, p90 = (None if one is None else round(one, 6) for one in p or (None, None, None))
        return Prognosis(device, part, self.now, None, p7, p30, p90, why, (), method=METHOD, clock=clock)

    def _lives_of(self, part: str) -> ColdStart | str:
        if part not in self._learned:
            models = self.models.get(part, ())
            self._learned[part] = cold_start(self.labels, part, self.now, self._uses(part, models), models)
        return self._learned[part]

    def _uses(self, part: str, models: Sequence[str]) -> Mapping[str, Uses]:
        """What may be the part's clock beside the calendar, of all devices that have it."""
        devices = [one for model in models for one in self.labels.by_model[model]]
        begun = {one.id: day_number(one.first_seen) for one in devices if one.first_seen is not None}
        new = {one.id: int(born(one)) for one in devices if np.isfinite(born(one))}
        counters = (*WEAR_COUNTERS.get(part, ()), OPERATING_HOURS)
        return read_uses(self.store, counters, new, begun, day_number(self.now) - 1, HISTORY)
