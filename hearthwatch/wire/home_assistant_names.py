"""Long and short names of what is read in Home Assistant's discovery messages.

Source: www.home-assistant.io/integrations/mqtt (MQTT discovery: abbreviations). A short name that is not listed here belongs to
something that is not read.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

_SHORT: Mapping[str, str] = {
    "avty": "availability",
    "avty_mode": "availability_mode",
    "avty_t": "availability_topic",
    "avty_tpl": "availability_template",
    "cmps": "components",
    "curr_temp_t": "current_temperature_topic",
    "curr_temp_tpl": "current_temperature_template",
    "dev": "device",
    "dev_cla": "device_class",
    "ent_cat": "entity_category",
    "migr_discvry": "migrate_discovery",
    "o": "origin",
    "obj_id": "object_id",
    "p": "platform",
    "pl_avail": "payload_available",
    "pl_not_avail": "payload_not_available",
    "pl_off": "payload_off",
    "pl_on": "payload_on",
    "stat_cla": "state_class",
    "stat_off": "state_off",
    "stat_on": "state_on",
    "stat_t": "state_topic",
    "stat_val_tpl": "state_value_template",
    "t": "topic",
    "temp_stat_t": "temperature_state_topic",
    "temp_stat_tpl": "temperature_state_template",
    "temp_unit": "temperature_unit",
    "uniq_id": "unique_id",
    "unit_of_meas": "unit_of_measurement",
    "val_tpl": "value_template",
}
_SHORT_OF_DEVICES: Mapping[str, str] = {
    "cns": "connections",
    "hw": "hw_version",
    "ids": "identifiers",
    "mdl": "model",
    "mf": "manufacturer",
    "sn": "serial_number",
    "sw": "sw_version",
}
_SHORT_OF_ORIGINS: Mapping[str, str] = {"sw": "sw_version"}
_BASE = "~"


def full(given: Mapping[str, Any]) -> dict[str, Any]:
    """A description with long names; of its device, origin and availability too."""
    named = _spelled(given, _SHORT)
    for key, short in (("device", _SHORT_OF_DEVICES), ("origin", _SHORT_OF_ORIGINS)):
        if isinstance(named.get(key), dict):
            named[key] = _spelled(named[key], short)
    if isinstance(named.get("availability"), list):
        named["availability"] = [
            _spelled(one, _SHORT) if isinstance(one, dict) else one for one in named["availability"][:16]
        ]
    return named


def _spelled(given: Mapping[str, Any], short: Mapping[str, str]) -> dict[str, Any]:
    return {short.get(key, key): value for key, value in given.items()}


def with_base_topic(given: Mapping[str, Any]) -> dict[str, Any]:
    """A description whose topics are whole: ``~`` at the beginning or end of one stands for the base topic."""
    base = given.get(_BASE)
    if not isinstance(base, str):
        return dict(given)
    whole = {key: _topic(value, base) if key.endswith("topic") else value for key, value in given.items()}
    listed = whole.get("availability")
    if isinstance(listed, list):
        whole["availability"] = [
            {**one, "topic": _topic(one.get("topic"), base)} if isinstance(one, dict) else one for one in listed
        ]
    return whole


def _topic(value: Any, base: str) -> Any:
    if not isinstance(value, str):
        return value
    if value.startswith(_BASE):
        return base + value[1:]
    return value[:-1] + base if value.endswith(_BASE) else value
