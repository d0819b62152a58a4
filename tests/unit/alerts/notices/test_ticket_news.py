"""Customers hear how their ticket goes on, what an agent wrote to them, and whether they agree to a price; each once."""

from __future__ import annotations

import pytest

from alerts.learning import survey
from alerts.tickets import conversation, ending
from alerts.tickets.ledger import record
from hearthwatch.records import consents, notices, ticket_messages, tickets
from hearthwatch.records.tables import ticket_messages as table
from hearthwatch.records.tickets import NewTicket
from hearthwatch.values import Ticket
from tests.unit.alerts.world import MODEL, World


def asked(world: World, *, source: str = "page", device: str = "lock-1") -> Ticket:
    """A ticket of the customer's own."""
    new = NewTicket(
        f"request:{device}:c-1/1",
        "request",
        "a matter",
        3,
        None,
        device_id=device,
        customer_id="c-1",
        model=MODEL,
        source=source,
    )
    with world.database.transaction() as connection:
        ticket, _ = tickets.open_once(connection, new, actor="customer:c-1", now=world.now, detail={"source": source})
        return ticket


def happen(world: World, ticket: Ticket, what: str, **detail: object) -> None:
    with world.database.transaction() as connection:
        record(connection, tickets.get(connection, ticket.id), what, "ann", world.now, detail)


def reply(world: World, ticket: Ticket, text: str) -> None:
    with world.database.transaction() as connection:
        conversation.reply(connection, ticket.id, None, text, "ann", world.now)


def test_an_agent_s_words_reach_the_customer_once_and_unchanged(world: World) -> None:
    world.home(1)
    world.policy()
    reply(world, asked(world), "Hello,\nplease press the <b>small</b> button.\n\nAnn")
    for _ in range(2):
        world.follow_up()
        world.deliver()
    (letter,) = world.customers_letters()
    assert letter.subject == "A message about your LOCK-2"
    assert "please press the <b>small</b> button." in letter.text
    assert "<b>" not in letter.html
    (notice,) = world.notices()
    assert (notice.kind, notice.cause, notice.ticket_id, notice.finding_id) == ("ticket_message", "ticket:1", 1, None)


def test_who_asked_us_gets_the_answer_without_having_agreed_to_notices(world: World) -> None:
    world.home(1, consent=())
    world.policy()
    reply(world, asked(world), "It is on its way.")
    world.follow_up()
    assert [one.state for one in world.notices()] == ["queued"]


def test_what_the_outside_desk_has_sent_itself_is_not_sent_again(world: World) -> None:
    world.home(1)
    world.policy()
    ticket = asked(world)
    with world.database.transaction() as connection:
        number = ticket_messages.add(connection, ticket.id, "out", "ann", "text", world.now)
    happen(world, ticket, "replied", message_id=number, delivered=True)
    world.follow_up()
    assert world.notices() == []


def test_words_that_were_erased_in_the_meantime_are_not_sent(world: World) -> None:
    world.home(1)
    world.policy()
    ticket = asked(world)
    reply(world, ticket, "It is on its way.")
    with world.database.transaction() as connection:
        ticket_messages.erase(connection, table.c.ticket_id == ticket.id, world.now)
    world.follow_up()
    assert world.notices() == []


def test_a_note_among_staff_reaches_nobody(world: World) -> None:
    world.home(1)
    world.policy()
    ticket = asked(world)
    with world.database.transaction() as connection:
        conversation.note(connection, ticket.id, None, "he is angry", "ann", world.now)
    world.follow_up()
    assert world.notices() == []


def test_a_customer_who_wants_no_mail_gets_the_news_elsewhere(world: World) -> None:
    world.home(1, channels=("mailto:kim@example.org", "mailbox://c-1"))
    world.policy()
    with world.database.transaction() as connection:
        consents.record(connection, "c-1", "service", False, world.now, "page", channel="mail")
    ticket = asked(world, source="policy")
    reply(world, ticket, "It is on its way.")
    world.follow_up()
    assert [one.address for one in world.outbox()] == ["mailbox://c-1"]


@pytest.mark.parametrize("code", ["user_error", "environment", "no_fault_found"])
def test_the_end_of_a_ticket_is_told_in_words_of_its_own(world: World, code: str) -> None:
    world.home(1)
    world.policy()
    ticket = asked(world)
    with world.database.transaction() as connection:
        ending.close(connection, ticket.id, None, code=code, part=None, note="", actor="ann", now=world.now)
    world.follow_up()
    (notice,) = world.notices()
    assert notice.kind == "ticket_update"
    assert notice.subject == "Your LOCK-2: this is settled"


