"""A letter that waits leaves only while its customer still agrees to it, by the way it would take."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta

import pytest

from alerts.delivery import people
from alerts.tickets import acts
from hearthwatch.errors import Unavailable
from hearthwatch.records import consents, tickets
from tests.unit.alerts.world import RecordingChannel, World

MAIL = "mailto:kim@mail.example"
SMS = "sms:+4915112345678"


def withdraw(world: World, channel: str | None = None) -> None:
    with world.database.transaction() as connection:
        consents.record(connection, "c-1", "service", False, world.now, "page", channel=channel)


def agree(world: World, channel: str | None = None) -> None:
    with world.database.transaction() as connection:
        consents.record(connection, "c-1", "service", True, world.now, "page", channel=channel)


def told_at_night(
    world: World, channels: Sequence[str] = (MAIL,), **policy: str
) -> tuple[RecordingChannel, RecordingChannel]:
    """A notice that waits for the morning."""
    mail, sms = RecordingChannel("mail"), RecordingChannel("sms")
    world.channels |= {"mail": mail, "sms": sms}
    world.clock.advance(timedelta(hours=11))
    world.policy(**policy)
    world.home(channels=channels)
    world.stand()
    world.apply()
    world.deliver()
    assert (world.notice().state, mail.sent, sms.sent) == ("queued", [], [])
    return mail, sms


def test_a_notice_that_waited_for_the_morning_does_not_leave_when_consent_was_withdrawn_at_night(world: World) -> None:
    mail, _ = told_at_night(world)
    withdraw(world)
    world.pass_time(hours=12)
    world.run()
    assert mail.sent == []
    assert (world.notice().state, world.notice().reason) == ("suppressed", "no consent to service notices")
    (item,) = world.outbox(kind="notice")
    assert (item.state, item.attempts) == ("cancelled", 0)
    world.run()
    assert len(world.outbox(kind="notice")) == 1, "it is not written anew while nothing changed"


def test_it_leaves_when_the_customer_agrees_again(world: World) -> None:
    mail, _ = told_at_night(world)
    withdraw(world)
    world.pass_time(hours=12)
    world.run()
    agree(world)
    world.stand()
    world.run()
    assert [letter["address"] for letter in mail.sent] == [MAIL]
    assert world.notice().state == "sent"


def test_who_no_longer_wants_mail_gets_it_by_the_next_way_that_they_want(world: World) -> None:
    mail, sms = told_at_night(world, [MAIL, SMS])
    withdraw(world, "mail")
    world.pass_time(hours=12)
    world.run()
    assert (mail.sent, [letter["address"] for letter in sms.sent]) == ([], [SMS])
    assert world.notice().state == "sent"


def test_the_next_way_is_not_taken_against_their_wish_when_the_first_is_given_up(world: World) -> None:
    mail, sms = told_at_night(world, [MAIL, SMS])
    mail.errors = [Unavailable("away")] * 50
    withdraw(world, "sms")
    for _ in range(30):
        world.pass_time(hours=1)
        world.deliver()
    assert (mail.sent, sms.sent) == ([], [])
    assert world.notice().state == "failed"


def test_a_dead_letter_that_a_person_sends_again_asks_for_consent_too(world: World) -> None:
    mail, _ = told_at_night(world)
    mail.errors = [Unavailable("away")] * 200
    for _ in range(60):
        world.pass_time(hours=1)
        world.deliver()
    assert world.notice().state == "failed"
    mail.errors = []
    withdraw(world)
    with world.database.transaction() as connection:
        people.send_all_again(connection, "ann", world.now)
    world.deliver()
    assert (mail.sent, world.notice().state) == ([], "suppressed")


def test_what_needs_no_consent_leaves_whatever_they_withdraw(world: World) -> None:
    mail, _ = told_at_night(world, without_consent='without_consent = ["safety", "service"]')
    withdraw(world)
    world.pass_time(hours=12)
    world.run()
    assert [letter["address"] for letter in mail.sent] == [MAIL]


@pytest.mark.parametrize("asked", [False, True], ids=["of the policy's own ticket", "of what they asked for"])
def test_news_reach_whom_the_customer_lets_reach_them_and_do_not_wait_for_ever(world: World, asked: bool) -> None:
    """They agreed as a whole, and then took mail back: there is no way left but for what they asked for themselves."""
    mail = RecordingChannel("mail")
    world.channels["mail"] = mail
    world.policy()
    world.home(channels=[MAIL])
    world.technician()
    world.stand()
    world.run()
    assert len(mail.sent) == 1
    withdraw(world, "mail")
    ticket = world.ticket()
    with world.database.transaction() as connection:
        if asked:
            tickets.change(connection, ticket.id, None, {"source": "page"})
        acts.schedule(connection, ticket.id, None, world.now + timedelta(days=2), "ann", world.now)
    world.run()
    news = [one for one in world.notices() if one.kind == "ticket_update"]
    if asked:
        assert ([one.state for one in news], len(mail.sent)) == (["sent"], 2)
    else:
        assert ([one.state for one in news], len(mail.sent)) == (["suppressed"], 1)
