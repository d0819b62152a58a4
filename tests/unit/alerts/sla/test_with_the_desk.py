"""Clocks of a ticket that is worked by the desk's own acts, from the customer's word to the closing and the relapse."""

from __future__ import annotations

from datetime import datetime

import pytest

from alerts.tickets import acts, conversation, ending
from hearthwatch.records import technicians
from hearthwatch.records.database import Database
from tests.unit.alerts.sla.desk import Desk
from tests.unit.alerts.sla.story import HOUR, berlin


@pytest.fixture
def desk(database: Database) -> Desk:
    return Desk(database)


def test_what_people_do_with_a_ticket_moves_its_clocks(desk: Desk) -> None:
    desk.policy("first_response_hours = 2\nupdate_hours = 2\nresolution_hours = 16")
    ticket = desk.open("2026-05-04 09:00")
    with desk.database.transaction() as connection:
        technicians.put(connection, "t-1", name="Tim")
        acts.assign(connection, ticket, None, "t-1", "ann", berlin("2026-05-04 09:10"))
        acts.start(connection, ticket, None, "ann", berlin("2026-05-04 09:20"))
        conversation.note(connection, ticket, None, "bolt worn", "ann", berlin("2026-05-04 09:30"))
    desk.round("2026-05-04 09:31")
    assert desk.state(ticket).clocks["first_response"]["state"] == "running", "a note answers nobody"
    with desk.database.transaction() as connection:
        until = berlin("2026-05-08 10:00")
        conversation.reply(
            connection, ticket, None, "Which colour?", "ann", berlin("2026-05-04 10:00"), wait_until=until
        )
    desk.round("2026-05-04 10:01")
    clocks = desk.state(ticket).clocks
    assert (clocks["first_response"]["state"], clocks["resolution"]["paused_for"]) == ("met", "customer")
    with desk.database.transaction() as connection:
        conversation.message(
            connection,
            ticket,
            text="Black.",
            author="customer:c-1",
            now=berlin("2026-05-06 10:00"),
            verified=True,
            detail={},
        )
    desk.round("2026-05-06 10:01")
    clocks = desk.state(ticket).clocks
    assert datetime.fromisoformat(clocks["update"]["due_at"]) == berlin("2026-05-06 12:00")
    assert clocks["resolution"]["state"] == "running"
    assert clocks["resolution"]["used_s"] == pytest.approx(HOUR.total_seconds(), abs=120)
    with desk.database.transaction() as connection:
        ending.close(
            connection,
            ticket,
            None,
            code="confirmed",
            part="bolt",
            note=None,
            actor="ann",
            now=berlin("2026-05-06 11:00"),
        )
    desk.round("2026-05-06 11:01")
    assert {name: one["state"] for name, one in desk.state(ticket).clocks.items() if isinstance(one, dict)} == {
        "first_response": "met", "update": "met", "resolution": "met",
    }  # fmt: skip
    assert desk.recount(ticket, "2026-05-06 11:02").agrees
