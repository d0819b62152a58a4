"""Rows of field service: tickets, technicians, spare parts, letters, links, brakes."""

from __future__ import annotations

from datetime import timedelta
from typing import get_args

import pytest
from sqlalchemy import Connection

from hearthwatch.errors import Conflict, Missing, Stale
from hearthwatch.records import (
    brakes,
    findings,
    mailbox,
    spare_parts,
    technicians,
    ticket_findings,
    ticket_messages,
    tickets,
)
from hearthwatch.records.database import Database
from hearthwatch.records.tables import ticket_messages as table
from hearthwatch.records.tickets import NewTicket
from hearthwatch.values import Finding, Observation, Ticket
from tests.conftest import START

RELAPSE = timedelta(days=7)


def ticket(connection: Connection, cause: str, **more: object) -> tuple[Ticket, bool]:
    new = NewTicket(cause, "device", "a title " * 100, 3, None, device_id="d-1", **more)  # type: ignore[arg-type]
    return tickets.open_once(connection, new, actor="policy", now=START, detail={})


def finding(connection: Connection, mode: str) -> Finding:
    seen = Observation("anomaly", "device", "d-1", mode, "warning", START, {})
    return findings.observe(connection, seen, relapse=RELAPSE)


def test_a_cause_is_opened_once_and_noted_once(database: Database) -> None:
    with database.transaction() as connection:
        first, opened = ticket(connection, "device:d-1/battery/1")
        second, again = ticket(connection, "device:d-1/battery/1")
        assert (opened, again, first.id) == (True, False, second.id)
        assert [event.what for event in tickets.events(connection, first.id)] == ["opened"]
        assert len(first.title) == 400


def test_while_one_of_a_cause_is_open_its_next_number_is_the_same_ticket(database: Database) -> None:
    with database.transaction() as connection:
        first, _ = ticket(connection, "device:d-1/battery/1")
        second, opened = ticket(connection, "device:d-1/battery/2")
        assert (second.id, opened) == (first.id, False)
        tickets.change(connection, first.id, None, {"state": "closed", "closing_code": "confirmed"})
        third, opened = ticket(connection, "device:d-1/battery/2")
        assert (third.cause, opened) == ("device:d-1/battery/2", True)
        assert tickets.open_of_stem(connection, "device:d-1/battery") == third
    with pytest.raises(Conflict), database.transaction() as connection:
        tickets.change(connection, first.id, None, {"state": "open", "closing_code": None})


@pytest.mark.parametrize(
    "changes",
    [
        {"state": "waiting"},
        {"waiting_for": "customer"},
        {"state": "waiting", "waiting_for": "godot"},
        {"merged_into": 1},
        {"remedy_price": 100},
        {"state": "lost"},
    ],
)
def test_a_row_that_contradicts_itself_is_refused(database: Database, changes: dict[str, object]) -> None:
    with database.transaction() as connection:
        made, _ = ticket(connection, "x/1")
    with pytest.raises(Conflict), database.transaction() as connection:
        tickets.change(connection, made.id, None, changes)


def test_work_under_way_and_waiting_are_states_the_records_know(database: Database) -> None:
    with database.transaction() as connection:
        made, _ = ticket(connection, "x/1")
        assert tickets.change(connection, made.id, None, {"state": "in_progress"}).state == "in_progress"
        waiting = tickets.change(connection, made.id, None, {"state": "waiting", "waiting_for": "part"})
        assert (waiting.state, waiting.waiting_for) == ("waiting", "part")


def test_what_was_written_moves_to_another_ticket_and_can_be_erased_for_good(database: Database) -> None:
    with database.transaction() as connection:
        one, other = ticket(connection, "a/1")[0], ticket(connection, "b/1")[0]
        said = [
            ticket_messages.add(connection, one.id, direction, "ann", f"text {direction}", START)
            for direction in get_args(ticket_messages.Direction)
        ]
        assert [one.text for one in ticket_messages.of_ticket(connection, one.id, visible=True)] == [
            "text in",
            "text out",
        ]
        assert ticket_messages.move(connection, one.id, other.id) == 4
        assert ticket_messages.of_ticket(connection, one.id) == []
        assert ticket_messages.texts(connection, said[:1]) == {said[0]: "text in"}
        assert ticket_messages.erase(connection, table.c.ticket_id == other.id, START) == 4
        assert ticket_messages.erase(connection, table.c.ticket_id == other.id, START) == 0
        assert {one.text for one in ticket_messages.of_ticket(connection, other.id)} == {""}


def test_a_ticket_that_is_not_there_is_missing(database: Database) -> None:
    with database.reading() as connection, pytest.raises(Missing):
        tickets.get(connection, 1)


def test_a_ticket_is_closed_with_a_code_or_not_at_all(database: Database) -> None:
    with pytest.raises(Conflict), database.transaction() as connection:
        tickets.change(connection, ticket(connection, "x/1")[0].id, None, {"state": "closed"})


