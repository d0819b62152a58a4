"""What real devices sent, published as they publish it, through a real broker into the stores."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from hearthwatch.clock import SteppedClock
from hearthwatch.firmware import version
from hearthwatch.messaging import open_publisher
from hearthwatch.ports import Publisher, TelemetryStore
from hearthwatch.records import devices
from hearthwatch.records.database import Database
from hearthwatch.values import Device
from ingest.runner import Limits
from tests.integration.ingestor import Ingestor, ingesting

PATIENCE_S = 30.0
NOW = datetime(2025, 10, 14, tzinfo=UTC)  # soon after the latest of the payloads
SINCE = NOW - timedelta(days=2100)  # before the earliest
LIMITS = Limits(raw_days=2100)


@pytest.fixture
def collected(third_party_data: Path) -> Path:
    folder = third_party_data / "mqtt-payloads"
    if not folder.exists():
        pytest.skip("the data has no MQTT payloads")
    return folder


class Scene:
    """A broker with an ingestor, and someone who publishes as a device does."""

    def __init__(self, publisher: Publisher, ingestor: Ingestor, store: TelemetryStore, database: Database) -> None:
        self._publisher = publisher
        self._ingestor = ingestor
        self.store = store
        self.database = database
        self.sent = 0

    def publish(self, topic: str, payload: Any, *, retain: bool = False) -> None:
        raw = payload.encode() if isinstance(payload, str) else json.dumps(payload).encode()
        self._publisher.publish(topic, raw, retain=retain)
        self.sent += 1

    def settle(self) -> dict[str, int]:
        """Everything published is handled; the ledger is closed."""
        self._publisher.flush(PATIENCE_S)
        self._ingestor.runner.drain(self.sent, PATIENCE_S)
        counts = self._ingestor.ledger.snapshot()
        assert counts["in_flight"] == 0
        assert counts["received"] == counts["stored"] + counts["duplicate"] + counts["quarantined"] + counts["ignored"]
        return counts

    def device(self, device_id: str) -> Device:
        with self.database.reading() as connection:
            return devices.get(connection, device_id)

    def metrics(self, device_id: str) -> dict[str, float]:
        return {name: value for name, (_, value) in self.store.latest([device_id])[device_id].items()}

    def presence(self, device_id: str) -> list[bool]:
        table = self.store.presence(SINCE, NOW + timedelta(days=1), devices=[device_id])
        return [bool(value) for value in table["online"].to_pylist()]


@pytest.fixture
def scene(mosquitto: str, store: TelemetryStore, database: Database) -> Iterator[Scene]:
    publisher = open_publisher(mosquitto, client_id="device")
    with ingesting(mosquitto, store, database, SteppedClock(NOW), limits=LIMITS) as ingestor:
        yield Scene(publisher, ingestor, store, database)
    publisher.close()


def test_a_tasmota_plug(scene: Scene, collected: Path) -> None:
    lines = (collected / "tasmota" / "payloads.jsonl").read_text(encoding="utf-8").splitlines()
    for line in lines:
        given = json.loads(line)
        scene.publish(given["topic"], given["payload"], retain="discovery" in given["topic"] or "LWT" in given["topic"])
    counts = scene.settle()
    assert counts["quarantined"] == 0
    device = scene.device("tasmota_49A3BC")
    assert (device.model, device.firmware, device.version) == ("Sonoff Basic", "8.4.0.2", version("8.4.0.2").text)
    assert (device.convention, device.online) == ("tasmota", True)
    assert device.serial == "00000049A3BC"
    metrics = scene.metrics("tasmota_49A3BC")
    assert metrics["energy_kwh"] == 0.5
    assert metrics["power_w"] == 2300
    assert metrics["dht11_temperature_c"] == 20.0
    assert scene.presence("tasmota_49A3BC") == [True]
    window = scene.store.window("tasmota_49A3BC", SINCE, NOW + timedelta(days=1))
    assert set(window["firmware"].to_pylist()) == {"8.4.0.2"}


def test_the_last_will_of_a_tasmota_plug(scene: Scene) -> None:
    scene.publish("tele/plug/LWT", "Online", retain=True)
    scene.publish("tele/plug/INFO1", {"Info1": {"Module": "Generic", "Version": "14.2.0(tasmota)"}})
    scene.publish("tele/plug/INFO3", {"Info3": {"RestartReason": "Hardware Watchdog", "BootCount": 7}})
    scene.publish("tele/plug/LWT", "Offline", retain=True)
    scene.settle()
    assert scene.presence("plug") == [True, False]
    assert scene.device("plug").online is False
    events = scene.store.events(SINCE, NOW + timedelta(days=1), kinds=["reboot"])
    assert events["code"].to_pylist() == ["watchdog"]
    assert events["firmware"].to_pylist() == ["14.2.0(tasmota)"]


def test_shelly_devices_of_the_first_generation(scene: Scene, collected: Path) -> None:
    files = sorted((collected / "shelly").glob("gen1_*.json"))
    assert files
    given = {path: json.loads(path.read_text(encoding="utf-8")) for path in files}
    for one in given.values():
        own = one["settings"]["device"]
        root = f"shellies/{own['hostname']}"
        announced = {"id": own["hostname"], "model": own["type"], "mac": own["mac"], "fw_ver": one["settings"]["fw"]}
        scene.publish(f"{root}/online", "true", retain=True)
        scene.publish(f"{root}/announce", announced)
        scene.publish(f"{root}/info", one["status"])
        scene.publish(f"{root}/relay/0/power", str(one["status"]["meters"][0]["power"]))
    assert scene.settle()["quarantined"] == 0
    for one in given.values():
        own, status = one["settings"]["device"], one["status"]
        device = scene.device(own["hostname"])
        assert (device.model, device.serial, device.online) == (own["type"], own["mac"], True)
        assert (device.firmware, device.version) == (one["settings"]["fw"], "1.14.0")
        metrics = scene.metrics(own["hostname"])
        assert metrics["uptime_s"] == status["uptime"]
        assert metrics["rssi_dbm"] == status["wifi_sta"]["rssi"]
        assert metrics["power_w"] == status["meters"][0]["power"]
        assert metrics["relay_on"] == float(status["relays"][0]["ison"])


def test_shelly_devices_of_the_second_generation(scene: Scene, collected: Path) -> None:
    files = sorted((collected / "shelly").glob("gen2_*.json"))
    assert files
    given = {path: json.loads(path.read_text(encoding="utf-8")) for path in files}
    for one in given.values():
        device = one["shelly"]["id"]
        full = {"src": device, "method": "NotifyFullStatus", "params": {"ts": NOW.timestamp() - 60, **one["status"]}}
        scene.publish(f"{device}/online", "true", retain=True)
        scene.publish(f"{device}/hearthwatch/rpc", {"id": 1, "src": device, "result": one["shelly"]})
        scene.publish(f"{device}/events/rpc", full)
    assert scene.settle()["quarantined"] == 0
    for one in given.values():
        own, status = one["shelly"], one["status"]
        device = scene.device(own["id"])
        assert (device.model, device.firmware, device.online) == (own["model"], own["fw_id"], True)
        assert device.version == own["ver"]
        metrics = scene.metrics(own["id"])
        assert metrics["uptime_s"] == status["sys"]["uptime"]
        if "switch:0" in status:
            assert metrics["relay_on"] == float(status["switch:0"]["output"])
        assert scene.presence(own["id"]) == [True]


def test_shelly_answers(scene: Scene, collected: Path) -> None:
    folder = collected / "shelly"
    for path in sorted(folder.glob("rpc__*.json")):
        given = json.loads(path.read_text(encoding="utf-8"))
        device = path.name.split("__")[1]
        framed = given if "error" in given else {"id": 1, "src": device, "result": given}
        scene.publish(f"{device}/hearthwatch/rpc", framed)
    assert scene.settle()["quarantined"] == 0
    metrics = scene.metrics("shellymini1gen4")
    assert metrics["uptime_s"] == 72_831
    assert metrics["device_temperature_c"] == 64.4
