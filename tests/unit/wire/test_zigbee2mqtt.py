"""What Zigbee2MQTT says of its devices. Payloads have the shapes of www.zigbee2mqtt.io (MQTT topics, availability, OTA updates)."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from hearthwatch.errors import Invalid
from hearthwatch.values import Event, Identity, Reading
from hearthwatch.wire.instants import spell
from hearthwatch.wire.zigbee2mqtt import Zigbee2Mqtt
from tests.strategies import START
from tests.unit.wire.conversation import Conversation

BRIDGE = "0x00124b00120144ae"
PLUG = "0x00158d00018255df"
BULB = "0x90fd9ffffe6494fc"
SENSOR = "0x00169a00022256da"


def plug(name: str = "my_plug", **more: Any) -> dict[str, Any]:
    return {
        "ieee_address": PLUG,
        "type": "Router",
        "network_address": 29159,
        "supported": True,
        "friendly_name": name,
        "definition": {
            "model": "ZNCZ02LM",
            "vendor": "Xiaomi",
            "exposes": [
                {"type": "switch", "features": [{"type": "binary", "property": "state"}]},
                {"type": "numeric", "property": "energy", "unit": "Wh"},
                {"type": "numeric", "property": "voltage", "unit": "V"},
            ],
        },
        "power_source": "Mains (single phase)",
        "date_code": "02-28-2017",
        "model_id": "lumi.plug",
        **more,
    }


def bulb(name: str = "my_bulb", build: str = "1.3.009") -> dict[str, Any]:
    return {
        "ieee_address": BULB,
        "type": "Router",
        "friendly_name": name,
        "definition": {"model": "LED1624G9", "vendor": "IKEA", "exposes": []},
        "power_source": "Mains (single phase)",
        "software_build_id": build,
        "model_id": "TRADFRI bulb E27 CWS opal 600lm",
        "date_code": "20180410",
    }


def sensor(name: str = "kitchen/window/sensor") -> dict[str, Any]:
    return {"ieee_address": SENSOR, "type": "EndDevice", "friendly_name": name, "definition": None} | {
        "power_source": "Battery",
        "model_id": None,
        "date_code": None,
    }


COORDINATOR = {"ieee_address": BRIDGE, "type": "Coordinator", "friendly_name": "Coordinator", "definition": None}
INFO = {"version": "2.1.0", "commit": "772f6c0", "coordinator": {"ieee_address": BRIDGE, "type": "zStack30x"}}


@pytest.fixture
def stranger() -> Conversation:
    return Conversation(Zigbee2Mqtt())


@pytest.fixture
def home(stranger: Conversation) -> Conversation:
    stranger.say("zigbee2mqtt/bridge/info", INFO, retain=True)
    stranger.say("zigbee2mqtt/bridge/devices", [COORDINATOR, plug(), bulb(), sensor()], retain=True)
    return stranger


# -- what cannot be taken in ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("topic", "payload"),
    [
        ("bridge/devices", "{}"),
        ("bridge/devices", b"\xff"),
        ("bridge/devices", [7]),
        ("bridge/devices", [{"ieee_address": "../../etc"}]),
        ("bridge/devices", [{}] * 2001),
        ("bridge/groups", "{}"),
        ("bridge/info", "[]"),
        ("bridge/state", "perhaps"),
        ("bridge/state", '{"state":1}'),
        ("bridge/event", '{"type":"device_leave"}'),
        ("bridge/event", '{"type":[],"data":{}}'),
        ("my_plug", "[]"),
        ("my_plug", "ON"),
        ("my_plug", '{"power":"much"}'),
        ("my_plug", '{"power":NaN}'),
        ("my_plug/availability", "asleep"),
        ("nobody", '{"temperature":21}'),
    ],
)
def test_malformed_messages_are_invalid(home: Conversation, topic: str, payload: Any) -> None:
    with pytest.raises(Invalid):
        home.say(f"zigbee2mqtt/{topic}", payload)


@pytest.mark.parametrize("base", ["", "+/z2m", "z2m/#", "$SYS", "a//b", "/z2m"])
def test_a_base_topic_that_cannot_be_one_is_refused(base: str) -> None:
    with pytest.raises(Invalid):
        Zigbee2Mqtt([base])


def test_one_bad_number_does_not_lose_the_others(home: Conversation) -> None:
    answer = home.say("zigbee2mqtt/my_plug", '{"power":Infinity,"current":0.25,"state":"ON"}')
    (reading,) = (value for value in answer.values if isinstance(value, Reading))
    assert reading.metrics == {"current_a": 0.25, "relay_on": 1.0}
    assert [(one.part, one.device) for one in answer.rejected] == [("power", PLUG)]


def test_one_device_that_cannot_be_read_does_not_lose_the_list(stranger: Conversation) -> None:
    answer = stranger.say("zigbee2mqtt/bridge/devices", [COORDINATOR, {"ieee_address": 12}, bulb()])
    assert [one.part for one in answer.rejected] == ["[1]"]
    assert stranger.metrics("zigbee2mqtt/my_bulb", {"state": "OFF"}) == {"relay_on": 0.0}


def test_a_state_before_its_description_is_held_and_good_after_it(stranger: Conversation) -> None:
    with pytest.raises(Invalid, match="bridge/devices has not named"):
        stranger.say("zigbee2mqtt/my_plug", {"power": 12.5})
    stranger.say("zigbee2mqtt/bridge/devices", [COORDINATOR, plug()], retain=True)
    (reading,) = stranger.readings("zigbee2mqtt/my_plug", {"power": 12.5})
    assert (reading.device, reading.metrics) == (PLUG, {"power_w": 12.5})


def test_commands_logs_and_groups_are_no_devices(home: Conversation) -> None:
    home.say("zigbee2mqtt/bridge/groups", [{"id": 1, "friendly_name": "upstairs/all", "members": []}], retain=True)
    for topic, payload in (
        ("my_plug/set", {"state": "ON"}),
        ("my_plug/get", {"state": ""}),
        ("my_plug/set/state", "ON"),
        ("nobody/set", {"state": "ON"}),
        ("upstairs/all", {"state": "ON"}),
        ("upstairs/all/availability", {"state": "online"}),
        ("bridge/logging", {"level": "info", "message": "x"}),
        ("bridge/response/device/remove", {"status": "ok"}),
    ):
        answer = home.say(f"zigbee2mqtt/{topic}", payload)
        assert answer.ignored, topic
        assert not answer.values


def test_a_retained_state_is_too_old_to_be_a_reading_unless_it_says_when(home: Conversation) -> None:
    assert home.say("zigbee2mqtt/my_plug", {"power": 5}, retain=True).ignored == "a retained copy without a time"
    seen = START - timedelta(hours=2)
    for last_seen in (spell(seen), seen.timestamp() * 1000):
        (reading,) = home.readings("zigbee2mqtt/my_plug", {"power": 5, "last_seen": last_seen}, retain=True)
        assert reading.at == seen
    assert home.say("zigbee2mqtt/old_name", {"power": 5}, retain=True).ignored


def test_a_state_that_the_bridge_remembered_over_its_restart_keeps_its_time(home: Conversation) -> None:
    hours_ago, just_now = START - timedelta(hours=5), START
    (old,) = home.readings("zigbee2mqtt/my_plug", {"power": 5, "last_seen": spell(hours_ago)})
    (new,) = home.readings("zigbee2mqtt/my_plug", {"power": 5, "last_seen": spell(just_now)})
    assert old.at == hours_ago
    assert new.at == home.now


# -- who is who ----------------------------------------------------------------------------------------------------------------


def test_a_device_is_its_address(stranger: Conversation) -> None:
    described = [COORDINATOR, plug(), bulb(), sensor()]
    identities = stranger.identities("zigbee2mqtt/bridge/devices", described, retain=True)
    assert [(one.device, one.model, one.hardware, one.firmware) for one in identities] == [
        (PLUG, "ZNCZ02LM", "lumi.plug", "02-28-2017"),
        (BULB, "LED1624G9", "TRADFRI bulb E27 CWS opal 600lm", "1.3.009"),
        (SENSOR, None, None, None),
    ]
    assert [one.serial for one in identities] == [PLUG, BULB, SENSOR]


def test_a_list_that_comes_again_says_nothing_new(home: Conversation) -> None:
    answer = home.say("zigbee2mqtt/bridge/devices", [COORDINATOR, plug(), bulb(), sensor()], retain=True)
    assert answer.ignored == "a retained copy of what is known"


def test_a_renamed_device_stays_the_same_device(home: Conversation) -> None:
    answer = home.say("zigbee2mqtt/bridge/devices", [COORDINATOR, plug("hall/heater"), bulb(), sensor()])
    assert not answer.values
    (reading,) = home.readings("zigbee2mqtt/hall/heater", {"power": 900})
    assert reading.device == PLUG
    with pytest.raises(Invalid):
        home.say("zigbee2mqtt/my_plug", {"power": 900})


def test_names_that_are_exchanged_follow_their_devices(home: Conversation) -> None:
    home.say("zigbee2mqtt/bridge/devices", [COORDINATOR, plug("my_bulb"), bulb("my_plug"), sensor()])
    assert [one.device for one in home.readings("zigbee2mqtt/my_bulb", {"power": 1})] == [PLUG]
    assert [one.device for one in home.readings("zigbee2mqtt/my_plug", {"state": "ON"})] == [BULB]


def test_a_name_may_hold_slashes_and_end_like_a_topic(home: Conversation) -> None:
    home.say("zigbee2mqtt/bridge/devices", [COORDINATOR, plug("kitchen"), sensor("kitchen/availability")])
    assert [one.device for one in home.readings("zigbee2mqtt/kitchen/availability", {"temperature": 20})] == [SENSOR]
    (presence,) = home.presences("zigbee2mqtt/kitchen/availability/availability", {"state": "offline"})
    assert (presence.device, presence.online) == (SENSOR, False)


def test_a_removed_device_is_told_once(home: Conversation) -> None:
    leave = {"type": "device_leave", "data": {"ieee_address": BULB, "friendly_name": "my_bulb"}}
    (event,) = home.events("zigbee2mqtt/bridge/event", leave)
    assert (event.device, event.kind, event.code, event.detail) == (BULB, "network", "left", {"bridge": BRIDGE})
    gone = home.events("zigbee2mqtt/bridge/devices", [COORDINATOR, plug()])
    assert [(one.device, one.code) for one in gone] == [(SENSOR, "left")]
    assert home.events("zigbee2mqtt/bridge/devices", [COORDINATOR, plug()]) == []


def test_what_happens_on_the_network_is_an_event(home: Conversation) -> None:
    def codes(kind: str, **data: str) -> list[str]:
        return [one.code for one in home.events("zigbee2mqtt/bridge/event", {"type": kind, "data": data})]

    assert codes("device_announce", ieee_address="0x0000000000000001") == []
    assert codes("device_announce", ieee_address=BULB) == ["announced"]
    assert codes("device_interview", ieee_address=BULB, status="started") == []
    assert codes("device_interview", ieee_address=BULB, status="failed") == ["interview_failed"]


def test_each_device_tells_which_bridge_it_depends_on(stranger: Conversation) -> None:
    events = stranger.events("zigbee2mqtt/bridge/devices", [COORDINATOR, bulb(), sensor()], retain=True)
    assert [(one.device, one.code, one.detail["bridge"]) for one in events] == [
        (BULB, "joined", BRIDGE),
        (SENSOR, "joined", BRIDGE),
    ]


def test_several_bridges_live_beside_each_other() -> None:
    talk = Conversation(Zigbee2Mqtt(["zigbee2mqtt", "zigbee2mqtt/annex", "house/z2m"]))
    for base, device in (("zigbee2mqtt", plug("x")), ("zigbee2mqtt/annex", bulb("x")), ("house/z2m", sensor("x"))):
        talk.say(f"{base}/bridge/devices", [device])
    for base, address in (("zigbee2mqtt", PLUG), ("zigbee2mqtt/annex", BULB), ("house/z2m", SENSOR)):
        assert [one.device for one in talk.readings(f"{base}/x", {"temperature": 1})] == [address]
    assert talk.convention.partition("elsewhere/x") is None


# -- presence -------------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("payload", "online"), [("online", True), ('{"state":"offline"}', False)])
def test_both_spellings_of_availability(home: Conversation, payload: str, online: bool) -> None:
    (presence,) = home.presences("zigbee2mqtt/kitchen/window/sensor/availability", payload, retain=True)
    assert (presence.device, presence.online) == (SENSOR, online)
    again = home.say("zigbee2mqtt/kitchen/window/sensor/availability", payload, retain=True)
    assert again.ignored == "a retained copy of what is known"


def test_presence_that_comes_before_its_description_waits_for_it(stranger: Conversation) -> None:
    assert stranger.say("zigbee2mqtt/my_plug/availability", {"state": "offline"}, retain=True).ignored
    assert stranger.say("zigbee2mqtt/bridge/state", {"state": "online"}, retain=True).ignored
    presences = stranger.presences("zigbee2mqtt/bridge/devices", [plug(), COORDINATOR], retain=True)
    assert {(one.device, one.online) for one in presences} == {(PLUG, False), (BRIDGE, True)}


def test_the_bridge_is_a_device_and_takes_nobody_with_it(home: Conversation) -> None:
    home.say("zigbee2mqtt/my_plug/availability", "online", retain=True)
    presences = home.presences("zigbee2mqtt/bridge/state", {"state": "offline"}, retain=True)
    assert [(one.device, one.online, one.firmware) for one in presences] == [(BRIDGE, False, "2.1.0")]


def test_the_bridge_tells_its_version_and_updates(stranger: Conversation) -> None:
    (identity,) = stranger.identities("zigbee2mqtt/bridge/info", INFO, retain=True)
    assert identity == Identity(
        BRIDGE,
        stranger.now,
        "Zigbee2MQTT",
        "zStack30x",
        "2.1.0",
        BRIDGE,
        convention="zigbee2mqtt",
        hardware_address=BRIDGE,
    )
    (event,) = stranger.events("zigbee2mqtt/bridge/info", {**INFO, "version": "2.2.0"}, retain=True)
    assert (event.kind, event.code, event.detail) == ("update", "installed", {"from": "2.1.0", "to": "2.2.0"})
    assert stranger.metrics("zigbee2mqtt/bridge/health", {"process": {"uptime_sec": 77}}) == {"uptime_s": 77.0}


# -- measurements ---------------------------------------------------------------------------------------------------------------


def test_a_sensor_on_a_battery(home: Conversation) -> None:
    state = {
        "battery": 91,
        "voltage": 2995,
        "temperature": 27.34,
        "humidity": 44.72,
        "pressure": 1013,
        "linkquality": 51,
    }
    assert home.metrics("zigbee2mqtt/kitchen/window/sensor", state) == {
        "battery_pct": 91.0,
        "battery_v": 2.995,
        "temperature_c": 27.34,
        "humidity_pct": 44.72,
        "pressure_hpa": 1013.0,
        "link_quality_pct": 20.0,
    }


def test_the_voltage_of_a_device_on_a_battery_is_that_of_its_battery(home: Conversation) -> None:
    assert home.metrics("zigbee2mqtt/kitchen/window/sensor", {"voltage": 2995}) == {"battery_v": 2.995}


def test_units_are_those_of_the_definition(home: Conversation) -> None:
    metrics = home.metrics("zigbee2mqtt/my_plug", {"voltage": 230.1, "energy": 1500, "power": 12, "linkquality": 255})
    assert metrics == {"voltage_v": 230.1, "energy_kwh": 1.5, "power_w": 12.0, "link_quality_pct": 100.0}


def test_endpoints_and_phases_carry_their_own_name(home: Conversation) -> None:
    state = {"state_l1": "ON", "state_right": "OFF", "power_phase_b": 7, "voltage_phase_c": 229, "brightness": 3}
    assert home.metrics("zigbee2mqtt/my_plug", state) == {
        "l1_relay_on": 1.0,
        "right_relay_on": 0.0,
        "phase2_power_w": 7.0,
        "phase3_voltage_v": 229.0,
    }


def test_a_property_that_was_never_reported_says_nothing(home: Conversation) -> None:
    assert home.say("zigbee2mqtt/my_plug", {"power": None, "action": "single"}).ignored
    assert home.metrics("zigbee2mqtt/kitchen/window/sensor", {"water_leak": True, "battery_low": False}) == {
        "alarm_on": 1.0,
        "battery_low": 0.0,
    }


def test_attributes_may_have_topics_of_their_own(home: Conversation) -> None:
    assert home.metrics("zigbee2mqtt/my_plug/power", "12.5") == {"power_w": 12.5}
    assert home.metrics("zigbee2mqtt/my_plug/state", "ON") == {"relay_on": 1.0}


# -- firmware -------------------------------------------------------------------------------------------------------------------


def test_a_new_build_is_an_update(home: Conversation) -> None:
    (event,) = home.events("zigbee2mqtt/bridge/devices", [COORDINATOR, plug(), bulb(build="1.3.010"), sensor()])
    assert (event.device, event.kind, event.code) == (BULB, "update", "installed")
    assert event.detail == {"from": "1.3.009", "to": "1.3.010"}
    (reading,) = home.readings("zigbee2mqtt/my_bulb", {"state": "ON"})
    assert reading.firmware == "1.3.010"


def test_a_file_version_is_the_firmware_where_there_is_no_build(home: Conversation) -> None:
    unknown = {"update": {"installed_version": -1, "latest_version": -1, "state": "idle"}}
    assert home.say("zigbee2mqtt/my_plug", unknown).ignored
    first, second = ({"state": "ON", "update": {"installed_version": one, "state": "idle"}} for one in (16, 17))
    answer = home.say("zigbee2mqtt/my_plug", first)
    assert [type(one) for one in answer.values] == [Reading]
    assert [one.firmware for one in home.readings("zigbee2mqtt/my_plug", first)] == ["16"]
    (event,) = home.events("zigbee2mqtt/my_plug", second)
    assert (event.code, event.detail) == ("installed", {"from": "16", "to": "17"})


def test_a_file_version_does_not_replace_a_build(home: Conversation) -> None:
    state = {"state": "ON", "update": {"installed_version": 16777241, "latest_version": 16777242, "state": "available"}}
    (reading,) = home.readings("zigbee2mqtt/my_bulb", state)
    assert reading.firmware == "1.3.009"


def test_an_update_that_ends_on_the_old_version_has_failed(home: Conversation) -> None:
    def said(state: str) -> list[Event]:
        return home.events(
            "zigbee2mqtt/my_bulb", {"update": {"installed_version": 16, "state": state, "progress": 1.5}}
        )

    assert said("available") == []
    assert [(one.kind, one.code) for one in said("updating")] == [("update", "started")]
    assert said("updating") == []
    assert [(one.kind, one.code) for one in said("available")] == [("update", "failed")]
    assert said("idle") == []
