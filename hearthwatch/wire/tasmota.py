"""Tasmota: ``tele/<topic>/...``, ``stat/<topic>/...`` (or the same with prefix and topic exchanged) and discovery.

Sources: tasmota.github.io/docs/MQTT, and the payloads of the Home Assistant integration. ``Time`` has no zone; see `_Clock` in
`tasmota_clock`. ``Wifi.RSSI`` is a percentage, ``Wifi.Signal`` is dBm. INFO1 to INFO3 come once per boot.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any

from hearthwatch.errors import Invalid
from hearthwatch.firmware import version
from hearthwatch.ports import State
from hearthwatch.values import Decoded, Message
from hearthwatch.wire.draft import Draft, on_or_off, text_or_none
from hearthwatch.wire.limits import check_device, number, shown
from hearthwatch.wire.payload import parse_object, parse_text
from hearthwatch.wire.tasmota_answers import hear_answer, hear_upgrade, learn_command_topic
from hearthwatch.wire.tasmota_clock import learn_offset, time_of
from hearthwatch.wire.tasmota_sensors import sensor_metrics

_DISCOVERY = "tasmota/discovery/"
_PREFIXES = frozenset({"tele", "stat"})
_KIB = 1024.0

# Beginnings of the restart reasons of ESP8266 (in words) and ESP32 (in the words of its ROM), in lower case.
_REASONS: tuple[tuple[str, str], ...] = (
    ("watchdog", "watchdog"),
    ("watch dog", "watchdog"),
    ("wdt", "watchdog"),
    ("blocked loop", "watchdog"),
    ("exception", "panic"),
    ("panic", "panic"),
    ("vdd voltage", "brownout"),
    ("brownout", "brownout"),
    ("brown out", "brownout"),
    ("power on", "power_on"),
    ("power-on", "power_on"),
    ("deep", "deep_sleep"),
    ("external", "user"),
    ("software", "user"),
    ("restart", "user"),
)


class Tasmota:
    """Decoder of Tasmota. State per device: firmware, presence, boot count, texts of its last will, offset of its clock."""

    name = "tasmota"
    shareable: tuple[str, ...] = ()
    filters = (
        "tele/+/+",
        "stat/+/+",
        "tele/+/+/+",
        "stat/+/+/+",
        "+/tele/+",
        "+/stat/+",
        "+/+/tele/+",
        "+/+/stat/+",
        "tasmota/discovery/+/config",
        "tasmota/discovery/+/sensors",
    )

    def partition(self, topic: str) -> str | None:
        """The device's topic. Discovery names only a MAC address: it is given to the topic a device has by default."""
        if topic.startswith(_DISCOVERY):
            mac, _, kind = topic[len(_DISCOVERY) :].partition("/")
            return _default_topic(mac) if kind in ("config", "sensors") else None
        split = _split(topic)
        return None if split is None else split[0]

    def decode(self, state: State | None, message: Message) -> tuple[Decoded, State | None]:
        """Values of one message. Raises `Invalid` when all of it is malformed."""
        if message.topic.startswith(_DISCOVERY):
            return _discovery(state, message)
        split = _split(message.topic)
        if split is None:
            raise Invalid("not a topic of Tasmota")
        device, kind = split
        draft = Draft("tasmota", check_device(device), state, message)
        learn_command_topic(draft)
        if kind == "LWT":
            return draft.finish(_last_will(draft))
        if kind.startswith("POWER"):
            _power(draft, kind, parse_text(message.payload))
            return draft.finish()
        read = _READERS.get("STATUS" if kind.startswith("STATUS") else kind)
        if read is None:
            return draft.finish("a kind of message that holds nothing we measure")
        read(draft, kind, parse_object(message.payload))
        return draft.finish()


def _split(topic: str) -> tuple[str, str] | None:
    """(device, kind of message), or None. Levels of a device's own topic are joined by dots."""
    *levels, kind = topic.split("/")
    if len(levels) not in (2, 3) or not _is_kind(kind):
        return None
    if levels[0] in _PREFIXES:
        return ".".join(levels[1:]), kind
    if levels[-1] in _PREFIXES:
        return ".".join(levels[:-1]), kind
    return None


def _is_kind(text: str) -> bool:
    return text[:1].isupper() and text.isascii() and all(c.isupper() or c.isdigit() or c == "_" for c in text)


def _default_topic(mac: str) -> str:
    return f"tasmota_{mac[-6:].upper()}"


# -- presence and power -------------------------------------------------------------------------------------------------


def _last_will(draft: Draft) -> str | None:
    said = parse_text(draft.message.payload)
    online = {
        str(draft.recall("online_text") or "online").lower(): True,
        str(draft.recall("offline_text") or "offline").lower(): False,
    }.get(said.lower())
    if online is None:
        raise Invalid(f"neither Online nor Offline: {shown(said)}")
    return draft.presence("LWT", online=online)


