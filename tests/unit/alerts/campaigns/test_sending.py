"""Recalls and advisories reach those they must, again where nobody answers, and end with an all-clear to whom was warned."""

from __future__ import annotations

from datetime import timedelta

import pytest

from alerts.campaigns import answers, sending
from alerts.campaigns.progress import telling
from alerts.notices.issue import Mail
from alerts.policy import brakes
from alerts.policy.file import default_text, parse
from hearthwatch.errors import Invalid
from hearthwatch.records import campaigns, customers, devices, findings, notices
from hearthwatch.records.customers import own
from hearthwatch.records.notices import CampaignNotice
from tests.unit.alerts.campaigns.conftest import Desk, advisory, recall
from tests.unit.alerts.world import BRAND, FIX, MODEL, NOON, World


def move(world: World, device: str, customer: str) -> None:
    with world.database.transaction() as connection:
        own(connection, device, customer, None, world.now)


def update(world: World, device: str, firmware: str) -> None:
    with world.database.transaction() as connection:
        devices.register(connection, [{"id": device, "model": MODEL, "firmware": firmware}])


def choose(world: World, number: int, choice: str) -> None:
    with world.database.transaction() as connection:
        answers.answer(connection, notices.get(connection, number), choice, world.now)


@pytest.mark.parametrize("reference", ["", " ", "a b", "../x", "-1", "x" * 65])
def test_a_reference_that_can_not_stand_in_an_address_begins_nothing(desk: Desk, reference: str) -> None:
    with pytest.raises(Invalid, match="reference"):
        desk.draft(recall(), reference=reference)


def test_a_draft_and_what_only_one_person_wants_reach_nobody(world: World, desk: Desk) -> None:
    world.home(1)
    desk.submit(desk.draft(recall()))
    assert desk.send() == {}
    assert world.notices() == []


def test_a_recall_goes_to_every_present_owner_at_once_by_all_their_channels(world: World, desk: Desk) -> None:
    world.home(1, devices_=("lock-1",), channels=("mailbox://c-1", "mailbox://c-1-phone"))
    world.home(2, devices_=("lock-2",), language="zh-CN", consent=())
    desk.running()
    desk.deliver()
    assert [(one.kind, one.state, one.campaign_id) for one in world.notices()] == [("recall", "sent", 1)] * 2
    assert sorted(letter.address for letter in world.letters()) == [
        "mailbox://c-1",
        "mailbox://c-1-phone",
        "mailbox://c-2",
    ]
    (chinese,) = world.letters("mailbox://c-2")
    assert chinese.subject == "产品安全召回：SmartLock 2"
    assert "请立即停止使用您的SmartLock 2。" in chinese.text


def test_it_passes_quiet_hours_and_the_budget_but_not_the_brake(world: World, desk: Desk) -> None:
    world.home(1, timezone="Pacific/Auckland")  # midnight there
    world.policy(per_household_and_month="per_household_and_month = 0")
    with world.database.transaction() as connection:
        brakes.pause(connection, "ann", world.now, "wait")
    desk.running()
    desk.deliver()
    assert world.letters() == []
    with world.database.transaction() as connection:
        brakes.resume(connection, "ann", world.now)
    world.deliver()
    assert [letter.address for letter in world.letters()] == ["mailbox://c-1"]


def test_one_letter_tells_a_household_of_all_its_recalled_devices(world: World, desk: Desk) -> None:
    world.home(1, devices_=("lock-1", "lock-2", "lock-3"))
    campaign = desk.running()
    desk.deliver()
    (letter,) = world.letters()
    assert "This is about: lock-1, lock-2, lock-3" in letter.text
    assert desk.progress(campaign).reached == 3


def test_sent_twice_it_is_written_once(world: World, desk: Desk) -> None:
    world.home(1)
    desk.running()
    assert desk.send()["queued"] == 1
    assert desk.send() == {}


def test_who_buys_the_device_later_and_a_device_that_appears_later_are_told_too(world: World, desk: Desk) -> None:
    world.home(1, devices_=("lock-1",))
    desk.running()
    desk.deliver()
    world.home(2, devices_=("lock-2",))
    move(world, "lock-1", "c-2")
    desk.deliver()
    assert [one.customer_id for one in desk.notices("recall")] == ["c-1", "c-2"]
    (second,) = world.letters("mailbox://c-2")
    assert "This is about: lock-1, lock-2" in second.text


