"""A batch: messages decoded and sorted into what the stores shall take, what is held back, and what says nothing new."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any, Protocol

from msgspec import structs

from hearthwatch.errors import Invalid
from hearthwatch.ports import Receipt
from hearthwatch.records.asking import Heard, Wish
from hearthwatch.records.devices import Sighting
from hearthwatch.records.quarantine import QuarantineItem
from hearthwatch.values import Decoded, Event, Identity, Message, Presence, Reading, Rejection, Reply, Value
from hearthwatch.wire.commands.wishes import wish_of
from hearthwatch.wire.limits import KNOWN_COPY
from ingest import validation
from ingest.limits import Limits
from ingest.redelivery import Key, key_of
from ingest.sightings import Sightings
from ingest.spool import Mark
from ingest.validation import TimeWindow

LOG = logging.getLogger(__name__)

SOURCE = "mqtt"

Stored = Reading | Event | Presence


class MessageDecoder(Protocol):
    """Decodes messages in order; its states are saved with the batch they belong to."""

    def decode(self, message: Message) -> tuple[str | None, Decoded]:
        """The convention's name and the values. Raises `Invalid`."""
        ...

    def changed(self) -> Mapping[tuple[str, str], Mapping[str, Any]]:
        """States that changed since the last call."""
        ...


@dataclass(slots=True)
class Batch:
    """What became of some messages. ``origins`` names the message of each value; counts are in samples.

    ``not_new`` are the places of values that the store had already or does not take. ``spooled``: its messages are in the spool, up to
    ``mark``.
    """

    messages: Sequence[Message]
    receipts: Sequence[Receipt]
    came_at: float
    values: list[Stored] = field(default_factory=list)
    origins: list[int] = field(default_factory=list)
    identities: list[Identity] = field(default_factory=list)
    sightings: list[Sighting] = field(default_factory=list)
    held: list[QuarantineItem] = field(default_factory=list)
    replies: list[Heard] = field(default_factory=list)
    wishes: dict[tuple[str, str], Wish] = field(default_factory=dict)
    states: Mapping[tuple[str, str], Mapping[str, Any]] = field(default_factory=dict)
    first_receipts: dict[Key, datetime] = field(default_factory=dict)
    unknown: dict[str, str] = field(default_factory=dict)
    not_new: set[int] = field(default_factory=set)
    ignored: int = 0
    duplicate: int = 0
    identified: int = 0
    samples: int = 0
    spooled: bool = False
    mark: Mark | None = None

    @property
    def quarantined(self) -> int:
        """Samples held back so far."""
        return sum(item.samples for item in self.held)

    def hold(self, origin: int, rejection: Rejection) -> None:
        """Hold back a part of a message."""
        message = self.messages[origin]
        item = QuarantineItem(
            received_at=message.received_at,
            source=SOURCE,
            topic=message.topic,
            payload=message.payload[: validation.PAYLOAD_KEPT_BYTES],
            device=rejection.device,
            part=rejection.part,
            reason=rejection.reason,
            samples=rejection.samples,
        )
        self.held.append(item)

    def hold_value(self, place: int, error: Exception) -> None:
        """Hold back a value that the store cannot take; it stays in `values`, so that places stay what they are."""
        value = self.values[place]
        self.not_new.add(place)
        rejection = Rejection(f"the store cannot hold this: {error}", validation.part_of(value), value.device)
        self.hold(self.origins[place], rejection)

    def drop_metrics(self, unwanted: frozenset[str]) -> None:
        """Take metrics beyond the budget out of the readings, into quarantine."""
        values, origins = self.values, self.origins
        self.values, self.origins = [], []
        for value, origin in zip(values, origins, strict=True):
            kept: Stored | None = value
            if isinstance(value, Reading) and not unwanted.isdisjoint(value.metrics):
                kept, rejections = validation.without_metrics(value, unwanted)
                for rejection in rejections:
                    self.hold(origin, rejection)
            if kept is not None:
                self.values.append(kept)
                self.origins.append(origin)


