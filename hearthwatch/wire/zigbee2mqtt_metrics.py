"""The numbers in a Zigbee2MQTT device's state, by the property names of its device definitions.

Source: www.zigbee2mqtt.io (usage: exposes; the properties are ``numeric`` and ``binary`` exposes). Units are those of the definition;
where it names none, the usual one counts. Endpoints of one device follow the property (``state_left``, ``power_phase_b``).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from hearthwatch.wire.draft import Draft, on_or_off
from hearthwatch.wire.naming import measured

_METRICS: Mapping[str, str] = {
    "battery": "battery_pct",
    "battery_voltage": "battery_v",
    "linkquality": "link_quality_pct",
    "voltage": "voltage_v",
    "temperature": "temperature_c",
    "local_temperature": "temperature_c",
    "device_temperature": "device_temperature_c",
    "cpu_temperature": "device_temperature_c",
    "occupied_heating_setpoint": "setpoint_c",
    "current_heating_setpoint": "setpoint_c",
    "humidity": "humidity_pct",
    "pressure": "pressure_hpa",
    "illuminance": "illuminance_lux",
    "illuminance_lux": "illuminance_lux",
    "co2": "co2_ppm",
    "pm25": "pm25_ug_per_m3",
    "power": "power_w",
    "power_apparent": "apparent_power_va",
    "power_reactive": "reactive_power_var",
    "power_factor": "power_factor",
    "current": "current_a",
    "energy": "energy_kwh",
    "ac_frequency": "frequency_hz",
}
_SWITCHES: Mapping[str, str] = {
    "state": "relay_on",
    "battery_low": "battery_low",
    "smoke": "alarm_on",
    "water_leak": "alarm_on",
    "gas": "alarm_on",
    "carbon_monoxide": "alarm_on",
    "running_state": "heating_on",
}
_HEATING = {"heat": True, "idle": False, "cool": False, "fan_only": False}
"""What ``running_state`` of a thermostat says of calling for heat."""
_WORDS = {"pressure_hpa": "air pressure", "apparent_power_va": "power", "reactive_power_var": "power"}
"""How a metric is said where its name alone would say something else."""
_BATTERY_MILLIVOLTS = "mV"
_ENDPOINTS = frozenset(
    {"left", "right", "center", "top", "bottom", "phase_a", "phase_b", "phase_c"}
    | {f"l{place}" for place in range(1, 9)}
    | {str(place) for place in range(1, 9)}
)
_PHASES = {"phase_a": "", "phase_b": "phase2_", "phase_c": "phase3_"}
_FULL_LINK = 255
MAX_UNITS = 64


def state_metrics(draft: Draft, given: Mapping[str, Any]) -> dict[str, float]:
    """Metrics of a state object. A null is a property that was never reported; a number that is none is refused."""
    units = draft.recall("units")
    units = units if isinstance(units, dict) else {}
    metrics: dict[str, float] = {}
    for key, value in given.items():
        named = _split(key)
        if named is None:
            continue
        stem, before = named
        if stem in _SWITCHES:
            on = _HEATING.get(value) if stem == "running_state" and isinstance(value, str) else on_or_off(value)
            if on is not None:
                metrics.setdefault(before + _SWITCHES[stem], float(on))
            continue
        unit = units.get(key, _BATTERY_MILLIVOLTS if stem == "voltage" and "battery" in given else None)
        metric, factor, offset = _conversion(stem, unit)
        if before + metric not in metrics:
            draft.measure(metrics, before + metric, value, key, factor=factor, offset=offset)
    return metrics


def _split(key: str) -> tuple[str, str] | None:
    """(property, what its metric begins with); None for properties that are no measurements."""
    if key in _METRICS or key in _SWITCHES:
        return key, ""
    stem, _, endpoint = key.partition("_phase_")
    if endpoint:
        endpoint = f"phase_{endpoint}"
    else:
        stem, _, endpoint = key.rpartition("_")
    if endpoint not in _ENDPOINTS or not (stem in _METRICS or stem in _SWITCHES):
        return None
    return stem, _PHASES.get(endpoint, f"{endpoint}_" if endpoint.isalpha() or endpoint[0] == "l" else f"l{endpoint}_")


def _conversion(stem: str, unit: Any) -> tuple[str, float, float]:
    """(metric, factor, offset)."""
    metric = _METRICS[stem]
    if stem == "linkquality":
        return metric, 100 / _FULL_LINK, 0.0
    if stem == "power_factor":
        return metric, 0.01 if unit == "%" else 1.0, 0.0
    if stem == "voltage" and unit == _BATTERY_MILLIVOLTS:
        metric = "battery_v"
    meant = measured(_WORDS.get(metric, metric), unit if isinstance(unit, str) else None)
    return (metric, meant.factor, meant.offset) if meant.metric == metric else (metric, 1.0, 0.0)


def units_of(definition: Any) -> dict[str, str]:
    """The units that a device's definition gives to the properties that are read here, by property."""
    exposes = definition.get("exposes") if isinstance(definition, dict) else None
    units: dict[str, str] = {}
    for expose in _flat(exposes, 0):
        name, unit = expose.get("property"), expose.get("unit")
        if isinstance(name, str) and isinstance(unit, str) and len(unit) <= 16 and len(units) < MAX_UNITS:
            named = _split(name)
            if named is not None and named[0] in _METRICS and named[0] != "linkquality":
                units[name] = unit
    return units


def _flat(exposes: Any, depth: int) -> Iterator[Mapping[str, Any]]:
    """Exposes and their features; a switch or a climate has its properties one level down."""
    for expose in exposes[:256] if isinstance(exposes, list) and depth <= 2 else ():
        if isinstance(expose, dict):
            yield expose
            yield from _flat(expose.get("features"), depth + 1)
