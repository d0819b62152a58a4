"""The table of docs/metrics.md that says which convention fills what: every cell is what the decoder gives, and the reverse.

Each convention says here all it can; what comes of that is compared with the table, quantity by quantity.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from datetime import timedelta
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from hearthwatch.errors import Invalid
from hearthwatch.metrics import BY_NAME
from hearthwatch.ports import Convention
from hearthwatch.values import Decoded, Event, Identity, Message, Presence, Reading
from hearthwatch.wire.home_assistant import HomeAssistant
from hearthwatch.wire.homie import Homie
from hearthwatch.wire.registry import CONVENTIONS, Decoder
from hearthwatch.wire.shelly_gen1 import ShellyGen1
from hearthwatch.wire.shelly_gen2 import ShellyGen2
from hearthwatch.wire.sparkplug import Sparkplug
from hearthwatch.wire.tasmota import Tasmota
from hearthwatch.wire.zigbee2mqtt import Zigbee2Mqtt
from tests.recorded_messages import printed, recorded
from tests.sparkplug_payloads import encode
from tests.strategies import START
from tests.unit.analytics.test_metrics_document import table
from tests.unit.wire.conversation import Conversation
from tests.unit.wire.test_home_assistant import entity
from tests.unit.wire.test_zigbee2mqtt import COORDINATOR, INFO, bulb, plug

FACTS = (
    "firmware",
    "update installed",
    "reboot",
    "cause of a reboot",
    "presence",
    "model",
    "hardware",
    "serial",
    "fault",
)
"""Beside the metrics: what the values themselves say."""

Told = set[str]


def facts(answer: Decoded) -> Told:
    """What an answer says, in the words of the table."""
    said: Told = set()
    for value in answer.values:
        if isinstance(value, Reading):
            said |= value.metrics.keys() & BY_NAME.keys()
            said |= {"firmware"} if value.firmware else set()
        elif isinstance(value, Presence):
            said.add("presence")
        elif isinstance(value, Identity):
            said |= {key for key in ("model", "hardware", "serial") if getattr(value, key)}
        elif isinstance(value, Event):
            said |= _of_event(value)
    return said


def _of_event(event: Event) -> Told:
    if event.kind == "reboot":
        return {"reboot"} | ({"cause of a reboot"} if event.code not in ("unknown", "update") else set())
    if (event.kind, event.code) == ("update", "installed"):
        return {"update installed"}
    return {"fault"} & {event.kind}


class Telling(Conversation):
    """A talk of which everything that was understood is remembered."""

    def __init__(self, convention: Convention) -> None:
        super().__init__(convention)
        self.told: Told = set()

    def say(self, topic: str, payload: Any, **how: Any) -> Decoded:
        answer = super().say(topic, payload, **how)
        self.told |= facts(answer)
        return answer

    def later(self, **span: float) -> Any:
        self.now += timedelta(**span)
        return self.now


def tasmota() -> Told:
    talk = Telling(Tasmota())
    talk.say("tele/plug/LWT", "Online")
    talk.say("tele/plug/INFO1", {"Info1": {"Module": "Sonoff", "Version": "13.0.0(tasmota)"}})
    talk.say("tele/plug/INFO1", {"Info1": {"Module": "Sonoff", "Version": "14.2.0(tasmota)"}})
    talk.say("tele/plug/INFO3", {"Info3": {"RestartReason": "Hardware Watchdog", "BootCount": 7}})
    talk.say(
        "stat/plug/STATUS0",
        {"StatusFWR": {"Version": "14.2.0(tasmota)", "Hardware": "ESP32"}, "StatusNET": {"Mac": "AA:BB:CC:00:11:22"}},
    )
    wifi = {"RSSI": 80, "Signal": -60, "LinkCount": 3, "Downtime": "0T00:00:09"}
    state = {"UptimeSec": 60, "Heap": 25, "LoadAvg": 19, "MqttCount": 2, "Vcc": 3.3, "POWER": "ON", "Wifi": wifi}
    talk.say("tele/plug/STATE", state | {"BatteryVoltage": 3.1, "BatteryPercentage": 80})
    energy = {
        "Power": 2,
        "ApparentPower": 3,
        "ReactivePower": 1,
        "Factor": 0.9,
        "Frequency": 50,
        "Voltage": 230,
        "Current": 0.1,
    }
    climate = {"Temperature": 20, "Humidity": 50, "Pressure": 1000, "Illuminance": 9}
    talk.say("tele/plug/SENSOR", {"ENERGY": energy | {"Total": 5}, "BME280": climate, "ESP32": {"Temperature": 50}})
    return talk.told


def shelly_gen1() -> Told:
    talk = Telling(ShellyGen1())
    plug_, motion = "shellies/plug", "shellies/ht"
    for firmware in ("20220209-092750/v1.11.8-g8c7bb8d", "20230913-113421/v1.14.0-gcb84623"):
        talk.say(f"{plug_}/announce", {"id": "plug", "model": "SHPLG-S", "mac": "AABBCCDDEEFF", "fw_ver": firmware})
    talk.say(f"{plug_}/online", "true")
    status = {
        "uptime": 900,
        "ram_free": 4000,
        "fs_free": 9000,
        "wifi_sta": {"connected": True, "rssi": -70},
        "temperature": 40,
    }
    meters = {"relays": [{"ison": True}], "meters": [{"power": 5, "total": 60}], "tmp": {"tC": 40}, "voltage": 230}
    emeter = {"power": 9, "reactive": 1, "pf": 0.9, "voltage": 231, "current": 0.1, "total": 9}
    talk.say(f"{plug_}/info", status | meters | {"emeters": [emeter]})
    talk.say(f"{plug_}/info", status | meters | {"uptime": 5, "overtemperature": True}, at=talk.later(hours=1))
    talk.say(
        f"{motion}/info",
        {"tmp": {"tC": 21}, "hum": {"value": 50}, "lux": {"value": 8}, "bat": {"value": 90, "voltage": 2.9}},
    )
    talk.say("shellies/flood/sensor/flood", "true")
    talk.say("shellies/trv/info", {"thermostats": [{"target_t": {"value": 20}, "tmp": {"value": 19.5, "units": "C"}}]})
    return talk.told


def shelly_gen2() -> Told:
    talk = Telling(ShellyGen2())
    device = "shellyplus1pm-aabbccddeeff"
    for firmware in ("20231219-133934/1.1.0-g34b5d4f", "20240219-133934/1.2.0-g34b5d4f"):
        result = {"model": "SNSW-001P16EU", "mac": "AABBCCDDEEFF", "fw_id": firmware}
        talk.say(f"{device}/hearthwatch/rpc", {"id": 1, "src": device, "result": result})
    talk.say(f"{device}/online", "true")
    load = {"apower": 5, "aprtpower": 6, "voltage": 230, "current": 0.1, "pf": 0.9, "freq": 50, "aenergy": {"total": 5}}
    status = {
        "sys": {"uptime": 900, "ram_free": 4000, "fs_free": 9000, "reset_reason": 5},
        "wifi": {"rssi": -60},
        "switch:0": load | {"output": True, "temperature": {"tC": 40}, "errors": ["overtemp"]},
        "temperature:0": {"tC": 21},
        "humidity:0": {"rh": 50},
        "illuminance:0": {"lux": 9},
        "devicepower:0": {"battery": {"percent": 90, "V": 5.9}},
        "thermostat:0": {"target_C": 21, "output": True},
        "smoke:0": {"alarm": False},
    }
    full = {"src": device, "method": "NotifyFullStatus", "params": status}
    talk.say(f"{device}/events/rpc", full)
    status["sys"] = {"uptime": 5, "reset_reason": 5}
    talk.say(f"{device}/events/rpc", full, at=talk.later(hours=1))
    return talk.told


def zigbee2mqtt() -> Told:
    talk = Telling(Zigbee2Mqtt())
    talk.say("zigbee2mqtt/bridge/info", INFO)
    talk.say("zigbee2mqtt/bridge/devices", [COORDINATOR, plug(), bulb()])
    talk.say("zigbee2mqtt/bridge/devices", [COORDINATOR, plug(), bulb(build="1.4.0")])
    talk.say("zigbee2mqtt/bridge/health", {"process": {"uptime_sec": 900}})
    talk.say("zigbee2mqtt/bridge/health", {"process": {"uptime_sec": 5}}, at=talk.later(hours=1))
    talk.say("zigbee2mqtt/my_bulb/availability", {"state": "online"})
    electric = {"power": 5, "power_apparent": 6, "power_reactive": 1, "power_factor": 0.9, "current": 0.1, "energy": 5}
    climate = {"temperature": 21, "device_temperature": 40, "humidity": 50, "pressure": 1000, "illuminance": 9}
    heating = {"occupied_heating_setpoint": 21, "running_state": "heat"}
    talk.say("zigbee2mqtt/my_plug", electric | climate | heating | {"voltage": 230, "ac_frequency": 50, "state": "ON"})
    talk.say(
        "zigbee2mqtt/my_bulb",
        {"battery": 90, "battery_voltage": 2900, "battery_low": False, "smoke": False, "linkquality": 99},
    )
    return talk.told


# Kind, object id, what the description adds, and a state.
ENTITIES: tuple[tuple[str, str, Mapping[str, Any], str], ...] = (
    ("sensor", "uptime", {"unit_of_meas": "s", "dev_cla": "duration"}, "9000"),
    ("sensor", "reset_reason", {}, "task watchdog"),
    ("sensor", "wifi_signal", {"unit_of_meas": "dBm", "dev_cla": "signal_strength"}, "-60"),
    ("sensor", "wifi_quality", {"unit_of_meas": "%", "dev_cla": "signal_strength"}, "80"),
    ("sensor", "battery_level", {"unit_of_meas": "%", "dev_cla": "battery"}, "80"),
    ("sensor", "battery_voltage", {"unit_of_meas": "V", "dev_cla": "voltage"}, "3"),
    ("sensor", "supply_voltage", {"unit_of_meas": "V", "dev_cla": "voltage"}, "3.3"),
    ("sensor", "mains", {"unit_of_meas": "V", "dev_cla": "voltage"}, "230"),
    ("sensor", "heap_free", {"unit_of_meas": "B"}, "20000"),
    ("sensor", "room", {"unit_of_meas": "°C", "dev_cla": "temperature"}, "21"),
    ("sensor", "chip", {"unit_of_meas": "°C", "dev_cla": "temperature", "ent_cat": "diagnostic"}, "50"),
    ("sensor", "wetness", {"unit_of_meas": "%", "dev_cla": "humidity"}, "50"),
    ("sensor", "air", {"unit_of_meas": "hPa", "dev_cla": "pressure"}, "1000"),
    ("sensor", "light_level", {"unit_of_meas": "lx", "dev_cla": "illuminance"}, "9"),
    ("sensor", "load", {"unit_of_meas": "W", "dev_cla": "power"}, "5"),
    ("sensor", "apparent", {"unit_of_meas": "VA", "dev_cla": "apparent_power"}, "5"),
    ("sensor", "reactive", {"unit_of_meas": "var", "dev_cla": "reactive_power"}, "5"),
    ("sensor", "cosphi", {"dev_cla": "power_factor"}, "0.9"),
    ("sensor", "draw", {"unit_of_meas": "A", "dev_cla": "current"}, "0.1"),
    ("sensor", "motor_current", {"unit_of_meas": "A"}, "0.2"),
    ("sensor", "mains_hz", {"unit_of_meas": "Hz", "dev_cla": "frequency"}, "50"),
    ("sensor", "meter", {"unit_of_meas": "kWh", "dev_cla": "energy"}, "5"),
    ("switch", "relay", {}, "ON"),
    ("binary_sensor", "smoke", {"dev_cla": "smoke"}, "OFF"),
    ("binary_sensor", "cells", {"dev_cla": "battery"}, "OFF"),
)


def home_assistant() -> Told:
    talk = Telling(HomeAssistant())
    for firmware in ("esphome v2023.10.4", "esphome v2024.1.0"):
        for kind, name, more, _ in ENTITIES:
            described = entity(kind, name, **more)
            described["dev"] = described["dev"] | {"sw": firmware, "hw": "rev C"}
            talk.say(f"homeassistant/{kind}/garage/{name}/config", described, retain=True)
    warm = {"curr_temp_t": "garage/climate/t/state", "temp_stat_t": "garage/climate/s/state", "temp_unit": "C"}
    talk.say("homeassistant/climate/garage/heat/config", entity("climate", "heat", **warm), retain=True)
    talk.say("garage/climate/s/state", "22")
    talk.say("garage/status", "online")
    for kind, name, _, state in ENTITIES:
        talk.say(f"garage/{kind}/{name}/state", state)
    talk.later(hours=1)
    talk.say("garage/sensor/reset_reason/state", "exception/panic")
    talk.say("garage/sensor/uptime/state", "5")
    return talk.told


HOMIE_PROPERTIES: Mapping[str, Mapping[str, Any]] = {
    "uptime": {"datatype": "duration"},
    "reset-reason": {"datatype": "string"},
    "wifi-signal": {"datatype": "integer", "unit": "dBm"},
    "signal": {"datatype": "integer", "unit": "%"},
    "battery": {"datatype": "integer", "unit": "%"},
    "battery-voltage": {"datatype": "float", "unit": "V"},
    "supply-voltage": {"datatype": "float", "unit": "V"},
    "battery-low": {"datatype": "boolean"},
    "free-heap": {"datatype": "integer", "unit": "B"},
    "temperature": {"datatype": "float", "unit": "°C"},
    "cpu-temperature": {"datatype": "float", "unit": "°C"},
    "target-temperature": {"datatype": "float", "unit": "°C", "settable": True},
    "humidity": {"datatype": "float", "unit": "%"},
    "air-pressure": {"datatype": "float", "unit": "hPa"},
    "light": {"datatype": "float", "unit": "lx"},
    "power": {"datatype": "float", "unit": "W"},
    "apparent-power": {"datatype": "float", "unit": "VA"},
    "reactive-power": {"datatype": "float", "unit": "var"},
    "power-factor": {"datatype": "float"},
    "current": {"datatype": "float", "unit": "A"},
    "motor-current": {"datatype": "float", "unit": "A"},
    "voltage": {"datatype": "float", "unit": "V"},
    "frequency": {"datatype": "float", "unit": "Hz"},
    "energy": {"datatype": "float", "unit": "kWh"},
    "relay": {"datatype": "boolean", "settable": True},
    "smoke": {"datatype": "boolean"},
}


def homie() -> Told:
    talk = Telling(Homie())
    for version in ("1.0", "1.1"):
        talk.say("homie/car/$fw/version", version)
    talk.say("homie/car/$fw/name", "weather")
    talk.say("homie/car/$implementation", "esp8266")
    talk.say("homie/car/$mac", "DE:AD:BE:EF:FE:ED")
    talk.say("homie/car/$state", "ready")
    talk.say("homie/car/$state", "alert")
    talk.say("homie/car/$stats/cpuload", "20")
    talk.say("homie/car/$stats/uptime", "900")
    talk.say(
        "homie/5/van/$description", {"homie": "5.0", "version": 7, "nodes": {"all": {"properties": HOMIE_PROPERTIES}}}
    )
    states = {"duration": "PT9000S", "string": "task watchdog", "boolean": "true"}
    for name, declared in HOMIE_PROPERTIES.items():
        talk.say(f"homie/5/van/all/{name}", states.get(declared["datatype"], "9"))
    talk.later(hours=1)
    talk.say("homie/5/van/all/reset-reason", "exception/panic")
    talk.say("homie/5/van/all/uptime", "PT5S")
    return talk.told


SPARKPLUG_METRICS: tuple[tuple[str, str, Any, str | None], ...] = (
    ("Uptime", "Double", 9000.0, "s"),
    ("Health/Reset Reason", "String", "task watchdog", None),
    ("Wifi/Signal", "Double", -60.0, "dBm"),
    ("Wifi/Quality", "Double", 80.0, "%"),
    ("Battery/Level", "Double", 80.0, "%"),
    ("Battery/Voltage", "Double", 3.0, "V"),
    ("Battery/Low", "Boolean", False, None),
    ("Supply Voltage", "Double", 3.3, "V"),
    ("Free Heap", "Double", 20_000.0, "B"),
    ("Room/Temperature", "Double", 21.0, "°C"),
    ("CPU Temperature", "Double", 50.0, "°C"),
    ("Setpoint", "Double", 21.0, "°C"),
    ("Room/Humidity", "Double", 50.0, "%"),
    ("Air Pressure", "Double", 1000.0, "hPa"),
    ("Room/Light", "Double", 9.0, "lx"),
    ("Power", "Double", 5.0, "W"),
    ("Apparent Power", "Double", 5.0, "VA"),
    ("Reactive Power", "Double", 5.0, "var"),
    ("Power Factor", "Double", 0.9, None),
    ("Current", "Double", 0.1, "A"),
    ("Motor Current", "Double", 0.1, "A"),
    ("Mains Voltage", "Double", 230.0, "V"),
    ("Frequency", "Double", 50.0, "Hz"),
    ("Energy", "Double", 5.0, "kWh"),
    ("Relay", "Boolean", True, None),
    ("Smoke", "Boolean", False, None),
)


def sparkplug() -> Told:
    talk = Telling(Sparkplug())

    def birth(firmware: str, **instead: Any) -> None:
        about = (
            ("bdSeq", "UInt64", 1, None),
            ("Properties/FW", "String", firmware, None),
            ("Properties/Hardware Model", "String", "Pump", None),
            ("Properties/Hardware Version", "String", "C", None),
            ("Properties/Serial Number", "String", "P-7", None),
        )
        metrics = [
            {"name": name, "dataType": kind, "value": instead.get(name, value)}
            | ({"properties": {"engUnit": unit}} if unit else {})
            for name, kind, value, unit in (*about, *SPARKPLUG_METRICS)
        ]
        talk.say("spBv1.0/plant/NBIRTH/gate", encode({"seq": 0, "metrics": metrics}))

    birth("1.0")
    talk.later(hours=1)
    birth("1.1", **{"Uptime": 5.0, "Health/Reset Reason": "exception/panic"})
    return talk.told


SPEAKERS: Mapping[str, Callable[[], Told]] = {
    "Tasmota": cache(tasmota),
    "Shelly Gen1": cache(shelly_gen1),
    "Shelly Gen2+": cache(shelly_gen2),
    "Zigbee2MQTT": cache(zigbee2mqtt),
    "Home Assistant": cache(home_assistant),
    "Homie": cache(homie),
    "Sparkplug": cache(sparkplug),
}
COLUMN_OF = {
    "tasmota": "Tasmota",
    "shelly_gen1": "Shelly Gen1",
    "shelly_gen2": "Shelly Gen2+",
    "zigbee2mqtt": "Zigbee2MQTT",
    "home_assistant": "Home Assistant",
    "homie": "Homie",
    "sparkplug": "Sparkplug",
}


def documented() -> dict[tuple[str, str], bool]:
    """(convention, quantity): whether the table says that it fills it."""
    return {
        (convention, row[0].strip("`")): cell == "yes"
        for row in table("Which convention fills what")
        for convention, cell in zip(SPEAKERS, row[1:], strict=True)
    }


def test_the_table_has_every_quantity_and_says_yes_or_nothing() -> None:
    rows = table("Which convention fills what")
    assert [row[0].strip("`") for row in rows] == [*FACTS, *BY_NAME]
    assert {cell for row in rows for cell in row[1:]} == {"yes", ""}


@pytest.mark.parametrize("quantity", [*FACTS, *BY_NAME])
@pytest.mark.parametrize("convention", SPEAKERS)
def test_a_convention_fills_what_the_table_says_and_nothing_else(convention: str, quantity: str) -> None:
    assert (quantity in SPEAKERS[convention]()) is documented()[convention, quantity]


def test_real_messages_give_nothing_that_the_table_does_not_have() -> None:
    samples = printed()
    if named := os.environ.get("HEARTHWATCH_DATA"):
        samples += recorded(Path(named) / "mqtt-payloads")
    decoder, allowed = Decoder(tuple(CONVENTIONS.values())), documented()
    for topic, payload in samples:
        try:
            name, answer = decoder.decode(Message(topic, payload, START))
        except Invalid:
            continue
        for quantity in facts(answer) if name in COLUMN_OF else ():
            assert allowed[COLUMN_OF[name or ""], quantity], (topic, quantity)


def test_the_sources_in_the_table_of_names_are_those_cells() -> None:
    """docs/wire.md says for three conventions by which field; a field is named exactly where the cell here says yes."""
    text = (Path(__file__).parents[3] / "docs" / "wire.md").read_text(encoding="utf-8")
    lines = text[text.index("| metric | Tasmota | Shelly Gen1 | Shelly Gen2+ |") :].split("\n\n")[0].splitlines()[2:]
    sources: dict[tuple[str, str], bool] = {}
    for line in lines:
        names, *cells = [cell.strip() for cell in line.strip().strip("|").split("|")]
        for name in names.replace("`", "").split(", "):
            for convention, cell in zip(("Tasmota", "Shelly Gen1", "Shelly Gen2+"), cells, strict=True):
                sources[convention, name] = bool(cell)
    cells_here = documented()
    claimed = {key for key, there in cells_here.items() if there and key[1] in BY_NAME and key[0] in list(SPEAKERS)[:3]}
    assert {key for key, there in sources.items() if there} == claimed
