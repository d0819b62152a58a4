"""Findings that are held out: drawn once, ended once, found while they last."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from hearthwatch.errors import Conflict, Missing, Stale
from hearthwatch.records import findings, hold_outs
from hearthwatch.records.database import Database
from hearthwatch.records.hold_outs import HORIZON
from hearthwatch.values import Finding, Observation

NOW = datetime(2026, 5, 1, 12, tzinfo=UTC)
DAY = timedelta(days=1)


def found(database: Database, device: str) -> Finding:
    seen = Observation("prognosis", "device", device, "battery_fade", "warning", NOW, {}, 0.3, "battery")
    with database.transaction() as connection:
        return findings.observe(connection, seen, relapse=7 * DAY)


def begin(database: Database, finding: Finding, now: datetime = NOW) -> bool:
    with database.transaction() as connection:
        return hold_outs.begin(connection, finding, "battery", share=0.05, policy_version=3, now=now)


def test_what_was_never_held_out_can_not_be_let_go(database: Database) -> None:
    with pytest.raises(Missing, match="finding 7"), database.transaction() as connection:
        hold_outs.end(connection, 7, "expired", "policy", NOW)


def test_a_finding_is_held_out_once_and_let_go_once(database: Database) -> None:
    one = found(database, "d-1")
    assert begin(database, one)
    assert not begin(database, one, NOW + DAY)
    with database.transaction() as connection:
        ended = hold_outs.end(connection, one.id, "sent_now", "bo", NOW + DAY)
        assert (ended.drawn_at, ended.until, ended.ended_by, ended.why_ended) == (NOW, NOW + HORIZON, "bo", "sent_now")
        assert (ended.part, ended.probability, ended.severity) == ("battery", 0.3, "warning")
    with pytest.raises((Conflict, Stale), match="bo"), database.transaction() as connection:
        hold_outs.end(connection, one.id, "expired", "policy", NOW + 2 * DAY)
    assert not begin(database, one, NOW + 40 * DAY)


def test_those_that_last_and_those_that_last_too_long_are_found(database: Database) -> None:
    one, two, three = (found(database, f"d-{number}") for number in range(3))
    with database.reading() as connection:
        assert not hold_outs.any_standing(connection)
    begin(database, one)
    begin(database, two, NOW + DAY)
    begin(database, three)
    with database.transaction() as connection:
        hold_outs.end(connection, three.id, "grave", "policy", NOW)
        assert hold_outs.any_standing(connection)
        assert [row.finding_id for row in hold_outs.list_hold_outs(connection, standing=True)] == [two.id, one.id]
        assert [row.finding_id for row in hold_outs.list_hold_outs(connection, standing=False)] == [three.id]
        assert [row.finding_id for row in hold_outs.list_hold_outs(connection, device="d-1")] == [two.id]
        assert hold_outs.overdue(connection, NOW + HORIZON - DAY / 2) == []
        assert hold_outs.overdue(connection, NOW + HORIZON) == [one.id]
        newest = hold_outs.list_hold_outs(connection, limit=1)[0]
        assert [row.finding_id for row in hold_outs.list_hold_outs(connection, after=newest.id)] == [two.id, one.id]
