"""What a free name and a unit mean: the metric of the catalogue they stand for, or a wholesome name made of them.

For conventions whose makers name their own properties (Homie, Sparkplug). A name of the catalogue is only given where unit and
words say so together; anything else keeps its own words, with the unit as suffix.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from hashlib import sha256

MAX_NAME = 63
"""Characters of a metric name."""

_CAMEL = re.compile(r"(?<=[a-z0-9])(?=[A-Z])")
_WORD = re.compile(r"[a-z0-9]+")


@dataclass(frozen=True, slots=True)
class Quantity:
    """A metric and how to reach its unit: ``value * factor + offset``."""

    metric: str
    factor: float = 1.0
    offset: float = 0.0

    def of(self, value: float) -> float:
        """A value in the metric's unit."""
        if self.factor == 1.0 and not self.offset:
            return value
        return round(value * self.factor + self.offset, 9)


# Unit as devices write it: (suffix of the metric name, factor, offset).
_UNITS: Mapping[str, tuple[str, float, float]] = {
    "°C": ("c", 1.0, 0.0),
    "℃": ("c", 1.0, 0.0),
    "C": ("c", 1.0, 0.0),
    "degC": ("c", 1.0, 0.0),
    "°F": ("c", 5 / 9, -160 / 9),
    "℉": ("c", 5 / 9, -160 / 9),
    "F": ("c", 5 / 9, -160 / 9),
    "degF": ("c", 5 / 9, -160 / 9),
    "%": ("pct", 1.0, 0.0),
    "mV": ("v", 1e-3, 0.0),
    "V": ("v", 1.0, 0.0),
    "kV": ("v", 1e3, 0.0),
    "mA": ("a", 1e-3, 0.0),
    "A": ("a", 1.0, 0.0),
    "mW": ("w", 1e-3, 0.0),
    "W": ("w", 1.0, 0.0),
    "kW": ("w", 1e3, 0.0),
    "VA": ("va", 1.0, 0.0),
    "kVA": ("va", 1e3, 0.0),
    "var": ("var", 1.0, 0.0),
    "VAr": ("var", 1.0, 0.0),
    "Wh": ("kwh", 1e-3, 0.0),
    "kWh": ("kwh", 1.0, 0.0),
    "MWh": ("kwh", 1e3, 0.0),
    "Hz": ("hz", 1.0, 0.0),
    "kHz": ("hz", 1e3, 0.0),
    "hPa": ("hpa", 1.0, 0.0),
    "mbar": ("hpa", 1.0, 0.0),
    "Pa": ("hpa", 1e-2, 0.0),
    "kPa": ("hpa", 10.0, 0.0),
    "bar": ("hpa", 1e3, 0.0),
    "psi": ("hpa", 68.94757293168, 0.0),
    "lx": ("lux", 1.0, 0.0),
    "lux": ("lux", 1.0, 0.0),
    "dBm": ("dbm", 1.0, 0.0),
    "ms": ("s", 1e-3, 0.0),
    "s": ("s", 1.0, 0.0),
    "min": ("s", 60.0, 0.0),
    "h": ("s", 3600.0, 0.0),
    "B": ("bytes", 1.0, 0.0),
    "bytes": ("bytes", 1.0, 0.0),
    "kB": ("bytes", 1e3, 0.0),
    "KiB": ("bytes", 1024.0, 0.0),
    "m": ("m", 1.0, 0.0),
    "cm": ("m", 1e-2, 0.0),
    "mm": ("m", 1e-3, 0.0),
    "ft": ("m", 0.3048, 0.0),
    "L": ("l", 1.0, 0.0),
    "l": ("l", 1.0, 0.0),
    "gal": ("l", 3.785411784, 0.0),
    "m³": ("m3", 1.0, 0.0),
    "m3": ("m3", 1.0, 0.0),
    "ppm": ("ppm", 1.0, 0.0),
    "ppb": ("ppb", 1.0, 0.0),
    "rpm": ("rpm", 1.0, 0.0),
    "°": ("deg", 1.0, 0.0),
    "m/s": ("m_per_s", 1.0, 0.0),
    "km/h": ("km_per_h", 1.0, 0.0),
    "µg/m³": ("ug_per_m3", 1.0, 0.0),
    "mΩ": ("mohm", 1.0, 0.0),
    "Ω": ("ohm", 1.0, 0.0),
}

UNITS = tuple(_UNITS)
"""The units that are understood, as devices write them."""


def conversion(unit: str) -> tuple[str, float, float] | None:
    """What a unit becomes: (suffix of the metric's name, factor, offset), or None for a unit that is not known.

    >>> conversion("kW")
    ('w', 1000.0, 0.0)
    """
    return _UNITS.get(unit)