def test_tickets_are_found_by_state_device_and_person_a_page_at_a_time(database: Database) -> None:
    with database.transaction() as connection:
        technicians.put(connection, "t-1", name="Tom")
        first, second, third = (ticket(connection, f"device:d-1/{part}/1")[0] for part in ("battery", "relay", "motor"))
        tickets.change(connection, second.id, second.revision, {"technician_id": "t-1", "state": "assigned"})
        with pytest.raises(Stale):
            tickets.change(connection, second.id, second.revision, {"priority": 1})
        tickets.change(connection, first.id, None, {"state": "closed", "closing_code": "duplicate"})
        assert [one.id for one in tickets.list_tickets(connection)] == [third.id, second.id, first.id]
        assert [one.id for one in tickets.list_tickets(connection, open_only=True)] == [third.id, second.id]
        assert [one.id for one in tickets.list_tickets(connection, technician_id="t-1")] == [second.id]
        assert [one.id for one in tickets.list_tickets(connection, after=third.id, limit=1)] == [second.id]
        assert tickets.load_by_technician(connection) == {"t-1": 1}


def test_a_finding_is_in_one_ticket_and_leaves_it_for_another(database: Database) -> None:
    with database.transaction() as connection:
        one, other = ticket(connection, "a/1")[0], ticket(connection, "b/1")[0]
        fade, drift = finding(connection, "battery_fade"), finding(connection, "sensor_drift")
        for found in (fade, drift):
            ticket_findings.join(connection, found.id, one.id, START)
        ticket_findings.join(connection, drift.id, other.id, START)
        assert {
            key: found.id for key, found in ticket_findings.of_findings(connection, [fade.id, drift.id]).items()
        } == {
            fade.id: one.id,
            drift.id: other.id,
        }
        standing = ticket_findings.standing(connection, [one.id, other.id])
        assert [found.mode for found in standing[one.id]] == ["battery_fade"]
        assert [found.mode for found in standing[other.id]] == ["sensor_drift"]


def test_only_numbers_follow_the_stem_of_a_cause(database: Database) -> None:
    with database.transaction() as connection:
        for cause in ("device:d-1/a/1", "device:d-1/a/12", "device:d-1/a/b/1", "device:d-1/ab/1", "device:D-1/a/1"):
            made, _ = ticket(connection, cause)
            tickets.change(connection, made.id, None, {"state": "closed", "closing_code": "duplicate"})
        found = tickets.with_stem(connection, "device:d-1/a/", kind="device", device_id="d-1")
    assert [one.cause for one in found] == ["device:d-1/a/1", "device:d-1/a/12"]


def test_technicians_and_spare_parts_are_made_and_changed_at_their_revision(database: Database) -> None:
    with database.transaction() as connection:
        made = technicians.put(connection, "t-1", name="Tom", skills=["battery"], regions=["north"], capacity=3)
        assert (made.skills, made.regions, made.active, made.revision) == (("battery",), ("north",), True, 1)
        changed = technicians.put(connection, "t-1", name="Tom", active=False, revision=1)
        assert (changed.active, changed.skills, changed.revision) == (False, (), 2)
        with pytest.raises(Stale):
            technicians.put(connection, "t-1", name="Tim", revision=1)
        assert technicians.list_technicians(connection, active=True) == []
        part = spare_parts.put(connection, "p-1", name="Battery", models=["LOCK-2"], stock=5)
        assert spare_parts.list_parts(connection) == [part]
        with pytest.raises(Stale):
            spare_parts.put(connection, "p-1", name="Battery", revision=9)
        for read in (lambda: technicians.get(connection, "x"), lambda: spare_parts.get(connection, "x")):
            with pytest.raises(Missing):
                read()


def test_a_letter_with_a_known_key_is_not_put_in_twice(database: Database) -> None:
    with database.transaction() as connection:
        for text in ("first", "second"):
            mailbox.put(connection, key="k", address="mailbox://a", subject="s", text=text, html="", at=START)
        mailbox.put(connection, key="l", address="mailbox://b", subject="s", text="third", html="", at=START)
        assert [letter.text for letter in mailbox.list_letters(connection)] == ["third", "first"]
        assert [letter.text for letter in mailbox.list_letters(connection, address="mailbox://a")] == ["first"]


def test_a_brake_tells_who_pulled_it_and_why(database: Database) -> None:
    with database.transaction() as connection:
        assert brakes.is_paused(connection) == (False, {})
        brakes.put(connection, brakes.OUTBOX, on=True, detail={"reason": "fire"}, actor="ann", now=START)
        paused, detail = brakes.is_paused(connection)
        assert paused
        assert (detail["reason"], detail["changed_by"]) == ("fire", "ann")
        brakes.put(connection, brakes.OUTBOX, on=False, detail={}, actor="bob", now=START)
        assert not brakes.is_paused(connection)[0]
        assert brakes.rounds(connection, on=True) == []
