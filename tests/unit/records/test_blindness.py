"""When nobody could hear the fleet: written down by whoever hears next, whatever ended the last one."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import Connection

from hearthwatch.records import blindness
from hearthwatch.records.blindness import BROKER_AWAY, NO_INGESTOR, STORE_AWAY, BlindSpan
from hearthwatch.records.database import Database

NOON = datetime(2026, 5, 1, 12, tzinfo=UTC)
SECOND, MINUTE = timedelta(seconds=1), timedelta(minutes=1)


def beat(database: Database, holder: str, at: datetime, *, reason: str = "") -> BlindSpan | None:
    with database.transaction() as connection:
        return blindness.beat(connection, holder, at, receiving=not reason, reason=reason)


def told(database: Database, now: datetime) -> list[tuple[float, float | None, str]]:
    """Spans as seconds after noon, newest first."""
    with database.reading() as connection:
        spans = blindness.list_spans(connection, now)
    return [
        (
            (one.since - NOON).total_seconds(),
            None if one.until is None else (one.until - NOON).total_seconds(),
            one.reason,
        )
        for one in spans
    ]


def test_where_no_ingestor_ever_received_nobody_knows(database: Database) -> None:
    assert told(database, NOON) == []
    assert beat(database, "one", NOON, reason=BROKER_AWAY) is None
    assert told(database, NOON + MINUTE) == []


def test_a_busy_machine_is_no_outage(database: Database) -> None:
    for at in (0, 5, 33, 38):
        assert beat(database, "one", NOON + at * SECOND) is None
    assert told(database, NOON + 60 * SECOND) == []


def test_a_killed_ingestor_leaves_a_gap_that_its_successor_finds(database: Database) -> None:
    beat(database, "one", NOON)
    assert told(database, NOON + 10 * MINUTE) == [(0, None, NO_INGESTOR)]
    ended = beat(database, "two", NOON + 10 * MINUTE)
    assert ended == BlindSpan(NOON, NOON + 10 * MINUTE, NO_INGESTOR)
    assert told(database, NOON + 10 * MINUTE) == [(0, 600, NO_INGESTOR)]


def test_the_reason_is_what_the_ingestors_said_meanwhile(database: Database) -> None:
    beat(database, "one", NOON)
    for second in range(5, 120, 5):
        beat(database, "one", NOON + second * SECOND, reason=STORE_AWAY)
    assert told(database, NOON + 2 * MINUTE) == [(0, None, STORE_AWAY)]
    beat(database, "one", NOON + 2 * MINUTE)
    assert told(database, NOON + 2 * MINUTE) == [(0, 120, STORE_AWAY)]


def test_while_one_of_several_receives_nobody_is_blind(database: Database) -> None:
    beat(database, "one", NOON)
    for second in range(0, 300, 5):
        beat(database, "one", NOON + second * SECOND, reason=BROKER_AWAY)
        beat(database, "two", NOON + second * SECOND)
    assert told(database, NOON + 5 * MINUTE) == []


def test_two_that_begin_to_receive_at_once_write_one_span(database: Database) -> None:
    beat(database, "one", NOON)
    assert beat(database, "two", NOON + MINUTE) is not None
    assert beat(database, "three", NOON + MINUTE) is None
    assert told(database, NOON + MINUTE) == [(0, 60, NO_INGESTOR)]


def test_the_gap_of_a_month_is_found_although_old_ingestors_are_forgotten(database: Database) -> None:
    beat(database, "one", NOON)
    beat(database, "two", NOON + timedelta(days=30), reason=BROKER_AWAY)
    ended = beat(database, "two", NOON + timedelta(days=30, minutes=1))
    assert ended is not None
    assert ended.since == NOON


def test_spans_are_found_by_what_they_touch(database: Database) -> None:
    for start in (0, 60):
        beat(database, "one", NOON + start * MINUTE)
        beat(database, "one", NOON + (start + 10) * MINUTE)

    def between(connection: Connection, first: int, last: int) -> int:
        now = NOON + 70 * MINUTE
        return len(blindness.between(connection, NOON + first * MINUTE, NOON + last * MINUTE, now))

    with database.reading() as connection:
        assert between(connection, -5, 0) == 0
        assert between(connection, 5, 6) == 1
        assert between(connection, 0, 70) == 3, "between the two nobody beat either"


@pytest.mark.parametrize(("minutes", "hours"), [((0, 29), 0), ((0, 30), 1), ((50, 100), 1), ((20, 120), 2)])
def test_an_hour_is_blind_when_half_of_it_was(minutes: tuple[int, int], hours: int) -> None:
    span = BlindSpan(NOON + minutes[0] * MINUTE, NOON + minutes[1] * MINUTE, NO_INGESTOR)
    assert len(blindness.hours_of([span], NOON + 200 * MINUTE)) == hours


def test_old_spans_are_forgotten(database: Database) -> None:
    beat(database, "one", NOON)
    beat(database, "one", NOON + MINUTE)
    with database.transaction() as connection:
        assert blindness.forget(connection, NOON + 2 * MINUTE) == 1
    assert told(database, NOON + MINUTE) == []
