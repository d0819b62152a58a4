"""The spool's file format: a segment is a file of records, each with its length and checksums.

::

    segment = magic, version, CRC-32 of both | record | record ...
    record  = header | payload
    header  = length of the payload, messages, oldest receipt (microseconds since 1970), CRC-32 of the payload, CRC-32 of the header
    payload = a MessagePack array of messages

The header has a checksum of its own: without it a flipped bit in a length would look like a record that was torn, and be cut off.
After a damaged header nothing is looked for: a device could have put a record of its own making into a payload.
"""

from __future__ import annotations

import os
import struct
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import msgspec

from hearthwatch.errors import Invalid, Unavailable
from hearthwatch.values import Message

_FIELDS = struct.Struct("<IIqI")
_CHECKSUM = struct.Struct("<I")
_MAGIC, _VERSION = b"HWSPOOL", 1
HEADER_BYTES = _FIELDS.size + _CHECKSUM.size
_CHUNK = 1 << 20
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)


def beginning(version: int = _VERSION) -> bytes:
    """What a segment begins with."""
    name = _MAGIC + bytes([version])
    return name + _CHECKSUM.pack(zlib.crc32(name))


START = len(beginning())
"""Where the first record of a segment begins."""

_Row = tuple[bytes, bytes, int, bool, int, bytes | None, int, bool]
_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(list[_Row]).decode


@dataclass(frozen=True, slots=True)
class Header:
    """What stands before a record's payload, and where. ``oldest_us``: microseconds since 1970."""

    offset: int
    length: int
    messages: int
    oldest_us: int
    checksum: int

    @property
    def end(self) -> int:
        """Where the next record begins."""
        return self.offset + HEADER_BYTES + self.length


@dataclass(frozen=True, slots=True)
class Scan:
    """What is in a segment: records and messages (those with a damaged payload too), and the end of the last one with a good header.

    ``torn``: a record was begun after it and not finished. ``damaged`` counts bytes that were whole once and cannot be read.
    """

    records: int
    messages: int
    end: int
    torn: bool
    damaged: int


def record_of(messages: Sequence[Message]) -> bytes:
    """A record that holds these messages, in this order."""
    payload = _encode([_row(message) for message in messages])
    oldest = min(microseconds(message.received_at) for message in messages)
    fields = _FIELDS.pack(len(payload), len(messages), oldest, zlib.crc32(payload))
    return fields + _CHECKSUM.pack(zlib.crc32(fields)) + payload


def header_at(file: int, offset: int) -> Header | None:
    """The header of the record that begins here; None where it is damaged or not whole."""
    raw = os.pread(file, HEADER_BYTES, offset)
    if len(raw) < HEADER_BYTES or zlib.crc32(raw[: _FIELDS.size]) != _CHECKSUM.unpack_from(raw, _FIELDS.size)[0]:
        return None
    return Header(offset, *_FIELDS.unpack_from(raw))


def payload_of(file: int, header: Header) -> bytes | None:
    """A record's payload, or None where it is damaged."""
    payload = os.pread(file, header.length, header.offset + HEADER_BYTES)
    return payload if len(payload) == header.length and zlib.crc32(payload) == header.checksum else None


def messages_of(payload: bytes) -> list[Message] | None:
    """The messages of a payload, or None where it holds something else."""
    try:
        return [_message(row) for row in _decode(payload)]
    except (ValueError, OverflowError):
        return None


def is_segment(file: int) -> bool:
    """Whether the file begins as a segment does. Raises `Unavailable` for one that a newer version wrote."""
    head = os.pread(file, START, 0)
    if len(head) < START or head != beginning(head[len(_MAGIC)]):
        return False
    if head[len(_MAGIC)] > _VERSION:
        raise Unavailable("a newer version of hearthwatch wrote to the spool; run that one until it is empty")
    return True


def scan(file: int, offset: int, size: int, *, thorough: bool = True) -> Scan:
    """Read all records from ``offset`` to ``size``. Payloads are looked at only when it is to be ``thorough``."""
    records = messages = damaged = 0
    while offset < size:
        header = header_at(file, offset)
        if header is None:
            torn = size - offset < HEADER_BYTES or is_empty(file, offset, size)
            return Scan(records, messages, offset, torn, damaged + (0 if torn else size - offset))
        if header.end > size:
            return Scan(records, messages, offset, True, damaged)
        if thorough and payload_of(file, header) is None:
            damaged += header.end - header.offset
        records += 1
        messages += header.messages
        offset = header.end
    return Scan(records, messages, offset, False, damaged)


def microseconds(at: datetime) -> int:
    """A time as microseconds since 1970."""
    return (at - _EPOCH) // _MICROSECOND


def instant(us: int) -> datetime:
    """The time of so many microseconds since 1970. Raises `Invalid` where there is none."""
    try:
        return _EPOCH + timedelta(microseconds=us)
    except OverflowError as error:
        raise Invalid("no such time") from error


def is_empty(file: int, offset: int, size: int) -> bool:
    """Whether nothing but zeros was written here: a file system may lengthen a file before its data come."""
    places = range(offset, size, _CHUNK)
    return not any(os.pread(file, min(_CHUNK, size - place), place).strip(b"\0") for place in places)


def _row(message: Message) -> _Row:
    # Text may hold half a surrogate pair, which is no UTF-8.
    user = None if message.user is None else message.user.encode("utf-8", "surrogatepass")
    return (
        message.topic.encode("utf-8", "surrogatepass"),
        message.payload,
        microseconds(message.received_at),
        message.retain,
        message.qos,
        user,
        message.packet_id,
        message.redelivered,
    )


def _message(row: _Row) -> Message:
    topic, payload, received_us, retain, qos, user, packet_id, redelivered = row
    return Message(
        topic.decode("utf-8", "surrogatepass"),
        payload,
        instant(received_us),
        retain,
        qos,
        None if user is None else user.decode("utf-8", "surrogatepass"),
        packet_id,
        redelivered,
    )
