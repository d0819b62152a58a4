"""Devices that announce themselves through Home Assistant discovery.

Payloads have the shapes of www.home-assistant.io/integrations/mqtt (discovery, device bundle, availability) and of ESPHome
(esphome.io/components/mqtt; its debug component's reset reasons).
"""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from hearthwatch.errors import Invalid
from hearthwatch.metrics import REBOOT_CODES_EXPECTED
from hearthwatch.values import Event, Message, Presence
from hearthwatch.wire.home_assistant import HomeAssistant
from hearthwatch.wire.registry import Decoder, conventions
from hearthwatch.wire.tasmota import Tasmota
from hearthwatch.wire.zigbee2mqtt import Zigbee2Mqtt
from tests.strategies import START
from tests.unit.wire.conversation import Conversation

MAC = "78e36d645710"
ESPHOME = "esphome v2023.10.4 Nov  1 2023, 09:27:02"
NODE: dict[str, Any] = {"ids": MAC, "name": "Garage", "sw": ESPHOME, "mdl": "esp32dev", "mf": "espressif"}
KITCHEN: dict[str, Any] = {
    "dev": {
        "ids": "ea334450945afc",
        "name": "Kitchen",
        "mf": "Bla electronics",
        "mdl": "xya",
        "sw": "1.0",
        "sn": "ea334450945afc",
        "hw": "1.0rev2",
    },
    "o": {"name": "bla2mqtt", "sw": "2.1", "url": "https://bla2mqtt.example.com/support"},
    "cmps": {
        "warmth": {
            "p": "sensor",
            "device_class": "temperature",
            "unit_of_measurement": "°C",
            "value_template": "{{ value_json.temperature}}",
            "unique_id": "temp01ae_t",
        },
        "wetness": {
            "p": "sensor",
            "device_class": "humidity",
            "unit_of_measurement": "%",
            "value_template": "{{ value_json.humidity}}",
            "unique_id": "temp01ae_h",
        },
    },
    "state_topic": "bedroom/sensor/both/state",
    "qos": 2,
}


def entity(kind: str, name: str, /, **more: Any) -> dict[str, Any]:
    """A description as ESPHome sends it."""
    return {
        "name": name.replace("_", " ").title(),
        "stat_t": f"garage/{kind}/{name}/state",
        "avty_t": "garage/status",
        "uniq_id": f"{MAC}-{kind}-{name}",
        "dev": NODE,
        **more,
    }


class Home(Conversation):
    """A talk in which entities can be described briefly."""

    def describe(self, kind: str, name: str, /, *, retain: bool = True, **more: Any) -> str:
        """Announce an entity; returns its state topic."""
        described = entity(kind, name, **more)
        self.say(f"homeassistant/{kind}/garage/{name}/config", described, retain=retain)
        return str(described["stat_t"])

    def meaning(self, payload: Any, kind: str = "sensor", name: str = "thing", **more: Any) -> dict[str, float]:
        """What a payload means on the topic of an entity."""
        return dict(self.metrics(self.describe(kind, name, **more), payload))


@pytest.fixture
def home() -> Home:
    return Home(HomeAssistant())


# -- what cannot be taken in ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "payload",
    [
        b"\xff",
        "[]",
        "{}",
        {"stat_t": "a/b/c/state"},
        {"stat_t": "a/b/c/state", "dev": []},
        {"stat_t": "a/b/c/state", "dev": {"name": "Lamp"}},
        {"stat_t": "a/b/c/state", "dev": {"ids": [], "cns": "x"}},
    ],
)
def test_a_description_without_a_device_is_invalid(home: Home, payload: Any) -> None:
    with pytest.raises(Invalid):
        home.say("homeassistant/sensor/garage/thing/config", payload)


@pytest.mark.parametrize("components", [None, [], {"a": 7}, {str(place): {"p": "sensor"} for place in range(257)}])
def test_a_bundle_without_components_is_invalid(home: Home, components: Any) -> None:
    with pytest.raises(Invalid):
        home.say("homeassistant/device/kitchen/config", {**KITCHEN, "cmps": components})


