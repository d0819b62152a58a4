"""Rows of one device lie on one side of every split: where a device's own signature is all there is to learn, nothing is learned.

Each device has a constant of its own, by which trees could know it again, and fails on a day that has nothing to do with it. Were
rows split at random, a device's earlier rows would tell its later ones; what was held out must look like chance.
"""

from __future__ import annotations

from datetime import datetime, timedelta

import numpy as np
import pyarrow as pa
from sklearn.ensemble import HistGradientBoostingRegressor

from analytics.labels import read_labels
from analytics.remaining_life.fleet import PartModel, learn
from analytics.remaining_life.histories import History, in_order
from analytics.remaining_life.judging import left_out
from analytics.remaining_life.parts import PartLife
from analytics.training.data import lives_of_part, read_data
from analytics.training.judging import judge
from hearthwatch.ports import TelemetryStore
from hearthwatch.records import devices, outcomes, parts
from hearthwatch.records.database import Database
from hearthwatch.records.devices import Sighting
from hearthwatch.records.outcomes import Outcome
from tests.unit.analytics.fleets import START

DEVICES, DAYS = 60, 200
END = START + timedelta(days=DAYS, hours=2)


def signed_lives(seed: int) -> list[PartLife]:
    rng = np.random.default_rng(seed)
    lives = []
    for place in range(DEVICES):
        last = int(rng.integers(60, 200))
        age = np.arange(1.0, last + 1)
        signature = np.full((last, 1), rng.normal()) + rng.normal(0, 1e-3, (last, 1))
        history = History(f"d{place}", age, np.zeros((last, 0)), signature, failed_at=float(last))
        lives.append(PartLife(place, history, at_work=False))
    return lives


def test_a_remaining_life_is_not_told_by_knowing_the_device_again() -> None:
    lives = signed_lives(1)
    model = learn(lives, cap=150.0)
    assert isinstance(model, PartModel)
    worth = left_out(model.life, in_order([life.history for life in lives]))
    assert worth.rmse > 0.85 * worth.rmse_by_age
    assert worth.within_band < 0.97


def test_with_rows_split_at_random_it_would_seem_to_be_told_nearly_without_error() -> None:
    """That the test above can fail: the same lives, judged the wrong way."""
    rows = [
        (life.history.signals[:, 0], life.history.age, (life.history.failed_at or 0.0) - life.history.age)
        for life in signed_lives(1)
    ]
    signature, age, left = (np.concatenate([row[column] for row in rows]) for column in range(3))
    even = np.random.default_rng(0).random(len(age)) < 0.5
    trees = HistGradientBoostingRegressor(random_state=0, max_iter=150)
    trees.fit(np.column_stack([signature, age])[even], left[even])
    error = trees.predict(np.column_stack([signature, age])[~even]) - left[~even]
    assert np.sqrt(np.mean(error**2)) < 0.3 * np.std(left)


def test_a_failure_is_not_foretold_by_knowing_the_device_again(store: TelemetryStore, database: Database) -> None:
    rng = np.random.default_rng(3)
    write_signed(store, database, rng)
    with database.reading() as connection:
        labels = read_labels(connection, END)
    data = read_data(store, labels, "m", END)
    assert data is not None
    mine = data.for_part(labels, "relay")
    judgement = judge(mine, lives_of_part(mine, labels, "relay"))
    assert judgement is not None
    assert not judgement.better
    assert judgement.report["test"]["auc"] < 0.7
    assert judgement.report["unseen_devices"]["auc"] < 0.75


def write_signed(store: TelemetryStore, database: Database, rng: np.random.Generator) -> None:
    """Devices with a contact resistance of their own that never moves; half of their relays fail, on any day."""
    own = 10 * np.exp(rng.normal(0, 0.5, DEVICES))
    fails = {int(place): int(rng.integers(20, DAYS - 5)) for place in rng.permutation(DEVICES)[: DEVICES // 2]}
    names = [f"d{place:02d}" for place in range(DEVICES)]
    at = [START + timedelta(days=day, hours=12) for day in range(DAYS)]
    table = {
        "device": np.repeat(names, DAYS),
        "at": pa.array(at * DEVICES, pa.timestamp("us", "UTC")),
        "firmware": np.repeat("1.0", DEVICES * DAYS),
        "relay_contact_mohm": np.repeat(own, DAYS) * np.exp(rng.normal(0, 1e-3, DEVICES * DAYS)),
    }
    store.write_table("native", pa.table(table))
    store.rollup(END)
    with database.transaction() as connection:
        devices.register(connection, [{"id": name, "model": "m", "installed_at": START} for name in names])
        devices.see(connection, [Sighting(name, moment) for name in names for moment in (START, noon(DAYS - 1))])
        outcomes.add(
            connection,
            [Outcome(names[place], "relay", noon(day), "failure", "import:signed") for place, day in fails.items()],
        )
        for place, day in fails.items():
            parts.install(connection, names[place], "relay", noon(day + 1))


def noon(day: int) -> datetime:
    return START + timedelta(days=day, hours=12)
