"""The few MQTT packets that come by the thousand, as bytes. Everything else is left to the client library.

Source: OASIS MQTT 3.1.1 and 5.0, sections 2.2 (fixed header), 3.3 (PUBLISH) and 3.4 (PUBACK).
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

PUBLISH = 0x30
PUBACK = 0x40
_USER_PROPERTY = 0x26
_REFUSED = 0x80
_FIXED_SIZES = {0x01: 1, 0x02: 4, 0x23: 2}  # payload format, message expiry, topic alias
_TEXT_OR_BINARY = frozenset({0x03, 0x08, 0x09})  # content type, response topic, correlation data


class Malformed(ValueError):
    """Bytes that are no MQTT. The connection they came by cannot be trusted any further."""


class Delivery(NamedTuple):
    """One PUBLISH as it came. ``packet_id`` is 0 at QoS 0; ``user`` is the user property that was asked for."""

    topic: str
    payload: bytes
    packet_id: int
    qos: int
    dup: bool
    retain: bool
    user: str | None


class Packet(NamedTuple):
    """A packet: the first byte of its header, and everything after the length."""

    header: int
    body: bytes


def split(data: bytes) -> tuple[list[Packet], int]:
    """The whole packets at the beginning of ``data``, and how many bytes they take. Raises `Malformed`."""
    packets: list[Packet] = []
    start, size = 0, len(data)
    while start + 2 <= size:
        length, shift, at = 0, 0, start + 1
        while True:
            if at >= size:
                return packets, start
            byte = data[at]
            at += 1
            length |= (byte & 0x7F) << shift
            if byte < 0x80:
                break
            shift += 7
            if shift > 21:
                raise Malformed("a packet's length has more than four bytes")
        if at + length > size:
            break
        packets.append(Packet(data[start], data[at : at + length]))
        start = at + length
    return packets, start


def read_publish(packet: Packet, *, properties: bool, user_property: str | None = None) -> Delivery:
    """Decode a PUBLISH; ``properties`` is true for MQTT 5. Raises `Malformed`."""
    header, body = packet
    qos = header >> 1 & 3
    at = 2 + (body[0] << 8 | body[1]) if len(body) >= 2 else len(body) + 1
    topic, packet_id, user = body[2:at], 0, None
    if qos:
        at += 2
    if at > len(body) or qos == 3:
        raise Malformed("a PUBLISH packet ends too early")
    if qos:
        packet_id = body[at - 2] << 8 | body[at - 1]
    if properties:
        length, at = _variable(body, at)
        if length and user_property is not None:
            user = _user_property(body[at : at + length], user_property)
        at += length
        if at > len(body):
            raise Malformed("the properties of a PUBLISH packet end too early")
    text = topic.decode("utf-8", "replace")  # such a topic then belongs to no convention
    return Delivery(text, body[at:], packet_id, qos, bool(header & 8), bool(header & 1), user)


def read_puback(packet: Packet) -> tuple[int, int]:
    """Packet id and reason code (0 where none is given) of a PUBACK. Raises `Malformed`."""
    body = packet.body
    if len(body) < 2:
        raise Malformed("a PUBACK packet ends too early")
    return body[0] << 8 | body[1], body[2] if len(body) > 2 else 0


def is_refusal(reason: int) -> bool:
    """Whether a reason code says that the broker did not take the message."""
    return reason >= _REFUSED


def pubacks(packet_ids: Iterable[int]) -> bytes:
    """PUBACK packets, joined, in the order given."""
    return b"".join(b"\x40\x02" + packet_id.to_bytes(2, "big") for packet_id in packet_ids)


def publish(topic: str, payload: bytes, packet_id: int, *, retain: bool, properties: bool) -> bytes:
    """A PUBLISH packet at QoS 1 without properties."""
    name = topic.encode()
    head = len(name).to_bytes(2, "big") + name + packet_id.to_bytes(2, "big") + (b"\0" if properties else b"")
    return bytes((0x33 if retain else 0x32,)) + _length(len(head) + len(payload)) + head + payload


def _length(number: int) -> bytes:
    encoded = bytearray()
    while number > 0x7F:
        encoded.append(number & 0x7F | 0x80)
        number >>= 7
    encoded.append(number)
    return bytes(encoded)


def _variable(body: bytes, at: int) -> tuple[int, int]:
    number = 0
    for shift in (0, 7, 14, 21):
        if at >= len(body):
            break
        byte = body[at]
        at += 1
        number |= (byte & 0x7F) << shift
        if byte < 0x80:
            return number, at
    raise Malformed("a variable-length number does not end")


def _user_property(data: bytes, name: str) -> str | None:
    """The last user property of a name: brokers that add the sender's name put theirs behind the sender's own."""
    found, at = None, 0
    while at < len(data):
        kind = data[at]
        at += 1
        if kind == _USER_PROPERTY:
            key, at = _text(data, at)
            value, at = _text(data, at)
            if key == name:
                found = value
        elif kind in _TEXT_OR_BINARY:
            _, at = _text(data, at)
        elif kind in _FIXED_SIZES:
            at += _FIXED_SIZES[kind]
        else:  # a subscription identifier, or nothing that belongs here
            _, at = _variable(data, at)
    return found


def _text(data: bytes, at: int) -> tuple[str, int]:
    end = at + 2 + int.from_bytes(data[at : at + 2], "big")
    if end > len(data):
        raise Malformed("a property ends too early")
    return data[at + 2 : end].decode("utf-8", "replace"), end