def _power(draft: Draft, kind: str, said: str) -> None:
    closed = on_or_off(said)
    if closed is None:
        raise Invalid(f"neither ON nor OFF: {shown(said)}")
    if not draft.message.retain:
        draft.reading(kind, draft.message.received_at, {_relay(kind): float(closed)})


def _relay(key: str) -> str:
    """``POWER`` and ``POWER1`` are the first relay."""
    place = key.removeprefix("POWER")
    return "relay_on" if place in ("", "1") else f"relay{place}_relay_on"


def _relays(given: Mapping[str, Any]) -> dict[str, float]:
    metrics = {}
    for key, value in given.items():
        place = key.removeprefix("POWER")
        if key.startswith("POWER") and (not place or (place.isascii() and place.isdigit() and len(place) <= 2)):
            closed = on_or_off(value)
            if closed is not None:
                metrics[_relay(key)] = float(closed)
    return metrics


def _result(draft: Draft, kind: str, given: Mapping[str, Any]) -> None:
    hear_upgrade(draft, given)
    if not draft.message.retain:
        draft.reading(kind, draft.message.received_at, _relays(given))


# -- telemetry ----------------------------------------------------------------------------------------------------------


def _state(draft: Draft, kind: str, given: Mapping[str, Any]) -> None:
    metrics = _relays(given)
    draft.measure(metrics, "uptime_s", given.get("UptimeSec"), "UptimeSec")
    draft.measure(metrics, "free_heap_bytes", given.get("Heap"), "Heap", factor=_KIB)
    draft.measure(metrics, "load_average", given.get("LoadAvg"), "LoadAvg", factor=0.01)
    draft.measure(metrics, "mqtt_connects", given.get("MqttCount"), "MqttCount")
    draft.measure(metrics, "supply_v", given.get("Vcc"), "Vcc")
    draft.measure(metrics, "battery_v", given.get("BatteryVoltage"), "BatteryVoltage")
    draft.measure(metrics, "battery_pct", given.get("BatteryPercentage"), "BatteryPercentage")
    wifi = given.get("Wifi")
    if isinstance(wifi, dict):
        draft.measure(metrics, "link_quality_pct", wifi.get("RSSI"), "Wifi.RSSI")
        draft.measure(metrics, "rssi_dbm", wifi.get("Signal"), "Wifi.Signal")
        links = number(wifi.get("LinkCount"))
        if links is not None:  # it counts connections, the first of a boot among them
            metrics["wifi_reconnects"] = max(0.0, links - 1)
        downtime = _duration(wifi.get("Downtime"))
        if downtime is not None:
            metrics["wifi_downtime_s"] = downtime
    _measured(draft, kind, given, metrics)


def _sensor(draft: Draft, kind: str, given: Mapping[str, Any]) -> None:
    _measured(draft, kind, given, sensor_metrics(draft, given))


def _measured(draft: Draft, kind: str, given: Mapping[str, Any], metrics: Mapping[str, float]) -> None:
    at = time_of(draft, given.get("Time"))
    if at is not None or not draft.message.retain:  # an old copy without a time tells nothing
        draft.reading(kind, at or draft.message.received_at, metrics)


def _duration(text: Any) -> float | None:
    """Seconds of ``3T00:18:43``."""
    days, _, clock = text.partition("T") if isinstance(text, str) else ("", "", "")
    parts = [days, *clock.split(":")]
    if len(parts) != 4 or not all(part.isascii() and part.isdigit() and len(part) <= 6 for part in parts):
        return None
    day, hour, minute, second = (int(part) for part in parts)
    return float(day * 86_400 + hour * 3600 + minute * 60 + second)


# -- identity and boots -------------------------------------------------------------------------------------------------


def _info(draft: Draft, kind: str, given: Mapping[str, Any]) -> None:
    """INFO1 holds the firmware, INFO3 the reason of the boot. Newer firmware wraps each in an object of its own."""
    inner = given.get(kind.capitalize(), given)
    if not isinstance(inner, dict):
        raise Invalid(f"{kind.capitalize()} is not an object")
    if "Version" in inner:
        draft.learn_firmware(kind, inner["Version"])
        draft.identity(model=inner.get("Module"), firmware=inner["Version"])
    if "RestartReason" in inner:
        _booted(draft, kind, inner, draft.message.received_at)


