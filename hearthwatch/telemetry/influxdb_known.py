"""What is stored already: newest times in memory, and one question to the server about whatever is not newer than those.

Readings are trusted to the memory, which does not learn what another process wrote since: a reading that two processes take in may be
counted as stored by both; the store holds it once, because it is the same point. What is told apart by more than its time (events,
presence, readings without a clock) is rare, and the server is asked about it every
time; only processes that write in the same milliseconds can miss each other's, and then number their points apart.
"""

from __future__ import annotations

from bisect import bisect_right
from collections import OrderedDict
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import numpy as np
import pyarrow as pa

from hearthwatch.telemetry.influxdb_lines import EVENTS, PRESENCE, READINGS, text_of
from hearthwatch.telemetry.influxdb_server import Server
from hearthwatch.telemetry.times import HOUR_US, ranges

DEVICES_A_QUERY = 300
ALL_DEVICES = 3_000
"""From so many devices on, rows are asked for without naming the devices, and picked out here."""
MAX_DEVICES = 1_500_000
MAX_CLOCKLESS_DEVICES = 20_000
MARGIN_US = HOUR_US
"""How much earlier than the last message another process may have received one that it stored later."""
RANKS, WRITERS = 125, 8
"""Points of one microsecond, in the order they came, for each of so many writers: nanoseconds have three digits to spare."""

KEY_COLUMNS = {
    READINGS: '"Firmware", "Boot", "Seq"',
    EVENTS: '"Firmware", "Kind", "Code", "Boot", "Seq"',
    PRESENCE: '"Firmware", "Online", "Boot"',
}

Series = tuple[str, str]
"""Device and stream, as tags."""
Key = tuple[Any, ...]


class Stored:
    """Points of some microseconds as they lie in the store: their keys, and how many ranks are taken."""

    def __init__(self) -> None:
        self.keys: set[Key] = set()
        self.clockless: set[Key] = set()
        self.ranks: dict[tuple[str, str, int], int] = {}


