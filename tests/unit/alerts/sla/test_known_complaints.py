"""What users of other desks complain about, as test cases. The issues are public; each test says what was wrong there."""

from __future__ import annotations

from datetime import timedelta

from alerts.sla.terms import ClockName
from tests.unit.alerts.sla.story import HOUR, Story, berlin, sla_terms

BOTH = "first_response_hours = 8\nupdate_hours = 2"


def test_zammad_5177_a_shorter_update_time_does_not_overrule_the_first_response() -> None:
    """github.com/zammad/zammad/issues/5177: a new ticket was due by the update time where that is shorter."""
    story = Story(sla_terms(BOTH)).on("2026-05-04 09:00", "opened", source="mail").on("2026-05-04 10:00", "message")
    told = story.told("2026-05-04 11:00")
    assert told.clocks["first_response"].due_at == berlin("2026-05-04 18:00")
    assert told.clocks["update"].state == "idle"
    assert told.next_at == min(filter(None, (one.due_at for one in told.clocks.values())))
    assert not [one for one in story.told("2026-05-04 17:59").entries if one.what == "breach"]
    story.on("2026-05-04 17:00", "replied").on("2026-05-05 09:00", "message")
    assert story.clock("first_response", "2026-05-05 10:00").state == "met"
    assert story.clock("update", "2026-05-05 10:00").due_at == berlin("2026-05-05 11:00")


def test_zammad_3140_a_ticket_that_was_answered_does_not_escalate() -> None:
    """github.com/zammad/zammad/issues/3140: the update time went on although the last word was the agent's."""
    story = Story(sla_terms(BOTH)).on("2026-05-04 09:00", "opened", source="mail").on("2026-05-04 09:30", "replied")
    story.on("2026-05-04 10:00", "message").on("2026-05-04 11:00", "replied")
    weeks_later = story.told("2026-05-29 12:00")
    assert not [one for one in weeks_later.entries if one.what == "breach"]
    assert weeks_later.clocks["update"].state == "met"
    assert weeks_later.next_at == weeks_later.clocks["resolution"].due_at


def test_zammad_1620_an_internal_note_answers_nobody() -> None:
    """github.com/zammad/zammad/issues/1620: what the customer does not see fulfils nothing, and here it says so by its event."""
    story = Story(sla_terms(BOTH)).on("2026-05-04 09:00", "opened", source="mail").on("2026-05-04 10:00", "note")
    assert story.clock("first_response", "2026-05-04 11:00").state == "running"


def test_zammad_1322_a_customer_s_word_while_we_wait_for_it_starts_the_clocks_again() -> None:
    """github.com/zammad/zammad/issues/1322: a ticket that waited for its customer never escalated after they had answered."""
    story = Story(sla_terms(BOTH + "\nresolution_hours = 16")).on("2026-05-04 09:00", "opened", source="mail")
    story.on("2026-05-04 10:00", "replied").on("2026-05-04 10:00", "waiting", **{"for": "customer"})
    assert story.clock("resolution", "2026-05-11 09:00").state == "paused"
    story.on("2026-05-11 09:00", "message")
    assert story.clock("update", "2026-05-11 10:00").due_at == berlin("2026-05-11 11:00")
    assert story.clock("resolution", "2026-05-11 10:00").used == 2 * HOUR


def test_zammad_904_a_ticket_that_was_merged_or_is_a_duplicate_does_not_escalate() -> None:
    """github.com/zammad/zammad/issues/904"""
    for what, detail in (("merged", {"into": 7}), ("closed", {"code": "duplicate"})):
        story = (
            Story(sla_terms(BOTH))
            .on("2026-05-04 09:00", "opened", source="mail")
            .on("2026-05-04 10:00", what, **detail)
        )
        told = story.told("2026-05-29 09:00")
        assert told.next_at is None
        assert {told.clocks[name].state for name in ("first_response", "resolution")} == {"cancelled"}
        assert not [one for one in told.entries if one.what in {"breach", "fulfil"}]


