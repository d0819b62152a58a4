"""Sending: nothing while the brake is on, nothing twice where the key is honoured, nothing lost."""

from __future__ import annotations

import logging
from datetime import timedelta

import pytest
import sqlalchemy as sa

from alerts import delivery
from alerts.delivery import breaker
from alerts.delivery.patience import pause
from alerts.policy import brakes
from hearthwatch.errors import Refused, Throttled, Unavailable
from hearthwatch.records import notices, outbox
from hearthwatch.records.outbox import OutboxItem
from hearthwatch.records.tables import outbox as table
from tests.unit.alerts.world import RecordingChannel, World

MAIL = "mailto:kim@mail.example"


def queued(world: World, *channels: str, devices: int = 1) -> None:
    """A live policy and queued notices to one household each."""
    world.policy()
    for number in range(devices):
        world.home(number, devices_=(f"lock-{number}",), channels=channels or None)
        world.stand(f"lock-{number}")
    world.apply()


def channel(world: World, name: str, *errors: Exception) -> RecordingChannel:
    recording = RecordingChannel(name, errors)
    world.channels[name] = recording
    return recording


def test_a_paused_outbox_sends_nothing_until_it_is_resumed(world: World) -> None:
    queued(world)
    with world.database.transaction() as connection:
        brakes.pause(connection, "ann", world.now, "wrong text")
    assert world.deliver() == {"paused": 1}
    assert world.letters() == []
    with world.database.transaction() as connection:
        brakes.resume(connection, "ann", world.now)
    assert world.deliver() == {"delivered": 1}


def test_the_brake_stops_in_the_middle_of_a_batch_and_gives_the_rest_back(world: World) -> None:
    queued(world, devices=3)

    class Braking(RecordingChannel):
        def deliver(self, *, address: str, subject: str, text: str, html: str, key: str) -> None:
            super().deliver(address=address, subject=subject, text=text, html=html, key=key)
            with world.database.transaction() as connection:
                brakes.pause(connection, "ann", world.now, "stop")

    braking = Braking("mailbox")
    world.channels["mailbox"] = braking
    assert world.deliver() == {"delivered": 1, "paused": 1}
    assert len(braking.sent) == 1
    rest = world.outbox(state="pending")
    assert [item.attempts for item in rest] == [0, 0]


