from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from analytics.artifacts import load
from analytics.training import train
from analytics.training.names import HORIZONS
from hearthwatch.errors import Invalid
from hearthwatch.ports import TelemetryStore
from hearthwatch.records import model_versions, outcomes
from hearthwatch.records.database import Database
from hearthwatch.records.model_versions import ModelVersion
from hearthwatch.records.outcomes import Outcome
from tests.unit.analytics import past
from tests.unit.analytics.fleets import MODEL, START
from tests.unit.analytics.past import write_past

NOW = START + timedelta(hours=2)
NAME = f"hazard/{MODEL}/relay"


def champion(database: Database) -> ModelVersion:
    with database.reading() as connection:
        found = model_versions.champion(connection, NAME)
    assert found is not None
    return found


def test_without_labels_nothing_is_trained(store: TelemetryStore, database: Database) -> None:
    assert train(store, database, NOW, min_failures=20) == {
        "champions": [],
        "challengers": [],
        "kept": [],
        "too_few_failures": {},
    }


def test_too_few_failures_train_nothing_and_are_named(store: TelemetryStore, database: Database) -> None:
    write_past(store, database, failures=8)
    assert train(store, database, NOW, min_failures=20)["too_few_failures"] == {NAME: 8}
    with database.reading() as connection:
        assert model_versions.list_versions(connection) == []


def test_failures_without_telemetry_train_nothing(store: TelemetryStore, database: Database) -> None:
    write_past(store, database, failures=25)
    store.expire(raw_before=NOW, rollups_before=NOW)
    answer = train(store, database, NOW, min_failures=20)
    assert answer["champions"] == answer["challengers"] == []


def test_a_history_too_short_to_know_who_survived_trains_nothing(
    store: TelemetryStore, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Of the last quarter of two months, only days before a failure have a known answer.
    monkeypatch.setattr(past, "DAYS", 60)
    past.write_past(store, database)
    answer = train(store, database, NOW, min_failures=20)
    assert answer["champions"] == answer["challengers"] == []


@pytest.fixture(scope="module")
def trained() -> tuple[Database, TelemetryStore]:
    from hearthwatch.records.database import open_database
    from hearthwatch.telemetry import open_store

    database, store = open_database("sqlite://"), open_store("duckdb://")
    database.upgrade()
    write_past(store, database)
    assert train(store, database, NOW, min_failures=20)["champions"] == [NAME]
    return database, store


def test_the_card_tells_what_the_model_is_worth(trained: tuple[Database, TelemetryStore]) -> None:
    card = champion(trained[0]).card
    report = card["evaluation"]
    assert card["failures"] == 36
    assert card["data_until"] == (START - timedelta(days=1)).date().isoformat()
    assert set(report["test"]) >= {"auc", "average_precision", "brier", "ece", "observed_expected", "base_rate"}
    assert report["unseen_devices"]["rows"] > 0
    assert report["test"]["average_precision"] > 2 * report["baseline"]["average_precision"]
    assert report["test"]["brier"] < report["baseline"]["brier"]
    assert any(name.startswith("log_relay_contact_mohm:") for name in card["features"])


def test_the_same_data_give_the_same_bytes(trained: tuple[Database, TelemetryStore]) -> None:
    database, store = trained
    first = champion(database)
    with database.transaction() as connection:
        model_versions.retire(connection, first.id, model_versions.Because(NOW, "test", "to train again"))
    assert train(store, database, NOW, min_failures=20)["champions"] == [NAME]
    assert champion(database).sha256 == first.sha256


def test_a_champion_stays_until_there_are_clearly_more_failures(trained: tuple[Database, TelemetryStore]) -> None:
    database, store = trained
    assert train(store, database, NOW + timedelta(days=7), min_failures=20)["kept"] == [NAME]


def test_a_model_can_be_loaded_again_and_speaks(trained: tuple[Database, TelemetryStore]) -> None:
    artifact = load(champion(trained[0]))
    p = artifact.hazard.probabilities(artifact.typical[None, :], HORIZONS)
    assert p.shape == (1, 3)
    assert 0 < p[0, 0] <= p[0, 1] <= p[0, 2] < 0.5


def test_a_model_with_other_bytes_than_registered_is_refused(trained: tuple[Database, TelemetryStore]) -> None:
    version = champion(trained[0])
    with pytest.raises(Invalid, match="not the one that was registered"):
        load(replace(version, artifact=version.artifact + b"\0"))


def test_a_model_that_an_earlier_version_pickled_is_refused(trained: tuple[Database, TelemetryStore]) -> None:
    import hashlib
    import os
    import pickle

    old = pickle.dumps(os.getcwd)
    version = replace(champion(trained[0]), artifact=old, sha256=hashlib.sha256(old).hexdigest())
    with pytest.raises(Invalid, match=r"stored as a pickle by an earlier version.*train again"):
        load(version)


def test_a_visit_that_found_no_fault_is_no_failure(store: TelemetryStore, database: Database) -> None:
    write_past(store, database, failures=0)
    with database.transaction() as connection:
        rows = [
            Outcome(f"past-{n:03d}", "relay", START - timedelta(days=n + 1), "no_fault_found", "t") for n in range(30)
        ]
        outcomes.add(connection, rows)
    assert train(store, database, NOW, min_failures=20)["too_few_failures"] == {}
