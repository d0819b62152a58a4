"""What is said of a part that has failed too seldom, on one model of device, for a hazard of its own: lives of the part on all models.

A part of a kind of device is told by its age alone, or by how much it was used where that foretold better (`clocks`), its model's scale
drawn towards those of the other models. It says nothing, with the reason, where fewer than `weibull.FEWEST_FAILURES` failures of the
part are known on all models together, or beyond the ages at which parts have been watched.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

import numpy as np

from analytics.labels import Labels, born
from analytics.panel import Floats, Ints, day_number
from analytics.survival.clocks import AGE, choose_clock, used_spells
from analytics.survival.spells import Watched, spells_of
from analytics.survival.uses import Uses
from analytics.survival.weibull import Weibull, fit_weibull
from hearthwatch.errors import Invalid
from hearthwatch.values import Device

BROKEN = "it has failed and has not been renewed"


@dataclass(frozen=True, slots=True)
class ColdStart:
    """The lives of one part on all models that have it; ``group`` numbers the models that were watched.

    ``clock`` is `AGE`, or the counter by whose use ``by_use`` tells the devices whose use is known; the others are told by their age.
    """

    part: str
    lives: Weibull
    group: Mapping[str, int]
    failures: int
    clock: str = AGE
    use: Uses | None = None
    by_use: Weibull | None = None


@dataclass(frozen=True, slots=True)
class Said:
    """Probabilities of failure within each horizon, or why there are none, and the clock they come from. Horizons that lead beyond the
    ages that were watched have None."""

    probabilities: tuple[float | None, ...] | None
    abstained: str | None
    clock: str = AGE


def models_by_part(labels: Labels) -> dict[str, list[str]]:
    """The models that have each part that has ever failed: it has failed, or is on record as built in, in one of their devices."""
    model_of = {device.id: model for model, devices in labels.by_model.items() for device in devices}
    failed = {part for _, part in labels.failures if part}
    found: dict[str, set[str]] = {part: set() for part in failed}
    for device, part in (*labels.failures, *labels.renewed):
        if part in failed and device in model_of:
            found[part].add(model_of[device])
    return {part: sorted(models) for part, models in sorted(found.items())}


def cold_start(
    labels: Labels,
    part: str,
    now: datetime,
    uses: Mapping[str, Uses] | None = None,
    models: Sequence[str] | None = None,
) -> ColdStart | str:
    """Learn the lives of a part from everything known by now; else the reason why not.

    ``uses``: counters that may be its clock; ``models``: those that have the part, as of `models_by_part`, if already known.
    """
    having = models_by_part(labels).get(part, ()) if models is None else models
    group = {model: number for number, model in enumerate(having)}
    names, watched = [], []
    for model in group:
        for device in labels.by_model[model]:
            one = _watched(device, labels, part, group[model], now)
            if one is not None:
                names.append(device.id)
                watched.append(one)
    spells = spells_of(watched)
    try:
        lives = fit_weibull(spells)
    except Invalid as error:
        return f"too few failures to learn from: {error.message}"
    choice = choose_clock(names, watched, uses or {})
    learned = ColdStart(part, lives, _present(group, lives), int(spells.failed.sum()))
    if uses is None or choice.clock == AGE:
        return learned
    use = uses[choice.clock]
    by_use = fit_weibull(used_spells(names, watched, use)[0], unit=choice.clock)
    return ColdStart(part, lives, learned.group, learned.failures, choice.clock, use, by_use)


def _present(group: Mapping[str, int], lives: Weibull) -> dict[str, int]:
    return {model: number for model, number in group.items() if number < len(lives.exposure)}


def told(
    learned: ColdStart, devices: Sequence[Device], labels: Labels, now: datetime, horizons: Sequence[int]
) -> list[Said]:
    """For each device the probabilities that its part fails within each horizon in days, or why nothing is said."""
    if not devices:
        return []
    group = np.array([learned.group.get(device.model or "", -1) for device in devices], dtype=np.int64)
    age = np.array([day_number(now) - _new(device, labels, learned.part) for device in devices], dtype=np.float64)
    age = np.where(age >= 0, age, np.nan)  # a part that is to come in tomorrow has no age
    answers = _said(learned.lives, group, age, np.ones(len(devices)), horizons, AGE)
    if learned.use is not None and learned.by_use is not None:
        used, rate = _used(learned.use, devices, labels, learned.part, now)
        known = np.isfinite(used) & np.isfinite(rate) & np.isfinite(age)
        by_use = _said(
            learned.by_use, learned.by_use.known_group(group), used, np.where(known, rate, 0.0), horizons, learned.clock
        )
        answers = [use if known[row] else by_age for row, (use, by_age) in enumerate(zip(by_use, answers, strict=True))]
    return [
        Said(None, BROKEN) if _is_broken(device, labels, learned.part) else answer
        for device, answer in zip(devices, answers, strict=True)
    ]


def _said(lives: Weibull, group: Ints, age: Floats, rate: Floats, horizons: Sequence[int], clock: str) -> list[Said]:
    """What a clock says of parts that stand at ``age`` on it and go on at ``rate`` a day."""
    known = np.where(np.isfinite(age), age, 0.0)
    reasons = [lives.silent(group, age, rate * horizon) for horizon in horizons]
    p = np.stack([lives.probabilities(group, known, rate * horizon) for horizon in horizons], axis=1)
    result = []
    for row in range(len(age)):
        if reasons[0][row] is not None:
            result.append(Said(None, reasons[0][row], clock))
            continue
        reached = (None if why[row] is not None else float(p[row, column]) for column, why in enumerate(reasons))
        result.append(Said(tuple(reached), None, clock))
    return result


def _used(use: Uses, devices: Sequence[Device], labels: Labels, part: str, now: datetime) -> tuple[Floats, Floats]:
    """Use of each device's part by the end of yesterday, and its rate a day."""
    yesterday = day_number(now) - 1
    fleet = use.fleet_per_day(yesterday)
    used, rate = np.full(len(devices), np.nan), np.full(len(devices), np.nan)
    for row, device in enumerate(devices):
        first = born(device)
        if np.isfinite(first):
            new = _new(device, labels, part)
            used[row] = use.since_new(device.id, int(new), new == first, yesterday)
            rate[row] = use.per_day(device.id, yesterday, fleet)
    return used, rate


def _new(device: Device, labels: Labels, part: str) -> float:
    """The day the part was new; NaN where that is not known."""
    first = born(device)
    return max([first, *(day for day in labels.renewed.get((device.id, part), ()) if day > first)])


def _is_broken(device: Device, labels: Labels, part: str) -> bool:
    """Whether the part has failed and not been renewed since."""
    new = _new(device, labels, part)
    return any(day > new or day == born(device) for day in labels.failures.get((device.id, part), ()))


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
