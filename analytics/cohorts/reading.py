"""Reads the telemetry of a model's devices into a panel."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from hashlib import blake2b
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from analytics.cohorts.boots import BootSigns
from analytics.cohorts.panel import ANOTHER, THIS, UNKNOWN, Panel, Question, Versions, time_of
from hearthwatch.metrics import REBOOT_CODES_EXPECTED
from hearthwatch.ports import TelemetryStore

_US_PER_HOUR = 3_600_000_000


def load_panel(
    store: TelemetryStore, devices: Sequence[str], versions: Versions, begin: int, end: int, question: Question
) -> Panel:
    """Read the hours [begin, end) of the devices. Both ends are hours since 1970."""
    since, until, ids = time_of(begin), time_of(end), pa.array(devices, pa.string())
    shape = (len(devices), max(0, end - begin))
    exposure = store.exposure(since, until, devices=devices)
    rows = _Cells.of(exposure, "hour", ids, begin)
    reported, number, other = _versions(rows, exposure["firmware"], versions, shape)
    events = store.events(since, until, devices=devices, kinds=["reboot", "update"])
    words = _Cells.of(events, "at", ids, begin)
    boots = events.filter(pc.equal(events["kind"], "reboot"))
    happened = _Cells.of(boots, "at", ids, begin)
    wanted = pc.is_in(boots["code"], value_set=pa.array(sorted(REBOOT_CODES_EXPECTED)))
    sudden = boots.filter(pc.invert(wanted))
    crashed = _Cells.of(sudden, "at", ids, begin)
    _take_event_hours(crashed, sudden["firmware"], versions, reported, number, other)
    signs, counter, gauges = _take_values(store, (since, until), devices, ids, begin, shape, question)
    presence = store.presence(since, until, devices=devices)
    signs = replace(
        signs, **_boot_ids((presence.filter(pc.equal(presence["online"], True)), events), ids, begin, shape)
    )
    told = _told_to_update(words, events, begin, shape, question)
    _take_offers(told, devices, versions, begin, question)
    unseen = np.array([hour in question.blind for hour in range(begin, end)], dtype=bool)
    return Panel(
        begin=begin,
        reported=reported,
        version=number,
        other=other,
        unexpected=crashed.counted(shape),
        reboots=happened.counted(shape),
        signs=signs,
        told_to_update=told,
        counter=counter,
        gauges=gauges,
        blind=unseen,
    )


def _take_values(
    store: TelemetryStore,
    span: tuple[datetime, datetime],
    devices: Sequence[str],
    ids: pa.Array,
    begin: int,
    shape: tuple[int, int],
    question: Question,
) -> tuple[BootSigns, NDArray[np.float64] | None, Mapping[str, NDArray[np.float64]]]:
    """The hour's values: signs of boots, the counter, the gauges."""
    known = set(store.metrics())
    counters = [question.counter] if question.counter in known else []
    gauges = [name for name in question.gauges if name in known]
    asked = sorted({*counters, *gauges, *({"boot_count", "uptime_s"} & known)})
    nothing = BootSigns.nothing(*shape)
    if not asked:
        return nothing, None, {}
    table = store.hourly(*span, devices=devices, metrics=asked)
    cells = _Cells.of(table, "hour", ids, begin)
    place = pc.index_in(cells.pick(table["metric"]), value_set=pa.array(asked)).to_numpy()
    flat = cells.device * shape[1] + cells.hour

    def dense(metric: str, column: str, *, largest: bool) -> NDArray[np.float64]:
        """A column by device and hour; of two rows in one hour (two versions) the larger or the smaller value."""
        mine = np.flatnonzero(place == asked.index(metric))
        where = flat[mine]
        values = cells.pick(table[column]).to_numpy()[mine]
        result = np.full(shape[0] * shape[1], np.nan)
        result[where] = values
        if where.size and np.bincount(where).max() > 1:
            (np.fmax if largest else np.fmin).at(result, where, values)
        return result.reshape(shape)

    if "boot_count" in known:
        nothing = replace(nothing, count=dense("boot_count", "last", largest=True))
    if "uptime_s" in known:
        nothing = replace(
            nothing,
            uptime=dense("uptime_s", "last", largest=False),
            lowest=dense("uptime_s", "minimum", largest=False),
            highest=dense("uptime_s", "maximum", largest=True),
        )
    counter = dense(counters[0], "last", largest=True) if counters and counters[0] else None
    return nothing, counter, {name: dense(name, "mean", largest=True) for name in gauges}


