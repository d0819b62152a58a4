"""What Shelly Gen1 says."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from hearthwatch.errors import Invalid
from hearthwatch.wire.shelly_gen1 import ShellyGen1
from tests.unit.wire.conversation import Conversation

ROOT = "shellies/shelly1pm-AABBCC"
OLD, NEW = "20220209-092750/v1.11.8-g8c7bb8d", "20230913-113421/v1.14.0-gcb84623"


@pytest.fixture
def plug() -> Conversation:
    return Conversation(ShellyGen1())


@pytest.mark.parametrize(
    ("kind", "payload"),
    [
        ("online", "perhaps"),
        ("online", b"\xff"),
        ("relay/0", "half"),
        ("relay/0/power", "nan"),
        ("relay/0/power", "1e400"),
        ("relay/0/power", "much"),
        ("relay/0/power", ""),
        ("temperature", "inf"),
        ("info", "[]"),
        ("info", '{"uptime":"long"}'),
        ("announce", '{"id":"shelly1pm-DDEEFF","fw_ver":"x"}'),
    ],
)
def test_malformed_messages_are_invalid(plug: Conversation, kind: str, payload: Any) -> None:
    with pytest.raises(Invalid):
        plug.say(f"{ROOT}/{kind}", payload)


def test_a_bad_id_is_invalid(plug: Conversation) -> None:
    with pytest.raises(Invalid):
        plug.say("shellies/a b/online", "true")
    with pytest.raises(Invalid):
        plug.say("shellies/announce", {"id": "a b"})


@pytest.mark.parametrize("kind", ["relay/0/command", "command", "input/0", "settings", "sensor/act_reasons"])
def test_what_we_do_not_measure_is_ignored(plug: Conversation, kind: str) -> None:
    assert plug.say(f"{ROOT}/{kind}", b"\xff").ignored


def test_a_retained_value_without_a_time_is_ignored(plug: Conversation) -> None:
    assert plug.say(f"{ROOT}/relay/0/power", "12", retain=True).ignored
    assert plug.say(f"{ROOT}/info", {"uptime": 12}, retain=True).ignored


@pytest.mark.parametrize(
    ("kind", "payload", "metric", "value"),
    [
        ("relay/0", "on", "relay_on", 1.0),
        ("relay/1", "off", "relay1_relay_on", 0.0),
        ("relay/0/power", "12.5", "power_w", 12.5),
        ("relay/0/energy", "60000", "energy_kwh", 1.0),
        ("relay/2/energy", "60000", "relay2_energy_kwh", 1.0),
        ("emeter/0/total", "1500.0", "energy_kwh", 1.5),
        ("emeter/0/pf", "0.8", "power_factor", 0.8),
        ("roller/0/power", "3", "power_w", 3.0),
        ("temperature", "41.2", "device_temperature_c", 41.2),
        ("voltage", "231", "voltage_v", 231.0),
        ("sensor/temperature", "21.5", "temperature_c", 21.5),
        ("sensor/humidity", "40", "humidity_pct", 40.0),
        ("sensor/battery", "88", "battery_pct", 88.0),
        ("sensor/lux", "12", "illuminance_lux", 12.0),
        ("ext_temperature/0", "4.5", "ext0_temperature_c", 4.5),
    ],
)
def test_topics_become_metrics(plug: Conversation, kind: str, payload: str, metric: str, value: float) -> None:
    (reading,) = plug.readings(f"{ROOT}/{kind}", payload)
    assert reading.metrics == {metric: pytest.approx(value)}
    assert (reading.device, reading.stream, reading.at) == ("shelly1pm-AABBCC", f"shelly_gen1/{kind}", plug.now)


def test_the_number_of_a_broken_sensor_is_left_out(plug: Conversation) -> None:
    assert plug.say(f"{ROOT}/sensor/temperature", "999.0").ignored


def test_announce_tells_the_firmware_that_later_readings_carry(plug: Conversation) -> None:
    said = {"id": "shelly1pm-AABBCC", "model": "SHSW-PM", "mac": "AABBCCDDEEFF", "fw_ver": OLD}
    (identity,) = plug.identities(f"{ROOT}/announce", said)
    assert (identity.model, identity.serial, identity.firmware) == ("SHSW-PM", "AABBCCDDEEFF", OLD)
    assert plug.readings(f"{ROOT}/relay/0", "on")[0].firmware == OLD


def test_what_all_announce_on_one_topic_is_an_identity_too(plug: Conversation) -> None:
    for device in ("shelly1-AAAAAA", "shelly1-BBBBBB"):
        (identity,) = plug.identities("shellies/announce", {"id": device, "fw_ver": OLD})
        assert (identity.device, identity.firmware) == (device, OLD)


def test_presence_comes_from_online(plug: Conversation) -> None:
    assert [one.online for one in plug.presences(f"{ROOT}/online", "true", retain=True)] == [True]
    assert plug.say(f"{ROOT}/online", "true", retain=True).ignored
    assert [one.online for one in plug.presences(f"{ROOT}/online", "false")] == [False]


def status(uptime: int, fw: str = OLD) -> dict[str, Any]:
    return {"uptime": uptime, "update": {"old_version": fw}}


def test_a_shorter_uptime_is_a_reboot_whose_reason_nobody_knows(plug: Conversation) -> None:
    assert plug.events(f"{ROOT}/info", status(1_000_000)) == []
    assert plug.events(f"{ROOT}/info", status(1_000_030)) == []
    (event,) = plug.events(f"{ROOT}/info", status(20))
    assert (event.kind, event.code, event.firmware) == ("reboot", "unknown", OLD)
    assert event.at == plug.now - timedelta(seconds=20)


def test_a_message_that_waited_is_no_reboot(plug: Conversation) -> None:
    plug.say(f"{ROOT}/info", status(1_000_000))
    late = plug.now + timedelta(hours=3)
    assert not [v for v in plug.say(f"{ROOT}/info", status(1_000_030), at=late).values if hasattr(v, "kind")]


def test_a_reboot_while_nobody_listened_is_seen_afterwards(plug: Conversation) -> None:
    plug.say(f"{ROOT}/info", status(100))
    later = plug.now + timedelta(days=2)
    answer = plug.say(f"{ROOT}/info", status(3600), at=later)
    assert [value.code for value in answer.values if hasattr(value, "code")] == ["unknown"]


def test_a_reboot_into_another_firmware_is_an_update(plug: Conversation) -> None:
    plug.say(f"{ROOT}/info", status(1_000_000))
    events = plug.events(f"{ROOT}/info", status(20, NEW))
    assert [(event.kind, event.code) for event in events] == [("update", "installed"), ("reboot", "update")]
    assert events[0].detail == {"from": OLD, "to": NEW}


def test_uptimes_do_not_change_the_state_with_every_message(plug: Conversation) -> None:
    plug.say(f"{ROOT}/info", status(1_000_000))
    before = plug.states["shelly1pm-AABBCC"]
    for more in range(30, 3000, 30):
        plug.say(f"{ROOT}/info", status(1_000_000 + more))
    assert plug.states["shelly1pm-AABBCC"] is before


def test_a_fault_is_told_once_while_it_stands(plug: Conversation) -> None:
    assert [event.code for event in plug.events(f"{ROOT}/overtemperature", "1")] == ["overtemperature"]
    assert plug.events(f"{ROOT}/overtemperature", "1") == []
    assert plug.events(f"{ROOT}/overtemperature", "0") == []
    assert len(plug.events(f"{ROOT}/overtemperature", "1")) == 1


def test_an_overpowered_relay_is_open_and_at_fault(plug: Conversation) -> None:
    answer = plug.say(f"{ROOT}/relay/0", "overpower")
    assert [type(value).__name__ for value in answer.values] == ["Event", "Reading"]


def test_the_temperature_in_info_is_the_rooms_only_for_devices_that_measure_rooms(plug: Conversation) -> None:
    sensor = {"tmp": {"tC": 21.5, "is_valid": True}, "hum": {"value": 40}, "bat": {"value": 90, "voltage": 2.9}}
    assert plug.metrics(f"{ROOT}/info", sensor) == {
        "temperature_c": 21.5,
        "humidity_pct": 40.0,
        "battery_pct": 90.0,
        "battery_v": 2.9,
    }
    relay = {"temperature": 41.0, "tmp": {"tC": 41.0, "is_valid": True}}
    assert plug.metrics(f"{ROOT}/info", relay) == {"device_temperature_c": 41.0}


def test_a_radio_that_is_not_connected_has_no_signal(plug: Conversation) -> None:
    assert plug.metrics(f"{ROOT}/info", {"uptime": 1, "wifi_sta": {"connected": True, "rssi": 0}}) == {"uptime_s": 1.0}


def test_energy_meters_in_info_count_watt_hours(plug: Conversation) -> None:
    meters = {"emeters": [{"power": 5, "total": 1500, "is_valid": True}, {"total": 1, "is_valid": False}]}
    assert plug.metrics(f"{ROOT}/info", meters) == {"power_w": 5.0, "energy_kwh": 1.5}
