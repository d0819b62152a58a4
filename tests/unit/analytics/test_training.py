from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from analytics.artifacts import load
from analytics.labels import Labels
from analytics.lives import Lives
from analytics.training.data import Data, lives_of_part
from analytics.training.drawing import MOST_DEVICE_DAYS, drawn
from analytics.training.job import train
from analytics.training.names import HORIZONS
from hearthwatch.errors import Invalid, Missing
from hearthwatch.ports import TelemetryStore
from hearthwatch.records import model_decisions, model_versions, outcomes
from hearthwatch.records.database import Database
from hearthwatch.records.model_versions import ModelVersion
from hearthwatch.records.outcomes import Outcome
from hearthwatch.values import Device
from tests.unit.analytics import past
from tests.unit.analytics.fleets import MODEL, START
from tests.unit.analytics.past import write_past

NOW = START + timedelta(hours=2)
NAME = f"hazard/{MODEL}/relay"


def device(name: str) -> Device:
    given = dict.fromkeys(Device.__dataclass_fields__)
    return Device(**{**given, "id": name, "model": MODEL, "test": False, "revision": 1})  # type: ignore[arg-type]


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
        "failed": {},
        "wear_models": {},
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
    between = report["observed_expected"]
    assert between["low"] < between["ratio"] < between["high"]
    assert sum(band["rows"] for band in report["reliability"]) == report["test"]["rows"]
    assert {told["kind"] for told in card["calibration"].values()} <= {"none", "logistic", "beta", "isotonic"}
    assert card["provenance"]["libraries"]["scikit-learn"]
    assert card["intended_use"]
    assert card["limits"]


def test_the_same_data_give_the_same_bytes(trained: tuple[Database, TelemetryStore]) -> None:
    database, store = trained
    first = champion(database)
    with database.transaction() as connection:
        model_versions.retire(connection, first.id, model_versions.Because(NOW, "test", "to train again"))
    assert train(store, database, NOW, min_failures=20)["champions"] == [NAME]
    assert champion(database).sha256 == first.sha256


def test_a_version_that_finds_a_champion_waits_for_its_turn(trained: tuple[Database, TelemetryStore]) -> None:
    database, store = trained
    before = champion(database)
    later = NOW + timedelta(days=1)
    answer = train(store, database, later, min_failures=20, only=f"{MODEL}/relay")
    assert (answer["champions"], answer["challengers"]) == ([], [NAME])
    assert champion(database) == before
    assert train(store, database, later, min_failures=20, only=MODEL)["challengers"] == [NAME]
    with database.reading() as connection:
        assert len(model_versions.challengers(connection)) == 1  # the earlier one made room
        told = [one.what for one in model_decisions.list_decisions(connection, name=NAME)]
    assert told[:3] == ["registered", "retired", "registered"]


def test_a_name_that_nothing_has_is_an_error(trained: tuple[Database, TelemetryStore]) -> None:
    with pytest.raises(Missing, match="has this name"):
        train(trained[1], trained[0], NOW, min_failures=20, only="PLUG-1/relai")


def test_a_part_whose_training_fails_keeps_no_other_from_being_trained(
    trained: tuple[Database, TelemetryStore], monkeypatch: pytest.MonkeyPatch
) -> None:
    database, store = trained
    with database.transaction() as connection:
        rows = [Outcome(f"past-{n:03d}", "antenna", START - timedelta(days=n + 40), "failure", "t") for n in range(30)]
        outcomes.add(connection, rows)

    def broken(data: Data, labels: Labels, part: str) -> Lives:
        if part == "antenna":
            raise ZeroDivisionError("nothing left")
        return lives_of_part(data, labels, part)

    monkeypatch.setattr("analytics.training.job.lives_of_part", broken)
    answer = train(store, database, NOW + timedelta(days=2), min_failures=20, only=MODEL)
    assert answer["failed"] == {f"hazard/{MODEL}/antenna": "ZeroDivisionError: nothing left"}
    assert answer["challengers"] == [NAME]


def test_of_a_large_fleet_every_failed_device_and_a_fair_draw_of_the_others_is_learned_from() -> None:
    fleet = [device(f"d-{number}") for number in range(1000)]
    labels = Labels({MODEL: fleet}, {(f"d-{number}", "relay"): [1] for number in range(0, 1000, 50)}, {})
    days = MOST_DEVICE_DAYS // 100
    kept, weight = drawn(fleet, labels, days)
    assert len(kept) == 100
    assert weight.sum() == pytest.approx(1000)
    assert sorted(one.id for one, stands in zip(kept, weight, strict=True) if stands == 1) == sorted(
        name for name, _ in labels.failures
    )
    again, _ = drawn(fleet[::-1], labels, days)
    assert {one.id for one in again} == {one.id for one in kept}
    everything, alone = drawn(fleet, labels, 10)
    assert list(everything) == fleet
    assert set(alone) == {1.0}


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


def test_a_champion_that_an_earlier_version_pickled_gives_its_place_to_the_next_training(
    trained: tuple[Database, TelemetryStore],
) -> None:
    database, store = trained
    card = {**champion(database).card, "failures": 36}
    with database.transaction() as connection:
        model_versions.register(
            connection,
            NAME,
            trained_at=NOW,
            card=card,
            artifact=b"\x80\x05.",
            role="champion",
            why="by an earlier version",
        )
    assert train(store, database, NOW + timedelta(days=3), min_failures=20)["champions"] == [NAME]
    assert load(champion(database)).columns


def test_a_visit_that_found_no_fault_is_no_failure(store: TelemetryStore, database: Database) -> None:
    write_past(store, database, failures=0)
    with database.transaction() as connection:
        rows = [
            Outcome(f"past-{n:03d}", "relay", START - timedelta(days=n + 1), "no_fault_found", "t") for n in range(30)
        ]
        outcomes.add(connection, rows)
    assert train(store, database, NOW, min_failures=20)["too_few_failures"] == {}
