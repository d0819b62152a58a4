"""Learns how long parts that wear will last, for every device model and part that has failed often enough, and judges what it learned.

It is judged on devices that were left out of it, never on rows of a device that it knows: by the error of its expectation, against that
of the mean life left at the same age, and by how many lives its band held. What does not beat age alone, or whose band is too
narrow, does not speak.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

import numpy as np

from analytics.artifacts import dump
from analytics.labels import Labels, born
from analytics.model_files.provenance import provenance
from analytics.panel import Floats, Panel, day_number, day_start
from analytics.remaining_life.fleet import PartModel, learn
from analytics.remaining_life.histories import Targets, in_order
from analytics.remaining_life.judging import LeftOut, left_out
from analytics.remaining_life.model import SEED
from analytics.remaining_life.parts import PartLife, Watched, part_lives
from analytics.signals import metrics_of_part
from analytics.training.data import Data
from analytics.training.freshness import MORE_FAILURES, STALE
from analytics.training.wear_in_time import in_time
from hearthwatch.failure_modes import MODES, mode_of_part
from hearthwatch.records import model_versions
from hearthwatch.records.database import Database
from hearthwatch.records.model_versions import ModelVersion
from hearthwatch.values import Device

FAMILY = "remaining_life/"
WEAR_PARTS = frozenset({"battery", "relay", "motor", "flash"})
LEVELS_OF_WEAR = {"battery": ("battery_pct", "battery_v")}
"""Metrics that themselves tell how far a part has worn, beside the signals that tell how fast it does."""
MIN_FAILURES = 20
MOST_SOONER = 0.2
"""Of lives left out at most this share may end before the P10 of a model that speaks; a tenth is meant."""


@dataclass(frozen=True, slots=True, eq=False)
class WearModel:
    """What is stored: the part's model and what it looks at."""

    model: PartModel
    watched: Watched


def wears(part: str) -> bool:
    """Whether a part is one that wears out, or a maker's own, of which nobody knows until it is judged."""
    return part in WEAR_PARTS or mode_of_part(part) not in MODES


def wear_name(model: str, part: str) -> str:
    """The name of a wear model in the registry of models."""
    return f"{FAMILY}{model}/{part}"[:120]


def fit_wear(data: Data, labels: Labels, part: str) -> tuple[WearModel, LeftOut, dict[str, Any]] | None:
    """The wear model of a part, what it was worth on devices left out, and its card; None where it fails too seldom, or nothing tells
    of it."""
    watched = watched_of(part, data)
    if not watched.names:
        return None

    def lives_of(panel: Panel, known: Labels) -> list[PartLife]:
        return [_drawn(life, data.weight) for life in lives_in(panel, data.devices, known, part, watched)]

    lives = lives_of(data.panel, labels)
    model = learn(lives, min_failures=MIN_FAILURES)
    if not isinstance(model, PartModel):
        return None
    worth = left_out(model.life, in_order([life.history for life in lives]))
    card = _card(data, part, model, watched, worth, len(lives))
    card["in_time"] = in_time(data.panel, labels, lives_of, MIN_FAILURES)
    return WearModel(_without_rows(model), watched), worth, card


def watched_of(part: str, data: Data) -> Watched:
    """What tells how worn a part is: its signals, the levels of its wear, and the counters of its use."""
    signals, totals = metrics_of_part(part, data.covered)
    levels = tuple(name for name in LEVELS_OF_WEAR.get(part, ()) if name in data.covered and name not in signals)
    usage = tuple(name for name in totals if name in data.panel.totals)
    return Watched((*signals, *levels), usage)


def lives_in(panel: Panel, devices: Sequence[Device], labels: Labels, part: str, watched: Watched) -> list[PartLife]:
    """The lives of one part in the panel's devices, in whose order ``devices`` come."""
    row_of = {name: row for row, name in enumerate(panel.devices)}
    failures = {
        row_of[device]: days for (device, of), days in labels.failures.items() if of == part and device in row_of
    }
    renewed = {
        row_of[device.id]: days
        for device in devices
        if (days := [day for day in labels.renewed.get((device.id, part), ()) if day > born(device)])
    }
    ended = {row_of[one.id]: day_number(one.removed_at) for one in devices if one.removed_at is not None}
    since = np.array([born(device) for device in devices], dtype=np.float64)
    return part_lives(panel, watched, since, failures, renewed, ended=ended)


def _drawn(life: PartLife, weight: Floats) -> PartLife:
    """Of a large fleet all devices that failed are read, and a draw of the others: each stands for several."""
    return replace(life, history=replace(life.history, stands_for=float(weight[life.device])))


def speaks(worth: LeftOut) -> bool:
    """Whether a model is good enough to be heard."""
    return worth.rmse < worth.rmse_by_age and worth.sooner_than_p10 <= MOST_SOONER


def _without_rows(model: PartModel) -> PartModel:
    """Without what was said of the units that were left out: nobody needs it again, and it is most of the bytes."""
    none: Floats = np.zeros(0)
    nothing = Targets(none, np.zeros(0, dtype=bool), none, np.zeros(0, dtype=np.int64))
    return replace(model, life=replace(model.life, left_out=none, targets=nothing))


def _card(data: Data, part: str, model: PartModel, watched: Watched, worth: LeftOut, lives: int) -> dict[str, Any]:
    last = data.panel.first_day + data.panel.days - 1
    return {
        "model": data.devices[0].model,
        "part": part,
        "method": "remaining life, gradient-boosted trees with bands from left-out devices",
        "data_from": day_start(data.panel.first_day).date().isoformat(),
        "data_until": day_start(last).date().isoformat(),
        "devices": len(data.devices),
        "lives": lives,
        "failures": model.life.failures,
        "cap_days": round(model.life.cap, 1),
        "features": list(watched.names),
        "evaluation": worth.report(),
        "beats_age_alone": speaks(worth),
        "seed": SEED,
        "intended_use": "days that are left of a part at work, as P10, P50 and P90",
        "limits": [
            "it speaks of parts whose signals, use and age lie within what it has learned from",
            "parts that were replaced because they looked worn make lives look longer than they are",
            "a value at the cap means that or longer",
        ],
        "provenance": provenance(),
    }


def is_due(newest: ModelVersion | None, failures: int, now: datetime) -> bool:
    """Whether a part is worth learning about again: never learned, long ago, or with clearly more failures; whatever came of it then."""
    if newest is None or now - newest.trained_at > STALE:
        return True
    return failures > MORE_FAILURES * float(newest.card.get("failures", 0)) + 1


def train_wear(database: Database, labels: Labels, data: Data, part: str, now: datetime) -> tuple[str, str] | None:
    """Learn how long a part lasts and register the version; its name and role, or None where there is nothing to learn from.

    A version that is good enough works from now on, in the place of the one before; one that is not is kept to be looked at, and the one
    before works on.
    """
    found = fit_wear(data, labels, part)
    if found is None:
        return None
    model, worth, card = found
    good = speaks(worth)
    role = "champion" if good else "retired"
    why = (
        "trained; on devices left out it was nearer than age alone, and its band held"
        if good
        else "trained; on devices left out it was no nearer than age alone, or its band was too narrow"
    )
    name = wear_name(card["model"], part)
    with database.transaction() as connection:
        model_versions.register(connection, name, trained_at=now, card=card, artifact=dump(model), role=role, why=why)
    return name, role
