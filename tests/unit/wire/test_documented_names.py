"""The tables of names in docs/wire.md say what the conventions do."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

from hearthwatch.metrics import BY_NAME
from hearthwatch.wire.home_assistant import HomeAssistant
from hearthwatch.wire.zigbee2mqtt import Zigbee2Mqtt
from tests.unit.wire.conversation import Conversation
from tests.unit.wire.test_home_assistant import entity
from tests.unit.wire.test_zigbee2mqtt import COORDINATOR, plug

DOCUMENT = (Path(__file__).parents[3] / "docs" / "wire.md").read_text(encoding="utf-8")
NOT_IN_THE_CATALOGUE = {"co2_ppm", "pm25_ug_per_m3"}
UNITS = {
    "apparent_power": "VA",
    "atmospheric_pressure": "hPa",
    "battery": "%",
    "carbon_dioxide": "ppm",
    "current": "A",
    "energy": "kWh",
    "frequency": "Hz",
    "humidity": "%",
    "illuminance": "lx",
    "pm25": "µg/m³",
    "power": "W",
    "pressure": "kPa",
    "reactive_power": "var",
    "signal_strength": "dBm",
    "temperature": "°C",
    "voltage": "V",
}


def documented(section: str, head: str) -> list[tuple[str, str]]:
    """(what is said, metric) of the table below a section whose first column has this head."""
    text = DOCUMENT[DOCUMENT.index(f"(`{section}`)") :]
    table = text[text.index(f"| {head} | metric |") :].split("\n\n")[0]
    rows = (re.findall(r"`([a-z0-9_]+)`", row) for row in table.splitlines()[2:])
    return [(said, row[-1]) for row in rows for said in row[:-1]]


@pytest.mark.parametrize(("said", "metric"), documented("zigbee2mqtt", "property"))
def test_properties_of_zigbee2mqtt(said: str, metric: str) -> None:
    talk = Conversation(Zigbee2Mqtt())
    talk.say("zigbee2mqtt/bridge/devices", [COORDINATOR, plug()])
    switched = metric in ("relay_on", "alarm_on", "battery_low")
    value = "heat" if said == "running_state" else True if switched else 3
    assert list(talk.metrics("zigbee2mqtt/my_plug", {said: value})) == [metric]
    assert metric in BY_NAME or metric in NOT_IN_THE_CATALOGUE


@pytest.mark.parametrize(("said", "metric"), documented("home_assistant", "class"))
def test_classes_of_home_assistant(said: str, metric: str) -> None:
    talk = Conversation(HomeAssistant())
    described: dict[str, Any] = entity("sensor", "thing", dev_cla=said, unit_of_meas=UNITS[said])
    talk.say("homeassistant/sensor/garage/thing/config", described)
    assert list(talk.metrics("garage/sensor/thing/state", "3")) == [metric]
    assert metric in BY_NAME or metric in NOT_IN_THE_CATALOGUE


def test_every_class_is_in_the_table() -> None:
    assert {said for said, _ in documented("home_assistant", "class")} == set(UNITS)
