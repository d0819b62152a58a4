"""A notice and its channels: the first that works, or all at once; what arrived in part is told channel by channel."""

from __future__ import annotations

from typing import Any

import pytest

from alerts.channels import letters
from alerts.channels.addresses import channel_of, mail_of, receiver_of, usable
from alerts.delivery import bounces, people
from alerts.notices.wording import MASK
from hearthwatch.errors import Conflict, Invalid, Refused, Stale, Unavailable
from hearthwatch.records import audit, customer_links, delivery_attempts, notices, outbox
from hearthwatch.records.outbox import OutboxItem
from hearthwatch.values import Notice
from tests.unit.alerts.world import RecordingChannel, World

MAIL, SMS, BOX = "mailto:kim@home.example", "sms:+4917012345", "mailbox://c-1"
PAYLOAD = {"subject": "s", "text": "t", "html": "", "quiet": None}


def queued(world: World, *addresses: str) -> Notice:
    """A live policy, and a notice that waits to go to a customer's first address."""
    world.policy()
    world.home(1, channels=addresses)
    world.stand()
    world.apply()
    return world.notice()


def to_all(world: World, *addresses: str) -> Notice:
    """A notice that leaves by all addresses at once."""
    notice = queued(world, *addresses)
    with world.database.transaction() as connection:
        outbox.cancel(connection, notice.id, "instead")
        current = notices.change(connection, notice.id, None, {"reason": None})
        letters.put(connection, current, addresses, PAYLOAD, now=world.now, next_at=world.now, reach="all")
    return current


def by(world: World, name: str, *errors: Exception) -> RecordingChannel:
    world.channels[name] = RecordingChannel(name, errors)
    recording = world.channels[name]
    assert isinstance(recording, RecordingChannel)
    return recording


def told(world: World) -> list[str]:
    number = world.notice().id
    with world.database.reading() as connection:
        return [event.what for event in notices.events(connection, number)]


def items(world: World, **which: Any) -> list[OutboxItem]:
    return [item for item in world.outbox(**which) if item.last_error != "instead"]


# -- what may be an address


@pytest.mark.parametrize(
    ("address", "channel"),
    [
        (MAIL, "mail"),
        ("mailto://kim@home.example", "mail"),
        ("MAILTO:Kim@Home.Example", "mail"),
        (BOX, "mailbox"),
        (SMS, "sms"),
        ("sms: +49 170 12345", "sms"),
        ("wecom:kim", "wecom"),
        ("sms-china:+8613800138000", "sms-china"),
        ("mailto://user:secret@smtp.example/?to=kim@home.example", None),
        ("mailto:kim@home.example,eve@evil.example", None),
        ("gotify://10.0.0.1/token", None),
        ("json://169.254.169.254/latest/meta-data", None),
        ("slack://token/x", None),
        ("http://internal/", None),
        ("https:kim", None),
        ("exec:rm", "exec"),  # a name like another; the settings decide, and it is no program
        ("webhook:rollout-decisions", None),
        ("mqtt:hearthwatch", None),
        ("sms:../../admin", None),
        ("sms:+49?to=eve", None),
        ("sms:kim/../eve", None),
        ("sms:kim%2f..", None),
        ("sms:", None),
        ("kim@home.example", None),
        ("", None),
    ],
)
def test_an_address_names_a_receiver_and_never_a_host_or_a_secret(address: str, channel: str | None) -> None:
    assert channel_of(address) == channel
    assert usable([address, address]) == ((address,) if channel else ())


def test_a_receiver_s_spaces_are_not_kept() -> None:
    assert receiver_of("sms: +49 170 12345") == "+4917012345"
    assert mail_of("mailto:kim@home.example ") == "kim@home.example"


# -- one after another


def test_the_next_address_is_tried_under_a_key_of_its_own_where_one_is_refused(world: World) -> None:
    queued(world, MAIL, SMS, BOX)
    by(world, "mail", Refused("no such user"))
    by(world, "sms", Refused("number barred"))
    assert world.deliver() == {"refused": 2, "delivered": 1}
    assert [(item.channel, item.state) for item in items(world)] == [
        ("mail", "failed"), ("sms", "failed"), ("mailbox", "delivered"),
    ]  # fmt: skip
    assert len({item.idempotency_key for item in items(world)}) == 3
    assert len({letters.stem_of(item) for item in items(world)}) == 1
    assert world.notice().state == "sent"
    assert told(world) == ["written", "refused", "refused", "sent"]


def test_where_no_address_works_all_reasons_are_told(world: World) -> None:
    queued(world, MAIL, SMS)
    by(world, "mail", Refused("no such user"))
    by(world, "sms", Refused("number barred"))
    world.deliver()
    notice = world.notice()
    assert notice.state == "failed"
    assert notice.reason == "mail: no such user; sms: number barred"


