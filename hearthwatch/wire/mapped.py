"""A maker's own topics, read as a mapping file says; docs/wire.md describes the file.

Every table whose filter matches a topic reads the message, in the file's order. State: where every filter has ``{device}``, one for each
device; else one for all of the mapping: ``{"devices": {board: {device: state}}, "names": {board: {name: device or presence}}}``.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime
from functools import lru_cache
from typing import Any, NamedTuple

from hearthwatch.errors import Invalid
from hearthwatch.ports import State
from hearthwatch.values import Decoded, Message, Rejection
from hearthwatch.wire.draft import Draft, label
from hearthwatch.wire.drafts import Drafts
from hearthwatch.wire.hardware_address import mac_of
from hearthwatch.wire.instants import spell
from hearthwatch.wire.limits import MAX_SAMPLES, check_detail, shown
from hearthwatch.wire.mapped_fields import Given, boot_of, instant, own_id, quantity, text
from hearthwatch.wire.mapped_file import (
    REBOOT_CODES,
    Claims,
    Comings,
    Happening,
    Ignored,
    MappingFile,
    ReadingTable,
    Telemetry,
    paths_of,
    spelled,
)
from hearthwatch.wire.mapped_path import MISSING
from hearthwatch.wire.mapped_topics import Place
from hearthwatch.wire.payload import parse_json, parse_text
from hearthwatch.wire.rejections import bounded
from hearthwatch.wire.shelf import Shelf

ALL = "~"
"""The partition of a mapping whose devices are only named in payloads. No device is called so."""
MAX_KNOWN = 10_000
"""Devices, and names of devices, that such a partition remembers."""
ROUTES_KEPT = 4096
"""Topics of which it is remembered what they mean."""
MAX_PLAIN = 4096
"""Characters of a payload that is no JSON."""

OLD = "a retained copy without a time"
NOT_NAMED = "an event that the mapping does not name"


class _Nothing(Invalid):
    """No path of a table leads to a value of this message."""


class _Route(NamedTuple):
    """What a topic means: whose state it belongs to, the tables that read it (with what its levels say, and the stream), or why none."""

    partition: str | None
    reading: tuple[tuple[ReadingTable, Place, str], ...]
    ignored: Ignored | None


class Mapped:
    """Decoder of one mapping file."""

    shareable: tuple[str, ...] = ()

    def __init__(self, mapping: MappingFile) -> None:
        self.name = mapping.name
        self.filters = tuple(dict.fromkeys(table.filter.subscription for table in mapping.readings))
        self.by_topic = mapping.by_topic
        self._readings, self._ignored = mapping.readings, mapping.ignored
        self._shared_levels = _shared_levels(mapping)
        self._route = lru_cache(maxsize=ROUTES_KEPT)(self._find)
        self._plain = {id(table): _is_plain(table) for table in mapping.readings}
        self._tells = {kind: mapping.tells(kind) for kind in ("reboot", "update")}

    def partition(self, topic: str) -> str | None:
        """The device of a topic, where every topic names one."""
        return self._route(topic).partition

    def _find(self, topic: str) -> _Route:
        reading: list[tuple[ReadingTable, Place, str]] = []
        for table in self._readings:
            place = table.filter.match(topic)
            if place is not None:
                stream = table.filter.stream(place, self._shared_levels)
                reading.append((table, place, f"{stream}.{len(reading) + 1}" if reading else stream))
        skipped = next((one for one in self._ignored if one.filter.match(topic)), None)
        if not reading:
            return _Route(None if skipped is None else ALL, (), skipped)
        own = reading[0][1].device if self.by_topic else None
        return _Route(ALL if own is None else mac_of(own) or own, tuple(reading), skipped)

    def decode(self, state: State | None, message: Message) -> tuple[Decoded, State | None]:
        """Values of one message. Raises `Invalid` when all of it is malformed."""
        route = self._route(message.topic)
        if not route.reading:
            if route.ignored is None:
                raise Invalid(f"not a topic of {self.name}")
            return Decoded(ignored=route.ignored.reason), state
        if not message.payload:
            return Decoded(ignored="an empty message, which takes a retained one back"), state
        answer = _Answer(self, state, message)
        for table, place, stream in route.reading:
            answer.read(table, place, stream)
        return answer.finish()

    def is_plain(self, table: ReadingTable) -> bool:
        """Whether a table reads payloads that are no JSON."""
        return self._plain[id(table)]

    def tells(self, event: str) -> bool:
        """Whether events of this kind come in messages of their own."""
        return self._tells[event]


def _is_plain(table: ReadingTable) -> bool:
    paths = paths_of(table).values()
    return bool(paths) and all(path.is_plain for path in paths)


def _shared_levels(mapping: MappingFile) -> int:
    """How many first levels all filters have in common; they tell no two messages apart."""
    shared = 0
    for levels in zip(*(table.filter.levels[:-1] for table in mapping.readings), strict=False):
        if len(set(levels)) > 1 or levels[0][0] in "{+#":
            break
        shared += 1
    return shared


class _Answer:
    """What the tables made of one message so far."""

    def __init__(self, mapped: Mapped, state: State | None, message: Message) -> None:
        self._mapped = mapped
        self._given = state
        self._message = message
        known = state if isinstance(state, dict) else {}
        self._devices = Shelf(None if mapped.by_topic else known.get("devices"))
        self._names = Shelf(None if mapped.by_topic else known.get("names"))
        self._own = own = mapped.partition(message.topic)
        self._drafts = Drafts(
            mapped.name,
            (lambda device: state if device == own else None) if mapped.by_topic else self._devices.get,
            message,
        )
        self._rejected: list[Rejection] = []
        self._problems: list[tuple[str, Invalid]] = []
        self._ignored: str | None = None
        self._json: Any = MISSING

    # -- reading

    def read(self, table: ReadingTable, place: Place, stream: str) -> None:
        """Let one table read the message; what is wrong with it is kept for `finish`."""
        try:
            given = Given(self._message, place, self._payload(table))
            if isinstance(table, Telemetry) and table.samples is not None:
                self._batch(table, given, stream)
            else:
                _READ[type(table)](self, table, given, stream)
        except Invalid as problem:
            self._problems.append((table.filter.text, problem))

    def _payload(self, table: ReadingTable) -> Any:
        if self._mapped.is_plain(table):
            plain = parse_text(self._message.payload, limit=MAX_PLAIN)
            return plain[1:-1] if len(plain) > 1 and plain[0] == plain[-1] == '"' else plain
        if self._json is MISSING:
            self._json = parse_json(self._message.payload)
        return self._json

    def _batch(self, table: Telemetry, given: Given, stream: str) -> None:
        assert table.samples is not None
        samples = table.samples.of(given.payload)
        if len(samples) > MAX_SAMPLES:
            raise Invalid(f"{len(samples)} samples in one message, at most {MAX_SAMPLES} are taken")
        if not samples:
            self._ignore("a batch without samples")
        for number, sample in enumerate(samples):
            part = f"samples[{number}]"
            one = Given(given.message, given.place, given.payload, sample)
            try:
                self.telemetry(table, one, stream, part=f"{part}.", alone=len(samples) == 1)
            except Invalid as problem:
                self._rejected.append(Rejection(problem.message, part))

    def telemetry(self, table: Telemetry, given: Given, stream: str, part: str = "", *, alone: bool = True) -> None:
        """A reading of one sample, and the reboot that its uptime shows."""
        draft = self._draft(table, given)
        at, (boot, seq) = instant(table, given), boot_of(table, given)
        firmware = self._learn_firmware(draft, table, given, stream, at)
        metrics, found = _metrics(draft, table, given, part)
        if not (found or firmware):
            raise _Nothing(f"no path of the metrics leads to a value: {', '.join(_leads(table)[:5])}")
        counted = boot is not None and seq is not None
        if at is None and self._message.retain:
            return self._ignore(OLD)
        if at is None and not alone and not counted:
            raise Invalid("a sample of a batch needs a time, or boot and seq")
        came = at or self._message.received_at
        if "uptime_s" in metrics and not self._mapped.tells("reboot"):
            code, detail = _cause(text(table.reboot, given), given.at(table.reboot.path if table.reboot else None))
            draft.learn_uptime(stream, came, metrics["uptime_s"], code, detail)
        draft.reading(
            stream, came, metrics, firmware=firmware, boot=boot, seq=seq, clockless=at is None and counted
        )  # fmt: skip
        return None

    def happening(self, table: Happening, given: Given, stream: str) -> None:
        """An event."""
        draft = self._draft(table, given)
        at, (boot, seq) = instant(table, given), boot_of(table, given)
        self._learn_firmware(draft, table, given, stream, at)
        kind = text(table.event, given)
        if kind is None:
            if given.at(table.event.path) is MISSING:
                raise _Nothing(f"no event at {_spell_path(table.event.path)}")
            return self._ignore(NOT_NAMED)
        if at is None and self._message.retain:
            return self._ignore(OLD)
        code = text(table.code, given)
        raw = given.at(table.code.path) if table.code is not None else MISSING
        said = {name: value for name, path in table.detail.items() if (value := given.at(path)) is not MISSING}
        if kind == "reboot":
            code, reason = _cause(code, raw)
            code = draft.reboot_code(code)
        else:
            reason = {} if raw is MISSING or raw == code else {"reason": spelled(raw)}
        detail = check_detail({**reason, **said})
        draft.event(stream, at or self._message.received_at, kind, code or "", detail, boot=boot, seq=seq)
        if kind == "reboot":
            draft.keep("boot_fw", draft.firmware)
        return None

    def comings(self, table: Comings, given: Given, stream: str) -> None:
        """A presence."""
        value = given.at(table.path)
        if value is MISSING:
            raise _Nothing(f"no presence at {table.path.text}")
        said = (spelled(value) or "").casefold()
        if said not in table.online | table.offline:
            raise Invalid(f"neither online nor offline: {shown(value)}")
        online = said in table.online
        draft = self._draft_or_wait(table, given, online)
        if draft is None:
            return self._ignore("it is not known yet whose name this is; the presence waits for that")
        at, (boot, _) = instant(table, given), boot_of(table, given)
        self._learn_firmware(draft, table, given, stream, at)
        why = draft.presence(stream, online=online, at=at, boot=boot)
        return None if why is None else self._ignore(why)

    def claims(self, table: Claims, given: Given, stream: str) -> None:
        """An identity. A device that is its hardware's address has that as its serial, unless it says another."""
        draft = self._draft(table, given)
        firmware = self._learn_firmware(draft, table, given, stream, instant(table, given))
        said = {key: text(getattr(table, key), given) for key in ("model", "hardware", "serial", "made")}
        parts = {name: part for name, spec in table.parts.items() if (part := text(spec, given)) is not None}
        if not (firmware or parts or any(said.values())):
            raise _Nothing("no path of the identity leads to a text")
        address = mac_of(draft.device)
        serial = said.pop("serial") or (address and address.upper())
        draft.identity(
            firmware=firmware or draft.firmware, serial=serial, parts=parts, hardware_address=address, **said
        )

    # -- whose message it is

    def _draft(self, table: ReadingTable, given: Given) -> Draft:
        """The draft of the device that speaks. Raises `Invalid` where that is not known."""
        draft = self._draft_or_wait(table, given, None)
        if draft is None:
            raise Invalid(f"no message has said yet which device is called {shown(given.place.name)}")
        return draft

    def _draft_or_wait(self, table: ReadingTable, given: Given, waiting: bool | None) -> Draft | None:
        """The same; None where a name is not known yet. A presence (``waiting``) is then remembered for it."""
        named, said = given.place.device, given.at(table.device)
        device = None if said is MISSING else own_id(said)
        if named is not None:
            if device not in (None, own_id(named)):
                raise Invalid("the payload names another device than the topic")
            return self._drafts.of(own_id(named))
        name = given.place.name
        if name is not None:
            return self._named(name, device, waiting)
        if device is None:
            raise Invalid(f"no device id at {_spell_path(table.device)}")
        return self._drafts.of(device)

    def _named(self, name: str, device: str | None, waiting: bool | None) -> Draft | None:
        known = self._names.get(name)
        if device is None:
            if isinstance(known, str):
                return self._drafts.of(known)
            if waiting is not None:
                self._know(self._names, name, waiting)
            return None
        draft = self._drafts.of(device)
        if known != device:
            self._know(self._names, name, device)
            if isinstance(known, bool):
                draft.presence("presence", online=known)
        return draft

    def _know(self, shelf: Shelf, key: str, value: Any) -> None:
        if shelf.get(key) is not None or len(shelf) < MAX_KNOWN:
            shelf.put(key, value)

    # -- firmware

    def _learn_firmware(
        self, draft: Draft, table: ReadingTable, given: Given, stream: str, at: datetime | None
    ) -> str | None:
        """The firmware that a message names. Data of before the newest firmware was first named changes nothing but its own."""
        firmware = text(table.firmware, given)
        since = draft.recall("fw_at")
        if firmware is None or firmware == draft.firmware:
            return firmware
        if at is not None and isinstance(since, str) and at < datetime.fromisoformat(since):
            return firmware
        draft.keep("fw_at", spell(at or self._message.received_at))
        if self._mapped.tells("update"):
            draft.keep("fw", firmware)
        else:
            draft.learn_firmware(stream, firmware, at)
        return firmware

    # -- the answer

    def _ignore(self, why: str) -> None:
        self._ignored = self._ignored or why

    def finish(self) -> tuple[Decoded, State | None]:
        """The answer and the next state. Raises `Invalid` when all of the message was malformed."""
        values, refused, changed = self._drafts.gather()
        serious = [(part, problem) for part, problem in self._problems if not isinstance(problem, _Nothing)]
        if not values:
            if serious:
                raise serious[0][1]
            if refused or self._rejected:
                first = (refused or self._rejected)[0]
                raise Invalid(f"{first.part}: {first.reason}")
            if self._problems and self._ignored is None:
                raise self._problems[0][1]
        failed = (Rejection(problem.message, part, samples=0) for part, problem in serious)
        rejected = [*self._rejected, *refused, *failed]
        ignored = None if values else self._ignored or "nothing in it that we measure"
        return Decoded(tuple(values), bounded(rejected), ignored), self._state(changed)

    def _state(self, changed: Mapping[str, Mapping[str, Any]]) -> State | None:
        if self._mapped.by_topic:
            return changed.get(self._own or "", self._given)
        for device, state in changed.items():
            self._know(self._devices, device, dict(state))
        known = dict(self._given or {})
        following = {**known, "devices": self._devices.settled(), "names": self._names.settled()}
        following = {key: value for key, value in following.items() if value}
        return self._given if following == known else following


