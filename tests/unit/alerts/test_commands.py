"""What people and tickets ask of devices: whose consent it needs, how often, what time and the outbox do to it."""

from __future__ import annotations

from datetime import timedelta
from itertools import pairwise
from typing import Any

import pytest
import sqlalchemy as sa
from sqlalchemy import event

from alerts import commands as asked
from alerts.policy import brakes
from hearthwatch.clock import SteppedClock
from hearthwatch.errors import Conflict, Denied, Invalid, Refused, Throttled, Unavailable
from hearthwatch.records import asking, audit, commands, consents, customers, decoder_states, devices, notices
from hearthwatch.records.asking import Heard, Wish
from hearthwatch.records.commands import Command
from hearthwatch.records.database import Database
from hearthwatch.records.tables import commands as commands_table
from hearthwatch.records.tables import device_aliases
from hearthwatch.values import Reply
from tests.unit.alerts.world import FIX, NOON, RecordingChannel, World


@pytest.fixture
def world(database: Database) -> World:
    return World(database, SteppedClock(NOON))


def ask(world: World, device: str = "lock-1", kind: str = "diagnostics", **more: Any) -> Command:
    with world.database.transaction() as connection:
        options = {"why": "it is slow", "actor": "ann", "now": world.now, **more}
        return asked.ask(connection, device, kind, **options)


def answer(world: World, command: Command, *, device: str | None = None, ok: bool = True, **detail: Any) -> None:
    with world.database.transaction() as connection:
        reply = Reply(device or command.device_id, world.now, command.request_id, ok, detail)
        asking.hear(connection, [Heard(reply, world.now)])


def tend(world: World) -> None:
    asked.tend(world.database, world.now, ask_devices=True)


def now_is(world: World, command: Command) -> Command:
    with world.database.reading() as connection:
        return commands.get(connection, command.id)


def of(world: World, device: str = "lock-1", **which: Any) -> list[Command]:
    with world.database.reading() as connection:
        return commands.list_commands(connection, device_id=device, **which)


def offline(world: World, device: str = "lock-1", *, online: bool = False) -> None:
    with world.database.transaction() as connection:
        devices.see(connection, [devices.Sighting(device, world.now, online=online)])


# -- who may not ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("why", ["", "   ", "x" * 401])
def test_a_question_needs_a_reason(world: World, why: str) -> None:
    world.home()
    with pytest.raises(Invalid, match="say why"):
        ask(world, why=why)


def test_without_the_owners_consent_to_service_a_device_is_not_asked(world: World) -> None:
    world.home(consent=("marketing",))
    with pytest.raises(Denied, match="customer c-1 has not consented to the purpose service"):
        ask(world)
    assert of(world) == []
    assert world.outbox() == []


def test_what_the_protocol_needs_needs_no_consent(world: World) -> None:
    world.home(consent=())
    with world.database.transaction() as connection:
        assert asked.consent_for(connection, devices.get(connection, "lock-1"), "rebirth", world.now) == "protocol"


def test_an_update_of_a_customers_device_needs_an_acceptance(world: World) -> None:
    world.home()
    with pytest.raises(Conflict, match="acceptance of its owner c-1"):
        ask(world, kind="update", parameters={"version": FIX})


def test_a_device_of_the_makers_own_is_asked_and_updated_without_anybodys_consent(world: World) -> None:
    world.register(["bench-1"])
    assert ask(world, "bench-1").consent == "maker"
    assert ask(world, "bench-1", "update", parameters={"version": FIX}).parameters == {"version": FIX}


@pytest.mark.parametrize("version", [None, "", "x" * 65, 7])
def test_an_update_needs_a_version_that_can_be_one(world: World, version: object) -> None:
    world.register(["bench-1"])
    with pytest.raises(Invalid, match="version"):
        ask(world, "bench-1", "update", parameters={"version": version})


def test_a_device_that_speaks_what_nobody_can_ask_says_so(world: World) -> None:
    world.register(["odd-1"])
    with world.database.transaction() as connection:
        devices.see(connection, [devices.Sighting("odd-1", world.now, convention="home_assistant")])
    with pytest.raises(Conflict, match="it speaks home_assistant"):
        ask(world, "odd-1")


