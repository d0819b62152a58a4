"""The outbox's rows: claims, marks, counts."""

from __future__ import annotations

from datetime import timedelta

import pytest
from sqlalchemy import Connection

from hearthwatch.errors import Conflict
from hearthwatch.records import outbox
from hearthwatch.records.database import Database
from tests.conftest import START

LEASE = timedelta(minutes=1)


def put(connection: Connection, key: str, *, channel: str = "mqtt", after: timedelta = timedelta(0)) -> bool:
    return outbox.put(
        connection,
        kind="command",
        channel=channel,
        address=f"hearthwatch/v1/{key}/command",
        payload={"body": {"id": key}, "text": "secret"},
        key=key,
        now=START,
        next_at=START + after,
    )


def test_a_key_is_there_once(database: Database) -> None:
    with database.transaction() as connection:
        assert put(connection, "a")
        assert not put(connection, "a")
        assert outbox.known(connection, ["a", "b"]) == {"a"}


def test_what_is_not_due_is_not_claimed(database: Database) -> None:
    with database.transaction() as connection:
        put(connection, "a", after=timedelta(seconds=1))
        assert outbox.claim(connection, "w", START, lease=LEASE, limit=9) == []
        assert len(outbox.claim(connection, "w", START + timedelta(seconds=1), lease=LEASE, limit=9)) == 1


def test_the_oldest_due_come_first_and_the_limit_holds(database: Database) -> None:
    with database.transaction() as connection:
        put(connection, "late", after=timedelta(seconds=2))
        put(connection, "early", after=timedelta(seconds=1))
        put(connection, "now")
        claimed = outbox.claim(connection, "w", START + LEASE, lease=LEASE, limit=2)
    assert [item.idempotency_key for item in claimed] == ["now", "early"]


def test_a_lost_claim_marks_nothing(database: Database) -> None:
    with database.transaction() as connection:
        put(connection, "a")
        (first,) = outbox.claim(connection, "one", START, lease=LEASE, limit=1)
        (second,) = outbox.claim(connection, "two", START + LEASE, lease=LEASE, limit=1)
        assert not outbox.complete(connection, [first], START)
        assert not outbox.retry(connection, first, START, "x")
        assert not outbox.give_back(connection, first)
        assert outbox.retry(connection, second, START + LEASE, "x" * 1000 + "\x00")
        (item,) = outbox.list_items(connection)
    assert (item.state, item.attempts, len(item.last_error or "")) == ("pending", 2, 400)


def test_what_was_delivered_is_counted_by_channel_and_keeps_no_text(database: Database) -> None:
    with database.transaction() as connection:
        put(connection, "a")
        put(connection, "b", channel="mailbox")
        for item in outbox.claim(connection, "w", START, lease=LEASE, limit=9):
            assert outbox.complete(connection, [item], START)
        assert outbox.count_delivered(connection, channel="mqtt") == 1
        assert outbox.counts(connection) == {"delivered": 2}
        assert all(
            dict(item.payload) == {"body": {"id": item.idempotency_key}} for item in outbox.list_items(connection)
        )


def test_an_item_for_a_notice_that_is_not_there_is_refused_by_the_database(database: Database) -> None:
    with pytest.raises(Conflict), database.transaction() as connection:
        outbox.put(
            connection,
            kind="notice",
            channel="mailbox",
            address="mailbox://x",
            payload={},
            key="k",
            now=START,
            notice_id=9,
        )


def test_pages_go_on_where_the_last_one_ended(database: Database) -> None:
    with database.transaction() as connection:
        for number in range(5):
            put(connection, str(number))
        first = outbox.list_items(connection, limit=2)
        rest = outbox.list_items(connection, limit=9, after=first[-1].id)
    assert [item.idempotency_key for item in (*first, *rest)] == ["4", "3", "2", "1", "0"]


def test_whoever_takes_over_sends_at_once_what_another_had_claimed(database: Database) -> None:
    with database.transaction() as connection:
        put(connection, "a")
        (killed,) = outbox.claim(connection, "killed", START, lease=LEASE, limit=1)
        assert outbox.take_over(connection, "next", START) == 1
        (again,) = outbox.claim(connection, "next", START, lease=LEASE, limit=1)
        assert again.idempotency_key == killed.idempotency_key
        assert not outbox.complete(connection, [killed], START)
        assert outbox.take_over(connection, "next", START) == 0  # its own claims stay
        assert outbox.complete(connection, [again], START)
