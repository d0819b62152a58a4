"""A recall's ticket and its campaign: the outcome settles the device, the owner hears it once, and opening again takes it back."""

from __future__ import annotations

from datetime import datetime, timedelta

import pytest

from alerts.campaigns import answers
from alerts.tickets import conversation, ending, merging
from hearthwatch.records import campaigns, notices, outcomes, parts, tickets
from hearthwatch.records.campaigns import Campaign, Member
from hearthwatch.records.tickets import NewTicket
from tests.unit.alerts.campaigns.conftest import Desk, recall
from tests.unit.alerts.world import World


def chosen(world: World, desk: Desk, *wishes: str) -> Campaign:
    """A recall whose one owner chose a remedy, so that there is a ticket."""
    world.policy()
    world.home(1)
    campaign = desk.running(recall(remedies=["repair", "replacement", "refund"]))
    desk.deliver()
    (told,) = desk.notices("recall")
    for wish in wishes:
        with world.database.transaction() as connection:
            answers.answer(connection, notices.get(connection, told.id), wish, world.now)
    return campaign


def close(world: World, code: str, part: str | None = None, *, failed_at: datetime | None = None) -> None:
    number = world.tickets(state="closed") or world.tickets()
    told = {"code": code, "part": part, "note": None, "actor": "tom", "now": world.now, "failed_at": failed_at}
    with world.database.transaction() as connection:
        ending.close(connection, number[0].id, None, **told)  # type: ignore[arg-type]


def reopen(world: World) -> None:
    number = world.ticket().id
    with world.database.transaction() as connection:
        ending.reopen(connection, number, None, "too early", "tom", world.now)


def member(world: World, campaign: Campaign) -> Member:
    with world.database.reading() as connection:
        (one,) = campaigns.members(connection, campaign.id)
        return one


def everything(world: World, desk: Desk) -> None:
    desk.deliver()
    world.run()


@pytest.mark.parametrize("code", ["no_fault_found", "customer_declined", "user_error", "environment", "recovered"])
def test_an_outcome_that_puts_nothing_right_leaves_the_device_recalled(world: World, desk: Desk, code: str) -> None:
    campaign = chosen(world, desk, "repair")
    close(world, code)
    everything(world, desk)
    assert desk.progress(campaign).remedied == 0
    assert desk.notices("all_clear") == []


@pytest.mark.parametrize(
    ("wishes", "code", "remedy", "words"),
    [
        (["repair"], "confirmed", "repair", "it was repaired, and you can use it again"),
        (["repair", "replacement"], "confirmed", "replacement", "you have a new one in its place"),
        (["refund"], "different_fault", "refund", "you got your money back"),
        (["repair"], "fixed_by_update", "update", "it was updated, and you can use it again"),
    ],
)
def test_an_outcome_that_remedies_settles_the_device_and_its_owner_hears_it_once(
    world: World, desk: Desk, wishes: list[str], code: str, remedy: str, words: str
) -> None:
    campaign = chosen(world, desk, *wishes)
    close(world, code, "battery")
    for _ in range(2):
        everything(world, desk)
    shown = desk.progress(campaign)
    assert (shown.remedied, shown.remedies) == (1, {remedy: 1})
    with world.database.reading() as connection:
        noted = [one for one in campaigns.events(connection, campaign.id) if one.what == "remedied"]
    assert [(one.actor, one.detail["ticket_id"]) for one in noted] == [("tom", world.ticket().id)]
    assert [one.kind for one in world.notices()] == ["recall", "all_clear"]
    assert words in world.customers_letters()[-1].text


def labels(world: World) -> list[tuple[str, str]]:
    with world.database.reading() as connection:
        return [(one.outcome, one.part) for one in outcomes.list_outcomes(connection)]


@pytest.mark.parametrize(("wish", "part"), [("refund", None), ("replacement", None), ("repair", "battery")])
def test_a_recall_that_is_carried_out_on_a_sound_device_is_no_failure_to_learn_from(
    world: World, desk: Desk, wish: str, part: str | None
) -> None:
    campaign = chosen(world, desk, wish)
    close(world, "confirmed", part)
    assert labels(world) == []
    assert member(world, campaign).remedy == wish
    with world.database.reading() as connection:
        assert [one.part for one in parts.parts_of(connection, "lock-1")] == ([part] if part else [])


@pytest.mark.parametrize("code", ["confirmed", "different_fault"])
def test_a_recalled_device_that_had_failed_is_a_failure(world: World, desk: Desk, code: str) -> None:
    chosen(world, desk, "repair")
    failed_at = world.now - timedelta(days=1) if code == "confirmed" else None
    close(world, code, "battery", failed_at=failed_at)
    assert labels(world) == [("failure", "battery")]


def test_opening_again_before_the_all_clear_has_left_takes_both_back(world: World, desk: Desk) -> None:
    world.pass_time(hours=11)  # 23:00: what is no warning waits for the morning
    campaign = chosen(world, desk, "repair")
    close(world, "confirmed", "battery")
    desk.send()
    reopen(world)
    everything(world, desk)
    (clear,) = desk.notices("all_clear")
    assert (clear.state, clear.reason) == ("cancelled", "the case was opened again: the device is not settled")
    assert (member(world, campaign).remedied_at, desk.progress(campaign).remedied) == (None, 0)
    assert desk.events(campaign)[-1] == "unremedied"
    close(world, "confirmed", "battery")
    world.pass_time(hours=10)
    everything(world, desk)
    assert [one.state for one in desk.notices("all_clear")] == ["cancelled", "sent"]


def test_who_was_told_that_it_is_over_is_warned_anew_when_it_is_not(world: World, desk: Desk) -> None:
    campaign = chosen(world, desk, "repair")
    close(world, "confirmed", "battery")
    everything(world, desk)
    number = world.ticket().id
    with world.database.transaction() as connection:
        conversation.message(
            connection, number, text="It still gets hot.", author="customer:c-1", now=world.now, verified=True
        )
    for _ in range(2):
        everything(world, desk)
    assert [one.kind for one in world.notices() if one.campaign_id] == ["recall", "all_clear", "recall"]
    assert "The recall still applies to your device." in "".join(one.text for one in world.customers_letters())
    world.pass_time(hours=1)
    close(world, "confirmed", "battery")
    for _ in range(2):
        everything(world, desk)
    assert [one.kind for one in world.notices() if one.campaign_id] == ["recall", "all_clear", "recall", "all_clear"]
    assert member(world, campaign).remedy == "repair"


def test_a_device_that_staff_settled_stays_settled_whatever_becomes_of_the_ticket(world: World, desk: Desk) -> None:
    campaign = chosen(world, desk, "repair")
    desk.settle(campaign, "lock-1", "disposed")
    close(world, "confirmed", "battery")
    reopen(world)
    assert member(world, campaign).remedy == "disposed"


def test_the_ticket_into_which_the_recall_s_was_merged_settles_it(world: World, desk: Desk) -> None:
    campaign = chosen(world, desk, "replacement")
    (theirs,) = world.tickets()
    new = NewTicket("device:lock-1/x/1", "device", "lock-1", 2, None, device_id="lock-1", customer_id="c-1")
    with world.database.transaction() as connection:
        other, _ = tickets.open_once(connection, new, actor="policy", now=world.now, detail={})
        merging.merge(connection, other.id, None, theirs.id, "tom", world.now)
        ending.close(connection, other.id, None, code="confirmed", part="x", note=None, actor="tom", now=world.now)
    assert member(world, campaign).remedy == "replacement"
