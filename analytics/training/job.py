"""Trains a hazard for every device model and part that has failed often enough, on closed tickets, imported history and telemetry.

Each candidate is first judged: trained on the early part of time and three quarters of the devices, tested on the late part of time, on
all devices and on those it never saw. If it beats the failure rate by age alone, it is trained again on everything. Its calibration comes
from the late part that the judged candidate had not learned from. Where nothing works yet it becomes champion; where a champion does,
it races against it first (`analytics.model_life`).
"""

from __future__ import annotations

import logging
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from sqlalchemy import Connection

from analytics.artifacts import dump
from analytics.labels import Labels, read_labels
from analytics.training.data import HISTORY, Data, lives_of_part, read_data
from analytics.training.fitting import fit_final, model_card
from analytics.training.freshness import Freshness, is_usable
from analytics.training.judging import judge
from analytics.training.names import FAMILY, model_name
from analytics.training.remaining_life import MIN_FAILURES, is_due, train_wear, wear_name, wears
from hearthwatch.errors import Missing, Unavailable
from hearthwatch.ports import TelemetryStore
from hearthwatch.records import late_days, model_versions
from hearthwatch.records.database import Database
from hearthwatch.records.late_days import LateDay
from hearthwatch.records.model_versions import TRAINING, Because

LOG = logging.getLogger(__name__)


def train(
    store: TelemetryStore, database: Database, now: datetime, *, min_failures: int, only: str | None = None
) -> dict[str, Any]:
    """Train what is due. Models stay while there are few new failures; parts with too few failures are named in the result.

    ``only``: a device model, or one of its parts (``MODEL/PART``), is trained whether it is due or not. A part whose training fails is
    named in ``failed`` with the reason; the others are trained all the same. Raises `Missing` when nothing has that name.
    """
    with database.reading() as connection:
        labels = read_labels(connection, now)
        fresh = Freshness.read(connection, now)
        late = late_days.list_days(connection, now - HISTORY, now)
    work = _Work(store, database, labels, late, now)
    named = False
    for model in sorted(labels.by_model):
        due, worn = [], []
        for part, failures in labels.parts_of(model).items():
            name = model_name(model, part)
            if only is not None and only.removeprefix(FAMILY) not in {model, f"{model}/{part}"}:
                continue
            named = True
            again = only is not None or is_due(fresh.newest.get(wear_name(model, part)), failures, now)
            if wears(part) and failures >= max(min_failures, MIN_FAILURES) and again:
                worn.append(part)
            if failures < min_failures:
                work.too_few_failures[name] = failures
            elif only is None and fresh.is_fresh(name, failures):
                work.kept.append(name)
            else:
                due.append((part, failures))
        if due or worn:
            work.train_model(model, due, worn)
    if only is not None and not named:
        raise Missing("no device model, and no part of one that has failed, has this name", where=only)
    return work.told()


@dataclass(slots=True)
class _Work:
    """One run's work and what came of it, by the names of the models."""

    store: TelemetryStore
    database: Database
    labels: Labels
    late: Sequence[LateDay]
    now: datetime
    champions: list[str] = field(default_factory=list)
    challengers: list[str] = field(default_factory=list)
    kept: list[str] = field(default_factory=list)
    too_few_failures: dict[str, int] = field(default_factory=dict)
    failed: dict[str, str] = field(default_factory=dict)
    wear_models: dict[str, str] = field(default_factory=dict)

    def told(self) -> dict[str, Any]:
        names = ("champions", "challengers", "kept", "too_few_failures", "failed", "wear_models")
        return {name: getattr(self, name) for name in names}

    def train_model(self, model: str, due: Sequence[tuple[str, int]], worn: Sequence[str]) -> None:
        """Train parts of a device model, each with its number of failures, and how long those in ``worn`` last."""
        data = read_data(self.store, self.labels, model, self.now, self.late)
        if data is None:
            return
        for part, failures in due:
            with self._alone(model_name(model, part)):
                self._train_part(data, model, part, failures)
        for part in worn:
            with self._alone(wear_name(model, part)):
                self._train_wear(data, part)

    @contextmanager
    def _alone(self, name: str) -> Iterator[None]:
        """One part's data must not keep the others from being trained."""
        try:
            yield
        except Unavailable:  # a store is away: nothing else would fare better
            raise
        except Exception as error:
            LOG.exception("training of %s failed", name)
            self.failed[name] = f"{type(error).__name__}: {error}"[:400]

    def _train_wear(self, data: Data, part: str) -> None:
        registered = train_wear(self.database, self.labels, data, part, self.now)
        if registered is not None:
            name, role = registered
            self.wear_models[name] = role

    def _train_part(self, data: Data, model: str, part: str, failures: int) -> None:
        name = model_name(model, part)
        mine = data.for_part(self.labels, part)
        lives = lives_of_part(mine, self.labels, part)
        judgement = judge(mine, lives) if mine.columns else None
        if judgement is None:
            self.too_few_failures[name] = failures
            return
        artifact, rows = fit_final(mine, lives, judgement)
        card = model_card(mine, model, part, failures, judgement, rows)
        with self.database.transaction() as connection:
            before = model_versions.champion(connection, name)
            role, why = _role(judgement.better, before is not None and is_usable(before))
            if role == "challenger":
                _make_room(connection, name, self.now)
            model_versions.register(
                connection, name, trained_at=self.now, card=card, artifact=dump(artifact), role=role, why=why
            )
        (self.champions if role == "champion" else self.challengers).append(name)


def _role(better: bool, champion: bool) -> tuple[str, str]:
    """What a new version becomes, and why."""
    if not better:
        return "challenger", "trained; on its test it did not beat age alone, so it waits"
    if champion:
        return "challenger", "trained; it races against the champion"
    return "champion", "trained; it beat age alone, and nothing works under this name"


def _make_room(connection: Connection, name: str, now: datetime) -> None:
    """One challenger at a time: those before make room for a newer one."""
    for before in model_versions.list_versions(connection, name=name):
        if before.role == "challenger":
            because = Because(now, TRAINING, "a newer version takes its turn")
            model_versions.retire(connection, before.id, because)