@pytest.mark.parametrize(
    "template",
    [
        "{{ value_json.a * 2 }}",
        "{{ value }}",
        "{{ states('sensor.x') }}",
        "{{ 'a' * 800000000 }}",
        "{% for a in range(999999999) %}{% for b in range(999999999) %}x{% endfor %}{% endfor %}",
        "{{ value_json.a if value_json.b else 1 }}",
        "{{ value_json.get('a') }}",
        "{{ value_json | tojson }}",
        "{{ value_json.a | round(99999999) }}",
        "{{ value_json.a | float(default=value_json.b) }}",
        "{{ value_json.a[0:9] }}",
        "{{ value_json.a | float(*value_json.b) }}",
        "{{ value_json.a | float(**value_json.b) }}",
        "{{ value_json[value_json.a] }}",
        "prefix {{ value_json.a }}",
        "{{ value_json.a }}{{ value_json.b }}",
        "{{ value_json",
        "{{ " + "(" * 250 + "1" + ")" * 250 + " }}",
        "{{ value_json" + ".a" * 200 + " }}",
        "{{ value_json.a }}" + " " * 600,
        "plain",
        7,
        ["{{ value_json.a }}"],
    ],
)
def test_a_template_that_does_more_than_pick_a_value_is_refused_for_its_entity_alone(home: Home, template: Any) -> None:
    bundle = {**KITCHEN, "cmps": {**KITCHEN["cmps"], "strange": {"p": "sensor", "val_tpl": template}}}
    answer = home.say("homeassistant/device/kitchen/config", bundle, retain=True)
    assert [(one.part, one.device) for one in answer.rejected] == [("device/kitchen/strange", "ea334450945afc")]
    assert home.metrics("bedroom/sensor/both/state", {"temperature": 20, "humidity": 50}) == {
        "temperature_c": 20.0,
        "humidity_pct": 50.0,
    }


@pytest.mark.parametrize(
    ("template", "payload", "expected"),
    [
        ("{{ value_json.a }}", {"a": 1.5}, 1.5),
        ("{{value_json['a'][1].b|float}}", {"a": [0, {"b": "2.5"}]}, 2.5),
        ("{{ value_json.a | float(0) | round(1) }}", {"a": "3.14159"}, 3.1),
        ("{{ value_json.a | int }}", {"a": 7.9}, 7.0),
        ("{{ value_json.missing | default(4) }}", {}, 4.0),
        ("{{ value_json.a | default(4, true) }}", {"a": ""}, 4.0),
        ("{{ value_json.a | float(default=5) }}", {"a": "much"}, 5.0),
        ("{{ -6 }}", {}, -6.0),
        ("{{ value_json }}", 8, 8.0),
    ],
)
def test_templates_that_pick_a_value(home: Home, template: str, payload: Any, expected: float) -> None:
    assert home.meaning(payload, unit_of_meas="V", dev_cla="voltage", val_tpl=template) == {"voltage_v": expected}


def test_a_template_that_finds_nothing_says_nothing(home: Home) -> None:
    topic = home.describe("sensor", "power", unit_of_meas="W", val_tpl="{{ value_json.ENERGY.Power }}")
    for payload in ({}, {"ENERGY": 7}, {"ENERGY": {"Power": None}}, [1]):
        assert home.say(topic, payload).ignored
    with pytest.raises(Invalid):
        home.say(topic, "not json")
    with pytest.raises(Invalid):
        home.say(topic, {"ENERGY": {"Power": "much"}})


@pytest.mark.parametrize("topic", [7, "", "a/+/b", "a/#", "a\x00b", "t" * 600])
def test_a_topic_that_is_none_is_refused(home: Home, topic: Any) -> None:
    answer = home.say("homeassistant/sensor/garage/x/config", entity("sensor", "x", stat_t=topic))
    assert [one.part for one in answer.rejected] == ["sensor/garage/x"]


@pytest.mark.parametrize("key", ["dev_cla", "stat_cla", "unit_of_meas", "ent_cat", "name", "uniq_id", "obj_id", "~"])
@pytest.mark.parametrize("value", [[], {}, [["x"]], 7, True, None, "\x00", "x" * 5000])
def test_a_property_that_is_something_else_than_a_text_does_not_matter(home: Home, key: str, value: Any) -> None:
    for kind in ("sensor", "binary_sensor", "switch", "light", "update", "climate"):
        home.describe(kind, "thing", **{key: value})
    assert home.readings("garage/switch/thing/state", "ON")


@pytest.mark.parametrize("place", ["a//b", "a/b#", "a/#/b", "+x/state", "/"])
def test_a_place_that_is_no_topic_filter_is_refused(place: str) -> None:
    with pytest.raises(Invalid):
        HomeAssistant([place])


