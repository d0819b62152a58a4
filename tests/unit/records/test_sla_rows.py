"""The rows of tickets' clocks, on every database: what is appended once, and which tickets a round finds."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from sqlalchemy import Connection

from hearthwatch.records import sla_events, sla_states, tickets
from hearthwatch.records.database import Database
from hearthwatch.records.sla_events import SlaEvent
from hearthwatch.records.sla_states import SlaState
from hearthwatch.records.tickets import NewTicket

NOW = datetime(2026, 5, 4, 8, tzinfo=UTC)
HOUR = timedelta(hours=1)


def ticket(connection: Connection, number: int) -> int:
    new = NewTicket(cause=f"request:d{number}/1", kind="request", title="broken", priority=2, due_at=None)
    return tickets.open_once(connection, new, actor="ann", now=NOW, detail={})[0].id


def entry(ticket_id: int, number: int, what: str = "breach") -> SlaEvent:
    return SlaEvent(
        ticket_id,
        number,
        NOW,
        NOW,
        what,
        "resolution",
        1,
        3600.5,
        NOW + HOUR,
        3600.25,
        1,
        "everyone",
        2,
        {"a": [1, "b"]},
    )


def state(ticket_id: int, *, events: int = 1, next_at: datetime | None = None) -> SlaState:
    return SlaState(ticket_id, events, 1, 1, "everyone", next_at, {"zone": "UTC"}, NOW)


def test_entries_come_back_as_they_were_written_and_each_number_stands_once(database: Database) -> None:
    with database.transaction() as connection:
        one = ticket(connection, 1)
        assert sla_events.append(connection, [entry(one, 1), entry(one, 2, "fulfil")]) == 2
        assert sla_events.append(connection, [entry(one, 2, "cancel"), entry(one, 3)]) == 1
        assert sla_events.of_tickets(connection, [one])[one] == [entry(one, 1), entry(one, 2, "fulfil"), entry(one, 3)]
        assert [found.number for found in sla_events.written_between(connection, NOW, NOW + HOUR, ["breach"])] == [1, 3]


def test_a_round_finds_tickets_without_clocks_with_new_events_and_those_whose_instant_has_come(
    database: Database,
) -> None:
    with database.transaction() as connection:
        new, behind, due, later = (ticket(connection, number) for number in range(1, 5))
        sla_states.put(connection, [state(behind), state(due, next_at=NOW), state(later, next_at=NOW + HOUR)])
        tickets.note(connection, behind, NOW, "note", "ann", {})
        assert sla_states.all_behind(connection, closed_since=NOW) == [new, behind]
        newest = sla_states.newest_event(connection)
        assert sla_states.behind(connection, newest - 1, closed_since=NOW) == [behind]
        assert sla_states.due(connection, NOW, limit=10) == [due]
        sla_states.look_again(connection, NOW)
        assert sorted(sla_states.due(connection, NOW, limit=10)) == [behind, due, later]
        assert len(sla_states.due(connection, NOW, limit=2)) == 2


def test_a_due_time_is_no_change_of_the_ticket(database: Database) -> None:
    with database.transaction() as connection:
        one = ticket(connection, 1)
        before = tickets.get(connection, one)
        sla_events.set_due(connection, {one: NOW + HOUR})
        after = tickets.get(connection, one)
        assert (after.due_at, after.revision) == (NOW + HOUR, before.revision)
        sla_events.set_due(connection, {})
        sla_events.set_due(connection, {one: None})
        assert tickets.get(connection, one).due_at is None