def test_other_devices_are_left_in_peace(world: World, desk: Desk) -> None:
    world.home(1, devices_=("lock-1",))
    world.home(2, devices_=("lock-2",))
    desk.running(recall(selection={"models": [MODEL], "devices": ["lock-2"]}))
    desk.deliver()
    assert [one.device_id for one in world.notices()] == ["lock-2"]


def test_who_has_no_address_is_told_once_there_is_one(world: World, desk: Desk) -> None:
    world.home(1, channels=())
    campaign = desk.running()
    desk.deliver()
    assert [one.state for one in desk.standings(campaign)] == ["no_address"]
    with world.database.transaction() as connection:
        customers.put_customer(connection, "c-1", name="Kim", channels=["mailbox://c-1"])
    desk.deliver()
    assert [one.state for one in desk.standings(campaign)] == ["reached"]
    assert len(world.notices()) == 1


def test_a_device_without_an_owner_is_affected_and_not_reached(world: World, desk: Desk) -> None:
    world.home(1)
    world.register(["lock-9"])
    campaign = desk.running()
    desk.deliver()
    found = desk.progress(campaign)
    assert (found.affected, found.reached, found.unreached) == (2, 1, 1)
    assert {one.member.device_id: one.state for one in desk.standings(campaign)} == {
        "lock-1": "reached",
        "lock-9": "no_owner",
    }


def test_a_letter_that_arrived_about_one_device_reaches_nobody_about_another() -> None:
    def letter(number: int, state: str, *devices: str) -> CampaignNotice:
        return CampaignNotice(
            number, "recall", devices[0], "c-1", None, state, None, None, NOON, {"devices": list(devices)}
        )

    refused, arrived = letter(1, "failed", "lock-1", "lock-2"), letter(2, "sent", "lock-0")
    again = letter(3, "queued", "lock-0", "lock-1", "lock-2")
    shown = {device: one.state for (device, _), one in telling([refused, arrived, again]).items()}
    assert shown == {"lock-0": "sent", "lock-1": "queued", "lock-2": "queued"}


def test_those_who_do_not_answer_are_written_to_again_and_not_for_ever(world: World, desk: Desk) -> None:
    world.home(1)
    desk.running(recall(repeat_days=7, repeats=2))
    for _ in range(5):
        desk.deliver()
        desk.at(days=7)
    assert len(world.letters()) == 3
    assert "We have written to you about this before." in world.letters()[-1].text


def test_an_answer_ends_the_asking_and_becomes_a_ticket(world: World, desk: Desk) -> None:
    world.home(1)
    campaign = desk.running(recall(repeat_days=7))
    desk.deliver()
    choose(world, 1, "refund")
    desk.at(days=30)
    desk.deliver()
    assert len(world.letters()) == 1
    ticket = world.ticket()
    assert (ticket.device_id, ticket.customer_id, ticket.priority) == ("lock-1", "c-1", 1)
    assert desk.progress(campaign).answers == {"refund": 1}
    assert desk.events(campaign)[-1] == "answered"


def test_another_choice_is_noted_in_the_same_ticket(world: World, desk: Desk) -> None:
    world.home(1)
    desk.running()
    desk.deliver()
    choose(world, 1, "refund")
    choose(world, 1, "repair")
    assert world.ticket_events(world.ticket()).count("customer") == 2


def test_a_customer_who_says_it_is_not_theirs_is_listed_and_not_written_to_again(world: World, desk: Desk) -> None:
    world.home(1)
    campaign = desk.running(recall(repeat_days=1))
    desk.deliver()
    choose(world, 1, "not_mine")
    desk.at(days=3)
    desk.deliver()
    assert [one.state for one in desk.standings(campaign)] == ["not_theirs"]
    assert len(world.letters()) == 1


@pytest.mark.parametrize(
    ("how", "words"),
    [("repair", "it was repaired"), ("refund", "you got your money back"), ("not_affected", "none of those")],
)
def test_a_settled_device_gives_its_owner_the_all_clear(world: World, desk: Desk, how: str, words: str) -> None:
    world.home(1)
    campaign = desk.running()
    desk.deliver()
    assert desk.settle(campaign, "lock-1", how) == ["lock-1"]
    desk.deliver()
    desk.deliver()
    (clear,) = desk.notices("all_clear")
    assert words in clear.body
    assert "There is nothing left for you to do." in clear.body
    assert desk.progress(campaign).remedied == 1