def test_a_channel_that_the_settings_do_not_have_is_passed_over_where_there_is_another(world: World) -> None:
    queued(world, "pigeon:kim", BOX)
    assert world.deliver() == {"refused": 1, "delivered": 1}
    with world.database.reading() as connection:
        assert delivery_attempts.counts(connection, world.now.replace(hour=0))[("pigeon", "nomatch")] == 1


# -- all at once


def test_a_notice_for_all_channels_is_sent_when_all_of_them_have_it(world: World) -> None:
    to_all(world, MAIL, SMS)
    by(world, "mail")
    by(world, "sms", Unavailable("no route"))
    assert world.deliver() == {"delivered": 1, "retried": 1}
    assert world.notice().state == "queued"
    first = world.notice().sent_at
    assert first == world.now, "when the customer first heard of it"
    world.pass_time(hours=1)
    world.deliver()
    assert (world.notice().state, world.notice().sent_at) == ("sent", first)
    assert told(world) == ["written", "arrived", "arrived", "sent"]


def test_what_reached_some_channels_and_never_the_others_has_failed_and_says_which(world: World) -> None:
    to_all(world, MAIL, SMS)
    by(world, "mail")
    by(world, "sms", Refused("number barred"))
    world.deliver()
    assert world.notice().state == "failed"
    assert world.notice().reason == "arrived by mail; not by sms: number barred"


def test_a_dead_letter_that_is_sent_again_makes_the_notice_whole(world: World) -> None:
    to_all(world, MAIL, SMS)
    mail = by(world, "mail")
    by(world, "sms", Refused("number barred"))
    world.deliver()
    (dead,) = items(world, state="failed")
    with world.database.transaction() as connection:
        people.send_again(connection, dead.id, "ann", world.now)
    assert world.notice().state == "queued"
    assert world.deliver() == {"delivered": 1}
    assert world.notice().state == "sent"
    assert len(mail.sent) == 1, "who has it does not get it again"


# -- dead letters


def test_a_dead_letter_is_sent_again_by_a_person_under_the_same_key(world: World) -> None:
    queued(world, MAIL)
    mail = by(world, "mail", Refused("no such user"))
    world.deliver()
    (dead,) = items(world)
    with world.database.transaction() as connection:
        again = people.send_again(connection, dead.id, "ann", world.now, revision=dead.revision)
    assert (again.state, again.attempts, again.idempotency_key) == ("pending", 0, dead.idempotency_key)
    assert world.deliver() == {"delivered": 1}
    assert mail.sent[0]["key"] == dead.idempotency_key
    assert world.notice().state == "sent"
    with world.database.reading() as connection:
        (entry, *_) = audit.list_entries(connection, about=f"outbox:{dead.id}")
        tries = delivery_attempts.of_items(connection, [dead.id])[dead.id]
    assert (entry.actor, entry.action) == ("ann", "outbox.retry")
    assert [one.outcome for one in tries] == ["refused", "delivered"]


def outbox_state(world: World, number: int) -> str:
    return next(item.state for item in world.outbox() if item.id == number)


NO_HOUSEHOLD = {"per_household_and_month": "per_household_and_month = 0"}
NO_FLEET = {"per_1000_devices_and_week": "per_1000_devices_and_week = 0"}


@pytest.mark.parametrize(("limits", "budget"), [(NO_HOUSEHOLD, "household's budget"), (NO_FLEET, "fleet's budget")])
def test_a_dead_letter_is_not_sent_again_over_a_budget_unless_it_warns_of_danger(
    world: World, limits: dict[str, str], budget: str
) -> None:
    queued(world, MAIL)
    world.home(2, devices_=("lock-2",), channels=[MAIL])
    world.stand("lock-2", mode="overheating")
    world.apply()
    by(world, "mail", Refused("no such user"), Refused("no such user"))
    world.deliver()
    world.policy(**limits)
    of_device = {one.id: one.device_id for one in world.notices()}
    plain, danger = sorted(items(world, state="failed"), key=lambda one: of_device[one.notice_id or 0])
    with world.database.transaction() as connection, pytest.raises(Conflict, match=budget):
        people.send_again(connection, plain.id, "ann", world.now)
    with world.database.transaction() as connection:
        assert people.send_all_again(connection, "ann", world.now) == 1
    assert [outbox_state(world, one.id) for one in (plain, danger)] == ["failed", "pending"]
    assert {one.device_id: one.state for one in world.notices()} == {"lock-1": "failed", "lock-2": "queued"}


