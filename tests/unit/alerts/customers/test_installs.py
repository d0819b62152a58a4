"""An accepted update: who is offered it, how it leaves, and how it is judged; the device's answer decides nothing."""

from __future__ import annotations

from datetime import timedelta

import pytest

from alerts import jobs
from alerts.customers import installs, offers
from hearthwatch.errors import Conflict, Invalid
from hearthwatch.records import asking, commands, devices, releases, rollout_devices, rollouts, update_installs
from hearthwatch.records.commands import Command
from hearthwatch.records.devices import Sighting
from hearthwatch.records.releases import Image
from hearthwatch.records.rollout_devices import Member
from hearthwatch.records.rollouts import Plan, Wave
from hearthwatch.records.tables import decoder_states
from hearthwatch.records.update_installs import UpdateInstall
from hearthwatch.values import Release, Reply
from tests.unit.alerts.test_rounds import worse
from tests.unit.alerts.world import BAD, FIX, MODEL, World

PLAN = Plan((Wave(1, 0.01, 1.0, 1, 0.9), Wave(2, 1.0, 1.0, 1, 0.9)))
IMAGE = Image("https://fw.example.org/lock/2.4.2.bin", "ab" * 32)


def offered(world: World, *names: str, convention: str = "native", image: Image | None = None) -> Release:
    """A customer whose locks run a bad release, and is offered the fix."""
    ids = names or ("lock-1",)
    world.home(devices_=ids, version=BAD)
    with world.database.transaction() as connection:
        devices.see(connection, [Sighting(one, world.now, BAD, convention=convention, online=True) for one in ids])
    world.policy()
    worse(world)
    fix = world.release(FIX, fixes=[BAD])
    if image is not None:
        with world.database.transaction() as connection:
            releases.set_image(connection, fix.id, None, image)
    world.run()
    return fix


def remember(world: World, convention: str, partition: str, state: dict[str, object]) -> None:
    with world.database.transaction() as connection:
        row = {"convention": convention, "partition": partition, "state": state, "updated_at": world.now}
        known = {name: value for name, value in row.items() if name in decoder_states.c}
        connection.execute(decoder_states.insert().values(known))


def accept(world: World) -> None:
    world.press(world.token(), "accept_update")


def install(world: World, device: str = "lock-1") -> UpdateInstall:
    with world.database.reading() as connection:
        (one,) = update_installs.of_devices(connection, [device])
    return one


def command(world: World, device: str = "lock-1") -> Command:
    with world.database.reading() as connection:
        return commands.list_commands(connection, device_id=device, kind="update")[0]


def report(world: World, version: str = FIX, device: str = "lock-1") -> None:
    with world.database.transaction() as connection:
        devices.see(connection, [Sighting(device, world.now, version, online=True)])


def answer(world: World, *, ok: bool) -> None:
    sent = command(world)
    with world.database.transaction() as connection:
        asking.left(connection, sent.id, world.now)
        reply = Reply(sent.device_id, world.now, sent.request_id, ok, {} if ok else {"error": "no space"}, "update")
        asking.hear(connection, [asking.Heard(reply, world.now)])


def tend(world: World) -> None:
    jobs.tend_commands(world.database, world.now, ask_devices=False)


# -- who is offered it


def test_a_tasmota_is_offered_nothing_without_the_release_s_own_image(world: World) -> None:
    remember(world, "tasmota", "lock-1", {})
    fix = offered(world, convention="tasmota")
    assert [one.kind for one in world.notices() if one.state == "sent"] == []
    with world.database.transaction() as connection:
        releases.set_image(connection, fix.id, None, IMAGE)
    world.run()
    assert "accept_update" in world.see(world.token()).actions


def test_a_device_that_is_reached_by_nothing_that_takes_updates_is_offered_none(world: World) -> None:
    offered(world, convention="homie", image=IMAGE)
    assert not [one for one in world.notices() if one.kind == "update" and one.state == "sent"]


def test_a_device_that_is_not_in_use_is_offered_none(world: World) -> None:
    offered(world)
    with world.database.transaction() as connection:
        devices.update(connection, "lock-1", None, {"removed_at": world.now})
    assert "accept_update" not in world.see(world.token()).actions


@pytest.mark.parametrize(
    "url", ["ftp://x/y", "https://x/y; Reset 1", "https://x/a b", 'https://x/"', "x", "https://x/\nUpgrade 1"]
)
def test_an_address_that_could_be_another_command_is_no_image(world: World, url: str) -> None:
    fix = world.release(FIX)
    with pytest.raises(Invalid), world.database.transaction() as connection:
        releases.set_image(connection, fix.id, None, Image(url))


# -- how it leaves


def test_a_native_device_is_told_where_the_image_is_and_how_to_check_it(world: World) -> None:
    offered(world, image=IMAGE)
    accept(world)
    assert dict(command(world).parameters) == {"version": FIX, "url": IMAGE.url, "sha256": IMAGE.sha256}
    assert install(world).state == "sent"


def test_a_tasmota_gets_address_and_upgrade_in_one_message(world: World) -> None:
    remember(world, "tasmota", "lock-1", {})
    offered(world, convention="tasmota", image=IMAGE)
    accept(world)
    (item,) = [one for one in world.outbox() if one.kind == "command"]
    assert item.address == "cmnd/lock-1/BACKLOG"
    assert item.payload["said"] == f"OtaUrl {IMAGE.url}; Upgrade 1"


