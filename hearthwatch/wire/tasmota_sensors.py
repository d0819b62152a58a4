"""Tasmota's SENSOR object: one object per sensor, in units that the message itself names."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from hearthwatch.wire.draft import Draft, label
from hearthwatch.wire.limits import number

_PLAIN = {
    "Humidity": "humidity_pct",
    "Illuminance": "illuminance_lux",
}
_AIR = {
    "CarbonDioxide": "co2_ppm",
    "eCO2": "eco2_ppm",
    "TVOC": "tvoc_ppb",
    "PM2.5": "pm25_ug_per_m3",
    "PM10": "pm10_ug_per_m3",
}
"""What is in the air; not of the catalogue."""
_ADDED = {
    "Power": "power_w",
    "ApparentPower": "apparent_power_va",
    "ReactivePower": "reactive_power_var",
    "Current": "current_a",
    "Total": "energy_kwh",
    "Energy": "energy_kwh",
}
"""Quantities that add up over phases."""
_TARIFFS = "TotalTariff"
_DIRECTED = {"ExportActive": "exported_energy_kwh", "ImportActive": "imported_energy_kwh"}
_SHARED = {"Voltage": "voltage_v", "Frequency": "frequency_hz", "Factor": "power_factor"}
"""Quantities of which the first phase speaks for the device."""
_PRESSURE = {"hPa": 1.0, "mmHg": 1.33322387415, "inHg": 33.8638866667}
_SPEED = {"m/s": 1.0, "km/h": 1 / 3.6, "mph": 0.44704, "kn": 0.514444444, "ft/s": 0.3048, "yd/s": 0.9144}
"""Units of `SpeedUnit`, in m/s; a message that names none means km/h, which is what Tasmota is set to."""
_CHIPS = frozenset({"ESP32", "ESP8266"})
MAX_OWNERS = 64


def sensor_metrics(draft: Draft, given: Mapping[str, Any]) -> dict[str, float]:
    """Metrics of a SENSOR object. Of several sensors of one kind the first ever seen owns the plain name.

    The others carry their own before it (``ds18b20_2_temperature_c``). Who owns a name is remembered, so that a sensor that
    fails does not hand its name to the next one.
    """
    metrics: dict[str, float] = {}
    units = _Units(given)
    for sensor, fields in list(given.items()):
        if not isinstance(fields, dict):
            continue
        if sensor == "ENERGY":
            _energy(draft, metrics, fields)
            continue
        for source, metric, value, part in _fields(sensor, fields, units):
            _add(draft, metrics, source, metric, value, part)
    return metrics


class _Units:
    """The units a message names, with what Tasmota means where it does not."""

    def __init__(self, given: Mapping[str, Any]) -> None:
        self.fahrenheit = given.get("TempUnit") == "F"
        unit = given.get("PressureUnit", "hPa")
        self.pressure = _PRESSURE.get(unit, 1.0) if isinstance(unit, str) else 1.0
        speed = given.get("SpeedUnit", "km/h")
        self.speed = _SPEED.get(speed, _SPEED["km/h"]) if isinstance(speed, str) else _SPEED["km/h"]

    def celsius(self, value: float) -> float:
        return round((value - 32) / 1.8, 3) if self.fahrenheit else value


def _fields(sensor: str, fields: Mapping[str, Any], units: _Units) -> Iterator[tuple[str, str, Any, str]]:
    """(source, metric, value, where it stood) of one sensor; fields may be numbered (``Temperature2``)."""
    for key, raw in fields.items():
        kind = key if key in _AIR else key.rstrip("0123456789")
        source = label(f"{sensor}_{key[len(kind) :]}" if kind != key else sensor)
        part = f"{sensor}.{key}"
        value = numeric(raw)
        if kind == "Temperature":
            metric = "device_temperature_c" if sensor in _CHIPS else "temperature_c"
            yield source, metric, units.celsius(value) if isinstance(value, float) else value, part
        elif kind == "Pressure":
            yield source, "pressure_hpa", round(value * units.pressure, 3) if isinstance(value, float) else value, part
        elif kind in _PLAIN or kind in _AIR:
            yield source, _PLAIN.get(kind) or _AIR[kind], value, part
        elif kind in ("Speed", "Dir") and isinstance(raw, dict):
            yield from _wind(source, kind, raw, units, part)
        elif kind == "CTEnergy" and isinstance(raw, dict):
            for name, inner in raw.items():
                measured = _ADDED.get(name) or _SHARED.get(name)
                if measured is not None:
                    yield source, measured, numeric(inner), f"{part}.{name}"


def _wind(
    source: str, kind: str, raw: Mapping[str, Any], units: _Units, part: str
) -> Iterator[tuple[str, str, Any, str]]:
    """The speed and direction that an anemometer measures now (its averages and extremes are ours to compute)."""
    key, metric = ("Act", "wind_speed_m_per_s") if kind == "Speed" else ("Deg", "wind_direction_deg")
    if key in raw:
        value = numeric(raw[key])
        scaled = round(value * units.speed, 6) if kind == "Speed" and isinstance(value, float) else value
        yield source, metric, scaled, f"{part}.{key}"


def _energy(draft: Draft, metrics: dict[str, float], fields: Mapping[str, Any]) -> None:
    """An energy meter. A list or an object of numbers holds one per phase."""
    for key, metric in (*_ADDED.items(), *_SHARED.items()):
        part = f"ENERGY.{key}"
        raw = fields.get(key)
        if not isinstance(raw, (list, dict)):
            draft.measure(metrics, metric, numeric(raw), part)
            continue
        phases: dict[str, float] = {}
        listed = raw.values() if isinstance(raw, dict) else raw
        for place, value in enumerate(list(listed)[:9], start=1):
            draft.measure(phases, f"phase{place}_{metric}", numeric(value), f"{part}[{place}]")
        if not phases:
            continue
        whole = sum(phases.values()) if key in _ADDED else next(iter(phases.values()))
        draft.measure(metrics, metric, whole, part)
        metrics.update(phases)
    tariffs = fields.get(_TARIFFS)
    for place, value in enumerate(tariffs[:9] if isinstance(tariffs, list) else (), start=1):
        draft.measure(metrics, f"tariff{place}_energy_kwh", numeric(value), f"ENERGY.{_TARIFFS}[{place}]")
    for key, metric in _DIRECTED.items():
        if not isinstance(fields.get(key), (list, dict)):
            draft.measure(metrics, metric, numeric(fields.get(key)), f"ENERGY.{key}")


def _add(draft: Draft, metrics: dict[str, float], source: str, metric: str, value: Any, part: str) -> None:
    owners = draft.recall("owners")
    owners = owners if isinstance(owners, dict) else {}
    owner = owners.get(metric)
    if owner is None and len(owners) < MAX_OWNERS and len(source) <= 63:
        draft.keep("owners", {**owners, metric: source})
        owner = source
    draft.measure(metrics, metric if owner == source else f"{source}_{metric}", value, part)


def numeric(value: Any) -> Any:
    """A number as a float; some drivers write it as a text, and a text that is none says nothing (None)."""
    if isinstance(value, str):
        try:
            return number(float(value)) if len(value) <= 32 else None
        except ValueError:
            return None
    taken = number(value) if not isinstance(value, bool) else None
    return value if taken is None else taken
