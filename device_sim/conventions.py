"""The same fleet in another tongue: its native messages said as Tasmota or Shelly Gen2 devices, or a Zigbee2MQTT bridge, would say them.

A device keeps its id (Tasmota's topic, Shelly's prefix, a friendly name behind a bridge). What a convention has no word for is left
out, as those devices do.
Sources: tasmota.github.io/docs/MQTT; shelly-api-docs.shelly.cloud/gen2.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, datetime
from typing import Any

import msgspec

from device_sim.hearing import Ear
from device_sim.uplink import Message
from device_sim.zigbee import ZigbeeNetwork
from hearthwatch.errors import Invalid
from hearthwatch.values import Event, Identity, Presence, Reading, Reply, Value
from hearthwatch.values import Message as Received
from hearthwatch.wire.native import Native

Encoder = Callable[[Value], list[Message]]

_SIGNAL_FLOOR_DBM, _SIGNAL_TOP_DBM = -100.0, -50.0
_TASMOTA_REASONS = {
    "watchdog": "Hardware Watchdog",
    "panic": "Exception",
    "brownout": "Brownout",
    "power_on": "Power On",
}
_SHELLY_REASONS = {"power_on": 1, "panic": 4, "watchdog": 6, "brownout": 9}
_SOFTWARE_RESET = 3


class Translator:
    """Turns native messages into another convention's. ``native`` passes them on as they are."""

    def __init__(self, convention: str) -> None:
        makers: Mapping[str, Callable[[], Encoder]] = {
            "tasmota": _Tasmota,
            "shelly_gen2": _Shelly,
            "zigbee2mqtt": ZigbeeNetwork,
        }
        if convention != "native" and convention not in makers:
            raise Invalid(f"the fleet does not speak {convention!r} (native, {', '.join(makers)})", where="convention")
        self._encode = None if convention == "native" else makers[convention]()
        self._native = Native()
        self._ear = Ear(convention)
        self._models: dict[str, str] = {}

    @property
    def command_filters(self) -> tuple[str, ...]:
        """Where devices of this convention listen for commands."""
        return self._ear.filters

    def hear(self, topic: str, payload: bytes) -> tuple[str, bytes] | None:
        """A command as the fleet understands it; None for what is none."""
        return self._ear.hear(topic, payload)

    def translate(self, messages: Iterable[Message], now: datetime) -> list[Message]:
        """The same things said otherwise; what nobody can read is said by nobody."""
        if self._encode is None:
            return list(messages)
        said: list[Message] = []
        for topic, payload, retain in messages:
            try:
                decoded, _ = self._native.decode(None, Received(topic, payload, now, retain))
            except Invalid:
                continue
            for value in decoded.values:
                said += self._said(value, self._encode)
        return [*self._encode.introduction(), *said] if isinstance(self._encode, ZigbeeNetwork) else said

    def answer(self, topic: str, payload: bytes) -> list[Message]:
        """What is answered without asking a device: by its bridge."""
        return self._encode.answer(topic, payload) if isinstance(self._encode, ZigbeeNetwork) else []

    def _said(self, value: Value, encode: Encoder) -> list[Message]:
        if isinstance(value, Reply):
            return self._ear.say(value, self._models.get(value.device))
        if isinstance(value, Identity) and value.model is not None:
            self._models[value.device] = value.model
        return encode(value)


def _json(topic: str, given: Mapping[str, Any], *, retain: bool = False) -> Message:
    return topic, msgspec.json.encode(given), retain


