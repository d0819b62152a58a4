"""Replays as rows, and what of the past is kept for them: a killed one begins again, what was said and what ran stays known."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
import sqlalchemy as sa

from hearthwatch.errors import Conflict
from hearthwatch.records import devices, findings, policy_replays
from hearthwatch.records.database import Database
from hearthwatch.records.devices import Sighting
from hearthwatch.records.policy_replays import MOST_ATTEMPTS, MOST_WAITING, Question
from hearthwatch.records.tables import finding_sights, firmware_changes
from hearthwatch.values import Observation

NOW = datetime(2026, 5, 1, tzinfo=UTC)
HOUR = timedelta(hours=1)


def question(number: int = 1) -> Question:
    return Question(f"text {number}", None, NOW - timedelta(days=1), NOW, open_end=True)


def test_one_whose_process_ended_is_begun_again_and_has_failed_in_the_end(database: Database) -> None:
    with database.transaction() as connection:
        number = policy_replays.ask(connection, question(), NOW, "ann").id
        begun = [policy_replays.take(connection, NOW, f"process {attempt}") for attempt in range(MOST_ATTEMPTS + 1)]
        assert [one and one.id for one in begun] == [*[number] * MOST_ATTEMPTS, None]
        ended = policy_replays.get(connection, number)
    assert (ended.state, ended.why) == ("failed", f"its process ended {MOST_ATTEMPTS} times")


def test_the_answer_of_a_process_that_lost_its_run_does_not_count(database: Database) -> None:
    with database.transaction() as connection:
        number = policy_replays.ask(connection, question(), NOW, "ann").id
        policy_replays.take(connection, NOW, "first")
        policy_replays.take(connection, NOW, "second")
        assert not policy_replays.finish(connection, number, "first", NOW, report={"answer": {}})
        assert policy_replays.finish(connection, number, "second", NOW, report={"answer": {"notices": 3}})
        assert policy_replays.get(connection, number).report == {"answer": {"notices": 3}}


def test_one_that_is_given_back_waits_and_has_not_used_up_an_attempt(database: Database) -> None:
    with database.transaction() as connection:
        number = policy_replays.ask(connection, question(), NOW, "ann").id
        policy_replays.take(connection, NOW, "first")
        policy_replays.give_back(connection, number, "first")
        waiting = policy_replays.get(connection, number)
    assert (waiting.state, waiting.attempts) == ("waiting", 0)


def test_more_than_some_do_not_wait(database: Database) -> None:
    with database.transaction() as connection:
        for number in range(MOST_WAITING):
            policy_replays.ask(connection, question(number), NOW, "ann")
        with pytest.raises(Conflict):
            policy_replays.ask(connection, question(MOST_WAITING), NOW, "ann")


def test_what_was_said_of_a_finding_is_kept_when_it_is_news_or_another_hour(database: Database) -> None:
    def say(at: datetime, severity: str, probability: float) -> None:
        seen = Observation("prognosis", "device", "d-1", "battery_fade", severity, at, {}, probability)  # type: ignore[arg-type]
        findings.observe(connection, seen, relapse=timedelta(days=7))

    with database.transaction() as connection:
        say(NOW, "warning", 0.4)
        say(NOW + HOUR / 4, "warning", 0.4)
        say(NOW + HOUR / 2, "warning", 0.5)
        say(NOW + HOUR, "warning", 0.5)
        query = sa.select(finding_sights.c.at, finding_sights.c.probability).order_by(finding_sights.c.at)
        kept = [tuple(row) for row in connection.execute(query)]
        assert kept == [(NOW, 0.4), (NOW + HOUR / 2, 0.5), (NOW + HOUR, 0.5)]
        assert findings.forget_sights(connection, NOW + HOUR) == 2


def test_another_firmware_of_a_device_is_kept_with_its_time(database: Database) -> None:
    with database.transaction() as connection:
        for hours, firmware in enumerate(("2.4.0", "2.4.0", "2.4.1")):
            devices.see(connection, [Sighting("d-1", NOW + hours * HOUR, firmware, None, None)])
        rows = [tuple(row)[1:] for row in connection.execute(sa.select(firmware_changes))]
    assert rows == [("d-1", NOW + 2 * HOUR, "2.4.0", "2.4.1")]
