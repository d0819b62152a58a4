"""The answer to one message that a mapping reads, while it is being made."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from datetime import datetime
from typing import Any

from hearthwatch.errors import Invalid
from hearthwatch.ports import State
from hearthwatch.values import Decoded, Message, Rejection
from hearthwatch.wire.draft import Draft, label
from hearthwatch.wire.hardware_address import mac_of
from hearthwatch.wire.instants import spell
from hearthwatch.wire.limits import MAX_SAMPLES, check_detail, shown
from hearthwatch.wire.mapped_fields import Given, boot_of, instant, quantity, text
from hearthwatch.wire.mapped_path import MISSING
from hearthwatch.wire.mapped_speakers import Speakers
from hearthwatch.wire.mapped_tables import (
    REBOOT_CODES,
    Claims,
    Comings,
    Happening,
    ReadingTable,
    Telemetry,
    spelled,
)
from hearthwatch.wire.mapped_topics import Place
from hearthwatch.wire.payload import parse_json, parse_text
from hearthwatch.wire.rejections import bounded

MAX_PLAIN = 4096
"""Characters of a payload that is no JSON."""
OLD = "a retained copy without a time"
NOT_NAMED = "an event that the mapping does not name"


class _Nothing(Invalid):
    """No path of a table leads to a value of this message."""


class Answer:
    """What the tables made of one message so far. ``tells``: kinds of events that come in messages of their own."""

    def __init__(self, tells: Collection[str], speakers: Speakers, message: Message) -> None:
        self._tells = tells
        self._speakers = speakers
        self._message = message
        self._rejected: list[Rejection] = []
        self._problems: list[tuple[str, Invalid]] = []
        self._ignored: str | None = None
        self._json: Any = MISSING

    # -- reading

    def read(self, table: ReadingTable, place: Place, stream: str, *, plain: bool) -> None:
        """Let one table read the message, which is no JSON where it is ``plain``; what is wrong with it is kept for `finish`."""
        try:
            given = Given(self._message, place, self._plain() if plain else self._parsed())
            if isinstance(table, Telemetry) and table.samples is not None:
                self._batch(table, given, stream)
            else:
                _READ[type(table)](self, table, given, stream)
        except Invalid as problem:
            self._problems.append((table.filter.text, problem))

    def _plain(self) -> str:
        plain = parse_text(self._message.payload, limit=MAX_PLAIN)
        return plain[1:-1] if len(plain) > 1 and plain[0] == plain[-1] == '"' else plain

    def _parsed(self) -> Any:
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
        draft = self._speakers.draft(table, given)
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
        if "uptime_s" in metrics and "reboot" not in self._tells:
            code, detail = _cause(text(table.reboot, given), given.at(table.reboot.path if table.reboot else None))
            draft.learn_uptime(stream, came, metrics["uptime_s"], code, detail)
        draft.reading(
            stream, came, metrics, firmware=firmware, boot=boot, seq=seq, clockless=at is None and counted
        )  # fmt: skip
        return None

    def happening(self, table: Happening, given: Given, stream: str) -> None:
        """An event."""
        draft = self._speakers.draft(table, given)
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
        draft = self._speakers.draft_or_wait(table, given, online)
        if draft is None:
            return self._ignore("it is not known yet whose name this is; the presence waits for that")
        at, (boot, _) = instant(table, given), boot_of(table, given)
        self._learn_firmware(draft, table, given, stream, at)
        why = draft.presence(stream, online=online, at=at, boot=boot)
        return None if why is None else self._ignore(why)

    def claims(self, table: Claims, given: Given, stream: str) -> None:
        """An identity. A device that is its hardware's address has that as its serial, unless it says another."""
        draft = self._speakers.draft(table, given)
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
        if "update" in self._tells:
            draft.keep("fw", firmware)
        else:
            draft.learn_firmware(stream, firmware, at)
        return firmware

    # -- the answer

    def _ignore(self, why: str) -> None:
        self._ignored = self._ignored or why

    def finish(self) -> tuple[Decoded, State | None]:
        """The answer and the next state. Raises `Invalid` when all of the message was malformed."""
        values, refused, following = self._speakers.gather()
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
        return Decoded(tuple(values), bounded(rejected), ignored), following


_READ: Mapping[type, Callable[[Answer, Any, Given, str], None]] = {
    Telemetry: Answer.telemetry,
    Happening: Answer.happening,
    Comings: Answer.comings,
    Claims: Answer.claims,
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
