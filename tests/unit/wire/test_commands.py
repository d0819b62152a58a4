"""Commands on the wire: what is published for each convention, where to, and which answers are ours."""

from __future__ import annotations

import json
from datetime import timedelta
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hearthwatch.errors import Conflict, Invalid
from hearthwatch.values import Event, Presence, Reading, Reply
from hearthwatch.wire import native
from hearthwatch.wire.answers import MAX_ANSWER_CHARACTERS, kept
from hearthwatch.wire.commands.requests import KINDS, is_command_topic, offer, offered
from hearthwatch.wire.commands.routes import Route, native_route, route_of
from hearthwatch.wire.commands.wishes import wish_of
from hearthwatch.wire.shelly_gen2 import ShellyGen2
from hearthwatch.wire.sparkplug import device_id
from hearthwatch.wire.sparkplug_payload import parse_payload
from hearthwatch.wire.tasmota import Tasmota
from hearthwatch.wire.zigbee2mqtt import Zigbee2Mqtt
from tests.strategies import START
from tests.unit.wire.conversation import Conversation

PLUG = "shellyplus1pm-aabbccddeeff"
BRIDGE, LAMP = "0x00124b00120144ae", "0x000b57fffec6a5b2"
ROUTES = {
    "native": native_route("lamp-1"),
    "tasmota": Route("tasmota", "plug", "cmnd/plug", ("plug",)),
    "shelly_gen2": Route("shelly_gen2", PLUG, PLUG, (PLUG,)),
    "zigbee2mqtt": Route("zigbee2mqtt", LAMP, "house/z2m", (LAMP, BRIDGE)),
    "bridge": Route("zigbee2mqtt bridge", BRIDGE, "zigbee2mqtt", (BRIDGE,)),
    "sparkplug": Route("sparkplug", "plant.edge", "plant/edge", ("plant.edge",)),
}


def asked(name: str, kind: str, **parameters: Any) -> tuple[str, bytes]:
    request = offer(ROUTES[name], kind).make(ROUTES[name], "r1", parameters, START)
    return request.topic, request.payload


def replies(talk: Conversation, topic: str, payload: Any, **more: Any) -> list[Reply]:
    return [value for value in talk.say(topic, payload, **more).values if isinstance(value, Reply)]


# -- what is not asked ------------------------------------------------------------------------------------------------------


def test_a_kind_that_does_not_exist_is_refused_by_name() -> None:
    with pytest.raises(Invalid, match="there is no command 'reboot'; there are diagnostics"):
        offer(ROUTES["native"], "reboot")


def test_a_kind_that_a_convention_has_not_is_refused_with_those_it_has() -> None:
    with pytest.raises(Conflict, match="can be asked for rebirth, not for diagnostics"):
        offer(ROUTES["sparkplug"], "diagnostics")


@pytest.mark.parametrize(
    "topic",
    [
        "hearthwatch/v1/a/b/command",
        "hearthwatch/v1/a/telemetry",
        "cmnd/plug/POWER",
        "cmnd/+/STATUS",
        "stat/plug/STATUS",
        "a/b/c/rpc",
        "zigbee2mqtt/bridge/request/permit_join",
        "zigbee2mqtt/lamp/set",
        "spBv1.0/plant/DCMD/edge/pump",
        "spBv1.0/#/NCMD/edge",
        "/rpc",
        "",
    ],
)
def test_no_other_topic_is_one_for_commands(topic: str) -> None:
    assert not is_command_topic(topic)


# -- what is published ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ROUTES)
def test_every_request_goes_to_a_topic_for_commands(name: str) -> None:
    assert offered(ROUTES[name])
    for kind in offered(ROUTES[name]):
        topic, _ = asked(name, kind, version="2.4.2")
        assert kind in KINDS
        assert is_command_topic(topic), topic


