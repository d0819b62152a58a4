"""MQTT messages that others recorded or printed, in the order in which they come, for tests.

Recorded: Shelly (Apache-2.0), Tasmota (Home Assistant's tests, Apache-2.0), the topics of the Homie convention (CC BY 4.0) and the
examples of the Sparkplug specification (EPL-2.0), from the folder that ``HEARTHWATCH_DATA`` names.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from tests.mappings import MESSAGES
from tests.sparkplug_payloads import encode

Sample = tuple[str, bytes]
"""(topic, payload)."""

# Shapes as the makers' documentation prints them: zigbee2mqtt.io, home-assistant.io/integrations/mqtt, esphome.io.
PRINTED: tuple[tuple[str, Any], ...] = (
    (
        "zigbee2mqtt/bridge/devices",
        [
            {
                "ieee_address": "0x90fd9ffffe6494fc",
                "type": "Router",
                "friendly_name": "my_bulb",
                "definition": {"model": "LED1624G9", "vendor": "IKEA", "exposes": []},
                "power_source": "Mains (single phase)",
                "software_build_id": "1.3.009",
                "interview_completed": True,
            }
        ],
    ),
    ("zigbee2mqtt/bridge/state", {"state": "online"}),
    ("zigbee2mqtt/my_bulb/availability", {"state": "online"}),
    ("zigbee2mqtt/my_bulb", {"battery": 100, "linkquality": 204, "update": {"installed_version": 16, "state": "idle"}}),
    (
        "homeassistant/device/ea334450945afc/config",
        {
            "dev": {"ids": "ea334450945afc", "name": "Kitchen", "mdl": "xya", "sw": "1.0", "sn": "ea334450945afc"},
            "o": {"name": "bla2mqtt", "sw": "2.1"},
            "cmps": {
                "one": {
                    "p": "sensor",
                    "device_class": "temperature",
                    "unit_of_measurement": "°C",
                    "value_template": "{{ value_json.temperature}}",
                    "unique_id": "temp01ae_t",
                }
            },
            "state_topic": "sensorBedroom/state",
        },
    ),
    ("sensorBedroom/state", {"temperature": 21.5}),
    (
        "homeassistant/sensor/gdo/uptime/config",
        {
            "~": "esphome/gdo",
            "dev_cla": "duration",
            "unit_of_meas": "s",
            "stat_t": "~/sensor/uptime/state",
            "avty_t": "~/status",
            "uniq_id": "78e36d645710-uptime",
            "dev": {"ids": "78e36d645710", "sw": "esphome v2023.10.4", "mdl": "esp32dev", "mf": "espressif"},
        },
    ),
    ("esphome/gdo/status", "online"),
    ("esphome/gdo/sensor/uptime/state", "120"),
    ("hearthwatch/v1/lamp-7/presence", {"online": True, "boot": "b71"}),
    ("hearthwatch/v1/lamp-7/identity", {"model": "lamp", "fw": "2.4.1", "boot": "b71", "parts": {"relay": "r1"}}),
    (
        "hearthwatch/v1/lamp-7/telemetry",
        {
            "fw": "2.4.1",
            "boot": "b71",
            "seq": 3,
            "samples": [{"at": "2026-05-01T12:00:00Z", "m": {"temperature_c": 41}}],
        },
    ),
    ("hearthwatch/v1/lamp-7/event", {"at": "2026-05-01T12:00:00Z", "kind": "reboot", "code": "watchdog"}),
    ("hearthwatch/v1/lamp-7/reply", {"id": "c1", "ok": True, "detail": {"heap": 1000}}),
    ("shellies/announce", {"id": "shelly1pm-AABBCC", "model": "SHSW-PM", "mac": "AABBCCDDEEFF", "fw_ver": "v1.11.8"}),
    ("shellies/shelly1pm-AABBCC/online", "true"),
    ("shellies/shelly1pm-AABBCC/relay/0/power", "12.5"),
)


_MS = 1_777_636_800_000
# A session as chapters 5 and 6 of the Sparkplug specification describe it: certificates, data by alias, history, deaths.
_SESSION: tuple[tuple[str, Mapping[str, Any]], ...] = (
    (
        "NBIRTH/gate",
        {
            "seq": 0,
            "timestamp": _MS,
            "metrics": [
                {"name": "bdSeq", "dataType": "UInt64", "value": 7},
                {"name": "Node Control/Rebirth", "dataType": "Boolean", "value": False},
                {"name": "Properties/FW", "dataType": "String", "value": "3.1.0"},
                {"name": "Uptime", "alias": 1, "dataType": "UInt32", "value": 9000, "properties": {"engUnit": "s"}},
            ],
        },
    ),
    (
        "DBIRTH/gate/pump",
        {
            "seq": 1,
            "timestamp": _MS,
            "metrics": [
                {"name": "In/Temp", "alias": 5, "dataType": "Float", "value": 40.5, "properties": {"engUnit": "°C"}},
                {"name": "Out/Temp", "alias": 6, "dataType": "Double", "value": 30.5, "properties": {"engUnit": "°F"}},
                {"name": "Steps", "alias": 7, "dataType": "Int16", "value": -3, "properties": {"Quality": 192}},
                {"name": "Running", "alias": 8, "dataType": "Boolean", "value": True},
            ],
        },
    ),
    (
        "DDATA/gate/pump",
        {
            "seq": 2,
            "timestamp": _MS + 1000,
            "metrics": [
                {"alias": 5, "dataType": "Float", "declared": False, "value": 41.5},
                {"alias": 7, "dataType": "Int16", "declared": False, "value": -4, "timestamp": _MS + 500},
                {"alias": 6, "dataType": "Double", "value": 1.5, "timestamp": _MS - 9000, "is_historical": True},
            ],
        },
    ),
    ("NDATA/gate", {"seq": 3, "timestamp": _MS + 2000, "metrics": [{"alias": 1, "dataType": "UInt32", "value": 3}]}),
    ("DDEATH/gate/pump", {"seq": 5, "timestamp": _MS + 3000}),
    ("NDEATH/gate", {"metrics": [{"name": "bdSeq", "dataType": "UInt64", "value": 7}]}),
)


def printed() -> list[Sample]:
    """The documented ones, a description of Homie 5 as its specification gives it, a session of Sparkplug, and a maker's own."""
    engine = {"properties": {"temperature": {"datatype": "float", "unit": "°C"}, "on": {"datatype": "boolean"}}}
    described = {"homie": "5.0", "version": 7, "name": "Car", "nodes": {"engine": engine}, "children": ["wheel"]}
    spoken = (
        *PRINTED,
        ("homie/5/super-car/$description", described),
        ("homie/super-car/engine/temperature/$datatype", "float"),
    )
    session = ((f"spBv1.0/plant/{kind}", encode(view)) for kind, view in _SESSION)
    return [*((topic, _bytes(payload)) for topic, payload in (*spoken, *MESSAGES)), *session]


