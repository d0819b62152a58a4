"""What Shelly Gen2 and later say."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from hearthwatch.errors import Invalid
from hearthwatch.wire.shelly_gen2 import ShellyGen2
from tests.strategies import START
from tests.unit.wire.conversation import Conversation

ID = "shellyplus1pm-aabbccddeeff"
TS = START.timestamp() + 0.5
SWITCH: dict[str, Any] = {
    "id": 0,
    "output": False,
    "apower": 12.5,
    "voltage": 230.1,
    "current": 0.05,
    "aenergy": {"total": 1500.0, "by_minute": [0.0]},
    "temperature": {"tC": 40.1, "tF": 104.2},
}


def notification(params: dict[str, Any], method: str = "NotifyStatus", src: Any = ID) -> dict[str, Any]:
    return {"src": src, "dst": f"{ID}/events", "method": method, "params": {"ts": TS, **params}}


def system(uptime: float, reason: Any = 3, **more: Any) -> dict[str, Any]:
    return notification({"sys": {"uptime": uptime, "reset_reason": reason, **more}}, "NotifyFullStatus")


@pytest.fixture
def plug() -> Conversation:
    return Conversation(ShellyGen2())


@pytest.mark.parametrize(
    ("kind", "payload"),
    [
        ("online", "perhaps"),
        ("events/rpc", b"\xff"),
        ("events/rpc", "[]"),
        ("events/rpc", "{}"),
        ("events/rpc", '{"method":"NotifyStatus"}'),
        ("events/rpc", '{"method":7,"params":{}}'),
        ("events/rpc", notification({}, src="a b")),
        ("events/rpc", notification({}, src=7)),
        ("events/rpc", notification({"events": 7}, "NotifyEvent")),
        ("events/rpc", notification({"switch:0": {"apower": "much"}})),
        ("status/switch:0", "true"),
        ("rpc", '{"src":"x"}'),
        ("rpc", '{"result":{}}'),
    ],
)
def test_malformed_messages_are_invalid(plug: Conversation, kind: str, payload: Any) -> None:
    with pytest.raises(Invalid):
        plug.say(f"{ID}/{kind}", payload)


def test_a_prefix_that_is_an_id_binds_the_source(plug: Conversation) -> None:
    with pytest.raises(Invalid, match="another device"):
        plug.say(f"{ID}/events/rpc", notification({"switch:0": SWITCH}, src="shellyplus1pm-000000000000"))


@pytest.mark.parametrize(
    "topic",
    [
        "hearthwatch/v1/online",
        "tele/plug/online",
        "zigbee2mqtt/lamp/online",
        "shellies/shelly1-AABBCC/online",
        "homeassistant/status/x",
        "a/b/c/online",
        "/online",
        "online",
        "events/rpc",
    ],
)
def test_topics_of_other_families_are_left_alone(topic: str) -> None:
    assert ShellyGen2().partition(topic) is None


def test_a_full_status_becomes_one_reading(plug: Conversation) -> None:
    params = {
        "switch:0": SWITCH,
        "sys": {"uptime": 100, "ram_free": 1000, "fs_free": 2000, "reset_reason": 3},
        "wifi": {"rssi": -61, "status": "got ip"},
        "temperature:100": {"id": 100, "tC": 4.5},
        "devicepower:0": {"id": 0, "battery": {"V": 5.1, "percent": 80}, "external": {"present": False}},
        "mqtt": {"connected": True},
    }
    (reading,) = plug.readings(f"{ID}/events/rpc", notification(params, "NotifyFullStatus"))
    assert (reading.device, reading.stream) == (ID, "shelly_gen2/NotifyFullStatus")
    assert reading.at == START + timedelta(seconds=0.5)
    assert reading.metrics == {
        "relay_on": 0.0,
        "power_w": 12.5,
        "voltage_v": 230.1,
        "current_a": 0.05,
        "energy_kwh": 1.5,
        "device_temperature_c": 40.1,
        "uptime_s": 100.0,
        "free_heap_bytes": 1000.0,
        "fs_free_bytes": 2000.0,
        "rssi_dbm": -61.0,
        "temperature100_temperature_c": 4.5,
        "battery_v": 5.1,
        "battery_pct": 80.0,
    }


def test_a_change_is_laid_over_the_last_known_status_of_its_component(plug: Conversation) -> None:
    full = {"switch:0": SWITCH, "switch:1": SWITCH, "wifi": {"rssi": -61}}
    plug.say(f"{ID}/events/rpc", notification(full, "NotifyFullStatus"))
    changed = plug.metrics(f"{ID}/events/rpc", notification({"switch:0": {"id": 0, "output": True}}))
    assert changed == {
        "relay_on": 1.0,
        "power_w": 12.5,
        "voltage_v": 230.1,
        "current_a": 0.05,
        "energy_kwh": 1.5,
        "device_temperature_c": 40.1,
    }


def test_a_full_status_replaces_what_was_known(plug: Conversation) -> None:
    plug.say(f"{ID}/events/rpc", notification({"switch:0": SWITCH}))
    full = notification({"switch:0": {"output": True}}, "NotifyFullStatus")
    assert plug.metrics(f"{ID}/events/rpc", full) == {"relay_on": 1.0}


def test_a_null_takes_a_number_back(plug: Conversation) -> None:
    plug.say(f"{ID}/events/rpc", notification({"temperature:0": {"tC": 20.0}, "humidity:0": {"rh": 40}}))
    assert plug.say(f"{ID}/events/rpc", notification({"temperature:0": {"tC": None}})).ignored


def test_what_changes_without_being_notified_is_only_taken_when_said(plug: Conversation) -> None:
    plug.say(f"{ID}/events/rpc", notification({"wifi": {"rssi": -61}, "sys": {"ram_free": 1000}}, "NotifyFullStatus"))
    assert plug.say(f"{ID}/events/rpc", notification({"wifi": {"status": "got ip"}, "sys": {"cfg_rev": 8}})).ignored
    assert plug.say(f"{ID}/events/rpc", notification({"wifi": {"rssi": 0}})).ignored


def test_a_number_that_is_not_finite_costs_itself_alone(plug: Conversation) -> None:
    answer = plug.say(
        f"{ID}/events/rpc",
        b'{"src":"%s","method":"NotifyStatus","params":{"switch:0":{"apower":NaN,"output":true}}}' % ID.encode(),
    )
    assert [one.part for one in answer.rejected] == ["switch:0.apower"]
    assert len(answer.values) == 1


@pytest.mark.parametrize("ts", [None, 0, "soon", -5, 1e18, True])
def test_a_clock_that_was_never_set_leaves_the_arrival(plug: Conversation, ts: Any) -> None:
    given = notification({"switch:0": SWITCH})
    given["params"]["ts"] = ts
    (reading,) = plug.readings(f"{ID}/events/rpc", given)
    assert reading.at == plug.now


def test_status_topics_are_read_too(plug: Conversation) -> None:
    (reading,) = plug.readings(f"{ID}/status/switch:0", SWITCH)
    assert reading.stream == "shelly_gen2/status/switch:0"
    assert reading.metrics["power_w"] == 12.5
    assert plug.say(f"{ID}/status/switch:0", SWITCH, retain=True).ignored
    (timed,) = plug.readings(f"{ID}/status/sys", {"uptime": 5, "unixtime": 1777600000})
    assert timed.at == datetime.fromtimestamp(1777600000, UTC)


# -- who it is --------------------------------------------------------------------------------------------------------------


def test_the_source_is_the_device_behind_any_prefix(plug: Conversation) -> None:
    for prefix in ("kitchen", "shellies-gen3/kitchen", "shellies/kitchen"):
        (reading,) = plug.readings(f"{prefix}/events/rpc", notification({"switch:0": SWITCH}))
        assert reading.device == ID


def test_presence_behind_a_prefix_waits_until_the_device_names_itself(plug: Conversation) -> None:
    assert plug.say("kitchen/online", "true").ignored
    waiting = plug.states["kitchen"]
    assert plug.say("kitchen/online", "true").ignored
    assert plug.states["kitchen"] is waiting
    answer = plug.say("kitchen/events/rpc", notification({"switch:0": SWITCH}))
    assert [(type(value).__name__, value.device) for value in answer.values] == [("Presence", ID), ("Reading", ID)]
    (presence,) = plug.presences("kitchen/online", "false")
    assert (presence.device, presence.online) == (ID, False)


def test_presence_below_an_id_needs_no_waiting(plug: Conversation) -> None:
    (presence,) = plug.presences(f"{ID}/online", "true", retain=True)
    assert (presence.device, presence.online) == (ID, True)
    assert plug.say(f"{ID}/online", "true", retain=True).ignored


def test_where_only_status_topics_speak_the_prefix_is_the_device(plug: Conversation) -> None:
    (reading,) = plug.readings("house/kitchen/status/switch:0", SWITCH)
    assert reading.device == "house.kitchen"


def test_another_device_behind_the_same_prefix_starts_anew(plug: Conversation) -> None:
    plug.say("kitchen/events/rpc", notification({"switch:0": SWITCH}))
    other = notification({"switch:0": {"output": True}}, src="shellyplus1pm-000000000000")
    (reading,) = plug.readings("kitchen/events/rpc", other)
    assert reading.device == "shellyplus1pm-000000000000"
    assert reading.metrics == {"relay_on": 1.0}


# -- firmware, reboots, faults ----------------------------------------------------------------------------------------------

INFO = {"id": ID, "mac": "AABBCCDDEEFF", "model": "SNSW-001P16EU", "gen": 2, "fw_id": "20231219-133934/1.1.0-g34b5d4f"}


def test_the_answer_below_its_own_prefix_tells_the_firmware_of_later_readings(plug: Conversation) -> None:
    (identity,) = plug.identities("kitchen/hearthwatch/rpc", {"id": 1, "src": ID, "result": {**INFO, "ver": "1.1.0"}})
    assert (identity.device, identity.model, identity.serial) == (ID, "SNSW-001P16EU", "AABBCCDDEEFF")
    assert identity.firmware == "20231219-133934/1.1.0-g34b5d4f"
    (reading,) = plug.readings("kitchen/events/rpc", notification({"switch:0": SWITCH}))
    assert reading.firmware == "20231219-133934/1.1.0-g34b5d4f"


def test_an_answer_elsewhere_speaks_for_its_source_alone(plug: Conversation) -> None:
    (identity,) = plug.identities("hearthwatch/rpc", {"id": 1, "src": ID, "result": INFO})
    assert identity.device == ID
    assert plug.states["hearthwatch"] is None


def test_calls_and_refusals_are_ignored(plug: Conversation) -> None:
    assert plug.say(f"{ID}/rpc", {"id": 1, "src": "user", "method": "Switch.Set", "params": {"on": True}}).ignored
    assert plug.say("user/rpc", {"id": 1, "src": ID, "error": {"code": 401}}).ignored


@pytest.mark.parametrize(
    ("reason", "code"),
    [
        (1, "power_on"),
        (3, "user"),
        (4, "panic"),
        (5, "watchdog"),
        (6, "watchdog"),
        (7, "watchdog"),
        (8, "deep_sleep"),
        (9, "brownout"),
        (0, "unknown"),
        (99, "unknown"),
        (None, "unknown"),
        ([], "unknown"),
        ("3", "unknown"),
    ],
)
def test_reset_reasons_are_mapped(plug: Conversation, reason: Any, code: str) -> None:
    assert plug.events(f"{ID}/events/rpc", system(100_000)) == []
    (event,) = plug.events(f"{ID}/events/rpc", system(10, reason))
    assert (event.kind, event.code, event.at) == ("reboot", code, START + timedelta(seconds=0.5 - 10))


def test_a_reboot_into_another_firmware_is_an_update(plug: Conversation) -> None:
    plug.say(f"{ID}/events/rpc", system(100_000, fw_id="20240115-105444/1.2.8-59063a9a"))
    events = plug.events(f"{ID}/events/rpc", system(10, fw_id="20240601-105444/1.3.0-59063a9a"))
    assert [(event.kind, event.code) for event in events] == [("update", "installed"), ("reboot", "update")]


def test_an_error_of_a_component_is_told_once_while_it_stands(plug: Conversation) -> None:
    hot = {"switch:0": {"output": False, "errors": ["overtemp"]}}
    (event,) = plug.events(f"{ID}/events/rpc", notification(hot))
    assert (event.kind, event.code, event.detail) == ("fault", "overtemp", {"component": "switch:0"})
    assert plug.events(f"{ID}/events/rpc", notification(hot)) == []
    assert plug.events(f"{ID}/events/rpc", notification({"switch:0": {"errors": []}})) == []
    assert len(plug.events(f"{ID}/events/rpc", notification(hot))) == 1


def test_update_events_are_kept_and_buttons_are_not(plug: Conversation) -> None:
    events = [
        {"component": "sys", "event": "ota_begin", "ts": TS},
        {"component": "sys", "event": "ota_error", "ts": TS + 9, "msg": "no space"},
        {"component": "input:0", "event": "single_push", "ts": TS},
        7,
    ]
    kept = plug.events(f"{ID}/events/rpc", notification({"events": events}, "NotifyEvent"))
    assert [(event.kind, event.code) for event in kept] == [("update", "started"), ("update", "failed")]
    assert kept[1].detail == {"from": None, "reason": "no space"}


def test_many_components_do_not_make_the_state_grow_without_end(plug: Conversation) -> None:
    for first in range(0, 1000, 50):
        many = {f"switch:{place}": {"output": True} for place in range(first, first + 50)}
        plug.say(f"{ID}/events/rpc", notification(many))
    state = plug.states[ID]
    assert state is not None
    assert len(state["status"]) == 64


def test_the_same_error_of_two_components_at_one_time_are_two_events(plug: Conversation) -> None:
    hot = {f"switch:{place}": {"errors": ["overtemp"]} for place in (0, 1)}
    events = plug.events(f"{ID}/events/rpc", notification(hot))
    assert len({(event.stream, event.at, event.kind, event.code) for event in events}) == 2
