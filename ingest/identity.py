"""Between decoding and storing: whose values these are. Ids that are one device become that device, false names are refused, unknown
devices are admitted or turned away, and what two conventions tell of one happening is one.

A message whose devices are known, and have no other id, costs a look-up for each reading; natively one for the message.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

from msgspec import structs

from hearthwatch.values import Decoded, Event, Identity, Message, Reading, Rejection, Reply, Value
from hearthwatch.wire.speakers import described, may_tell_of, names_in_payload, speaker, speaks_of_itself
from ingest.admission import Turn
from ingest.batch import MessageDecoder, Stored
from ingest.directory import Directory
from ingest.retelling import STATE, Retelling
from ingest.validation import OF_ANOTHER_USER, part_of
from ingest.voices import Voices

OF_ANOTHER_TOPIC = "told on a topic of another than the device it speaks for"
REFUSED = "a device that is not registered; unknown devices are refused"
CONFIG = "/config"
HOME_ASSISTANT = "home_assistant"
_NATIVE = "native"
_NETWORKS = frozenset({"zigbee2mqtt", HOME_ASSISTANT})
"""Conventions that keep what they remember of many devices together, within limits of their own."""


class IdentifyingDecoder:
    """A `MessageDecoder` over another one, with a directory of devices. It looks at the broker's user itself.

    ``forget`` makes the other one forget the state of a topic; ``name`` is the session's, ``saved`` are the states it handed out earlier.
    """

    checks_users = True

    def __init__(
        self,
        decoder: MessageDecoder,
        forget: Callable[[str], None],
        directory: Directory,
        *,
        name: str = "ingest",
        saved: Mapping[tuple[str, str], Mapping[str, Any]] | None = None,
    ) -> None:
        self._decoder = decoder
        self._forget = forget
        self._directory = directory
        known = saved or {}
        self._told_key, self._voices_key = (STATE, name), (STATE, f"{name}/firmware")
        self._retelling = Retelling(known.get(self._told_key))
        self._voices = Voices(known.get(self._voices_key))

    def decode(self, message: Message) -> tuple[str | None, Decoded]:
        """The convention's name and the values, each with the device it is of. Raises `Invalid` when all of it is malformed."""
        if self._directory.guarded and message.topic.endswith(CONFIG):
            forged = self._forged(message)
            if forged is not None:
                return HOME_ASSISTANT, forged
        convention, decoded = self._decoder.decode(message)
        values = decoded.values
        if not values or convention is None:
            return convention, decoded
        if message.user is None:
            plain = self._directory.plain
            if convention == _NATIVE:  # all values of such a message are of its topic's device
                first = values[0]
                if type(first) is Reading and first.device in plain:
                    return convention, decoded
            elif self._is_usual(values, plain, convention):
                return convention, decoded
        return convention, self._identified(convention, decoded, message)

    def changed(self) -> Mapping[tuple[str, str], Mapping[str, Any]]:
        """States that changed since the last call, its own among them."""
        own = ((self._told_key, self._retelling.changed()), (self._voices_key, self._voices.changed()))
        changed = {key: state for key, state in own if state is not None}
        states = self._decoder.changed()
        return {**states, **changed} if changed else states

    def _forged(self, message: Message) -> Decoded | None:
        """A description of a device that logs in at the broker, by another than that device: it must not even be remembered."""
        claim = described(message.topic, message.payload)
        if claim is None or claim.device not in self._directory.guarded:
            return None
        sorting = _Sorting(self._directory, self._retelling, self._voices, HOME_ASSISTANT, message)
        said = Identity(
            claim.device, message.received_at, convention=HOME_ASSISTANT, hardware_address=claim.hardware_address
        )
        return sorting.answer(Decoded()) if sorting.is_refused(said) else None

    def _is_usual(self, values: tuple[Value, ...], plain: set[str], convention: str) -> bool:
        guarded = self._directory.guarded if names_in_payload(convention) else ()
        return all(type(one) is Reading and one.device in plain and one.device not in guarded for one in values)

    def _identified(self, convention: str, decoded: Decoded, message: Message) -> Decoded:
        sorting = _Sorting(self._directory, self._retelling, self._voices, convention, message)
        for value in decoded.values:
            sorting.take(value)
        if sorting.only_strangers and convention not in _NETWORKS:
            self._forget(message.topic)
        return sorting.answer(decoded)


