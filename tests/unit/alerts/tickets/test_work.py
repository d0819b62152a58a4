"""Tickets at work: taken, begun, waiting, answered, merged; nothing is lost, and nothing internal reaches a customer."""

from __future__ import annotations

import contextlib
import json
from datetime import timedelta

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from alerts.tickets import acts, states
from hearthwatch.clock import SteppedClock
from hearthwatch.errors import Conflict, HearthwatchError, Invalid, Missing, Stale
from hearthwatch.records import technicians, ticket_findings, tickets
from tests.conftest import records_in_memory
from tests.unit.alerts.tickets.desk import ANN, Desk
from tests.unit.alerts.world import NOON, World

OTHER = tickets.NewTicket(
    "request:lock-1:c-1/1", "request", "it rattles", 2, None, device_id="lock-1", customer_id="c-1", source="page"
)


@pytest.fixture
def desk(world: World) -> Desk:
    return Desk(world)


# -- what is refused ---------------------------------------------------------------------------------------------------------


def test_a_ticket_changed_since_it_was_read_is_stale_for_every_act(desk: Desk) -> None:
    ticket = desk.ticket()
    desk.note(ticket)
    for act in (
        lambda c: acts.take(c, ticket.id, ticket.revision, ANN, desk.now),
        lambda c: acts.start(c, ticket.id, ticket.revision, ANN, desk.now),
        lambda c: acts.wait(c, ticket.id, ticket.revision, "customer", None, ANN, desk.now),
        lambda c: acts.diagnose(c, ticket.id, ticket.revision, part="motor", mode=None, actor=ANN, now=desk.now),
    ):
        with pytest.raises(Stale):
            desk.do(act)


def test_a_wait_for_a_part_needs_a_day_to_look_again_and_a_known_reason(desk: Desk) -> None:
    ticket = desk.ticket()
    with pytest.raises(Invalid, match="until when"):
        desk.wait(ticket, "part")
    with pytest.raises(Invalid, match="time to come"):
        desk.wait(ticket, "part", desk.now)
    with pytest.raises(Invalid, match="customer"):
        desk.wait(ticket, "godot", desk.later())
    with pytest.raises(Conflict, match="resumed"):
        desk.resume(ticket)
    assert desk.read(ticket).state == "open"


def test_a_closed_ticket_is_not_worked_on(desk: Desk) -> None:
    ticket = desk.close(desk.ticket())
    for act in (desk.start, desk.assign, desk.schedule, lambda one: desk.wait(one, "customer")):
        with pytest.raises(Conflict, match="closed as confirmed"):
            act(ticket)


def test_a_failure_mode_nobody_knows_is_refused(desk: Desk) -> None:
    ticket = desk.ticket()
    with pytest.raises(Invalid, match="battery_fade"):
        desk.do(lambda c: acts.diagnose(c, ticket.id, None, part=None, mode="haunted", actor=ANN, now=desk.now))


def test_an_answer_that_nobody_would_read_is_refused(desk: Desk) -> None:
    desk.world.policy()
    desk.world.register(["lock-9"])
    desk.world.stand("lock-9")
    desk.world.run()
    with pytest.raises(Conflict, match="no customer"):
        desk.reply(desk.world.ticket())


# -- work --------------------------------------------------------------------------------------------------------------------


def test_who_takes_a_ticket_has_it_and_gets_nothing_by_itself(desk: Desk) -> None:
    ticket = desk.ticket()
    taken = desk.do(lambda c: acts.take(c, ticket.id, None, "token:ann", desk.now))
    assert (taken.state, taken.technician_id) == ("assigned", "ann")
    assert desk.do(lambda c: technicians.get(c, "ann")).capacity == 0
    desk.world.register(["lock-2"])
    desk.world.stand("lock-2")
    desk.world.run()
    assert [one.technician_id for one in desk.world.tickets()] == ["ann", None]


def test_a_wait_ends_by_itself_on_its_day_and_beginning_ends_it_before(desk: Desk) -> None:
    ticket = desk.assign(desk.ticket())
    waiting = desk.wait(desk.start(ticket), "third_party", desk.later(days=2))
    assert (waiting.state, waiting.waiting_for, waiting.waiting_until) == ("waiting", "third_party", desk.later(days=2))
    desk.world.pass_time(days=1)
    desk.world.observe()
    desk.world.run()
    assert desk.read(ticket).state == "waiting"
    desk.world.pass_time(days=1)
    desk.world.observe()
    desk.world.run()
    assert desk.read(ticket).state == "in_progress"
    desk.wait(ticket, "customer")
    scheduled = desk.schedule(ticket)
    assert (scheduled.state, scheduled.waiting_for, scheduled.visit_at) == ("scheduled", None, desk.later())
    assert desk.whats(ticket)[-3:] == ["waiting", "resumed", "scheduled"]


def test_what_a_person_diagnosed_stands_on_the_ticket_and_its_cause_stays(desk: Desk) -> None:
    ticket = desk.ticket()
    told = desk.do(
        lambda c: acts.diagnose(c, ticket.id, None, part="motor", mode="motor_wear", actor=ANN, now=desk.now)
    )
    assert (told.part, told.mode, told.cause) == ("motor", "motor_wear", ticket.cause)


# -- what is written ---------------------------------------------------------------------------------------------------------


def test_notes_stay_inside_and_no_text_stands_in_the_ledger(desk: Desk) -> None:
    ticket = desk.ticket()
    desk.note(ticket, "the customer shouts")
    desk.reply(ticket, "We are looking into it.")
    desk.message(ticket, "My name is Kim and it rattles")
    desk.message(ticket, "call this number", verified=False)
    assert [one.text for one in desk.texts(ticket, visible=True)] == [
        "We are looking into it.",
        "My name is Kim and it rattles",
    ]
    assert [one.direction for one in desk.texts(ticket)] == ["internal", "out", "in", "unverified"]
    ledger = json.dumps([dict(event.detail) for event in desk.events(ticket)])
    for word in ("shouts", "looking", "Kim", "number"):
        assert word not in ledger