def test_a_removed_device_is_not_asked(world: World) -> None:
    world.register(["lock-1"], removed_at=world.now - timedelta(days=1))
    with pytest.raises(Conflict, match="removed"):
        ask(world)


def test_one_device_is_not_asked_without_end(world: World) -> None:
    world.home()
    for _ in range(asked.PER_DEVICE_AND_HOUR):
        answer(world, ask(world))
    with pytest.raises(Throttled, match="20 times in an hour"):
        ask(world)
    world.pass_time(hours=1, seconds=1)
    assert ask(world).state == "queued"


def test_a_double_click_asks_once(world: World) -> None:
    world.home()
    first, second = ask(world), ask(world, actor="bob", why="me too")
    assert first.id == second.id
    assert second.asked_by == "ann"
    assert len(world.outbox()) == 1


# -- on its way -----------------------------------------------------------------------------------------------------------


def test_a_question_is_a_row_an_audit_entry_and_a_letter_in_the_outbox(world: World) -> None:
    world.home()
    command = ask(world)
    assert (command.asked_by, command.why, command.consent, command.state) == (
        "ann",
        "it is slow",
        "service:c-1",
        "queued",
    )
    (item,) = world.outbox()
    assert (item.address, item.payload["command"]) == ("hearthwatch/v1/lock-1/command", command.id)
    with world.database.reading() as connection:
        (entry,) = [one for one in audit.list_entries(connection) if one.object == "device:lock-1"]
    assert (entry.actor, entry.action, entry.detail["why"]) == ("ann", "command.ask", "it is slow")
    world.deliver()
    sent = now_is(world, command)
    assert (sent.state, sent.sent_at, sent.expires_at) == ("sent", world.now, world.now + timedelta(minutes=2))


def test_while_sending_is_paused_a_question_waits(world: World) -> None:
    world.home()
    with world.database.transaction() as connection:
        brakes.pause(connection, "ann", world.now, "holidays")
    command = ask(world)
    tend(world)
    world.deliver()
    assert now_is(world, command).state == "queued"
    with world.database.transaction() as connection:
        brakes.resume(connection, "ann", world.now)
    world.deliver()
    assert now_is(world, command).state == "sent"


def test_while_the_broker_is_away_a_question_waits_and_goes_later(world: World) -> None:
    world.home()
    channel = world.channels["mqtt"] = RecordingChannel("mqtt", [Unavailable("the broker is away")])
    command = ask(world)
    world.deliver()
    assert (now_is(world, command).state, channel.sent) == ("queued", [])
    world.pass_time(minutes=1)
    world.deliver()
    assert (now_is(world, command).state, len(channel.sent)) == ("sent", 1)


def test_a_question_that_never_left_expires_and_does_not_leave_after_all(world: World) -> None:
    world.home()
    world.channels["mqtt"] = channel = RecordingChannel("mqtt", [Unavailable("the broker is away")])
    command = ask(world)
    world.deliver()
    world.pass_time(hours=24, seconds=1)
    tend(world)
    ended = now_is(world, command)
    assert (ended.state, ended.reason) == ("timed_out", "it never left: the broker was away, or sending was paused")
    world.deliver()
    assert channel.sent == []


def test_a_device_that_does_not_come_online_is_given_up(world: World) -> None:
    world.home()
    offline(world)
    command = ask(world)
    assert (command.outbox_at, world.outbox()) == (None, [])
    world.pass_time(hours=24, seconds=1)
    tend(world)
    assert now_is(world, command).reason == "it never left: the device did not come online in time"


def test_what_waits_for_a_command_that_is_not_known_any_more_does_not_hold_up_the_others(world: World) -> None:
    world.home(devices_=("lock-1", "lock-2"))
    gone, stays = ask(world, "lock-1"), ask(world, "lock-2")
    with world.database.transaction() as connection:
        connection.execute(sa.delete(commands_table).where(commands_table.c.id == gone.id))
    world.deliver()
    assert now_is(world, stays).state == "sent"
    assert {item.state for item in world.outbox()} == {"delivered"}


