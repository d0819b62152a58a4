"""Homie 3, 4 and 5. Topics and payloads follow github.com/homieiot/convention (3.0.1, 4.0.0, 5.0.0) and its legacy extensions."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from hearthwatch.errors import Invalid
from hearthwatch.metrics import BY_NAME
from hearthwatch.values import Event, Presence, Reading
from hearthwatch.wire.homie import MAX_ALERTS, MAX_CHILDREN, Homie
from hearthwatch.wire.homie_properties import MAX_PROPERTIES
from hearthwatch.wire.limits import KNOWN_COPY
from hearthwatch.wire.registry import conventions
from tests.unit.wire.conversation import Conversation


@pytest.fixture
def talk() -> Conversation:
    return Conversation(Homie())


def declared(talk: Conversation, path: str, **attributes: str) -> Conversation:
    for name, value in attributes.items():
        talk.say(f"homie/car/{path}/${name}", value, retain=True)
    return talk


def described(talk: Conversation, nodes: Any, **more: Any) -> Conversation:
    talk.say("homie/5/car/$description", {"homie": "5.0", "version": 7, "nodes": nodes, **more}, retain=True)
    return talk


def one(node: str, name: str, **given: Any) -> dict[str, Any]:
    return {node: {"properties": {name: given}}}


# -- what is refused --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("payload", ["READY", "online", "1", " "])
def test_a_state_that_is_none_is_refused(talk: Conversation, payload: str) -> None:
    with pytest.raises(Invalid, match="not a state of Homie"):
        talk.say("homie/car/$state", payload)


@pytest.mark.parametrize("payload", ["nan", "Infinity", "1e400", "21,5", " ", "0x10", "1_000", "--1", "21.5 °C"])
def test_a_number_that_is_none_is_refused(talk: Conversation, payload: str) -> None:
    declared(talk, "engine/temperature", datatype="float", unit="°C")
    with pytest.raises(Invalid):
        talk.say("homie/car/engine/temperature", payload)


@pytest.mark.parametrize("payload", ["TRUE", "1", "on", " "])
def test_booleans_are_true_or_false_in_small_letters(talk: Conversation, payload: str) -> None:
    declared(talk, "door/open", datatype="boolean")
    with pytest.raises(Invalid, match="neither true nor false"):
        talk.say("homie/car/door/open", payload)


@pytest.mark.parametrize(
    "topic", ["homie/car/engine+/x", "homie/c ar/$state", f"homie/car/{'n' * 65}/x", "homie/cär/a/b"]
)
def test_ids_that_cannot_be_are_refused(talk: Conversation, topic: str) -> None:
    with pytest.raises(Invalid):
        talk.say(topic, "1")


@pytest.mark.parametrize("payload", [b"[]", b"{", b"\xff", b'"following JSON document;"'])
def test_a_description_that_is_no_object_is_refused(talk: Conversation, payload: bytes) -> None:
    with pytest.raises(Invalid):
        talk.say("homie/5/car/$description", payload)


@pytest.mark.parametrize(
    "nodes",
    [None, 7, [], [7, {"id": 3}], {"engine": 1}, {"engine": {"properties": 1}}, one("engine", "x"), {"a b": {}}],
    ids=repr,
)
def test_nonsense_in_a_description_describes_nothing(talk: Conversation, nodes: Any) -> None:
    described(talk, nodes)
    assert talk.say("homie/5/car/wheels/angle", "4").ignored


def test_texts_enums_and_colours_are_no_readings(talk: Conversation) -> None:
    for kind, value in [("string", "12"), ("enum", "12"), ("color", "1,2,3"), ("datetime", "2026-05-01T12:00:00Z")]:
        declared(talk, f"light/{kind}", datatype=kind)
        assert talk.say(f"homie/car/light/{kind}", value).ignored == "a text is no measurement"


def test_commands_and_targets_are_no_measurements(talk: Conversation) -> None:
    declared(talk, "light/power", datatype="boolean", settable="true")
    described(talk, one("light", "brightness", datatype="integer", unit="%"))
    assert talk.say("homie/car/light/power/set", "true").ignored == "a command to the device"
    assert talk.say("homie/5/car/light/brightness/set", "9").ignored == "a command to the device"
    assert talk.say("homie/5/car/light/brightness/$target", "100").ignored


# -- what a device remembers is bounded ---------------------------------------------------------------------------------------


def test_a_flood_of_properties_is_bounded(talk: Conversation) -> None:
    for number in range(MAX_PROPERTIES):
        talk.say(f"homie/car/n/p{number}", "1")
    with pytest.raises(Invalid, match="more than"):
        talk.say("homie/car/n/one-more", "1")
    with pytest.raises(Invalid, match="more than"):
        talk.say("homie/car/n/one-more/$unit", "V")
    assert talk.metrics("homie/car/n/p3", "2") == {"n_p3": 2.0}


def test_a_huge_description_keeps_its_first_properties(talk: Conversation) -> None:
    many = {f"p{number}": {"datatype": "integer"} for number in range(5000)}
    children = [f"child-{number}" for number in range(5000)]
    answer = talk.say("homie/5/car/$description", {"nodes": {"n": {"properties": many}}, "children": children})
    assert (
        answer.ignored
        == f"a description of which only {MAX_PROPERTIES} properties and {MAX_CHILDREN} children are read"
    )
    assert talk.metrics("homie/5/car/n/p0", "2") == {"n_p0": 2.0}
    assert talk.say("homie/5/car/n/p4999", "2").ignored
    assert len(msgspec.json.encode(talk.states)) < 32_768
    assert len(talk.say("homie/5/car/$state", "lost").values) == 1 + MAX_CHILDREN


def test_a_flood_of_alerts_is_bounded(talk: Conversation) -> None:
    for number in range(MAX_ALERTS):
        assert talk.events(f"homie/5/car/$alert/a{number}", "hot")
    with pytest.raises(Invalid, match="more than"):
        talk.say("homie/5/car/$alert/one-more", "hot")


# -- presence ---------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("device", ["car", "5/car"])
@pytest.mark.parametrize(
    ("said", "online"),
    [
        ("init", True),
        ("ready", True),
        ("alert", True),
        ("sleeping", True),
        ("disconnected", False),
        ("lost", False),
        ('"lost"', False),
    ],
)
def test_states_tell_who_is_there_and_a_sleeper_is_not_away(
    talk: Conversation, device: str, said: str, online: bool
) -> None:
    (presence,) = talk.presences(f"homie/{device}/$state", said)
    assert (presence.device, presence.online) == ("car", online)


def test_a_retained_copy_of_a_known_state_says_nothing_new(talk: Conversation) -> None:
    assert talk.presences("homie/car/$state", "ready", retain=True)
    assert talk.say("homie/car/$state", "ready", retain=True).ignored == KNOWN_COPY
    assert talk.presences("homie/car/$state", "lost", retain=True)


def test_an_alert_is_a_fault_once_while_it_lasts(talk: Conversation) -> None:
    talk.say("homie/car/$state", "ready")
    (event,) = talk.events("homie/car/$state", "alert")
    assert (event.kind, event.code) == ("fault", "alert")
    assert not talk.events("homie/car/$state", "alert")
    talk.say("homie/car/$state", "ready")
    assert talk.events("homie/car/$state", "alert")


def test_a_lost_root_takes_its_children_along(talk: Conversation) -> None:
    described(talk, {}, children=["wheel-1", "wheel-2", 7, "not an id", "car"])
    talk.say("homie/5/wheel-1/$state", "ready")
    lost = talk.presences("homie/5/car/$state", "lost")
    assert [(presence.device, presence.online) for presence in lost] == [
        ("car", False),
        ("wheel-1", False),
        ("wheel-2", False),
    ]
    assert talk.say("homie/5/car/$state", "lost", retain=True).ignored == KNOWN_COPY
    assert [presence.device for presence in talk.presences("homie/5/car/$state", "disconnected")] == ["car"]


def test_a_child_says_once_on_which_root_it_depends(talk: Conversation) -> None:
    def told(**more: Any) -> list[tuple[str, str, Any]]:
        answer = talk.say(
            "homie/5/wheel/$description", {"homie": "5.0", "version": 1, "nodes": {}, **more}, retain=True
        )
        return [(one.kind, one.code, one.detail["bridge"]) for one in answer.values if isinstance(one, Event)]

    assert told(root="not an id") == []
    assert told(root="wheel") == []
    assert told(root="car", parent="axle") == [("network", "joined", "car")]
    assert told(root="car", parent="axle") == []
    assert told(root="truck") == [("network", "joined", "truck")]
    assert told() == [("network", "left", "truck")]


def test_a_removed_device_is_gone_and_forgotten(talk: Conversation) -> None:
    described(talk, one("engine", "temperature", datatype="float", unit="°C"))
    talk.say("homie/5/car/$state", "ready")
    (presence,) = talk.presences("homie/5/car/$state", b"")
    assert presence.online is False
    assert talk.states["5/car"] == {}
    assert talk.say("homie/5/car/$state", b"").ignored == "the device was removed"
    assert talk.say("homie/5/car/engine/temperature", "20").ignored == "a property that no description told of yet"


def test_a_device_of_an_earlier_version_is_removed_likewise(talk: Conversation) -> None:
    talk.say("homie/car/$state", "ready")
    assert [presence.online for presence in talk.presences("homie/car/$state", b"")] == [False]
    assert talk.states["car"] == {}


def test_topics_that_are_cleared_are_no_broken_values(talk: Conversation) -> None:
    declared(talk, "engine/temperature", datatype="float", unit="°C")
    for topic in ("engine/temperature", "$stats/uptime", "$fw/version"):
        assert talk.say(f"homie/car/{topic}", b"").ignored == "a topic that was cleared"
    talk.say("homie/car/engine/temperature/$unit", b"")
    assert talk.metrics("homie/car/engine/temperature", "5") == {"engine_temperature": 5.0}


def test_a_removed_description_describes_nothing_any_more(talk: Conversation) -> None:
    described(talk, one("engine", "temperature", datatype="float", unit="°C"), children=["wheel"])
    assert talk.say("homie/5/car/$description", b"").ignored == "the description was removed"
    assert talk.say("homie/5/car/engine/temperature", "20").ignored
    assert len(talk.presences("homie/5/car/$state", "lost")) == 1


# -- values -----------------------------------------------------------------------------------------------------------------


def test_a_property_has_its_name_and_unit_from_its_declaration(talk: Conversation) -> None:
    declared(talk, "engine/temperature", name="Engine temperature", datatype="float", unit="°C", format="-20:120")
    assert talk.metrics("homie/car/engine/temperature", "21.5") == {"temperature_c": 21.5}


def test_a_retained_copy_of_a_value_is_not_a_new_measurement(talk: Conversation) -> None:
    declared(talk, "engine/temperature", datatype="float", unit="°C")
    assert talk.say("homie/car/engine/temperature", "21.5", retain=True).ignored == "a retained copy without a time"
    assert talk.say("homie/car/$stats/uptime", "120", retain=True).ignored == "a retained copy without a time"
    assert talk.metrics("homie/car/engine/temperature", "21.5") == {"temperature_c": 21.5}


QUANTITIES = [
    ("engine/temperature", "float", "°C", "21.5", "temperature_c", 21.5),
    ("engine/temperature", "float", "°F", "212", "temperature_c", 100.0),
    ("engine/cpu-temperature", "float", "°C", "60", "device_temperature_c", 60.0),
    ("room/humidity", "integer", "%", "45", "humidity_pct", 45.0),
    ("power/battery", "integer", "%", "80", "battery_pct", 80.0),
    ("power/battery-level", "percent", None, "80", "battery_pct", 80.0),
    ("battery/voltage", "float", "mV", "3012", "battery_v", 3.012),
    ("mains/voltage", "float", "V", "230.1", "voltage_v", 230.1),
    ("mains/current", "float", "mA", "250", "current_a", 0.25),
    ("mains/power", "float", "kW", "1.5", "power_w", 1500.0),
    ("mains/energy", "float", "Wh", "1500", "energy_kwh", 1.5),
    ("mains/frequency", "float", "Hz", "50.02", "frequency_hz", 50.02),
    ("air/pressure", "float", "Pa", "101325", "pressure_hpa", 1013.25),
    ("room/light-level", "float", "lx", "300", "illuminance_lux", 300.0),
    ("wifi/rssi", "integer", "dBm", "-61", "rssi_dbm", -61.0),
]


@pytest.mark.parametrize(("path", "kind", "unit", "text", "metric", "value"), QUANTITIES)
def test_well_known_quantities_have_the_names_of_the_catalogue(
    talk: Conversation, path: str, kind: str, unit: str | None, text: str, metric: str, value: float
) -> None:
    assert metric in BY_NAME
    declared(talk, path, datatype=kind, **({"unit": unit} if unit else {}))
    assert talk.metrics(f"homie/car/{path}", text) == {metric: pytest.approx(value)}
    node, name = path.split("/")
    described(talk, one(node, name, datatype=kind, unit=unit))
    assert talk.metrics(f"homie/5/car/{path}", text) == {metric: pytest.approx(value)}


OWN_NAMES = [
    ("mains/power-limit", "float", "W", "2000", {"mains_power_limit_w": 2000.0}),
    ("wheels/pressure", "float", "psi", "30", {"wheels_pressure_hpa": pytest.approx(2068.427188)}),
    ("wheels/angle", "integer", "°", "-4", {"wheels_angle_deg": -4.0}),
    ("lights/intensity", "integer", "%", "20", {"lights_intensity_pct": 20.0}),
    ("tank/level", "float", "gal", "1", {"tank_level_l": pytest.approx(3.785411784)}),
    ("99/x", "integer", None, "1", {"s_99_x": 1.0}),
    ("oven/left", "duration", None, "PT1H2M3.5S", {"oven_left_s": 3723.5}),
    ("door/open", "boolean", None, "true", {"door_open": 1.0}),
    ("engine/speed", "float", "furlongs", "1e2", {"engine_speed": 100.0}),
]


@pytest.mark.parametrize(("path", "kind", "unit", "text", "metrics"), OWN_NAMES)
def test_other_quantities_keep_their_own_words(
    talk: Conversation, path: str, kind: str, unit: str | None, text: str, metrics: dict[str, float]
) -> None:
    declared(talk, path, datatype=kind, **({"unit": unit} if unit else {}))
    assert talk.metrics(f"homie/car/{path}", text) == metrics


def test_only_what_can_be_switched_is_a_relay(talk: Conversation) -> None:
    declared(talk, "light/power", datatype="boolean", settable="true")
    declared(talk, "mains/power", datatype="boolean", settable="false")
    assert talk.metrics("homie/car/light/power", "true") == {"relay_on": 1.0}
    assert talk.metrics("homie/car/mains/power", "false") == {"mains_power": 0.0}


def test_a_temperature_that_can_be_set_is_a_setpoint(talk: Conversation) -> None:
    declared(talk, "room/temperature", datatype="float", unit="°C", settable="true")
    assert talk.metrics("homie/car/room/temperature", "19") == {"setpoint_c": 19.0}


def test_the_second_sensor_of_a_kind_carries_its_own_name(talk: Conversation) -> None:
    for node in ("inside", "outside"):
        declared(talk, f"{node}/temperature", datatype="float", unit="°C")
    assert talk.metrics("homie/car/inside/temperature", "20") == {"temperature_c": 20.0}
    assert talk.metrics("homie/car/outside/temperature", "5") == {"outside_temperature_c": 5.0}
    assert talk.metrics("homie/car/inside/temperature", "21") == {"temperature_c": 21.0}


def test_names_that_differ_in_punctuation_alone_stay_apart(talk: Conversation) -> None:
    names = [next(iter(talk.metrics(f"homie/car/{path}", "1"))) for path in ("a-b/c", "a/b-c", "a_b/c", "A/B-C")]
    assert len(set(names)) == 4


def test_a_changed_unit_is_another_quantity(talk: Conversation) -> None:
    declared(talk, "mains/load", datatype="float", unit="W")
    assert talk.metrics("homie/car/mains/load", "5") == {"mains_load_w": 5.0}
    declared(talk, "mains/load", unit="A")
    assert talk.metrics("homie/car/mains/load", "5") == {"mains_load_a": 5.0}


def test_a_number_without_a_declaration_is_kept_under_its_own_name(talk: Conversation) -> None:
    assert talk.metrics("homie/car/engine/temperature", "21.5") == {"engine_temperature": 21.5}
    assert talk.say("homie/car/engine/mood", "fine").ignored == "a text is no measurement"
    assert talk.say("homie/car/engine/song", "la " * 300).ignored == "a text is no measurement"


def test_elements_of_an_array_share_the_declaration_of_the_array(talk: Conversation) -> None:
    declared(talk, "sensor/temperature", datatype="float", unit="°C")
    assert talk.metrics("homie/car/sensor_0/temperature", "20") == {"temperature_c": 20.0}
    assert talk.metrics("homie/car/sensor_1/temperature", "30") == {"sensor_1_temperature_c": 30.0}


def test_drafts_of_version_5_list_their_nodes(talk: Conversation) -> None:
    listed = [{"id": "engine", "properties": [{"id": "temperature", "datatype": "float", "unit": "°C"}]}]
    described(talk, listed)
    assert talk.metrics("homie/5/car/engine/temperature", "21.5") == {"temperature_c": 21.5}


def test_a_new_description_keeps_the_names_it_does_not_change(talk: Conversation) -> None:
    both = {
        **one("out", "temperature", datatype="float", unit="°C"),
        **one("in", "temperature", datatype="float", unit="°C"),
    }
    described(talk, both)
    talk.say("homie/5/car/in/temperature", "20")
    described(talk, dict(reversed(both.items())))
    assert talk.metrics("homie/5/car/out/temperature", "5") == {"out_temperature_c": 5.0}
    assert talk.metrics("homie/5/car/in/temperature", "20") == {"temperature_c": 20.0}


# -- statistics, identity, events ---------------------------------------------------------------------------------------------


STATS = {
    "uptime": ("120", {"uptime_s": 120.0}),
    "signal": ("24", {"link_quality_pct": 24.0}),
    "cputemp": ("48.2", {"device_temperature_c": 48.2}),
    "cpuload": ("25", {"load_average": 0.25}),
    "battery": ("80", {"battery_pct": 80.0}),
    "freeheap": ("12000", {"free_heap_bytes": 12000.0}),
    "supply": ("3.28", {"supply_v": 3.28}),
}


@pytest.mark.parametrize("name", STATS)
def test_statistics_have_the_names_of_the_catalogue(talk: Conversation, name: str) -> None:
    text, metrics = STATS[name]
    assert talk.metrics(f"homie/car/$stats/{name}", text) == metrics
    with pytest.raises(Invalid):
        talk.say(f"homie/car/$stats/{name}", "nan")


def test_how_often_statistics_come_is_no_measurement(talk: Conversation) -> None:
    assert talk.say("homie/car/$stats/interval", "60").ignored
    assert talk.say("homie/car/$stats", "interval,uptime").ignored


def test_an_uptime_that_fell_is_a_reboot(talk: Conversation) -> None:
    talk.say("homie/car/$stats/uptime", "50000")
    (event,) = talk.events("homie/car/$stats/uptime", "3")
    assert (event.kind, event.code) == ("reboot", "unknown")


def test_firmware_comes_with_everything_and_its_change_is_an_update(talk: Conversation) -> None:
    talk.say("homie/car/$fw/name", "weatherstation-firmware", retain=True)
    talk.say("homie/car/$mac", "DE:AD:BE:EF:FE:ED", retain=True)
    talk.say("homie/car/$implementation", "esp8266", retain=True)
    (identity,) = talk.identities("homie/car/$fw/version", "1.0.0", retain=True)
    assert (identity.model, identity.firmware) == ("weatherstation-firmware", "1.0.0")
    assert (identity.hardware, identity.serial) == ("esp8266", "DEADBEEFFEED")
    (reading,) = talk.readings("homie/car/$stats/battery", "80")
    assert reading.firmware == "1.0.0"
    assert talk.say("homie/car/$fw/version", "1.0.0", retain=True).ignored == KNOWN_COPY
    (event,) = talk.events("homie/car/$fw/version", "1.1.0")
    assert (event.kind, event.code, event.detail) == ("update", "installed", {"from": "1.0.0", "to": "1.1.0"})


@pytest.mark.parametrize("name", ["firmware", "firmware-version", "fw-version", "sw-version"])
def test_in_version_5_a_property_may_carry_the_firmware(talk: Conversation, name: str) -> None:
    described(talk, one("system", name, datatype="string"), type="car-4000")
    (identity,) = talk.identities(f"homie/5/car/system/{name}", "2.4.1", retain=True)
    assert (identity.model, identity.firmware) == ("car-4000", "2.4.1")


def test_in_version_5_an_extension_may_carry_the_firmware(talk: Conversation) -> None:
    (identity,) = talk.identities("homie/5/car/$fw/version", "2.4.1")
    assert identity.firmware == "2.4.1"


def test_the_version_of_a_description_is_no_firmware(talk: Conversation) -> None:
    described(talk, one("engine", "temperature", datatype="float", unit="°C"))
    (reading,) = talk.readings("homie/5/car/engine/temperature", "1")
    assert reading.firmware is None


def test_an_alert_of_version_5_is_a_fault_until_it_is_taken_back(talk: Conversation) -> None:
    (event,) = talk.events("homie/5/car/$alert/battery", "Battery is low, at 8%", retain=True)
    assert (event.kind, event.code, event.detail) == ("fault", "battery", {"text": "Battery is low, at 8%"})
    assert talk.say("homie/5/car/$alert/battery", "Battery is low, at 6%").ignored
    assert talk.say("homie/5/car/$alert/battery", b"").ignored == "an alert ended"
    assert talk.events("homie/5/car/$alert/battery", "Battery is low, at 8%")


def test_log_entries_of_trouble_are_events(talk: Conversation) -> None:
    (event,) = talk.events("homie/5/car/$log/error", "sensor value is out of range")
    assert (event.kind, event.code, event.detail) == ("log", "error", {"text": "sensor value is out of range"})
    assert talk.say("homie/5/car/$log/debug", "x").ignored
    assert talk.say("homie/5/car/$log/error", "x", retain=True).ignored


def test_one_device_may_speak_two_versions(talk: Conversation) -> None:
    talk.say("homie/car/$state", "ready")
    described(talk, one("engine", "temperature", datatype="float", unit="°C"))
    (reading,) = talk.readings("homie/5/car/engine/temperature", "1")
    assert reading.device == "car"
    assert set(talk.states) == {"car", "5/car"}


# -- topics -----------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "topic",
    [
        "homie/car",
        "homie//$state",
        "homie/car//x",
        "homie/5/car",
        "homie/5/$broadcast/alert",
        "homie/$broadcast/alert",
        "homies/a/b",
    ],
)
def test_what_is_not_below_a_device_is_not_claimed(topic: str) -> None:
    assert Homie().partition(topic) is None


@pytest.mark.parametrize("base", ["a//b", "/homie", "homie/", "+/homie", "homie/#", "$SYS"])
def test_what_can_be_no_base_topic_is_refused(base: str) -> None:
    with pytest.raises(Invalid, match="not a base topic"):
        conventions([f"homie@{base}"])


def test_one_base_topic_may_lie_below_another() -> None:
    (convention,) = conventions(["homie", "homie@homie/site"])
    talk = Conversation(convention)
    assert [one.device for one in talk.presences("homie/site/car/$state", "ready")] == ["car"]
    assert [one.device for one in talk.presences("homie/car/$state", "ready")] == ["car"]


def test_the_base_topic_may_have_several_levels() -> None:
    (homie,) = conventions(["homie@site/hall 3/homie"])
    talk = Conversation(homie)
    assert homie.filters[0] == "site/hall 3/homie/+/+"
    assert homie.partition("homie/car/$state") is None
    both = conventions(["homie", "homie@site/hall 3/homie"])[0]
    assert both.partition("homie/car/$state") != both.partition("site/hall 3/homie/car/$state")
    (presence,) = talk.presences("site/hall 3/homie/car/$state", "ready")
    assert isinstance(presence, Presence)
    assert presence.device == "car"
    talk.say("site/hall 3/homie/5/bus/$description", {"nodes": one("engine", "speed", datatype="float")})
    assert [type(value) for value in talk.say("site/hall 3/homie/5/bus/engine/speed", "3").values] == [Reading]
