"""Sparkplug B payloads out of the JSON view in which the specification prints them, for tests.

Written apart from the decoder; `tests/unit/wire/test_sparkplug_payload.py` holds both against bytes of Google's protobuf library.
"""

from __future__ import annotations

import struct
from collections.abc import Mapping
from typing import Any

DATATYPES = (
    *("Unknown", "Int8", "Int16", "Int32", "Int64", "UInt8", "UInt16", "UInt32", "UInt64", "Float", "Double"),
    *("Boolean", "String", "DateTime", "Text", "UUID", "DataSet", "Bytes", "File", "Template"),
)
_LONG = frozenset({"Int64", "UInt64", "DateTime"})


def encode(view: Mapping[str, Any]) -> bytes:
    """The payload of a view: ``timestamp``, ``seq``, ``uuid``, ``body`` and ``metrics``."""
    out = b"".join(block(2, metric(one)) for one in view.get("metrics", ()))
    for number, key in ((1, "timestamp"), (3, "seq")):
        if key in view:
            out += whole(number, view[key])
    for number, key in ((4, "uuid"), (5, "body")):
        if key in view:
            out += block(number, view[key].encode())
    return out


def metric(view: Mapping[str, Any]) -> bytes:
    """One metric. ``value`` is written as ``dataType`` has it; without one, ``raw`` gives the bytes of the value."""
    out = block(1, view["name"].encode()) if "name" in view else b""
    for number, key in ((2, "alias"), (3, "timestamp")):
        if key in view:
            out += whole(number, view[key])
    kind = view.get("dataType")
    if kind is not None and view.get("declared", True):
        out += whole(4, DATATYPES.index(kind))
    for number, key in ((5, "is_historical"), (6, "is_transient"), (7, "is_null")):
        if key in view:
            out += whole(number, int(view[key]))
    if "properties" in view:
        out += block(9, _properties(view["properties"]))
    if "value" in view:
        out += _value(kind, view["value"])
    raw: bytes = view.get("raw", b"")
    return out + raw


def _value(kind: str | None, value: Any) -> bytes:
    if kind == "Boolean":
        return whole(14, int(value))
    if kind == "Float":
        return tag(12, 5) + struct.pack("<f", value)
    if kind == "Double":
        return tag(13, 1) + struct.pack("<d", value)
    if kind in ("String", "Text", "UUID"):
        return block(15, value.encode())
    return whole(11, value % 2**64) if kind in _LONG else whole(10, value % 2**32)


def _properties(given: Mapping[str, Any]) -> bytes:
    out = b"".join(block(1, key.encode()) for key in given)
    for value in given.values():
        said = block(8, value.encode()) if isinstance(value, str) else whole(3, value)
        out += block(2, whole(1, 12 if isinstance(value, str) else 3) + said)
    return out


def tag(number: int, wire: int) -> bytes:
    """The head of a field."""
    return varint(number << 3 | wire)


def whole(number: int, value: int) -> bytes:
    """A whole number in a field."""
    return tag(number, 0) + varint(value)


def block(number: int, inside: bytes) -> bytes:
    """Bytes in a field."""
    return tag(number, 2) + varint(len(inside)) + inside


def varint(value: int) -> bytes:
    """A number, seven bits to the byte, the lowest first."""
    out = bytearray()
    while value > 0x7F:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    out.append(value)
    return bytes(out)