@pytest.mark.parametrize("payload", ["nan", "", "unknown", "unavailable", "None"])
def test_a_sensor_that_has_nothing_to_say(home: Home, payload: str) -> None:
    assert home.say(home.describe("sensor", "thing", unit_of_meas="W"), payload).ignored


@pytest.mark.parametrize("payload", ["much", "inf", "1e400", "1_000", b"\xff", "9" * 300])
def test_a_number_that_is_none_is_invalid(home: Home, payload: Any) -> None:
    with pytest.raises(Invalid):
        home.say(home.describe("sensor", "thing", unit_of_meas="W"), payload)


def test_a_text_sensor_may_say_words(home: Home) -> None:
    topic = home.describe("sensor", "ip_address")
    assert home.say(topic, "192.168.1.7").ignored
    assert home.say(topic, "much").ignored


def test_a_state_before_its_description_is_held_and_good_after_it(home: Home) -> None:
    with pytest.raises(Invalid, match="no description"):
        home.say("garage/sensor/power/state", "12.5")
    assert home.meaning("12.5", name="power", unit_of_meas="W", dev_cla="power") == {"power_w": 12.5}


def test_a_retained_state_is_too_old_to_be_a_reading(home: Home) -> None:
    topic = home.describe("sensor", "power", unit_of_meas="W")
    assert home.say(topic, "12.5", retain=True).ignored == "a retained copy without a time"
    assert home.say("stranger/sensor/power/state", "12.5", retain=True).ignored


def test_what_is_too_much_is_refused(home: Home) -> None:
    for place in range(256):
        home.describe("sensor", f"s{place}", unit_of_meas="W")
    with pytest.raises(Invalid, match="more than 256 entities of one device"):
        home.describe("sensor", "more")


# -- which device it is -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("given", "device", "serial"),
    [
        ({"ids": MAC}, MAC, MAC.upper()),
        ({"ids": ["Garage"], "cns": [["mac", "78:E3:6D:64:57:10"]]}, MAC, MAC.upper()),
        ({"identifiers": ["lamp-78-E3"], "connections": [["mac", "78-e3-6d-64-57-10"]]}, MAC, MAC.upper()),
        ({"ids": ["wled_78E36D645710"], "sn": "S-001"}, MAC, "S-001"),
        ({"ids": ["zigbee2mqtt_0x00158D00018255DF"]}, "0x00158d00018255df", "0x00158d00018255df"),
        ({"ids": ["0x00158D00018255DF"], "cns": [["mac", "78:E3:6D:64:57:10"]]}, "0x00158d00018255df", MAC.upper()),
        ({"ids": ["shellyplus1pm-aabbccddeeff"]}, "shellyplus1pm-aabbccddeeff", "AABBCCDDEEFF"),
        ({"ids": ["x"], "sn": "SN 001/7"}, None, "SN 001/7"),
        ({"ids": ["boiler"], "sn": "0"}, "boiler", "0"),
        ({"ids": [42]}, "42", None),
    ],
)
def test_a_device_is_its_hardware(home: Home, given: dict[str, Any], device: str | None, serial: str | None) -> None:
    (identity,) = home.identities("homeassistant/sensor/x/config", {"dev": {**given, "mdl": "lamp"}}, retain=True)
    assert identity.serial == serial
    if device is not None:
        assert identity.device == device


def test_ids_that_only_look_alike_once_made_wholesome_stay_apart(home: Home) -> None:
    first, second = (
        home.identities("homeassistant/sensor/x/config", {"dev": {"ids": [name], "mdl": "m"}})
        for name in ("a b", "a/b")
    )
    assert first[0].device != second[0].device


def test_an_identity_is_told_once_however_many_entities_repeat_it(home: Home) -> None:
    (identity,) = home.identities("homeassistant/sensor/garage/a/config", entity("sensor", "a"), retain=True)
    assert (identity.device, identity.model, identity.firmware) == (MAC, "esp32dev", ESPHOME)
    assert home.say("homeassistant/sensor/garage/b/config", entity("sensor", "b"), retain=True).ignored
    again = home.say("homeassistant/sensor/garage/b/config", entity("sensor", "b"), retain=True)
    assert again.ignored == "a retained copy of what is known"


