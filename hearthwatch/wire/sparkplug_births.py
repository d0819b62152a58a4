"""What a Sparkplug birth certificate declares, and what a metric of its datatype is worth.

State of a node or a device: ``{"metrics": {name: {"t": datatype, "m": metric, "u": unit, "r": role}}, "alias": {"7": name}}``.
``m`` is there for what is measured, ``r`` for texts that say what the device is.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from hearthwatch.errors import Invalid
from hearthwatch.wire.draft import Draft
from hearthwatch.wire.limits import shown
from hearthwatch.wire.naming import Quantity, apart, identity_role, measured, switched
from hearthwatch.wire.reset_reasons import is_reset_reason
from hearthwatch.wire.sparkplug_payload import NAME_LIMIT, Metric

MAX_UNIT = 16

_SIGNED = {1: 8, 2: 16, 3: 32, 4: 64}
_UNSIGNED = {5: 8, 6: 16, 7: 32, 8: 64}
_REAL = frozenset({9, 10})
BOOLEAN = 11
_TEXT = frozenset({12, 14, 15})
_MEASURED = frozenset({*_SIGNED, *_UNSIGNED, *_REAL, BOOLEAN})
_OWN_TYPE = {float: 10, bool: BOOLEAN, str: 12}
"""Datatypes that show in the field of a value itself; of a whole number nobody knows the sign."""
_CONTROL = ("Node Control/", "Device Control/")
_ABOUT = frozenset({"properties", "node info", "device info", "device properties", "info"})
"""First levels below which a text says what the device is."""
_SECOND_BEST = {
    "os version": ("firmware", "os"),
    "transmission version": ("firmware", "os"),
    "hardware make": ("model", "make"),
    "make": ("model", "make"),
    "manufacturer": ("model", "make"),
}
"""What stands in for a firmware or a model where the certificate names none: (for what, role)."""
REASON = "reason"
"""The role of a text that says why the device booted."""
STANDS_FOR = {"os": "firmware", "make": "model"}


def learn_birth(draft: Draft, metrics: Sequence[Metric], room: int) -> None:
    """Take a certificate in, in place of the one before. Names beyond ``room`` are refused."""
    known = draft.recall("metrics")
    earlier: Mapping[str, Any] = known if isinstance(known, dict) else {}
    owned = {entry["m"]: name for name, entry in earlier.items() if "m" in entry}
    declared: dict[str, dict[str, Any]] = {}
    aliases: dict[str, str] = {}
    for place, metric in enumerate(metrics):
        name = metric.name
        if not name or len(name) > NAME_LIMIT:
            draft.refuse(f"metric {place}", "a certificate needs a name for every metric")
        elif name not in declared and len(declared) >= room:
            draft.refuse(name, "more metrics than are remembered of one edge node")
        elif metric.alias is not None and aliases.get(str(metric.alias), name) != name:
            draft.refuse(name, f"alias {metric.alias} names another metric already")
        else:
            declared[name] = _entry(name, metric, earlier.get(name, {}), owned)
            if not declared[name]["t"] and metric.value is not None:
                draft.refuse(name, "a certificate needs a datatype for every metric")
            if metric.alias is not None:
                aliases[str(metric.alias)] = name
    _settle_roles(declared)
    draft.keep("metrics", declared)
    draft.keep("alias", aliases or None)


def _entry(name: str, metric: Metric, earlier: Mapping[str, Any], owned: dict[str, str]) -> dict[str, Any]:
    datatype = metric.datatype or _OWN_TYPE.get(type(metric.value), 0)
    entry: dict[str, Any] = {"t": datatype}
    if name == "bdSeq" or name.startswith(_CONTROL):
        return entry
    if datatype in _TEXT:
        role = _role(name)
        return {**entry, "r": role} if role else entry
    if datatype in _MEASURED:
        unit = metric.unit if metric.unit and len(metric.unit) <= MAX_UNIT else None
        entry |= {"u": unit} if unit else {}
        if {key: value for key, value in earlier.items() if key != "m"} == entry:
            return dict(earlier)  # a name once given stays
        entry["m"] = apart(_meant(name, entry), name, owned).metric
        owned[entry["m"]] = name
    return entry


def _meant(name: str, entry: Mapping[str, Any]) -> Quantity:
    return switched(name, settable=False) if entry["t"] == BOOLEAN else measured(name, entry.get("u"))


def quantity_of(name: str, entry: Mapping[str, Any]) -> Quantity | None:
    """What a declared metric measures, under its name; None for what measures nothing."""
    if "m" not in entry:
        return None
    meant = _meant(name, entry)
    return meant if meant.metric == entry["m"] else Quantity(entry["m"], meant.factor, meant.offset)


def _role(name: str) -> str | None:
    if is_reset_reason(name.rpartition("/")[2]):
        return REASON
    first, *_, last = name.split("/") if "/" in name else ("properties", name)
    if first.lower() not in _ABOUT:
        return None
    second = _SECOND_BEST.get(last.lower())
    return identity_role(last) or (second[1] if second else None)


def _settle_roles(declared: Mapping[str, dict[str, Any]]) -> None:
    """The second best is only heard where there is no better."""
    roles = {entry["r"] for entry in declared.values() if "r" in entry}
    for entry in declared.values():
        if STANDS_FOR.get(entry.get("r", "")) in roles:
            del entry["r"]


def name_of(draft: Draft, metric: Metric) -> tuple[str, Mapping[str, Any]] | None:
    """The name and declaration of a metric that came by alias or by name; None where no certificate has it."""
    declared, aliases = draft.recall("metrics") or {}, draft.recall("alias") or {}
    name = metric.name or aliases.get(str(metric.alias), "")
    entry = declared.get(name)
    return None if entry is None else (name, entry)


def worth(datatype: int, metric: Metric) -> float | str | None:
    """A metric's value as its datatype has it: a number, a text, or None for what is neither. Raises `Invalid` where they disagree.

    Signed integers come in unsigned fields, as two's complement of their own width or of the field's.
    """
    value = metric.value
    if value is None or datatype not in _MEASURED | _TEXT:
        return None
    if datatype in _TEXT:
        if not isinstance(value, str):
            raise Invalid("not a text, as its datatype says")
        return value
    if isinstance(value, str) or (datatype in _REAL) != isinstance(value, float):
        raise Invalid(f"not a value of its datatype: {shown(value)}")
    if datatype == BOOLEAN:
        if value not in (0, 1):
            raise Invalid(f"not a boolean: {shown(value)}")
        return float(value)
    return float(value if isinstance(value, float) else _integer(datatype, value))


def _integer(datatype: int, value: int) -> int:
    bits = _SIGNED.get(datatype) or _UNSIGNED[datatype]
    low = value & ((1 << bits) - 1)
    if datatype in _SIGNED and low >> (bits - 1):
        signed = low - (1 << bits)
        if value not in (low, signed & 0xFFFFFFFF, signed & 0xFFFFFFFFFFFFFFFF):
            raise Invalid(f"beyond {bits} bits: {value}")
        return signed
    if value != low:
        raise Invalid(f"beyond {bits} bits: {value}")
    return value
