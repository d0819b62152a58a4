"""Payloads that real devices sent, collected by others."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from hearthwatch.errors import Invalid
from hearthwatch.firmware import version
from hearthwatch.metrics import BY_NAME
from hearthwatch.values import Event, Identity, Presence, Reading, Value
from hearthwatch.wire.homie import Homie
from hearthwatch.wire.shelly_gen1 import ShellyGen1
from hearthwatch.wire.shelly_gen2 import ShellyGen2
from hearthwatch.wire.sparkplug import Sparkplug, device_id
from hearthwatch.wire.tasmota import Tasmota
from tests.recorded_messages import homie, sparkplug
from tests.unit.wire.conversation import Conversation


@pytest.fixture
def collected(third_party_data: Path) -> Path:
    folder = third_party_data / "mqtt-payloads"
    if not folder.exists():
        pytest.skip("the data has no MQTT payloads")
    return folder


def load(path: Path) -> Any:
    return json.loads(path.read_text(encoding="utf-8"))


def test_tasmota(collected: Path) -> None:
    talk = Conversation(Tasmota())
    metrics: dict[str, float] = {}
    for line in (collected / "tasmota" / "payloads.jsonl").read_text(encoding="utf-8").splitlines():
        given = json.loads(line)
        answer = talk.say(given["topic"], given["payload"])
        assert not answer.rejected, line
        for value in answer.values:
            assert value.device == "tasmota_49A3BC"
            if isinstance(value, Reading):
                assert value.firmware == "8.4.0.2"
                metrics.update(value.metrics)
    assert {"power_w", "voltage_v", "energy_kwh", "phase2_energy_kwh", "temperature_c"} <= set(metrics)
    assert metrics["energy_kwh"] == 0.5


def test_shelly_gen1(collected: Path) -> None:
    files = sorted((collected / "shelly").glob("gen1_*.json"))
    assert files
    for path in files:
        given, talk = load(path), Conversation(ShellyGen1())
        device = given["settings"]["device"]["hostname"]
        (reading,) = talk.readings(f"shellies/{device}/info", given["status"])
        assert reading.device == device
        assert version(reading.firmware or "").text == "1.14.0"
        assert {name.removeprefix("ext0_") for name in reading.metrics} <= set(BY_NAME)
        expected = {"uptime_s", "free_heap_bytes", "rssi_dbm", "relay_on", "power_w", "device_temperature_c"}
        assert expected <= set(reading.metrics)
        assert reading.metrics["energy_kwh"] == pytest.approx(given["status"]["meters"][0]["total"] / 60_000)


def test_shelly_gen2(collected: Path) -> None:
    files = sorted((collected / "shelly").glob("gen2_*.json"))
    assert files
    for path in files:
        given, talk = load(path), Conversation(ShellyGen2())
        device = given["shelly"]["id"]
        asked = {"id": 1, "src": device, "dst": f"{device}/hearthwatch", "result": given["shelly"]}
        (identity,) = talk.identities(f"{device}/hearthwatch/rpc", asked)
        assert (identity.model, identity.firmware) == (given["shelly"]["model"], given["shelly"]["fw_id"])
        status = {"src": device, "method": "NotifyFullStatus", "params": {"ts": 1707326936.5, **given["status"]}}
        (reading,) = talk.readings(f"{device}/events/rpc", status)
        assert version(reading.firmware or "").text == given["shelly"]["ver"]
        assert reading.metrics["uptime_s"] == given["status"]["sys"]["uptime"]
        switch = given["status"].get("switch:0")
        if switch is not None:
            assert reading.metrics["relay_on"] == float(switch["output"])


def test_shelly_rpc_answers(collected: Path) -> None:
    for path in sorted((collected / "shelly").glob("rpc__*.json")):
        given, talk = load(path), Conversation(ShellyGen2())
        device = path.name.split("__")[1]
        framed = given if "error" in given else {"id": 1, "src": device, "result": given}
        answer = talk.say("hearthwatch/rpc", framed)
        assert not answer.rejected
        if path.name.endswith("GetStatus.json"):
            assert [type(value) for value in answer.values] == [Reading]
        elif path.name.endswith("shelly.json"):
            assert [type(value) for value in answer.values] == [Identity]


def test_homie(collected: Path) -> None:
    talk = Conversation(Homie())
    values = [value for topic, said in homie(collected) for value in _understood(talk, topic, said)]
    assert {value.device for value in values} == {"super-car", "my-device"}
    assert [value.online for value in values if isinstance(value, Presence)] == [True]
    assert [value.metrics for value in values if isinstance(value, Reading)] == [{"uptime_s": 120.0}]
    assert [(value.kind, value.code) for value in values if isinstance(value, Event)] == [
        ("log", "warn"),
        ("log", "error"),
    ]
    identity = [value for value in values if isinstance(value, Identity)][-1]
    assert (identity.model, identity.firmware) == ("weatherstation-firmware", "1.0.0")
    assert identity.serial == "DEADBEEFFEED"


def _understood(talk: Conversation, topic: str, said: bytes) -> Sequence[Value]:
    """The values of one example; where the convention prints a note instead of the document it speaks of, that is refused."""
    if topic.endswith("$description"):
        with pytest.raises(Invalid, match="not JSON"):
            talk.say(topic, said)
        return ()
    if talk.convention.partition(topic) is None:
        pytest.fail(f"{topic} is not claimed")
    answer = talk.say(topic, said)
    assert not answer.rejected, topic
    return answer.values


def test_sparkplug(collected: Path) -> None:
    talk = Conversation(Sparkplug())
    answers = [talk.say(topic, payload) for topic, payload in sparkplug(collected)]
    assert not any(answer.rejected for answer in answers)
    values = [value for answer in answers for value in answer.values]
    node = device_id("Sparkplug B Devices", "Raspberry Pi")
    device = device_id("Sparkplug B Devices", "Raspberry Pi", "Pibrella")
    readings = [value for value in values if isinstance(value, Reading)]
    assert [(value.device, dict(value.metrics)) for value in readings if value.device == node] == [
        (node, {"supply_voltage": 12.1}),
        (node, {"supply_voltage": 12.3}),
    ]
    born, changed = (value for value in readings if value.device == device)
    assert len(born.metrics) == 13
    assert changed.metrics == {"inputs_a": 1.0, "inputs_c": 1.0}
    assert {value.firmware for value in readings if value.device == node} == {"Jessie with PIXEL/11.01.2017"}
    identities = {value.device: value.model for value in values if isinstance(value, Identity)}
    assert identities == {node: "Pi 3 Model B", device: "Pibrella"}
    assert [(value.device, value.online) for value in values if isinstance(value, Presence)] == [
        (node, True),
        (device, True),
        (node, False),
        (device, False),
    ]
    (gap,) = (value for value in values if isinstance(value, Event) and value.kind == "gap")
    assert gap.detail["missing"] == 253, "the examples jump from 2 to 0"