def test_another_firmware_is_an_update(home: Home) -> None:
    home.describe("sensor", "a")
    newer = {**NODE, "sw": "2024.6.0 (Jun 20 2024, 10:00:00)"}
    (event,) = home.events("homeassistant/sensor/garage/a/config", entity("sensor", "a", dev=newer))
    assert (event.kind, event.code, event.detail) == ("update", "installed", {"from": ESPHOME, "to": newer["sw"]})


def test_a_device_tells_once_which_bridge_it_speaks_through(home: Home) -> None:
    described = {"dev": {"ids": ["AA:BB:CC:DD:EE:01"], "mdl": "thermometer", "via_device": "OMG_AABBCCDDEEFF"}}
    (event,) = home.events("homeassistant/sensor/x/config", described)
    assert (event.kind, event.code, event.detail) == ("network", "joined", {"bridge": "aabbccddeeff"})
    assert home.events("homeassistant/sensor/y/config", described) == []
    described["dev"]["via_device"] = "the gateway in the hall"
    assert home.events("homeassistant/sensor/z/config", described) == []


def test_a_description_that_moves_is_no_description(home: Home) -> None:
    topic = home.describe("sensor", "power", unit_of_meas="W", dev_cla="power")
    assert home.say("homeassistant/sensor/garage/power/config", {"migr_discvry": True}).ignored
    assert home.metrics(topic, "5") == {"power_w": 5.0}


def test_devices_that_have_a_convention_of_their_own_are_left_to_it() -> None:
    talk = Conversation(HomeAssistant(beside=[Tasmota(), Zigbee2Mqtt()]))
    device = {"ids": ["49A3BC"], "cns": [["mac", "00:00:00:49:A3:BC"]], "mdl": "Sonoff Basic"}
    tasmota = {"stat_t": "tele/tasmota_49A3BC/SENSOR", "avty_t": "tele/tasmota_49A3BC/LWT", "dev": device}
    zigbee = {"stat_t": "zigbee2mqtt/lamp", "dev": {"ids": ["zigbee2mqtt_0x00158d00018255df"], "mdl": "lamp"}}
    assert talk.say("homeassistant/sensor/49A3BC_power/config", tasmota).ignored == "a device of which tasmota tells"
    assert talk.say("homeassistant/light/0x00158d00018255df/light/config", zigbee).ignored
    assert Conversation(HomeAssistant()).identities("homeassistant/sensor/49A3BC_power/config", tasmota)


def test_a_device_seen_through_two_conventions_is_one() -> None:
    decoder = Decoder(conventions(["zigbee2mqtt", "home_assistant", "home_assistant@attic/+"]))
    described = b'[{"ieee_address":"0x00158d00018255df","friendly_name":"lamp","definition":{"model":"L1"}}]'
    attic = b'{"stat_t":"attic/lamp","unit_of_meas":"W","dev":{"ids":["zigbee2mqtt_0x00158d00018255df"]}}'
    seen = {
        value.device
        for topic, payload in (
            ("zigbee2mqtt/bridge/devices", described),
            ("zigbee2mqtt/lamp", b'{"power":5}'),
            ("homeassistant/sensor/x/config", attic),
            ("attic/lamp", b"7"),
        )
        for value in decoder.decode(Message(topic, payload, START))[1].values
    }
    assert seen == {"0x00158d00018255df"}


# -- descriptions --------------------------------------------------------------------------------------------------------------------


def test_a_bundle_describes_all_of_a_device(home: Home) -> None:
    (identity,) = home.identities("homeassistant/device/kitchen/config", KITCHEN, retain=True)
    assert (identity.model, identity.hardware, identity.firmware) == ("xya", "1.0rev2", "1.0")
    assert home.metrics("bedroom/sensor/both/state", {"temperature": 21.5, "humidity": 40}) == {
        "temperature_c": 21.5,
        "humidity_pct": 40.0,
    }


def test_a_component_or_a_bundle_can_be_taken_back(home: Home) -> None:
    home.say("homeassistant/device/kitchen/config", KITCHEN)
    without = {**KITCHEN, "cmps": {**KITCHEN["cmps"], "wetness": {"p": "sensor"}}}
    home.say("homeassistant/device/kitchen/config", without)
    both = {"temperature": 21.5, "humidity": 40}
    assert home.metrics("bedroom/sensor/both/state", both) == {"temperature_c": 21.5}
    home.say("homeassistant/device/kitchen/config", "")
    with pytest.raises(Invalid, match="no description"):
        home.say("bedroom/sensor/both/state", both)


