"""Shelly Gen1: ``shellies/<id>/...``, one value per topic, and ``info`` with the whole status.

Source: shelly-api-docs.shelly.cloud/gen1 (MQTT). No message has a time, so values are stamped when they arrive and retained
copies are left out. Energy counters of relays are watt-minutes, those of energy meters watt-hours.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from hearthwatch.errors import Invalid
from hearthwatch.ports import State
from hearthwatch.values import Decoded, Message
from hearthwatch.wire.draft import Draft, on_or_off, text_or_none
from hearthwatch.wire.limits import check_device, is_device, number, shown
from hearthwatch.wire.payload import parse_object, parse_text

_PREFIX = "shellies/"
_WATT_MINUTES = 1 / 60_000
_WATT_HOURS = 1 / 1000

# Topics below a device that belong to Gen2 devices whose prefix was set to shellies/<name>.
_GEN2 = re.compile(r"(events/rpc|rpc|.*/rpc|status/[^/]+)")
_CHANNEL = re.compile(
    r"(relay|roller|light|white|color|emeter|ext_temperature|ext_humidity)/(\d{1,2})(?:/(.+))?", re.ASCII
)

_SCALARS: Mapping[str, tuple[str, float]] = {
    "temperature": ("device_temperature_c", 1.0),
    "voltage": ("voltage_v", 1.0),
    "sensor/temperature": ("temperature_c", 1.0),
    "sensor/humidity": ("humidity_pct", 1.0),
    "sensor/battery": ("battery_pct", 1.0),
    "sensor/lux": ("illuminance_lux", 1.0),
}
_PER_CHANNEL: Mapping[str, tuple[str, float]] = {
    "power": ("power_w", 1.0),
    "energy": ("energy_kwh", _WATT_MINUTES),
    "total": ("energy_kwh", _WATT_HOURS),
    "voltage": ("voltage_v", 1.0),
    "current": ("current_a", 1.0),
    "pf": ("power_factor", 1.0),
    "reactive_power": ("reactive_power_var", 1.0),
}
_ALARMS = ("flood", "smoke", "gas")
_ALARM_TOPICS = frozenset(f"sensor/{kind}" for kind in _ALARMS)
_ALARM_WORDS = {"true": True, "1": True, "false": False, "0": False, "none": False, "mild": True, "heavy": True}
"""Shelly Gas says how much there is."""
_BROKEN_SENSOR = 999.0
"""What Gen1 shows for a temperature or humidity it cannot measure."""


class ShellyGen1:
    """Decoder of Shelly Gen1. State per device: firmware, presence, how long it was up, faults that are standing."""

    name = "shelly_gen1"
    shareable: tuple[str, ...] = ()
    filters = ("shellies/#",)

    def partition(self, topic: str) -> str | None:
        """The device's id; ``announce`` for what all devices announce on one topic."""
        if not topic.startswith(_PREFIX):
            return None
        device, _, rest = topic[len(_PREFIX) :].partition("/")
        if rest:
            return None if _GEN2.fullmatch(rest) else device
        return device if device in ("announce", "command") else None

    def decode(self, state: State | None, message: Message) -> tuple[Decoded, State | None]:
        """Values of one message. Raises `Invalid` when all of it is malformed."""
        if not message.topic.startswith(_PREFIX):
            raise Invalid("not a topic of Shelly Gen1")
        device, _, kind = message.topic[len(_PREFIX) :].partition("/")
        if not kind:
            return _announced_to_all(state, message) if device == "announce" else _ignored(state, "a command")
        draft = Draft("shelly_gen1", check_device(device), state, message)
        if kind == "command" or kind.endswith("/command"):
            return draft.finish("a command to the device, not a message from it")
        if kind == "online":
            return draft.finish(_online(draft))
        if kind == "announce":
            _announce(draft, parse_object(message.payload))
            return draft.finish()
        if message.retain:
            return draft.finish("a retained copy without a time")
        if kind == "info":
            _info(draft, parse_object(message.payload))
        else:
            _value(draft, kind)
        return draft.finish()


def _ignored(state: State | None, reason: str) -> tuple[Decoded, State | None]:
    return Decoded(ignored=reason), state


def _online(draft: Draft) -> str | None:
    said = parse_text(draft.message.payload).lower()
    if said not in ("true", "false"):
        raise Invalid(f"neither true nor false: {shown(said)}")
    return draft.presence("online", online=said == "true")


# -- identity -----------------------------------------------------------------------------------------------------------


def _announced_to_all(state: State | None, message: Message) -> tuple[Decoded, State | None]:
    """Every device announces itself here too; its own topic keeps its state, so this gives the identity alone."""
    given = parse_object(message.payload)
    device = given.get("id")
    if not isinstance(device, str) or not is_device(device):
        raise Invalid(f"not a device id: {shown(device)}")
    draft = Draft("shelly_gen1", device, None, message)
    _announce(draft, given)
    return draft.finish()[0], state