def test_a_native_device_reads_what_it_is_asked() -> None:
    command = native.parse_command(*asked("native", "update", version="2.4.2"))
    assert (command.id, command.kind, command.fields) == ("r1", "update", {"version": "2.4.2"})


def test_what_the_other_conventions_are_asked() -> None:
    assert asked("tasmota", "diagnostics") == ("cmnd/plug/STATUS", b"0")
    topic, frame = asked("shelly_gen2", "check_update")
    assert (topic, msgspec.json.decode(frame)) == (
        f"{PLUG}/rpc",
        {"id": "r1", "src": f"{PLUG}/hearthwatch", "method": "Shelly.CheckForUpdate"},
    )
    topic, body = asked("zigbee2mqtt", "check_update")
    assert topic == "house/z2m/bridge/request/device/ota_update/check"
    assert msgspec.json.decode(body) == {"id": LAMP, "transaction": "r1"}


def test_a_rebirth_is_a_boolean_metric_and_has_no_number() -> None:
    topic, payload = asked("sparkplug", "rebirth")
    read = parse_payload(payload)
    (metric,) = read.metrics
    assert (topic, metric.name, metric.value, metric.datatype) == (
        "spBv1.0/plant/NCMD/edge",
        "Node Control/Rebirth",
        True,
        11,
    )
    assert read.seq is None


# -- where a device listens -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("topic", "listens"),
    [
        ("tele/plug/LWT", "cmnd/plug"),
        ("tele/hall/plug/LWT", "cmnd/hall/plug"),
        ("plug/tele/LWT", "plug/cmnd"),
        ("hall/plug/tele/LWT", "hall/plug/cmnd"),
    ],
)
def test_a_tasmota_is_asked_where_its_topic_says(topic: str, listens: str) -> None:
    talk = Conversation(Tasmota())
    talk.say(topic, "Online")
    ((partition, state),) = talk.states.items()
    route = route_of("tasmota", partition, state or {}, [partition])
    assert route is not None
    assert route.place == listens


def test_a_shelly_with_a_prefix_of_its_own_is_found_by_its_id() -> None:
    talk = Conversation(ShellyGen2())
    talk.say("home/plug/events/rpc", {"src": PLUG, "method": "NotifyStatus", "params": {"sys": {"uptime": 5}}})
    ((partition, state),) = talk.states.items()
    route = route_of("shelly_gen2", partition, state or {}, [PLUG])
    assert route is not None
    assert (route.place, route.device) == ("home/plug", PLUG)
    assert route_of("shelly_gen2", partition, state or {}, ["another"]) is None


def test_a_zigbee_device_may_be_answered_for_by_its_bridge() -> None:
    state = {"bridge": BRIDGE, "devices": {LAMP: {}}}
    assert route_of("zigbee2mqtt", "z", state, [LAMP]) == Route("zigbee2mqtt", LAMP, "z", (LAMP, BRIDGE))
    assert route_of("zigbee2mqtt", "z", state, [BRIDGE]) == Route("zigbee2mqtt bridge", BRIDGE, "z", (BRIDGE,))


def test_an_edge_node_whose_name_is_not_plain_is_found_by_its_id() -> None:
    route = route_of("sparkplug", "My plant/edge 1", {}, [device_id("My plant", "edge 1")])
    assert route is not None
    assert route.place == "My plant/edge 1"


# -- answers ----------------------------------------------------------------------------------------------------------------


def test_an_answer_to_somebody_elses_call_is_no_reply() -> None:
    talk = Conversation(ShellyGen2())
    assert replies(talk, f"{PLUG}/rpc", {"id": 7, "src": PLUG, "dst": "homeassistant", "result": {}}) == []
    assert replies(talk, f"{PLUG}/rpc", {"id": "7", "src": PLUG, "dst": "homeassistant", "error": {"code": 1}}) == []
    assert replies(talk, f"{PLUG}/hearthwatch/rpc", {"id": 7, "src": PLUG, "result": {}}) == [], "ours are texts"