def test_an_entity_that_is_removed_listens_no_more(home: Home) -> None:
    topic = home.describe("sensor", "power", unit_of_meas="W")
    home.say("homeassistant/sensor/garage/power/config", "")
    with pytest.raises(Invalid, match="no description"):
        home.say(topic, "5")


def test_an_entity_that_moves_listens_on_its_new_topic_alone(home: Home) -> None:
    old = home.describe("sensor", "power", unit_of_meas="W", dev_cla="power")
    home.describe("sensor", "power", unit_of_meas="kW", dev_cla="power", stat_t="garage/sensor/new/state")
    assert home.metrics("garage/sensor/new/state", "2") == {"power_w": 2000.0}
    with pytest.raises(Invalid, match="no description"):
        home.say(old, "5")


def base(topic: str) -> dict[str, Any]:
    return {"~": topic}


def test_the_base_topic_stands_at_either_end(home: Home) -> None:
    home.describe("sensor", "a", stat_t="~/state", **base("garage/sensor/a"), unit_of_meas="W", dev_cla="power")
    home.describe("sensor", "b", stat_t="garage/sensor/~", **base("b/state"), unit_of_meas="V", dev_cla="voltage")
    assert home.metrics("garage/sensor/a/state", "5") == {"power_w": 5.0}
    assert home.metrics("garage/sensor/b/state", "5") == {"voltage_v": 5.0}


def test_prefix_and_state_topics_can_be_named() -> None:
    (convention,) = conventions(["home_assistant@ha/+/+/config", "home_assistant@maker/#"])
    talk = Conversation(convention)
    assert convention.filters == ("ha/+/+/config", "ha/+/+/+/config", "maker/#")
    for foreign in ("homeassistant/sensor/x/config", "garage/sensor/x/state", "makers/x"):
        assert convention.partition(foreign) is None
    talk.say("ha/sensor/x/config", {"stat_t": "maker/7/power", "unit_of_meas": "W", "dev_cla": "power", "dev": NODE})
    assert talk.metrics("maker/7/power", "5") == {"power_w": 5.0}


# -- what it measures -----------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("given", "payload", "expected"),
    [
        ({"dev_cla": "temperature", "unit_of_meas": "°F"}, "70.7", {"temperature_c": pytest.approx(21.5)}),
        ({"dev_cla": "temperature", "unit_of_meas": "K"}, "300", {"temperature_c": pytest.approx(26.85)}),
        (
            {"dev_cla": "temperature", "unit_of_meas": "°C", "ent_cat": "diagnostic"},
            "51",
            {"device_temperature_c": 51.0},
        ),
        ({"dev_cla": "energy", "unit_of_meas": "Wh"}, "1500", {"energy_kwh": 1.5}),
        ({"dev_cla": "voltage", "unit_of_meas": "mV"}, "3300", {"voltage_v": 3.3}),
        ({"dev_cla": "voltage", "unit_of_meas": "mV", "name": "battery_volts"}, "2990", {"battery_v": 2.99}),
        ({"dev_cla": "battery", "unit_of_meas": "%"}, "91", {"battery_pct": 91.0}),
        ({"dev_cla": "signal_strength", "unit_of_meas": "dBm"}, "-61", {"rssi_dbm": -61.0}),
        ({"dev_cla": "signal_strength", "unit_of_meas": "%"}, "60", {"link_quality_pct": 60.0}),
        ({"dev_cla": "power_factor", "unit_of_meas": "%"}, "95", {"power_factor": pytest.approx(0.95)}),
        ({"dev_cla": "atmospheric_pressure", "unit_of_meas": "Pa"}, "101300", {"pressure_hpa": 1013.0}),
        ({"dev_cla": "duration", "unit_of_meas": "h", "name": "uptime"}, "2", {"uptime_s": 7200.0}),
        ({"dev_cla": "data_size", "unit_of_meas": "B", "name": "heap_free"}, "150000", {"free_heap_bytes": 150000.0}),
        ({"unit_of_meas": "ms", "name": "loop_time"}, "16", {"loop_time_s": 0.016}),
        ({"name": "relay_count"}, "16", {"relay_count": 16.0}),
        ({"dev_cla": "temperature", "unit_of_meas": "%", "name": "odd"}, "16", {"odd_pct": 16.0}),
    ],
)
def test_class_and_unit_give_the_metric(
    home: Home, given: dict[str, Any], payload: str, expected: dict[str, float]
) -> None:
    name = given.pop("name", "thing") if "name" in given else "thing"
    assert home.meaning(payload, name=name, **given) == expected