class _Sorting:
    """The values of one message, while it is found out whose they are."""

    def __init__(
        self, directory: Directory, retelling: Retelling, voices: Voices, convention: str, message: Message
    ) -> None:
        self._directory = directory
        self._retelling = retelling
        self._voices = voices
        self._convention = convention
        self._message = message
        self._kept: list[Value] = []
        self._rejected: list[Rejection] = []
        self._turns: dict[str, Turn] = {}
        self._away: dict[str, int] = {}

    @property
    def only_strangers(self) -> bool:
        """Whether all of the message is of devices that were turned away."""
        return bool(self._away) and not self._kept and not self._rejected

    def is_refused(self, value: Value) -> bool:
        """Whether the sender may not say this; then it is held back."""
        objection = self._objection(value.device)
        if objection is not None:
            self._refuse(value, objection)
        return objection is not None

    def take(self, value: Value) -> None:
        """Sort one value."""
        if self.is_refused(value):
            return
        if self._turn(value.device) is not Turn.ADMIT:
            self._away[value.device] = self._away.get(value.device, 0) + 1
        else:
            self._kept.append(self._named(value))

    def answer(self, decoded: Decoded) -> Decoded:
        """The message as it is now."""
        rejected, ignored = [*decoded.rejected, *self._rejected], 0
        for device, samples in self._away.items():
            self._directory.turn_away(device, samples)
            if self._turns[device] is Turn.HOLD and self._directory.admission.may_hold():
                reason = self._directory.admission.reason() or "the device is not registered"
                rejected.append(Rejection(reason, f"device {device}", device, samples))
            else:
                ignored += samples
        why = REFUSED if ignored and not self._kept else None
        return Decoded(tuple(self._kept), tuple(rejected), why, ignored)

    # -- who may say it

    def _objection(self, device: str) -> str | None:
        directory, message, user = self._directory, self._message, self._message.user
        owner = directory.owner_of(device)
        told_by = speaker(self._convention, message.topic, device) if names_in_payload(self._convention) else None
        if user is not None and directory.device_of(user) != directory.device_of(device):
            bridge = directory.is_bridge(user) and owner in (None, user)
            first = told_by == user and owner is None and not directory.is_enrolled(device)
            if not bridge and not first:
                return OF_ANOTHER_USER
        if owner is None or told_by is None or directory.device_of(told_by) == directory.device_of(owner):
            return None
        return None if may_tell_of(owner, self._convention, message.topic, device) else OF_ANOTHER_TOPIC

    def _refuse(self, value: Value, reason: str) -> None:
        """Hold a value back. Who claims another's hardware address is heard as a claim of its own: a person will see the two."""
        claimant = self._claimant(value)
        samples = 1 if claimant is None else 0
        self._rejected.append(Rejection(reason, part_of(value), value.device, samples))
        if claimant is not None and isinstance(value, Identity):
            self._kept.append(
                Identity(
                    claimant,
                    value.at,
                    convention=value.convention,
                    hardware_address=value.hardware_address,
                    told_by=claimant,
                )
            )

    def _claimant(self, value: Value) -> str | None:
        if not isinstance(value, Identity) or value.hardware_address is None:
            return None
        sender = self._message.user or speaker(self._convention, self._message.topic, value.device)
        return sender if sender in self._directory.known and self._directory.is_enrolled(sender) else None

    # -- whose it is

    def _turn(self, name: str) -> Turn:
        device = self._directory.device_of(name)
        if device in self._directory.known:
            return Turn.ADMIT
        turn = self._turns.get(name)
        if turn is None:
            sender = self._sender(name)
            vouched = sender is not None and self._directory.vouches(sender, self._convention, device)
            turn = Turn.ADMIT if vouched else self._directory.admission.ask(self._message.received_at)
            self._turns[name] = turn
            if turn is Turn.ADMIT:
                self._directory.admit(device)
        return turn

    def _named(self, value: Value) -> Value:
        told_as = value.device
        device = self._directory.device_of(told_as)
        if isinstance(value, Reply):
            return value if device == told_as else replace(value, device=device)
        named: Stored | Identity = self._claim(value, device) if isinstance(value, Identity) else _of(value, device)
        if named.firmware is not None and self._directory.has_aliases(device):
            named = named if self._voices.counts(device, told_as) else _without_firmware(named)
        return self._retelling.hear(named) if isinstance(named, Event) else named

    def _claim(self, claim: Identity, device: str) -> Identity:
        sender = self._sender(claim.device)
        told_as = claim.device if device != claim.device else None
        if sender is None and told_as is None:
            return claim
        return replace(claim, device=device, told_as=told_as, told_by=sender)

    def _sender(self, name: str) -> str | None:
        """Who says it, as far as that is known: the broker's user, else the enrolled device whose topic it is; never a bridge."""
        sender: str | None = self._message.user
        if sender is None and names_in_payload(self._convention):
            topic = self._message.topic
            named = speaker(self._convention, topic, name)
            own = self._directory.is_enrolled(named) and speaks_of_itself(self._convention, topic, name)
            sender = named if own else None
        return None if sender is not None and self._directory.is_bridge(sender) else sender


def _of(value: Stored, device: str) -> Stored:
    if value.device == device:
        return value
    if isinstance(value, Reading):
        return structs.replace(value, device=device)
    return replace(value, device=device)


def _without_firmware(value: Stored | Identity) -> Stored | Identity:
    if isinstance(value, Reading):
        return structs.replace(value, firmware=None)
    return replace(value, firmware=None)
