"""Looks, analysis states, vitals, prognoses, model versions and outcomes."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from hearthwatch.errors import Conflict, Missing
from hearthwatch.records import analysis_states, cohort_looks, model_versions, outcomes, prognoses, releases, vitals
from hearthwatch.records.cohort_looks import CohortLook
from hearthwatch.records.database import Database
from hearthwatch.records.outcomes import Outcome
from hearthwatch.records.prognoses import Prognosis
from hearthwatch.records.vitals import VitalsRow
from tests.records_rows import look_figures

AT = datetime(2026, 5, 1, tzinfo=UTC)
DAY = timedelta(days=1)
BECAUSE = model_versions.Because(AT, "somebody", "tried")


def look(release: int, metric: str, day: int, verdict: str = "too_early") -> CohortLook:
    return CohortLook(
        release_id=release,
        **look_figures(metric, AT + day * DAY, verdict, "w" * 900, 1.5, (10, 20), (1.0, 2.0), (3.0, 4.0)),
    )


def test_a_look_at_a_release_nobody_announced_is_refused(database: Database) -> None:
    with pytest.raises(Conflict), database.transaction() as connection:
        cohort_looks.append(connection, [look(7, "reboots", 0)])


def test_looks_are_kept_in_order_and_the_newest_is_known(database: Database) -> None:
    with database.transaction() as connection:
        release = releases.create(connection, model="M", version="1.0.0", released_at=AT).id
        looks = [look(release, metric, day) for day in (0, 1) for metric in ("reboots", "sync")]
        assert cohort_looks.append(connection, looks) == 4
        assert cohort_looks.append(connection, [look(release, "reboots", 1, "worse")]) == 0
        reboots = cohort_looks.list_looks(connection, release, metric="reboots")
        assert [(one.at, one.verdict) for one in reboots] == [(AT, "too_early"), (AT + DAY, "too_early")]
        assert len(cohort_looks.list_looks(connection, release)) == 4
        latest = cohort_looks.latest(connection, [release])
        assert [(one.metric, one.at) for one in latest] == [("reboots", AT + DAY), ("sync", AT + DAY)]
        assert cohort_looks.latest(connection) == latest
        assert cohort_looks.latest(connection, []) == []


def test_an_analysis_remembers_its_own_subjects_only(database: Database) -> None:
    with database.transaction() as connection:
        analysis_states.save(connection, "anomaly", {"d-1": {"n": 1}, "d-2": [1.5]}, AT)
        analysis_states.save(connection, "anomaly", {"d-1": {"n": 2}}, AT)
        analysis_states.save(connection, "cohorts", {"d-1": None}, AT)
        assert analysis_states.load(connection, "anomaly") == {"d-1": {"n": 2}, "d-2": [1.5]}
        assert analysis_states.load(connection, "drift") == {}


def test_vitals_computed_again_replace_those_of_the_same_day(database: Database) -> None:
    row = VitalsRow(AT, "M", "A", "1.0.0", 3, {"hours": 72.0})
    with database.transaction() as connection:
        vitals.put(connection, [row, replace(row, day=AT + DAY), replace(row, model="N")])
        vitals.put(connection, [replace(row, devices=4)])
        assert [one.devices for one in vitals.list_vitals(connection, AT, AT + DAY, model="M")] == [4]
        assert len(vitals.list_vitals(connection, AT, AT + 2 * DAY)) == 3


def test_the_riskiest_devices_come_first_and_abstentions_not_at_all(database: Database) -> None:
    rows = [
        Prognosis("d-1", "battery", AT, None, 0.1, 0.2, 0.3, None, [{"text_key": "low"}]),
        Prognosis("d-2", "battery", AT, None, 0.1, 0.9, 0.95, None, []),
        Prognosis("d-3", "battery", AT, None, None, None, None, "too little history " * 50, []),
    ]
    with database.transaction() as connection:
        prognoses.put(connection, rows)
        prognoses.put(connection, [replace(rows[0], p30=0.25)])
        assert [(one.device_id, one.p30) for one in prognoses.riskiest(connection)] == [("d-2", 0.9), ("d-1", 0.25)]
        (quiet,) = prognoses.of_device(connection, "d-3")
        assert quiet.abstained is not None
        assert len(quiet.abstained) == 200


def test_a_prognosis_comes_back_with_its_method_its_clock_and_what_is_left_of_the_part(database: Database) -> None:
    row = Prognosis(
        "d-1",
        "relay",
        AT,
        None,
        0.01,
        0.05,
        None,
        None,
        [],
        method="survival",
        clock="relay_cycles",
        rul_method="wear",
        rul_p10=12.5,
        rul_p50=40.0,
        rul_p90=120.0,
        rul_cap=120.0,
    )
    unsaid = replace(row, device_id="d-2", rul_p10=None, rul_p50=None, rul_p90=None, rul_abstained="too young " * 50)
    with database.transaction() as connection:
        prognoses.put(connection, [row, unsaid])
        assert prognoses.of_device(connection, "d-1") == [row]
        assert prognoses.of_device(connection, "d-2")[0].rul_abstained == unsaid.rul_abstained[:200]  # type: ignore[index]


def test_a_prognosis_comes_back_with_what_speaks_against_it_and_what_was_decided(database: Database) -> None:
    against, decision = (
        {"text_key": "against", "values": {"usual": ["reboots"]}},
        {"state": "waiting", "threshold": 0.08},
    )
    row = Prognosis("d-1", "relay", AT, None, 0.1, 0.2, 0.3, None, [], against=against, decision=decision)
    with database.transaction() as connection:
        prognoses.put(connection, [row, replace(row, device_id="d-2", against=None, decision=None)])
        assert prognoses.of_device(connection, "d-1") == [row]
        assert prognoses.of_device(connection, "d-2")[0].decision is None
        assert prognoses.riskiest(connection, state="waiting") == [row]
        assert prognoses.riskiest(connection, state="flagged") == []


def test_a_model_that_does_not_exist_can_not_be_promoted(database: Database) -> None:
    with pytest.raises(Missing), database.transaction() as connection:
        model_versions.promote(connection, 3, BECAUSE)


def test_there_is_one_champion_of_a_name(database: Database) -> None:
    with database.transaction() as connection:
        first = model_versions.register(connection, "hazard/M", trained_at=AT, card={}, artifact=b"1", role="champion")
        second = model_versions.register(connection, "hazard/M", trained_at=AT, card={"auc": 0.9}, artifact=b"2")
        assert (first.role, second.role) == ("champion", "challenger")
        assert model_versions.champion(connection, "hazard/N") is None
        model_versions.promote(connection, second.id, BECAUSE)
        assert [one.id for one in model_versions.champions(connection)] == [second.id]
        assert [(one.id, one.role) for one in model_versions.list_versions(connection)] == [
            (second.id, "champion"),
            (first.id, "retired"),
        ]
        assert model_versions.get(connection, second.id).artifact == b"2"
        assert {one.artifact for one in model_versions.list_versions(connection)} == {b""}
        assert model_versions.retire(connection, second.id, BECAUSE).role == "retired"
        assert model_versions.champions(connection) == []


def test_an_outcome_told_twice_is_one_label(database: Database) -> None:
    rows = [Outcome("d-1", "battery", AT + day * DAY, "failure", "ticket:1") for day in (1, 0)]
    with database.transaction() as connection:
        assert outcomes.add(connection, rows) == 2
        assert outcomes.add(connection, [replace(rows[0], source="import:x"), replace(rows[0], device_id="d-2")]) == 1
        assert [one.at for one in outcomes.list_outcomes(connection, device="d-1")] == [AT, AT + DAY]
        assert [one.at for one in outcomes.list_outcomes(connection, until=AT + DAY)] == [AT]


def test_an_outcome_outside_the_list_is_refused(database: Database) -> None:
    with pytest.raises(Conflict), database.transaction() as connection:
        outcomes.add(connection, [Outcome("d-1", "", AT, "exploded", "ticket:1")])