def homie(folder: Path) -> list[Sample]:
    """The examples of the convention. Its text puts payloads in quotation marks, and notes beside them."""
    samples = []
    for line in (folder / "homie" / "topic_examples.tsv").read_text(encoding="utf-8").splitlines():
        if line.strip():
            _, topic, said = line.split("\t")
            samples.append((topic, re.sub(r"\s*\(.*\)$", "", said.strip()).strip('"').encode()))
    return samples


def sparkplug(folder: Path) -> list[Sample]:
    """The examples of the specification, as the bytes that its JSON views stand for."""
    lines = (folder / "sparkplug" / "spec_examples.jsonl").read_text(encoding="utf-8").splitlines()
    return [(given["topic"], encode(given["payload_json_view"])) for given in map(json.loads, lines)]


def by_file(folder: Path) -> dict[str, list[Sample]]:
    """The messages of every file below a folder of payloads, licences aside, in their order. Fails for a file that nobody reads."""
    read = {
        "tasmota/payloads.jsonl": tasmota(folder),
        **{f"shelly/{path.name}": list(_shelly(path)) for path in sorted((folder / "shelly").glob("*.json"))},
        "homie/topic_examples.tsv": homie(folder),
        "sparkplug/spec_examples.jsonl": sparkplug(folder),
    }
    there = {str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()}
    unread = {name for name in there - set(read) if not name.split("/")[-1].startswith("LICENSE")}
    assert not unread, f"nobody reads {sorted(unread)}"
    return read


def recorded(folder: Path) -> list[Sample]:
    """Everything below a folder of payloads."""
    return [sample for samples in by_file(folder).values() for sample in samples]


def tasmota(folder: Path) -> list[Sample]:
    """What a Tasmota device publishes."""
    lines = (folder / "tasmota" / "payloads.jsonl").read_text(encoding="utf-8").splitlines()
    return [(given["topic"], _bytes(given["payload"])) for given in map(json.loads, lines)]


def _shelly(path: Path) -> Iterator[Sample]:
    """A device's answers over HTTP, on the topics on which it publishes the same objects."""
    given = json.loads(path.read_text(encoding="utf-8"))
    if path.name.startswith("gen1_"):
        own = given["settings"]["device"]
        announced = {"id": own["hostname"], "model": own["type"], "mac": own["mac"], "fw_ver": given["settings"]["fw"]}
        yield f"shellies/{own['hostname']}/announce", _bytes(announced)
        yield f"shellies/{own['hostname']}/info", _bytes(given["status"])
    elif path.name.startswith("gen2_"):
        device = given["shelly"]["id"]
        yield f"{device}/hearthwatch/rpc", _bytes({"id": 1, "src": device, "result": given["shelly"]})
        full = {"src": device, "method": "NotifyFullStatus", "params": {"ts": 1707326936.5, **given["status"]}}
        yield f"{device}/events/rpc", _bytes(full)
    else:
        answer = given if "error" in given else {"id": 1, "src": path.name.split("__")[1], "result": given}
        yield "hearthwatch/rpc", _bytes(answer)


def _bytes(payload: Any) -> bytes:
    return (payload if isinstance(payload, str) else json.dumps(payload, ensure_ascii=False)).encode()