class _Tasmota:
    """INFO and LWT at a boot, STATE and SENSOR for every sample. ``Time`` is in UTC, as after ``Timezone 0``."""

    def __call__(self, value: Value) -> list[Message]:
        if isinstance(value, Reading):
            return self._reading(value)
        if isinstance(value, Presence):
            said = b"Online" if value.online else b"Offline"
            return [(f"tele/{value.device}/LWT", said, True)]
        if isinstance(value, Identity):
            return [self._info1(value.device, value.model, value.firmware)]
        if isinstance(value, Event) and value.kind == "reboot":
            reason = {"RestartReason": _TASMOTA_REASONS.get(value.code, "Software/System restart")}
            boots = (value.boot or "b0").removeprefix("b")
            info3 = _json(f"tele/{value.device}/INFO3", {"Info3": {**reason, "BootCount": int(boots)}})
            return [self._info1(value.device, None, value.firmware), info3]
        return []

    def _info1(self, device: str, model: str | None, firmware: str | None) -> Message:
        given = {"Module": model or "Generic", "Version": f"{firmware}(tasmota)", "FallbackTopic": f"cmnd/{device}_fb/"}
        return _json(f"tele/{device}/INFO1", {"Info1": given})

    def _reading(self, value: Reading) -> list[Message]:
        time = value.at.astimezone(UTC).replace(tzinfo=None).isoformat(timespec="seconds")
        metrics = value.metrics
        state: dict[str, Any] = {"Time": time}
        if "uptime_s" in metrics:
            state["UptimeSec"] = int(metrics["uptime_s"])
        if "free_heap_bytes" in metrics:
            state["Heap"] = int(metrics["free_heap_bytes"] // 1024)
        if "load_average" in metrics:
            state["LoadAvg"] = round(100 * metrics["load_average"])
        if "relay_on" in metrics:
            state["POWER"] = "ON" if metrics["relay_on"] else "OFF"
        if "rssi_dbm" in metrics:
            state["Wifi"] = self._wifi(metrics)
        for name, key in (("battery_v", "BatteryVoltage"), ("battery_pct", "BatteryPercentage")):
            if name in metrics:
                state[key] = metrics[name]
        sensors = _tasmota_sensors(metrics)
        messages = [_json(f"tele/{value.device}/STATE", state)]
        return [*messages, _json(f"tele/{value.device}/SENSOR", {"Time": time, **sensors})] if sensors else messages

    def _wifi(self, metrics: Mapping[str, float]) -> dict[str, Any]:
        signal = metrics["rssi_dbm"]
        share = (signal - _SIGNAL_FLOOR_DBM) / (_SIGNAL_TOP_DBM - _SIGNAL_FLOOR_DBM)
        links = int(metrics.get("wifi_reconnects", 0)) + 1
        return {"AP": 1, "RSSI": round(100 * min(max(share, 0.0), 1.0)), "Signal": round(signal), "LinkCount": links}


def _tasmota_sensors(metrics: Mapping[str, float]) -> dict[str, Any]:
    groups: Mapping[str, Mapping[str, str]] = {
        "ENERGY": {
            "energy_kwh": "Total",
            "power_w": "Power",
            "apparent_power_va": "ApparentPower",
            "power_factor": "Factor",
            "voltage_v": "Voltage",
            "current_a": "Current",
        },
        "SHT3X": {"temperature_c": "Temperature", "humidity_pct": "Humidity"},
        "ANALOG": {"illuminance_lux": "Illuminance"},
        "ESP32": {"device_temperature_c": "Temperature"},
    }
    sensors: dict[str, Any] = {}
    for group, fields in groups.items():
        known = {key: metrics[name] for name, key in fields.items() if name in metrics}
        if known:
            sensors[group] = known
    return {**sensors, "TempUnit": "C"} if sensors else {}


class _Shelly:
    """A full status for every sample, with firmware and the reason of the last reset; ``online`` at a boot."""

    def __init__(self) -> None:
        self._reset: dict[str, int] = {}
        self._model: dict[str, str] = {}

    def __call__(self, value: Value) -> list[Message]:
        if isinstance(value, Reading):
            return [self._status(value)]
        if isinstance(value, Presence):
            return [(f"{value.device}/online", b"true" if value.online else b"false", True)]
        if isinstance(value, Identity) and value.model is not None:
            self._model[value.device] = value.model
        if isinstance(value, Event) and value.kind == "reboot":
            self._reset[value.device] = _SHELLY_REASONS.get(value.code, _SOFTWARE_RESET)
        return []

    def _status(self, value: Reading) -> Message:
        metrics, at = value.metrics, value.at.timestamp()
        system: dict[str, Any] = {
            "unixtime": int(at),
            "reset_reason": self._reset.get(value.device, _SHELLY_REASONS["power_on"]),
            "fw_id": value.firmware,
            "model": self._model.get(value.device),
        }
        for name, key in (("uptime_s", "uptime"), ("free_heap_bytes", "ram_free")):
            if name in metrics:
                system[key] = int(metrics[name])
        params = {"ts": round(at, 2), "sys": system, **_shelly_components(metrics)}
        given = {
            "src": value.device,
            "dst": f"{value.device}/events",
            "method": "NotifyFullStatus",
            "params": params,
        }
        return _json(f"{value.device}/events/rpc", given)


def _shelly_components(metrics: Mapping[str, float]) -> dict[str, Any]:
    components: dict[str, Any] = {}
    if "rssi_dbm" in metrics:
        components["wifi"] = {"rssi": round(metrics["rssi_dbm"])}
    if "power_w" in metrics:
        components["switch:0"] = {
            "id": 0,
            "output": bool(metrics.get("relay_on", 0)),
            "apower": metrics["power_w"],
            "voltage": metrics.get("voltage_v"),
            "current": metrics.get("current_a"),
            "pf": metrics.get("power_factor"),
            "aenergy": {"total": round(1000 * metrics.get("energy_kwh", 0.0), 1)},
            "temperature": {"tC": metrics.get("device_temperature_c")},
        }
    for name, component, key in (
        ("temperature_c", "temperature:0", "tC"),
        ("humidity_pct", "humidity:0", "rh"),
        ("illuminance_lux", "illuminance:0", "lux"),
    ):
        if name in metrics:
            components[component] = {"id": 0, key: metrics[name]}
    if "battery_v" in metrics:
        battery = {"V": metrics["battery_v"], "percent": metrics.get("battery_pct")}
        components["devicepower:0"] = {"id": 0, "battery": battery}
    return components
