"""Notices what is odd about the rows of a history, and knows where each stands: repeated rows, rows out of order, clocks that were
wrong, columns in which nothing moves.

Keeps 20 bytes for each row: its device, its time and a hash of what it says.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from functools import cached_property

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from hearthwatch.history.remarks import Remark
from hearthwatch.history.rows import Taken

Ints = NDArray[np.int64]
UNSET_UNTIL = 366 * 86_400_000_000
"""A clock that was never set counts from 1970-01-01: times before 1971 are its, where most are later."""
AHEAD = timedelta(days=1)
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MULTIPLIER = np.uint64(0x9E3779B97F4A7C15)
_SHIFT = np.uint64(29)


@dataclass(frozen=True, slots=True)
class Place:
    """Where a row stands; the header is row 1."""

    file: str
    row: int


@dataclass(slots=True)
class Column:
    """What one numeric column held: how many values, the least and the greatest, and where the first stood."""

    name: str
    values: int = 0
    low: float = np.inf
    high: float = -np.inf
    first: Place | None = None


@dataclass(frozen=True, slots=True)
class _Rows:
    """All rows in the order of the files, and their order by device and time."""

    device: NDArray[np.int32]
    at: Ints
    said: NDArray[np.uint64]
    order: Ints


class Survey:
    """Takes rows in and tells about all of them. ``now`` is the time after which a row's clock was wrong."""

    def __init__(self, now: datetime) -> None:
        self.now_us = (now + AHEAD - _EPOCH) // timedelta(microseconds=1)
        self.columns: dict[str, Column] = {}
        self._codes: dict[str, int] = {}
        self._parts: list[tuple[NDArray[np.int32], Ints, NDArray[np.uint64]]] = []
        self._taken: list[tuple[int, Taken]] = []
        self._offsets: dict[str, dict[str, tuple[int, Place]]] = {}
        self._count = 0

    def take(self, rows: Taken) -> None:
        """Take in the rows of a piece: device, at, text columns and float64 columns."""
        table = rows.table
        for column, offsets in rows.offsets.items():
            found = self._offsets.setdefault(column, {})
            for offset, (count, index) in offsets.items():
                before = found.get(offset)
                place = before[1] if before else Place(rows.piece.file, rows.piece.row(index))
                found[offset] = ((before[0] if before else 0) + count, place)
        if not len(table):
            return
        coded = table["device"].combine_chunks().dictionary_encode()
        numbers = [self._codes.setdefault(name, len(self._codes)) for name in coded.dictionary.to_pylist()]
        device = np.array(numbers, dtype=np.int32)[coded.indices.to_numpy()]
        at = np.asarray(table["at"].cast(pa.int64()).to_numpy(), dtype=np.int64)
        self._parts.append((device, at, self._hashed(rows)))
        # Of the piece only its place is kept, not its cells.
        piece = replace(rows.piece, columns=rows.piece.columns.schema.empty_table())
        self._taken.append((self._count, Taken(piece, table.schema.empty_table(), rows.places, {})))
        self._count += len(table)

    def _hashed(self, rows: Taken) -> NDArray[np.uint64]:
        """One number for all that the numeric and yes/no columns of a row say."""
        said = np.zeros(len(rows.table), dtype=np.uint64)
        for name in rows.table.column_names:
            column = rows.table[name]
            if pa.types.is_floating(column.type):
                values = pc.fill_null(column, float("nan")).to_numpy()
                self._measure(name, values, rows)
            elif pa.types.is_boolean(column.type):
                values = pc.fill_null(column, False).to_numpy().astype(np.float64)
            else:
                continue
            said ^= np.ascontiguousarray(values).view(np.uint64)
            said *= _MULTIPLIER
            said ^= said >> _SHIFT
        return said

    def _measure(self, name: str, values: NDArray[np.float64], rows: Taken) -> None:
        column = self.columns.setdefault(name, Column(name))
        known = ~np.isnan(values)
        count = int(known.sum())
        if not count:
            return
        if column.first is None:
            column.first = Place(rows.piece.file, rows.row(int(np.argmax(known))))
        column.values += count
        column.low = min(column.low, float(np.nanmin(values)))
        column.high = max(column.high, float(np.nanmax(values)))

    @cached_property
    def _rows(self) -> _Rows:
        if not self._parts:
            nothing = np.zeros(0, dtype=np.int64)
            return _Rows(nothing.astype(np.int32), nothing, nothing.astype(np.uint64), nothing)
        device, at, said = (np.concatenate([part[place] for part in self._parts]) for place in range(3))
        return _Rows(device, at, said, np.lexsort((at, device)))

    def place(self, index: int) -> Place:
        """Where a row stands, by its number among all rows."""
        which = int(np.searchsorted([begin for begin, _ in self._taken], index, side="right")) - 1
        begin, taken = self._taken[which]
        return Place(taken.piece.file, taken.row(index - begin))

    def find(self, device: str, day: int) -> Place | None:
        """Where the first row of a device's day (UTC, days since 1970) stands."""
        code = self._codes.get(device)
        if code is None:
            return None
        rows = self._rows
        mine = rows.order[slice(*np.searchsorted(rows.device, [code, code + 1], sorter=rows.order))]
        days = rows.at[mine] // 86_400_000_000
        hit = int(np.searchsorted(days, day))
        return self.place(int(mine[hit])) if hit < len(mine) and days[hit] == day else None

    def trusted(self) -> tuple[int, int]:
        """From when until when (microseconds since 1970) times are believed.

        Before 1971 they are a clock's that was never set, and after tomorrow one's that runs ahead, unless half of all rows say so.
        """
        at = self._rows.at
        unset, ahead = int((at < UNSET_UNTIL).sum()), int((at > self.now_us).sum())
        low = UNSET_UNTIL if 0 < unset < len(at) / 2 else 0
        return low, self.now_us if 0 < ahead < len(at) / 2 else np.iinfo(np.int64).max

    def remarks(self) -> Iterator[Remark]:
        """What is odd, in words."""
        yield from self._repeated()
        yield from self._unsorted()
        yield from self._clocks()
        yield from self._written_offsets()
        yield from self._still()

    def _repeated(self) -> Iterator[Remark]:
        rows = self._rows
        before, after = rows.order[:-1], rows.order[1:]
        same = (rows.device[before] == rows.device[after]) & (rows.at[before] == rows.at[after])
        equal = rows.said[before] == rows.said[after]
        for kind, which, what, done in (
            (
                "duplicate_rows",
                same & equal,
                "repeats another: same device, time and values",
                "counted as one day all the same",
            ),
            (
                "conflicting_rows",
                same & ~equal,
                "has the device and time of another, and other values",
                "of a gauge the day's mean is taken, of a counter the later row",
            ),
        ):
            if which.any():
                yield self._of_rows(kind, after[which], what, done, grave=kind == "conflicting_rows")

    def _unsorted(self) -> Iterator[Remark]:
        rows = self._rows
        before, after = rows.order[:-1], rows.order[1:]
        odd = (rows.device[before] == rows.device[after]) & (before > after)
        if odd.any():
            yield self._of_rows(
                "unsorted_rows", after[odd], "stands before an older one of its device", "put in order by time"
            )

    def _clocks(self) -> Iterator[Remark]:
        at = self._rows.at
        low, high = self.trusted()
        for kind, wrong, left_out, what in (
            ("clock_1970", at < UNSET_UNTIL, low > 0, "is of 1970, as of a clock that was never set"),
            ("clock_ahead", at > self.now_us, high == self.now_us, "lies in the future"),
        ):
            if wrong.any():
                done = "left out" if left_out else "kept: most rows say so"
                yield self._of_rows(kind, np.flatnonzero(wrong), what, done, grave=left_out)

    def _of_rows(self, kind: str, rows: Ints, what: str, done: str, *, grave: bool = False) -> Remark:
        first = int(rows.min())
        place = self.place(first)
        code = int(self._rows.device[first])
        device = next(name for name, number in self._codes.items() if number == code)
        stamp = (_EPOCH + timedelta(microseconds=int(self._rows.at[first]))).isoformat()
        said = f"1 row that {what}" if len(rows) == 1 else f"{len(rows):,} rows, each of which {what}"
        return Remark(kind, len(rows), said, done, place.file, place.row, None, f"{device} at {stamp}", grave=grave)

    def _written_offsets(self) -> Iterator[Remark]:
        for column, found in self._offsets.items():
            if len(found) < 2:
                continue
            told = ", ".join(
                f"{count:,} with {offset or 'none'}"
                for offset, (count, _) in sorted(found.items(), key=lambda one: -one[1][0])
            )
            rarest, (_, place) = min(found.items(), key=lambda one: (one[1][0], one[0]))
            yield Remark(
                "mixed_offsets",
                sum(count for count, _ in found.values()),
                f"times with different offsets: {told}",
                "each read by its own; one without is of the mapping's timezone",
                place.file,
                place.row,
                column,
                rarest or "no offset",
            )

    def _still(self) -> Iterator[Remark]:
        for column in self.columns.values():
            if not column.values:
                yield Remark(
                    "empty_column", 0, "a metric without any value", "nothing is learned from it", column=column.name
                )
            elif column.low == column.high and self._count > 1:
                place = column.first
                yield Remark(
                    "constant_column",
                    column.values,
                    f"a metric with one value in all {column.values:,} rows that have one",
                    "nothing is learned from it",
                    place.file if place else None,
                    place.row if place else None,
                    column.name,
                    f"{column.low:.6g}",
                )
