"""The state of one device: what each kind of evidence means, and the laws that hold whatever the evidence is."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from analytics.liveness.power import TERMS, PowerClass
from analytics.liveness.spans import Blind
from analytics.liveness.states import Evidence, State, Word, judge

NOON = datetime(2026, 5, 1, 12, tzinfo=UTC)
MINUTE, HOUR = timedelta(minutes=1), timedelta(hours=1)
ALIVENESS: dict[State, int] = {"online": 3, "asleep": 3, "unknown": 2, "late": 1, "offline": 0}


def plug(heard: timedelta = timedelta(0), interval: timedelta = 5 * MINUTE) -> Evidence:
    """A device on the mains that was last heard so long before noon."""
    return Evidence("mains", interval, NOON - heard)


def sensor(heard: timedelta) -> Evidence:
    """A sensor that sleeps for hours between its messages."""
    return Evidence("sleepy", 8 * HOUR, NOON - heard)


# -- silence


def test_a_device_that_was_never_heard_is_unknown_and_not_offline() -> None:
    judged = judge(Evidence("mains", MINUTE, None), NOON)
    assert (judged.state, judged.why["text_key"]) == ("unknown", "never_heard")


@pytest.mark.parametrize(
    ("silent", "state"),
    [
        (timedelta(0), "online"),
        (14 * MINUTE, "online"),
        (16 * MINUTE, "late"),
        (29 * MINUTE, "late"),
        (31 * MINUTE, "offline"),
    ],
)
def test_silence_makes_a_device_late_and_then_offline_by_multiples_of_its_own_interval(
    silent: timedelta, state: State
) -> None:
    assert judge(plug(silent), NOON).state == state


def test_a_device_that_speaks_every_second_is_not_late_after_a_busy_minute() -> None:
    assert judge(plug(4 * MINUTE, timedelta(seconds=1)), NOON).state == "online"


def test_a_sleepy_sensor_is_asleep_within_its_long_interval_and_late_only_beyond() -> None:
    assert judge(sensor(MINUTE), NOON).state == "online"
    assert judge(sensor(7 * HOUR), NOON).state == "asleep"
    assert judge(sensor(17 * HOUR), NOON).state == "late"
    assert judge(sensor(26 * HOUR), NOON).state == "offline"


def test_a_state_says_when_it_ends_if_nothing_is_heard_and_does_end_then() -> None:
    judged = judge(plug(MINUTE), NOON)
    assert judged.until == NOON + 14 * MINUTE
    assert judge(plug(MINUTE), judged.until).state == "online"
    assert judge(plug(MINUTE), judged.until + timedelta(seconds=1)).state == "late"


def test_a_device_that_said_it_is_online_and_sent_no_last_will_gets_more_silence_before_it_is_offline() -> None:
    quiet = plug(HOUR)
    assert judge(quiet, NOON).state == "offline"
    assert judge(replace(quiet, word=Word(True, NOON - 2 * HOUR)), NOON).state == "late"
    assert judge(replace(plug(3 * HOUR), word=Word(True, NOON - 5 * HOUR)), NOON).state == "offline"


# -- last wills


def test_a_last_will_counts_only_after_a_grace_in_which_the_device_may_reconnect() -> None:
    gone = replace(plug(MINUTE), word=Word(False, NOON - timedelta(seconds=30)))
    soon = judge(gone, NOON)
    assert (soon.state, soon.why["text_key"]) == ("late", "left")
    later = judge(gone, NOON + 2 * MINUTE)
    assert (later.state, later.why["text_key"], later.began) == ("offline", "gone", soon.until)


def test_a_device_that_is_heard_after_its_last_will_is_online() -> None:
    assert judge(replace(plug(), word=Word(False, NOON - 10 * MINUTE)), NOON).state == "online"


def test_a_sleepy_sensor_that_says_goodbye_only_sleeps() -> None:
    said = replace(sensor(HOUR), word=Word(False, NOON - HOUR + timedelta(seconds=2)))
    assert judge(said, NOON).state == "asleep"


def test_a_device_of_which_only_a_last_will_is_known_is_offline() -> None:
    assert judge(Evidence("mains", MINUTE, None, Word(False, NOON - HOUR)), NOON).state == "offline"


def test_a_flapping_device_is_online_and_says_so_until_it_stays_away() -> None:
    away = replace(plug(10 * MINUTE), word=Word(False, NOON - 9 * MINUTE), flapping=True, goings=5)
    judged = judge(away, NOON)
    assert (judged.state, judged.why["text_key"], judged.why["values"]["goings"]) == ("online", "flapping", 5)
    assert judge(away, NOON + HOUR).state == "offline"


# -- our own blindness


def test_who_is_silent_only_while_we_are_blind_is_unknown() -> None:
    blind = Blind(NOON - HOUR, None, "broker_away")
    judged = judge(replace(plug(HOUR + 5 * MINUTE), blind=[blind]), NOON)
    assert (judged.state, judged.began, judged.until) == ("unknown", NOON - HOUR, None)
    assert judged.why["values"]["by"] == "broker_away"


def test_a_device_that_was_heard_a_moment_before_we_went_blind_is_still_online_for_that_moment() -> None:
    assert judge(replace(plug(5 * MINUTE), blind=[Blind(NOON - MINUTE, None, "no_ingestor")]), NOON).state == "online"


def test_after_a_blindness_a_device_gets_one_interval_to_be_heard_again() -> None:
    seen_again = NOON - MINUTE
    of = replace(plug(2 * HOUR, 10 * MINUTE), blind=[Blind(NOON - 2 * HOUR, seen_again, "no_ingestor")])
    judged = judge(of, NOON)
    assert (judged.state, judged.why["text_key"]) == ("unknown", "blind_before")
    assert judged.until == seen_again + 10 * MINUTE + 30 * MINUTE, "the grace, and then what makes it late at all times"
    assert judge(of, judged.until + MINUTE).state == "late"


def test_who_was_offline_before_we_went_blind_still_is() -> None:
    of = replace(plug(5 * HOUR), blind=[Blind(NOON - HOUR, None, "broker_away")])
    assert judge(of, NOON).state == "offline"


def test_a_last_will_that_a_broker_outage_brought_about_does_not_count() -> None:
    outage = Blind(NOON - 10 * MINUTE, NOON - 5 * MINUTE, "broker_away")
    of = replace(plug(11 * MINUTE), word=Word(False, NOON - 4 * MINUTE), blind=[outage])
    assert judge(of, NOON).state == "online"


# -- bridges


def test_behind_a_bridge_that_is_away_a_device_is_unknown_and_the_bridge_is_named() -> None:
    away = Blind(NOON - MINUTE, None, "bridge", "0xb1")
    judged = judge(replace(plug(2 * MINUTE), blind=[away]), NOON)
    assert (judged.state, judged.why["text_key"], judged.why["values"]["bridge"]) == (
        "unknown",
        "behind_bridge",
        "0xb1",
    )


def test_while_a_bridge_is_only_late_a_device_is_unknown_once_it_is_overdue_itself() -> None:
    late = Blind(NOON - HOUR, None, "bridge", "0xb1", sure=False)
    assert judge(replace(sensor(2 * HOUR), blind=[late]), NOON).state == "asleep"
    assert judge(replace(plug(HOUR + MINUTE), blind=[late]), NOON).state == "unknown"


def test_the_wills_that_a_dead_edge_node_leaves_for_its_devices_are_its_own() -> None:
    died = NOON - HOUR
    away = Blind(died, None, "bridge", "group.edge")
    of = replace(plug(HOUR + MINUTE), word=Word(False, died), blind=[away])
    assert judge(of, NOON).state == "unknown"


def test_who_is_heard_by_another_way_while_its_bridge_is_away_is_online() -> None:
    away = Blind(NOON - HOUR, None, "bridge", "0xb1")
    assert judge(replace(plug(MINUTE), blind=[away]), NOON).state == "online"


def test_a_device_that_does_not_come_back_with_its_bridge_is_offline_in_the_end() -> None:
    away = Blind(NOON - 2 * HOUR, NOON - HOUR, "bridge", "0xb1")
    of = replace(plug(2 * HOUR + MINUTE), blind=[away])
    assert judge(of, NOON - 58 * MINUTE).why["text_key"] == "bridge_back"
    assert judge(of, NOON).state == "offline"


# -- laws

spans = st.builds(
    lambda ago, lasted, bridge, sure: Blind(
        NOON - ago, None if lasted is None else NOON - ago + lasted, "bridge" if bridge else "no_ingestor", bridge, sure
    ),
    st.timedeltas(timedelta(), 48 * HOUR),
    st.none() | st.timedeltas(timedelta(), 48 * HOUR),
    st.none() | st.just("bridge-1"),
    st.booleans(),
)
powers = st.sampled_from(sorted(TERMS))


@st.composite
def evidences(draw: st.DrawFn) -> Evidence:
    """Anything that can be known at noon."""
    power: PowerClass = draw(powers)
    heard = draw(st.none() | st.timedeltas(timedelta(), 72 * HOUR).map(lambda ago: NOON - ago))
    said = draw(
        st.none()
        | st.builds(lambda online, ago: Word(online, NOON - ago), st.booleans(), st.timedeltas(timedelta(), 72 * HOUR))
    )
    interval = draw(st.timedeltas(MINUTE, 12 * HOUR))
    return Evidence(power, interval, heard, said, draw(st.lists(spans, max_size=3)), draw(st.booleans()))


@given(evidences(), st.timedeltas(timedelta(), 96 * HOUR), st.timedeltas(timedelta(), 96 * HOUR))
def test_more_silence_never_makes_a_device_more_alive(of: Evidence, some: timedelta, more: timedelta) -> None:
    assert ALIVENESS[judge(of, NOON + some + more).state] <= ALIVENESS[judge(of, NOON + some).state]


@given(evidences(), spans, st.timedeltas(timedelta(), 96 * HOUR))
def test_blindness_never_makes_a_device_offline(of: Evidence, span: Blind, later: timedelta) -> None:
    without = judge(of, NOON + later).state
    if judge(replace(of, blind=[*of.blind, span]), NOON + later).state == "offline":
        assert without == "offline"


@given(evidences(), st.timedeltas(timedelta(), 96 * HOUR))
def test_hearing_a_device_ends_late_and_offline(of: Evidence, later: timedelta) -> None:
    now = NOON + later + timedelta(seconds=1)
    assert judge(replace(of, heard_at=now), now).state == "online"


@given(evidences(), st.timedeltas(timedelta(), 96 * HOUR))
def test_every_state_is_explained_and_has_begun(of: Evidence, later: timedelta) -> None:
    judged = judge(of, NOON + later)
    assert judged.why["text"]
    assert judged.began <= NOON + later
    assert judged.until is None or judged.until >= NOON + later
