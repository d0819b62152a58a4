"""The one command of Sparkplug B that we send: ``Node Control/Rebirth``.

Source: Sparkplug 3.0.0, 5.11 and 6.4.6; field numbers as in `hearthwatch.wire.sparkplug_payload`. An NCMD has no ``seq``.
"""

from __future__ import annotations

from datetime import datetime

_METRIC = b"Node Control/Rebirth"
_BOOLEAN = 11
"""The datatype's number."""


def rebirth(at: datetime) -> bytes:
    """The payload that asks an edge node to publish its birth certificates again."""
    milliseconds = int(at.timestamp() * 1000)
    metric = _block(1, _METRIC) + _whole(3, milliseconds) + _whole(4, _BOOLEAN) + _whole(14, 1)
    return _whole(1, milliseconds) + _block(2, metric)


def _whole(field: int, value: int) -> bytes:
    return _varint(field << 3) + _varint(value)


def _block(field: int, content: bytes) -> bytes:
    return _varint(field << 3 | 2) + _varint(len(content)) + content


def _varint(value: int) -> bytes:
    out = bytearray()
    while value > 0x7F:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    out.append(value)
    return bytes(out)