class BatchBuilder:
    """Decodes batches. What it remembers from one to the next is what devices said of themselves."""

    def __init__(self, decoder: MessageDecoder, limits: Limits) -> None:
        self._decoder = decoder
        self._checks_users: bool = getattr(decoder, "checks_users", False)  # then it knows aliases and bridges
        self._limits = limits
        self._claims: dict[str, Identity] = {}
        self._sightings = Sightings()

    def build(
        self,
        taken: Sequence[tuple[Message, Receipt]],
        came_at: float,
        now: datetime,
        names: frozenset[str] | set[str],
        first_time: Callable[[Message], datetime | None],
        is_settled: Callable[[Message], bool] | None = None,
    ) -> Batch:
        """Decode messages in the order they came. ``names`` are the metrics that are known; others end up in `Batch.unknown`.

        What comes again and ``is_settled`` is a duplicate. A message without a receipt may come again too: from the spool.
        """
        batch = Batch([message for message, _ in taken], [receipt for _, receipt in taken], came_at)
        window = TimeWindow.at(now, self._limits)
        for origin, (message, receipt) in enumerate(taken):
            if is_settled is not None and (message.redelivered or receipt is None) and is_settled(message):
                batch.duplicate += 1
                continue
            first = None
            if message.redelivered:  # its first copy may stand in this very batch
                first = first_time(message) or batch.first_receipts.get(key_of(message))
            if first is not None:
                message = structs.replace(message, received_at=first)
            named = self._decode(message)
            if message.user is not None and self._checks_users:
                message = structs.replace(message, user=None)
            timeless = self._sort(batch, origin, message, named, window, names)
            if timeless and message.packet_id:
                batch.first_receipts[key_of(message)] = message.received_at
        batch.states = self._decoder.changed()
        batch.sightings = self._sightings.news()
        batch.samples = len(batch.values) + batch.identified + batch.ignored + batch.duplicate + batch.quarantined
        return batch

    def _decode(self, message: Message) -> tuple[str | None, Decoded]:
        rejection = validation.oversize(message, self._limits)
        if rejection is not None:
            return None, Decoded(rejected=(rejection,))
        try:
            return self._decoder.decode(message)
        except Invalid as error:
            return None, Decoded(rejected=(Rejection(str(error)),))
        except Exception as error:  # a decoder's bug must not stop the stream; the message can be replayed later
            LOG.exception("the decoder failed on a message of %s", message.topic)
            return None, Decoded(rejected=(Rejection(f"the decoder failed: {type(error).__name__}: {error}"),))

    def _sort(
        self,
        batch: Batch,
        origin: int,
        message: Message,
        named: tuple[str | None, Decoded],
        window: TimeWindow,
        names: frozenset[str] | set[str],
    ) -> bool:
        """Put what was decoded where it belongs. Returns whether a value took its time from the message's receipt."""
        convention, decoded = named
        for rejection in decoded.rejected:
            batch.hold(origin, rejection)
        batch.ignored += decoded.refused
        if not decoded.values:
            if not decoded.rejected and not decoded.refused:
                repeated = message.retain and decoded.ignored == KNOWN_COPY
                batch.duplicate += repeated
                batch.ignored += not repeated
            return False
        if message.user is None:
            usual = self._take_usual(batch, origin, message, decoded.values, convention, window, names)
            if usual is not None:
                return usual
        timeless = False
        for value in decoded.values:
            wrong = validation.objection(value, message, window)
            if wrong is not None:
                batch.hold(origin, wrong)
            elif isinstance(value, Identity):
                timeless = timeless or value.at == message.received_at  # it may be older than what a decoder saved
                self._identify(batch, value, message)
            elif isinstance(value, Reply) and not value.id:  # it belongs to a command or to nobody, and is no event
                batch.replies.append(Heard(value, message.received_at))
                batch.ignored += len(decoded.values) == 1
            else:
                self._keep(batch, origin, message, value, convention, names)
                timeless = timeless or value.at == message.received_at
        return timeless

    def _keep(
        self,
        batch: Batch,
        origin: int,
        message: Message,
        value: Reading | Event | Presence | Reply,
        convention: str | None,
        names: frozenset[str] | set[str],
    ) -> None:
        """A value is stored, and what it tells of its device is noted."""
        if isinstance(value, Reply):
            batch.replies.append(Heard(value, message.received_at))
            value = _as_event(value, convention)
        wished = wish_of(convention, value)
        if wished is not None:
            batch.wishes[value.device, wished[0]] = Wish(value.device, *wished)
        if isinstance(value, Reading) and not value.metrics.keys() <= names:
            batch.unknown.update((name, value.device) for name in value.metrics if name not in names)
        self._sightings.hear(value, convention)
        batch.values.append(value)
        batch.origins.append(origin)

    def _take_usual(
        self,
        batch: Batch,
        origin: int,
        message: Message,
        values: Sequence[Value],
        convention: str | None,
        window: TimeWindow,
        names: frozenset[str] | set[str],
    ) -> bool | None:
        """Take readings of one device that are good and bring nothing unknown; if any is not, nothing is taken.

        Returns as `_sort`, or None where nothing was taken.
        """
        newest = values[0]
        if type(newest) is not Reading:
            return None
        received_at, timeless = message.received_at, False
        earliest, latest, readings = window.earliest, window.latest, []
        for value in values:
            if (
                type(value) is not Reading
                or not earliest <= value.at <= latest
                or not names.issuperset(value.metrics)
                or value.device != newest.device
                or value.firmware != newest.firmware
                or value.boot != newest.boot
            ):
                return None
            readings.append(value)
            if value.at > newest.at:
                newest = value
            if value.at == received_at:
                timeless = True
        self._sightings.hear(newest, convention)
        batch.values += readings
        batch.origins += [origin] * len(readings)
        return timeless

    def _identify(self, batch: Batch, claim: Identity, message: Message) -> None:
        known = self._claims.get(claim.device)
        same = known is not None and replace(claim, at=known.at) == known
        if same and (message.retain or message.redelivered):
            batch.duplicate += 1
        else:
            batch.identified += 1
        self._claims[claim.device] = claim
        batch.identities.append(claim)


def _as_event(reply: Reply, convention: str | None) -> Event:
    """A reply as the store keeps it, so that an answer to a command is not lost."""
    detail = {"id": reply.id, **({"detail": dict(reply.detail)} if reply.detail else {})}
    return Event(reply.device, f"{convention}/reply", reply.at, "reply", "ok" if reply.ok else "failed", detail)
