"""What Tasmota says."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from hearthwatch.errors import Invalid
from hearthwatch.wire.tasmota import Tasmota, restart_code
from tests.strategies import START
from tests.unit.wire.conversation import Conversation

STATE: dict[str, Any] = {
    "Time": "2026-05-01T09:20:07",
    "Uptime": "0T07:29:11",
    "UptimeSec": 26951,
    "Heap": 26,
    "LoadAvg": 19,
    "MqttCount": 11,
    "POWER": "OFF",
    "Wifi": {"AP": 1, "Channel": 13, "RSSI": 90, "Signal": -55, "LinkCount": 11, "Downtime": "0T00:18:43"},
}


@pytest.fixture
def plug() -> Conversation:
    return Conversation(Tasmota())


@pytest.mark.parametrize(
    ("topic", "payload"),
    [
        ("tele/plug/STATE", b"\xff"),
        ("tele/plug/STATE", "[]"),
        ("tele/plug/LWT", "Perhaps"),
        ("tele/plug/LWT", b"\xff"),
        ("stat/plug/POWER", "HALF"),
        ("tele/plug/INFO1", '{"Info1":7}'),
        ("tele/plu g/STATE", "{}"),
        ("tele//LWT", "Online"),
        ("tasmota/discovery/00000049A3BC/config", "[]"),
        ("tasmota/discovery/00000049A3BC/config", '{"t":"a b"}'),
        ("tele/plug/SENSOR", '{"ENERGY":{"Power":1e400}}'),
    ],
)
def test_malformed_messages_are_invalid(plug: Conversation, topic: str, payload: Any) -> None:
    with pytest.raises(Invalid):
        plug.say(topic, payload)


def test_a_number_that_is_not_finite_costs_itself_alone(plug: Conversation) -> None:
    answer = plug.say("tele/plug/SENSOR", '{"AM2301":{"Temperature":NaN,"Humidity":40}}')
    assert [one.part for one in answer.rejected] == ["AM2301.Temperature"]
    assert answer.rejected[0].samples == 0
    assert len(answer.values) == 1


def test_a_sensor_with_nothing_to_say_is_no_fault_of_the_message(plug: Conversation) -> None:
    answer = plug.say("tele/plug/SENSOR", {"AM2301": {"Temperature": None, "Humidity": None}})
    assert answer.ignored
    assert not answer.rejected


def test_what_we_do_not_measure_is_ignored(plug: Conversation) -> None:
    assert plug.say("tele/plug/UPTIME", {"Uptime": 1}).ignored
    assert plug.say("tele/plug/SENSOR", {"Time": "2026-05-01T09:20:07", "Switch1": "ON"}).ignored


def test_state_becomes_metrics_in_the_units_of_their_names(plug: Conversation) -> None:
    (reading,) = plug.readings("tele/plug/STATE", STATE)
    assert (reading.device, reading.stream) == ("plug", "tasmota/STATE")
    assert reading.at == datetime(2026, 5, 1, 9, 20, 7, tzinfo=UTC)
    assert reading.metrics == {
        "relay_on": 0.0,
        "uptime_s": 26951.0,
        "free_heap_bytes": 26 * 1024.0,
        "load_average": pytest.approx(0.19),
        "mqtt_connects": 11.0,
        "link_quality_pct": 90.0,
        "rssi_dbm": -55.0,
        "wifi_reconnects": 10.0,
        "wifi_downtime_s": 1123.0,
    }


@pytest.mark.parametrize(
    ("topic", "device"),
    [
        ("tele/plug/STATE", "plug"),
        ("plug/tele/STATE", "plug"),
        ("tele/kitchen/plug/STATE", "kitchen.plug"),
        ("kitchen/plug/tele/STATE", "kitchen.plug"),
        ("stat/plug/STATUS11", "plug"),
    ],
)
def test_the_device_is_its_topic_wherever_the_prefix_stands(plug: Conversation, topic: str, device: str) -> None:
    payload = {"StatusSTS": STATE} if "STATUS" in topic else STATE
    assert plug.readings(topic, payload)[0].device == device


def test_relays_beyond_the_first_carry_their_own_name(plug: Conversation) -> None:
    metrics = plug.metrics("stat/plug/RESULT", {"POWER1": "ON", "POWER2": "OFF", "POWERX": "ON", "POWER300": "ON"})
    assert metrics == {"relay_on": 1.0, "relay2_relay_on": 0.0}
    assert plug.metrics("stat/plug/POWER2", "ON") == {"relay2_relay_on": 1.0}


def test_an_energy_meter_with_phases_gives_sums_and_phases(plug: Conversation) -> None:
    energy = {"Total": [1.5, 2.5], "Power": [100, 50], "Voltage": [230, 231], "Factor": 0.9, "Today": 7}
    assert plug.metrics("tele/plug/SENSOR", {"ENERGY": energy}) == {
        "energy_kwh": 4.0,
        "phase1_energy_kwh": 1.5,
        "phase2_energy_kwh": 2.5,
        "power_w": 150.0,
        "phase1_power_w": 100.0,
        "phase2_power_w": 50.0,
        "voltage_v": 230.0,
        "phase1_voltage_v": 230.0,
        "phase2_voltage_v": 231.0,
        "power_factor": 0.9,
    }


def test_units_are_those_that_the_message_names(plug: Conversation) -> None:
    payload = {"BME280": {"Temperature": 68, "Humidity": 41, "Pressure": 750}, "TempUnit": "F", "PressureUnit": "mmHg"}
    assert plug.metrics("tele/plug/SENSOR", payload) == {
        "temperature_c": 20.0,
        "humidity_pct": 41.0,
        "pressure_hpa": pytest.approx(999.918, abs=1e-3),
    }


def test_the_processors_temperature_is_not_the_rooms(plug: Conversation) -> None:
    payload = {"ESP32": {"Temperature": 51}, "SHT3X": {"Temperature": 21}, "TempUnit": "C"}
    assert plug.metrics("tele/plug/SENSOR", payload) == {"device_temperature_c": 51.0, "temperature_c": 21.0}


def test_a_sensor_that_fails_does_not_hand_its_name_to_the_next_one(plug: Conversation) -> None:
    both = {"DS18B20-1": {"Temperature": 20}, "DS18B20-2": {"Temperature": 60}}
    assert plug.metrics("tele/plug/SENSOR", both) == {"temperature_c": 20.0, "ds18b20_2_temperature_c": 60.0}
    assert plug.metrics("tele/plug/SENSOR", {"DS18B20-2": {"Temperature": 61}}) == {"ds18b20_2_temperature_c": 61.0}


def test_a_number_written_as_a_text_is_one(plug: Conversation) -> None:
    assert plug.metrics("tele/plug/SENSOR", {"DHT11": {"Temperature": "20.5"}}) == {"temperature_c": 20.5}


# -- time ---------------------------------------------------------------------------------------------------------------


def test_time_counts_as_utc_where_nothing_else_is_known(plug: Conversation) -> None:
    (reading,) = plug.readings("tele/plug/SENSOR", {"Time": "2026-04-30T20:00:00", "DHT11": {"Temperature": 20}})
    assert reading.at == datetime(2026, 4, 30, 20, tzinfo=UTC)


def test_a_time_ahead_by_whole_hours_is_local_time(plug: Conversation) -> None:
    ahead = START + timedelta(hours=2, seconds=3)
    for late in (0, 600):
        plug.now = START + timedelta(seconds=late)
        time = (ahead + timedelta(seconds=late)).strftime("%Y-%m-%dT%H:%M:%S")
        (reading,) = plug.readings("tele/plug/SENSOR", {"Time": time, "DHT11": {"Temperature": 20}})
        assert reading.at == START + timedelta(seconds=late + 3)


def test_a_time_ahead_by_a_year_is_left_to_the_ingestor_to_refuse(plug: Conversation) -> None:
    (reading,) = plug.readings("tele/plug/SENSOR", {"Time": "2027-05-01T00:00:00", "DHT11": {"Temperature": 20}})
    assert reading.at == datetime(2027, 5, 1, tzinfo=UTC)


def test_status_7_tells_the_offset(plug: Conversation) -> None:
    plug.say("stat/plug/STATUS7", {"StatusTIM": {"UTC": "2026-05-01T10:00:00Z", "Local": "2026-05-01T05:00:00"}})
    (reading,) = plug.readings("tele/plug/SENSOR", {"Time": "2026-04-30T19:00:00", "DHT11": {"Temperature": 20}})
    assert reading.at == START


@pytest.mark.parametrize("time", ["1970-01-01T00:00:12", "yesterday", 7, None, "9999-12-31T23:59:59"])
def test_a_clock_that_was_never_set_leaves_the_arrival(plug: Conversation, time: Any) -> None:
    (reading,) = plug.readings("tele/plug/SENSOR", {"Time": time, "DHT11": {"Temperature": 20}})
    assert reading.at == plug.now
    assert plug.say("tele/plug/SENSOR", {"Time": time, "DHT11": {"Temperature": 20}}, retain=True).ignored


# -- firmware, presence, reboots ------------------------------------------------------------------------------------------


def test_info1_tells_the_firmware_that_later_readings_carry(plug: Conversation) -> None:
    info = {"Info1": {"Module": "Generic", "Version": "14.2.0(release-tasmota)"}}
    (identity,) = plug.identities("tele/plug/INFO1", info)
    assert (identity.model, identity.firmware) == ("Generic", "14.2.0(release-tasmota)")
    assert plug.readings("tele/plug/STATE", STATE)[0].firmware == "14.2.0(release-tasmota)"


def test_another_version_is_an_update(plug: Conversation) -> None:
    plug.say("tele/plug/INFO1", {"Version": "14.2.0(tasmota)", "Module": "Generic"})
    assert plug.events("tele/plug/INFO1", {"Version": "14.2.0(release-tasmota)"}) == []
    (event,) = plug.events("tele/plug/INFO1", {"Version": "14.3.0(tasmota)"})
    assert (event.kind, event.code) == ("update", "installed")
    assert event.detail == {"from": "14.2.0(release-tasmota)", "to": "14.3.0(tasmota)"}
    assert event.firmware == "14.3.0(tasmota)"


@pytest.mark.parametrize(
    ("reason", "code"),
    [
        ("Power On", "power_on"),
        ("Vbat power on reset", "power_on"),
        ("Hardware Watchdog", "watchdog"),
        ("Software Watchdog", "watchdog"),
        ("Timer Group0 Watch dog reset digital core", "watchdog"),
        ("Blocked Loop", "watchdog"),
        ("Exception", "panic"),
        ("Fatal exception:29 flag:2 (EXCEPTION)", "panic"),
        ({"Exception": 29}, "panic"),
        ({"Exception": 0, "Reason": "Exception"}, "panic"),
        ({"Exception": 4, "Reason": "Hardware Watchdog"}, "watchdog"),
        ({"Reason": []}, "panic"),
        ("Reset when the vdd voltage is not stable", "brownout"),
        ("Deep-Sleep Wake", "deep_sleep"),
        ("Software/System restart", "user"),
        ("External System", "user"),
        ("", "unknown"),
        (None, "unknown"),
        (7, "unknown"),
    ],
)
def test_restart_reasons_are_mapped(reason: Any, code: str) -> None:
    assert restart_code(reason) == code


def test_a_boot_is_told_once_however_often_it_is_said(plug: Conversation) -> None:
    info = {"Info3": {"RestartReason": "Exception", "BootCount": 184}}
    (event,) = plug.events("tele/plug/INFO3", info)
    assert (event.kind, event.code, event.at) == ("reboot", "panic", plug.now)
    assert plug.events("tele/plug/INFO3", info) == []
    assert plug.events("tele/plug/INFO3", info, retain=True) == []
    assert plug.events("stat/plug/STATUS1", {"StatusPRM": {"RestartReason": "Exception", "BootCount": 184}}) == []
    assert plug.metrics("tele/plug/INFO3", {"Info3": {"RestartReason": "Exception", "BootCount": 185}}) == {
        "boot_count": 185.0
    }


def test_a_crash_dump_keeps_what_crashes_are_grouped_by(plug: Conversation) -> None:
    dump = {"Exception": 29, "Reason": "Exception", "EPC": ["4027093f", "00000000"], "EXCVADDR": "4026fabf"}
    (event,) = plug.events("tele/plug/INFO3", {"Info3": {"RestartReason": dump, "BootCount": 7}})
    assert event.detail == {"reason": "Exception", "exception": 29.0, "epc": "4027093f"}


def test_a_restart_into_another_firmware_is_an_update(plug: Conversation) -> None:
    codes = []
    for boot, fw in enumerate(("14.2.0(tasmota)", "14.2.0(tasmota)", "14.3.0(tasmota)")):
        plug.say("tele/plug/INFO1", {"Info1": {"Version": fw}})
        restart = {"Info3": {"RestartReason": "Software/System restart", "BootCount": boot}}
        codes += [event.code for event in plug.events("tele/plug/INFO3", restart)]
    assert codes == ["user", "user", "update"]


def test_presence_comes_from_the_last_will(plug: Conversation) -> None:
    assert [one.online for one in plug.presences("tele/plug/LWT", "Online", retain=True)] == [True]
    assert plug.say("tele/plug/LWT", "Online", retain=True).ignored
    assert [one.online for one in plug.presences("tele/plug/LWT", "Offline")] == [False]


def test_discovery_names_the_device_and_its_firmware(plug: Conversation) -> None:
    config = {
        "t": "tasmota_49A3BC",
        "md": "Sonoff Basic",
        "sw": "8.4.0.2",
        "mac": "00000049A3BC",
        "onln": "Da",
        "ofln": "Weg",
    }
    (identity,) = plug.identities("tasmota/discovery/00000049A3BC/config", config, retain=True)
    assert (identity.device, identity.model, identity.serial) == ("tasmota_49A3BC", "Sonoff Basic", "00000049A3BC")
    assert plug.readings("tele/tasmota_49A3BC/STATE", STATE)[0].firmware == "8.4.0.2"
    assert [one.online for one in plug.presences("tele/tasmota_49A3BC/LWT", "weg")] == [False]


def test_discovery_of_a_device_with_a_topic_of_its_own_names_that(plug: Conversation) -> None:
    config = {"t": "kettle", "sw": "8.4.0.2", "mac": "00000049A3BC"}
    assert plug.identities("tasmota/discovery/00000049A3BC/config", config)[0].device == "kettle"
    sensors = {"sn": {"Time": "2026-05-01T00:00:00", "ENERGY": {"Power": 3}}}
    assert plug.readings("tasmota/discovery/00000049A3BC/sensors", sensors)[0].device == "kettle"
    assert plug.readings("tele/tasmota_49A3BC/STATE", STATE)[0].firmware is None


def test_a_device_that_left_discovery_is_ignored(plug: Conversation) -> None:
    assert plug.say("tasmota/discovery/00000049A3BC/config", b"").ignored


def test_discovery_does_not_take_back_the_build_that_info1_told(plug: Conversation) -> None:
    plug.say("tele/tasmota_49A3BC/INFO1", {"Info1": {"Version": "14.2.0(release-tasmota)"}})
    config = {"t": "tasmota_49A3BC", "sw": "14.2.0", "mac": "00000049A3BC"}
    assert plug.events("tasmota/discovery/00000049A3BC/config", config) == []
    assert plug.readings("tele/tasmota_49A3BC/STATE", STATE)[0].firmware == "14.2.0(release-tasmota)"


def test_status_0_holds_everything(plug: Conversation) -> None:
    answer = plug.say(
        "stat/plug/STATUS0",
        {
            "Status": {"Module": 1},
            "StatusPRM": {"RestartReason": "Power On", "BootCount": 3, "StartupUTC": "2026-04-30T12:00:00"},
            "StatusFWR": {"Version": "14.2.0(tasmota)", "Hardware": "ESP8266EX"},
            "StatusNET": {"Mac": "DC:4F:22:00:00:01"},
            "StatusSNS": {"Time": "2026-05-01T00:00:00", "ENERGY": {"Power": 3}},
            "StatusSTS": STATE,
        },
    )
    kinds = [type(value).__name__ for value in answer.values]
    assert kinds == ["Identity", "Event", "Reading", "Reading", "Reading", "Reply"]
    assert answer.values[1].at == datetime(2026, 4, 30, 12, tzinfo=UTC)
    assert getattr(answer.values[0], "serial", None) == "DC4F22000001"
