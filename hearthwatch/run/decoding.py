"""``hearthwatch decode``: what the conventions make of messages, without any store."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, BinaryIO, TextIO

import msgspec

from hearthwatch.errors import Invalid
from hearthwatch.ports import Convention
from hearthwatch.values import Message
from hearthwatch.wire.describe import describe, describe_error
from hearthwatch.wire.registry import Decoder


def decode_one(topic: str, payload: bytes, spoken: Sequence[Convention], out: TextIO, *, as_json: bool) -> None:
    """Decode one message and print what it says; raises `Invalid` when nothing of it could be read, after printing."""
    described = _decode(Decoder(spoken), Message(topic, payload, datetime.now(UTC)))
    text = msgspec.json.encode(described)
    out.write((text if as_json else msgspec.json.format(text, indent=2)).decode() + "\n")
    if described["error"] is not None:
        raise Invalid(described["error"])


def decode_lines(source: BinaryIO, spoken: Sequence[Convention], out: TextIO) -> None:
    """Decode JSON lines in order through one decoder; one line out for each line in, whatever it holds."""
    decoder = Decoder(spoken)
    for number, line in enumerate(source, start=1):
        if not line.strip():
            continue
        try:
            described = _decode(decoder, _message(line))
        except Invalid as error:
            described = describe_error(None, f"line {number}: {error}")
        out.write(msgspec.json.encode(described).decode() + "\n")
        out.flush()  # somebody may be watching a live stream


def _decode(decoder: Decoder, message: Message) -> Mapping[str, Any]:
    try:
        return describe(*decoder.decode(message))
    except Invalid as error:
        return describe_error(decoder.convention_of(message.topic), str(error))


def _message(line: bytes) -> Message:
    try:
        given = msgspec.json.decode(line)
    except (ValueError, RecursionError) as error:
        raise Invalid(f"not JSON: {error}") from None
    if not isinstance(given, dict) or not isinstance(given.get("topic"), str):
        raise Invalid('expected an object with a text "topic"')
    return Message(given["topic"], _payload(given), datetime.now(UTC), retain=given.get("retain") in (True, 1))


def _payload(given: Mapping[str, Any]) -> bytes:
    if "payload_base64" in given:
        try:
            return base64.b64decode(given["payload_base64"], validate=True)
        except (binascii.Error, ValueError, TypeError):
            raise Invalid("not base64", where="payload_base64") from None
    payload = given.get("payload", "")
    if isinstance(payload, str):
        return payload.encode("utf-8", "surrogatepass")
    return msgspec.json.encode(payload)
