"""The rows of a history as cells of device and day: from readings, or from installation to removal where there are none."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from analytics.cohorts.day_amounts import Amounts, Compared
from hearthwatch.errors import Invalid
from hearthwatch.history.reader import History

Ints = NDArray[np.int64]

UNKNOWN = -1
DAYS = 1_000_000
US_PER_DAY = 86_400_000_000
MOST_CELLS = 6_000_000
"""Device-days of a history without readings that are held in memory; beyond, a cell is several days."""


@dataclass(slots=True)
class Words:
    """Numbers for texts, given in the order they are met; unknown (null or empty) is -1."""

    numbers: dict[str, int] = field(default_factory=dict)

    def encode(self, column: Any) -> Ints:
        """The numbers of a column of strings."""
        words = column.to_pylist() if len(column) < 64 else None
        if words is not None:
            return np.array([self._number(word) for word in words], dtype=np.int64)
        encoded = pc.dictionary_encode(column)
        encoded = encoded.combine_chunks() if isinstance(encoded, pa.ChunkedArray) else encoded
        table = np.array([*(self._number(word) for word in encoded.dictionary.to_pylist()), UNKNOWN], dtype=np.int64)
        places = pc.fill_null(encoded.indices, table.size - 1).to_numpy(zero_copy_only=False)
        result: Ints = table[places]
        return result

    def _number(self, word: str | None) -> int:
        return self.numbers.setdefault(word, len(self.numbers)) if word else UNKNOWN

    @property
    def texts(self) -> list[str]:
        """The texts in the order of their numbers."""
        return list(self.numbers)


@dataclass(frozen=True, slots=True)
class Numbering:
    """What a history's texts are numbered by: devices, the values of the column ``by`` that is compared, firmware."""

    by: str
    names: Words
    values: Words
    firmware: Words

    @classmethod
    def of(cls, by: str) -> Numbering:
        """Nothing met yet. Where firmware is compared, its numbers are those of the values."""
        firmware = Words()
        return cls(by, Words(), firmware if by == "firmware" else Words(), firmware)


@dataclass(frozen=True, slots=True)
class Cells:
    """Rows keyed by device and day (device x 1,000,000 + day), with the time of the row in microseconds."""

    key: Ints
    at: Ints
    value: Ints
    firmware: Ints
    changed: NDArray[np.bool_]
    amounts: Amounts


def cells_of_readings(history: History, numbering: Numbering, compared: Compared) -> Iterator[Cells]:
    """The readings, table by table, already reduced to days."""
    by = numbering.by
    for table in history.readings():
        at = pc.cast(table["at"], pa.int64()).to_numpy()
        told = numbering.firmware.encode(table["firmware"])
        unknown = np.full(at.size, UNKNOWN, dtype=np.int64)
        value = numbering.values.encode(table[by]) if by in table.column_names else unknown
        key = numbering.names.encode(table["device"]) * DAYS + at // US_PER_DAY
        yield reduced(Cells(key, at, value, told, np.zeros(at.size, dtype=bool), Amounts.of(table, compared)))


def reduced(cells: Cells) -> Cells:
    """One row for each device and day: its last; changed where the rows differ."""
    if cells.key.size == 0:
        return cells
    order = np.lexsort((cells.at, cells.key))
    key, value = cells.key[order], cells.value[order]
    first = np.flatnonzero(np.concatenate([[True], key[1:] != key[:-1]]))
    last = np.append(first[1:], key.size) - 1
    differs = np.minimum.reduceat(value, first) != np.maximum.reduceat(value, first)
    changed = differs | np.logical_or.reduceat(cells.changed[order], first)
    at, told = cells.at[order][last], cells.firmware[order][last]
    return Cells(key[last], at, value[last], told, changed, cells.amounts.reduced(order, first))


def joined(pieces: Sequence[Cells]) -> Cells:
    """One after the other."""
    return Cells(
        key=np.concatenate([piece.key for piece in pieces]),
        at=np.concatenate([piece.at for piece in pieces]),
        value=np.concatenate([piece.value for piece in pieces]),
        firmware=np.concatenate([piece.firmware for piece in pieces]),
        changed=np.concatenate([piece.changed for piece in pieces]),
        amounts=Amounts.joined([piece.amounts for piece in pieces]),
    )


def cells_of_lifetimes(history: History, numbering: Numbering) -> tuple[Cells, int]:
    """Without readings a device was under observation from its installation until its removal, or until the history ends.

    Not before the first thing the history tells of, though: who failed before that is not in it (left truncation). Returns the cells and
    how many days each stands for. Raises `Invalid` when nothing says how long devices were observed.
    """
    table, by = history.devices, numbering.by
    installed, removed = _days_of(table["installed"]), _days_of(table["removed"])
    told = np.concatenate([_days_of(column) for column in (history.failures["at"], history.events["at"])] + [removed])
    told = told[np.isfinite(told)]
    if not told.size:
        raise Invalid("nothing says how long the devices were observed: no readings, no removal, no failure")
    final = float(told.max())
    begin = np.maximum(np.where(np.isfinite(installed), installed, np.inf), float(told.min()))
    end = np.where(np.isfinite(removed), removed, final)
    width = max(1, int(-(-np.maximum(0.0, end - begin + 1).sum() // MOST_CELLS)))
    observed = begin <= end
    first = np.where(observed, begin, 0.0).astype(np.int64) // width
    slots = np.where(observed, np.where(observed, end, 0.0).astype(np.int64) // width - first + 1, 0)
    device = np.repeat(numbering.names.encode(table["device"]), slots)
    offset = np.arange(slots.sum()) - np.repeat(np.cumsum(slots) - slots, slots)
    day = np.repeat(first, slots) + offset
    versions = np.repeat(numbering.firmware.encode(table["firmware"]), slots)
    value = np.repeat(numbering.values.encode(table[by]), slots)
    unchanged = np.zeros(day.size, dtype=bool)
    nothing = Amounts.nothing(day.size, Compared.of(()))
    return Cells(device * DAYS + day, day * US_PER_DAY, value, versions, unchanged, nothing), width


def _days_of(column: Any) -> NDArray[np.float64]:
    """Days since 1970 of a column of times, NaN without."""
    stamps = pc.cast(column, pa.int64()).to_numpy(zero_copy_only=False).astype(np.float64)
    result: NDArray[np.float64] = stamps // US_PER_DAY
    return result