def test_a_refused_call_says_why(third_party_data: Path) -> None:
    given_ = json.loads(
        (third_party_data / "mqtt-payloads/shelly/rpc__shellyplus2pm__Cover.Close_auth_failure.json").read_text()
    )
    device = given_["src"]
    frame = {**given_, "id": "r1", "dst": f"{device}/hearthwatch"}
    (reply,) = replies(Conversation(ShellyGen2()), f"{device}/hearthwatch/rpc", frame)
    assert (reply.device, reply.id, reply.ok) == (device, "r1", False)
    assert reply.detail["error"]["code"] == 401


def test_what_a_real_shelly_tells_of_itself_is_an_answer_and_an_identity(third_party_data: Path) -> None:
    told = json.loads((third_party_data / "mqtt-payloads/shelly/rpc__shellyplus2pm__shelly.json").read_text())
    frame = {"id": "r1", "src": told["id"], "dst": f"{told['id']}/hearthwatch", "result": told}
    talk = Conversation(ShellyGen2())
    answer = talk.say(f"{told['id']}/hearthwatch/rpc", frame)
    assert [type(value).__name__ for value in answer.values] == ["Identity", "Reply"]
    reply = answer.values[-1]
    assert isinstance(reply, Reply)
    assert reply.detail["fw_id"] == told["fw_id"]


def test_an_answer_that_is_neither_result_nor_error_is_refused() -> None:
    with pytest.raises(Invalid, match="needs a result"):
        Conversation(ShellyGen2()).say(f"{PLUG}/hearthwatch/rpc", {"id": "r1", "src": PLUG})


def test_status_0_in_one_message_is_an_answer_and_a_kept_copy_of_it_is_none() -> None:
    talk = Conversation(Tasmota())
    whole = {"Status": {"Module": 1}, "StatusFWR": {"Version": "14.2.0"}}
    (reply,) = replies(talk, "stat/plug/STATUS0", whole)
    assert (reply.kind, reply.id, reply.detail) == ("diagnostics", "", whole)
    assert replies(talk, "stat/plug/STATUS0", whole, retain=True) == []


def test_parts_of_status_0_are_one_answer_with_the_last_of_them() -> None:
    talk = Conversation(Tasmota())
    assert replies(talk, "stat/plug/STATUS", {"Status": {"Module": 1}}) == []
    assert replies(talk, "stat/plug/STATUS2", {"StatusFWR": {"Version": "14.2.0"}}) == []
    (reply,) = replies(talk, "stat/plug/STATUS11", {"StatusSTS": {"UptimeSec": 5}})
    assert (reply.kind, set(reply.detail)) == ("diagnostics", {"Status", "StatusFWR", "StatusSTS"})
    assert talk.states["plug"] is not None
    assert "answer" not in talk.states["plug"], "nothing of it is remembered"


def test_a_part_alone_or_out_of_order_answers_for_itself() -> None:
    talk = Conversation(Tasmota())
    (reply,) = replies(talk, "stat/plug/STATUS2", {"StatusFWR": {"Version": "14.2.0"}})
    assert reply.kind == "device_info"
    talk.say("stat/plug/STATUS", {"Status": {}})
    talk.say("stat/plug/STATUS5", {"StatusNET": {}})
    (again,) = replies(talk, "stat/plug/STATUS2", {"StatusFWR": {"Version": "14.2.0"}})
    assert again.kind == "device_info"
    assert replies(talk, "stat/plug/STATUS11", {"StatusSTS": {}}) == []


def test_parts_that_come_much_later_belong_to_another_question() -> None:
    talk = Conversation(Tasmota())
    talk.say("stat/plug/STATUS", {"Status": {}})
    assert replies(talk, "stat/plug/STATUS11", {"StatusSTS": {}}, at=talk.now + timedelta(minutes=1)) == []


