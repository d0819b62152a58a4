"""The answer to one message while it is being made; the conventions that remember a device share it.

State of one device: ``{"fw", "online", "up_at", "up_s", "boot_fw"}`` and what the convention itself adds.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, NamedTuple

from hearthwatch.errors import Invalid
from hearthwatch.firmware import version
from hearthwatch.ports import State
from hearthwatch.values import Decoded, Event, Identity, Message, Presence, Reading, Rejection, Reply, Value
from hearthwatch.wire import answers
from hearthwatch.wire.hardware_address import address_of, mac_of
from hearthwatch.wire.instants import spell
from hearthwatch.wire.limits import (
    KNOWN_COPY,
    MAX_METRICS,
    MAX_TEXT,
    is_metric,
    is_wholesome,
    number,
    optional_text,
    shown,
)
from hearthwatch.wire.rejections import bounded

UPTIME_TOLERANCE_S = 5.0
"""How much less an uptime may be than an earlier one without a boot between them."""
LONGEST_UPTIME_S = 20 * 365 * 86_400.0


class Outcome(NamedTuple):
    """What a draft collected: values, what was refused, and the state, which is the given object when nothing changed."""

    values: Sequence[Value]
    rejected: Sequence[Rejection]
    state: State | None


class Draft:
    """Collects values, rejections and the next state of one device. Local to one call of `decode`, so that stays pure."""

    def __init__(self, convention: str, device: str, state: State | None, message: Message) -> None:
        self.convention = convention
        self.device = device
        self.message = message
        self._given = state
        self._state: dict[str, Any] = dict(state or {})
        self._values: list[Value] = []
        self._rejected: list[Rejection] = []

    # -- state

    def recall(self, key: str) -> Any:
        """What is remembered under a key, or None."""
        return self._state.get(key)

    def keep(self, key: str, value: Any) -> None:
        """Remember a JSON value; None forgets."""
        if value is None:
            self._state.pop(key, None)
        else:
            self._state[key] = value

    @property
    def firmware(self) -> str | None:
        """The firmware the device is known to run."""
        known = self._state.get("fw")
        return known if isinstance(known, str) else None

    # -- values

    def reading(
        self,
        kind: str,
        at: datetime,
        metrics: Mapping[str, float],
        *,
        firmware: str | None = None,
        boot: str | None = None,
        seq: int | None = None,
        clockless: bool = False,
    ) -> None:
        """A reading of what can be named and is within the limit; nothing when there is no metric.

        It is of the firmware that is known, unless it says of which.
        """
        kept: dict[str, float] = {}
        for name, value in metrics.items():
            if not is_metric(name):
                self.refuse(name, "no metric name can be made of it")
            elif len(kept) == MAX_METRICS:
                self.refuse(name, f"more than {MAX_METRICS} metrics in one sample")
            else:
                kept[name] = value
        if kept:
            stream = f"{self.convention}/{kind}"
            self._values.append(
                Reading(self.device, stream, at, kept, firmware or self.firmware, boot, seq, clockless=clockless)
            )

    def event(
        self,
        stream: str,
        at: datetime,
        kind: str,
        code: str,
        detail: Mapping[str, Any] | None = None,
        *,
        boot: str | None = None,
        seq: int | None = None,
    ) -> None:
        """An event on the firmware known now."""
        named = f"{self.convention}/{stream}"
        self._values.append(Event(self.device, named, at, kind, code, dict(detail or {}), self.firmware, boot, seq))

    def presence(self, stream: str, *, online: bool, at: datetime | None = None, boot: str | None = None) -> str | None:
        """A presence, or the reason to ignore it: a retained copy of what is known says nothing new. Without a time it is of now."""
        if self.message.retain and self._state.get("online") is online:
            return KNOWN_COPY
        self._state["online"] = online
        came = at or self.message.received_at
        self._values.append(Presence(self.device, f"{self.convention}/{stream}", came, online, boot, self.firmware))
        return None

    def identity(
        self,
        *,
        model: Any = None,
        hardware: Any = None,
        firmware: Any = None,
        serial: Any = None,
        made: Any = None,
        parts: Mapping[str, str] | None = None,
        hardware_address: str | None = None,
    ) -> None:
        """What the device says about itself. Claims that are no texts are left out; nothing when there is no claim.

        Without a ``hardware_address`` it is the serial number, where that is one.
        """
        claims = [text_or_none(claim) for claim in (model, hardware, firmware, _one_spelling(serial), made)]
        if not any(claims) and not parts:
            return
        identity = Identity(
            self.device,
            self.message.received_at,
            model=claims[0],
            hardware=claims[1],
            firmware=claims[2],
            serial=claims[3],
            made=claims[4],
            parts=dict(parts or {}),
            convention=self.convention,
            hardware_address=hardware_address or address_of(serial),
        )
        self._values.append(identity)

    def reply(self, *, ok: bool, detail: Any, id: str = "", kind: str = "") -> None:  # noqa: A002 - the wire calls it id
        """An answer to a command, by its ``id`` or, where the convention carries none, by its ``kind``; cut where it is too large."""
        self._values.append(Reply(self.device, self.message.received_at, id, ok, answers.kept(detail), kind))

    def learn_firmware(self, stream: str, said: Any, at: datetime | None = None) -> None:
        """Remember the firmware; another version than before is an update that was installed."""
        firmware, known = text_or_none(said), self.firmware
        if firmware is None or firmware == known:
            return
        self._state["fw"] = firmware
        if known is not None and version(known).key != version(firmware).key:
            detail = {"from": known, "to": firmware}
            self.event(stream, at or self.message.received_at, "update", "installed", detail)

    def learn_uptime(
        self, stream: str, at: datetime, uptime_s: float, code: str, detail: Mapping[str, Any] | None = None
    ) -> None:
        """A device that is up for less time than since it was last known to be up has booted in between.

        The first uptime ever heard of starts no event: that boot may be old. How long the device was up is only remembered when
        it doubled, so that a state does not change with every message.
        """
        up_at, up_s = self._state.get("up_at"), self._state.get("up_s")
        before = datetime.fromisoformat(up_at) if isinstance(up_at, str) else None
        if before is not None and isinstance(up_s, (int, float)):
            booted_at = at - timedelta(seconds=min(max(uptime_s, 0.0), LONGEST_UPTIME_S))
            if at < before:
                return
            if booted_at > before or uptime_s + UPTIME_TOLERANCE_S < up_s:
                self.event(stream, booted_at, "reboot", self.reboot_code(code), detail)
            elif uptime_s < 2 * up_s:
                return
        self._state.update(up_at=spell(at), up_s=uptime_s, boot_fw=self.firmware)

    def reboot_code(self, code: str) -> str:
        """A restart by software after which another firmware runs is the end of an update."""
        earlier = self._state.get("boot_fw")
        if code in ("user", "unknown") and isinstance(earlier, str) and self.firmware is not None:
            return code if version(earlier).key == version(self.firmware).key else "update"
        return code

    def refuse(self, part: str, reason: str) -> None:
        """One number or text of the message that cannot be taken; the rest of it is."""
        place = part if part.isprintable() and is_wholesome(part) else shown(part)
        self._rejected.append(Rejection(reason, place[:MAX_TEXT], self.device, samples=0))

    def measure(
        self, numbers: dict[str, float], name: str, value: Any, part: str, *, factor: float = 1.0, offset: float = 0.0
    ) -> None:
        """Add a number; a null is a sensor that has nothing to say, any other thing that is no finite number is refused."""
        if value is None:
            return
        taken = number(value)
        converted = None if taken is None else number(taken * factor + offset)
        if converted is None:
            self.refuse(part, f"not a finite number: {shown(value)}")
        else:
            numbers[name] = converted

    # -- the answer

    def finish(self, ignored: str | None = None) -> tuple[Decoded, State | None]:
        """The answer and the next state, which is the given object when nothing changed. Raises `Invalid` when all was refused."""
        values, rejected, state = self.outcome()
        if rejected and not values:
            raise Invalid(f"{rejected[0].part}: {rejected[0].reason}")
        reason = None if values else ignored or "nothing in it that we measure"
        return Decoded(tuple(values), bounded(rejected), reason), state

    def outcome(self) -> Outcome:
        """What was collected so far, for answers that are made of several drafts."""
        state = self._given if self._state == dict(self._given or {}) else self._state
        return Outcome(self._values, self._rejected, state)


def text_or_none(value: Any) -> str | None:
    """A short text that can be stored, None for anything else."""
    try:
        return optional_text(value, "text")
    except Invalid:
        return None


def _one_spelling(serial: Any) -> Any:
    """A MAC address without its separators, as most families write it: the same hardware then has the same serial everywhere."""
    mac = mac_of(serial)
    return mac.upper() if mac is not None and mac != serial.lower() else serial


def on_or_off(value: Any) -> bool | None:
    """``on``/``off`` in any case, or a JSON boolean; None for anything else."""
    if isinstance(value, bool):
        return value
    return {"on": True, "off": False}.get(value.lower()) if isinstance(value, str) else None


def label(text: str) -> str:
    """A sensor's name as the beginning of a metric name."""
    letters = "".join(letter if letter.isascii() and letter.isalnum() else "_" for letter in text.lower())
    return letters if letters[:1].isalpha() else f"s_{letters}"
