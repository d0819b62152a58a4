"""An ESPHome device restarts when it had no broker for 15 minutes. Through a real broker up to the vitals: that is no crash."""

from __future__ import annotations

import json
import subprocess
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from analytics.vitals import compute_vitals
from hearthwatch.clock import SteppedClock
from hearthwatch.messaging import open_publisher
from hearthwatch.ports import TelemetryStore
from hearthwatch.records import vitals
from hearthwatch.records.database import Database
from tests.conftest import free_port, needed, wait_for_port
from tests.integration.ingestor import Ingestor, ingesting

PATIENCE_S = 30.0
NOON = datetime(2026, 5, 1, 12, tzinfo=UTC)
NODE = "78e36d645710"
UPTIME = {
    "uniq_id": f"{NODE}-uptime",
    "unit_of_meas": "s",
    "stat_t": "garage/sensor/uptime/state",
    "avty_t": "garage/status",
    "dev": {"ids": NODE, "sw": "esphome v2023.10.4 Nov  1 2023, 09:27:02", "mdl": "esp32dev"},
}


class Broker:
    """A Mosquitto that can be away, and comes back on its port without anything it knew."""

    def __init__(self, folder: Path) -> None:
        self._port = free_port()
        self._config = folder / "broker.conf"
        self._config.write_text(f"listener {self._port} 127.0.0.1\nallow_anonymous true\n")
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def address(self) -> str:
        return f"mqtt://127.0.0.1:{self._port}"

    def start(self) -> None:
        given = [needed("mosquitto", "/usr/sbin/mosquitto"), "-c", str(self._config)]
        self._process = subprocess.Popen(given, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        wait_for_port(self._port, self._process)

    def end(self) -> None:
        if self._process is not None:
            self._process.kill()
            self._process.wait(timeout=10)
            self._process = None


class Scene:
    """The device, the clock and what was understood."""

    def __init__(self, broker: Broker, ingestor: Ingestor, clock: SteppedClock) -> None:
        self.broker = broker
        self.clock = clock
        self._ingestor = ingestor
        self._heard = 0

    def say(self, *messages: tuple[str, str]) -> None:
        """The device publishes, in order, each once the one before was understood."""
        self.wait(lambda: bool(self._ingestor.runner.health()["connected"]))
        publisher = open_publisher(self.broker.address, client_id="garage")
        try:
            for topic, payload in messages:
                publisher.publish(topic, payload.encode(), retain=topic.endswith(("config", "status")))
                publisher.flush(PATIENCE_S)
                self._heard += 1
                self._ingestor.runner.drain(self._heard, PATIENCE_S)
        finally:
            publisher.close()

    def wait(self, condition: Callable[[], bool]) -> None:
        until = time.monotonic() + 60
        while not condition():
            assert time.monotonic() < until, "it did not come about"
            time.sleep(0.05)

    def later(self, **span: float) -> None:
        self.clock.advance(timedelta(**span))

    def lives(self, uptime_s: float) -> None:
        self.say(("garage/sensor/uptime/state", str(uptime_s)))


@pytest.fixture
def scene(tmp_path: Path, store: TelemetryStore, database: Database) -> Iterator[Scene]:
    broker, clock = Broker(tmp_path), SteppedClock(NOON)
    broker.start()
    try:
        with ingesting(broker.address, store, database, clock, spoken=("native", "home_assistant")) as ingestor:
            scene = Scene(broker, ingestor, clock)
            described = json.dumps(UPTIME)
            scene.say(("homeassistant/sensor/garage/uptime/config", described), ("garage/status", "online"))
            scene.lives(7200)
            yield scene
    finally:
        broker.end()


def told(scene: Scene, store: TelemetryStore, database: Database) -> tuple[list[tuple[str, str]], dict[str, float]]:
    """The reboots, as (code, reason), and the sums of the vitals."""
    table = store.events(NOON - timedelta(days=1), NOON + timedelta(days=1), kinds=["reboot"])
    details = [json.loads(text).get("reason", "") for text in table["detail"].to_pylist()]
    over = scene.clock.now() + timedelta(hours=1)
    store.rollup(over)
    compute_vitals(store, database, over)
    with database.reading() as connection:
        rows = vitals.list_vitals(connection, NOON - timedelta(days=1), NOON + timedelta(days=2))
    sums: dict[str, float] = {}
    for row in rows:
        for name, value in row.sums.items():
            sums[name] = sums.get(name, 0) + value
    return list(zip(table["code"].to_pylist(), details, strict=True)), sums


def test_a_device_that_restarts_while_the_broker_is_away_did_not_crash(
    scene: Scene, store: TelemetryStore, database: Database
) -> None:
    scene.broker.end()
    scene.later(minutes=40)  # the device restarts every 15 minutes, last ten minutes ago
    scene.broker.start()
    scene.say(("homeassistant/sensor/garage/uptime/config", json.dumps(UPTIME)), ("garage/status", "online"))
    scene.lives(600)
    reboots, sums = told(scene, store, database)
    assert reboots == [("user", "restarted while it had no broker")]
    assert sums["unexpected_reboots"] == 0
    assert sums["crash_free_hours"] == sums["hours"] == 1


def test_nor_did_one_that_restarts_because_its_own_network_is_away(
    scene: Scene, store: TelemetryStore, database: Database
) -> None:
    scene.say(("garage/status", "offline"))
    scene.later(minutes=20)
    scene.say(("garage/status", "online"))
    scene.lives(240)
    reboots, sums = told(scene, store, database)
    assert reboots == [("user", "restarted while it had no broker")]
    assert (sums["unexpected_reboots"], sums["crash_free_hours"]) == (0, 1)


def test_a_device_that_restarts_while_the_broker_is_there_did_crash(
    scene: Scene, store: TelemetryStore, database: Database
) -> None:
    scene.say(("garage/status", "offline"))
    scene.later(minutes=2)
    scene.say(("garage/status", "online"))
    scene.lives(10)
    reboots, sums = told(scene, store, database)
    assert reboots == [("unknown", "")]
    assert sums["unexpected_reboots"] == 1
    assert (sums["hours"], sums["crash_free_hours"]) == (1, 0)