@pytest.mark.parametrize(("said", "ok"), [("Version 14.2.0 from http://ota", True), ("1 or reset", False)])
def test_an_upgrade_begins_or_says_why_not(said: str, ok: bool) -> None:
    (reply,) = replies(Conversation(Tasmota()), "stat/plug/RESULT", {"Upgrade": said})
    assert (reply.kind, reply.ok, reply.detail) == ("update", ok, {"Upgrade": said})


def network() -> Conversation:
    talk = Conversation(Zigbee2Mqtt())
    listed = [
        {"ieee_address": BRIDGE, "type": "Coordinator", "friendly_name": "Coordinator"},
        {"ieee_address": LAMP, "type": "Router", "friendly_name": "hall/lamp"},
    ]
    talk.say("zigbee2mqtt/bridge/devices", listed, retain=True)
    return talk


@pytest.mark.parametrize("named", [LAMP, "hall/lamp"])
def test_a_bridge_answers_for_its_device_by_address_or_name(named: str) -> None:
    data = {"id": named, "update_available": True}
    topic = "zigbee2mqtt/bridge/response/device/ota_update/check"
    (reply,) = replies(network(), topic, {"data": data, "status": "ok", "transaction": "r1"})
    assert (reply.device, reply.id, reply.ok, reply.detail) == (LAMP, "r1", True, data)


def test_an_answer_of_a_bridge_to_somebody_else_is_no_reply() -> None:
    topic = "zigbee2mqtt/bridge/response/device/ota_update/check"
    answer = network().say(topic, {"data": {"id": LAMP}, "status": "ok"})
    assert (answer.values, answer.ignored) == ((), "an answer to a request that was not ours")


# -- what is kept of an answer ------------------------------------------------------------------------------------------------

json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=50),
    lambda inner: st.lists(inner, max_size=5) | st.dictionaries(st.text(max_size=10), inner, max_size=5),
    max_leaves=40,
)


@given(json_values)
def test_whatever_is_answered_can_be_kept(answer: Any) -> None:
    once = kept(answer)
    text = json.dumps(once, allow_nan=False, ensure_ascii=False)
    text.encode()
    assert "\x00" not in text.replace("\\u0000", "\x00")
    assert kept(once) == once


def test_a_huge_answer_is_cut_and_says_so() -> None:
    huge = {f"key{number}": "x" * 1000 for number in range(10_000)}
    once = kept(huge)
    assert once["cut"] is True
    assert len(json.dumps(once)) < 2 * MAX_ANSWER_CHARACTERS


def test_what_is_a_households_own_business_is_left_out() -> None:
    answer = {
        "wifi": {"ssid": "The Smiths", "rssi": -60},
        "StatusMQT": {"MqttUser": "kim", "MqttPort": 1883},
        "lat": 52.5,
    }
    assert kept(answer) == {
        "wifi": {"ssid": "(left out)", "rssi": -60},
        "StatusMQT": {"MqttUser": "(left out)", "MqttPort": 1883},
        "lat": "(left out)",
    }


# -- what is worth asking -----------------------------------------------------------------------------------------------------


def test_a_gap_asks_for_a_rebirth_and_a_shelly_that_comes_for_its_firmware() -> None:
    gap = Event("plant.edge", "s", START, "gap", "rebirth", {"missing": 3})
    assert wish_of("sparkplug", gap) == ("rebirth", "a gap: 3 messages are missing", timedelta(0))
    assert wish_of("sparkplug", Event("plant.edge", "s", START, "gap", "closed", {"missing": 3})) is None
    online = Presence(PLUG, "s", START, True)
    asked_of_shelly = wish_of("shelly_gen2", online)
    assert asked_of_shelly is not None
    assert asked_of_shelly[0] == "device_info"
    assert wish_of("tasmota", online) is None
    assert wish_of("shelly_gen2", Presence(PLUG, "s", START, False)) is None
    assert wish_of("shelly_gen2", Reading(PLUG, "s", START, {"a_v": 1.0})) is None