def _announce(draft: Draft, given: Mapping[str, Any]) -> None:
    if given.get("id", draft.device) != draft.device:
        raise Invalid("the payload names another device than the topic")
    firmware = text_or_none(given.get("fw_ver")) or text_or_none(given.get("fw_id")) or text_or_none(given.get("ver"))
    draft.learn_firmware("announce", firmware)
    draft.identity(model=given.get("model"), firmware=firmware, serial=given.get("mac"))


# -- the whole status ---------------------------------------------------------------------------------------------------


def _info(draft: Draft, given: Mapping[str, Any]) -> None:
    """The status object of ``info``, as ``/status`` of the device's HTTP interface shows it."""
    firmware = _firmware(given)
    if firmware is not None and firmware != draft.firmware:
        draft.learn_firmware("info", firmware)
        draft.identity(firmware=firmware, serial=given.get("mac"))
    metrics: dict[str, float] = {}
    draft.measure(metrics, "uptime_s", given.get("uptime"), "uptime")
    draft.measure(metrics, "free_heap_bytes", given.get("ram_free"), "ram_free")
    draft.measure(metrics, "fs_free_bytes", given.get("fs_free"), "fs_free")
    wifi, battery, measured = (_object(given, key) for key in ("wifi_sta", "bat", "tmp"))
    if wifi.get("connected") is not False and wifi.get("rssi") != 0:  # 0 is a radio that is not connected
        draft.measure(metrics, "rssi_dbm", wifi.get("rssi"), "wifi_sta.rssi")
    draft.measure(metrics, "battery_pct", battery.get("value"), "bat.value")
    draft.measure(metrics, "battery_v", battery.get("voltage"), "bat.voltage")
    # Relays measure themselves and say so twice; H&T and the like measure the room.
    room = "temperature" not in given
    if measured.get("is_valid") is not False:
        name = "temperature_c" if room else "device_temperature_c"
        _measure_sensor(draft, metrics, name, measured.get("tC"), "tmp.tC")
    _measure_sensor(draft, metrics, "humidity_pct", _object(given, "hum").get("value"), "hum.value")
    draft.measure(metrics, "illuminance_lux", _object(given, "lux").get("value"), "lux.value")
    draft.measure(metrics, "voltage_v", given.get("voltage"), "voltage")
    _channels(draft, metrics, given)
    _external(draft, metrics, given)
    _alarm(metrics, [given.get(key) for key in _ALARMS])
    for place, valve in _listed(given, "thermostats"):
        wanted, warm = _object(valve, "target_t"), _object(valve, "tmp")
        draft.measure(
            metrics, _named("valve", place, "setpoint_c"), wanted.get("value"), f"thermostats[{place}].target_t"
        )
        _measure_sensor(
            draft, metrics, _named("valve", place, "temperature_c"), warm.get("value"), f"thermostats[{place}].tmp"
        )
    at = draft.message.received_at
    if "uptime_s" in metrics:
        draft.learn_uptime("info", at, metrics["uptime_s"], "unknown")
    draft.reading("info", at, metrics)
    _fault(draft, "info", "overtemperature", given.get("overtemperature"))


def _firmware(given: Mapping[str, Any]) -> str | None:
    """What runs now: ``getinfo.fw_info.fw``, else what the updater calls the old version."""
    running = _object(_object(given, "getinfo"), "fw_info").get("fw")
    return text_or_none(running) or text_or_none(_object(given, "update").get("old_version"))


def _channels(draft: Draft, metrics: dict[str, float], given: Mapping[str, Any]) -> None:
    for place, relay in _listed(given, "relays"):
        closed = on_or_off(relay.get("ison"))
        if closed is not None:
            metrics[_named("relay", place, "relay_on")] = float(closed)
    # Rollers and dimmers repeat the meter's numbers; energy meters have their own and count watt-hours.
    for place, meter in _listed(given, "meters"):
        if meter.get("is_valid") is not False:
            part = f"meters[{place}]"
            draft.measure(metrics, _named("relay", place, "power_w"), meter.get("power"), f"{part}.power")
            energy = _named("relay", place, "energy_kwh")
            draft.measure(metrics, energy, meter.get("total"), f"{part}.total", factor=_WATT_MINUTES)
    for place, meter in _listed(given, "emeters"):
        if meter.get("is_valid") is False:
            continue
        for key, field in (("power", "power"), ("reactive_power", "reactive"), *((k, k) for k in ("pf", "voltage"))):
            name, factor = _PER_CHANNEL[key]
            part = f"emeters[{place}].{field}"
            draft.measure(metrics, _named("emeter", place, name), meter.get(field), part, factor=factor)
        draft.measure(metrics, _named("emeter", place, "current_a"), meter.get("current"), f"emeters[{place}].current")
        energy = _named("emeter", place, "energy_kwh")
        draft.measure(metrics, energy, meter.get("total"), f"emeters[{place}].total", factor=_WATT_HOURS)


