"""Backtests wait, run one at a time, and end; what a killed process left behind is told and can be started again."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from hearthwatch.errors import Conflict, Missing, Stale
from hearthwatch.records import backtests
from hearthwatch.records.backtests import Question
from hearthwatch.records.database import Database

NOW = datetime(2026, 5, 1, tzinfo=UTC)
HOUR = timedelta(hours=1)
DRIVES = Question("drives", "mapping.toml", "[columns]\ndevice = 'id'", None, 7)


def test_one_that_is_not_there_is_missing(database: Database) -> None:
    with database.transaction() as connection:
        assert backtests.take(connection, NOW, "a") is None
        with pytest.raises(Missing):
            backtests.get(connection, 1)
        with pytest.raises(Missing):
            backtests.again(connection, 1, None, NOW)


def test_no_more_wait_than_somebody_will_read(database: Database) -> None:
    with database.transaction() as connection:
        for _ in range(backtests.MOST_WAITING):
            backtests.ask(connection, DRIVES, NOW, "ada")
        with pytest.raises(Conflict, match="wait already"):
            backtests.ask(connection, DRIVES, NOW, "ada")


def test_the_oldest_runs_first_tells_how_far_it_is_and_ends_with_its_report(database: Database) -> None:
    with database.transaction() as connection:
        first = backtests.ask(connection, DRIVES, NOW, "ada")
        second = backtests.ask(connection, Question("lamps", "m.toml", "", NOW, 30), NOW + HOUR, "bob")
        assert (first.state, first.report, first.why) == ("waiting", None, None)
        running = backtests.take(connection, NOW + HOUR, "a")
        assert running is not None
        assert (running.id, running.state, running.started_at) == (first.id, "running", NOW + HOUR)
        assert backtests.progress(connection, first.id, "a", "reading")
        assert backtests.get(connection, first.id).progress == "reading"
        assert backtests.finish(
            connection,
            first.id,
            "a",
            NOW + 2 * HOUR,
            state="done",
            report={"answer": {"foretold": 3}, "test": {"auc": 0.9}},
        )
        ended = backtests.get(connection, first.id)
        assert (ended.state, ended.report) == ("done", {"answer": {"foretold": 3}, "test": {"auc": 0.9}})
        shown = backtests.list_backtests(connection)
        assert [(one.id, one.report) for one in shown] == [(second.id, None), (first.id, {"answer": {"foretold": 3}})]
        assert [one.id for one in backtests.list_backtests(connection, after=second.id)] == [first.id]


def test_what_a_killed_process_left_is_interrupted_its_late_answer_refused_and_it_can_be_started_again(
    database: Database,
) -> None:
    with database.transaction() as connection:
        asked = backtests.ask(connection, DRIVES, NOW, "ada")
        backtests.take(connection, NOW, "a")
        with pytest.raises(Conflict, match="not ended"):
            backtests.again(connection, asked.id, None, NOW)
        assert backtests.take(connection, NOW + HOUR, "b") is None
        left = backtests.get(connection, asked.id)
        assert (left.state, left.why) == ("interrupted", "the process that worked it ended")
        assert not backtests.progress(connection, asked.id, "a", "reading")
        assert not backtests.finish(connection, asked.id, "a", NOW, state="done", report={})
        with pytest.raises(Stale):
            backtests.again(connection, asked.id, left.revision - 1, NOW)
        waiting = backtests.again(connection, asked.id, left.revision, NOW + 2 * HOUR)
        assert (waiting.state, waiting.why, waiting.holder) == ("waiting", None, None)
        taken = backtests.take(connection, NOW + 3 * HOUR, "b")
        assert taken is not None
        assert taken.id == asked.id


def test_one_that_a_command_worked_is_kept_and_a_long_reason_is_cut(database: Database) -> None:
    with database.transaction() as connection:
        done = backtests.keep(connection, DRIVES, {"seconds": 2}, why=None, began=NOW, now=NOW + HOUR, actor="command")
        refused = backtests.keep(
            connection, DRIVES, {}, why="too little\x00 " * 1000, began=NOW, now=NOW + HOUR, actor="command"
        )
    assert (done.state, done.report, done.finished_at) == ("done", {"seconds": 2}, NOW + HOUR)
    assert refused.state == "refused"
    assert refused.why is not None
    assert len(refused.why) == 2000