@pytest.mark.parametrize(
    ("kind", "given", "payload", "expected"),
    [
        ("switch", {}, "ON", {"relay_on": 1.0}),
        ("switch", {"stat_on": "closed", "stat_off": "open"}, "open", {"relay_on": 0.0}),
        ("light", {"schema": "json"}, {"state": "ON", "brightness": 7}, {"relay_on": 1.0}),
        ("binary_sensor", {"dev_cla": "smoke"}, "ON", {"alarm_on": 1.0}),
        ("binary_sensor", {"dev_cla": "battery"}, "OFF", {"battery_low": 0.0}),
        ("binary_sensor", {"pl_on": 1, "pl_off": 0}, "1", {"thing_on": 1.0}),
        ("binary_sensor", {"pl_on": True, "val_tpl": "{{ value_json.on }}"}, {"on": True}, {"thing_on": 1.0}),
        (
            "climate",
            {"curr_temp_t": "garage/climate/thing/state", "temp_unit": "F", "stat_t": None},
            "70.7",
            {"temperature_c": pytest.approx(21.5)},
        ),
    ],
)
def test_what_is_on_or_off(
    home: Home, kind: str, given: dict[str, Any], payload: Any, expected: dict[str, float]
) -> None:
    home.describe(kind, "thing", **given)
    assert home.metrics(f"garage/{kind}/thing/state", payload) == expected


def test_a_switch_that_is_neither_is_invalid(home: Home) -> None:
    with pytest.raises(Invalid, match="neither"):
        home.say(home.describe("switch", "relay"), "perhaps")


def test_the_first_of_several_keeps_the_plain_name(home: Home) -> None:
    first = home.describe("sensor", "indoor", unit_of_meas="°C", dev_cla="temperature")
    second = home.describe("sensor", "outdoor", unit_of_meas="°C", dev_cla="temperature")
    assert home.metrics(second, "5") == {"outdoor_temperature_c": 5.0}
    assert home.metrics(first, "20") == {"temperature_c": 20.0}
    home.describe("sensor", "indoor", unit_of_meas="°F", dev_cla="temperature")
    assert home.metrics(first, "68") == {"temperature_c": pytest.approx(20)}


def test_a_name_that_an_entity_no_longer_has_is_free(home: Home) -> None:
    for device_class, unit in (("power", "W"), ("voltage", "V")):
        home.describe("sensor", "first", unit_of_meas=unit, dev_cla=device_class)
    second = home.describe("sensor", "second", unit_of_meas="W", dev_cla="power")
    assert home.metrics(second, "5") == {"power_w": 5.0}
    home.say("homeassistant/sensor/garage/first/config", "")
    third = home.describe("sensor", "third", unit_of_meas="V", dev_cla="voltage")
    assert home.metrics(third, "230") == {"voltage_v": 230.0}


def test_an_entity_that_is_described_for_another_device_speaks_for_that_one_alone(home: Home) -> None:
    topic = home.describe("sensor", "power", unit_of_meas="W", dev_cla="power")
    home.describe("sensor", "power", unit_of_meas="W", dev_cla="power", dev={"ids": ["another"]})
    assert [one.device for one in home.readings(topic, "5")] == ["another"]
    assert [one.device for one in home.presences("garage/status", "online")] == ["another"]


def test_an_update_entity_names_the_firmware_where_the_device_does_not(home: Home) -> None:
    nameless = {"ids": MAC, "mdl": "lamp"}
    topic = home.describe("update", "firmware", dev=nameless)
    home.say(
        topic, {"installed_version": "1.21.0", "latest_version": "1.22.0", "title": "Device Firmware"}, retain=True
    )
    (event,) = home.events(topic, {"installed_version": "1.22.0"})
    assert (event.kind, event.code, event.firmware) == ("update", "installed", "1.22.0")
    assert [one.detail for one in home.events(topic, "1.23.0")] == [{"from": "1.22.0", "to": "1.23.0"}]


# -- presence ------------------------------------------------------------------------------------------------------------------------


def presences(home: Home, topic: str, payload: Any, *, retain: bool = False) -> list[bool]:
    return [one.online for one in home.presences(topic, payload, retain=retain)]


