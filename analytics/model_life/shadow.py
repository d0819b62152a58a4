"""What champion and challenger say of the same devices, kept once a week: what the race and the drift watch live on.

The champion speaks every day, and its newest word stands in the prognoses. Of that, one day a week is kept for later, together with what
the challenger says on the same rows: labels come weeks later, and a device says nearly the same from one day to the next. A day is
also kept when other versions work than on the last one kept. So a challenger is asked where its word will be used, and nowhere else.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

import numpy as np
from sqlalchemy import Connection

from analytics.artifacts import Artifact, load
from analytics.features import Background, matrix
from analytics.hazard import Matrix
from analytics.model_life.blocks import Block, thinned
from analytics.model_life.feature_shift import shifts
from analytics.panel import Ints, Panel, day_number, day_start
from analytics.training.names import HORIZONS, model_name
from hearthwatch.errors import Invalid
from hearthwatch.records import model_looks, model_versions, said_days
from hearthwatch.records.database import Database
from hearthwatch.records.model_looks import ModelLook
from hearthwatch.records.model_versions import ModelVersion
from hearthwatch.records.said_days import SaidDay
from hearthwatch.values import Device

EVERY = timedelta(days=7)


@dataclass(frozen=True, slots=True)
class Seen:
    """What a champion looks at when it speaks about one part of the devices of a model: ``able`` are the rows that it speaks of, ``day``
    the day of each row in the panel, ``features`` those of all rows by the champion's columns."""

    model: str
    part: str
    champion: Artifact
    panel: Panel
    background: Background
    day: Ints
    devices: Sequence[Device]
    able: Ints
    features: Matrix


@dataclass(frozen=True, slots=True)
class Racing:
    """The versions of a name whose words are due to be kept, the champion's id first, and the challenger's model."""

    versions: tuple[int, ...]
    challenger: Artifact | None


@dataclass(slots=True)
class Shadow:
    """One run's words that are kept."""

    due: Mapping[str, Racing]
    at: datetime
    days: list[SaidDay] = field(default_factory=list)
    looks: list[ModelLook] = field(default_factory=list)

    @property
    def metrics(self) -> set[str]:
        """What the challengers look at."""
        models = [one.challenger for one in self.due.values() if one.challenger is not None]
        return {column.metric for model in models for column in model.columns}

    def see(self, seen: Seen) -> None:
        """Keep what is said of these devices today, where it is due."""
        name = model_name(seen.model, seen.part)
        racing = self.due.get(name)
        if racing is None or not len(seen.able):
            return
        rows = seen.features[seen.able]
        said = [seen.champion.hazard.probabilities(rows, HORIZONS)]
        if racing.challenger is not None:
            columns = racing.challenger.columns
            theirs = matrix(seen.panel, seen.background, columns, seen.able, seen.day[seen.able])
            said.append(racing.challenger.hazard.probabilities(theirs, HORIZONS))
        devices = [seen.devices[row] for row in seen.able.tolist()]
        firmwares = sorted({device.firmware or "" for device in devices})
        code = {firmware: place for place, firmware in enumerate(firmwares)}
        firmware = np.array([code[device.firmware or ""] for device in devices], dtype=np.int64)
        whole = Block([one.id for one in devices], np.stack(said), np.ones(len(devices)), firmware, firmwares)
        block = thinned(whole, seed=day_number(self.at))
        self.days.append(SaidDay(name, self.at, racing.versions, len(block.devices), block.pack()))
        detail = shifts(seen.champion, rows, firmware, firmwares)
        self.looks.append(ModelLook(name, racing.versions[0], "features", self.at, None, detail))

    def save(self, connection: Connection) -> None:
        """Write it down; what is there of this day already stays as it is."""
        said_days.add(connection, self.days)
        model_looks.append(connection, self.looks)


def open_shadow(database: Database, champions: Mapping[tuple[str, str], ModelVersion], now: datetime) -> Shadow:
    """What is due to be kept today. ``champions`` by device model and part."""
    at = day_start(day_number(now) - 1)
    with database.reading() as connection:
        newest = said_days.newest(connection)
        challengers: dict[str, ModelVersion] = {}
        for version in model_versions.challengers(connection):
            challengers.setdefault(version.name, version)
    due = {}
    for champion in champions.values():
        model, challenger = _model(challengers.get(champion.name))
        versions = (champion.id,) if challenger is None else (champion.id, challenger)
        last = newest.get(champion.name)
        if last is None or at - last[0] >= EVERY or (last[1] != versions and at > last[0]):
            due[champion.name] = Racing(versions, model)
    return Shadow(due, at)


def _model(version: ModelVersion | None) -> tuple[Artifact | None, int | None]:
    """A challenger's model and id; nothing where there is none that can be read."""
    if version is None:
        return None, None
    try:
        return load(version), version.id
    except Invalid:
        return None, None