def _boot_ids(
    tables: tuple[pa.Table, pa.Table], ids: pa.Array, begin: int, shape: tuple[int, int]
) -> Mapping[str, NDArray[Any]]:
    """How many boot ids each device told in each hour, coming online or in an event, and numbers of the first and the last."""
    columns = ("device", "at", "boot")
    said = pa.concat_tables([table.select(columns) for table in tables])
    said = said.filter(pc.is_valid(said["boot"])).sort_by("at")
    cells = _Cells.of(said, "at", ids, begin)
    words = pc.dictionary_encode(cells.pick(said["boot"])).combine_chunks()
    numbers = np.array([_number_of_boot(word) for word in words.dictionary.to_pylist()], dtype=np.int64)
    number = numbers[words.indices.to_numpy(zero_copy_only=False)] if numbers.size else np.zeros(0, dtype=np.int64)
    last, first = np.zeros(shape, dtype=np.int64), np.zeros(shape, dtype=np.int64)
    last[cells.device, cells.hour] = number
    back = np.arange(number.size)[::-1].copy()  # the one assigned last stays
    first[cells.device[back], cells.hour[back]] = number[back]
    distinct = np.unique(np.stack((cells.device, cells.hour, number)), axis=1)
    flat = np.bincount(distinct[0] * shape[1] + distinct[1], minlength=shape[0] * shape[1])
    return {"ids": flat.reshape(shape).astype(np.int32), "first_id": first, "last_id": last}


def _number_of_boot(word: str) -> int:
    """A number for a boot id that is the same at every reading; never 0."""
    return int.from_bytes(blake2b(word.encode(), digest_size=7).digest(), "big") + 1


def _told_to_update(
    cells: _Cells, events: pa.Table, begin: int, shape: tuple[int, int], question: Question
) -> NDArray[np.int8]:
    """Hours in which a device said that it begins to install something: an event ``update`` ``started``, or a reboot for an update."""
    told = np.zeros(shape, dtype=np.int8)
    codes = pc.fill_null(events["code"], "")
    begins = pc.or_(
        pc.and_(pc.equal(events["kind"], "update"), pc.equal(codes, "started")),
        pc.and_(pc.equal(events["kind"], "reboot"), pc.equal(codes, "update")),
    )
    chosen = np.asarray(cells.pick(begins).to_numpy(zero_copy_only=False), dtype=bool)
    device, hour = cells.device[chosen], cells.hour[chosen]
    low, high = question.own_words
    meant = (hour + begin >= low) & (hour + begin < high)
    told[device, hour] = np.where(meant, THIS, ANOTHER)
    return told


def _take_offers(
    told: NDArray[np.int8], devices: Sequence[str], versions: Versions, begin: int, question: Question
) -> None:
    place = {name: index for index, name in enumerate(devices)} if question.offers else {}
    for device, at, asked in question.offers:
        hour = at - begin
        if device in place and 0 <= hour < told.shape[1]:
            told[place[device], hour] = THIS if versions.number(asked) == question.target else ANOTHER


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

    def counted(self, shape: tuple[int, int]) -> NDArray[np.float64]:
        """How many rows fall on each device and hour."""
        flat = np.bincount(self.device * shape[1] + self.hour, minlength=shape[0] * shape[1])
        return flat.reshape(shape).astype(np.float64)


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
) -> tuple[NDArray[np.bool_], NDArray[np.int32], NDArray[np.int32]]:
    """Which hours were reported, by which version, and by which other one."""
    number = _numbers(rows.pick(firmware), versions)
    reported = np.zeros(shape, dtype=bool)
    reported[rows.device, rows.hour] = True
    told = number != UNKNOWN
    device, hour, number = rows.device[told], rows.hour[told], number[told]
    lowest = np.full(shape, np.iinfo(np.int32).max, dtype=np.int32)
    np.minimum.at(lowest, (device, hour), number)
    highest = np.full(shape, UNKNOWN, dtype=np.int32)
    np.maximum.at(highest, (device, hour), number)
    return reported, highest, np.where(highest == UNKNOWN, highest, lowest)


def _take_event_hours(
    cells: _Cells,
    firmware: Any,
    versions: Versions,
    reported: NDArray[np.bool_],
    number: NDArray[np.int32],
    other: NDArray[np.int32],
) -> None:
    """An hour with an event is an hour under observation, also when no reading came in it."""
    numbers = _numbers(cells.pick(firmware), versions)
    fresh = ~reported[cells.device, cells.hour]
    number[cells.device[fresh], cells.hour[fresh]] = numbers[fresh]
    other[cells.device[fresh], cells.hour[fresh]] = numbers[fresh]
    reported[cells.device, cells.hour] = True
