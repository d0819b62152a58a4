"""Telemetry of a model's devices as dense arrays of shape (devices, hours)."""

from __future__ import annotations

from collections.abc import Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from analytics.cohorts.spec import SYNC_COUNTER
from hearthwatch.firmware import version
from hearthwatch.metrics import REBOOT_CODES_EXPECTED
from hearthwatch.ports import TelemetryStore

_US_PER_HOUR = 3_600_000_000
UNKNOWN = -1


def hour_of(at: datetime) -> int:
    """Whole hours since 1970 (UTC), rounded down."""
    return int(at.timestamp() // 3600)


def time_of(hour: int) -> datetime:
    """When an hour begins."""
    return datetime.fromtimestamp(hour * 3600, UTC)


@dataclass(slots=True)
class Versions:
    """Numbers for normalised firmware versions, given in the order they are met."""

    numbers: dict[str, int] = field(default_factory=dict)

    def number(self, verbatim: str) -> int:
        """The number of a firmware string's version."""
        return self.numbers.setdefault(version(verbatim).text, len(self.numbers))


@dataclass(frozen=True, slots=True)
class Panel:
    """What was reported in consecutive hours from ``begin`` (hours since 1970).

    ``version`` numbers the firmware that reported (-1 unknown), ``mixed`` marks hours in which two versions did. ``reboots`` lists
    unexpected reboots: device index, hour index, and which one of the device's UTC day it was (0 the first). ``counter`` is the last
    value of the hour, NaN without. ``blind`` marks the hours in which nobody could be heard (see `hearthwatch.records.blindness`).
    """

    begin: int
    reported: NDArray[np.bool_]
    version: NDArray[np.int32]
    mixed: NDArray[np.bool_]
    reboots: tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]
    counter: NDArray[np.float64] | None
    blind: NDArray[np.bool_] | None = None

    @property
    def hours(self) -> int:
        """How many hours there are."""
        return int(self.reported.shape[1])

    def reboot_counts(self, cap: int) -> NDArray[np.float64]:
        """Unexpected reboots by device and hour, without those beyond the ``cap`` of a UTC day."""
        device, hour, rank = self.reboots
        kept = rank < cap
        devices, hours = self.reported.shape
        flat = np.bincount(device[kept] * hours + hour[kept], minlength=devices * hours)
        return flat.reshape(devices, hours).astype(np.float64)

    def part(self, first: int, last: int) -> Panel:
        """The hours [first, last) of it, counted from its begin."""
        device, hour, rank = self.reboots
        inside = (hour >= first) & (hour < last)
        return Panel(
            begin=self.begin + first,
            reported=self.reported[:, first:last],
            version=self.version[:, first:last],
            mixed=self.mixed[:, first:last],
            reboots=(device[inside], hour[inside] - first, rank[inside]),
            counter=None if self.counter is None else self.counter[:, first:last],
            blind=None if self.blind is None else self.blind[first:last],
        )


def load_panel(
    store: TelemetryStore,
    devices: Sequence[str],
    versions: Versions,
    begin: int,
    end: int,
    *,
    counters: bool,
    blind: AbstractSet[int] = frozenset(),
) -> Panel:
    """Read the hours [begin, end) of the devices. Both ends are hours since 1970; ``begin`` should start a UTC day, or reboots are
    numbered within the part of the day that was read. ``blind`` hours are marked in it."""
    since, until, ids = time_of(begin), time_of(end), pa.array(devices, pa.string())
    shape = (len(devices), max(0, end - begin))
    exposure = store.exposure(since, until, devices=devices)
    rows = _Cells.of(exposure, "hour", ids, begin)
    reported, number, mixed = _versions(rows, exposure["firmware"], versions, shape)
    events = store.events(since, until, devices=devices, kinds=["reboot"])
    unexpected = events.filter(pc.invert(pc.is_in(events["code"], value_set=pa.array(sorted(REBOOT_CODES_EXPECTED)))))
    cells = _Cells.of(unexpected, "at", ids, begin)
    _take_event_hours(cells, unexpected["firmware"], versions, reported, number)
    counter = None
    if counters:
        last = store.hourly(since, until, devices=devices, metrics=[SYNC_COUNTER])
        places = _Cells.of(last, "hour", ids, begin)
        counter = np.full(shape, np.nan)
        counter[places.device, places.hour] = places.pick(last["last"]).to_numpy(zero_copy_only=False)
    unseen = np.array([hour in blind for hour in range(begin, end)], dtype=bool) if blind else None
    reboots = (cells.device, cells.hour, cells.rank_in_day(begin))
    return Panel(begin, reported, number, mixed, reboots, counter, unseen)