@pytest.mark.parametrize(
    ("convention", "partition", "state", "kind", "topic"),
    [
        ("shelly_gen2", "home/plug", {"device": "d-1"}, "diagnostics", "home/plug/rpc"),
        ("zigbee2mqtt", "z2m", {"bridge": "d-1"}, "diagnostics", "z2m/bridge/request/health_check"),
        ("zigbee2mqtt", "z2m", {"devices": {"d-1": {}}}, "check_update", "z2m/bridge/request/device/ota_update/check"),
        ("sparkplug", "d/1", {}, "rebirth", "spBv1.0/d/NCMD/1"),
    ],
)
def test_a_device_is_reached_where_its_convention_remembers_it(
    world: World, convention: str, partition: str, state: dict[str, Any], kind: str, topic: str
) -> None:
    device = "d.1" if convention == "sparkplug" else "d-1"
    world.register([device])
    with world.database.transaction() as connection:
        devices.see(connection, [devices.Sighting(device, world.now, convention=convention)])
        decoder_states.save(connection, {(convention, "other"): {"device": "d-2"}}, world.now)
        decoder_states.save(connection, {(convention, partition): state}, world.now)
    ask(world, device, kind)
    assert [item.address for item in world.outbox()] == [topic]


def test_what_the_channel_refuses_has_failed(world: World) -> None:
    world.home()
    world.channels["mqtt"] = RecordingChannel("mqtt", [Refused("not authorised")])
    command = ask(world)
    world.deliver()
    assert (now_is(world, command).state, now_is(world, command).reason) == (
        "failed",
        "it could not be sent: not authorised",
    )


def test_a_consent_that_is_withdrawn_while_a_question_waits_cancels_it(world: World) -> None:
    world.home()
    offline(world)
    command = ask(world)
    with world.database.transaction() as connection:
        consents.record(connection, "c-1", "service", False, world.now, "customer page")
    offline(world, online=True)
    tend(world)
    ended = now_is(world, command)
    assert (ended.state, world.outbox()) == ("cancelled", [])
    assert "has not consented" in (ended.reason or "")


def test_a_consent_that_is_withdrawn_while_sending_is_paused_calls_the_question_back(world: World) -> None:
    world.home()
    with world.database.transaction() as connection:
        brakes.pause(connection, "ann", world.now, "holidays")
    command = ask(world)
    tend(world)
    assert now_is(world, command).state == "queued"
    with world.database.transaction() as connection:
        consents.record(connection, "c-1", "service", False, world.now, "customer page")
        brakes.resume(connection, "ann", world.now)
    tend(world)
    world.deliver()
    assert (now_is(world, command).state, world.commands.sent) == ("cancelled", [])


def test_a_question_that_has_not_left_can_be_called_back_and_no_other(world: World) -> None:
    world.home()
    command = ask(world)
    with world.database.transaction() as connection:
        assert asked.cancel(connection, command.id, command.revision, "ann", world.now).state == "cancelled"
    world.deliver()
    assert world.commands.sent == []
    gone = ask(world)
    world.deliver()
    with world.database.transaction() as connection, pytest.raises(Conflict, match="it is sent"):
        asked.cancel(connection, gone.id, None, "ann", world.now)


# -- answers --------------------------------------------------------------------------------------------------------------


def test_an_answer_that_overtakes_the_mark_of_its_sending_is_kept(world: World) -> None:
    world.home()
    command = ask(world)
    answer(world, command, heap=5)
    world.deliver()
    ended = now_is(world, command)
    assert (ended.state, ended.answer, ended.sent_at) == ("answered", {"heap": 5}, world.now)


def test_an_answer_to_a_cancelled_question_changes_nothing(world: World) -> None:
    world.home()
    command = ask(world)
    with world.database.transaction() as connection:
        asked.cancel(connection, command.id, None, "ann", world.now)
    answer(world, command)
    assert now_is(world, command).state == "cancelled"