def test_a_node_with_many_entities_comes_and_goes_once(home: Home) -> None:
    for name in ("a", "b", "c"):
        home.describe("sensor", name)
    assert presences(home, "garage/status", "online", retain=True) == [True]
    assert presences(home, "garage/status", "online", retain=True) == []
    assert presences(home, "garage/status", "offline") == [False]


def test_a_birth_before_the_description_waits_for_it(home: Home) -> None:
    assert home.say("garage/status", "online").ignored
    (presence,) = home.presences("homeassistant/sensor/garage/a/config", entity("sensor", "a"))
    assert (presence.device, presence.online) == (MAC, True)
    assert home.presences("homeassistant/sensor/garage/b/config", entity("sensor", "b")) == []


def test_the_presence_of_a_gateway_is_that_of_all_behind_it_whenever_they_are_described(home: Home) -> None:
    seen: list[tuple[str, bool]] = []
    for device, word in (("first", "offline"), ("second", ""), ("third", "online"), ("fourth", "")):
        if word:
            said = home.say("garage/status", word, retain=True)
            seen += [(one.device, one.online) for one in said.values if isinstance(one, Presence)]
        described = entity("sensor", device, dev={"ids": [device]})
        said = home.say(f"homeassistant/sensor/{device}/x/config", described, retain=True)
        seen += [(one.device, one.online) for one in said.values if isinstance(one, Presence)]
    assert seen == [
        ("first", False),
        ("second", False),
        ("first", True),
        ("second", True),
        ("third", True),
        ("fourth", True),
    ]


def listed(mode: str | None) -> dict[str, Any]:
    places = [{"t": "one/status"}, {"t": "two/status", "pl_avail": "yes", "pl_not_avail": "no"}]
    return {"avty": places, "avty_t": None, **({"avty_mode": mode} if mode else {})}


@pytest.mark.parametrize(
    ("mode", "expected"),
    [("all", [[], [True], [False], [True]]), ("any", [[True], [True], [True], [True]])],
)
def test_availability_of_several_topics(home: Home, mode: str, expected: list[list[bool]]) -> None:
    home.describe("sensor", "a", **listed(mode))
    said = [("one/status", "online"), ("two/status", "yes"), ("two/status", "no"), ("two/status", "yes")]
    assert [presences(home, topic, payload) for topic, payload in said] == expected


def test_while_one_of_several_was_not_heard_nobody_knows_that_a_device_is_gone(home: Home) -> None:
    home.describe("sensor", "a", **listed("any"))
    said = [("one/status", "offline"), ("two/status", "no"), ("one/status", "online")]
    assert [presences(home, topic, payload) for topic, payload in said] == [[], [False], [True]]


def test_by_default_the_latest_word_counts(home: Home) -> None:
    home.describe("sensor", "a", **listed(None))
    said = [("one/status", "online"), ("two/status", "no"), ("one/status", "online"), ("one/status", "offline")]
    assert [presences(home, topic, payload) for topic, payload in said] == [[True], [False], [True], [False]]


def test_availability_may_have_a_template(home: Home) -> None:
    home.describe("sensor", "a", avty_tpl="{{ value_json.state }}")
    assert presences(home, "garage/status", {"state": "offline"}) == [False]


def test_a_word_that_is_no_presence_is_invalid(home: Home) -> None:
    home.describe("sensor", "a")
    with pytest.raises(Invalid, match="neither 'online' nor 'offline'"):
        home.say("garage/status", "perhaps")


def test_an_unknown_mode_is_refused(home: Home) -> None:
    answer = home.say("homeassistant/sensor/garage/a/config", entity("sensor", "a", avty_mode="most"))
    assert [one.part for one in answer.rejected] == ["sensor/garage/a"]


# -- reboots --------------------------------------------------------------------------------------------------------------------------


class Node(Home):
    """An ESPHome node that tells its uptime and, where asked, why it was reset."""

    def __init__(self, *, reasons: bool = False, uptimes: bool = True, **more: Any) -> None:
        super().__init__(HomeAssistant())
        if uptimes:
            self.describe("sensor", "uptime", unit_of_meas="s", dev_cla="duration", stat_cla="total_increasing", **more)
        if reasons:
            self.describe("sensor", "reset_reason", ent_cat="diagnostic")
        self.status("online")

    def status(self, word: str, after: timedelta = timedelta(seconds=1)) -> None:
        self.say("garage/status", word, at=self.now + after)

    def up(self, seconds: float, after: timedelta = timedelta(seconds=1)) -> list[Event]:
        answer = self.say("garage/sensor/uptime/state", str(seconds), at=self.now + after)
        return [one for one in answer.values if isinstance(one, Event)]

    def reason(self, text: str) -> list[Event]:
        return self.events("garage/sensor/reset_reason/state", text)