@dataclass(frozen=True, slots=True)
class _Cells:
    """Where the rows of a table lie in the arrays; rows of other devices are left out."""

    device: NDArray[np.int64]
    hour: NDArray[np.int64]
    _kept: pa.Array | None

    @classmethod
    def of(cls, table: pa.Table, time_column: str, ids: pa.Array, begin: int) -> _Cells:
        place = pc.index_in(table["device"], value_set=ids)
        stamp = pc.cast(table[time_column], pa.int64()).to_numpy()
        hour = stamp // _US_PER_HOUR - begin
        if place.null_count == 0:
            return cls(place.to_numpy().astype(np.int64), hour, None)
        known = place.is_valid()
        kept = known.to_numpy()
        return cls(place.filter(known).to_numpy().astype(np.int64), hour[kept], known)

    def pick(self, column: Any) -> Any:
        """The same rows of a column."""
        return column if self._kept is None else column.filter(self._kept)

    def rank_in_day(self, begin: int) -> NDArray[np.int64]:
        """Which of the device's events of the UTC day each row is; rows are in order of time."""
        day = (self.hour + begin) // 24
        order = np.lexsort((np.arange(day.size), day, self.device))
        key = np.stack((self.device[order], day[order]))
        fresh = np.ones(day.size, dtype=bool)
        fresh[1:] = (key[:, 1:] != key[:, :-1]).any(axis=0)
        position = np.arange(day.size)
        rank = np.empty(day.size, dtype=np.int64)
        rank[order] = position - np.maximum.accumulate(np.where(fresh, position, 0)) if day.size else position
        return rank


def _numbers(column: Any, versions: Versions) -> NDArray[np.int32]:
    """Version numbers of a column of firmware strings; unknown where it is null or empty."""
    encoded = pc.dictionary_encode(column)
    encoded = encoded.combine_chunks() if isinstance(encoded, pa.ChunkedArray) else encoded
    if isinstance(encoded, pa.ChunkedArray):  # an empty chunked array stays chunked
        return np.zeros(0, dtype=np.int32)
    words = [versions.number(word) if word else UNKNOWN for word in encoded.dictionary.to_pylist()]
    table = np.array([*words, UNKNOWN], dtype=np.int32)
    result: NDArray[np.int32] = table[pc.fill_null(encoded.indices, len(words)).to_numpy(zero_copy_only=False)]
    return result


def _versions(
    rows: _Cells, firmware: Any, versions: Versions, shape: tuple[int, int]
) -> tuple[NDArray[np.bool_], NDArray[np.int32], NDArray[np.bool_]]:
    number = _numbers(rows.pick(firmware), versions)
    reported = np.zeros(shape, dtype=bool)
    reported[rows.device, rows.hour] = True
    told = number != UNKNOWN
    device, hour, number = rows.device[told], rows.hour[told], number[told]
    lowest = np.full(shape, np.iinfo(np.int32).max, dtype=np.int32)
    np.minimum.at(lowest, (device, hour), number)
    highest = np.full(shape, UNKNOWN, dtype=np.int32)
    np.maximum.at(highest, (device, hour), number)
    mixed = (highest != UNKNOWN) & (lowest != highest)
    highest[mixed] = UNKNOWN
    return reported, highest, mixed


def _take_event_hours(
    cells: _Cells, firmware: Any, versions: Versions, reported: NDArray[np.bool_], number: NDArray[np.int32]
) -> None:
    """An hour with an event is an hour under observation, also when no reading came in it."""
    numbers = _numbers(cells.pick(firmware), versions)
    fresh = ~reported[cells.device, cells.hour]
    number[cells.device[fresh], cells.hour[fresh]] = numbers[fresh]
    reported[cells.device, cells.hour] = True
