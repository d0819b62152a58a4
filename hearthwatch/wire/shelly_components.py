"""Metrics of the components that a Shelly Gen2+ status consists of."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from hearthwatch.wire.draft import Draft

COMPONENT = re.compile(r"([a-z][a-z0-9_]{0,23})(?::(\d{1,5}))?", re.ASCII)
"""``switch:0``, ``sys``."""

_WATT_HOURS = 1 / 1000
_LOAD: Mapping[str, tuple[str, float]] = {
    "apower": ("power_w", 1.0),
    "aprtpower": ("apparent_power_va", 1.0),
    "voltage": ("voltage_v", 1.0),
    "current": ("current_a", 1.0),
    "pf": ("power_factor", 1.0),
    "freq": ("frequency_hz", 1.0),
    "aenergy.total": ("energy_kwh", _WATT_HOURS),
    "temperature.tC": ("device_temperature_c", 1.0),
}
_SWITCHED = {**_LOAD, "output": ("relay_on", 1.0)}
_PHASE: Mapping[str, tuple[str, float]] = {
    "act_power": ("power_w", 1.0),
    "aprt_power": ("apparent_power_va", 1.0),
    "voltage": ("voltage_v", 1.0),
    "current": ("current_a", 1.0),
    "pf": ("power_factor", 1.0),
    "freq": ("frequency_hz", 1.0),
}

_FIELDS: Mapping[str, Mapping[str, tuple[str, float]]] = {
    "switch": _SWITCHED,
    "light": _SWITCHED,
    "rgb": _SWITCHED,
    "rgbw": _SWITCHED,
    "cct": _SWITCHED,
    "cover": _LOAD,
    "pm1": _LOAD,
    "em1": _PHASE,
    "em1data": {"total_act_energy": ("energy_kwh", _WATT_HOURS)},
    "em": {
        "total_act_power": ("power_w", 1.0),
        "total_aprt_power": ("apparent_power_va", 1.0),
        "total_current": ("current_a", 1.0),
        "a_voltage": ("voltage_v", 1.0),
        "a_freq": ("frequency_hz", 1.0),
        **{
            f"{letter}_{field}": (f"phase{place}_{metric}", factor)
            for place, letter in enumerate("abc", start=1)
            for field, (metric, factor) in _PHASE.items()
            if (letter, field) not in (("a", "voltage"), ("a", "freq"))
        },
    },
    "emdata": {"total_act": ("energy_kwh", _WATT_HOURS)},
    "temperature": {"tC": ("temperature_c", 1.0)},
    "humidity": {"rh": ("humidity_pct", 1.0)},
    "illuminance": {"lux": ("illuminance_lux", 1.0)},
    "voltmeter": {"voltage": ("voltage_v", 1.0)},
    "devicepower": {"battery.percent": ("battery_pct", 1.0), "battery.V": ("battery_v", 1.0)},
    "thermostat": {"target_C": ("setpoint_c", 1.0), "output": ("heating_on", 1.0)},
    "blutrv": {
        "battery": ("battery_pct", 1.0),
        "rssi": ("rssi_dbm", 1.0),
        "current_C": ("temperature_c", 1.0),
        "target_C": ("setpoint_c", 1.0),
    },
    "smoke": {"alarm": ("alarm_on", 1.0)},
    "flood": {"alarm": ("alarm_on", 1.0)},
    "sys": {
        "uptime": ("uptime_s", 1.0),
        "ram_free": ("free_heap_bytes", 1.0),
        "fs_free": ("fs_free_bytes", 1.0),
    },
    "wifi": {"rssi": ("rssi_dbm", 1.0)},
}
_VOLATILE = frozenset({"sys", "wifi"})
"""Their numbers change without a notification, so they are only believed when they are said."""


def component_values(
    draft: Draft, key: str, fields: Mapping[str, Any], known: Mapping[str, float]
) -> dict[str, float] | None:
    """The numbers of one component: what is known of it, with what ``fields`` says laid over. None for components without any.

    Keys are paths such as ``aenergy.total``. A null takes a number back: the device cannot measure it any more.
    """
    match = COMPONENT.fullmatch(key)
    paths = _FIELDS.get(match.group(1)) if match else None
    if paths is None:
        return None
    values = dict(known)
    for path in paths:
        outer, _, inner = path.partition(".")
        if outer not in fields:
            continue
        value = fields[outer]
        if inner:
            value = value.get(inner) if isinstance(value, dict) else None
        values.pop(path, None)
        draft.measure(values, path, value, f"{key}.{path}")
    return values


def is_steady(key: str) -> bool:
    """Whether what a component does not say has not changed."""
    return key not in _VOLATILE


def component_metrics(key: str, values: Mapping[str, float]) -> dict[str, float]:
    """Metrics of a component's numbers. Id 0 has the plain name, other ids carry the component before it."""
    kind, _, place = key.partition(":")
    if kind == "wifi" and values.get("rssi") == 0:  # 0 is a radio that is not connected
        return {}
    before = "" if int(place or 0) == 0 else f"{kind}{int(place)}_"
    named = {path: _FIELDS[kind][path] for path in values}
    return {before + metric: values[path] * factor for path, (metric, factor) in named.items()}