def test_a_shorter_uptime_is_a_reboot_that_nobody_asked_for() -> None:
    node = Node()
    assert node.up(5000) == []
    assert node.up(5060, timedelta(minutes=1)) == []
    node.status("offline", timedelta(minutes=1))
    node.status("online", timedelta(seconds=10))
    (event,) = node.up(8)
    assert (event.kind, event.code, event.firmware) == ("reboot", "unknown", ESPHOME)
    assert event.at == node.now - timedelta(seconds=8)
    assert event.code not in REBOOT_CODES_EXPECTED


def test_a_reboot_while_the_broker_was_away_is_no_crash() -> None:
    node = Node()
    node.up(86_400)
    # The broker was killed and came back after 40 minutes: no last will was ever sent, the node was restarted twice.
    node.status("online", timedelta(minutes=40))
    (event,) = node.up(9 * 60)
    assert event.code in REBOOT_CODES_EXPECTED
    # What comes after it is judged anew.
    (crash,) = node.up(20, timedelta(minutes=30))
    assert crash.code not in REBOOT_CODES_EXPECTED


def test_a_reboot_after_fifteen_minutes_without_network_is_no_crash() -> None:
    node = Node()
    node.up(86_400)
    node.status("offline", timedelta(minutes=1))
    node.status("online", timedelta(minutes=20))
    (event,) = node.up(4 * 60)
    assert event.code in REBOOT_CODES_EXPECTED


def test_a_reboot_soon_after_it_was_lost_is_a_crash() -> None:
    node = Node()
    node.up(86_400)
    node.status("offline", timedelta(minutes=1))
    node.status("online", timedelta(minutes=20))
    (event,) = node.up(19 * 60)
    assert event.code not in REBOOT_CODES_EXPECTED


@pytest.mark.parametrize(
    ("firmware", "unique_id", "excused"),
    [
        (ESPHOME, "x", True),
        ("1.4 (ESPHome 2026.1.0)", "x", True),
        ("2026.1.0 (config hash 0x1234abcd)", f"{MAC}-sensor-0badcafe", True),
        ("2022.1.0 (Jan  1 2022, 00:00:00)", "ESPsensoruptime", True),
        ("1.0", f"{MAC}-sensor-uptime", False),
        ("1.0", "ESPsensorother", False),
    ],
)
def test_only_esphome_has_this_excuse(firmware: str, unique_id: str, excused: bool) -> None:
    node = Node(dev={**NODE, "sw": firmware}, uniq_id=unique_id)
    node.up(86_400)
    node.status("online", timedelta(minutes=40))
    assert [one.code in REBOOT_CODES_EXPECTED for one in node.up(9 * 60)] == [excused]


@pytest.mark.parametrize(
    ("reason", "code"),
    [
        ("Reboot request from mqtt", "user"),
        ("Reboot request from ota", "update"),
        ("software via esp_restart", "user"),
        ("power-on event", "power_on"),
        ("exception/panic", "panic"),
        ("CPU lock up", "panic"),
        ("task watchdog", "watchdog"),
        ("Software Watchdog", "watchdog"),
        ("exiting deep sleep mode", "deep_sleep"),
        ("brownout", "brownout"),
        ("power glitch detected", "brownout"),
        ("unknown source", "unknown"),
    ],
)
def test_the_reason_that_a_node_gives_is_believed(reason: str, code: str) -> None:
    node = Node(reasons=True)
    node.up(86_400)
    node.status("offline")
    node.status("online")
    assert node.reason(reason) == []
    (event,) = node.up(3)
    assert (event.code, event.detail) == (code, {"reason": reason})


def test_a_reason_that_was_given_for_an_earlier_boot_explains_no_later_one() -> None:
    node = Node(reasons=True)
    node.reason("Reboot request from mqtt")
    node.up(5)
    (event,) = node.up(30, timedelta(hours=5))
    assert event.code == "unknown"


def test_without_an_uptime_another_reason_is_a_boot() -> None:
    node = Node(reasons=True, uptimes=False)
    assert node.reason("power-on event") == []
    assert node.reason("power-on event") == []
    assert [one.code for one in node.reason("task watchdog")] == ["watchdog"]
