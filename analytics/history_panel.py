"""A maker's history as a panel: the daily values of every device, in one pass over the readings."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from analytics.panel import DAY_US, Flags, Floats, Ints, Panel, days_of, encoded, increases, unasked_reboots
from hearthwatch.errors import Invalid
from hearthwatch.failure_modes import UNEXPECTED_REBOOTS
from hearthwatch.history.reader import History

MOST_CELLS = 500_000_000
"""Daily values that a panel holds: 8 bytes each, and as much again while features are made of them."""


@dataclass(frozen=True, slots=True)
class _Daily:
    """One table's readings, joined to one row for each device and day.

    ``first`` holds a gauge's sum or a counter's last value, ``second`` the gauge's count or the time of that last value.
    """

    device: Ints
    day: Ints
    first: Floats
    second: Floats

    def only(self, rows: Flags) -> _Daily:
        """Some of the rows."""
        return self if rows.all() else _Daily(self.device[rows], self.day[rows], self.first[rows], self.second[rows])


def panel_of_history(history: History, read: Callable[[int], None] = lambda _rows: None) -> Panel:
    """The daily panel of all readings; ``read`` hears how many were read so far. Raises `Invalid` where the history has none."""
    names = [metric.name for metric in history.metrics]
    counts = [metric.kind == "counter" for metric in history.metrics]
    positions: dict[str, int] = {}
    parts, rows = [], 0
    for table in history.readings():
        rows += table.num_rows
        read(rows)
        if table.num_rows:
            parts.append(_daily(table, names, counts, positions))
    parts = _believed(history, parts)
    if not parts or not names:
        raise Invalid("the history has no readings, so there is nothing to predict from", where="columns")
    devices = tuple(sorted(positions))
    rank = {device: index for index, device in enumerate(devices)}
    renumber = np.array([rank[device] for device in positions], dtype=np.int64)
    first_day = min(int(part.day.min()) for part in parts)
    days = max(int(part.day.max()) for part in parts) - first_day + 1
    _check_size(len(devices), days, len(names))
    present = np.zeros((len(devices), days), dtype=bool)
    for part in parts:
        present[renumber[part.device], part.day - first_day] = True
    values: dict[str, Floats] = {}
    totals: dict[str, Floats] = {}
    for column, name in enumerate(names):
        array = _joined(parts, column, renumber, first_day, present.shape, counter=counts[column])
        if np.isnan(array).all():
            continue
        values[name] = increases(array) if counts[column] else array
        if counts[column]:
            totals[name] = array
    if history.mapping.events is not None:
        values[UNEXPECTED_REBOOTS] = unasked_reboots(history.events, devices, first_day, present)
    return Panel(devices, first_day, values, totals, np.full(present.shape, -1, dtype=np.int64), (), present)


def _check_size(devices: int, days: int, metrics: int) -> None:
    """Raises `Invalid` before more memory is asked for than a machine has."""
    if devices * days * metrics > MOST_CELLS:
        raise Invalid(
            f"{devices:,} devices x {days:,} days x {metrics} metrics are more than the {MOST_CELLS:,} daily values that fit into memory; "
            "name fewer metrics, or give a shorter span or a part of the devices",
            where="metrics",
        )


def _believed(history: History, parts: Sequence[_Daily]) -> list[_Daily]:
    """Without the days that only a clock that was wrong can have named; who surveyed the history is told of them."""
    if history.survey is None:
        return list(parts)
    low, high = (bound // DAY_US for bound in history.survey.trusted())
    kept = [part.only((part.day >= low) & (part.day <= high)) for part in parts]
    return [part for part in kept if len(part.day)]


def _joined(
    parts: Sequence[_Daily], column: int, renumber: Ints, first_day: int, shape: tuple[int, int], *, counter: bool
) -> Floats:
    """One metric's array; a device-day that is spread over several tables comes out as if it had been in one."""
    first = np.full(shape, np.nan) if counter else np.zeros(shape)
    second = np.full(shape, -np.inf) if counter else np.zeros(shape)
    for part in parts:
        place = renumber[part.device], part.day - first_day
        if counter:
            later = ~np.isnan(part.first[:, column]) & (part.second[:, column] > second[place])
            first[place] = np.where(later, part.first[:, column], first[place])
            second[place] = np.where(later, part.second[:, column], second[place])
        else:
            first[place] += part.first[:, column]
            second[place] += part.second[:, column]
    if counter:
        return first
    return np.where(second > 0, first / np.maximum(second, 1), np.nan)


def _daily(table: pa.Table, names: Sequence[str], counts: Sequence[bool], positions: dict[str, int]) -> _Daily:
    codes, texts = encoded(table.column("device"))
    device = np.array([positions.setdefault(text, len(positions)) for text in texts], dtype=np.int64)[codes]
    day = days_of(table.column("at"))
    at = np.asarray(table.column("at").cast(pa.timestamp("us", "UTC")).cast(pa.int64()).to_numpy(), dtype=np.float64)
    order = np.lexsort((at, day, device))
    device, day, at = device[order], day[order], at[order]
    fresh = np.ones(len(device), dtype=bool)
    fresh[1:] = (device[1:] != device[:-1]) | (day[1:] != day[:-1])
    begins = np.flatnonzero(fresh)
    first, second = np.empty((len(begins), len(names))), np.empty((len(begins), len(names)))
    for index, name in enumerate(names):
        values = pc.fill_null(table.column(name), float("nan")).to_numpy()[order]
        known = ~np.isnan(values)
        if counts[index]:
            rows = np.maximum.reduceat(np.where(known, np.arange(len(values)), -1), begins)
            inside = rows >= begins
            first[:, index] = np.where(inside, values[np.maximum(rows, 0)], np.nan)
            second[:, index] = np.where(inside, at[np.maximum(rows, 0)], -np.inf)
        else:
            first[:, index] = np.add.reduceat(np.where(known, values, 0.0), begins)
            second[:, index] = np.add.reduceat(known.astype(np.float64), begins)
    return _Daily(device[begins], day[begins], first, second)
