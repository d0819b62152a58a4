"""Messages that never came, by what devices number: ``boot`` and ``seq`` of the native convention.

A device numbers the messages of a boot one by one, so a number that is left out is a message that is lost, or late: when it comes after
all, it is counted as recovered. The first number that is heard of a boot begins the count. What a session hears of is remembered in
memory, and written down when the ingestor ends in good order; after a kill the count begins anew with the next number of each device.

Sessions that divide messages among themselves hear only some of a device, so they do not count.
"""

from __future__ import annotations

import logging
import threading
import time
from bisect import bisect_right
from collections import OrderedDict
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, Any

import msgspec
from prometheus_client.core import CounterMetricFamily, Metric

from hearthwatch.errors import Invalid
from hearthwatch.values import Decoded, Event, Identity, Message, Reading, Reply, Value
from hearthwatch.wire.limits import MAX_COUNT, MAX_TEXT
from hearthwatch.wire.native import STREAM, Native
from ingest.batch import MessageDecoder

LOG = logging.getLogger(__name__)

CONVENTION = "ingest/gaps"
"""Under this name what was counted so far stands among the decoders' states."""
BOOTS = 100_000
"""Boots of devices that are remembered, the latest heard of: about 45 MB."""
OPEN_GAPS = 32
"""Gaps of one boot that late messages may still close."""
LONGEST_GAP = 1_000_000
"""Numbers that a loss may leave out: more is a device that does not count, and its count begins anew."""
SAY_EVERY_S = 60.0

_NATIVE = Native()
_NONE: list[int] = []  # of the many boots without a gap, and never changed


@dataclass(frozen=True, slots=True)
class LastGap:
    """The latest gap: numbers ``first`` to ``last`` of a device's boot were left out when the next one came."""

    device: str
    boot: str
    first: int
    last: int
    at: datetime


class GapCounts:
    """What was counted since the process began. Written by the ingestor's threads, read by any."""

    def __init__(self) -> None:
        self._turn = threading.Lock()
        self._counts = {"gaps": 0, "missing": 0, "recovered": 0}
        self._last: LastGap | None = None

    def found(self, gap: LastGap) -> None:
        """Numbers were left out."""
        with self._turn:
            self._counts["gaps"] += 1
            self._counts["missing"] += gap.last - gap.first + 1
            self._last = gap

    def recovered(self) -> None:
        """A message came that had been counted as missing."""
        with self._turn:
            self._counts["recovered"] += 1

    def told(self) -> dict[str, Any]:
        """For the health: ``lost`` is what is missing now, ``last`` the latest gap."""
        with self._turn:
            counts, last = dict(self._counts), self._last
        return {
            **counts,
            "lost": counts["missing"] - counts["recovered"],
            "last": None if last is None else _told(last),
        }

    def collect(self) -> Iterator[Metric]:
        """Counters as Prometheus wants them."""
        with self._turn:
            counts = dict(self._counts)
        for name, text in _TEXTS.items():
            yield CounterMetricFamily(f"hearthwatch_ingest_seq_{name}", text, value=counts[name])


_TEXTS = {
    "gaps": "Times a device's seq left numbers out.",
    "missing": "Messages that devices numbered and that had not come when a later one did.",
    "recovered": "Messages counted as missing that came after all; the difference is lost.",
}


def _told(gap: LastGap) -> dict[str, Any]:
    return {
        "device": gap.device,
        "boot": gap.boot,
        "first": gap.first,
        "last": gap.last,
        "at": gap.at.isoformat(),
    }


class _Boot:
    """The highest number heard, and the gaps below it: ``firsts`` and ``lasts`` run in parallel, ascending."""

    __slots__ = ("firsts", "high", "lasts")

    def __init__(self, high: int) -> None:
        self.high = high
        self.firsts: list[int] = _NONE
        self.lasts: list[int] = _NONE

    def open(self, first: int, last: int) -> None:
        """Numbers were left out."""
        if self.firsts is _NONE:
            self.firsts, self.lasts = [], []
        self.firsts.append(first)
        self.lasts.append(last)
        if len(self.firsts) > OPEN_GAPS:
            del self.firsts[0], self.lasts[0]

    def fill(self, number: int) -> bool:
        """A low number came; returns whether it had been left out."""
        place = bisect_right(self.firsts, number) - 1
        if place < 0 or number > self.lasts[place]:
            return False
        first, last = self.firsts[place], self.lasts[place]
        rest = [(one, other) for one, other in ((first, number - 1), (number + 1, last)) if one <= other]
        self.firsts[place : place + 1] = [one for one, _ in rest]
        self.lasts[place : place + 1] = [other for _, other in rest]
        return True


