"""Rounds of the clocks over the records: what the ledger says, who hears, and what a round that comes late does."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, timedelta

import pytest
import sqlalchemy as sa

from alerts.policy import versions
from hearthwatch.records import analysis_states, sla_events, tickets
from hearthwatch.records.database import Database
from hearthwatch.records.tables import ticket_events
from tests.unit.alerts.sla.desk import Desk
from tests.unit.alerts.sla.story import berlin

RESOLVE = "resolution_hours = 8"


@pytest.fixture
def desk(database: Database) -> Desk:
    return Desk(database)


def test_without_a_policy_nothing_is_promised(desk: Desk) -> None:
    ticket = desk.open("2026-05-04 10:00")
    assert desk.round("2026-05-05 10:00") == {}
    assert desk.ledger(ticket) == []


def test_a_round_with_nothing_to_do_writes_nothing(desk: Desk) -> None:
    desk.policy(RESOLVE)
    ticket = desk.open("2026-05-04 10:00")
    desk.round("2026-05-04 10:01")
    written = desk.ledger(ticket)
    assert desk.round("2026-05-04 10:02") == {}
    assert desk.ledger(ticket) == written


def test_a_round_at_the_very_due_time_is_not_the_last_and_ends(desk: Desk) -> None:
    desk.policy(RESOLVE)
    ticket = desk.open("2026-05-04 09:00")
    desk.round("2026-05-04 18:00")
    assert desk.round("2026-05-04 18:00") == {}
    assert desk.times(ticket, "breach") == []
    desk.round("2026-05-04 18:01")
    assert desk.times(ticket, "breach") == [berlin("2026-05-04 18:00")]


def test_zammad_4432_nobody_is_written_to_at_night_or_on_a_weekend(desk: Desk) -> None:
    """github.com/zammad/zammad/issues/4432: reminders came at midnight and on Sundays although service times were Mo-Fr 9-17."""
    desk.policy(RESOLVE)
    ticket = desk.open("2026-05-08 09:00")  # a Friday
    desk.happens(ticket, "2026-05-08 09:10", "note")
    desk.rounds("2026-05-08 09:00", "2026-05-12 12:00")
    hours = [one.created_at.astimezone(berlin("2026-05-08").tzinfo) for one in desk.letters()]
    assert hours
    for at in hours:
        assert at.weekday() < 5
        assert 9 <= at.hour < 18
        assert at.hour != 12, "nor at lunch"


def test_a_breach_at_closing_time_stands_in_the_ledger_then_and_people_hear_of_it_at_the_next_opening(
    desk: Desk,
) -> None:
    desk.policy(RESOLVE, people='team = ["mailbox://team"]\nreminders = []')
    ticket = desk.open("2026-05-08 09:00")
    desk.rounds("2026-05-08 09:00", "2026-05-11 10:00")
    assert desk.times(ticket, "breach") == [berlin("2026-05-08 18:00")]
    (letter,) = desk.letters("mailbox://team")
    assert letter.created_at == berlin("2026-05-11 09:00")
    assert "lock-1 does not open" in letter.payload["text"]
    assert "2026-05-08 18:00 (Europe/Berlin)" in letter.payload["text"]
    assert f"https://desk.test/tickets/{ticket}" in letter.payload["text"]


def test_who_answered_in_the_night_is_not_told_off_in_the_morning(desk: Desk) -> None:
    desk.policy(RESOLVE, people='team = ["mailbox://team"]\nreminders = []')
    ticket = desk.open("2026-05-08 09:00")
    desk.rounds("2026-05-08 09:00", "2026-05-08 23:00")
    desk.close(ticket, "2026-05-08 23:30")
    desk.rounds("2026-05-09 00:00", "2026-05-11 10:00")
    assert desk.times(ticket, "breach")
    assert desk.letters() == []


def test_fifty_tickets_that_are_late_in_the_morning_are_one_letter_for_each_receiver(desk: Desk) -> None:
    desk.policy(RESOLVE, people='team = ["mailbox://team"]\nlead = ["mailbox://lead"]\nreminders = []')
    for _ in range(50):
        desk.open("2026-05-08 09:00")
    desk.rounds("2026-05-08 09:00", "2026-05-11 09:30")
    (letter,) = desk.letters()
    assert letter.address == "mailbox://team"
    assert letter.payload["subject"] == "50 of 50 tickets late"
    assert letter.payload["text"].count("https://desk.test/tickets/") == 50
    desk.rounds("2026-05-11 10:00", "2026-05-12 18:00")
    assert [one.address for one in desk.letters()] == ["mailbox://team", "mailbox://lead"], (
        "a working day later the lead hears"
    )


def test_a_ticket_s_technician_hears_of_it_and_the_team_of_what_is_nobody_s(desk: Desk) -> None:
    desk.policy(RESOLVE)
    mine, nobodys = desk.open("2026-05-04 09:00", technician="t-1"), desk.open("2026-05-04 09:00")
    desk.rounds("2026-05-04 09:00", "2026-05-04 17:50")
    (to_technician,), (to_team,) = desk.letters("mailbox://t-1"), desk.letters("mailbox://team")
    assert f"/tickets/{mine}" in to_technician.payload["text"]
    assert f"/tickets/{nobodys}" in to_team.payload["text"]
    assert "due soon" in to_team.payload["subject"]
    assert "1 h 30 min of working time left" in to_team.payload["text"]


def test_letters_are_in_the_language_of_the_policy(desk: Desk) -> None:
    desk.policy(RESOLVE, people='team = ["mailbox://team"]\nlanguage = "zh_Hans"')
    desk.open("2026-05-04 09:00")
    desk.rounds("2026-05-04 09:00", "2026-05-04 17:50")
    (letter,) = desk.letters()
    assert letter.payload["subject"] == "服务单 1 即将到期：解决"
    assert "还剩 1 小时 30 分钟 工作时间" in letter.payload["text"]


def test_a_policy_that_observes_keeps_the_clocks_and_tells_nobody_until_it_is_live(desk: Desk) -> None:
    version = desk.policy(RESOLVE, mode="observe", people='team = ["mailbox://team"]\nreminders = []')
    ticket = desk.open("2026-05-04 09:00")
    desk.rounds("2026-05-04 09:00", "2026-05-05 10:00")
    assert desk.times(ticket, "breach") == [berlin("2026-05-04 18:00")]
    assert desk.letters() == []
    with desk.database.transaction() as connection:
        versions.set_mode(connection, version, "live", "ann", berlin("2026-05-05 10:30"))
    desk.round("2026-05-05 10:31")
    assert [one.address for one in desk.letters()] == ["mailbox://team"]


def test_a_scheduler_that_slept_for_a_day_writes_each_breach_once_with_its_true_time(desk: Desk) -> None:
    desk.policy("first_response_hours = 2\nresolution_hours = 8")
    ticket = desk.open("2026-05-04 09:00")
    for _ in range(2):
        desk.round("2026-05-05 14:00")
        desk.round("2026-05-05 14:01")
    assert desk.times(ticket, "breach", "first_response") == [berlin("2026-05-04 11:00")]
    assert desk.times(ticket, "breach", "resolution") == [berlin("2026-05-04 18:00")]
    assert {one.written_at for one in desk.ledger(ticket)} == {berlin("2026-05-05 14:00")}
    (letter,) = desk.letters("mailbox://team")
    assert letter.payload["subject"] == f"Ticket {ticket} is late: first response"
    assert letter.payload["text"].count("was due") == 2, "no reminders of what is late already"


def test_a_round_that_is_killed_is_done_by_the_next_one_and_nobody_hears_twice(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    desk.policy(RESOLVE, people='team = ["mailbox://team"]\nreminders = []')
    ticket = desk.open("2026-05-04 09:00")
    desk.round("2026-05-04 09:01")

    def killed(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(analysis_states, "save", killed)
        with pytest.raises(KeyboardInterrupt):
            desk.round("2026-05-05 09:00")
    assert desk.letters() == []
    assert desk.times(ticket, "breach") == []
    desk.round("2026-05-05 09:05")
    desk.round("2026-05-05 09:06")
    assert desk.times(ticket, "breach") == [berlin("2026-05-04 18:00")]
    assert len(desk.letters()) == 1


def test_entries_that_two_rounds_write_at_once_stand_once(desk: Desk) -> None:
    desk.policy(RESOLVE)
    ticket = desk.open("2026-05-04 09:00")
    desk.round("2026-05-04 09:01")
    written = desk.ledger(ticket)
    with desk.database.transaction() as connection:
        assert sla_events.append(connection, written) == 0
    assert desk.ledger(ticket) == written


def test_a_ticket_is_due_when_its_resolution_is_and_nobody_s_copy_gets_stale_by_that(desk: Desk) -> None:
    desk.policy(RESOLVE)
    ticket = desk.open("2026-05-04 15:00")
    revision = desk.ticket(ticket).revision
    desk.round("2026-05-04 15:01")
    assert desk.ticket(ticket).due_at == berlin("2026-05-05 15:00")
    assert desk.ticket(ticket).revision == revision
    desk.happens(
        ticket, "2026-05-04 16:00", "waiting", {"state": "waiting", "waiting_for": "customer"}, **{"for": "customer"}
    )
    desk.round("2026-05-04 16:01")
    assert desk.ticket(ticket).due_at is None, "as long as it waits for the customer"
    desk.happens(ticket, "2026-05-06 10:00", "resumed", {"state": "open", "waiting_for": None})
    desk.round("2026-05-06 10:01")
    assert desk.ticket(ticket).due_at == berlin("2026-05-06 18:00")
    desk.close(ticket, "2026-05-06 12:00")
    desk.round("2026-05-06 12:01")
    assert desk.ticket(ticket).due_at == berlin("2026-05-06 18:00"), "what is closed keeps when it was due"


def test_a_new_policy_applies_from_then_on_and_what_was_written_stays(desk: Desk) -> None:
    desk.policy("resolution_hours = 80")
    ticket = desk.open("2026-05-04 09:00")
    desk.round("2026-05-04 09:01")
    before = desk.ledger(ticket)
    newer = desk.policy(RESOLVE, at="2026-05-05 11:00")
    desk.round("2026-05-05 16:00")
    after = desk.ledger(ticket)
    assert after[: len(before)] == before
    applied = [one for one in after if one.what == "apply_sla" and one.policy_version == newer]
    assert {one.at for one in applied} == {berlin("2026-05-05 11:00")}, "from when it was set live"
    assert desk.times(ticket, "breach") == [berlin("2026-05-05 11:00")]
    assert desk.recount(ticket, "2026-05-05 16:00").agrees
    closed_before = desk.open("2026-05-06 09:00")
    desk.round("2026-05-06 09:01")
    desk.close(closed_before, "2026-05-06 10:00")
    desk.round("2026-05-06 10:01")
    desk.policy("resolution_hours = 1", at="2026-05-06 12:00")
    desk.round("2026-05-06 12:01")
    assert newer == desk.state(closed_before).policy_version, "what is closed is judged by what was promised"


def test_what_came_to_be_known_late_withdraws_what_is_not_so_and_loses_nothing(desk: Desk) -> None:
    desk.policy("first_response_hours = 2")
    ticket = desk.open("2026-05-04 09:00")
    desk.round("2026-05-04 11:30")
    assert desk.times(ticket, "breach") == [berlin("2026-05-04 11:00")]
    desk.happens(ticket, "2026-05-04 10:30", "replied")  # mirrored from another desk an hour later
    desk.round("2026-05-04 11:31")
    rows = desk.ledger(ticket)
    assert [one.what for one in rows if one.what in {"breach", "withdraw"}].count("breach") == 1, (
        "the entry itself stays"
    )
    withdrawn = {one.detail["number"] for one in rows if one.what == "withdraw"}
    assert next(one for one in rows if one.what == "breach").number in withdrawn
    told = desk.recount(ticket, "2026-05-04 11:32")
    assert told.agrees
    assert told.folded is not None
    assert told.folded.clocks["first_response"].state == "met"


def test_a_ledger_that_says_what_never_happened_is_found_out(desk: Desk) -> None:
    desk.policy(RESOLVE)
    ticket = desk.open("2026-05-04 09:00")
    desk.round("2026-05-04 09:01")
    assert desk.recount(ticket, "2026-05-04 09:01").agrees
    made_up = desk.ledger(ticket)[-1]
    with desk.database.transaction() as connection:
        sla_events.append(connection, [replace(made_up, number=made_up.number + 1, what="fulfil")])
    told = desk.recount(ticket, "2026-05-04 09:02")
    assert not told.agrees
    assert told.unfounded == [made_up.number + 1]


def test_an_event_whose_number_came_late_is_not_lost(desk: Desk) -> None:
    """A transaction may take a number first and end last: events with higher numbers were seen before it."""
    desk.policy("first_response_hours = 2")
    late, other = desk.open("2026-05-04 09:00"), desk.open("2026-05-04 09:00")
    with desk.database.transaction() as connection:
        highest = connection.execute(sa.select(sa.func.max(ticket_events.c.id))).scalar_one()
        connection.execute(
            sa.insert(ticket_events).values(
                id=highest + 700, ticket_id=other, at=berlin("2026-05-04 09:05"), what="note", actor="ann", detail={}
            )
        )
    desk.round("2026-05-04 09:06")
    with desk.database.transaction() as connection:
        connection.execute(
            sa.insert(ticket_events).values(
                id=highest + 5, ticket_id=late, at=berlin("2026-05-04 09:07"), what="replied", actor="ann", detail={}
            )
        )
    desk.rounds("2026-05-04 09:30", "2026-05-04 10:30")
    assert desk.times(late, "fulfil", "first_response") == [berlin("2026-05-04 09:07")]


def test_tickets_of_the_time_before_have_clocks_if_they_are_open_and_none_if_they_were_closed(desk: Desk) -> None:
    old, closed = desk.open("2026-04-01 09:00"), desk.open("2026-04-01 09:00")
    desk.close(closed, "2026-04-02 09:00")
    desk.policy(RESOLVE)
    desk.round("2026-05-04 09:00")
    assert desk.times(old, "activate", "resolution") == [berlin("2026-04-01 09:00")]
    assert desk.ledger(closed) == []


def test_a_ticket_that_was_opened_and_closed_between_two_rounds_is_counted(desk: Desk) -> None:
    desk.policy(RESOLVE)
    desk.round("2026-05-04 09:00")
    ticket = desk.open("2026-05-04 09:00")
    desk.close(ticket, "2026-05-04 09:00")
    desk.round("2026-05-04 09:01")
    assert desk.times(ticket, "fulfil", "resolution") == [berlin("2026-05-04 09:00")]


def test_nobody_is_named_in_the_ledger(desk: Desk) -> None:
    desk.policy(RESOLVE)
    ticket = desk.open("2026-05-04 09:00")
    desk.rounds("2026-05-04 09:00", "2026-05-05 10:00")
    told = [one for one in desk.ledger(ticket) if one.what in {"remind", "escalate"}]
    assert [(one.what, one.detail["receivers"]) for one in told] == [("remind", 1), ("escalate", 1)]
    assert "mailbox" not in str([one.detail for one in desk.ledger(ticket)])
    assert "c-1" not in str([one.detail for one in desk.ledger(ticket)])


def test_times_of_the_ledger_are_utc(desk: Desk) -> None:
    desk.policy(RESOLVE)
    ticket = desk.open("2026-05-04 09:00")
    desk.round("2026-05-04 09:01")
    assert desk.ledger(ticket)[0].at.utcoffset() == timedelta(0)
    assert desk.ledger(ticket)[0].at.tzinfo is UTC
    with desk.database.reading() as connection:
        assert tickets.get(connection, ticket).due_at == berlin("2026-05-04 18:00")
