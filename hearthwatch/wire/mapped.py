"""A maker's own topics, read as a mapping file says; docs/wire.md describes the file.

Every table whose filter matches a topic reads the message, in the file's order. Where every filter has ``{device}``, there is a state for
each device, else one for all of the mapping; `mapped_speakers` tells what is in it.
"""

from __future__ import annotations

from functools import lru_cache
from typing import NamedTuple

from hearthwatch.errors import Invalid
from hearthwatch.ports import State
from hearthwatch.values import Decoded, Message
from hearthwatch.wire.hardware_address import mac_of
from hearthwatch.wire.mapped_answer import Answer
from hearthwatch.wire.mapped_speakers import Speakers
from hearthwatch.wire.mapped_tables import Ignored, MappingFile, ReadingTable, is_plain
from hearthwatch.wire.mapped_topics import Place

ALL = "~"
"""The partition of a mapping whose devices are only named in payloads. No device is called so."""
ROUTES_KEPT = 4096
"""Topics of which it is remembered what they mean."""


class _Reader(NamedTuple):
    """A table that reads a topic: what the topic's levels say, the stream, and whether its payload is no JSON."""

    table: ReadingTable
    place: Place
    stream: str
    plain: bool


class _Route(NamedTuple):
    """What a topic means: whose state it belongs to, who reads it, or why nobody does."""

    partition: str | None
    readers: tuple[_Reader, ...]
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
        self._tells = frozenset(kind for kind in ("reboot", "update") if mapping.tells(kind))

    def partition(self, topic: str) -> str | None:
        """The device of a topic, where every topic names one."""
        return self._route(topic).partition

    def _find(self, topic: str) -> _Route:
        readers: list[_Reader] = []
        for table in self._readings:
            place = table.filter.match(topic)
            if place is not None:
                stream = table.filter.stream(place, self._shared_levels)
                numbered = f"{stream}.{len(readers) + 1}" if readers else stream
                readers.append(_Reader(table, place, numbered, is_plain(table)))
        skipped = next((one for one in self._ignored if one.filter.match(topic)), None)
        if not readers:
            return _Route(None if skipped is None else ALL, (), skipped)
        own = readers[0].place.device if self.by_topic else None
        return _Route(ALL if own is None else mac_of(own) or own, tuple(readers), skipped)

    def decode(self, state: State | None, message: Message) -> tuple[Decoded, State | None]:
        """Values of one message. Raises `Invalid` when all of it is malformed."""
        route = self._route(message.topic)
        if not route.readers:
            if route.ignored is None:
                raise Invalid(f"not a topic of {self.name}")
            return Decoded(ignored=route.ignored.reason), state
        if not message.payload:
            return Decoded(ignored="an empty message, which takes a retained one back"), state
        speakers = Speakers(self.name, route.partition if self.by_topic else None, state, message)
        answer = Answer(self._tells, speakers, message)
        for one in route.readers:
            answer.read(one.table, one.place, one.stream, plain=one.plain)
        return answer.finish()


def _shared_levels(mapping: MappingFile) -> int:
    """How many first levels all filters have in common; they tell no two messages apart."""
    shared = 0
    for levels in zip(*(table.filter.levels[:-1] for table in mapping.readings), strict=False):
        if len(set(levels)) > 1 or levels[0][0] in "{+#":
            break
        shared += 1
    return shared
