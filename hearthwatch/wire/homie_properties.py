"""What a Homie device declares about its properties, and what a property's text is worth.

State: ``{"properties": {"engine/temperature": {"t": datatype, "u": unit, "s": settable, "m": metric}}}``; ``m`` is given when
the property first measures something, and stays.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from hearthwatch.errors import Invalid
from hearthwatch.wire.draft import Draft, text_or_none
from hearthwatch.wire.limits import shown
from hearthwatch.wire.naming import Quantity, apart, identity_role, measured, switched

MAX_PROPERTIES = 256
"""Properties of one device that are remembered."""
MAX_UNIT = 16

_ID = re.compile(r"[A-Za-z0-9_-]{1,64}")
"""Homie allows less (no capitals, no underscores); firmware in use writes these."""
_INTEGER = re.compile(r"-?\d{1,19}", re.ASCII)
_FLOAT = re.compile(r"-?(?:\d{1,32}\.?\d{0,32}|\.\d{1,32})(?:[eE][+-]?\d{1,3})?", re.ASCII)
_DURATION = re.compile(r"P(?:(\d{1,6})D)?(?:T(?:(\d{1,6})H)?(?:(\d{1,6})M)?(?:(\d{1,9}(?:\.\d{1,9})?)S)?)?", re.ASCII)
_NUMBERS = frozenset({"integer", "float", "percent"})
TEXTS = frozenset({"string", "enum", "color", "datetime", "json"})
"""Datatypes that are no measurements."""
LONGEST_NUMBER = 80
"""Characters of a number, or of a duration."""
_DATATYPES = _NUMBERS | TEXTS | {"boolean", "duration"}
_ARRAY_ELEMENT = re.compile(r"(.+)_\d{1,5}", re.ASCII)


def check_id(level: str, what: str) -> str:
    """A topic level as it is. Raises `Invalid` for one that no Homie device has."""
    if _ID.fullmatch(level) is None:
        raise Invalid(f"not a {what} of Homie: {shown(level)}")
    return level


def is_id(value: Any) -> bool:
    """Whether a value is the id of a node or a property."""
    return isinstance(value, str) and _ID.fullmatch(value) is not None


# -- declarations -------------------------------------------------------------------------------------------------------


def table(draft: Draft) -> dict[str, Mapping[str, Any]]:
    """A copy of what is known of the properties."""
    known = draft.recall("properties")
    return dict(known) if isinstance(known, dict) else {}


def declare(draft: Draft, path: str, key: str, value: Any) -> None:
    """One attribute of a property (Homie 3 and 4). Another datatype or unit than before is another quantity."""
    properties = table(draft)
    known = properties.get(path, {})
    if known.get(key) == value:
        return
    if path not in properties and len(properties) >= MAX_PROPERTIES:
        draft.refuse(path, f"more than {MAX_PROPERTIES} properties of one device")
        return
    kept = {name: said for name, said in known.items() if name not in (key, "m")}
    properties[path] = kept if value is None else {**kept, key: value}
    draft.keep("properties", properties)


def describe(draft: Draft, description: Mapping[str, Any]) -> bool:
    """All properties of a description (Homie 5); what it does not name any more is forgotten. False when there were too many."""
    known, described = table(draft), dict[str, Mapping[str, Any]]()
    whole = True
    for path, given in _described(description.get("nodes")):
        entry = {
            "t": datatype(given.get("datatype")),
            "u": unit_of(given.get("unit")),
            "s": True if given.get("settable") is True else None,
        }
        entry = {key: value for key, value in entry.items() if value is not None}
        if len(described) >= MAX_PROPERTIES:
            whole = False
            break
        earlier = known.get(path, {})
        same = {key: value for key, value in earlier.items() if key != "m"} == entry
        described[path] = dict(earlier) if same else entry
    draft.keep("properties", described or None)
    return whole


def _described(nodes: Any) -> Iterator[tuple[str, Mapping[str, Any]]]:
    for node, within in _named(nodes):
        for name, given in _named(within.get("properties")):
            yield f"{node}/{name}", given


def _named(given: Any) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """Objects by their ids: 5.0 has an object of them, drafts of it had a list in which each tells its ``id``."""
    if isinstance(given, dict):
        pairs = list(given.items())
    elif isinstance(given, list):
        pairs = [(one.get("id"), one) for one in given if isinstance(one, dict)]
    else:
        return
    for name, inner in pairs:
        if is_id(name) and isinstance(inner, dict):
            yield name, inner


def datatype(said: Any) -> str | None:
    """A datatype of Homie, or None."""
    return said if isinstance(said, str) and said in _DATATYPES else None


def unit_of(said: Any) -> str | None:
    """A unit, or None where it is none that could be one."""
    text = text_or_none(said)
    return text if text is not None and len(text) <= MAX_UNIT else None


# -- values ---------------------------------------------------------------------------------------------------------------


def known_of(draft: Draft, node: str, name: str) -> Mapping[str, Any] | None:
    """What is known of a property. Elements of a node array (``lights_0``, Homie 3) may be declared for the array."""
    known = draft.recall("properties")
    properties: Mapping[str, Mapping[str, Any]] = known if isinstance(known, dict) else {}
    found = properties.get(f"{node}/{name}")
    if found is None or "t" not in found:
        element = _ARRAY_ELEMENT.fullmatch(node)
        declared = properties.get(f"{element.group(1)}/{name}") if element else None
        if declared is not None:
            return {**{key: value for key, value in declared.items() if key != "m"}, **(found or {})}
    return found


def role_of(node: str, name: str) -> str | None:
    """What a text property says of its device, such as ``firmware``."""
    return identity_role(name) or (identity_role(f"{node} {name}") if name == "version" else None)


def value_of(kind: str | None, text: str) -> float | None:
    """A property's text as a number; None for texts, colours and the like, which are no measurements.

    Where no datatype was declared, a plain number counts. Raises `Invalid` for what contradicts the datatype.
    """
    if kind == "boolean":
        if text not in ("true", "false"):
            raise Invalid(f"neither true nor false: {shown(text)}")
        return float(text == "true")
    if kind == "duration":
        return _seconds(text)
    if kind in _NUMBERS or (kind is None and _FLOAT.fullmatch(text)):
        # Firmware that counts in floats writes 3.0 into an integer.
        if not _INTEGER.fullmatch(text) and not _FLOAT.fullmatch(text):
            raise Invalid(f"not a finite number: {shown(text)}")
        return float(text)
    return None


def _seconds(text: str) -> float:
    match = _DURATION.fullmatch(text)
    if match is None or not any(match.groups()):
        raise Invalid(f"not a duration in ISO 8601: {shown(text)}")
    days, hours, minutes, seconds = (float(part or 0) for part in match.groups())
    return days * 86_400 + hours * 3600 + minutes * 60 + seconds


def quantity_of(draft: Draft, path: str, known: Mapping[str, Any] | None) -> Quantity | None:
    """What the property measures, under the name it keeps from now on; None when the table is full."""
    declared = known or {}
    kind, unit = declared.get("t"), declared.get("u")
    if kind == "boolean":
        meant = switched(path, settable=declared.get("s") is True)
    else:
        meant = measured(path, "s" if kind == "duration" else "%" if kind == "percent" else unit)
    if meant.metric == "temperature_c" and declared.get("s") is True:
        meant = Quantity("setpoint_c", meant.factor, meant.offset)
    if isinstance(declared.get("m"), str):
        return Quantity(declared["m"], meant.factor, meant.offset)
    properties = table(draft)
    if path not in properties and len(properties) >= MAX_PROPERTIES:
        draft.refuse(path, f"more than {MAX_PROPERTIES} properties of one device")
        return None
    owned = {entry["m"]: owner for owner, entry in properties.items() if "m" in entry}
    meant = apart(meant, path, owned)
    draft.keep("properties", {**properties, path: {**properties.get(path, {}), "m": meant.metric}})
    return meant