def test_nobody_gets_an_all_clear_who_was_never_warned(world: World, desk: Desk) -> None:
    world.home(1, channels=())
    campaign = desk.running()
    desk.deliver()
    desk.settle(campaign, "lock-1", "repair")
    desk.deliver()
    assert desk.notices("all_clear") == []


def test_nobody_gets_an_all_clear_for_a_device_that_is_somebody_else_s_now(world: World, desk: Desk) -> None:
    world.home(1)
    world.home(2, devices_=("other",))
    campaign = desk.running(recall(selection={"devices": ["lock-1"]}))
    desk.deliver()
    move(world, "lock-1", "c-2")
    desk.settle(campaign, "lock-1", "repair")
    desk.deliver()
    assert desk.notices("all_clear") == []


def test_the_all_clear_waits_for_the_morning(world: World, desk: Desk) -> None:
    world.home(1, timezone="Pacific/Auckland")
    campaign = desk.running()
    desk.deliver()
    desk.settle(campaign, "lock-1", "repair")
    desk.deliver()
    assert [one.state for one in desk.notices("all_clear")] == ["queued"]
    desk.at(hours=9)
    desk.deliver()
    assert [one.state for one in desk.notices("all_clear")] == ["sent"]


def test_the_update_settles_an_advisory_by_itself(world: World, desk: Desk) -> None:
    world.home(1)
    campaign = desk.running(advisory(), kind="advisory")
    desk.deliver()
    (warning,) = world.letters()
    assert "Please install version 2.4.2" in warning.text
    assert "http://hw.test/advisories/R-1.json" in warning.text
    update(world, "lock-1", FIX)
    desk.deliver()
    assert desk.progress(campaign).remedies == {"update": 1}
    (clear,) = desk.notices("all_clear")
    assert "no longer has the security weakness" in clear.body


def test_a_closed_campaign_warns_nobody_any_more_and_still_gives_the_all_clear(world: World, desk: Desk) -> None:
    world.home(1)
    campaign = desk.running()
    desk.deliver()
    desk.settle(campaign, "lock-1", "replacement")
    desk.close(campaign)
    world.home(2, devices_=("lock-2",))
    desk.deliver()
    assert [one.kind for one in world.notices()] == ["recall", "all_clear"]


def test_other_notices_know_which_devices_a_running_campaign_concerns(world: World, desk: Desk) -> None:
    world.home(1, devices_=("lock-1", "lock-2"))
    campaign = desk.running(recall(selection={"devices": ["lock-1"]}))
    with world.database.reading() as connection:
        found = campaigns.affecting(connection, ["lock-1", "lock-2"], world.now)
    assert {device: one.id for device, one in found.items()} == {"lock-1": campaign.id}
    desk.settle(campaign, "lock-1", "repair")
    with world.database.reading() as connection:
        assert campaigns.affecting(connection, ["lock-1"], world.now) == {}


def test_what_else_is_found_about_a_device_changes_nothing_about_its_recall(world: World, desk: Desk) -> None:
    world.home(1)
    finding = world.stand("lock-1", "battery_fade")
    desk.running()
    desk.deliver()
    with world.database.reading() as connection:
        assert findings.get(connection, finding.id).state == "open"
    assert [one.kind for one in world.notices()] == ["recall"]
    assert world.now - world.notice().created_at < timedelta(minutes=1)


def test_a_large_recall_is_written_in_parts_and_ends_at_once_when_it_is_closed(
    world: World, desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sending, "AT_ONCE", 2)
    for number in range(1, 6):
        world.home(number, devices_=(f"lock-{number}",))
    campaign = desk.running()
    mail, policy = Mail(BRAND, "http://hw.test", timedelta(days=30)), parse(default_text())
    with world.database.reading() as connection:
        first, second, third = sending.parts(sending.due(connection, policy, mail, world.now))
    with world.database.transaction() as connection:
        done = sending.carry_out(connection, [first, first], policy, mail, policy_version=0, now=world.now)
    assert done["queued"] == 2
    desk.close(campaign)
    with world.database.transaction() as connection:
        assert not sending.carry_out(connection, [second, third], policy, mail, policy_version=0, now=world.now)
    assert len(world.notices()) == 2
