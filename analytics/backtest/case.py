"""What a backtest works on: the panel, the lives of its devices as they were and as they were known at the cut, and the columns."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from zlib import crc32

import numpy as np
import pyarrow as pa

from analytics.backtest.refusals import Refusal, TooLittle
from analytics.features import Background, Feature, features_of, first_days
from analytics.lives import Lives, lives_of
from analytics.panel import DAY_US, Floats, Ints, Panel, day_number, days_of, encoded
from hearthwatch.history.reader import History

FOLDS = 5
CUT_SHARE = 0.6
MAX_METRICS = 40
CLOCK_PER_DAY = (20.0, 25.0)
"""A counter that grows by about 24 a day on most days is a clock of operating hours, and tells a device's age where no date does."""


@dataclass(frozen=True, slots=True)
class Case:
    """Everything the comparison needs, as dense arrays.

    ``past`` are the lives as they were known on the day of the cut; ``cut`` is the index of the first test day. ``models`` are the names
    that `Background.model` counts; ``failures`` gives the part of each failure, by device and day since 1970.
    """

    panel: Panel
    background: Background
    lives: Lives
    past: Lives
    columns: tuple[Feature, ...]
    fold: Ints
    horizon: int
    cut: int
    models: tuple[str, ...]
    failures: Mapping[tuple[int, int], str]


def case_of(history: History, panel: Panel, *, cut: datetime | None, horizon: timedelta) -> Case:
    """A history as a case. Raises `TooLittle` where no device with readings is known to have failed."""
    index = {device: number for number, device in enumerate(panel.devices)}
    devices = history.devices
    position = np.array([index.get(name, -1) for name in devices.column("device").to_pylist()], dtype=np.int64)
    parts = _failures(history, index)
    if not parts:
        raise TooLittle.of([_no_failure(history)])
    failures: dict[int, list[int]] = {}
    for device, day in parts:
        failures.setdefault(device, []).append(day)
    where = panel.days * CUT_SHARE if cut is None else day_number(cut) - panel.first_day
    renewed, ended = _dates(history.service, index), _single(devices.column("removed"), position)
    lives = lives_of(panel, failures, renewed, ended=ended)
    past = lives_of(panel, failures, renewed, ended=ended, last_day=panel.first_day + int(where))
    totals = sorted(panel.totals, key=lambda name: (_missing(panel.totals[name]), name))[:MAX_METRICS]
    metrics = sorted(panel.values, key=lambda name: (_missing(panel.values[name]), name))[:MAX_METRICS]
    model = np.full(len(panel.devices), -1, dtype=np.int64)
    codes, models = encoded(devices.column("model"))
    model[position[position >= 0]] = codes[position >= 0]
    background = Background(model, _born(panel, devices, position), renewed)
    fold = np.array([crc32(device.encode()) % FOLDS for device in panel.devices], dtype=np.int64)
    columns = features_of(metrics, totals)
    return Case(panel, background, lives, past, columns, fold, horizon.days, int(where), models, parts)


def _failures(history: History, index: Mapping[str, int]) -> dict[tuple[int, int], str]:
    """The part that failed, by device and day, in order of time; not of days that a clock made up."""
    low, high = history.survey.trusted() if history.survey is not None else (0, np.iinfo(np.int64).max)
    table = history.failures
    days = days_of(table.column("at")).tolist()
    found: dict[tuple[int, int], str] = {}
    for name, day, part in zip(table.column("device").to_pylist(), days, table.column("part").to_pylist(), strict=True):
        if name in index and low // DAY_US <= day <= high // DAY_US:
            found.setdefault((index[name], day), part)
    return found


def _no_failure(history: History) -> Refusal:
    named, given = history.mapping.failures, len(history.failures)
    if named is None:
        missing = "[failures] in the mapping: a column of 0 and 1 beside the readings, or a table of its own"
    elif given:
        missing = (
            f"failures of devices that have readings: the {given} named failures are of others, or of impossible dates"
        )
    else:
        missing = "a row of the readings with a 1" if named.column is not None else "rows in the table of failures"
    return Refusal(
        "test", f"the history names no failure of a device with readings; missing: {missing}", missing, "failures"
    )


def _missing(array: Floats) -> float:
    return round(float(np.isnan(array).mean()), 6)


def _dates(table: pa.Table, index: Mapping[str, int]) -> dict[int, list[int]]:
    found: dict[int, list[int]] = {}
    for name, day in zip(table.column("device").to_pylist(), days_of(table.column("at")).tolist(), strict=True):
        if name in index:
            found.setdefault(index[name], []).append(day)
    return found


def _single(column: pa.ChunkedArray, position: Ints) -> dict[int, int]:
    known = np.asarray(column.is_valid().to_numpy(), dtype=bool)
    days = days_of(column.fill_null(datetime(1970, 1, 1, tzinfo=UTC)))
    return {
        int(place): int(day) for place, day, given in zip(position, days, known, strict=True) if given and place >= 0
    }


def _born(panel: Panel, devices: pa.Table, position: Ints) -> Floats:
    """The day each device was new: installed, else made, else by its clock of operating hours, else first seen."""
    born = np.full(len(panel.devices), np.nan)
    for name in ("made", "installed"):
        for device, day in _single(devices.column(name), position).items():
            born[device] = day
    days = np.arange(panel.first_day, panel.first_day + panel.days)
    for name in sorted(panel.totals):
        daily = panel.values[name]
        ticking = (daily >= CLOCK_PER_DAY[0]) & (daily <= CLOCK_PER_DAY[1])
        if ticking.sum() > 0.7 * (~np.isnan(daily)).sum() > 0:
            started = days[None, :] - panel.totals[name] / 24
            first = np.argmax(~np.isnan(started), axis=1)
            by_clock = np.floor(started[np.arange(len(started)), first])
            born = np.where(np.isnan(born), by_clock, born)
            break
    return np.where(np.isnan(born), first_days(panel), born)


def check_length(case: Case) -> None:
    """Raises `TooLittle` where the history is too short for the horizon, with the length that would do."""
    for side, days in (("before", case.cut - case.horizon + 1), ("after", case.panel.days - case.horizon - case.cut)):
        if days <= 0:
            least = math.ceil((case.horizon + 1) / (1 - CUT_SHARE))
            raise TooLittle.of(
                [
                    Refusal(
                        "test",
                        f"the history is too short for a horizon of {case.horizon} days: no day {side} the cut has a whole window on "
                        f"that side. It has {case.panel.days} days; with the default cut at least {least} are needed",
                        f"{max(least - case.panel.days, 1)} more days of history, or a shorter horizon",
                        "--horizon",
                    )
                ]
            )