def test_a_ticket_that_is_opened_again_is_told(world: World) -> None:
    world.home(1)
    world.policy(tell_customer='tell_customer = ["reopened"]')
    ticket = asked(world)
    with world.database.transaction() as connection:
        ending.close(connection, ticket.id, None, code="no_fault_found", part=None, note="", actor="ann", now=world.now)
        conversation.message(connection, ticket.id, text="again", author="customer:c-1", now=world.now, verified=True)
    world.follow_up()
    assert [one.subject for one in world.notices()] == ["Your LOCK-2: we are on it again"]


# -- turns of a case that overtake one another


def close(world: World, ticket: Ticket) -> None:
    with world.database.transaction() as connection:
        ending.close(connection, ticket.id, None, code="confirmed", part="x", note=None, actor="ann", now=world.now)


def reopen(world: World, ticket: Ticket) -> None:
    with world.database.transaction() as connection:
        ending.reopen(connection, ticket.id, None, "too early", "ann", world.now)


def news(world: World) -> list[tuple[str, str]]:
    return [(one.subject.split(": ")[-1], one.state) for one in world.notices() if one.kind == "ticket_update"]


def closed_and_heard(world: World) -> Ticket:
    world.home(1)
    world.policy()
    ticket = asked(world)
    close(world, ticket)
    world.run()
    assert news(world) == [("this is settled", "sent")]
    return ticket


def test_opened_again_by_a_bad_survey_and_closed_before_the_next_round_only_the_end_is_told(world: World) -> None:
    ticket = closed_and_heard(world)
    with world.database.transaction() as connection:
        now = tickets.get(connection, ticket.id)
        survey.answer(connection, now, solved=False, score=1, comment="", actor="customer:c-1", now=world.now)
    close(world, ticket)
    for _ in range(2):
        world.run()
    assert news(world)[1:] == [("we are on it again", "cancelled"), ("this is settled", "sent")]
    reason = "overtaken: the case was closed again before this was sent"
    assert [one.reason for one in world.notices() if one.state == "cancelled"] == [reason]
    assert len(world.customers_letters()) == 2


def test_of_letters_that_wait_for_the_morning_the_overtaken_one_is_taken_back(world: World) -> None:
    ticket = closed_and_heard(world)
    world.pass_time(hours=10)  # 22:00
    reopen(world, ticket)
    world.run()
    assert news(world)[1:] == [("we are on it again", "queued")]
    world.pass_time(hours=1)
    close(world, ticket)
    world.run()
    world.pass_time(hours=12)
    world.run()
    assert news(world)[1:] == [("we are on it again", "cancelled"), ("this is settled", "sent")]
    assert [item.state for item in world.outbox()] == ["delivered", "cancelled", "delivered"]
    (cancelled,) = [one for one in world.notices() if one.state == "cancelled"]
    with world.database.reading() as connection:
        noted = notices.events(connection, cancelled.id)[-1]
    assert (noted.what, noted.detail["reason"]) == ("cancelled", cancelled.reason)


def test_an_end_that_nobody_heard_of_and_that_is_none_is_not_told_at_all(world: World) -> None:
    world.home(1)
    world.policy()
    ticket = asked(world)
    close(world, ticket)
    reopen(world, ticket)
    world.run()
    assert news(world) == [("this is settled", "cancelled"), ("we are on it again", "cancelled")]
    assert world.customers_letters() == []
    close(world, ticket)
    world.run()
    assert news(world)[2:] == [("this is settled", "sent")]


def test_who_heard_of_the_end_hears_that_it_goes_on_however_often_it_turned_since(world: World) -> None:
    ticket = closed_and_heard(world)
    reopen(world, ticket)
    close(world, ticket)
    reopen(world, ticket)
    world.run()
    assert [state for _, state in news(world)[1:]] == ["cancelled", "cancelled", "sent"]
    assert news(world)[-1] == ("we are on it again", "sent")


def test_what_was_sent_in_an_earlier_round_is_overtaken_by_nothing(world: World) -> None:
    ticket = closed_and_heard(world)
    reopen(world, ticket)
    world.run()
    close(world, ticket)
    world.run()
    assert [state for _, state in news(world)] == ["sent"] * 3
