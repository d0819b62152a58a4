"""Payloads that real devices sent, collected by others."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from hearthwatch.firmware import version
from hearthwatch.metrics import BY_NAME
from hearthwatch.values import Identity, Reading
from hearthwatch.wire.shelly_gen1 import ShellyGen1
from hearthwatch.wire.shelly_gen2 import ShellyGen2
from hearthwatch.wire.tasmota import Tasmota
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
        assert set(reading.metrics) <= set(BY_NAME)
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
