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
    """A packet of another kind: the first byte of its header, and everything after the length."""

    header: int
    body: bytes


class Incoming(NamedTuple):
    """The whole packets at the beginning of some bytes, by kind, and how many bytes they take.

    ``answers`` are (packet id, reason code) of PUBACK packets; the code is 0 where none is given.
    """

    deliveries: list[Delivery]
    answers: list[tuple[int, int]]
    others: list[Packet]
    used: int


def read(data: bytes, *, properties: bool, user_property: str | None = None) -> Incoming:
    """Take bytes apart; ``properties`` is true for MQTT 5. Raises `Malformed`.

    One loop without calls for the usual packet: this runs for every message there is.
    """
    deliveries: list[Delivery] = []
    answers: list[tuple[int, int]] = []
    others: list[Packet] = []
    start, size = 0, len(data)
    while start + 2 <= size:
        header, length, at = data[start], data[start + 1], start + 2
        if length > 0x7F:
            length, at = _remaining_length(data, start + 1)
        end = at + length
        if at == 0 or end > size:
            break
        kind = header & 0xF0
        if kind == PUBLISH:
            deliveries.append(_publish(data, header, at, end, properties, user_property))
        elif kind == PUBACK:
            if length < 2:
                raise Malformed("a PUBACK packet ends too early")
            answers.append((data[at] << 8 | data[at + 1], data[at + 2] if length > 2 else 0))
        else:
            others.append(Packet(header, data[at:end]))
        start = end
    return Incoming(deliveries, answers, others, start)


def _publish(data: bytes, header: int, at: int, end: int, properties: bool, user_property: str | None) -> Delivery:
    qos = header >> 1 & 3
    if end - at < 2 or qos == 3:
        raise Malformed("a PUBLISH packet ends too early, or has no quality of service")
    here = at + 2 + (data[at] << 8 | data[at + 1])
    topic = data[at + 2 : here].decode("utf-8", "replace")  # a topic that is no UTF-8 belongs to no convention
    packet_id, user = 0, None
    if qos:
        if here + 2 > end:
            raise Malformed("a PUBLISH packet ends too early")
        packet_id = data[here] << 8 | data[here + 1]
        here += 2
    if properties:
        if here >= end:
            raise Malformed("a PUBLISH packet ends too early")
        length = data[here]
        here += 1
        if length:
            length, here = _variable(data, here - 1)
            if here + length > end:
                raise Malformed("the properties of a PUBLISH packet end too early")
            if user_property is not None:
                user = _user_property(data[here : here + length], user_property)
            here += length
    if here > end:
        raise Malformed("a PUBLISH packet ends too early")
    return Delivery(topic, data[here:end], packet_id, qos, header & 8 != 0, header & 1 != 0, user)


def _remaining_length(data: bytes, at: int) -> tuple[int, int]:
    """A packet's length and where its body begins; (0, 0) while that is not here yet."""
    length = 0
    for shift in (0, 7, 14, 21):
        if at >= len(data):
            return 0, 0
        byte = data[at]
        at += 1
        length |= (byte & 0x7F) << shift
        if byte < 0x80:
            return length, at
    raise Malformed("a packet's length has more than four bytes")


def is_refusal(reason: int) -> bool:
    """Whether a reason code says that the broker did not take the message."""
    return reason >= _REFUSED


def pubacks(packet_ids: Iterable[int]) -> bytes:
    """PUBACK packets, joined, in the order given."""
    return b"".join(b"\x40\x02" + packet_id.to_bytes(2, "big") for packet_id in packet_ids)


def publish(
    topic: str,
    payload: bytes,
    packet_id: int,
    *,
    retain: bool,
    properties: bool,
    response: tuple[str, bytes] | None = None,
) -> bytes:
    """A PUBLISH packet at QoS 1. Of all properties it has at most a response topic with its correlation data (MQTT 5, 3.3.2.3)."""
    name = topic.encode()
    told = b"" if not properties else b"\0" if response is None else _response_properties(*response)
    head = len(name).to_bytes(2, "big") + name + packet_id.to_bytes(2, "big") + told
    return bytes((0x33 if retain else 0x32,)) + _length(len(head) + len(payload)) + head + payload


def _response_properties(topic: str, correlation: bytes) -> bytes:
    name = topic.encode()
    body = b"\x08" + len(name).to_bytes(2, "big") + name + b"\x09" + len(correlation).to_bytes(2, "big") + correlation
    return _length(len(body)) + body


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
