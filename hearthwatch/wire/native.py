"""The native convention: ``hearthwatch/v1/{device}/...``, described in docs/wire.md.

The encoders are what a device (and the simulated fleet) sends; `Native` reads it. ``decode(encode(x)) == x``.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import msgspec

from hearthwatch.errors import Invalid
from hearthwatch.ports import State
from hearthwatch.values import Decoded, Event, Identity, Message, Presence, Reply, Value
from hearthwatch.wire.hardware_address import address_of, spelled
from hearthwatch.wire.instants import parse_instant, spell
from hearthwatch.wire.limits import KNOWN_COPY, check_detail, check_device, optional_count, optional_text
from hearthwatch.wire.native_memory import firmware_of, is_older, is_repeated, remember, remember_presence
from hearthwatch.wire.native_telemetry import decode_telemetry
from hearthwatch.wire.payload import parse_object

STREAM = "native"
ROOT = "hearthwatch/v1"
_PREFIX = ROOT + "/"
_READ = ("telemetry", "event", "presence", "identity", "reply")
_KINDS = frozenset({*_READ, "command"})

Samples = Iterable[tuple[datetime | None, Mapping[str, float]]]
Encoded = tuple[str, bytes]


class Native:
    """Decoder of the native topics. State per device: the firmware it last named, its newest boots, its presence."""

    name = "native"
    filters = tuple(f"{ROOT}/+/{kind}" for kind in _READ)
    shareable = tuple(f"{ROOT}/+/{kind}" for kind in ("telemetry", "event"))

    def partition(self, topic: str) -> str | None:
        """The device of a native topic, well-formed or not; None for other topics."""
        if not topic.startswith(_PREFIX):
            return None
        parts = topic[len(_PREFIX) :].split("/")
        return parts[0] if len(parts) == 2 and parts[1] in _KINDS else None

    def decode(self, state: State | None, message: Message) -> tuple[Decoded, State | None]:
        """Values of one message. Raises `Invalid` when all of it is malformed."""
        device, _, kind = message.topic[len(_PREFIX) :].partition("/")
        if not message.topic.startswith(_PREFIX) or kind not in _KINDS:
            raise Invalid("not a native topic")
        check_device(device)
        if message.user is not None and message.user != device:
            raise Invalid("sent by another user than the device of its topic")
        if kind == "telemetry":
            return decode_telemetry(device, state, message)
        if kind == "command":
            return Decoded(ignored="a command to the device, not a message from it"), state
        given = parse_object(message.payload)
        if given.get("device", device) != device:
            raise Invalid("the payload names another device than the topic")
        if kind == "presence":
            return _presence(device, state, message, given)
        value, state = _READERS[kind](device, state, message, given)
        return Decoded((value,)), state


def _at(given: Mapping[str, Any], received_at: datetime) -> datetime:
    at = given.get("at")
    return received_at if at is None else parse_instant(at)


def _event(device: str, state: State | None, message: Message, given: Mapping[str, Any]) -> tuple[Value, State | None]:
    boot, seq = optional_text(given.get("boot"), "boot"), optional_count(given.get("seq"), "seq")
    if given.get("at") is None and (boot is None or seq is None):
        raise Invalid("an event without a time needs boot and seq")
    kind = optional_text(given.get("kind"), "kind")
    if kind is None:
        raise Invalid("an event needs a kind")
    said = optional_text(given.get("fw"), "fw")
    event = Event(
        device=device,
        stream=STREAM,
        at=_at(given, message.received_at),
        kind=kind,
        code=optional_text(given.get("code"), "code") or "",
        detail=check_detail(given.get("detail")),
        firmware=said or firmware_of(state, boot),
        boot=boot,
        seq=seq,
    )
    return event, remember(state, firmware=said, boot=boot)


def _presence(
    device: str, state: State | None, message: Message, given: Mapping[str, Any]
) -> tuple[Decoded, State | None]:
    online, boot = given.get("online"), optional_text(given.get("boot"), "boot")
    if not isinstance(online, bool):
        raise Invalid("online is not true or false")
    said = optional_text(given.get("fw"), "fw")
    at = _at(given, message.received_at)
    if not online and is_older(state, boot):
        return Decoded(ignored="the last will of an older boot"), state
    if message.retain and given.get("at") is None and is_repeated(state, online=online, boot=boot):
        return Decoded(ignored=KNOWN_COPY), state
    value = Presence(
        device=device, stream=STREAM, at=at, online=online, boot=boot, firmware=said or firmware_of(state, boot)
    )
    state = remember(state, firmware=said, boot=boot, insists=online)
    return Decoded((value,)), remember_presence(state, online=online, boot=boot)


def _identity(
    device: str, state: State | None, message: Message, given: Mapping[str, Any]
) -> tuple[Value, State | None]:
    parts = check_detail(given.get("parts"), "parts")
    if not all(isinstance(detail, str) for detail in parts.values()):
        raise Invalid("parts are not texts")
    identity = Identity(
        device=device,
        at=_at(given, message.received_at),
        model=optional_text(given.get("model"), "model"),
        hardware=optional_text(given.get("hardware"), "hardware"),
        firmware=optional_text(given.get("fw"), "fw"),
        serial=optional_text(given.get("serial"), "serial"),
        made=optional_text(given.get("made"), "made"),
        parts=parts,
        convention=STREAM,
        hardware_address=_address(given),
    )
    return identity, remember(state, firmware=identity.firmware, boot=optional_text(given.get("boot"), "boot"))


def _address(given: Mapping[str, Any]) -> str | None:
    said = optional_text(given.get("mac"), "mac")
    if said is not None and spelled(said) is None:
        raise Invalid("mac is not a MAC address of 12 digits or an IEEE address of 16")
    return address_of(said)


def _reply(device: str, state: State | None, message: Message, given: Mapping[str, Any]) -> tuple[Value, State | None]:
    id_, ok = optional_text(given.get("id"), "id"), given.get("ok")
    if id_ is None:
        raise Invalid("a reply needs the id of its command")
    if not isinstance(ok, bool):
        raise Invalid("ok is not true or false")
    detail = check_detail(given.get("detail"))
    return Reply(device=device, at=_at(given, message.received_at), id=id_, ok=ok, detail=detail), state


_READERS = {"event": _event, "identity": _identity, "reply": _reply}


# -- what a device sends ------------------------------------------------------------------------------------------------


def telemetry(
    device: str, samples: Samples, *, fw: str | None = None, boot: str | None = None, seq: int | None = None
) -> Encoded:
    """Samples of ``(at, metrics)`` as one message. Without a clock ``at`` is None; several such samples count up from ``seq``."""
    rows: list[dict[str, Any]] = []
    for place, (at, metrics) in enumerate(samples):
        row: dict[str, Any] = {"m": dict(metrics)}
        if at is not None:
            row["at"] = at.astimezone(UTC)
        elif seq is not None and place:
            row["seq"] = seq + place
        rows.append(row)
    return _encode(device, "telemetry", {"fw": fw, "boot": boot, "seq": seq, "samples": rows})


def event(value: Event, *, clockless: bool = False) -> Encoded:
    """An event of a device; ``clockless`` leaves its time out."""
    given = {
        "at": None if clockless else spell(value.at),
        "fw": value.firmware,
        "boot": value.boot,
        "seq": value.seq,
        "kind": value.kind,
        "code": value.code or None,
        "detail": dict(value.detail) or None,
    }
    return _encode(value.device, "event", given)


def presence(value: Presence) -> Encoded:
    """What a device publishes, retained, when it came (or when it leaves in an orderly way)."""
    given = {"online": value.online, "boot": value.boot, "fw": value.firmware, "at": spell(value.at)}
    return _encode(value.device, "presence", given)


def will(device: str, boot: str | None = None) -> Encoded:
    """The last will to give to the broker at connect, retained: it has no time, because it is fixed long before it is sent."""
    return _encode(device, "presence", {"online": False, "boot": boot})


def identity(value: Identity, *, boot: str | None = None) -> Encoded:
    """What a device says about itself, retained. With ``boot`` late data of earlier boots keeps its own firmware."""
    given = {
        "at": spell(value.at),
        "model": value.model,
        "hardware": value.hardware,
        "fw": value.firmware,
        "boot": boot,
        "serial": value.serial,
        "made": value.made,
        "parts": dict(value.parts) or None,
        "mac": value.hardware_address,
    }
    return _encode(value.device, "identity", given)


def reply(value: Reply) -> Encoded:
    """A device's answer to a command."""
    given = {"id": value.id, "ok": value.ok, "at": spell(value.at), "detail": dict(value.detail) or None}
    return _encode(value.device, "reply", given)


