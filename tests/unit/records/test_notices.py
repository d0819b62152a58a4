"""Rows of notices and their links."""

from __future__ import annotations

from datetime import timedelta

import pytest
import sqlalchemy as sa
from sqlalchemy import Connection

from hearthwatch.errors import Conflict, Denied, Missing, Stale
from hearthwatch.records import customer_links, customers, devices, findings, notices
from hearthwatch.records.database import Database
from hearthwatch.records.notices import Wanted
from hearthwatch.records.tables import metadata
from hearthwatch.values import Notice, Observation
from tests.conftest import START

DAY = timedelta(days=1)


def about(connection: Connection, device: str = "d-1", mode: str = "battery_fade") -> int:
    seen = Observation("anomaly", "device", device, mode, "warning", START, {})
    return findings.observe(connection, seen, relapse=DAY).id


def write(
    connection: Connection,
    finding: int,
    *,
    customer: str = "c-1",
    occasion: str = "",
    state: str = "sent",
    kind: str = "check_up",
) -> Notice | None:
    cause = notices.cause_of(finding_id=finding)
    words = ("en", "s" * 900, "body", "<p>html</p>")
    wanted = Wanted(cause, "d-1", customer, kind, occasion, "h-1", *words, finding_id=finding)
    return notices.write(connection, wanted, state=state, reason=None, send_after=START, policy_version=1, now=START)


def test_one_notice_per_finding_device_customer_kind_and_occasion(database: Database) -> None:
    with database.transaction() as connection:
        finding = about(connection)
        first = write(connection, finding)
        assert first is not None
        assert len(first.subject) == 400
        assert write(connection, finding) is None
        assert write(connection, finding, occasion="reminder:1") is not None
        assert write(connection, finding, kind="update") is not None
        assert write(connection, finding, customer="c-2") is not None
        assert [event.what for event in notices.events(connection, first.id)] == ["written"]
        assert notices.occasions(connection, [finding]) == {(finding, "reminder:1")}
        assert notices.html(connection, first.id) == "<p>html</p>"


def test_what_is_not_there_is_missing_and_what_changed_is_stale(database: Database) -> None:
    with database.transaction() as connection:
        for read in (notices.get, notices.html, notices.occasion):
            with pytest.raises(Missing):
                read(connection, 7)
        notice = write(connection, about(connection))
        assert notice is not None
        notices.change(connection, notice.id, notice.revision, {"state": "failed", "reason": "x" * 900})
        with pytest.raises(Stale):
            notices.change(connection, notice.id, notice.revision, {"state": "sent"})


def test_a_household_s_budget_counts_what_is_sent_or_going_to_be_and_no_ticket_updates(database: Database) -> None:
    with database.transaction() as connection:
        for number, state in enumerate(("sent", "queued", "held", "suppressed", "observed", "failed", "cancelled")):
            write(connection, about(connection, mode=f"mode_{number}"), state=state)
        write(connection, about(connection), kind="ticket_update", occasion="ticket_event:1")
        assert notices.spent(connection, START, home_ids=["h-1", "h-9"], customer_ids=["c-1"]) == {"h-1": 3}
        assert notices.spent(connection, START + DAY, home_ids=["h-1"], customer_ids=[]) == {}


def test_the_untold_are_the_present_owners_of_devices_on_a_firmware(database: Database) -> None:
    with database.transaction() as connection:
        for name in ("a", "b", "c", "d", "e", "f"):
            customers.put_customer(connection, name, name=name)
        rows: list[dict[str, object]] = [{"id": f"d-{name}", "model": "M", "firmware": "1.0"} for name in "abcdef"]
        rows[1] |= {"firmware": "1.1"}
        rows[2] |= {"test": True}
        rows[3] |= {"removed_at": START - DAY}
        devices.register(connection, rows)
        for name in "abcdf":
            customers.own(connection, f"d-{name}", name, None, START - DAY)
        customers.own(connection, "d-f", "e", None, START)
        finding = about(connection)
        found = notices.untold(connection, finding, kind="update", model="M", version="1.0", at=START)
        assert found == [("d-a", "a"), ("d-f", "e")]
        write(connection, finding, customer="a", kind="update", state="suppressed")
        found = notices.untold(connection, finding, kind="update", model="M", version="1.0", at=START)
        assert found == [("d-f", "e")]


def test_lists_are_filtered_and_go_on_where_a_page_ended(database: Database) -> None:
    with database.transaction() as connection:
        for number in range(3):
            write(connection, about(connection, mode=f"mode_{number}"), state="sent" if number else "held")
        assert [one.id for one in notices.list_notices(connection, limit=2)] == [3, 2]
        assert [one.id for one in notices.list_notices(connection, after=2)] == [1]
        assert [
            one.id for one in notices.list_notices(connection, state="held", customer_id="c-1", device_id="d-1")
        ] == [1]
        assert notices.list_notices(connection, finding_id=99) == []


def test_only_the_hash_of_a_token_is_kept(database: Database) -> None:
    with database.transaction() as connection:
        notice = write(connection, about(connection))
        assert notice is not None
        token = customer_links.create(connection, notice_id=notice.id, customer_id="c-1", expires_at=START + DAY)
        assert len(token) >= 43
        dump = [connection.execute(sa.select(table)).all() for table in metadata.tables.values()]
        assert token not in str(dump)
        link = customer_links.find(connection, token, START)
        assert (link.notice_id, link.customer_id) == (notice.id, "c-1")
        with pytest.raises(Missing):
            customer_links.find(connection, token[:-1], START)
        with pytest.raises(Denied):
            customer_links.find(connection, token, START + DAY)
        assert customer_links.revoke(connection, notice_id=notice.id, now=START) == 1
        assert customer_links.revoke(connection, notice_id=notice.id, now=START) == 0


def test_a_nonce_is_good_once_per_link(database: Database) -> None:
    with database.transaction() as connection:
        customer_links.use_nonce(connection, 1, "n", START)
        customer_links.use_nonce(connection, 2, "n", START)
        with pytest.raises(Conflict):
            customer_links.use_nonce(connection, 1, "n", START)
        assert customer_links.forget_nonces(connection, START + DAY) == 2
