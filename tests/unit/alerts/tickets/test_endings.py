"""How tickets end and come back: outcomes as labels, children with their parent, recoveries while somebody is on the way, relapses."""

from __future__ import annotations

from datetime import timedelta

import pytest

from hearthwatch.errors import Conflict, Invalid
from hearthwatch.records import outcomes, parts, ticket_findings
from hearthwatch.values import Ticket
from tests.unit.alerts.test_rounds import worse
from tests.unit.alerts.tickets.desk import Desk
from tests.unit.alerts.world import BAD, World


@pytest.fixture
def desk(world: World) -> Desk:
    return Desk(world)


def labels(desk: Desk) -> list[tuple[str, str]]:
    return [(one.part, one.outcome) for one in desk.do(outcomes.list_outcomes)]


# -- outcomes ----------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("code", "label"),
    [
        ("user_error", [("battery", "user_error")]),
        ("environment", [("battery", "environment")]),
        ("fixed_by_update", [("battery", "fixed_by_update")]),
        ("not_customers_device", []),
        ("recovered", []),
    ],
)
def test_what_blames_neither_part_nor_model_is_a_label_of_its_own(
    desk: Desk, code: str, label: list[tuple[str, str]]
) -> None:
    desk.close(desk.ticket(), code)
    assert labels(desk) == label
    assert [one for one in desk.do(lambda c: parts.parts_of(c, "lock-1")) if one.part == "battery"] == []


def test_a_failure_is_a_label_at_the_time_it_happened(desk: Desk) -> None:
    ticket = desk.ticket()
    desk.installed("lock-1", desk.now - timedelta(days=50))
    for wrong, why in ((desk.later(hours=1), "after"), (desk.now - timedelta(days=51), "installed on")):
        with pytest.raises(Invalid, match=why):
            desk.close(ticket, "confirmed", failed_at=wrong)
    with pytest.raises(Invalid, match="only a failure"):
        desk.close(ticket, "no_fault_found", failed_at=desk.now)
    happened = desk.now - timedelta(days=3)
    closed = desk.close(ticket, "confirmed", failed_at=happened)
    assert closed.failed_at == happened
    assert [one.at for one in desk.do(outcomes.list_outcomes)] == [happened]
    assert [one.from_at for one in desk.do(lambda c: parts.parts_of(c, "lock-1"))] == [desk.now]


def test_what_was_closed_too_early_goes_on_with_who_had_it_and_its_label_stays(desk: Desk) -> None:
    ticket = desk.assign(desk.ticket())
    with pytest.raises(Conflict, match="open"):
        desk.reopen(ticket)
    desk.close(ticket, "no_fault_found")
    again = desk.reopen(ticket)
    assert (again.state, again.technician_id, again.closing_note, again.closed_by) == ("assigned", "t-1", None, None)
    assert labels(desk) == [("battery", "no_fault_found")]
    assert [one.text for one in desk.texts(ticket)] == ["closed too early"]


def test_it_does_not_go_on_beside_another_one_about_the_same(desk: Desk) -> None:
    first = desk.close(desk.request())
    second = desk.request()
    assert second.id != first.id
    with pytest.raises(Conflict, match=f"ticket {second.id} is open"):
        desk.reopen(first)


# -- a release's ticket and its children -------------------------------------------------------------------------------------


def family(desk: Desk) -> tuple[Ticket, list[Ticket]]:
    """The ticket of a bad release, and those of three devices that had theirs before."""
    for number in (1, 2, 3):
        desk.world.home(number, devices_=(f"lock-{number}",), version=BAD)
    desk.world.policy()
    for number in (1, 2, 3):
        desk.world.stand(f"lock-{number}", "reboots")
    desk.world.run()
    worse(desk.world)
    desk.world.run()
    every = desk.world.tickets()
    return next(one for one in every if one.kind == "cohort"), [one for one in every if one.kind == "device"]


def test_the_tickets_of_a_problem_end_with_it_but_for_those_somebody_is_on_the_way_to(desk: Desk) -> None:
    parent, children = family(desk)
    assert {child.parent_id for child in children} == {parent.id}
    desk.schedule(desk.assign(children[0]))
    desk.wait(children[1], "customer")
    with pytest.raises(Invalid, match="end together"):
        desk.close(parent, "confirmed", children=True)
    desk.close(parent, "fixed_by_update", children=True)
    assert [(one.state, one.closing_code) for one in map(desk.read, children)] == [
        ("scheduled", None),
        ("closed", "fixed_by_update"),
        ("closed", "fixed_by_update"),
    ]
    told = desk.events(parent)[-1].detail
    assert (told["children"], told["left"]) == ([children[1].id, children[2].id], [children[0].id])
    assert {desk.read(one).closing_note for one in children[1:]} == {"looked"}


def test_without_being_asked_the_children_stay_open(desk: Desk) -> None:
    parent, children = family(desk)
    desk.close(parent, "fixed_by_update")
    assert {desk.read(one).state for one in children} <= {"open", "assigned"}