def test_an_answer_without_an_id_is_for_the_newest_that_was_sent_before_it_and_for_no_older_message(
    world: World,
) -> None:
    world.home()
    before = world.now
    world.pass_time(minutes=1)
    command = ask(world)
    with world.database.transaction() as connection:
        reply = Reply("lock-1", before, "", True, {"a": 1}, "diagnostics")
        asking.hear(
            connection, [Heard(reply, before), Heard(Reply("lock-1", before, "", True, {}, "update"), world.now)]
        )
    assert now_is(world, command).state == "queued"
    with world.database.transaction() as connection:
        asking.hear(connection, [Heard(reply, world.now)])
    assert now_is(world, command).answer == {"a": 1}


# -- tickets --------------------------------------------------------------------------------------------------------------


def test_a_ticket_that_opens_asks_for_diagnostics_once_and_keeps_the_answer(world: World) -> None:
    world.home()
    world.policy("live")
    world.stand()
    world.run()
    (command,) = of(world)
    ticket = world.ticket()
    assert (command.kind, command.ticket_id, command.asked_by) == ("diagnostics", ticket.id, "policy")
    tend(world)
    world.deliver()
    answer(world, command, rssi_dbm=-80)
    assert "diagnostics" in world.ticket_events(ticket)
    with world.database.reading() as connection:
        (shown,) = commands.of_ticket(connection, ticket)
    assert shown.answer == {"rssi_dbm": -80}
    world.stand()
    world.run()
    assert len(of(world)) == 1


def test_a_policy_may_do_without_diagnostics(world: World) -> None:
    world.home()
    world.policy("live", diagnostics="diagnostics = false")
    world.stand()
    world.run()
    assert world.ticket().state != "closed"
    assert of(world) == []


def test_without_consent_a_ticket_opens_and_nothing_is_asked(world: World) -> None:
    world.home(consent=())
    world.policy("live")
    world.stand()
    world.run()
    assert (len(world.tickets()), of(world)) == (1, [])


def test_a_thousand_tickets_do_not_call_a_thousand_devices_at_once(world: World) -> None:
    names = [f"lock-{number}" for number in range(asked.PER_ROUND + 5)]
    world.register(names)
    with world.database.transaction() as connection:
        for device in devices.find(connection, names).values():
            question = asking.Question("diagnostics", "policy", "a ticket opened", "maker")
            asking.ask(connection, device, question, world.now)
    tend(world)
    assert len(world.outbox()) == asked.PER_ROUND
    tend(world)
    assert len(world.outbox()) == asked.PER_ROUND + 5


# -- what nobody asked for ------------------------------------------------------------------------------------------------


def test_a_device_that_restarts_all_the_time_is_asked_the_same_once_in_ten_minutes(world: World) -> None:
    world.register(["lock-1"])
    with world.database.transaction() as connection:
        devices.see(connection, [devices.Sighting("lock-1", world.now, convention="shelly_gen2", online=True)])
        decoder_states.save(connection, {("shelly_gen2", "lock-1"): {"device": "lock-1"}}, world.now)
    for _ in range(5):
        with world.database.transaction() as connection:
            asking.wish(connection, [Wish("lock-1", "device_info", "it booted")], world.now)
        tend(world)
        world.deliver()
        for command in of(world, state="sent"):
            answer(world, command, fw_id="1")
        world.pass_time(minutes=1)
    done = of(world)
    assert [one.state for one in done] == ["queued", "answered"]
    world.pass_time(minutes=10)
    tend(world)
    world.deliver()
    assert of(world)[0].state == "sent"


def test_an_edge_node_that_does_not_answer_is_asked_for_its_birth_three_times_a_day(world: World) -> None:
    world.register(["plant.edge"])
    with world.database.transaction() as connection:
        devices.see(connection, [devices.Sighting("plant.edge", world.now, convention="sparkplug", online=True)])
        decoder_states.save(connection, {("sparkplug", "plant/edge"): {"missing": 0}}, world.now)
        asking.wish(connection, [Wish("plant.edge", "rebirth", "a gap")], world.now)
    for _ in range(60):
        tend(world)
        world.deliver()
        world.pass_time(minutes=1)
    asked_for = of(world, "plant.edge")[::-1]
    assert [one.state for one in asked_for] == ["timed_out"] * 3
    apart = [(two.sent_at or NOON) - (one.sent_at or NOON) for one, two in pairwise(asked_for)]
    assert all(gap >= timedelta(minutes=10) for gap in apart)


