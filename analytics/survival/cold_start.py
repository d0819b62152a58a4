"""What is said of a part that has failed too seldom, on one model of device, for a hazard of its own: lives of the part on all models.

A part of a kind of device is told by its age alone, its model's scale drawn towards those of the other models. It says nothing, with the
reason, where fewer than `weibull.FEWEST_FAILURES` failures of the part are known on all models together, or beyond the ages at which
parts have been watched.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

import numpy as np

from analytics.labels import Labels, born
from analytics.panel import Floats, day_number
from analytics.survival.spells import Watched, spells_of
from analytics.survival.weibull import Weibull, fit_weibull
from hearthwatch.errors import Invalid
from hearthwatch.values import Device


@dataclass(frozen=True, slots=True)
class ColdStart:
    """The lives of one part on all models; ``group`` numbers the models that were watched."""

    part: str
    lives: Weibull
    group: dict[str, int]
    failures: int


@dataclass(frozen=True, slots=True)
class Said:
    """Probabilities of failure within each horizon, or why there are none."""

    probabilities: tuple[float, ...] | None
    abstained: str | None


def cold_start(labels: Labels, part: str, now: datetime) -> ColdStart | str:
    """Learn the lives of a part from everything known by now; else the reason why not."""
    group = {model: number for number, model in enumerate(sorted(labels.by_model))}
    watched = [
        one
        for model, devices in labels.by_model.items()
        for device in devices
        if (one := _watched(device, labels, part, group[model], now)) is not None
    ]
    spells = spells_of(watched)
    try:
        lives = fit_weibull(spells)
    except Invalid as error:
        return f"too few failures to learn from: {error.message}"
    present = {model: number for model, number in group.items() if number < len(lives.exposure)}
    return ColdStart(part, lives, present, int(spells.failed.sum()))


def told(
    learned: ColdStart, devices: Sequence[Device], labels: Labels, now: datetime, horizons: Sequence[int]
) -> list[Said]:
    """For each device the probabilities that its part fails within each horizon in days, or why nothing is said.

    What a longer horizon makes silent silences all: a device has one answer.
    """
    if not devices:
        return []
    group = np.array([learned.group.get(device.model or "", -1) for device in devices], dtype=np.int64)
    age = np.array([_age(device, labels, learned.part, now) for device in devices], dtype=np.float64)
    reasons = learned.lives.silent(group, age, np.full(len(devices), float(max(horizons))))
    known = np.where(np.isfinite(age), age, 0.0)
    columns: list[Floats] = [
        learned.lives.probabilities(group, known, np.full(len(devices), float(horizon))) for horizon in horizons
    ]
    rows = np.stack(columns, axis=1).tolist()
    return [Said(tuple(row), None) if why is None else Said(None, why) for row, why in zip(rows, reasons, strict=True)]


def _age(device: Device, labels: Labels, part: str, now: datetime) -> float:
    """Whole days since the part was new; NaN where that is not known, or where it has failed and not been renewed."""
    first = born(device)
    renewed = [day for day in labels.renewed.get((device.id, part), ()) if day > first]
    new = max([first, *renewed])
    if any(day > new or day == first for day in labels.failures.get((device.id, part), ())):
        return float("nan")
    return day_number(now) - new


def _watched(device: Device, labels: Labels, part: str, group: int, now: datetime) -> Watched | None:
    """From when the device was first heard of until it was last heard of, removed, or failed; None where its age or watch is not known."""
    first = born(device)
    failures = labels.failures.get((device.id, part), ())
    if np.isnan(first) or (device.first_seen is None and not failures):
        return None
    since = int(first) if device.first_seen is None else max(int(first), day_number(device.first_seen))
    ends = [day_number(at) for at in (device.removed_at, device.last_seen) if at is not None]
    until = min([day_number(now) - 1, *ends])
    until = max([until, *(day for day in failures if day < day_number(now))])
    if until < since:
        return None
    return Watched(group, int(first), since, until, failures, labels.renewed.get((device.id, part), ()))
