"""Replay = live: a policy that was live for some days is replayed over what is stored of them, and does the same at the same times."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from alerts.replay.rhythm import Rhythm, after, at_or_after
from alerts.replay.trial import Candidate, try_policy
from alerts.tickets import ending
from hearthwatch.values import Span
from tests.unit.alerts.replay.story import Story, lived, replayed, story, version_of
from tests.unit.alerts.world import BAD, GOOD, NOON, World

HOUR = Rhythm(timedelta(hours=1), timedelta(hours=1))


def told(world: World, seed: int, **policy: str) -> tuple[int, Story, Span]:
    """Some days of a seed under a policy; a release is called worse from the third on."""
    made = story(world, seed)
    version = world.policy(**policy)
    bad = world.release(BAD, replaces=GOOD)
    first = made.run(2)
    made.called_worse = bad.id
    return version, made, Span(first.since, made.run(4).until)


@pytest.mark.parametrize(
    ("seed", "policy"),
    [
        (5, {}),
        (3, {"per_household_and_month": "per_household_and_month = 1", "per_round": "per_round = 2"}),
        (16, {"group_hours": "group_hours = 6", "settle_days": "settle_days = 0", "close_after_hours": "close_after_hours = 6"}),
    ],
)  # fmt: skip
def test_a_replay_writes_the_same_notices_and_opens_the_same_tickets_at_the_same_times(
    world: World, seed: int, policy: dict[str, str]
) -> None:
    version, _, span = told(world, seed, **policy)
    live = lived(world, span)
    again, past = replayed(world, version_of(world, version), span)
    assert again.notices == live.notices
    assert again.tickets == live.tickets
    assert again.engineers == live.engineers
    assert (len(live.notices) > 5, len(live.tickets) > 3) == (True, True)
    assert past.lost == {}


def test_a_replay_that_begins_in_the_middle_goes_on_from_what_there_was(world: World) -> None:
    version, made, span = told(world, 8)
    later = Span(span.until, made.run(3).until)
    live = lived(world, later)
    again, _ = replayed(world, version_of(world, version), later)
    assert {one.key: one for one in again.notices} == {one.key: one for one in live.notices}
    assert {one.key: one for one in again.tickets} == {one.key: one for one in live.tickets}
    assert live.notices


def test_what_only_observed_is_replayed_as_if_it_had_been_live_and_nothing_stored_changes(world: World) -> None:
    world.home()
    number = world.policy("observe")
    since = world.now
    world.pass_time(hours=1)
    world.stand()
    world.run()
    assert [one.state for one in world.notices()] == ["observed"]
    world.pass_time(hours=30)
    before = (world.notices(), world.tickets(), world.outbox(), world.letters())
    again, _ = replayed(world, version_of(world, number), Span(since, world.now), HOUR)
    assert (world.notices(), world.tickets(), world.outbox(), world.letters()) == before
    assert [(one.kind, one.state, one.customer) for one in again.notices] == [("replacement", "sent", "c-1")]
    assert [one.cause for one in again.tickets] == ["device:lock-1/battery/1"]


def test_a_closing_of_a_ticket_that_the_policy_would_not_have_opened_is_told_as_lost(world: World) -> None:
    world.home()
    number = world.policy()
    since = world.now
    world.pass_time(hours=1)
    world.stand()
    world.run()
    ticket, now = world.ticket().id, world.now
    with world.database.transaction() as connection:
        ending.close(connection, ticket, None, code="confirmed", part=None, note=None, actor="tom", now=now)
    world.pass_time(hours=30)
    mute = replace(
        version_of(world, number), text=version_of(world, number).text.replace("ticket = true", "ticket = false")
    )
    again, past = replayed(world, mute, Span(since, world.now), HOUR)
    assert again.tickets == ()
    assert past.lost == {"closed": 1}


def test_a_replay_says_beforehand_how_much_there_is_to_enact_and_then_how_far_it_is(world: World) -> None:
    world.home()
    number = world.policy()
    since = world.now
    world.pass_time(hours=1)
    world.stand()
    world.pass_time(hours=30)
    said: list[str] = []
    tried = Candidate(version_of(world, number).text)
    with world.database.reading() as connection:
        try_policy(connection, tried, Span(since, world.now), say=said.append)
    assert said[0] == "findings to enact: 1; about 1 min for each policy"
    assert said[1].startswith("this policy: ")
    assert said[-1] == ""


@pytest.mark.parametrize("minutes", [0, 1, 4.5, 5])
def test_jobs_look_at_the_next_of_their_instants(minutes: float) -> None:
    every, at = timedelta(minutes=5), NOON + timedelta(minutes=minutes)
    looked = at_or_after(every, at)
    assert at <= looked < at + every
    assert at < after(every, at) <= at + every
    assert (looked - NOON) % every == timedelta(0)
