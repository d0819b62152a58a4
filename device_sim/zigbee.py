"""The fleet as the devices of one Zigbee network, said by their bridge. The platform knows them by their IEEE addresses.

Source: www.zigbee2mqtt.io (MQTT topics and messages, device availability, OTA updates). ``last_seen`` is off, as it is by default. What
runs on a battery says its voltage in mV.
"""

from __future__ import annotations

from collections.abc import Mapping
from hashlib import sha256
from typing import Any

import msgspec

from device_sim.uplink import Message
from hearthwatch.errors import Invalid
from hearthwatch.values import Event, Identity, Presence, Reading, Value
from hearthwatch.wire.payload import parse_object

BASE = "zigbee2mqtt"
REQUESTS = f"{BASE}/bridge/request/#"
BRIDGE = "0x00124b0000000001"
VERSION = "2.1.0"
_SIGNAL_FLOOR_DBM, _SIGNAL_TOP_DBM, _FULL_LINK = -100.0, -50.0, 255
_SAID: Mapping[str, str] = {
    "battery_pct": "battery",
    "temperature_c": "temperature",
    "humidity_pct": "humidity",
    "illuminance_lux": "illuminance",
    "setpoint_c": "occupied_heating_setpoint",
    "power_w": "power",
    "current_a": "current",
    "voltage_v": "voltage",
    "energy_kwh": "energy",
}
_UNITS = (("temperature", "°C"), ("power", "W"), ("current", "A"), ("energy", "kWh"))


def address_of(device: str) -> str:
    """The IEEE address of a device of the fleet."""
    return f"0x{sha256(device.encode()).hexdigest()[:16]}"


class ZigbeeNetwork:
    """What the bridge says: a description of the network whenever it changed, states, and comings and goings."""

    def __init__(self) -> None:
        self._devices: dict[str, dict[str, Any]] = {}
        self._changed = True

    def __call__(self, value: Value) -> list[Message]:
        """One thing that happened, in the bridge's words."""
        if isinstance(value, Reading):
            return self._state(value)
        if isinstance(value, Presence):
            said = {"state": "online" if value.online else "offline"}
            return [_json(f"{BASE}/{value.device}/availability", said, retain=True)]
        if isinstance(value, Identity):
            self._describe(value.device, value.model, value.firmware)
        if isinstance(value, Event) and value.kind == "reboot":
            data = {"friendly_name": value.device, "ieee_address": address_of(value.device)}
            return [_json(f"{BASE}/bridge/event", {"type": "device_announce", "data": data})]
        return []

    def introduction(self) -> list[Message]:
        """What has to be said before all else: who is on the network, where that changed."""
        if not self._changed:
            return []
        self._changed = False
        coordinator = {"ieee_address": BRIDGE, "type": "Coordinator", "friendly_name": "Coordinator"}
        return [
            _json(f"{BASE}/bridge/state", {"state": "online"}, retain=True),
            _json(f"{BASE}/bridge/info", {"version": VERSION, "coordinator": {"ieee_address": BRIDGE}}, retain=True),
            _json(f"{BASE}/bridge/devices", [coordinator, *self._devices.values()], retain=True),
        ]

    def answer(self, topic: str, payload: bytes) -> list[Message]:
        """What the bridge answers to a request; nothing to what it does not know."""
        asked = topic.removeprefix(f"{BASE}/bridge/request/")
        try:
            given = parse_object(payload) if payload else {}
        except Invalid:
            return []
        data, error = self._result(asked, given.get("id"))
        if data is None and error is None:
            return []
        answer: dict[str, Any] = {"data": data or {}, "status": "error" if error else "ok"}
        answer |= {"error": error} if error else {}
        answer |= {"transaction": given["transaction"]} if "transaction" in given else {}
        return [_json(f"{BASE}/bridge/response/{asked}", answer)]

    def _result(self, asked: str, named: Any) -> tuple[Mapping[str, Any] | None, str | None]:
        if asked == "health_check":
            return {"healthy": True}, None
        if asked not in ("device/ota_update/check", "device/ota_update/update"):
            return None, None
        names = {one["ieee_address"]: name for name, one in self._devices.items()}
        name = names.get(named, named)
        if name not in self._devices:
            return None, f"Device '{named}' does not exist"
        if asked.endswith("check"):
            return {"id": named, "update_available": False}, None
        return None, f"Update of '{name}' failed (No image currently available)"

    def _describe(self, device: str, model: str | None, firmware: str | None) -> None:
        exposes = [{"property": name, "unit": unit} for name, unit in _UNITS]
        described = {
            "ieee_address": address_of(device),
            "type": "Router",
            "friendly_name": device,
            "software_build_id": firmware,
            "definition": {"model": model, "vendor": "Acme", "exposes": exposes},
        }
        if self._devices.get(device) != described:
            self._devices[device] = described
            self._changed = True

    def _state(self, value: Reading) -> list[Message]:
        metrics = value.metrics
        state: dict[str, Any] = {key: metrics[name] for name, key in _SAID.items() if name in metrics}
        if "battery_v" in metrics:
            state["voltage"] = round(1000 * metrics["battery_v"])
        if "relay_on" in metrics:
            state["state"] = "ON" if metrics["relay_on"] else "OFF"
        if "rssi_dbm" in metrics:
            share = (metrics["rssi_dbm"] - _SIGNAL_FLOOR_DBM) / (_SIGNAL_TOP_DBM - _SIGNAL_FLOOR_DBM)
            state["linkquality"] = round(_FULL_LINK * min(max(share, 0.0), 1.0))
        return [_json(f"{BASE}/{value.device}", state)] if state else []


def _json(topic: str, given: Any, *, retain: bool = False) -> Message:
    return topic, msgspec.json.encode(given), retain