def test_a_shelly_that_only_comes_back_is_not_asked_again_the_same_day(world: World) -> None:
    world.register(["plug-1"])
    comes_back = Wish("plug-1", "device_info", "it came online", timedelta(days=1))
    for _ in range(3):
        with world.database.transaction() as connection:
            asking.wish(connection, [comes_back], world.now)
        for command in of(world, "plug-1", state="queued"):
            answer(world, command)
        world.pass_time(hours=1)
    assert len(of(world, "plug-1")) == 1
    with world.database.transaction() as connection:
        asking.wish(connection, [Wish("plug-1", "device_info", "it booted")], world.now)
    assert len(of(world, "plug-1")) == 2


def test_a_fleet_that_comes_back_at_once_is_written_down_in_a_few_statements(world: World) -> None:
    names = [f"plug-{number}" for number in range(500)]
    world.register(names)
    statements: list[str] = []

    def note(*given: Any) -> None:
        statements.append(given[2])

    event.listen(world.database.engine, "before_cursor_execute", note)
    with world.database.transaction() as connection:
        for _ in range(2):
            asking.wish(connection, [Wish(name, "device_info", "it came online") for name in names], world.now)
    event.remove(world.database.engine, "before_cursor_execute", note)
    assert len(statements) < 12
    with world.database.reading() as connection:
        assert len(commands.list_commands(connection, state="queued", limit=1000)) == len(names)


def test_a_device_that_is_known_by_two_ids_is_asked_by_the_one_it_listens_to_and_answers_as_either(
    world: World,
) -> None:
    world.register(["0xabc"])
    with world.database.transaction() as connection:
        devices.see(connection, [devices.Sighting("0xabc", world.now, convention="tasmota", online=True)])
        decoder_states.save(connection, {("tasmota", "tasmota_ABC"): {"fw": "14.2.0"}}, world.now)
        row = {
            "alias": "tasmota_ABC",
            "device": "0xabc",
            "state": "joined",
            "evidence": {},
            "since": world.now,
            "actor": "t",
        }
        connection.execute(sa.insert(device_aliases).values(**row))
    command = ask(world, "0xabc")
    (item,) = world.outbox()
    assert (item.address, item.payload["said"]) == ("cmnd/tasmota_ABC/STATUS", "0")
    assert set(command.answered_by) == {"0xabc", "tasmota_ABC"}


def test_what_ended_long_ago_is_forgotten_and_what_waits_is_not(world: World) -> None:
    world.home(devices_=("lock-1", "lock-2"))
    answer(world, ask(world))
    waits = ask(world, "lock-2")
    with world.database.transaction() as connection:
        assert commands.forget(connection, world.now + timedelta(days=1)) == 1
        assert [one.id for one in commands.list_commands(connection)] == [waits.id]


# -- accepted updates -----------------------------------------------------------------------------------------------------


def test_an_accepted_update_is_a_row_that_names_the_acceptance(world: World) -> None:
    notice = accepted(world)
    (command,) = of(world)
    assert (command.kind, command.parameters) == ("update", {"version": FIX})
    assert (command.asked_by, command.consent, command.notice_id) == ("customer:c-1", f"acceptance:{notice}", notice)


def accepted(world: World) -> int:
    """A household that accepted an update; the notice's id."""
    from alerts.customers import offers

    world.home(version="2.4.1")
    release = world.release("2.4.1", replaces="2.4.0")
    world.release(FIX, fixes=("2.4.1",))
    world.policy("live")
    world.stand(f"release:{release.id}", "reboots", kind="cohort")
    world.run()
    with world.database.transaction() as connection:
        (notice,) = notices.list_notices(connection, customer_id="c-1")
        offers.accept(connection, notice, world.now)
        offers.accept(connection, notice, world.now)
        assert customers.owner_of(connection, "lock-1", world.now) is not None
    return notice.id
