"""Training must not learn from signs that came after the failure they tell of: no prognosis will ever have them in time."""

from __future__ import annotations

from datetime import timedelta

from analytics.labels import read_labels
from analytics.training.data import lives_of_part, read_data
from analytics.training.job import train
from analytics.training.rows import chosen_rows
from hearthwatch.ports import TelemetryStore
from hearthwatch.records import late_days, outcomes
from hearthwatch.records.database import Database
from hearthwatch.records.late_days import LateDay, day_of
from tests.unit.analytics.fleets import MODEL, START
from tests.unit.analytics.past import write_past

NOW = START + timedelta(hours=2)
DAY = timedelta(days=1)
SIGNS = 13
"""Days before a failure on which its signs are seen."""


def test_signs_that_came_after_their_failure_teach_nothing(store: TelemetryStore, database: Database) -> None:
    write_past(store, database)
    with database.transaction() as connection:
        failures = outcomes.list_outcomes(connection)
        late = [
            LateDay(one.device_id, day_of(one.at) - ago * DAY, one.at + 3 * DAY, one.at + 3 * DAY)
            for one in failures
            for ago in range(1, SIGNS)
        ]
        late_days.mark(connection, late)
        labels = read_labels(connection, NOW)
    data = read_data(store, labels, MODEL, NOW, late)
    assert data is not None
    mine = data.for_part(labels, "relay")
    rows = chosen_rows(mine, lives_of_part(mine, labels, "relay"), mine.panel.present)
    assert rows.snapshots.to_failure.min() == SIGNS  # of no day whose own data came late
    answer = train(store, database, NOW, min_failures=20)
    assert answer["champions"] == []  # without the marks it is the champion of test_training
