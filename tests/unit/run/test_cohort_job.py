"""The hourly job looks at releases and at standing comparisons, and judges them together."""

from __future__ import annotations

from types import SimpleNamespace
from typing import cast

import numpy as np
import pytest

from hearthwatch.ports import TelemetryStore
from hearthwatch.records import attributes, cohort_looks, comparison_looks, comparisons
from hearthwatch.records.database import Database
from hearthwatch.run.assembly import Platform
from hearthwatch.run.jobs import JOBS, Work
from hearthwatch.settings import Settings
from tests.unit.analytics.cohorts.scene import HOUR, START, Scene

RELEASED = 10 * 24


@pytest.fixture
def scene(store: TelemetryStore, database: Database) -> Scene:
    """Forty devices of two batches, half of which get 2.0."""
    played = Scene(store, database, np.where(np.arange(40) % 4 < 2, RELEASED, 10**6), np.full(40, 0.5), days=12)
    played.register()
    with database.transaction() as connection:
        told = [(name, "batch", f"B{place % 2}") for place, name in enumerate(played.ids)]
        attributes.tell(connection, told, START)
    played.play(0, 12 * 24)
    return played


def test_a_question_more_makes_every_stream_need_more_evidence(scene: Scene) -> None:
    release = scene.release(RELEASED)
    platform = SimpleNamespace(settings=Settings(), store=scene.store, database=scene.database)
    (job,) = [one for one in JOBS if one.name == "cohorts"]
    work = Work(cast("Platform", platform), {})

    def needed_by_release() -> float:
        with scene.database.reading() as connection:
            return float(cohort_looks.latest(connection, [release.id])[0].detail["needed"])

    alone = job.work(work, START + 11 * 24 * HOUR)
    assert alone["comparisons"] == {"comparisons": 0, "looks": 0, "worse": 0}
    before = needed_by_release()

    at = START + RELEASED * HOUR
    with scene.database.transaction() as connection:
        asked = comparisons.create(connection, model="lock", by="batch", treatment="B1", since=at, now=at, actor="ada")
    both = job.work(work, START + (11 * 24 + 1) * HOUR)
    assert both["comparisons"]["comparisons"] == 1
    assert needed_by_release() > before
    with scene.database.reading() as connection:
        looks = comparison_looks.list_looks(connection, asked.id)
    assert {look.detail["needed"] for look in looks} == {needed_by_release()}
