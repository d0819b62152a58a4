"""What an entity of Home Assistant measures, in the names of the catalogue.

Source: www.home-assistant.io/integrations/sensor (device classes and their units) and .../binary_sensor. Where class and unit do not
say it, the entity's own name does, with the unit as suffix.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from hearthwatch.wire.naming import Quantity, measured, wholesome, words

_CLASSES: Mapping[str, tuple[str, str]] = {
    "apparent_power": ("power", "apparent_power_va"),
    "atmospheric_pressure": ("air pressure", "pressure_hpa"),
    "battery": ("battery", "battery_pct"),
    "carbon_dioxide": ("co2", "co2_ppm"),
    "current": ("current", "current_a"),
    "energy": ("energy", "energy_kwh"),
    "frequency": ("frequency", "frequency_hz"),
    "humidity": ("humidity", "humidity_pct"),
    "illuminance": ("illuminance", "illuminance_lux"),
    "pm25": ("pm25", "pm25_ug_per_m3"),
    "power": ("power", "power_w"),
    "pressure": ("air pressure", "pressure_hpa"),
    "reactive_power": ("power", "reactive_power_var"),
    "signal_strength": ("signal", "rssi_dbm"),
    "temperature": ("temperature", "temperature_c"),
    "voltage": ("voltage", "voltage_v"),
}
"""Class: (the words it is known by together with a unit, its metric)."""

_MORE_UNITS: Mapping[str, tuple[str, float, float]] = {
    "K": ("°C", 1.0, -273.15),
    "mmHg": ("hPa", 1.33322387415, 0.0),
    "inHg": ("hPa", 33.8638866667, 0.0),
    "MW": ("W", 1e6, 0.0),
    "MHz": ("Hz", 1e6, 0.0),
    "GWh": ("kWh", 1e6, 0.0),
    "J": ("kWh", 1 / 3.6e6, 0.0),
    "kJ": ("kWh", 1 / 3600, 0.0),
    "MJ": ("kWh", 1 / 3.6, 0.0),
    "kvar": ("var", 1000.0, 0.0),
    "µV": ("V", 1e-6, 0.0),
    "μV": ("V", 1e-6, 0.0),
    "µs": ("s", 1e-6, 0.0),
    "μs": ("s", 1e-6, 0.0),
    "d": ("s", 86_400.0, 0.0),
    "MB": ("B", 1e6, 0.0),
    "MiB": ("B", 1024.0**2, 0.0),
    "μg/m³": ("µg/m³", 1.0, 0.0),
    "mg/m³": ("µg/m³", 1000.0, 0.0),
}
"""Units of Home Assistant beside those of `naming`: (the unit they are brought to, factor, offset)."""

_ALARMS = frozenset({"smoke", "moisture", "gas", "carbon_monoxide", "safety"})
_BATTERY = frozenset({"battery", "batt"})
_SUPPLY = frozenset({"supply", "vcc", "vdd"})
_DIAGNOSTIC = "diagnostic"


def measured_by(component: Mapping[str, Any], source: str) -> Quantity:
    """The metric of a sensor; ``source`` is the name its maker gave it."""
    unit, factor, offset = _unit(component.get("unit_of_measurement"))
    known = component.get("device_class")
    word, metric = _CLASSES.get(known, ("", "")) if isinstance(known, str) else ("", "")
    if known == "power_factor":
        return Quantity("power_factor", 0.01 if unit == "%" else 1.0)
    if not metric:
        return _within(measured(source, unit), factor, offset)
    said = frozenset(words(source))
    if unit is None:
        meant = Quantity(metric)
    else:
        meant = measured(word, unit)
        if known == "signal_strength" and unit == "%":
            metric = "link_quality_pct"
        if known == "battery" and unit in ("V", "mV"):
            metric = "battery_v"
        if meant.metric != metric:  # a unit that the class does not have
            return _within(measured(source, unit), factor, offset)
    return _within(Quantity(_special(metric, component, said), meant.factor, meant.offset), factor, offset)


def _special(metric: str, component: Mapping[str, Any], said: frozenset[str]) -> str:
    if metric == "temperature_c" and component.get("entity_category") == _DIAGNOSTIC:
        return "device_temperature_c"
    if metric == "voltage_v" and said & _BATTERY:
        return "battery_v"
    if metric == "voltage_v" and said & _SUPPLY:
        return "supply_v"
    return metric


def _unit(given: Any) -> tuple[str | None, float, float]:
    if not isinstance(given, str) or not given.strip() or len(given) > 32:
        return None, 1.0, 0.0
    unit = given.strip()
    return _MORE_UNITS.get(unit, (unit, 1.0, 0.0))


def _within(quantity: Quantity, factor: float, offset: float) -> Quantity:
    """A quantity of a unit that is first brought to another one by ``factor`` and ``offset``."""
    if (factor, offset) == (1.0, 0.0):
        return quantity
    return Quantity(quantity.metric, factor * quantity.factor, offset * quantity.factor + quantity.offset)


def switched_by(kind: str, component: Mapping[str, Any], source: str) -> str:
    """The metric of something that is on or off."""
    known = component.get("device_class")
    if kind in ("switch", "light"):
        return "relay_on"
    if known == "battery":
        return "battery_low"
    if isinstance(known, str) and known in _ALARMS:
        return "alarm_on"
    return wholesome(source, "on")
