"""Remedies on tickets and the customer's agreement: nobody pays what they did not agree to."""

from __future__ import annotations

from zoneinfo import ZoneInfo

import pytest

from alerts.tickets import approvals
from hearthwatch.errors import Conflict, Denied, Invalid
from hearthwatch.records import models, ticket_approvals
from hearthwatch.values import Ticket
from tests.unit.alerts.tickets.desk import ANN, Desk
from tests.unit.alerts.world import MODEL, World


@pytest.fixture
def desk(world: World) -> Desk:
    return Desk(world)


def paid(desk: Desk) -> Ticket:
    """A ticket whose remedy costs the customer something: the warranty is over."""
    ticket = desk.assign(desk.ticket())
    desk.warranty(days=-10)
    return desk.choose(ticket, "ship_part")


# -- choosing ----------------------------------------------------------------------------------------------------------------


def test_another_remedy_or_price_than_proposed_needs_a_reason(desk: Desk) -> None:
    ticket = desk.ticket()
    desk.warranty(days=100)
    with pytest.raises(Invalid, match="say why"):
        desk.choose(ticket, "visit")
    with pytest.raises(Invalid, match="say why"):
        desk.choose(ticket, "ship_part", 100)
    with pytest.raises(Invalid, match="remote_fix, update"):
        desk.choose(ticket, "prayer")
    chosen = desk.choose(ticket, "visit", why="she can not reach the lock")
    assert (chosen.remedy, chosen.remedy_price, chosen.remedy_currency) == ("visit", 0, "EUR")
    assert [(one.direction, one.text) for one in desk.texts(ticket)] == [("internal", "she can not reach the lock")]


def test_where_nobody_knows_the_warranty_a_person_says_what_is_paid(desk: Desk) -> None:
    ticket = desk.ticket()
    with pytest.raises(Invalid, match="warranty"):
        desk.choose(ticket, "ship_part")
    assert desk.choose(ticket, "ship_part", 0, "shown the receipt").remedy_price == 0
    assert desk.choose(ticket, "ship_part", 2000).remedy_price == 2000


def test_no_reason_makes_a_customer_repair_what_protects_them(desk: Desk) -> None:
    desk.world.home()
    desk.do(lambda c: models.put(c, MODEL, name="Lock", device_class="lock"))
    desk.do(lambda c: models.change(c, MODEL, None, {"safety_class": "injury"}))
    desk.world.policy()
    desk.world.stand("lock-1", "motor_wear", part="motor")
    desk.world.run()
    with pytest.raises(Conflict, match="safety"):
        desk.choose(desk.world.ticket(), "return", 0, "she offered to")


def test_what_is_proposed_stands_in_the_ledger_with_its_reasons(desk: Desk) -> None:
    ticket = desk.ticket()
    desk.warranty(days=100)
    desk.choose(ticket, "visit", why="she can not reach the lock")
    told = next(event.detail for event in desk.events(ticket) if event.what == "remedy_proposed")
    assert (told["remedy"], told["price"], told["covered"], told["why"]) == ("ship_part", 0, True, ["cheapest_for_us"])


# -- asking ------------------------------------------------------------------------------------------------------------------


def test_nothing_is_asked_where_nothing_is_paid_or_twice(desk: Desk) -> None:
    ticket = desk.ticket()
    with pytest.raises(Conflict, match="nothing is to be paid"):
        desk.ask(ticket)
    desk.warranty(days=-1)
    desk.choose(ticket, "ship_part")
    desk.ask(ticket)
    with pytest.raises(Conflict, match="asked already"):
        desk.ask(ticket)


def test_a_paid_repair_begins_when_the_customer_has_agreed_and_not_before(desk: Desk) -> None:
    ticket = paid(desk)
    for act in (desk.start, desk.schedule):
        with pytest.raises(Conflict, match="has not agreed"):
            act(ticket)
    asked = desk.ask(ticket)
    waiting = desk.read(ticket)
    assert (waiting.state, waiting.waiting_for, waiting.waiting_until) == ("waiting", "approval", asked.expires_at)
    with pytest.raises(Conflict, match="has not agreed"):
        desk.start(ticket)
    assert desk.read(ticket).state == "waiting"
    agreed = desk.answer(asked)
    assert (agreed.state, agreed.via, agreed.link_id, agreed.wording, agreed.decided_at) == (
        "approved", "link", 4, "We can exchange it.", desk.now,
    )  # fmt: skip
    assert agreed.wording_digest is not None
    assert desk.read(ticket).state == "assigned"
    assert desk.start(ticket).state == "in_progress"
    told = next(event for event in desk.events(ticket) if event.what == "approved")
    assert (told.actor, told.detail["price"], told.detail["link_id"]) == ("customer:c-1", asked.price, 4)