def _alarm(metrics: dict[str, float], said: Sequence[Any]) -> None:
    """One alarm of a device that watches for smoke, water or gas."""
    standing = [one for one in said if isinstance(one, bool)]
    if standing:
        metrics["alarm_on"] = float(any(standing))


def _external(draft: Draft, metrics: dict[str, float], given: Mapping[str, Any]) -> None:
    """Sensors that are wired to the add-on; the topics ``ext_temperature/0`` have the same names."""
    for key, field, metric in (("ext_temperature", "tC", "temperature_c"), ("ext_humidity", "hum", "humidity_pct")):
        for place, sensor in list(_object(given, key).items())[:3]:
            if isinstance(sensor, dict) and place.isascii() and place.isdigit() and len(place) == 1:
                _measure_sensor(draft, metrics, f"ext{place}_{metric}", sensor.get(field), f"{key}.{place}.{field}")


def _object(given: Mapping[str, Any], key: str) -> Mapping[str, Any]:
    inner = given.get(key)
    return inner if isinstance(inner, dict) else {}


def _listed(given: Mapping[str, Any], key: str) -> list[tuple[int, Mapping[str, Any]]]:
    inner = given.get(key)
    listed = inner if isinstance(inner, list) else []
    return [(place, item) for place, item in enumerate(listed[:16]) if isinstance(item, dict)]


# -- one value per topic --------------------------------------------------------------------------------------------------


def _value(draft: Draft, kind: str) -> None:
    at = draft.message.received_at
    metrics: dict[str, float] = {}
    channel = _CHANNEL.fullmatch(kind)
    if kind in _SCALARS:
        name, factor = _SCALARS[kind]
        _measure_sensor(draft, metrics, name, _number(draft), kind, factor=factor)
    elif kind in _ALARM_TOPICS:
        _alarm(metrics, [_ALARM_WORDS.get(parse_text(draft.message.payload).lower())])
    elif kind == "overtemperature":
        _fault(draft, kind, "overtemperature", parse_text(draft.message.payload) not in ("0", "false"))
    elif kind == "sensor/error":
        said = parse_text(draft.message.payload)
        if said not in ("", "0"):
            draft.event(kind, at, "fault", "sensor", {"error": said})
    elif channel is not None:
        _channel_value(draft, metrics, channel.group(1), int(channel.group(2)), channel.group(3) or "")
    draft.reading(kind, at, metrics)


def _channel_value(draft: Draft, metrics: dict[str, float], component: str, place: int, field: str) -> None:
    kind = f"{component}/{place}/{field}".rstrip("/")
    if component in ("ext_temperature", "ext_humidity") and not field:
        name = "temperature_c" if component == "ext_temperature" else "humidity_pct"
        _measure_sensor(draft, metrics, f"ext{place}_{name}", _number(draft), kind)
    elif component in ("relay", "light") and not field:
        said = parse_text(draft.message.payload).lower()
        _fault(draft, kind, "overpower", said == "overpower")
        closed = on_or_off("off" if said == "overpower" else said)
        if closed is None:
            raise Invalid(f"neither on nor off: {shown(said)}")
        metrics[_named(component, place, "relay_on")] = float(closed)
    elif field in _PER_CHANNEL and component in ("relay", "roller", "light", "emeter", "white", "color"):
        name, factor = _PER_CHANNEL[field]
        draft.measure(metrics, _named(component, place, name), _number(draft), kind, factor=factor)


def _named(component: str, place: int, metric: str) -> str:
    """The first channel has the plain name, others carry their own before it."""
    return metric if place == 0 else f"{component}{place}_{metric}"


def _number(draft: Draft) -> float:
    said = parse_text(draft.message.payload, limit=40)
    try:
        value = number(float(said))
    except ValueError:
        value = None
    if value is None:
        raise Invalid(f"not a finite number: {shown(said)}")
    return value


def _measure_sensor(
    draft: Draft, metrics: dict[str, float], name: str, value: Any, part: str, *, factor: float = 1.0
) -> None:
    """A sensor's number, left out where it is the one that stands for a broken sensor."""
    if value != _BROKEN_SENSOR:
        draft.measure(metrics, name, value, part, factor=factor)


def _fault(draft: Draft, stream: str, code: str, standing: Any) -> None:
    """An event when a fault begins; it is remembered until it ends."""
    if not isinstance(standing, bool):
        return
    known = draft.recall("faults")
    faults = list(known) if isinstance(known, list) else []
    if standing and code not in faults:
        draft.event(stream, draft.message.received_at, "fault", code)
        draft.keep("faults", [*faults, code])
    elif not standing and code in faults:
        faults.remove(code)
        draft.keep("faults", faults or None)
