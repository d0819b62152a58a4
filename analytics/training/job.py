"""Trains a hazard for every device model and part that has failed often enough, on closed tickets, imported history and telemetry.

Each candidate is first judged: trained on the early part of time and three quarters of the devices, tested on the late part of time, on
all devices and on those it never saw. If it beats the failure rate by age alone, it is trained again on everything and becomes
champion. Its calibration comes from the late part that the judged candidate had not learned from.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

from analytics.artifacts import dump
from analytics.labels import Labels, read_labels
from analytics.training.data import lives_of_part, read_data
from analytics.training.fitting import fit_final, model_card
from analytics.training.judging import judge
from analytics.training.names import model_name
from hearthwatch.ports import TelemetryStore
from hearthwatch.records import model_versions
from hearthwatch.records.database import Database
from hearthwatch.records.model_versions import ModelVersion

MORE_FAILURES = 1.1
STALE = timedelta(days=60)


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
    data = read_data(store, labels, model, now)
    if data is None:
        return
    for part, failures in due:
        name = model_name(model, part)
        mine = data.for_part(labels, part)
        lives = lives_of_part(mine, labels, part)
        judgement = judge(mine, lives) if mine.columns else None
        if judgement is None:
            result["too_few_failures"][name] = failures
            continue
        artifact, rows = fit_final(mine, lives, judgement)
        card = model_card(mine, model, part, failures, judgement, rows)
        role = "champion" if judgement.better else "challenger"
        with database.transaction() as connection:
            model_versions.register(connection, name, trained_at=now, card=card, artifact=dump(artifact), role=role)
        result[f"{role}s"].append(name)
