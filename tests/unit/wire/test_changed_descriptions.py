"""Descriptions of devices in which something is another value than it should be: whatever follows is decoded or `Invalid`."""

from __future__ import annotations

import copy
from typing import Any

import msgspec
from hypothesis import given, settings
from hypothesis import strategies as st

from hearthwatch.errors import Invalid
from hearthwatch.ports import Convention
from hearthwatch.values import Message
from hearthwatch.wire.home_assistant import HomeAssistant
from hearthwatch.wire.zigbee2mqtt import Zigbee2Mqtt
from tests.strategies import START, json_values, payloads
from tests.unit.wire.test_home_assistant import KITCHEN, entity, listed
from tests.unit.wire.test_zigbee2mqtt import COORDINATOR, INFO, bulb, plug, sensor

Said = list[tuple[str, Any]]

ZIGBEE: Said = [
    ("zigbee2mqtt/bridge/devices", [COORDINATOR, plug(), bulb(), sensor("my_plug/left")]),
    ("zigbee2mqtt/bridge/info", INFO),
    ("zigbee2mqtt/bridge/groups", [{"id": 1, "friendly_name": "all"}]),
    ("zigbee2mqtt/bridge/event", {"type": "device_leave", "data": {"ieee_address": bulb()["ieee_address"]}}),
    ("zigbee2mqtt/my_plug", {"voltage": 230, "power": 1e15, "update": {"installed_version": 3, "state": "updating"}}),
    ("zigbee2mqtt/my_plug/left", {"battery": 9, "voltage": 3000, "last_seen": 1777636800000}),
    ("zigbee2mqtt/my_bulb/availability", {"state": "offline"}),
]
HOME: Said = [
    ("homeassistant/device/kitchen/config", {**KITCHEN, "~": "kitchen", **listed("all")}),
    ("homeassistant/sensor/garage/uptime/config", entity("sensor", "uptime", unit_of_meas="s")),
    ("homeassistant/sensor/garage/reset_reason/config", entity("sensor", "reset_reason")),
    ("homeassistant/sensor/garage/cold/config", entity("sensor", "cold", unit_of_meas="°F", dev_cla="temperature")),
    ("homeassistant/update/garage/fw/config", entity("update", "fw", dev={"ids": "x"})),
    ("homeassistant/switch/garage/relay/config", entity("switch", "relay", val_tpl="{{ value_json.a | default(1) }}")),
    ("garage/sensor/uptime/state", 7),
    ("garage/sensor/cold/state", -1e15),
    ("garage/sensor/reset_reason/state", "task watchdog"),
    ("garage/update/fw/state", {"installed_version": "1.2.3"}),
    ("garage/switch/relay/state", {"a": "ON"}),
    ("bedroom/sensor/both/state", {"temperature": 20, "humidity": "40"}),
    ("garage/status", "online"),
    ("one/status", "offline"),
]


@st.composite
def changed(draw: st.DrawFn, said: Said) -> Message:
    topic, whole = draw(st.sampled_from(said))
    top: list[Any] = [copy.deepcopy(whole)]
    place: Any = top
    key: Any = 0
    while isinstance(place[key], (dict, list)) and place[key] and draw(st.integers(0, 3)):
        place = place[key]
        key = draw(st.sampled_from(list(place) if isinstance(place, dict) else range(len(place))))
    if draw(st.booleans()):
        place[key] = draw(json_values)
    raw = top[0].encode("utf-8", "replace") if isinstance(top[0], str) else msgspec.json.encode(top[0])
    payload = draw(payloads) if draw(st.integers(0, 9)) == 0 else raw
    return Message(topic, payload, START, retain=draw(st.booleans()))


def check(convention: Convention, session: list[Message]) -> None:
    state: Any = None
    for message in session:
        before = copy.deepcopy(state)
        try:
            decoded, following = convention.decode(state, message)
        except Invalid:
            assert state == before
            continue
        assert state == before
        assert following is state or following != state
        assert decoded.values or decoded.rejected or decoded.ignored
        for value in decoded.values:
            for number in getattr(value, "metrics", {}).values():
                assert type(number) is float
                assert abs(number) <= 1e15
        state = None if following is None else msgspec.json.decode(msgspec.json.encode(following))
        assert state == following


@settings(max_examples=300)
@given(session=st.lists(changed(ZIGBEE), min_size=1, max_size=12))
def test_zigbee2mqtt(session: list[Message]) -> None:
    first = [Message(topic, msgspec.json.encode(said), START, retain=True) for topic, said in ZIGBEE[:2]]
    check(Zigbee2Mqtt(), [*first, *session])


@settings(max_examples=300)
@given(session=st.lists(changed(HOME), min_size=1, max_size=12))
def test_home_assistant(session: list[Message]) -> None:
    first = [Message(topic, msgspec.json.encode(said), START, retain=True) for topic, said in HOME[:6]]
    check(HomeAssistant(), [*first, *session])
