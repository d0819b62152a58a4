"""The bytes of a Sparkplug B payload, read as far as they are of use.

Field numbers are those of ``sparkplug_b.proto`` of Eclipse Tahu (github.com/eclipse-tahu/tahu, EPL-2.0; also in the Sparkplug 3.0
specification, chapter 6); encoding: protobuf.dev/programming-guides/encoding. Why this is read by hand: docs/adr/0011.
Reading goes down three levels (metric, properties, property) and never into templates or data sets, takes time in proportion to
the bytes, and holds one object per metric, of which there is a limit.
"""

from __future__ import annotations

import math
import struct
from collections.abc import Iterator
from dataclasses import dataclass

from hearthwatch.errors import Invalid
from hearthwatch.wire.limits import MAX_TEXT, is_wholesome

MAX_METRICS = 4096
"""Metrics of one payload."""
MAX_PROPERTIES = 64
"""Properties of one metric that are looked at."""
NAME_LIMIT = MAX_TEXT
"""Characters of a metric's name; a longer one names nothing."""

_VARINT, _FIXED64, _BYTES, _FIXED32 = 0, 1, 2, 5
_LARGEST_FIELD = 2**29 - 1
_UNITS = frozenset({"engunit", "engineeringunits", "engineering units", "unit", "units"})
_NOT_GOOD = frozenset({0, 500})
"""Values of the property ``Quality``: 0 is BAD, 500 STALE, 192 GOOD (specification, 6.4.17)."""

Field = tuple[int, int, int | bytes]
"""(number, wire type, the number or the bytes)."""


@dataclass(slots=True)
class Metric:
    """One metric as sent. ``value`` has the type of its field; None where there is none that can be a measurement or a text."""

    name: str | None = None
    alias: int | None = None
    timestamp: int | None = None
    datatype: int = 0
    historical: bool = False
    transient: bool = False
    null: bool = False
    value: int | float | bool | str | None = None
    compound: bool = False
    unit: str | None = None
    good: bool = True


@dataclass(slots=True)
class Payload:
    """A payload; times are in milliseconds since 1970."""

    metrics: list[Metric]
    timestamp: int | None = None
    seq: int | None = None

    def session(self) -> int | None:
        """The ``bdSeq``: the number of the session that a certificate of an edge node belongs to."""
        said = next((metric.value for metric in self.metrics if metric.name == "bdSeq"), None)
        return said if isinstance(said, int) and not isinstance(said, bool) else None


def parse_payload(raw: bytes) -> Payload:
    """A payload out of any bytes. Raises `Invalid` for everything that is not one, or that has too many metrics."""
    payload = Payload([])
    compressed = False
    for number, wire, value in _fields(raw):
        if number == 2:
            if len(payload.metrics) >= MAX_METRICS:
                raise Invalid(f"more than {MAX_METRICS} metrics in one payload")
            payload.metrics.append(_metric(_bytes(wire, value)))
        elif number == 1:
            payload.timestamp = _whole(wire, value)
        elif number == 3:
            payload.seq = _whole(wire, value)
        elif number == 4:
            compressed = _text(_bytes(wire, value)) == "SPBV1.0_COMPRESSED"
    if compressed:
        raise Invalid("a compressed payload, which is not read")
    return payload


def _metric(raw: bytes) -> Metric:
    metric = Metric()
    for number, wire, value in _fields(raw):
        if number == 1:
            metric.name = _text(_bytes(wire, value))
        elif number == 2:
            metric.alias = _whole(wire, value)
        elif number == 3:
            metric.timestamp = _whole(wire, value)
        elif number == 4:
            metric.datatype = _whole(wire, value) & 0xFFFFFFFF
        elif number in (5, 6, 7):
            _flag(metric, number, _whole(wire, value) != 0)
        elif number == 9:
            _properties(metric, _bytes(wire, value))
        elif 10 <= number <= 19:  # a oneof: the last one counts
            metric.value = _value(number, wire, value)
            metric.compound = number in (16, 17, 18, 19)
    return metric


def _flag(metric: Metric, number: int, said: bool) -> None:
    if number == 5:
        metric.historical = said
    elif number == 6:
        metric.transient = said
    else:
        metric.null = said