def test_a_reopened_ticket_does_not_escalate_at_once() -> None:
    """Zammad's documentation: escalation is by the ticket's first opening, so a ticket that is opened again is late at once."""
    story = (
        Story(sla_terms("resolution_hours = 8"))
        .on("2026-05-04 09:00", "opened")
        .on("2026-05-04 17:00", "closed", code="confirmed")
    )
    story.on("2026-05-20 09:00", "reopened")
    told = story.told("2026-05-20 10:00")
    assert told.clocks["resolution"].instance == 2
    assert told.clocks["resolution"].due_at == berlin("2026-05-20 18:00")
    assert not [one for one in told.entries if one.what == "breach"]
    assert [
        (one.what, one.instance)
        for one in story.ledger("resolution", "2026-05-20 10:00")
        if one.what != "update_status"
    ] == [
        ("activate", 1),
        ("fulfil", 1),
        ("activate", 2),
    ]


def test_a_reopened_ticket_may_also_go_on_where_it_was_without_the_time_it_was_closed() -> None:
    story = Story(sla_terms("resolution_hours = 8", more='reopened = "continue"')).on("2026-05-04 09:00", "opened")
    story.on("2026-05-04 14:00", "closed", code="confirmed").on("2026-05-20 09:00", "reopened")
    clock = story.clock("resolution", "2026-05-20 10:00")
    assert clock.instance == 1
    assert clock.used == 5 * HOUR
    assert clock.due_at == berlin("2026-05-20 14:00")  # an hour's lunch lies between


def test_the_clock_stops_for_what_the_policy_names_and_not_in_pending_states_alone() -> None:
    """Zammad's clock stops in pending states only. Here each clock has its own list, parts and agreed visits among it."""
    pauses = "[pauses]\nresolution = ['part', 'scheduled']"
    waits = (("waiting", {"for": "part"}, "part"), ("scheduled", {"at": "2026-05-11T09:00:00+02:00"}, "scheduled"))
    for what, detail, why in waits:
        story = Story(sla_terms("resolution_hours = 8", more=pauses)).on("2026-05-04 09:00", "opened")
        story.on("2026-05-04 10:00", what, **detail)
        clock = story.clock("resolution", "2026-05-07 12:00")
        assert (clock.state, clock.paused_for, clock.used) == ("paused", why, HOUR)
    other = Story(sla_terms("resolution_hours = 8", more=pauses)).on("2026-05-04 09:00", "opened")
    other.on("2026-05-04 10:00", "waiting", **{"for": "third_party"})
    assert other.clock("resolution", "2026-05-04 12:00").state == "running"


def test_frappe_helpdesk_2212_lunch_is_no_working_time() -> None:
    """github.com/frappe/helpdesk/issues/2212: a ticket that came at lunch was late before anybody was back."""
    story = Story(sla_terms("first_response_hours = 0.5")).on("2026-05-04 12:05", "opened", source="page")
    assert story.clock("first_response", "2026-05-04 12:59").used == timedelta(0)
    assert story.clock("first_response", "2026-05-04 12:59").due_at == berlin("2026-05-04 13:30")
    assert story.clock("first_response", "2026-05-04 13:31").state == "breached"


def test_glpi_6902_time_spent_waiting_stays_off_the_clock_when_the_terms_change() -> None:
    """github.com/glpi-project/glpi/issues/6902: a higher urgency brought other terms, and with them the time that had been waited."""
    story = Story(sla_terms("resolution_hours = [4, 8, 16, 16]")).on("2026-05-04 09:00", "opened")
    story.on("2026-05-04 10:00", "waiting", **{"for": "customer"}).on(
        "2026-05-06 10:00", "raised", **{"from": 2, "to": 1}
    )
    paused = story.clock("resolution", "2026-05-08 10:00")
    assert (paused.state, paused.used, paused.target) == ("paused", HOUR, 4 * HOUR)
    story.on("2026-05-11 09:00", "resumed")
    assert story.clock("resolution", "2026-05-11 09:30").due_at == berlin("2026-05-11 12:00")


def test_no_clock_is_late_in_the_night_although_the_ledger_knows_the_very_instant() -> None:
    """Business time does not pass at night: a due time lies within working hours (see zammad #4432 for who is told when)."""
    names: tuple[ClockName, ...] = ("first_response", "resolution")
    for hour in range(24):
        story = Story(sla_terms("first_response_hours = 3\nresolution_hours = 7.5")).on(
            f"2026-05-08 {hour:02}:10", "opened", source="qr"
        )
        for name in names:
            due = story.clock(name, f"2026-05-08 {hour:02}:10").due_at
            assert due is not None
            wall = due.astimezone(berlin("2026-05-08").tzinfo)
            assert wall.weekday() < 5
            assert 9 <= wall.hour <= 18
