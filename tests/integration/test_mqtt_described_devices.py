"""Devices that somebody else describes (Zigbee2MQTT, Home Assistant discovery), through a real broker into the stores."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from hearthwatch.clock import SteppedClock
from hearthwatch.messaging import open_publisher
from hearthwatch.ports import Publisher, State, TelemetryStore
from hearthwatch.records import decoder_states, devices
from hearthwatch.records.database import Database
from hearthwatch.wire.registry import Decoder, StateKey, conventions
from ingest.limits import Limits
from ingest.quarantine import replay
from tests.integration.ingestor import Ingestor, ingesting

PATIENCE_S = 30.0
NOW = datetime(2026, 5, 1, 12, tzinfo=UTC)
SPOKEN = ("native", "tasmota", "zigbee2mqtt", "zigbee2mqtt@annex/z2m", "home_assistant")

BRIDGE = "0x00124b00120144ae"
SENSOR = "0x00158d00018255df"
LAMP = "0x90fd9ffffe6494fc"
NODE = "78e36d645710"
ESPHOME = "esphome v2023.10.4 Nov  1 2023, 09:27:02"


def zigbee(address: str, name: str, **more: Any) -> dict[str, Any]:
    definition = {"model": "WSDCGQ01LM", "vendor": "Xiaomi", "exposes": [{"property": "voltage", "unit": "mV"}]}
    return {"ieee_address": address, "friendly_name": name, "type": "EndDevice", "definition": definition, **more}


def esphome(name: str, **more: Any) -> dict[str, Any]:
    device = {"ids": NODE, "name": "Garage", "sw": ESPHOME, "mdl": "esp32dev", "mf": "espressif"}
    topics = {"stat_t": f"garage/sensor/{name}/state", "avty_t": "garage/status"}
    return {"uniq_id": f"{NODE}-{name}", **topics, "dev": device, **more}


class Scene:
    """A broker on which a house has been talking for long before we come, and an ingestor that comes."""

    def __init__(self, publisher: Publisher, ingestor: Ingestor) -> None:
        self._publisher = publisher
        self._ingestor = ingestor

    def publish(self, topic: str, payload: Any, *, retain: bool = False) -> None:
        raw = payload.encode() if isinstance(payload, str) else json.dumps(payload).encode()
        self._publisher.publish(topic, raw, retain=retain)

    def settle(self, received: int) -> dict[str, int]:
        """At least so many messages were handled; the ledger is closed."""
        self._publisher.flush(PATIENCE_S)
        self._ingestor.runner.drain(received, PATIENCE_S)
        counts = self._ingestor.ledger.snapshot()
        assert counts["in_flight"] == 0
        assert counts["received"] == counts["stored"] + counts["duplicate"] + counts["quarantined"] + counts["ignored"]
        return counts


RETAINED: tuple[tuple[str, Any], ...] = (
    # In the worst order: presence and states before what describes them.
    ("garage/status", "online"),
    ("garage/sensor/wifi_signal/state", "-90"),
    ("zigbee2mqtt/kitchen/window/availability", {"state": "online"}),
    ("zigbee2mqtt/bridge/state", {"state": "online"}),
    (
        "homeassistant/sensor/garage/wifi_signal/config",
        esphome("wifi_signal", unit_of_meas="dBm", dev_cla="signal_strength"),
    ),
    ("homeassistant/sensor/garage/uptime/config", esphome("uptime", unit_of_meas="s", dev_cla="duration")),
    (
        f"homeassistant/sensor/{SENSOR}/temperature/config",
        {"stat_t": "zigbee2mqtt/kitchen/window", "dev": {"ids": [f"zigbee2mqtt_{SENSOR}"], "mdl": "another spelling"}},
    ),
    (
        "zigbee2mqtt/bridge/devices",
        [
            {"ieee_address": BRIDGE, "type": "Coordinator", "friendly_name": "Coordinator", "definition": None},
            zigbee(SENSOR, "kitchen/window", power_source="Battery", software_build_id="3000-0001"),
        ],
    ),
    ("zigbee2mqtt/bridge/info", {"version": "2.1.0", "coordinator": {"ieee_address": BRIDGE, "type": "zStack3x0"}}),
    ("annex/z2m/bridge/devices", [zigbee(LAMP, "lamp", power_source="Mains (single phase)", date_code="20180410")]),
)

# Each description of a bridge comes twice: a filter of its own makes it come first, and the one for everything has it too.
FIRST = len(RETAINED) + 3


@pytest.fixture
def scene(mosquitto: str, store: TelemetryStore, database: Database) -> Iterator[Scene]:
    publisher = open_publisher(mosquitto, client_id="house")
    for topic, payload in RETAINED:
        raw = payload.encode() if isinstance(payload, str) else json.dumps(payload).encode()
        publisher.publish(topic, raw, retain=True)
    publisher.flush(PATIENCE_S)
    with ingesting(mosquitto, store, database, SteppedClock(NOW), spoken=SPOKEN) as ingestor:
        yield Scene(publisher, ingestor)
    publisher.close()


def test_a_house_that_was_there_before_us(scene: Scene, store: TelemetryStore, database: Database) -> None:
    assert scene.settle(FIRST)["quarantined"] == 0
    scene.publish(
        "zigbee2mqtt/kitchen/window", {"temperature": 21.5, "voltage": 2995, "battery": 91, "linkquality": 51}
    )
    scene.publish("annex/z2m/lamp", {"state": "ON"})
    scene.publish("garage/sensor/wifi_signal/state", "-61", retain=True)
    scene.publish("garage/sensor/uptime/state", "86400")
    scene.publish("zigbee2mqtt/bridge/state", {"state": "offline"}, retain=True)
    assert scene.settle(FIRST + 5)["quarantined"] == 0

    latest = {
        device: {name: value for name, (_, value) in metrics.items()}
        for device, metrics in store.latest([SENSOR, LAMP, NODE]).items()
    }
    assert latest[SENSOR] == {"temperature_c": 21.5, "battery_v": 2.995, "battery_pct": 91, "link_quality_pct": 20}
    assert latest[LAMP] == {"relay_on": 1}
    assert latest[NODE] == {"rssi_dbm": -61, "uptime_s": 86_400}
    with database.reading() as connection:
        known = {device: devices.get(connection, device) for device in (SENSOR, LAMP, NODE, BRIDGE)}
    assert {device: (one.convention, one.online) for device, one in known.items()} == {
        SENSOR: ("zigbee2mqtt", True),  # its bridge is offline; what it was, it is not known to be no more
        LAMP: ("zigbee2mqtt", None),
        NODE: ("home_assistant", True),
        BRIDGE: ("zigbee2mqtt", False),
    }
    assert (known[SENSOR].model, known[SENSOR].firmware) == ("WSDCGQ01LM", "3000-0001")
    assert (known[NODE].firmware, known[NODE].version, known[NODE].serial) == (ESPHOME, "2023.10.4", NODE.upper())
    assert known[BRIDGE].firmware == "2.1.0"


def test_a_state_that_came_before_its_description_is_good_after_it(
    scene: Scene, store: TelemetryStore, database: Database
) -> None:
    scene.settle(FIRST)
    scene.publish("zigbee2mqtt/new/plug", {"power": 12.5})
    scene.publish("garage/sensor/power/state", "7.5")
    assert scene.settle(FIRST + 2)["quarantined"] == 2
    scene.publish("zigbee2mqtt/bridge/devices", [*RETAINED[7][1], zigbee(LAMP, "new/plug")], retain=True)
    described = esphome("power", unit_of_meas="W", dev_cla="power")
    scene.publish("homeassistant/sensor/garage/power/config", described, retain=True)
    scene.settle(FIRST + 4)
    # Whether a live description comes once or twice, by two filters, is the broker's affair.
    states = states_that_know(database, "garage/sensor/power/state")
    answer = replay(store, database, Decoder(conventions(SPOKEN), states), NOW + timedelta(seconds=1), limits=Limits())
    assert (answer["replayed"], answer["still_bad"]) == (2, 0)
    latest = store.latest([LAMP, NODE])
    assert latest[LAMP]["power_w"][1] == 12.5
    assert latest[NODE]["power_w"][1] == 7.5


def states_that_know(database: Database, word: str) -> Mapping[StateKey, State]:
    """What the decoders remember, once a word is in it."""
    until = time.monotonic() + PATIENCE_S
    while True:
        with database.reading() as connection:
            states = decoder_states.load(connection)
        if word in json.dumps(list(states.values())):
            return states
        assert time.monotonic() < until, f"{word} was never learned"
        time.sleep(0.05)