_READ: Mapping[type, Callable[[_Answer, Any, Given, str], None]] = {
    Telemetry: _Answer.telemetry,
    Happening: _Answer.happening,
    Comings: _Answer.comings,
    Claims: _Answer.claims,
}


def _metrics(draft: Draft, table: Telemetry, given: Given, part: str) -> tuple[dict[str, float], bool]:
    """(what is measured, whether any path led to a value)."""
    metrics: dict[str, float] = {}
    before, found = _channel(table, given), False
    for name, metric in table.metrics.items():
        value = given.at(metric.path)
        if value is MISSING:
            if metric.required:
                draft.refuse(f"{part}{name}", f"nothing at {metric.path.text}, and it is required")
            continue
        found = True
        try:
            taken = quantity(metric, value)
        except Invalid as error:
            draft.refuse(f"{part}{name}", error.message)
        else:
            if taken is not None:
                metrics[before + name] = taken
    return metrics, found


def _channel(table: Telemetry, given: Given) -> str:
    """What stands before the names of a channel: ``channel2_`` or ``left_``; nothing for the main one."""
    channel = given.place.channel
    if channel is None or channel == table.main_channel:
        return ""
    return f"channel{channel}_" if channel.isdigit() and channel.isascii() else f"{label(channel)}_"


def _leads(table: Telemetry) -> list[str]:
    return list(dict.fromkeys(metric.path.text for metric in table.metrics.values()))


def _cause(code: str | None, raw: Any) -> tuple[str, dict[str, Any]]:
    """The code of a reboot, and what the device itself called it."""
    known = code if code in REBOOT_CODES else "unknown"
    said = None if raw is MISSING else spelled(raw)
    return known, {} if said is None or said == known else {"reason": said[:256]}


def _spell_path(path: Any) -> str:
    return path.text if path is not None else "(nowhere)"