def test_devices_of_one_zigbee_network_are_updated_one_after_another(world: World) -> None:
    state: dict[str, object] = {"bridge": "bridge-1", "devices": {"lock-1": {}, "lock-2": {}}}
    remember(world, "zigbee2mqtt", "zigbee2mqtt", state)
    offered(world, "lock-1", "lock-2", convention="zigbee2mqtt")
    accept(world)
    assert [install(world, one).state for one in ("lock-1", "lock-2")] == ["sent", "waiting"]
    tend(world)
    assert install(world, "lock-2").state == "waiting"
    report(world)
    tend(world)
    assert [install(world, one).state for one in ("lock-1", "lock-2")] == ["running", "sent"]


def test_not_more_are_under_way_than_the_images_server_bears(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(installs, "UNDER_WAY", 1)
    offered(world, "lock-1", "lock-2")
    accept(world)
    assert [install(world, one).state for one in ("lock-1", "lock-2")] == ["sent", "waiting"]


def test_what_waits_is_called_back_when_the_release_is_withdrawn_from_its_wave(world: World) -> None:
    offered(world, "lock-1", "lock-2")
    with world.database.transaction() as connection:
        fix = releases.fix_for(connection, MODEL, BAD)
        assert fix is not None
    accept(world)
    with world.database.transaction() as connection:
        one = update_installs.of_devices(connection, ["lock-2"])[0]
        update_installs.change(connection, one, {"state": "waiting"})
        rollouts.create(connection, release_id=fix.id, salt="salt", plan=PLAN, by="ann", now=world.now)
    tend(world)
    assert install(world, "lock-2").state == "cancelled"


# -- how it is judged


def test_a_device_that_says_yes_but_never_reports_the_version_has_failed(world: World) -> None:
    offered(world)
    accept(world)
    answer(world, ok=True)
    tend(world)
    assert install(world).state == "sent"
    world.pass_time(hours=25)
    tend(world)
    assert (install(world).state, install(world).reason) == ("failed", f"it said yes, but never reported {FIX}")


def test_a_device_that_says_no_but_reports_the_version_runs_it(world: World) -> None:
    offered(world)
    accept(world)
    answer(world, ok=False)
    tend(world)
    assert install(world).state == "sent", "it may still come"
    report(world)
    tend(world)
    assert install(world).state == "running"


def test_a_device_that_says_no_and_stays_as_it_is_has_failed(world: World) -> None:
    offered(world)
    accept(world)
    answer(world, ok=False)
    world.pass_time(hours=3)
    tend(world)
    assert (install(world).state, install(world).reason) == ("failed", "the device said: no space")


def test_a_failure_is_work_for_somebody(world: World) -> None:
    offered(world)
    accept(world)
    answer(world, ok=False)
    world.pass_time(hours=3)
    tend(world)
    (ticket,) = [one for one in world.tickets() if one.kind == "request"]
    assert (ticket.device_id, ticket.customer_id, ticket.state) == ("lock-1", "c-1", "open")
    assert "did not work" in ticket.title
    tend(world)
    assert len([one for one in world.tickets() if one.kind == "request"]) == 1


def test_a_day_of_being_well_on_it_is_success(world: World) -> None:
    offered(world)
    accept(world)
    report(world)
    tend(world)
    world.pass_time(hours=23)
    report(world)
    tend(world)
    assert install(world).state == "running"
    world.pass_time(hours=2)
    report(world)
    tend(world)
    assert install(world).state == "healthy"


def test_a_device_that_falls_silent_on_it_or_goes_back_has_failed(world: World) -> None:
    offered(world, "lock-1", "lock-2")
    accept(world)
    for one in ("lock-1", "lock-2"):
        report(world, device=one)
    tend(world)
    world.pass_time(hours=1)
    report(world, BAD, device="lock-2")
    tend(world)
    assert (install(world, "lock-2").state, install(world, "lock-2").reason) == ("failed", f"it went back to {BAD}")
    world.pass_time(hours=73)
    tend(world)
    assert install(world).reason == "it has not been heard of since"


def test_where_the_release_is_rolled_out_in_waves_the_gate_has_the_word(world: World) -> None:
    offered(world)
    accept(world)
    report(world)
    tend(world)
    with world.database.transaction() as connection:
        fix = releases.fix_for(connection, MODEL, BAD)
        assert fix is not None
        rollout = rollouts.create(connection, release_id=fix.id, salt="salt", plan=PLAN, by="ann", now=world.now)
        member = Member("lock-1", 1, "", "updated", world.now)
        rollout_devices.put(connection, rollout.id, [member])
    world.pass_time(hours=30)
    report(world)
    tend(world)
    assert install(world).state == "running"
    with world.database.transaction() as connection:
        bad = Member("lock-1", 1, "", "unhealthy", world.now, why="three unexpected reboots")
        rollout_devices.put(connection, rollout.id, [bad])
    tend(world)
    assert (install(world).state, install(world).reason) == ("failed", "three unexpected reboots")


def test_what_failed_can_be_accepted_again(world: World) -> None:
    offered(world)
    accept(world)
    answer(world, ok=False)
    world.pass_time(hours=3)
    tend(world)
    first = command(world)
    notice = world.notice()
    with world.database.transaction() as connection:
        offers.accept(connection, notice, world.now)
    assert (install(world).state, install(world).tries) == ("sent", 1)
    assert command(world).id != first.id


def test_nothing_is_installed_twice(world: World) -> None:
    offered(world)
    accept(world)
    report(world)
    tend(world)
    notice = world.notice()
    with pytest.raises(Conflict), world.database.transaction() as connection:
        offers.accept(connection, notice, world.now)
    assert world.now - command(world).created_at == timedelta(0)
