"""Customers hear how their ticket goes on, what an agent wrote to them, and whether they agree to a price; each once."""

from __future__ import annotations

import pytest

from alerts.tickets import conversation, ending
from alerts.tickets.ledger import record
from hearthwatch.records import consents, ticket_messages, tickets
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
        ticket_messages.erase(connection, [ticket.id], world.now)
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
