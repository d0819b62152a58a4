"""How often a device is expected, how it is powered, when it was heard, and whether it flaps."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from analytics.liveness import flapping
from analytics.liveness.gaps import Bins, count, expected_interval, learn
from analytics.liveness.hearing import heard_at, learned
from analytics.liveness.power import power_of
from analytics.liveness.spans import Blind, explained
from hearthwatch.records.liveness import Watched

NOON = datetime(2026, 5, 1, 12, tzinfo=UTC)
MINUTE, HOUR = timedelta(minutes=1), timedelta(hours=1)
PRIOR = 10 * MINUTE


def after(*gaps: timedelta) -> timedelta:
    """The interval expected after such gaps."""
    bins: Bins = {}
    for gap in gaps:
        bins = learn(bins, gap)
    return expected_interval(bins, PRIOR)


def about(interval: timedelta) -> object:
    """That interval, as exact as it is kept."""
    return pytest.approx(interval.total_seconds(), rel=0.13)


# -- the interval


def test_until_enough_is_known_the_interval_is_never_taken_for_shorter_than_the_power_class_suggests() -> None:
    assert after() == PRIOR
    assert after(*[MINUTE] * 4) == PRIOR
    assert after(*[MINUTE] * 5).total_seconds() == about(MINUTE)


def test_one_long_gap_is_believed_at_once_when_nothing_else_is_known() -> None:
    assert after(6 * HOUR).total_seconds() == about(6 * HOUR)


def test_bursts_of_messages_do_not_hide_that_a_device_otherwise_speaks_hourly() -> None:
    assert after(*([MINUTE] * 15 + [HOUR]) * 6).total_seconds() == about(HOUR)


def test_one_absence_among_many_regular_gaps_changes_nothing() -> None:
    assert after(*[5 * MINUTE] * 60, 3 * HOUR, *[5 * MINUTE] * 10).total_seconds() == about(5 * MINUTE)


def test_a_device_that_was_set_to_speak_more_rarely_is_relearned() -> None:
    assert after(*[5 * MINUTE] * 200, *[HOUR] * 40).total_seconds() == about(HOUR)


def test_what_is_remembered_stays_small() -> None:
    bins: Bins = {}
    for number in range(5000):
        bins = learn(bins, MINUTE * (1 + number % 700))
    assert count(bins) <= 200
    assert len(bins) < 60


# -- what counts as a gap


def gap_of(
    since: timedelta, *, blind: tuple[Blind, ...] = (), looked: timedelta = MINUTE, most: timedelta = 30 * MINUTE
) -> int:
    """How many gaps are learned of a device that was silent so long and was heard just now."""
    bins = learned({}, NOON - since, NOON, blind=blind, looked=NOON - looked, now=NOON, most=most)
    return count(bins)


def test_a_gap_in_which_we_were_blind_teaches_nothing() -> None:
    assert gap_of(HOUR) == 1
    assert gap_of(HOUR, blind=(Blind(NOON - 30 * MINUTE, NOON - 29 * MINUTE, "broker_away"),)) == 0


def test_when_nobody_looked_for_hours_short_gaps_are_not_known() -> None:
    assert gap_of(5 * HOUR, looked=4 * HOUR) == 0
    assert gap_of(24 * HOUR, looked=4 * HOUR) == 1


def test_an_absence_of_weeks_counts_as_no_more_than_being_offline() -> None:
    bins = learned({}, NOON - 20 * 24 * HOUR, NOON, blind=(), looked=NOON - MINUTE, now=NOON, most=30 * MINUTE)
    assert expected_interval(bins, MINUTE).total_seconds() == about(30 * MINUTE)


# -- when it was heard


def device(seen: datetime | None, online: bool | None = None, said: datetime | None = None) -> Watched:
    return Watched("d", None, None, None, online, said, seen)


def test_a_last_will_is_no_sign_of_life() -> None:
    gone = device(NOON, online=False, said=NOON)
    assert heard_at(gone, NOON - HOUR, NOON - HOUR, (), NOON - MINUTE, NOON + MINUTE) == NOON - HOUR
    assert heard_at(gone, None, None, (), None, NOON) is None


def test_a_message_after_a_last_will_is_one() -> None:
    back = device(NOON, online=False, said=NOON - MINUTE)
    assert heard_at(back, NOON - HOUR, NOON - MINUTE, (), NOON - MINUTE, NOON) == NOON


def test_a_device_whose_clock_is_an_hour_slow_is_heard_when_its_message_comes() -> None:
    slow = device(NOON - HOUR)
    assert heard_at(slow, NOON - 5 * MINUTE, NOON - 65 * MINUTE, (), NOON - MINUTE, NOON) == NOON


def test_old_messages_that_come_after_our_own_outage_do_not_show_that_a_device_is_there_now() -> None:
    outage = Blind(NOON - 2 * HOUR, NOON - MINUTE, "store_away")
    late = device(NOON - HOUR)
    assert heard_at(late, NOON - 3 * HOUR, NOON - 3 * HOUR, (outage,), NOON - MINUTE, NOON) == NOON - HOUR


def test_a_clock_that_runs_ahead_makes_nobody_heard_in_the_future() -> None:
    assert heard_at(device(NOON + 4 * MINUTE), None, None, (), None, NOON) == NOON


# -- power


@pytest.mark.parametrize(
    ("planned", "source", "metrics", "convention", "expected"),
    [
        ("sleepy", "Mains (single phase)", ["power_w"], "tasmota", ("sleepy", "registry")),
        (None, "Battery", ["battery_pct"], "zigbee2mqtt", ("sleepy", "bridge")),
        (None, "Mains (single phase)", ["link_quality_pct"], "zigbee2mqtt", ("mains", "bridge")),
        (None, "DC Source", [], "zigbee2mqtt", ("mains", "bridge")),
        (None, None, ["battery_pct", "power_w"], "native", ("mains", "metrics")),
        (None, None, ["battery_v"], "native", ("battery", "metrics")),
        (None, None, ["battery_pct"], "shelly_gen2", ("sleepy", "metrics")),
        (None, None, [], "tasmota", ("mains", "convention")),
        (None, "Unknown", [], "native", ("unknown", "nothing")),
    ],
)
def test_how_a_device_is_powered_is_told_by_the_strongest_source(
    planned: str | None, source: str | None, metrics: list[str], convention: str, expected: tuple[str, str]
) -> None:
    assert power_of(planned=planned, source=source, metrics=metrics, convention=convention) == expected


# -- flapping


def test_a_device_flaps_from_the_fourth_going_on_until_it_is_calm() -> None:
    words = [("d", NOON + minute * MINUTE, minute % 2 == 1) for minute in range(10)]
    times = flapping.goings(words)["d"]
    assert len(times) == 5
    for so_far, is_flapping in ((3, False), (4, True)):
        number = flapping.counted(times[:so_far], (), NOON + 10 * MINUTE, MINUTE)
        assert flapping.flaps(number, before=False, threshold=4) is is_flapping
    assert flapping.flaps(2, before=True, threshold=4)
    assert not flapping.flaps(1, before=True, threshold=4)


def test_a_will_that_is_told_twice_is_one_going() -> None:
    words = [("d", NOON, False), ("d", NOON + MINUTE, False), ("e", NOON, True)]
    assert {name: len(times) for name, times in flapping.goings(words).items()} == {"d": 1}


def test_goings_of_long_ago_and_those_of_a_broker_that_restarts_are_not_counted() -> None:
    restart = Blind(NOON - 10 * MINUTE, NOON - 8 * MINUTE, "broker_away")
    times = [NOON - 3 * HOUR, NOON - 9 * MINUTE, NOON - 7 * MINUTE, NOON - 2 * MINUTE]
    assert flapping.counted(times, (restart,), NOON, 2 * MINUTE) == 1


# -- spans


def test_spans_that_overlap_explain_a_silence_once() -> None:
    two = [Blind(NOON - 2 * HOUR, NOON - HOUR, "a"), Blind(NOON - 90 * MINUTE, NOON - 30 * MINUTE, "b")]
    assert explained(two, NOON - 3 * HOUR, NOON, timedelta(0)) == 90 * MINUTE
    assert explained(two, NOON - 3 * HOUR, NOON, HOUR) == 2 * HOUR, "the grace ends now at the latest"