def test_of_a_household_s_dead_letters_as_many_go_again_as_its_budget_has_left(world: World) -> None:
    world.policy(group_hours="group_hours = 0")
    world.home(1, devices_=("lock-1", "lock-2", "lock-3"), channels=[MAIL])
    for number, mode in ((1, "wifi_failing"), (2, "battery_fade"), (3, "motor_wear")):
        world.stand(f"lock-{number}", mode=mode)
        world.apply()
    by(world, "mail", *(Refused("gone") for _ in range(9)))
    world.deliver()
    assert len(items(world, state="failed")) == 3
    world.policy(per_household_and_month="per_household_and_month = 2")
    with world.database.transaction() as connection:
        assert people.send_all_again(connection, "ann", world.now) == 2


def test_what_was_delivered_or_changed_meanwhile_is_not_sent_again(world: World) -> None:
    queued(world, MAIL)
    by(world, "mail", Refused("no such user"))
    world.deliver()
    (dead,) = items(world)
    with world.database.transaction() as connection, pytest.raises(Stale):
        people.send_again(connection, dead.id, "ann", world.now, revision=dead.revision - 1)
    with world.database.transaction() as connection:
        people.send_again(connection, dead.id, "ann", world.now)
    with world.database.transaction() as connection, pytest.raises(Conflict, match="pending"):
        people.send_again(connection, dead.id, "ann", world.now)
    world.deliver()
    with world.database.transaction() as connection, pytest.raises(Conflict, match="delivered"):
        people.send_again(connection, dead.id, "ann", world.now)
    with world.database.transaction() as connection, pytest.raises(Conflict, match="delivered"):
        people.cancel(connection, dead.id, "ann", world.now, "too late")


def test_after_an_outage_all_dead_letters_of_one_channel_go_again(world: World) -> None:
    world.policy()
    for number in range(4):
        world.home(number, devices_=(f"lock-{number}",), channels=[MAIL if number else SMS])
        world.stand(f"lock-{number}")
    world.apply()
    by(world, "mail", *(Refused("gone") for _ in range(3)))
    by(world, "sms", Refused("gone"))
    world.deliver()
    with world.database.transaction() as connection:
        later = world.pass_time(minutes=1)
        assert people.send_all_again(connection, "ann", later, channel="mail", since=later) == 0
        assert people.send_all_again(connection, "ann", later, channel="mail") == 3
    assert world.deliver() == {"delivered": 3}
    assert [item.channel for item in items(world, state="failed")] == ["sms"]


def test_a_person_cancels_what_waits_and_says_why(world: World) -> None:
    queued(world, MAIL)
    (item,) = items(world)
    with world.database.transaction() as connection, pytest.raises(Invalid, match="why"):
        people.cancel(connection, item.id, "ann", world.now, "  ")
    with world.database.transaction() as connection:
        people.cancel(connection, item.id, "ann", world.now, "wrong model")
    assert world.deliver() == {}
    assert (world.notice().state, world.notice().reason) == ("cancelled", "wrong model")


# -- letters that come back


def test_a_letter_that_came_back_goes_to_the_next_address_with_a_link_that_opens(world: World) -> None:
    notice = queued(world, MAIL, BOX)
    by(world, "mail")
    world.deliver()
    (item,) = items(world)
    with world.database.transaction() as connection:
        found = outbox.by_message_ref(connection, outbox.message_ref(item.idempotency_key))
        assert found is not None
        for _ in range(2):
            bounces.bounced(connection, found, "550 no such user", world.now)
    assert world.deliver() == {"delivered": 1}
    assert world.notice().state == "sent"
    letter = world.letters(BOX)[-1]
    assert MASK not in letter.text
    token = world.token()
    with world.database.reading() as connection:
        assert customer_links.find(connection, token, world.now).notice_id == notice.id
    assert told(world) == ["written", "sent", "bounced"]


def test_a_letter_that_came_back_and_has_no_other_address_has_failed(world: World) -> None:
    queued(world, MAIL)
    by(world, "mail")
    world.deliver()
    (item,) = items(world)
    with world.database.transaction() as connection:
        bounces.bounced(connection, item, "550 no such user", world.now)
    assert (world.notice().state, world.notice().reason) == ("failed", "came back: 550 no such user")


def test_an_erased_person_stands_nowhere_in_the_outbox(world: World) -> None:
    notice = queued(world, MAIL, SMS)
    by(world, "mail", Refused("no such user"))
    world.deliver()
    with world.database.transaction() as connection:
        assert outbox.forget_people(connection, [notice.id]) == 2
    assert world.deliver() == {}
    assert all("kim" not in repr(item) and "49170" not in repr(item) for item in items(world))
    cancelled = items(world, state="cancelled")[0]
    with world.database.transaction() as connection, pytest.raises(Conflict, match="gone"):
        people.send_again(connection, cancelled.id, "ann", world.now)
