"""Versions at work, what they said week by week, and what came of it: written straight into the records."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

import numpy as np

from analytics.model_life.blocks import Block
from analytics.model_life.job import watch_models
from analytics.panel import Floats, day_number, day_start
from hearthwatch.records import devices, model_versions, outcomes, said_days
from hearthwatch.records.database import Database
from hearthwatch.records.devices import Sighting
from hearthwatch.records.model_versions import ModelVersion
from hearthwatch.records.outcomes import Outcome
from hearthwatch.records.said_days import SaidDay
from tests.unit.analytics.fleets import MODEL, START

NAME = f"hazard/{MODEL}/relay"
DEVICES = 400
LATER = START + timedelta(days=150)


def names(count: int = DEVICES) -> list[str]:
    return [f"d-{number:04d}" for number in range(count)]


def at(day: int) -> datetime:
    return day_start(day_number(START) + day)


def write_fleet(database: Database, count: int = DEVICES) -> None:
    with database.transaction() as connection:
        devices.register(connection, [{"id": name, "model": MODEL, "installed_at": START} for name in names(count)])
        devices.see(connection, [Sighting(name, when) for name in names(count) for when in (START, LATER)])


def add_version(database: Database, *, role: str = "champion", day: int = 0, **card: Any) -> ModelVersion:
    told = {"model": MODEL, "part": "relay", "failures": 30, "failures_per_crowd": 1.0, **card}
    with database.transaction() as connection:
        return model_versions.register(connection, NAME, trained_at=at(day), card=told, artifact=b"none", role=role)


def say(database: Database, day: int, versions: Sequence[int], p30: Sequence[Floats]) -> None:
    """Keep what versions said on a day about the first devices: p30, and a quarter of it within 7 days."""
    p = np.stack([np.stack([one / 4, one, np.minimum(2 * one, 1.0)], axis=1) for one in p30])
    count = p.shape[1]
    block = Block(names(count), p, np.ones(count), np.zeros(count, dtype=np.int64), ["1.0.0"])
    with database.transaction() as connection:
        said_days.add(connection, [SaidDay(NAME, at(day), list(versions), count, block.pack())])


def fail(database: Database, failures: dict[int, int]) -> None:
    """Failures by the device's number, with their days."""
    with database.transaction() as connection:
        rows = [
            Outcome(names()[device], "relay", at(day) + timedelta(hours=12), "failure", "import:x")
            for device, day in failures.items()
        ]
        outcomes.add(connection, rows)


def judge(database: Database, day: int, **options: Any) -> dict[str, Any]:
    return watch_models(
        database, at(day) + timedelta(hours=6), relapse=timedelta(days=7), **{"no_fault_allowed": 0.4, **options}
    )


def roles(database: Database) -> dict[int, str]:
    with database.reading() as connection:
        return {one.id: one.role for one in model_versions.list_versions(connection)}
