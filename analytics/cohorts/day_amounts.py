"""What a history's metrics come to on each device-day: a gauge's level or fall, and whether a counter grew.

A *level* is the day's mean, a *fall* the mean of the day before less that of the day (a small rise is a fall of 0); a counter's day counts
once when it grew since the device's last one, so that one storm of errors does not speak for the fleet.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields, replace

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from hearthwatch.history.values import HistoryMetric

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Mask = NDArray[np.bool_]

_SIDES = frozenset({"high", "low"})
"""Directions of a mapping that name the side that is worse."""

_RELATIVE = frozenset({"c", "°c", "degc", "celsius", "f", "°f", "fahrenheit", "db", "dbm", "dba"})
"""Units of which twice as much means nothing: there is no ratio of their means."""


@dataclass(frozen=True, slots=True)
class Amounts:
    """By device-day: the sum and number of each gauge's readings, and each counter's last one; shape (device-days, metrics)."""

    total: Floats
    number: Floats
    last: Floats

    @classmethod
    def of(cls, table: pa.Table, compared: Compared) -> Amounts:
        """Of single readings."""
        gauges = _columns(table, [metric.name for metric in compared.gauges])
        told = np.isfinite(gauges)
        return cls(np.where(told, gauges, 0.0), told.astype(np.float64), _columns(table, compared.counter_names))

    @classmethod
    def nothing(cls, rows: int, compared: Compared) -> Amounts:
        """No readings."""
        gauges, counters = len(compared.gauges), len(compared.counters)
        return cls(np.zeros((rows, gauges)), np.zeros((rows, gauges)), np.full((rows, counters), np.nan))

    @classmethod
    def joined(cls, pieces: Sequence[Amounts]) -> Amounts:
        """One after the other."""
        return cls(*(np.concatenate([getattr(piece, one.name) for piece in pieces]) for one in fields(cls)))

    def reduced(self, order: Ints, first: Ints) -> Amounts:
        """Rows in an order, those from each place in ``first`` on as one."""
        return Amounts(
            total=np.add.reduceat(self.total[order], first, axis=0),
            number=np.add.reduceat(self.number[order], first, axis=0),
            last=_last_finite(self.last[order], first),
        )


@dataclass(frozen=True, slots=True)
class Compared:
    """The metrics of a history that are compared: those with a side that is worse. ``left_out`` says of the others why not."""

    gauges: tuple[HistoryMetric, ...]
    counters: tuple[HistoryMetric, ...]
    left_out: tuple[tuple[str, str], ...]

    @classmethod
    def of(cls, metrics: Sequence[HistoryMetric]) -> Compared:
        """Chosen by what the mapping says about them."""
        sided = [metric for metric in metrics if metric.direction in _SIDES]
        relative = {metric.name for metric in sided if (metric.unit or "").strip().lower() in _RELATIVE}
        good = [one.name for one in sided if one.kind == "counter" and one.direction == "low"]
        return cls(
            gauges=tuple(one for one in sided if one.kind == "gauge" and one.name not in relative),
            counters=tuple(one for one in sided if one.kind == "counter" and one.name not in good),
            left_out=(
                *((name, "its unit has no zero, so there is no ratio of means") for name in sorted(relative)),
                *(
                    (name, "of a counter only more can be worse: first events have no other side")
                    for name in sorted(good)
                ),
            ),
        )

    @property
    def counter_names(self) -> list[str]:
        return [metric.name for metric in self.counters]


def gauges_of(
    compared: Compared, amounts: Amounts, device: Ints, day: Ints, same: Mask
) -> tuple[dict[str, Floats], Compared]:
    """The amount of each gauge on each device-day (rows sorted by device and day), NaN without; without those that can not be compared.

    ``same``: the value that is compared was that of the row before.
    """
    found: dict[str, Floats] = {}
    left_out = list(compared.left_out)
    for place, metric in enumerate(compared.gauges):
        amount = _gauge_days(metric, place, amounts, device, day, same)
        told = amount[np.isfinite(amount)]
        if not told.size:
            left_out.append((metric.name, "it has no values on days that can be compared"))
        elif told.min() < 0.0:
            left_out.append((metric.name, "it has values below zero, so there is no ratio of means"))
        else:
            found[metric.name] = amount
    return found, replace(compared, left_out=tuple(left_out))


def _gauge_days(metric: HistoryMetric, place: int, amounts: Amounts, device: Ints, day: Ints, same: Mask) -> Floats:
    number = amounts.number[:, place]
    mean: Floats = np.divide(amounts.total[:, place], number, out=np.full(number.size, np.nan), where=number > 0)
    if metric.measure == "level":
        return mean
    follows = np.zeros(mean.size, dtype=bool)
    follows[1:] = (device[1:] == device[:-1]) & (day[1:] == day[:-1] + 1) & same[1:]
    fall = np.full(mean.size, np.nan)
    fall[1:] = mean[:-1] - mean[1:]
    with np.errstate(invalid="ignore"):
        usable = follows & (fall >= -(metric.largest_rise if metric.largest_rise is not None else np.inf))
    result: Floats = np.where(usable, np.maximum(fall, 0.0), np.nan)
    return result


def grown_days(place: int, amounts: Amounts, device: Ints) -> Ints:
    """The device-days (rows sorted by device and day) on which a counter had grown since the device's last one that told it."""
    last = amounts.last[:, place]
    told = np.flatnonzero(np.isfinite(last))
    grew = (device[told[1:]] == device[told[:-1]]) & (last[told[1:]] > last[told[:-1]])
    result: Ints = told[1:][grew]
    return result


def _columns(table: pa.Table, names: Sequence[str]) -> Floats:
    """Number columns side by side, NaN where nothing stands."""
    if not names:
        return np.zeros((len(table), 0))
    return np.stack([np.asarray(table[name].to_numpy(zero_copy_only=False), np.float64) for name in names], axis=1)


def _last_finite(values: Floats, first: Ints) -> Floats:
    """The last finite value of each column in each run of rows, NaN without."""
    if values.shape[1] == 0:
        return np.zeros((first.size, 0))
    rows = np.arange(values.shape[0])[:, None]
    place = np.maximum.reduceat(np.where(np.isfinite(values), rows, -1), first, axis=0)
    result: Floats = np.where(place >= 0, np.take_along_axis(values, np.maximum(place, 0), axis=0), np.nan)
    return result
