"""Findings: episodes, relapses, recovery, and what people decide about them."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hearthwatch.errors import Conflict, Invalid, Missing, Stale
from hearthwatch.records import findings
from hearthwatch.records.database import Database
from hearthwatch.values import Finding, Observation
from tests.conftest import records_in_memory

AT = datetime(2026, 5, 1, tzinfo=UTC)
HOUR = timedelta(hours=1)
DAY = timedelta(days=1)
RELAPSE = timedelta(days=7)
SEEN = Observation(
    "anomaly", "device", "d-1", "battery_fade", "warning", AT, {"metrics": ["battery_v"], "reasons": []}, part="battery"
)


def observe(database: Database, observation: Observation) -> Finding:
    with database.transaction() as connection:
        return findings.observe(connection, observation, relapse=RELAPSE)


def history(database: Database, finding_id: int) -> list[str]:
    with database.reading() as connection:
        return [event.what for event in findings.events(connection, finding_id)]


def recover(database: Database, now: datetime) -> list[int]:
    with database.transaction() as connection:
        return [finding.id for finding in findings.recover(connection, now, quiet=DAY)]


def test_a_finding_that_does_not_exist_is_missing(database: Database) -> None:
    with pytest.raises(Missing), database.transaction() as connection:
        findings.acknowledge(connection, 7, None, "ann", AT)


def test_a_decision_on_a_finding_changed_meanwhile_is_stale(database: Database) -> None:
    finding = observe(database, SEEN)
    observe(database, replace(SEEN, at=AT + HOUR))
    with pytest.raises(Stale), database.transaction() as connection:
        findings.acknowledge(connection, finding.id, finding.revision, "ann", AT + HOUR)
    assert history(database, finding.id) == ["opened"]


def test_a_recovered_finding_can_not_be_acknowledged(database: Database) -> None:
    finding = observe(database, SEEN)
    recover(database, AT + DAY)
    with pytest.raises(Conflict, match="recovered"), database.transaction() as connection:
        findings.acknowledge(connection, finding.id, None, "ann", AT + DAY)


def test_a_finding_can_not_be_muted_until_yesterday(database: Database) -> None:
    finding = observe(database, SEEN)
    with pytest.raises(Invalid), database.transaction() as connection:
        findings.mute(connection, finding.id, None, AT - DAY, "ann", AT)


def test_saying_the_same_twice_changes_nothing(database: Database) -> None:
    first = observe(database, SEEN)
    assert observe(database, SEEN) == first
    assert history(database, first.id) == ["opened"]


def test_an_old_observation_told_again_does_not_reopen_what_recovered(database: Database) -> None:
    finding = observe(database, SEEN)
    recover(database, AT + DAY)
    assert observe(database, SEEN).state == "recovered"
    assert history(database, finding.id) == ["opened", "recovered"]


def test_a_later_observation_updates_the_same_episode(database: Database) -> None:
    first = observe(database, SEEN)
    later = observe(database, replace(SEEN, at=AT + HOUR, severity="critical", probability=0.7))
    assert (later.id, later.episode, later.severity, later.probability) == (first.id, 1, "critical", 0.7)
    assert (later.first_seen, later.last_seen) == (AT, AT + HOUR)
    assert history(database, first.id) == ["opened", "worsened"]


def test_a_milder_observation_is_no_news_of_its_own(database: Database) -> None:
    first = observe(database, replace(SEEN, severity="critical"))
    assert observe(database, replace(SEEN, at=AT + HOUR)).severity == "warning"
    assert history(database, first.id) == ["opened"]


def test_another_mode_is_another_finding(database: Database) -> None:
    assert observe(database, SEEN).id != observe(database, replace(SEEN, mode="reboots")).id


def test_a_finding_recovers_when_it_was_quiet_for_a_day(database: Database) -> None:
    finding = observe(database, SEEN)
    assert recover(database, AT + DAY - timedelta(seconds=1)) == []
    assert recover(database, AT + DAY) == [finding.id]
    assert recover(database, AT + DAY + HOUR) == []


def test_a_cohort_does_not_recover_by_silence(database: Database) -> None:
    cohort = observe(database, replace(SEEN, kind="cohort", subject_type="release", subject="release:1"))
    assert recover(database, AT + 30 * DAY) == []
    with database.transaction() as connection:
        recovered = findings.recover_one(connection, cohort.id, AT + 30 * DAY, "no worse any more")
        again = findings.recover_one(connection, cohort.id, AT + 31 * DAY, "no worse any more")
    assert recovered.recovered_at == again.recovered_at == AT + 30 * DAY


def test_a_relapse_within_a_week_reopens_the_same_episode(database: Database) -> None:
    finding = observe(database, SEEN)
    recover(database, AT + DAY)
    again = observe(database, replace(SEEN, at=AT + DAY + RELAPSE - HOUR))
    assert (again.id, again.episode, again.state, again.recovered_at) == (finding.id, 1, "open", None)
    assert history(database, finding.id) == ["opened", "recovered", "reopened"]


def test_a_relapse_after_a_week_is_a_new_episode(database: Database) -> None:
    finding = observe(database, SEEN)
    recover(database, AT + DAY)
    again = observe(database, replace(SEEN, at=AT + DAY + RELAPSE))
    assert (again.episode, again.state) == (2, "open")
    assert again.id != finding.id
    assert history(database, again.id) == ["opened"]


def test_what_a_person_expects_stays_expected_while_it_lasts(database: Database) -> None:
    finding = observe(database, SEEN)
    with database.transaction() as connection:
        findings.expect(connection, finding.id, finding.revision, "ann", AT, "field trial")
    assert observe(database, replace(SEEN, at=AT + HOUR)).state == "expected"
    assert recover(database, AT + 2 * DAY) == [finding.id]


def test_a_muted_finding_keeps_its_state_and_tells_until_when(database: Database) -> None:
    finding = observe(database, SEEN)
    with database.transaction() as connection:
        muted = findings.mute(connection, finding.id, finding.revision, AT + 3 * DAY, "ann", AT)
    assert (muted.state, muted.muted_until) == ("open", AT + 3 * DAY)
    assert observe(database, replace(SEEN, at=AT + HOUR)).muted_until == AT + 3 * DAY
    assert history(database, finding.id) == ["opened", "muted"]


def test_an_acknowledgement_names_who_and_why(database: Database) -> None:
    finding = observe(database, SEEN)
    with database.transaction() as connection:
        assert findings.acknowledge(connection, finding.id, None, "ann", AT, "looking").state == "acknowledged"
        event = findings.events(connection, finding.id)[-1]
    assert (event.what, event.actor, event.detail) == ("acknowledged", "ann", {"note": "looking"})


def test_findings_are_listed_newest_first_and_by_what_is_asked(database: Database) -> None:
    ids = [observe(database, replace(SEEN, subject=f"d-{number}")).id for number in range(4)]
    recover(database, AT + DAY)
    observe(database, replace(SEEN, subject="d-9", at=AT + DAY))
    with database.reading() as connection:
        assert [one.subject for one in findings.list_findings(connection, states=["open", "acknowledged"])] == ["d-9"]
        recovered = findings.list_findings(connection, state="recovered", limit=3)
        assert [one.id for one in recovered] == ids[:0:-1]
        assert [one.id for one in findings.list_findings(connection, state="recovered", after=recovered[-1].id)] == ids[
            :1
        ]
        assert findings.list_findings(connection, kind="cohort") == []


@settings(max_examples=20, deadline=None)
@given(st.lists(st.integers(0, 40), min_size=1, max_size=12))
def test_there_is_never_more_than_one_unrecovered_episode(days: list[int]) -> None:
    with records_in_memory() as database:
        for day in sorted(days):
            recover(database, AT + day * DAY)
            observe(database, replace(SEEN, at=AT + day * DAY))
        with database.reading() as connection:
            found = findings.list_findings(connection)
        assert sum(finding.state != "recovered" for finding in found) == 1
        assert sorted(finding.episode for finding in found) == list(range(1, len(found) + 1))