def _booted(draft: Draft, kind: str, given: Mapping[str, Any], at: datetime) -> None:
    """A reboot, once per boot count: retained copies and later STATUS1 answers tell of the same one."""
    count = number(given.get("BootCount"))
    if count is None:
        fresh = not draft.message.retain
    else:
        fresh = draft.recall("boots") != count
        draft.keep("boots", count)
    if not fresh:
        return
    reason = given["RestartReason"]
    draft.event(kind, at, "reboot", draft.reboot_code(restart_code(reason)), _restart_detail(reason))
    draft.keep("boot_fw", draft.firmware)
    if count is not None:
        draft.reading(kind, at, {"boot_count": count})


def restart_code(reason: Any) -> str:
    """Tasmota's restart reason as a reboot code. An object is the dump of a crash, with the reason in words inside."""
    said = reason.get("Reason") if isinstance(reason, dict) else reason
    words = said.lower() if isinstance(said, str) else ""
    code = next((code for known, code in _REASONS if known in words), "unknown")
    return "panic" if isinstance(reason, dict) and code in ("user", "unknown") else code


def _restart_detail(reason: Any) -> dict[str, Any]:
    """What engineers group crashes by: the reason in words, the exception's number, the address it happened at."""
    if not isinstance(reason, dict):
        return {"reason": text_or_none(reason)}
    exception, counters = number(reason.get("Exception")), reason.get("EPC")
    address = text_or_none(counters[0]) if isinstance(counters, list) and counters else None
    return {"reason": text_or_none(reason.get("Reason")), "exception": exception, "epc": address}


def _status(draft: Draft, kind: str, given: Mapping[str, Any]) -> None:
    """Answers to ``Status``: each part has its own key, ``Status 0`` has them all."""
    parts = {key: part for key, part in given.items() if isinstance(part, dict)}
    if "StatusTIM" in parts:
        learn_offset(draft, parts["StatusTIM"])
    firmware, network = parts.get("StatusFWR", {}), parts.get("StatusNET", {})
    if "Version" in firmware:
        draft.learn_firmware(kind, firmware["Version"])
    draft.identity(firmware=firmware.get("Version"), hardware=firmware.get("Hardware"), serial=network.get("Mac"))
    if "RestartReason" in parts.get("StatusPRM", {}):
        started = time_of(draft, parts["StatusPRM"].get("StartupUTC"), local=False)
        _booted(draft, kind, parts["StatusPRM"], started or draft.message.received_at)
    if "StatusSNS" in parts:
        _sensor(draft, kind, parts["StatusSNS"])
    if "StatusSTS" in parts:
        _state(draft, kind, parts["StatusSTS"])
    hear_answer(draft, kind, parts)


def _discovery(state: State | None, message: Message) -> tuple[Decoded, State | None]:
    """The retained description of a device. Its topic has the MAC address alone; ``t`` is the topic all else comes by."""
    mac, _, kind = message.topic[len(_DISCOVERY) :].partition("/")
    if not message.payload:
        return Decoded(ignored="the device was removed from discovery"), state
    given = parse_object(message.payload)
    default = _default_topic(mac)
    if kind == "sensors":
        return _discovered_sensors(default, state, message, given)
    device = check_device(text_or_none(given.get("t")) or default)
    draft = Draft("tasmota", device, state if device == default else None, message)
    firmware = next((text for key in ("sw", "bd") if (text := text_or_none(given.get(key)))), None)
    # INFO1 spells the same firmware with its build; that spelling is kept.
    if firmware and (draft.firmware is None or version(draft.firmware).key != version(firmware).key):
        draft.learn_firmware("discovery", firmware)
    for key, name in (("online_text", "onln"), ("offline_text", "ofln")):
        draft.keep(key, text_or_none(given.get(name)))
    draft.identity(model=given.get("md"), firmware=draft.firmware, serial=given.get("mac"))
    decoded, following = draft.finish()
    return decoded, following if device == default else {"topic": device}


def _discovered_sensors(
    default: str, state: State | None, message: Message, given: Mapping[str, Any]
) -> tuple[Decoded, State | None]:
    """The sensors as they stood at the last boot: a reading like any other where it has a time."""
    named = state.get("topic") if state else None
    device = check_device(named if isinstance(named, str) else default)
    draft = Draft("tasmota", device, state, message)
    sensors = given.get("sn")
    if not isinstance(sensors, dict) or "Time" not in sensors:
        return draft.finish("a description without a measurement")
    _measured(draft, "SENSOR", sensors, sensor_metrics(draft, sensors))
    return draft.finish()


_READERS: Mapping[str, Callable[[Draft, str, Mapping[str, Any]], None]] = {
    "STATE": _state,
    "HASS_STATE": _state,
    "SENSOR": _sensor,
    "RESULT": _result,
    "INFO1": _info,
    "INFO2": _info,
    "INFO3": _info,
    "STATUS": _status,
}