def test_who_declines_is_not_charged_and_another_remedy_can_be_chosen(desk: Desk) -> None:
    ticket = paid(desk)
    desk.answer(desk.ask(ticket), agreed=False)
    with pytest.raises(Conflict, match="has not agreed"):
        desk.start(ticket)
    desk.choose(ticket, "visit", 0, "as a favour")
    assert desk.start(ticket).state == "in_progress"
    assert desk.close(ticket, "customer_declined").state == "closed"


def test_a_question_is_answered_once_by_whom_it_was_asked_and_in_time(desk: Desk) -> None:
    asked = desk.ask(paid(desk))
    with pytest.raises(Denied):
        desk.answer(asked, customer="c-2")
    with pytest.raises(Invalid, match="read"):
        desk.do(
            lambda c: approvals.answer(
                c, asked.id, True, customer_id="c-1", actor="customer:c-1", via="link", now=desk.now
            )
        )
    desk.answer(asked)
    with pytest.raises(Conflict, match="approved already"):
        desk.answer(asked, agreed=False)


def test_a_question_nobody_answers_ends_and_the_ticket_comes_back(desk: Desk) -> None:
    ticket = paid(desk)
    asked = desk.ask(ticket)
    desk.world.pass_time(days=15)
    desk.world.observe(part="battery")
    with pytest.raises(Conflict, match="until"):
        desk.answer(asked)
    desk.world.run()
    assert desk.do(lambda c: ticket_approvals.get(c, asked.id)).state == "expired"
    assert desk.read(ticket).state == "assigned"
    assert desk.whats(ticket)[-2:] == ["approval_over", "resumed"]


def test_an_agreement_that_nobody_made_use_of_in_time_is_asked_for_again(desk: Desk) -> None:
    ticket = paid(desk)
    desk.answer(desk.ask(ticket))
    desk.world.pass_time(days=15)
    with pytest.raises(Conflict, match="too long ago"):
        desk.start(ticket)
    desk.answer(desk.ask(ticket))
    assert desk.start(ticket).state == "in_progress"


def test_a_changed_price_asks_again_and_the_same_one_does_not(desk: Desk) -> None:
    ticket = paid(desk)
    first = desk.ask(ticket)
    desk.choose(ticket, "ship_part", 3100, "the bigger battery")
    assert desk.do(lambda c: ticket_approvals.get(c, first.id)).state == "withdrawn"
    assert desk.read(ticket).state == "assigned"
    with pytest.raises(Conflict, match="withdrawn already"):
        desk.answer(first)
    desk.answer(desk.ask(ticket))
    desk.choose(ticket, "ship_part", 3100, "said it again")
    assert desk.read(ticket).approved_until is not None
    desk.choose(ticket, "ship_part", 3200, "dearer after all")
    with pytest.raises(Conflict, match="has not agreed"):
        desk.start(ticket)


def test_a_visit_that_would_cost_something_is_not_agreed_before_it_is_chosen(desk: Desk) -> None:
    ticket = desk.assign(desk.ticket())
    desk.warranty(days=-1)
    with pytest.raises(Conflict, match="choose the remedy first"):
        desk.schedule(ticket)
    desk.warranty(days=50)
    assert desk.schedule(ticket).state == "scheduled"


def test_what_was_said_on_the_phone_is_kept_with_who_wrote_it_down(desk: Desk) -> None:
    ticket = paid(desk)
    asked = desk.ask(ticket)
    agreed = desk.do(
        lambda c: approvals.answer(c, asked.id, True, customer_id=None, actor=ANN, via="phone", now=desk.now)
    )
    assert (agreed.via, agreed.decided_by, agreed.wording) == ("phone", ANN, None)
    assert desk.start(ticket).state == "in_progress"


def test_a_closed_ticket_asks_nobody_any_more(desk: Desk) -> None:
    ticket = paid(desk)
    asked = desk.ask(ticket)
    desk.close(ticket, "recovered")
    assert desk.do(lambda c: ticket_approvals.get(c, asked.id)).state == "withdrawn"


@pytest.mark.parametrize(("language", "price", "word"), [("en", "€20.00", "warranty"), ("zh_Hans", "€20.00", "保修")])
def test_the_question_says_what_is_done_and_what_it_costs_in_the_customers_language(
    desk: Desk, language: str, price: str, word: str
) -> None:
    ticket = paid(desk)
    asked, ticket = desk.ask(ticket), desk.read(ticket)
    said = desk.do(lambda c: approvals.question(c, ticket, asked, language, ZoneInfo("UTC"), desk.now))
    assert said.price == price
    assert price in said.wording
    assert word in said.wording