def command(device: str, id: str, kind: str, **fields: Any) -> Encoded:  # noqa: A002 - the wire calls it id
    """A command to a device: ``update`` with a ``version``, ``diagnose``, ..."""
    return _encode(device, "command", {"id": id, "kind": kind, **fields})


@dataclass(frozen=True, slots=True)
class Command:
    """A command as a device reads it; ``fields`` is the rest of the payload."""

    device: str
    id: str
    kind: str
    fields: Mapping[str, Any]


def command_filter(device: str = "+") -> str:
    """The topic filter a device subscribes to."""
    return f"{ROOT}/{device}/command"


def parse_command(topic: str, payload: bytes) -> Command:
    """A command as its device reads it. Raises `Invalid`."""
    parts = topic.split("/")
    if len(parts) != 4 or not topic.startswith(_PREFIX) or parts[3] != "command":
        raise Invalid("not a command topic")
    given = dict(parse_object(payload))
    id_, kind = optional_text(given.pop("id", None), "id"), optional_text(given.pop("kind", None), "kind")
    if id_ is None or kind is None:
        raise Invalid("a command needs an id and a kind")
    return Command(device=check_device(parts[2]), id=id_, kind=kind, fields=check_detail(given, "command"))


def _encode(device: str, kind: str, given: Mapping[str, Any]) -> Encoded:
    return f"{ROOT}/{check_device(device)}/{kind}", msgspec.json.encode(_without_none(given))


def _without_none(given: Mapping[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in given.items() if value is not None}