class Known:
    """Newest stored time of each series of one measurement. For the writer alone."""

    def __init__(self, server: Server, bucket: str, measurement: str) -> None:
        self._server = server
        self._bucket = bucket
        self._measurement = measurement
        self._newest: OrderedDict[str, dict[str, int]] = OrderedDict()

    def load(self, devices: Iterable[str]) -> None:
        """Ask for devices that were not seen yet; those seen longest ago are forgotten beyond a bound."""
        unseen = []
        for device in devices:
            if device in self._newest:
                self._newest.move_to_end(device)
            else:
                unseen.append(device)
        for among in among_devices(unseen):
            query = f'SELECT last("Firmware") FROM {self._measurement} WHERE {among} GROUP BY device, stream'
            for tags, ns in _pairs(self._server.select(self._bucket, query, {"last": pa.string()}), "tags", "time"):
                device, stream = series_of(tags)
                self._newest.setdefault(device, {})[stream] = ns // 1000
        for device in unseen:
            self._newest.setdefault(device, {})
        while len(self._newest) > max(MAX_DEVICES, len(unseen)):
            self._newest.popitem(last=False)

    def newest(self, device: str, stream: str) -> int:
        """The newest time in microseconds, or -1. The device has to be loaded."""
        return self._newest[device].get(stream, -1)

    def note(self, rows: Iterable[tuple[str, str, int]]) -> None:
        """Take in what was stored: device, stream, microseconds."""
        for device, stream, us in rows:
            streams = self._newest.setdefault(device, {})
            if us > streams.get(stream, -1):
                streams[stream] = us

    def find(self, doubtful: Sequence[tuple[str, str, int]]) -> Stored:
        """The points at these times (device, stream, microseconds)."""
        stored = Stored()
        times = np.array([us for _, _, us in doubtful], np.int64)
        wanted = set(doubtful)
        for first, last in ranges(times // HOUR_US):
            inside = (times >= first * HOUR_US) & (times < (last + 1) * HOUR_US)
            between = f"time >= {int(times[inside].min()) * 1000} AND time < {(int(times[inside].max()) + 1) * 1000}"
            devices = sorted({doubtful[place][0] for place in np.flatnonzero(inside).tolist()})
            for among in among_devices(devices):
                query = (
                    f"SELECT {KEY_COLUMNS[self._measurement]}, device, stream FROM {self._measurement} "
                    f"WHERE {between} AND {among}"
                )
                self._take(stored, self._server.select(self._bucket, query, {}), wanted)
        return stored

    def _take(self, stored: Stored, table: Any, wanted: set[tuple[str, str, int]]) -> None:
        if table.num_rows == 0:
            return
        columns = {name: table[name].to_pylist() for name in table.column_names}
        rest = _key_parts(self._measurement, columns)
        for device, stream, ns, parts in zip(columns["device"], columns["stream"], columns["time"], rest, strict=True):
            us, spare = divmod(ns, 1000)
            at = (device, stream, us)
            if at not in wanted:
                continue
            stored.ranks[at] = max(stored.ranks.get(at, 0), spare // WRITERS + 1)
            if self._measurement != READINGS:
                stored.keys.add((*at, *parts))
            elif spare == 0:
                stored.keys.add(at)
            else:
                stored.clockless.add((device, *parts))


def _key_parts(measurement: str, columns: dict[str, list[Any]]) -> Iterator[Key]:
    boots = map(text_of, columns["Boot"])
    if measurement == READINGS:
        return zip(boots, columns["Seq"], strict=True)
    if measurement == EVENTS:
        kinds, codes = map(text_of, columns["Kind"]), map(text_of, columns["Code"])
        return zip(kinds, codes, boots, columns["Seq"], strict=True)
    return zip(columns["Online"], boots, strict=True)


class Clockless:
    """Boot and count of readings without a clock, by device: whatever their time, the same one is the same reading."""

    def __init__(self, server: Server, bucket: str) -> None:
        self._server = server
        self._bucket = bucket
        self._known: OrderedDict[str, dict[str, Runs]] = OrderedDict()
        self._asked: dict[str, int] = {}

    def load(self, received: Iterable[tuple[str, int]]) -> None:
        """Ask for devices (with microseconds of receipt): everything, or what other processes may have stored since the last question.

        Devices seen longest ago are forgotten beyond a bound.
        """
        first: dict[str, int] = {}
        for device, us in received:
            first[device] = min(us, first.get(device, us))
        since = {
            device: min(us, self._asked[device]) - MARGIN_US for device, us in first.items() if device in self._asked
        }
        self._ask([device for device in first if device not in since], None)
        latest_last = sorted(since, key=lambda device: since[device])
        for start in range(0, len(latest_last), DEVICES_A_QUERY):
            part = latest_last[start : start + DEVICES_A_QUERY]
            self._ask(part, since[part[0]])
        for device in first:
            self._known.setdefault(device, {})
            self._known.move_to_end(device)
        self._asked |= first
        while len(self._known) > max(MAX_CLOCKLESS_DEVICES, len(first)):
            self._asked.pop(self._known.popitem(last=False)[0], None)

    def _ask(self, devices: Sequence[str], since_us: int | None) -> None:
        after = "" if since_us is None else f" AND time >= {max(since_us, 0) * 1000}"
        for among in among_devices(devices):
            query = f'SELECT "Boot", "Seq", device FROM {READINGS} WHERE "Clockless" = true AND {among}{after}'
            rows = _pairs(self._server.select(self._bucket, query, {}), "device", "Boot", "Seq")
            self.note((device, text_of(boot) or "", seq) for device, boot, seq in rows)

    def __contains__(self, key: tuple[str, str, int]) -> bool:
        device, boot, seq = key
        runs = self._known[device].get(boot)
        return runs is not None and seq in runs

    def note(self, keys: Iterable[tuple[str, str, int]]) -> None:
        """Take in what was stored: device, boot, count."""
        for device, boot, seq in keys:
            self._known.setdefault(device, {}).setdefault(boot, Runs()).add(seq)


class Runs:
    """Whole numbers, kept as runs [first, last]: counts of one boot are a handful of them."""

    def __init__(self) -> None:
        self._first: list[int] = []
        self._last: list[int] = []

    def __contains__(self, number: int) -> bool:
        place = bisect_right(self._first, number) - 1
        return place >= 0 and number <= self._last[place]

    def add(self, number: int) -> None:
        """Take a number in."""
        place = bisect_right(self._first, number)
        if place and number <= self._last[place - 1]:
            return
        follows = place > 0 and self._last[place - 1] == number - 1
        leads = place < len(self._first) and self._first[place] == number + 1
        if follows and leads:
            self._last[place - 1] = self._last.pop(place)
            del self._first[place]
        elif follows:
            self._last[place - 1] = number
        elif leads:
            self._first[place] = number
        else:
            self._first.insert(place, number)
            self._last.insert(place, number)


def among_devices(devices: Sequence[str], size: int = DEVICES_A_QUERY) -> Iterator[str]:
    """Conditions that together hold for these devices (tags: nothing in them but dots means anything in a pattern).

    A pattern of alternatives: a chain of ORs costs the server twice as much.
    """
    for start in range(0, len(devices), size):
        part = devices[start : start + size]
        if len(part) == 1:
            yield f"device = '{part[0]}'"
        else:
            yield f"device =~ /^(?:{'|'.join(part).replace('.', chr(92) + '.')})$/"


def series_of(tags: str) -> Series:
    """Device and stream of ``device=a,stream=b``."""
    device, stream = tags.split(",")
    return device.removeprefix("device="), stream.removeprefix("stream=")


def _pairs(table: Any, *names: str) -> Iterator[tuple[Any, ...]]:
    if table.num_rows == 0:
        return iter(())
    return zip(*(table[name].to_pylist() for name in names), strict=True)