_ANY: frozenset[str] = frozenset()
# (suffix, one of these words or any, metric), the first that fits.
_MEANT: tuple[tuple[str, frozenset[str], str], ...] = (
    ("c", frozenset({"setpoint", "target", "desired"}), "setpoint_c"),
    ("c", frozenset({"cpu", "chip", "board", "internal", "core", "soc", "mcu", "housing"}), "device_temperature_c"),
    ("c", frozenset({"temperature", "temp"}), "temperature_c"),
    ("pct", frozenset({"humidity", "rh"}), "humidity_pct"),
    ("pct", frozenset({"battery"}), "battery_pct"),
    ("pct", frozenset({"signal", "rssi", "wifi", "lqi"}), "link_quality_pct"),
    ("v", frozenset({"battery"}), "battery_v"),
    ("v", frozenset({"supply", "vcc", "vdd"}), "supply_v"),
    ("v", frozenset({"voltage"}), "voltage_v"),
    ("a", frozenset({"motor"}), "motor_current_a"),
    ("a", frozenset({"current"}), "current_a"),
    ("w", frozenset({"power"}), "power_w"),
    ("va", frozenset({"power"}), "apparent_power_va"),
    ("var", frozenset({"power"}), "reactive_power_var"),
    ("kwh", frozenset({"energy"}), "energy_kwh"),
    ("hz", frozenset({"frequency"}), "frequency_hz"),
    ("lux", _ANY, "illuminance_lux"),
    ("dbm", _ANY, "rssi_dbm"),
    ("s", frozenset({"uptime"}), "uptime_s"),
    ("bytes", frozenset({"heap"}), "free_heap_bytes"),
)
_NOT_MEASURED_NOW = frozenset(
    {
        *("limit", "max", "min", "maximum", "minimum", "nominal", "rated", "threshold", "alarm", "offset"),
        *("average", "avg", "mean", "today", "yesterday", "daily"),
    }
)
"""Words that make of a quantity another one: a limit of a power is no power."""
_AIR = frozenset({"air", "barometer", "barometric", "atmospheric"})
_AIR_UNITS = frozenset({"hPa", "mbar"})
_SWITCHES = frozenset({"on", "power", "relay", "switch", "state", "onoff"})

_ROLES: Mapping[str, str] = {
    "fw": "firmware",
    "firmware": "firmware",
    "fw version": "firmware",
    "firmware version": "firmware",
    "sw version": "firmware",
    "software version": "firmware",
    "serial": "serial",
    "serial number": "serial",
    "sn": "serial",
    "mac": "serial",
    "mac address": "serial",
    "model": "model",
    "hardware model": "model",
    "hardware": "hardware",
    "hardware version": "hardware",
    "hardware revision": "hardware",
    "hw version": "hardware",
}


def words(name: str) -> tuple[str, ...]:
    """The words of a name in lower case: ``SupplyVoltage``, ``supply-voltage`` and ``Supply Voltage`` have the same."""
    return tuple(_WORD.findall(_CAMEL.sub(" ", name).lower()))


def identity_role(name: str) -> str | None:
    """``firmware``, ``serial``, ``model`` or ``hardware`` where a text of this name says that of its device."""
    return _ROLES.get(" ".join(words(name)))


@lru_cache(maxsize=8192)
def measured(source: str, unit: str | None) -> Quantity:
    """What a number is called that a device gives under ``source`` (``engine/temperature``) in some unit."""
    suffix, factor, offset = _UNITS.get(unit or "", ("", 1.0, 0.0))
    said = frozenset(words(source))
    metric = None
    if not said & _NOT_MEASURED_NOW:
        metric = next((name for kind, any_of, name in _MEANT if kind == suffix and (not any_of or said & any_of)), None)
        if suffix == "hpa" and "pressure" in said and (unit in _AIR_UNITS or said & _AIR):
            metric = "pressure_hpa"
        if not suffix and said >= {"power", "factor"}:
            metric = "power_factor"
    return Quantity(metric or wholesome(source, suffix), factor, offset)


@lru_cache(maxsize=8192)
def switched(source: str, *, settable: bool) -> Quantity:
    """What a yes or no is called. Only what can be commanded is a relay."""
    said = words(source)
    if {"battery", "low"} <= set(said):
        return Quantity("battery_low")
    if {"smoke", "flood", "leak"} & set(said):
        return Quantity("alarm_on")
    if "relay" in said or (settable and said and said[-1] in _SWITCHES):
        return Quantity("relay_on")
    return Quantity(wholesome(source, ""))


def wholesome(source: str, suffix: str) -> str:
    """A metric name made of a source's words, with a suffix unless it is there; long ones end in a digest of the whole."""
    said = words(source)
    if suffix and said[-1:] == (suffix,):
        said = said[:-1]
    stem = "_".join(said) or "value"
    if not stem[0].isalpha():
        stem = f"s_{stem}"
    tail = f"_{suffix}" if suffix else ""
    if len(stem) + len(tail) > MAX_NAME:
        stem = f"{stem[: MAX_NAME - len(tail) - 9]}_{_digest(source)}"
    return stem + tail


def apart(quantity: Quantity, source: str, owned: Mapping[str, str]) -> Quantity:
    """The quantity under a name that no other source owns: the second temperature carries its own words before the name."""
    metric = quantity.metric
    said = [word for word in words(source) if word not in metric.split("_")]
    own = wholesome(" ".join(said), metric) if said else metric
    names = (metric, own, wholesome(f"s {_digest(source)}", metric))
    free = next((name for name in names if owned.get(name, source) == source), None)
    return Quantity(free or f"s_{_digest(source, 32)}", quantity.factor, quantity.offset)


def _digest(text: str, length: int = 8) -> str:
    return sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:length]
