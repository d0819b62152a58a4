"""No order of findings, rounds, deliveries, releases and pauses lets more notices leave than their budgets; danger passes."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from alerts.policy import brakes
from hearthwatch.clock import SteppedClock
from hearthwatch.records import brakes as brake_rows
from hearthwatch.records import consents
from hearthwatch.records.database import open_database
from hearthwatch.records.tables import metadata
from hearthwatch.values import Notice
from tests.unit.alerts.policy.texts import CHECK_UP, SAFETY, keep
from tests.unit.alerts.world import NOON, World

MONTH, WEEK = timedelta(days=30), timedelta(days=7)
HOMES, DEVICES = 4, 2
A_MONTH, A_WEEK = 1, 2
LIMITS = (
    f"[notices]\nper_household_and_month = {A_MONTH}\nper_1000_devices_and_week = {A_WEEK}\nper_round = 3\n"
    "group_hours = 0\ngather_hours = 1\n"
)
MODES = ("battery_fade", "relay_wear", "wifi_failing", "overheating")

FOUND = st.tuples(
    st.just("find"), st.integers(1, HOMES), st.integers(1, DEVICES), st.sampled_from(MODES), st.booleans()
)
STEPS = st.one_of(
    FOUND,
    FOUND,
    FOUND,
    st.tuples(st.just("round")),
    st.tuples(st.just("deliver")),
    st.tuples(st.just("wait"), st.sampled_from([0.5, 6.0, 80.0, 200.0])),
    st.tuples(st.just("pause"), st.booleans()),
    st.tuples(st.just("release")),
    st.tuples(st.just("consent"), st.integers(1, HOMES), st.booleans()),
)


def most_within(times: Sequence[datetime], span: timedelta) -> int:
    """The most of some times that lie within one span."""
    return max(
        (sum(0 <= (other - one).total_seconds() < span.total_seconds() for other in times) for one in times), default=0
    )


def sent_at(notices: Sequence[Notice]) -> list[datetime]:
    return [notice.sent_at for notice in notices if notice.sent_at is not None]


def built() -> World:
    database = open_database("sqlite://")
    metadata.create_all(database.engine)  # every example begins anew, and migrations take their time
    world = World(database, SteppedClock(NOON))
    for home in range(1, HOMES + 1):
        world.home(home, devices_=[f"d-{home}-{number}" for number in range(1, DEVICES + 1)])
    keep(world, LIMITS + SAFETY + CHECK_UP)
    return world


def do(world: World, step: tuple[object, ...]) -> None:
    what, *given_ = step
    if what == "find":
        home, number, mode, looked_at = given_
        world.observe(f"d-{home}-{number}", str(mode), severity="warning")
        if looked_at:
            world.apply()
    elif what == "round":
        world.apply()
        world.follow_up()
    elif what == "deliver":
        world.deliver()
    elif what == "wait":
        world.pass_time(hours=float(str(given_[0])))
    else:
        _by_a_person(world, str(what), given_)


def _by_a_person(world: World, what: str, given_: Sequence[object]) -> None:
    with world.database.transaction() as connection:
        if what == "consent":
            consents.record(connection, f"c-{given_[0]}", "service", bool(given_[1]), world.now, "test")
        elif what == "pause" and given_[0]:
            brakes.pause(connection, "ann", world.now, "works")
        elif what == "pause":
            brakes.resume(connection, "ann", world.now)
        for waiting in brake_rows.rounds(connection, on=True) if what == "release" else ():
            brakes.release_round(connection, waiting.name, "bob", world.now)


def found(home: int, device: int = 1, mode: str = "battery_fade") -> tuple[object, ...]:
    return "find", home, device, mode, True


@example([found(1), found(2), found(3), ("wait", 6.0), ("deliver",)])
@example([found(1), ("wait", 6.0), ("deliver",), found(1, 2), ("wait", 200.0), found(1, 2, "relay_wear")])
@settings(max_examples=8, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])
@given(st.lists(STEPS, min_size=6, max_size=18))
def test_no_order_of_things_exceeds_a_budget(steps: list[tuple[object, ...]]) -> None:
    world = built()
    try:
        for step in [*steps, ("pause", False), ("round",), ("wait", 2.0), ("deliver",)]:
            do(world, step)
        served = [one for one in world.notices() if not (one.why and one.why.get("purpose") == "safety")]
        for home in range(1, HOMES + 1):
            assert most_within(sent_at([one for one in served if one.home_id == f"h-{home}"]), MONTH) <= A_MONTH
        assert most_within(sent_at(served), WEEK) <= A_WEEK
    finally:
        world.database.close()


def test_what_was_held_back_for_the_budget_counts_from_the_day_it_is_sent(world: World) -> None:
    world.home(devices_=("d-1", "d-2", "d-3"))
    keep(world, "[notices]\nper_household_and_month = 1\ngroup_hours = 0\n" + CHECK_UP)
    for number, days in ((1, 0), (2, 20), (3, 11)):
        world.pass_time(days=days)
        for device in range(1, number + 1):
            world.observe(f"d-{device}", severity="warning")
        world.run()
    # day 31: the second one, which waited since day 20, is sent, and the third has to wait until day 61
    assert [notice.state for notice in world.notices()] == ["sent", "sent"]
    world.pass_time(days=29)
    world.observe("d-3", severity="warning")
    world.stand("d-3", "relay_wear", severity="warning")
    world.run()
    assert [notice.state for notice in world.notices()].count("sent") == 2


@pytest.fixture
def crowd(world: World) -> World:
    for home in range(1, 6):
        world.home(home, devices_=(f"lock-{home}",))
    return world


def test_the_fleet_s_budget_goes_to_the_gravest_and_the_others_are_seen_waiting(crowd: World) -> None:
    keep(crowd, "[notices]\nper_1000_devices_and_week = 2\n" + CHECK_UP)
    for home, likely in ((1, 0.4), (2, 0.9), (3, 0.5), (4, 0.8)):
        crowd.observe(f"lock-{home}", kind="prognosis", probability=likely, severity="warning")
    crowd.run()
    states = {notice.device_id: notice.state for notice in crowd.notices()}
    assert states == {"lock-1": "waiting", "lock-2": "sent", "lock-3": "waiting", "lock-4": "sent"}
    assert "budget of 2 notices a week" in str(crowd.notices(device_id="lock-1")[0].reason)
    crowd.pass_time(days=7, minutes=1)
    for home in (1, 3):
        crowd.observe(f"lock-{home}", kind="prognosis", probability=0.5, severity="warning")
    crowd.run()
    assert {notice.state for notice in crowd.notices()} == {"sent"}


def test_danger_passes_both_budgets_but_not_a_pause(crowd: World) -> None:
    keep(crowd, "[notices]\nper_1000_devices_and_week = 0\nper_household_and_month = 0\n" + SAFETY + CHECK_UP)
    crowd.stand("lock-1", "overheating")
    crowd.stand("lock-2")
    with crowd.database.transaction() as connection:
        brakes.pause(connection, "ann", crowd.now, "works")
    crowd.run()
    assert crowd.customers_letters() == []
    with crowd.database.transaction() as connection:
        brakes.resume(connection, "ann", crowd.now)
    crowd.run()
    assert [letter.address for letter in crowd.customers_letters()] == ["mailbox://c-1"]


def test_danger_waits_for_a_second_person_and_for_a_live_policy(crowd: World) -> None:
    keep(crowd, "[notices]\nper_round = 1\n" + SAFETY, "observe")
    for home in (1, 2):
        crowd.stand(f"lock-{home}", "overheating")
    crowd.run()
    assert {notice.state for notice in crowd.notices()} == {"observed"}
    crowd.set_mode(1, "live")
    crowd.run()
    assert {notice.state for notice in crowd.notices()} == {"held"}
