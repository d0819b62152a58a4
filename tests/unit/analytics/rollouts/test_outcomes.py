"""From waiting for its wave to a success or a failure."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from analytics.rollouts.following import claim_of
from analytics.rollouts.heard import HeardClock
from analytics.rollouts.outcomes import UNHEALTHY_HOURS, Course, Seen, follow
from hearthwatch.firmware import version as normalised
from hearthwatch.records.blindness import BlindSpan
from hearthwatch.records.rollout_devices import Candidate, Member
from hearthwatch.records.rollouts import Rollout

START = datetime(2026, 5, 1, tzinfo=UTC)
HOUR = timedelta(hours=1)
SPANS = st.lists(st.tuples(st.floats(0, 200), st.floats(0, 50)), max_size=6)


def at(hour: float) -> datetime:
    return START + hour * HOUR


def course(now: float, *blind: tuple[float, float], opened: float | None = 0.0) -> Course:
    spans = [BlindSpan(at(since), at(until), "no_ingestor") for since, until in blind]
    waves = {1: at(opened)} if opened is not None else {}
    return Course("2.0", normalised("2.0").key, at(now), HeardClock(spans, at(now)), waves, 24.0, 12.0)


def device(version: str = "2.0", heard: float | None = 0.0) -> Candidate:
    last = None if heard is None else at(heard)
    return Candidate("d1", "A", "north", version, normalised(version).key, last)


def member(**changes: Any) -> Member:
    return replace(Member("d1", 1, "A / north", "waiting", START), **changes)


UPDATED = member(outcome="updated", offered_at=START, updated_at=at(2))


# -- the clock


@given(SPANS, st.floats(0, 250), st.floats(0, 250), st.floats(0, 250))
def test_hours_heard_add_up_and_never_exceed_those_that_passed(
    spans: list[tuple[float, float]], one: float, two: float, three: float
) -> None:
    clock = HeardClock([BlindSpan(at(since), at(since + long), "x") for since, long in spans], at(300))
    first, second, third = sorted((one, two, three))
    whole = clock.hours(at(first), at(third))
    assert whole == pytest.approx(clock.hours(at(first), at(second)) + clock.hours(at(second), at(third)), abs=1e-6)
    assert -1e-6 <= whole <= third - first + 1e-6
    assert clock.hours(at(third), at(first)) == pytest.approx(-whole, abs=1e-6)


def test_overlapping_outages_count_once_and_one_that_lasts_ends_now() -> None:
    spans = [BlindSpan(at(2), at(5), "x"), BlindSpan(at(4), at(6), "x"), BlindSpan(at(9), None, "x")]
    assert HeardClock(spans, at(10)).hours(at(0), at(10)) == pytest.approx(5.0)


# -- what becomes of a device


def test_before_its_wave_it_waits_and_in_it_it_is_offered() -> None:
    assert follow(member(), device("1.0"), Seen(), course(1, opened=None)).outcome == "waiting"
    offered = follow(member(), device("1.0"), Seen(), course(1))
    assert (offered.outcome, offered.offered_at) == ("offered", START)


def test_whoever_joins_an_open_wave_later_is_offered_it_from_then_on() -> None:
    assert follow(member(joined_at=at(5)), device("1.0", 5), Seen(), course(6)).offered_at == at(5)


def test_a_success_has_been_heard_on_the_release_for_the_healthy_hours() -> None:
    early = follow(UPDATED, device(heard=20), Seen(), course(20))
    assert (early.outcome, early.healthy_hours) == ("updated", 18.0)
    assert follow(UPDATED, device(heard=26), Seen(), course(26)).outcome == "success"


def test_hours_in_which_nobody_was_heard_make_no_success() -> None:
    assert follow(UPDATED, device(heard=26), Seen(), course(26, (5, 10))).outcome == "updated"
    assert follow(UPDATED, device(heard=31), Seen(), course(31, (5, 10))).outcome == "success"


def test_silence_after_the_update_is_a_failure_that_a_word_takes_back() -> None:
    silent = follow(UPDATED, device(heard=3), Seen(), course(16))
    assert (silent.outcome, silent.why) == ("silent", "it fell silent after the update")
    assert follow(silent, device(heard=17), Seen(), course(17)).outcome == "updated"


def test_our_own_outage_is_nobody_s_silence() -> None:
    assert follow(UPDATED, device(heard=3), Seen(), course(30, (4, 28))).outcome == "updated"


def test_a_device_that_reports_seldom_is_given_three_times_its_own_interval() -> None:
    daily = Seen(interval_s=86_400.0)
    assert follow(UPDATED, device(heard=3), daily, course(60)).outcome == "updated"
    assert follow(UPDATED, device(heard=3), daily, course(76)).outcome == "silent"


def test_a_device_that_dies_of_the_update_before_it_tells_of_it_is_silent_and_one_that_was_away_before_is_not() -> None:
    died = follow(member(), device("1.0", heard=1), Seen(), course(14))
    assert (died.outcome, died.why) == ("silent", "it fell silent before it told of the release")
    assert died.updated_at is None
    assert follow(member(), device("1.0", heard=-20), Seen(), course(14)).outcome == "offered"
    assert follow(member(), device("1.0", heard=None), Seen(), course(14)).outcome == "offered"


def test_a_device_that_reboots_in_some_of_its_hours_needs_longer_and_in_too_many_fails() -> None:
    some = follow(UPDATED, device(heard=26), Seen(bad_hours=UNHEALTHY_HOURS - 1), course(26))
    assert (some.outcome, some.healthy_hours) == ("updated", 22.0)
    many = follow(UPDATED, device(heard=10), Seen(bad_hours=UNHEALTHY_HOURS), course(10))
    assert (many.outcome, many.why) == ("unhealthy", "it rebooted unexpectedly in 3 hours after the update")


def test_a_device_that_goes_back_is_not_healthy_and_one_that_goes_on_has_left() -> None:
    assert follow(UPDATED, device("1.0", 10), Seen(), course(10)).outcome == "unhealthy"
    assert follow(UPDATED, device("2.1", 10), Seen(), course(10)).outcome == "left"
    assert follow(member(), device("2.1", 10), Seen(), course(10)).outcome == "left"
    assert follow(UPDATED, None, Seen(), course(10)).outcome == "left"


@pytest.mark.parametrize("outcome", ["success", "unhealthy", "left"])
def test_what_has_ended_stays_as_it_is(outcome: str) -> None:
    ended = replace(UPDATED, outcome=outcome)
    assert follow(ended, device("1.0", 3), Seen(), course(400)) == ended
    assert follow(ended, None, Seen(), course(400)) == ended


def test_a_deferral_is_neither_and_holds_until_the_device_updates() -> None:
    put_off = follow(member(), device("1.0", 3), Seen(deferred_at=at(2)), course(3))
    assert (put_off.outcome, put_off.deferred_at) == ("deferred", at(2))
    assert follow(put_off, device("1.0", 4), Seen(), course(40)).outcome == "deferred"
    assert follow(put_off, device("2.0", 40), Seen(updated_at=at(40)), course(41)).outcome == "updated"


def test_a_deferral_from_before_the_offer_says_nothing_of_it() -> None:
    assert follow(member(), device("1.0", 6), Seen(deferred_at=at(2)), course(6, opened=5)).outcome == "offered"


def test_a_device_that_is_seen_on_it_only_once_is_known_from_its_last_word_on() -> None:
    once = follow(member(), device(heard=1), Seen(updated_at=at(2)), course(3))
    assert (once.outcome, once.updated_at, once.healthy_hours) == ("updated", at(1), 0.0)


@given(st.sampled_from(["1.0", "2.0", "2.1"]), st.floats(-30, 60), st.integers(0, 5), st.floats(0, 60))
def test_looking_twice_at_the_same_is_looking_once(version: str, heard: float, bad: int, now: float) -> None:
    seen, its = Seen(updated_at=at(min(heard, now)), bad_hours=bad), course(now)
    once = follow(member(), device(version, min(heard, now)), seen, its)
    assert follow(once, device(version, min(heard, now)), seen, its) == once


# -- whether the draw was followed


def claimed(members: list[Member], now: float = 60.0, before: str = "open") -> str:
    rollout = Rollout(
        1, 1, "s", (), "running", None, 24, 12, 0.02, 0.1, 0.05, before, None, "none", None, None, None, None, START, None, START, "k", 1,
    )  # fmt: skip
    return claim_of(rollout, members, course(now)).state


DRAWN = replace(UPDATED, heard_at=at(3))
NOT_DRAWN = replace(DRAWN, offered_at=None)
REFUSED = member(outcome="offered", offered_at=START, heard_at=at(50))
AWAY = replace(REFUSED, heard_at=at(1))


def test_a_few_updates_say_nothing_yet() -> None:
    assert claimed([DRAWN] * 9) == "open"
    assert claimed([NOT_DRAWN] * 9) == "open"


def test_the_claim_stands_while_those_who_were_drawn_update() -> None:
    assert claimed([DRAWN] * 20) == "followed"
    assert claimed([DRAWN] * 20 + [AWAY] * 20) == "followed"


@pytest.mark.parametrize("others", [[NOT_DRAWN] * 4, [REFUSED] * 4, [NOT_DRAWN, NOT_DRAWN, REFUSED]])
def test_the_claim_is_withdrawn_for_good_where_others_update_or_those_drawn_do_not(others: list[Member]) -> None:
    assert claimed([DRAWN] * 20 + others) == "withdrawn"
    assert claimed([DRAWN] * 200, before="withdrawn") == "withdrawn"


def test_who_updates_before_its_wave_opens_was_not_drawn_then() -> None:
    early = replace(DRAWN, updated_at=at(2), offered_at=at(20))
    assert claimed([DRAWN] * 20 + [early] * 4) == "withdrawn"