def test_a_crash_between_sending_and_marking_sends_the_same_key_again_and_the_mailbox_keeps_one_letter(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    queued(world)

    class Killed(BaseException):
        pass

    def die(*args: object) -> bool:
        raise Killed

    with monkeypatch.context() as patched:
        patched.setattr(outbox, "complete", die)
        with pytest.raises(Killed):
            world.deliver()
    assert len(world.letters()) == 1
    assert world.notice().state == "queued"
    assert world.deliver() == {}  # the claim still stands
    world.clock.advance(delivery.LEASE)
    assert world.deliver() == {"delivered": 1}
    assert len(world.letters()) == 1
    assert world.notice().state == "sent"


def test_a_worker_whose_claim_ran_out_marks_nothing(world: World) -> None:
    queued(world)
    with world.database.transaction() as connection:
        (first,) = outbox.claim(connection, "slow", world.now, lease=timedelta(minutes=1), limit=9)
    world.pass_time(minutes=2)
    with world.database.transaction() as connection:
        (second,) = outbox.claim(connection, "quick", world.now, lease=timedelta(minutes=1), limit=9)
        assert not outbox.complete(connection, [first], world.now)
        assert not outbox.fail(connection, first, "no", world.now)
        assert outbox.complete(connection, [second], world.now)
    assert second.attempts == 2


def test_a_worker_whose_claims_another_ended_sends_nothing_more_of_its_batch(world: World) -> None:
    queued(world, devices=3)

    class TakenOver(RecordingChannel):
        """While the first letter is sent, another worker comes that holds the first one for dead, and sends all there is."""

        def deliver(self, *, address: str, subject: str, text: str, html: str, key: str) -> None:
            super().deliver(address=address, subject=subject, text=text, html=html, key=key)
            if len(self.sent) == 1:
                with world.database.transaction() as connection:
                    outbox.take_over(connection, "second", world.now)
                delivery.deliver(world.database, world.channels, world.now, worker="second")

    letters = TakenOver("mailbox")
    world.channels["mailbox"] = letters
    delivery.deliver(world.database, world.channels, world.now, worker="first")
    keys = [letter["key"] for letter in letters.sent]
    assert len(keys) == 4, "the one that was being sent goes twice, under one key"
    assert len(set(keys)) == 3
    assert {item.state for item in world.outbox()} == {"delivered"}


def test_two_workers_never_get_the_same_item(world: World) -> None:
    queued(world, devices=3)
    with world.database.transaction() as connection:
        one = outbox.claim(connection, "a", world.now, lease=timedelta(minutes=1), limit=2)
        other = outbox.claim(connection, "b", world.now, lease=timedelta(minutes=1), limit=2)
    assert len({item.id for item in (*one, *other)}) == len(one) + len(other) == 3


def test_a_channel_that_is_away_is_tried_again_later_and_later(world: World) -> None:
    queued(world, MAIL)
    recording = channel(world, "mail", *(Unavailable("no route") for _ in range(3)))
    for attempt in range(1, 4):
        assert world.deliver() == {"retried": 1}
        (item,) = world.outbox()
        assert item.next_at - world.now == pause(item.idempotency_key, attempt)
        assert (item.last_error, item.outcome, item.attempts) == ("no route", "away", attempt)
        assert world.deliver() == {}
        world.clock.advance(max(item.next_at - world.now, breaker.FIRST_OPEN))
    assert world.deliver() == {"delivered": 1}
    assert len({sent["key"] for sent in recording.sent}) == 1


def test_a_channel_that_says_when_is_not_asked_before(world: World) -> None:
    queued(world, MAIL)
    channel(world, "mail", Throttled("slowly", retry_after=600))
    world.deliver()
    (item,) = world.outbox()
    assert item.next_at == world.now + timedelta(seconds=600)


def test_a_channel_that_never_comes_back_is_given_up_after_a_day_and_a_half(world: World) -> None:
    queued(world, MAIL)
    channel(world, "mail", *(Unavailable("no route") for _ in range(999)))
    began = world.now
    while world.notice().state == "queued":
        world.deliver()
        world.pass_time(hours=1)
    assert timedelta(hours=36) <= world.now - began <= timedelta(hours=50)  # nobody is written to at night
    (item,) = world.outbox()
    assert (item.state, item.outcome, item.failed_at) == ("failed", "away", world.now - timedelta(hours=1))
    assert str(world.notice().reason).startswith("given up")
    assert world.deliver() == {}


def test_what_lay_while_we_were_away_is_not_given_up_at_its_first_attempt(world: World) -> None:
    queued(world, MAIL)
    channel(world, "mail", Unavailable("no route"))
    world.pass_time(hours=72)
    assert world.deliver() == {"retried": 1}


def test_with_another_address_left_a_letter_goes_on_to_it_after_six_hours(world: World) -> None:
    queued(world, MAIL, "sms:+4917012345")
    channel(world, "mail", *(Unavailable("no route") for _ in range(999)))
    sms = channel(world, "sms")
    began = world.now
    while not sms.sent:
        world.deliver()
        world.pass_time(minutes=30)
    assert timedelta(hours=6) <= world.now - began <= timedelta(hours=8)  # before the quiet hours
    assert world.notice().state == "sent"


def test_a_refusal_is_for_good_and_its_reason_is_kept(world: World) -> None:
    queued(world, MAIL)
    channel(world, "mail", Refused("no such mailbox"))
    assert world.deliver() == {"refused": 1}
    assert (world.notice().state, world.notice().reason) == ("failed", "no such mailbox")
    assert world.apply() == {}


def test_a_refused_letter_goes_to_the_customer_s_next_address(world: World) -> None:
    queued(world, MAIL, "mailbox://c-0")
    channel(world, "mail", Refused("no such mailbox"))
    assert world.deliver() == {"refused": 1, "delivered": 1}
    assert world.notice().state == "sent"
    assert [item.state for item in world.outbox()] == ["failed", "delivered"]


def test_a_channel_with_a_bug_does_not_stop_the_others(world: World, caplog: pytest.LogCaptureFixture) -> None:
    queued(world, MAIL)
    world.home(7, devices_=("lock-7",))
    world.stand("lock-7")
    world.apply()
    channel(world, "mail", ZeroDivisionError("oops"))
    assert world.deliver() == {"broken": 1, "delivered": 1}
    assert sorted(item.state for item in world.outbox()) == ["delivered", "pending"]
    assert "secret" not in caplog.text
    assert "kim" not in caplog.text


def test_addresses_are_never_logged(world: World, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    queued(world, MAIL)
    channel(world, "mail", Unavailable("no route"), Refused("no such mailbox"))
    world.deliver()
    world.pass_time(hours=1)
    world.deliver()
    own = [record.getMessage() for record in caplog.records if record.name.startswith("alerts")]
    assert len(own) == 2
    assert not any("kim" in line or "mail.example" in line for line in own)


def test_a_channel_that_is_not_here_yet_is_waited_for(world: World) -> None:
    queued(world, MAIL)
    del world.channels["mail"]
    assert world.deliver() == {"retried": 1}


def test_a_letter_delayed_into_the_night_waits_for_the_morning(world: World) -> None:
    queued(world)
    with world.database.transaction() as connection:
        brakes.pause(connection, "ann", world.now, "trouble")
    world.deliver()
    world.pass_time(hours=10)  # 22:00
    with world.database.transaction() as connection:
        brakes.resume(connection, "ann", world.now)
    assert world.deliver() == {"postponed": 1}
    (item,) = world.outbox()
    assert (item.next_at - world.now, item.attempts) == (timedelta(hours=10), 0)
    world.pass_time(hours=10)
    assert world.deliver() == {"delivered": 1}


def test_a_delivered_letter_leaves_no_link_behind(world: World) -> None:
    queued(world)
    with_link: list[OutboxItem] = world.outbox()
    assert "http://hw.test/c/" in with_link[0].payload["text"]
    world.deliver()
    assert "text" not in world.outbox()[0].payload
    assert "html" not in world.outbox()[0].payload


def test_one_bad_address_in_a_row_does_not_hold_up_the_others(world: World) -> None:
    queued(world, devices=3)
    with world.database.transaction() as connection:
        connection.execute(sa.update(table).where(table.c.id == 2).values(address="pigeon://x"))
    assert world.deliver() == {"delivered": 2, "refused": 1}
    assert len(world.letters()) == 2


def test_what_became_of_a_notice_is_in_its_ledger(world: World) -> None:
    queued(world)
    world.deliver()
    notice = world.notice()
    with world.database.reading() as connection:
        assert [event.what for event in notices.events(connection, notice.id)] == ["written", "sent"]
