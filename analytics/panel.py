"""Daily values as dense arrays, (devices, days) per metric: the form in which every analysis of this stage sees telemetry.

Only the day's ``mean`` of a gauge and its ``last`` of a counter are used: both mean the same for live readings and for imported
history with one row a day, so a model trained on the one may speak about the other.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from hearthwatch.failure_modes import UNEXPECTED_REBOOTS
from hearthwatch.metrics import BY_NAME, REBOOT_CODES_EXPECTED

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Flags = NDArray[np.bool_]

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
DAY_US = 86_400_000_000


@dataclass(frozen=True, slots=True)
class Panel:
    """Daily values of some devices over the days ``first_day``, ``first_day`` + 1, ... (days since 1970-01-01, UTC).

    ``values`` maps a metric to its array, NaN where nothing was reported; a counter appears under its own name as its daily
    increase, and in ``totals`` as what it stood at. ``firmware`` holds indices into ``firmwares``, -1 where it is not known.
    """

    devices: tuple[str, ...]
    first_day: int
    values: Mapping[str, Floats]
    totals: Mapping[str, Floats]
    firmware: Ints
    firmwares: tuple[str, ...]
    present: Flags

    @property
    def days(self) -> int:
        """How many days there are."""
        return int(self.present.shape[1])

    def updated(self, day: int) -> Flags:
        """Whose firmware is another than the day before (devices,): what they did on ``day`` may belong to either."""
        now, before = self.firmware[:, day], self.firmware[:, max(day - 1, 0)]
        changed: Flags = (now >= 0) & (before >= 0) & (now != before)
        return changed

    def only(self, rows: Ints) -> Panel:
        """The panel of some of its devices, by row."""
        return Panel(
            tuple(self.devices[row] for row in rows),
            self.first_day,
            {name: values[rows] for name, values in self.values.items()},
            {name: values[rows] for name, values in self.totals.items()},
            self.firmware[rows],
            self.firmwares,
            self.present[rows],
        )


def day_number(at: datetime) -> int:
    """The UTC day an instant lies in, in days since 1970-01-01."""
    return (at - _EPOCH) // timedelta(days=1)


def day_start(day: int) -> datetime:
    """The instant at which a day begins."""
    return _EPOCH + timedelta(days=day)


def is_counter(metric: str) -> bool:
    """Whether the catalogue calls a metric a counter; an unknown one is a gauge."""
    known = BY_NAME.get(metric)
    return known is not None and known.kind == "counter"


def panel_of(
    daily: pa.Table,
    reboots: pa.Table | None,
    *,
    first_day: int,
    days: int,
    devices: Sequence[str],
    counter: Callable[[str], bool] = is_counter,
) -> Panel:
    """A panel from a store's ``daily`` table and its events of kind ``reboot``.

    Rows of other devices or days are left out. ``reboots`` None means that nobody counted them; else a day without a reboot on
    which the device reported has 0 of them.
    """
    names = tuple(devices)
    shape = (len(names), days)
    where = _Places(daily, names, first_day, days)
    metric_code, metrics = encoded(daily.column("metric"))
    mean, last = _floats(daily.column("mean")), _floats(daily.column("last"))
    values: dict[str, Floats] = {}
    totals: dict[str, Floats] = {}
    order = np.argsort(metric_code, kind="stable")
    bounds = np.searchsorted(metric_code[order], np.arange(len(metrics) + 1))
    for code, metric in enumerate(metrics):
        rows = order[bounds[code] : bounds[code + 1]]
        rows = rows[where.inside[rows]]
        array = np.full(shape, np.nan)
        counts = counter(metric)
        array[where.device[rows], where.day[rows]] = (last if counts else mean)[rows]
        if counts:
            totals[metric] = array
            values[metric] = increases(array)
        else:
            values[metric] = array
    present = np.zeros(shape, dtype=bool)
    present[where.device[where.inside], where.day[where.inside]] = True
    firmware_code, firmwares = encoded(daily.column("firmware"))
    firmware = np.full(shape, -1, dtype=np.int64)
    firmware[where.device[where.inside], where.day[where.inside]] = firmware_code[where.inside]
    if reboots is not None:
        values[UNEXPECTED_REBOOTS] = unasked_reboots(reboots, names, first_day, present)
    return Panel(names, first_day, values, totals, firmware, firmwares, present)


def increases(totals: Floats) -> Floats:
    """Daily increase of counters, shape (devices, days): from the last day they were seen, spread evenly over a gap.

    A counter that fell was reset: it has counted from 0 since. The first day seen has no increase.
    """
    devices, days = totals.shape
    result = np.full(totals.shape, np.nan)
    before = np.full(devices, np.nan)
    seen_on = np.zeros(devices)
    for day in range(days):
        now = totals[:, day]
        grown = np.where(now < before, now, now - before)
        result[:, day] = grown / np.maximum(day - seen_on, 1)
        known = ~np.isnan(now)
        before = np.where(known, now, before)
        seen_on = np.where(known, day, seen_on)
    return result


def encoded(column: pa.ChunkedArray) -> tuple[Ints, tuple[str, ...]]:
    """A text column as integer codes (-1 for null) and the texts, sorted, so that codes do not depend on the order of rows."""
    plain = column.cast(pa.string()) if pa.types.is_dictionary(column.type) else column
    if len(plain) == 0:
        return np.zeros(0, dtype=np.int64), ()
    dictionary = pc.dictionary_encode(plain).combine_chunks()
    if isinstance(dictionary, pa.ChunkedArray):
        dictionary = dictionary.unify_dictionaries().combine_chunks()
    texts = dictionary.dictionary.to_pylist()
    codes = pc.fill_null(dictionary.indices, -1).to_numpy(zero_copy_only=False).astype(np.int64)
    ranks = {text: rank for rank, text in enumerate(sorted(texts))}
    renumber = np.array([ranks[text] for text in texts] + [-1], dtype=np.int64)
    return renumber[codes], tuple(sorted(texts))


def days_of(column: pa.ChunkedArray) -> Ints:
    """A column of dates or instants as days since 1970-01-01."""
    if pa.types.is_date(column.type):
        return _integers(column.cast(pa.date32()).cast(pa.int32()))
    return _integers(column.cast(pa.timestamp("us", "UTC")).cast(pa.int64())) // DAY_US


class _Places:
    """Where the rows of a table belong in a panel."""

    def __init__(self, table: pa.Table, devices: Sequence[str], first_day: int, days: int, day: str = "day") -> None:
        codes, texts = encoded(table.column("device"))
        position = {device: index for index, device in enumerate(devices)}
        lookup = np.array([position.get(text, -1) for text in texts] + [-1], dtype=np.int64)
        self.device = lookup[codes]
        self.day = days_of(table.column(day)) - first_day
        self.inside = (self.device >= 0) & (self.day >= 0) & (self.day < days)


def unasked_reboots(events: pa.Table, devices: Sequence[str], first_day: int, present: Flags) -> Floats:
    """Unexpected reboots of every device-day, of events of any kind; NaN where the device neither reported nor rebooted."""
    kinds = events.column("kind")
    codes = pc.fill_null(events.column("code"), "")
    expected = pa.array(sorted(REBOOT_CODES_EXPECTED), type=pa.string())
    unasked = pc.and_(
        pc.equal(kinds.cast(pa.string()), "reboot"), pc.invert(pc.is_in(codes.cast(pa.string()), expected))
    )
    table = events.filter(unasked)
    where = _Places(table, devices, first_day, present.shape[1], day="at")
    counts = np.zeros(present.shape)
    np.add.at(counts, (where.device[where.inside], where.day[where.inside]), 1.0)
    return np.where(present | (counts > 0), counts, np.nan)


def _floats(column: pa.ChunkedArray) -> Floats:
    values = pc.fill_null(column.cast(pa.float64()), float("nan"))
    return np.asarray(values.to_numpy(), dtype=np.float64)


def _integers(column: pa.ChunkedArray) -> Ints:
    return np.asarray(column.to_numpy(), dtype=np.int64)