class Gaps:
    """Hears the numbers of one session, in the order of their decoding. Belongs to the ingestor's thread."""

    def __init__(self, counts: GapCounts, saved: Mapping[str, Any] | None = None) -> None:
        self._counts = counts
        self._boots: OrderedDict[tuple[str, str], _Boot] = OrderedDict()
        self._say_at = 0.0
        self._unsaid = 0
        for device, boot, high, firsts, lasts in (saved or {}).get("boots", ()):
            known = self._boots[device, boot] = _Boot(high)
            known.firsts, known.lasts = list(firsts), list(lasts)

    def hear(self, values: Sequence[Value], at: datetime) -> None:
        """Values of one message that came at a time. All samples of a message usually have its number."""
        first, last = values[0], values[-1]
        if isinstance(first, Identity | Reply) or first.boot is None or first.stream != STREAM:
            return
        if type(last) is Reading and type(first) is Reading and last.seq == first.seq:
            values = (last,)
        for value in values:
            if isinstance(value, Reading | Event) and value.seq is not None:
                self._count(value.device, first.boot, value.seq, at)

    def hear_rejected(self, message: Message) -> None:
        """A message of which something cannot be taken came all the same; its number is read if that can be."""
        device = _NATIVE.partition(message.topic)
        if device is None:
            return
        try:
            given = _read(message.payload)
        except (ValueError, RecursionError):
            return
        if given.boot is None:
            return
        for number in dict.fromkeys((given.seq, *(sample.seq for sample in given.samples))):
            if number is not None:
                self._count(device, given.boot, number, message.received_at)

    def saved(self) -> dict[str, Any]:
        """What to write down at the end, for `Gaps` of the next life."""
        return {
            "boots": [[device, boot, one.high, one.firsts, one.lasts] for (device, boot), one in self._boots.items()]
        }

    def _count(self, device: str, boot: str, number: int, at: datetime) -> None:
        key = (device, boot)
        known = self._boots.get(key)
        if known is None:
            self._boots[key] = _Boot(number)
            if len(self._boots) > BOOTS:
                self._boots.popitem(last=False)
            return
        high = known.high
        if number == high + 1:
            known.high = number
            if number % 16 == 0:  # who is heard of often need not be put in front each time
                self._boots.move_to_end(key)
        elif number > high:
            known.high = number
            if number - high > LONGEST_GAP:
                return
            known.open(high + 1, number - 1)
            gap = LastGap(device, boot, high + 1, number - 1, at)
            self._counts.found(gap)
            self._say(gap)
        elif number < high and known.firsts and known.fill(number):
            self._counts.recovered()

    def _say(self, gap: LastGap) -> None:
        """A line in the log, at most one a minute: a lost session is a gap of every device."""
        self._unsaid += 1
        now = time.monotonic()
        if now < self._say_at:
            return
        LOG.warning(
            "messages are missing: %s left out %d to %d of boot %s (%d gaps since this was last said)",
            gap.device,
            gap.first,
            gap.last,
            gap.boot,
            self._unsaid,
        )
        self._unsaid, self._say_at = 0, now + SAY_EVERY_S


class CountingDecoder:
    """A decoder that has the numbers counted of whatever passes through it."""

    def __init__(self, decoder: MessageDecoder, gaps: Gaps) -> None:
        self._decode = decoder.decode
        self._gaps = gaps
        self.changed: Callable[[], Mapping[tuple[str, str], Mapping[str, Any]]] = decoder.changed

    def decode(self, message: Message) -> tuple[str | None, Decoded]:
        """As the decoder."""
        try:
            named = self._decode(message)
        except Invalid:
            self._gaps.hear_rejected(message)
            raise
        decoded = named[1]
        if decoded.values:
            self._gaps.hear(decoded.values, message.received_at)
        if decoded.rejected:
            self._gaps.hear_rejected(message)
        return named


_Count = Annotated[int, msgspec.Meta(ge=0, le=MAX_COUNT)]


class _Numbered(msgspec.Struct):
    seq: _Count | None = None


class _Message(msgspec.Struct):
    boot: Annotated[str, msgspec.Meta(min_length=1, max_length=MAX_TEXT)] | None = None
    seq: _Count | None = None
    samples: list[_Numbered] = []


_read = msgspec.json.Decoder(_Message).decode
