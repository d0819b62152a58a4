"""An entity of Home Assistant discovery as what it says where: the topics it listens to and what their payloads mean.

An entity is JSON, because it is remembered: ``{"d": device, "s": [sources], "a": availability}``. A source is ``{"t": topic, "as":
"number" | "text" | "switch" | "firmware" | "reset", "m": metric, "k": factor, "o": offset, "e": expression, "on", "off"}``, an
availability ``{"mode", "of": [[topic, payload_available, payload_not_available, expression]]}``.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from hearthwatch.errors import Invalid
from hearthwatch.wire.home_assistant_metrics import measured_by, switched_by
from hearthwatch.wire.home_assistant_template import Expression, compile_template
from hearthwatch.wire.limits import is_wholesome, shown
from hearthwatch.wire.naming import Quantity
from hearthwatch.wire.reset_reasons import is_reset_reason

Entity = Mapping[str, Any]
Own = Callable[[Quantity, str], Quantity]
"""Gives a quantity a name that no other entity of the device has; the text is the entity's own name."""

MAX_TOPIC = 512
MAX_AVAILABILITIES = 8
_NO_NUMBERS = frozenset({"enum", "timestamp", "date"})


def entity_of(kind: str, given: Mapping[str, Any], device: str, source: str, own: Own) -> dict[str, Any]:
    """The entity that a component describes. Raises `Invalid` for a topic or a template that cannot be followed."""
    describe = _KINDS.get(kind)
    sources = describe(kind, given, source, own) if describe else []
    entity: dict[str, Any] = {"d": device, "s": sources}
    availability = _availability(given)
    if availability is not None:
        entity["a"] = availability
    return entity


def topics_of(entity: Entity) -> list[str]:
    """Every topic that an entity listens to."""
    listened = [source["t"] for source in entity["s"]]
    listened += [one[0] for one in entity.get("a", {}).get("of", ())]
    return list(dict.fromkeys(listened))


def _topic(value: Any, name: str) -> str | None:
    if value is None:
        return None
    if (
        not isinstance(value, str)
        or not value
        or len(value) > MAX_TOPIC
        or not is_wholesome(value)
        or set(value) & {"+", "#"}
    ):
        raise Invalid(f"{name} is not a topic: {shown(value)}")
    return value


def _expression(value: Any) -> Expression | None:
    if value is None or value == "":
        return None
    if not isinstance(value, str):
        raise Invalid(f"not a template: {shown(value)}")
    return compile_template(value)


# -- what each kind of component says -------------------------------------------------------------------------------------


def _heard(
    given: Mapping[str, Any], said: str, topic: str = "state_topic", template: str = "value_template"
) -> list[dict[str, Any]]:
    """A source that listens to a topic, or none where the component has no such topic."""
    place = _topic(given.get(topic), topic)
    if place is None:
        return []
    source: dict[str, Any] = {"t": place, "as": said}
    expression = _expression(given.get(template))
    if expression is not None:
        source["e"] = expression
    return [source]


def _named(sources: list[dict[str, Any]], quantity: Quantity, source: str, own: Own) -> list[dict[str, Any]]:
    for one in sources:
        owned = own(quantity, source)
        one["m"] = owned.metric
        if (owned.factor, owned.offset) != (1.0, 0.0):
            one["k"], one["o"] = owned.factor, owned.offset
    return sources


def _sensor(_kind: str, given: Mapping[str, Any], source: str, own: Own) -> list[dict[str, Any]]:
    name = given.get("name")
    said = f"{source} {name}" if isinstance(name, str) else source
    if given.get("unit_of_measurement") is None and is_reset_reason(said):
        return _heard(given, "reset")
    known = given.get("device_class")
    if isinstance(known, str) and known in _NO_NUMBERS:
        return []
    plain = not any(given.get(key) for key in ("unit_of_measurement", "state_class", "device_class"))
    return _named(_heard(given, "text" if plain else "number"), measured_by(given, source), source, own)


def _switch(kind: str, given: Mapping[str, Any], source: str, own: Own) -> list[dict[str, Any]]:
    template = "state_value_template" if kind == "light" else "value_template"
    if kind == "light" and given.get("schema") == "json":
        given = {**given, template: "{{ value_json.state }}"}
    elif kind == "light" and given.get("schema") == "template":
        return []
    sources = _named(
        _heard(given, "switch", template=template), Quantity(switched_by(kind, given, source)), source, own
    )
    for one in sources:
        for key, usual in (("on", "ON"), ("off", "OFF")):
            said = rendered(given.get(f"state_{key}", given.get(f"payload_{key}", usual)))
            if said != usual:
                one[key] = said[:64]
    return sources


def _climate(_kind: str, given: Mapping[str, Any], source: str, own: Own) -> list[dict[str, Any]]:
    unit = "°F" if given.get("temperature_unit") == "F" else "°C"
    measured = measured_by({"device_class": "temperature", "unit_of_measurement": unit}, source)
    setpoint = Quantity("setpoint_c", measured.factor, measured.offset)
    now = _heard(given, "number", "current_temperature_topic", "current_temperature_template")
    asked = _heard(given, "number", "temperature_state_topic", "temperature_state_template")
    return [*_named(now, measured, source, own), *_named(asked, setpoint, source, own)]


def _update(_kind: str, given: Mapping[str, Any], _source: str, _own: Own) -> list[dict[str, Any]]:
    return _heard(given, "firmware")


_KINDS: Mapping[str, Callable[[str, Mapping[str, Any], str, Own], list[dict[str, Any]]]] = {
    "sensor": _sensor,
    "binary_sensor": _switch,
    "switch": _switch,
    "light": _switch,
    "climate": _climate,
    "update": _update,
}


# -- availability -----------------------------------------------------------------------------------------------------------


def _availability(given: Mapping[str, Any]) -> dict[str, Any] | None:
    listed = given.get("availability")
    single = {
        "topic": given.get("availability_topic"),
        "value_template": given.get("availability_template"),
        **{key: given[key] for key in ("payload_available", "payload_not_available") if key in given},
    }
    told = [listed] if isinstance(listed, dict) else listed if isinstance(listed, list) else [single]
    places = [place for one in told[:MAX_AVAILABILITIES] if isinstance(one, dict) for place in _place(one)]
    if not places:
        return None
    mode = given.get("availability_mode", "latest")
    if mode not in ("all", "any", "latest"):
        raise Invalid(f"no such availability_mode: {shown(mode)}")
    return {"mode": mode, "of": places}


def _place(given: Mapping[str, Any]) -> list[list[Any]]:
    topic = _topic(given.get("topic"), "availability_topic")
    if topic is None:
        return []
    here, away = (
        rendered(given.get("payload_available", "online")),
        rendered(given.get("payload_not_available", "offline")),
    )
    return [[topic, here[:64], away[:64], _expression(given.get("value_template"))]]


def rendered(value: Any) -> str:
    """A JSON value as a template writes it."""
    if isinstance(value, str):
        return value.strip()
    if isinstance(value, float) and value.is_integer() and abs(value) < 1e15:
        return str(int(value))
    return str(value) if isinstance(value, (bool, int, float)) or value is None else ""