def test_a_new_symptom_goes_into_the_problem_that_explains_it(desk: Desk) -> None:
    parent, _ = family(desk)
    desk.world.home(4, devices_=("lock-4",), version=BAD)
    found = desk.world.stand("lock-4", "reboots")
    desk.world.run()
    assert desk.do(lambda c: ticket_findings.of_findings(c, [found.id]))[found.id].id == parent.id


# -- recovery and relapse ----------------------------------------------------------------------------------------------------


def recover(desk: Desk) -> None:
    desk.world.recover(desk.world.observe(part="battery"))
    desk.world.pass_time(days=2)
    desk.world.run()
    desk.world.run()


@pytest.mark.parametrize("state", ["scheduled", "in_progress", "part"])
def test_while_somebody_is_at_it_a_recovery_is_noted_once_and_a_person_decides(desk: Desk, state: str) -> None:
    ticket = desk.assign(desk.ticket())
    if state == "scheduled":
        desk.schedule(ticket, desk.later(days=9))
    elif state == "in_progress":
        desk.start(ticket)
    else:
        desk.wait(ticket, "part", desk.later(days=9))
    recover(desk)
    assert desk.read(ticket).state in {"scheduled", "in_progress", "waiting"}
    assert desk.whats(ticket).count("recovered") == 1


@pytest.mark.parametrize("whom", ["customer", "third_party"])
def test_what_waits_for_others_closes_when_it_recovered(desk: Desk, whom: str) -> None:
    ticket = desk.wait(desk.ticket(), whom, desk.later(days=9))
    recover(desk)
    assert (desk.read(ticket).state, desk.read(ticket).closing_code) == ("closed", "recovered")


def test_a_question_about_a_price_is_taken_back_when_it_recovered(desk: Desk) -> None:
    ticket = desk.ticket()
    desk.warranty(days=-1)
    desk.choose(ticket, "ship_part")
    desk.ask(ticket)
    recover(desk)
    assert desk.read(ticket).closing_code == "recovered"


@pytest.mark.parametrize("code", ["confirmed", "fixed_by_update", "recovered"])
@pytest.mark.parametrize("who", ["customer", "ann"])
def test_what_a_person_opened_again_is_not_closed_by_itself(desk: Desk, code: str, who: str) -> None:
    ticket = desk.close(desk.ticket(), code)
    if code == "recovered":
        desk.world.recover(desk.world.observe(part="battery"))
    desk.world.pass_time(days=3)
    if who == "customer":
        desk.message(ticket, "It is not solved.")
    else:
        desk.reopen(ticket)
    for _ in range(3):
        desk.world.pass_time(days=2)
        desk.world.run()
    assert desk.read(ticket).state != "closed"


@pytest.mark.parametrize(("by", "code"), [("policy", "recovered"), ("ann", "recovered"), ("ann", "confirmed")])
def test_a_relapse_opens_the_same_ticket_whoever_closed_it(desk: Desk, by: str, code: str) -> None:
    ticket = desk.ticket()
    if by == "policy":
        recover(desk)
    else:
        desk.close(ticket, code)
    assert desk.read(ticket).state == "closed"
    desk.world.pass_time(days=4)
    desk.world.observe(part="battery")
    desk.world.run()
    assert (len(desk.world.tickets()), desk.read(ticket).state) == (1, "open")


@pytest.mark.parametrize("code", ["no_fault_found", "user_error", "environment", "customer_declined"])
def test_what_a_person_found_to_be_no_fault_of_the_part_stays_closed_for_this_episode(desk: Desk, code: str) -> None:
    ticket = desk.close(desk.ticket(), code)
    for _ in range(5):
        desk.world.pass_time(days=1)
        desk.world.observe(part="battery")
        desk.world.run()
    assert desk.read(ticket).state == "closed"
    assert len(desk.world.tickets()) == 1


def test_a_later_episode_is_a_new_ticket_also_after_a_person_closed_the_first(desk: Desk) -> None:
    ticket = desk.close(desk.ticket(), "no_fault_found")
    desk.world.recover(desk.world.observe(part="battery"))
    desk.world.pass_time(days=9)
    desk.world.stand(part="battery")
    desk.world.run()
    assert [(one.cause, one.state) for one in desk.world.tickets()] == [
        (ticket.cause, "closed"),
        ("device:lock-1/battery/2", "open"),
    ]


def test_of_several_findings_in_one_round_the_most_pressing_decides_the_priority(desk: Desk) -> None:
    ticket = desk.ticket(severity="info")
    assert ticket.priority == 4
    desk.world.stand(kind="prognosis", part="battery", probability=0.9, severity="warning")
    desk.world.stand(mode="battery_fade", severity="warning", part="battery")
    desk.world.run()
    desk.world.run()
    assert desk.read(ticket).priority == 2
    assert all(event.detail["to"] < event.detail["from"] for event in desk.events(ticket) if event.what == "raised")