def _value(number: int, wire: int, value: int | bytes) -> int | float | bool | str | None:
    if number == 10:
        return _whole(wire, value) & 0xFFFFFFFF
    if number == 11:
        return _whole(wire, value)
    if number == 14:
        return _whole(wire, value) != 0
    if number == 12:
        return _real(wire, value, _FIXED32)
    if number == 13:
        return _real(wire, value, _FIXED64)
    inside = _bytes(wire, value)
    return _text(inside) if number == 15 and len(inside) <= 4 * MAX_TEXT else None


def _properties(metric: Metric, raw: bytes) -> None:
    """Unit and quality: ``keys`` and ``values`` are lists side by side."""
    keys: list[str] = []
    values: list[bytes] = []
    for number, wire, value in _fields(raw):
        if number == 1 and len(keys) < MAX_PROPERTIES:
            keys.append(_text(_bytes(wire, value)).lower())
        elif number == 2 and len(values) < MAX_PROPERTIES:
            values.append(_bytes(wire, value))
    for key, inside in zip(keys, values, strict=False):
        if key in _UNITS:
            metric.unit = next(
                (_text(_bytes(wire, value)) for n, wire, value in _fields(inside) if n == 8), metric.unit
            )
        elif key == "quality":
            metric.good = not any(_whole(wire, value) in _NOT_GOOD for n, wire, value in _fields(inside) if n in (3, 4))


# -- the encoding -----------------------------------------------------------------------------------------------------------


def _fields(raw: bytes) -> Iterator[Field]:
    """The fields of one message, in order. Raises `Invalid` at the first that is cut off or not of this encoding."""
    at, end = 0, len(raw)
    while at < end:
        key, at = (raw[at], at + 1) if raw[at] < 0x80 else _varint(raw, at)
        number, wire = key >> 3, key & 7
        if not 1 <= number <= _LARGEST_FIELD:
            raise Invalid("not a Sparkplug payload: no such field")
        if wire == _VARINT:
            value, at = _varint(raw, at)
            yield number, wire, value
            continue
        if wire == _BYTES:
            length, at = _varint(raw, at)
        elif wire in (_FIXED32, _FIXED64):
            length = 4 if wire == _FIXED32 else 8
        else:
            raise Invalid("not a Sparkplug payload: a wire type that it does not use")
        if length > end - at:
            raise Invalid("not a Sparkplug payload: a field is longer than what is left")
        yield number, wire, raw[at : at + length]
        at += length


def _varint(raw: bytes, at: int) -> tuple[int, int]:
    """A number of at most 64 bits and where it ends."""
    if at < len(raw) and raw[at] < 0x80:
        return raw[at], at + 1
    value = shift = 0
    for place in range(at, min(at + 10, len(raw))):
        byte = raw[place]
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value & 0xFFFFFFFFFFFFFFFF, place + 1
        shift += 7
    raise Invalid("not a Sparkplug payload: a number without an end")


def _whole(wire: int, value: int | bytes) -> int:
    if wire != _VARINT or not isinstance(value, int):
        raise Invalid("not a Sparkplug payload: a field of another type")
    return value


def _bytes(wire: int, value: int | bytes) -> bytes:
    if wire != _BYTES or isinstance(value, int):
        raise Invalid("not a Sparkplug payload: a field of another type")
    return value


def _real(wire: int, value: int | bytes, expected: int) -> float:
    if wire != expected or isinstance(value, int):
        raise Invalid("not a Sparkplug payload: a field of another type")
    return _shortest(value) if wire == _FIXED32 else float(struct.unpack("<d", value)[0])


def _shortest(raw: bytes) -> float:
    """The shortest decimal that is this very Float: 12.1, where the double nearest to it would read 12.100000381469727."""
    exact = float(struct.unpack("<f", raw)[0])
    if not math.isfinite(exact) or exact == int(exact):
        return exact
    shorter = (float(f"{exact:.{digits}g}") for digits in (6, 7, 8))
    return next((one for one in shorter if _as_float(one) == raw), exact)


def _as_float(value: float) -> bytes:
    try:
        return struct.pack("<f", value)
    except OverflowError:  # rounded up beyond the largest of them
        return b""


def _text(raw: bytes) -> str:
    try:
        text = str(raw, "utf-8")
    except UnicodeDecodeError:
        raise Invalid("not UTF-8") from None
    if not is_wholesome(text):
        raise Invalid("holds a text that cannot be stored")
    return text
