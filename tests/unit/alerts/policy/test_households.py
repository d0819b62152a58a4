"""One letter to a household about all that is to be done there."""

from __future__ import annotations

import pytest

from alerts.policy import brakes
from hearthwatch.records import brakes as rows
from hearthwatch.records import notice_findings
from tests.unit.alerts.policy.texts import CHECK_UP, SAFETY, keep
from tests.unit.alerts.world import World


def told_of(world: World, notice_id: int) -> set[str]:
    with world.database.reading() as connection:
        return {one.device_id for one in notice_findings.of_notices(connection, [notice_id]).get(notice_id, [])}


@pytest.fixture
def home(world: World) -> World:
    world.home(devices_=("lock-1", "lock-2", "lock-3"))
    return world


def test_devices_of_one_home_go_into_one_letter_and_each_gets_its_ticket(home: World) -> None:
    keep(home, CHECK_UP)
    for device in ("lock-1", "lock-2"):
        home.stand(device)
    home.run()
    notice = home.notice()
    assert told_of(home, notice.id) == {"lock-1", "lock-2"}
    assert len(home.tickets()) == 2
    (letter,) = home.customers_letters()
    assert "lock-1" in letter.text
    assert "lock-2" in letter.text


def test_different_faults_of_one_home_stand_in_one_letter_the_gravest_first(home: World) -> None:
    keep(home, CHECK_UP)
    home.stand("lock-1", "wifi_failing", severity="warning")
    home.stand("lock-2", "relay_wear", severity="critical")
    home.run()
    assert home.notice().device_id == "lock-2"
    (letter,) = home.customers_letters()
    assert "lock-1" in letter.text


def test_neighbours_are_written_to_each_for_themselves(home: World) -> None:
    home.home(2, devices_=("lock-9",))
    keep(home, CHECK_UP)
    home.stand("lock-1")
    home.stand("lock-9")
    home.run()
    assert {notice.customer_id for notice in home.notices()} == {"c-1", "c-2"}


def test_what_was_told_with_others_is_not_told_again(home: World) -> None:
    keep(home, CHECK_UP)
    for device in ("lock-1", "lock-2"):
        home.stand(device)
    home.run()
    for _ in range(3):
        home.pass_time(days=4)
        for device in ("lock-1", "lock-2"):
            home.observe(device)
        home.run()
    assert len(home.notices()) == 1


def test_a_warning_of_danger_stands_alone_and_at_once(home: World) -> None:
    keep(home, SAFETY + CHECK_UP)
    home.stand("lock-1")
    home.stand("lock-2", "overheating")
    home.run()
    assert {notice.device_id: told_of(home, notice.id) for notice in home.notices()} == {
        "lock-1": set(),
        "lock-2": set(),
    }
    assert len(home.customers_letters()) == 2


def test_two_signs_of_one_fault_are_one_thing_to_be_told(home: World) -> None:
    keep(home, CHECK_UP)
    home.stand("lock-1", kind="anomaly")
    home.stand("lock-1", kind="prognosis", probability=0.6)
    home.run()
    (letter,) = home.customers_letters()
    assert letter.text.count("lock-1") == 1


def test_what_is_found_before_the_letter_has_left_goes_with_it(home: World) -> None:
    keep(home, "[notices]\ngather_hours = 6\n" + CHECK_UP)
    home.stand("lock-1")
    home.run()
    assert home.notice().state == "queued"
    home.pass_time(hours=2)
    home.stand("lock-2")
    home.run()
    notice = home.notice()
    assert told_of(home, notice.id) == {"lock-1", "lock-2"}
    home.pass_time(hours=4)
    home.run()
    (letter,) = home.customers_letters()
    assert "lock-1" in letter.text
    assert "lock-2" in letter.text
    assert sorted(item.state for item in home.outbox()) == ["cancelled", "delivered"]


def test_what_is_found_after_it_has_left_is_another_letter(home: World) -> None:
    keep(home, CHECK_UP)
    home.stand("lock-1")
    home.run()
    home.pass_time(hours=1)
    home.stand("lock-2")
    home.run()
    assert [notice.device_id for notice in home.notices()] == ["lock-1", "lock-2"]


def test_one_letter_about_many_counts_once_against_the_budget(home: World) -> None:
    keep(home, "[notices]\nper_household_and_month = 1\n" + CHECK_UP)
    for device in ("lock-1", "lock-2"):
        home.stand(device)
    home.run()
    home.pass_time(days=1)
    home.stand("lock-3")
    home.run()
    assert [notice.state for notice in home.notices()] == ["sent", "suppressed"]


def test_an_observing_policy_shows_one_letter_and_no_more_at_the_next_look(home: World) -> None:
    keep(home, CHECK_UP, "observe")
    for device in ("lock-1", "lock-2"):
        home.stand(device)
    for _ in range(3):
        home.run()
        home.pass_time(days=4)
        for device in ("lock-1", "lock-2"):
            home.observe(device)
    assert [notice.state for notice in home.notices()] == ["observed"]


def test_a_letter_held_for_a_second_person_still_tells_of_all(home: World) -> None:
    home.home(2, devices_=("lock-9",))
    keep(home, "[notices]\nper_round = 1\n" + CHECK_UP)
    for device in ("lock-1", "lock-2", "lock-9"):
        home.stand(device)
    home.run()
    assert {notice.state for notice in home.notices()} == {"held"}
    with home.database.transaction() as connection:
        (waiting,) = rows.rounds(connection, on=True)
        brakes.release_round(connection, waiting.name, "bob", home.now)
    home.run()
    letters = {letter.address: letter.text for letter in home.customers_letters()}
    assert "lock-2" in letters["mailbox://c-1"]


def test_what_comes_to_a_letter_that_is_held_back_does_not_make_a_second_one(world: World) -> None:
    world.home(devices_=("lock-1", "lock-2", "lock-3"), consent=())
    keep(world, CHECK_UP)
    for device in ("lock-1", "lock-2"):
        world.stand(device)
    world.run()
    world.pass_time(hours=6)
    world.stand("lock-3", severity="critical", probability=0.9, kind="prognosis")
    world.run()
    assert [notice.state for notice in world.notices()] == ["suppressed"]