def test_the_customers_word_ends_the_wait_for_them_and_a_strangers_does_not(desk: Desk) -> None:
    ticket = desk.ticket()
    desk.reply(ticket, "Does it rattle?", wait_until=desk.later(days=5))
    assert desk.read(ticket).waiting_for == "customer"
    desk.message(ticket, verified=False)
    assert desk.read(ticket).state == "waiting"
    desk.message(ticket)
    assert desk.read(ticket).state == "open"


def test_a_message_opens_what_was_closed_lately_and_long_ago_it_is_a_new_matter(desk: Desk) -> None:
    ticket = desk.close(desk.assign(desk.ticket()), "no_fault_found")
    desk.message(ticket, verified=False)
    assert desk.read(ticket).state == "closed"
    desk.message(ticket, "It rattles again")
    again = desk.read(ticket)
    assert (again.state, again.technician_id, again.closing_code, again.closed_at) == ("assigned", "t-1", None, None)
    desk.close(ticket, "no_fault_found")
    desk.world.pass_time(days=31)
    with pytest.raises(Conflict, match="new matter"):
        desk.message(ticket)
    assert len(desk.texts(ticket)) == 2


# -- merging -----------------------------------------------------------------------------------------------------------------


def test_a_duplicate_goes_into_the_other_with_all_it_has(desk: Desk) -> None:
    ticket = desk.ticket()
    other = desk.do(lambda c: tickets.open_once(c, OTHER, actor="customer:c-1", now=desk.now, detail={})[0])
    desk.message(other, "It rattles")
    finding = desk.world.stand(mode="wifi_failing")
    desk.do(lambda c: ticket_findings.join(c, finding.id, other.id, desk.now))
    survivor = desk.merge(ticket, other)
    gone = desk.read(other)
    assert (gone.state, gone.closing_code, gone.merged_into) == ("closed", "duplicate", ticket.id)
    assert [one.text for one in desk.texts(survivor)] == ["It rattles"]
    assert len(desk.do(lambda c: ticket_findings.standing(c, [ticket.id]))[ticket.id]) == 2
    desk.message(other, "still rattles")
    assert [one.text for one in desk.texts(survivor)] == ["It rattles", "still rattles"]
    with pytest.raises(Conflict, match=f"ticket {ticket.id}"):
        desk.reopen(gone)


def test_tickets_of_two_customers_and_what_somebody_is_at_are_not_merged(desk: Desk) -> None:
    ticket = desk.ticket()
    desk.world.home(2, devices_=("lock-2",))
    theirs = desk.request("lock-2", "c-2")
    with pytest.raises(Conflict, match="two customers"):
        desk.merge(ticket, theirs)
    with pytest.raises(Conflict, match="itself"):
        desk.merge(ticket, ticket)
    desk.world.home(1, devices_=("lock-3",))
    mine = desk.request("lock-3")
    desk.schedule(desk.assign(mine))
    with pytest.raises(Conflict, match="other way round"):
        desk.merge(ticket, mine)
    assert desk.merge(mine, ticket).state == "scheduled"
    with pytest.raises(Conflict, match="closed as duplicate"):
        desk.merge(mine, ticket)
    with pytest.raises(Missing):
        desk.do(lambda c: tickets.get(c, 99))


# -- the law -----------------------------------------------------------------------------------------------------------------

ACTS = ["assign", "start", "schedule", "wait", "resume", "note", "reply", "message", "close", "reopen", "correct", "choose", "ask", "agree",
        "decline", "run", "days", "recover", "relapse", "diagnose"]  # fmt: skip


@given(st.lists(st.sampled_from(ACTS), max_size=12))
@settings(max_examples=12, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_a_tickets_row_is_what_its_ledger_says(tries: list[str]) -> None:
    with records_in_memory() as database:
        desk = Desk(World(database, SteppedClock(NOON)))
        ticket = desk.ticket()
        for what in tries:
            with contextlib.suppress(HearthwatchError):
                attempt(desk, what)
            for one in desk.world.tickets():
                assert desk.folded(one) == states.of(one)
        assert ticket.id == desk.world.tickets()[0].id


def attempt(desk: Desk, what: str) -> None:
    world, ticket = desk.world, desk.world.tickets()[0]
    plain = {
        "assign": desk.assign, "start": desk.start, "schedule": desk.schedule, "resume": desk.resume, "note": desk.note,
        "reply": desk.reply, "message": desk.message, "close": desk.close, "reopen": desk.reopen, "ask": desk.ask,
        "correct": desk.correct,
    }  # fmt: skip
    if what in plain:
        plain[what](ticket)  # type: ignore[operator]
    elif what == "wait":
        desk.wait(ticket, "part", desk.later(days=2))
    elif what == "choose":
        desk.choose(ticket, "swap", 4900, "they insist")
    elif what in {"agree", "decline"}:
        desk.answer(desk.ask(ticket), what == "agree")
    elif what == "diagnose":
        desk.do(lambda c: acts.diagnose(c, ticket.id, None, part="motor", mode="motor_wear", actor=ANN, now=desk.now))
    elif what == "recover":
        world.recover(world.observe(part="battery"))
    elif what == "relapse":
        world.stand(part="battery")
        world.run()
    else:
        world.pass_time(days=4 if what == "days" else 1)
        world.run()
    world.pass_time(minutes=1)
    assert timedelta(0) < world.now - NOON
