"""The all-clear: to whom was warned, once the cause is over for good; to nobody else."""

from __future__ import annotations

from hearthwatch.records import devices, findings, notices
from hearthwatch.values import Finding, Notice
from tests.unit.alerts.world import BAD, FIX, MODEL, World


def clears(world: World) -> list[Notice]:
    return [one for one in world.notices() if one.kind == "all_clear"]


def warned_of_heat(world: World) -> Finding:
    world.policy()
    finding = world.stand("lock-1", "overheating", part="housing")
    world.run()
    assert [one.state for one in world.notices()] == ["sent"]
    return finding


def test_heat_that_stays_away_is_over_after_the_days_signs_need_to_settle(world: World) -> None:
    world.home(1)
    finding = warned_of_heat(world)
    world.recover(finding)
    world.pass_time(hours=12)
    world.follow_up()
    assert clears(world) == []
    world.pass_time(days=3)
    for _ in range(2):
        world.follow_up()
        world.deliver()
    told = [one for one in world.notices() if one.kind in {"all_clear", "ticket_update"}]
    assert len(told) == 1  # the ticket closed by itself, and that was told; twice would be once too often


def test_heat_without_a_ticket_gets_an_all_clear_of_its_own(world: World) -> None:
    world.home(1)
    world.policy(tell_customer="tell_customer = []")
    finding = world.stand("lock-1", "overheating", part="housing")
    world.run()
    world.recover(finding)
    world.pass_time(days=4)
    for _ in range(2):
        world.follow_up()
        world.deliver()
    (clear,) = clears(world)
    assert clear.finding_id == finding.id
    assert "Its temperature has stayed normal since we wrote to you." in clear.body


def test_nobody_gets_one_who_was_not_warned(world: World) -> None:
    world.home(1, channels=())
    world.policy()
    finding = world.stand("lock-1", "overheating", part="housing")
    world.run()
    assert all(one.state != "sent" for one in world.notices())
    world.recover(finding)
    world.pass_time(days=4)
    world.follow_up()
    assert clears(world) == []


def test_another_fault_that_went_by_itself_gets_none(world: World) -> None:
    world.home(1)
    world.policy(tell_customer="tell_customer = []")
    finding = world.stand("lock-1", "motor_wear")
    world.run()
    world.recover(finding)
    world.pass_time(days=4)
    world.follow_up()
    assert clears(world) == []


def worse_release(world: World) -> Finding:
    world.home(1, version=BAD)
    bad = world.release(BAD)
    world.release(FIX, replaces=BAD, fixes=[BAD])
    world.policy(tell_customer="tell_customer = []")
    evidence = {"verdict": "worse", "model": MODEL, "version": BAD, "reasons": []}
    finding = world.stand(f"release:{bad.id}", "reboots", kind="cohort", evidence=evidence)
    world.run()
    assert [one.kind for one in world.notices()] == ["update"]
    return finding


def test_a_bad_release_is_over_for_whoever_runs_the_fixed_one(world: World) -> None:
    finding = worse_release(world)
    world.recover(finding)
    world.follow_up()
    assert clears(world) == []  # the device still runs the bad one
    with world.database.transaction() as connection:
        devices.register(connection, [{"id": "lock-1", "model": MODEL, "firmware": FIX}])
    world.follow_up()
    (clear,) = clears(world)
    assert "The update has put right what we wrote to you about." in clear.body


def test_the_all_clear_does_not_count_against_the_household_s_budget(world: World) -> None:
    finding = worse_release(world)
    world.recover(finding)
    with world.database.transaction() as connection:
        devices.register(connection, [{"id": "lock-1", "model": MODEL, "firmware": FIX}])
        assert findings.get(connection, finding.id).state == "recovered"
    world.follow_up()
    world.deliver()
    with world.database.reading() as connection:
        spent = notices.spent(connection, world.now.replace(year=2025), home_ids=["h-1"], customer_ids=[])
    assert spent == {"h-1": 1}
