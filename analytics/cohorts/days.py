"""A history as device-days: who reported on which day, on what, and what happened to it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from analytics.cohorts.day_amounts import Compared, gauges_of, grown_days
from analytics.cohorts.day_cells import (
    DAYS,
    UNKNOWN,
    US_PER_DAY,
    Ints,
    Numbering,
    Words,
    cells_of_lifetimes,
    cells_of_readings,
    joined,
    reduced,
)
from hearthwatch.errors import Invalid
from hearthwatch.failure_modes import UNEXPECTED_REBOOTS
from hearthwatch.history.reader import History
from hearthwatch.metrics import REBOOT_CODES_EXPECTED

FAILURES = "failures"
_PLAIN = ("model", "hardware", "region")


@dataclass(frozen=True, slots=True)
class DeviceDays:
    """Device-days under observation, sorted by device and day, without repetitions; arrays of shape (device-days,).

    ``value`` numbers what is compared (``values``), the last of the day; ``changed`` marks days on which it was not one and the same.
    ``other`` numbers the firmware where something else is compared. ``places`` numbers the devices' strata, ``models`` their models, both
    of shape (devices,); ``place_names`` says of each stratum what it is, in the order of ``strata``. ``happened`` holds by metric the
    device-day (its index) of each thing that happened, ``gauges`` the amount of each device-day (NaN without). ``width`` is how
    many days a device-day stands for: 1 but in long histories without readings.
    """

    devices: Sequence[str]
    device: Ints
    day: Ints
    value: Ints
    changed: NDArray[np.bool_]
    other: Ints
    values: Sequence[str]
    models: Ints
    model_names: Sequence[str]
    places: Ints
    strata: Sequence[str]
    place_names: Sequence[Sequence[str | None]]
    firmware: Sequence[str]
    happened: Mapping[str, Ints]
    gauges: Mapping[str, NDArray[np.float64]]
    compared: Compared
    width: int


def device_days(history: History, by: str) -> DeviceDays:
    """Read a history through. Raises `Invalid` when it has no column ``by``, no exposure or nothing that could be compared."""
    numbering, compared = Numbering.of(by), Compared.of(history.metrics)
    names, values, firmware = numbering.names, numbering.values, numbering.firmware
    pieces = list(cells_of_readings(history, numbering, compared))
    table = history.devices
    further = [name for name in table.column_names if name not in _FIXED]
    _check_column(by, {"firmware", *_PLAIN, *further, *history.attributes})
    cells, width = (reduced(joined(pieces)), 1) if pieces else cells_of_lifetimes(history, numbering)
    del pieces
    device, day = cells.key // DAYS, cells.key % DAYS
    place = names.encode(table["device"])
    if by in table.column_names:
        _fill(cells.value, device, _by_device(values.encode(table[by]), place, len(names.numbers)))
    _check_value(cells.value, by)
    strata = [name for name in (*_PLAIN[1:], *further) if name != by and _few(table[name])]
    models = Words()
    model = _by_device(models.encode(table["model"]), place, len(names.numbers))
    if by == "model":
        model = np.full(model.size, UNKNOWN, dtype=np.int64)
    places, place_names = _places(table, strata, place, len(names.numbers))
    happened = _happened(history, names, cells.key, width)
    happened |= {name: grown_days(at, cells.amounts, device) for at, name in enumerate(compared.counter_names)}
    same = np.concatenate([[False], cells.value[1:] == cells.value[:-1]]) & ~cells.changed
    gauges, compared = gauges_of(compared, cells.amounts, device, day, same)
    if not gauges and not any(indices.size for indices in happened.values()):
        raise Invalid(
            "there is nothing to compare: the history holds no failures and no events, and no metric has a direction (high or low)"
        )
    return DeviceDays(
        devices=names.texts,
        device=device,
        day=day,
        value=cells.value,
        changed=cells.changed,
        other=cells.firmware if by != "firmware" else np.full(cells.key.size, UNKNOWN, dtype=np.int64),
        values=values.texts,
        models=model,
        model_names=models.texts,
        places=places,
        strata=strata,
        place_names=place_names,
        firmware=firmware.texts,
        happened=happened,
        gauges=gauges,
        compared=compared,
        width=width,
    )


def _check_column(by: str, comparable: AbstractSet[str]) -> None:
    if by not in comparable:
        there = ", ".join(sorted(comparable))
        raise Invalid(
            f"there is no such column; the mapping names {there}: add it to its [columns] or [devices]",
            where=f"--by {by}",
        )


def _check_value(value: Ints, by: str) -> None:
    """Raise `Invalid` where a column has nothing to compare."""
    known = np.unique(value[value != UNKNOWN])
    if known.size == 0:
        raise Invalid("the column is empty", where=f"--by {by}")
    if known.size == 1:
        raise Invalid("the column has one value only: there is nothing to compare it with", where=f"--by {by}")


_LATE_DAYS = 7  # how long after its last report what happened to a device still belongs to that report
_FIXED = frozenset(
    {"device", "model", "hardware", "firmware", "region", "made", "installed", "removed", "first_at", "last_at"}
)


def _by_device(codes: Ints, place: Ints, devices: int) -> Ints:
    result = np.full(devices, UNKNOWN, dtype=np.int64)
    result[place] = codes
    return result


def _fill(value: Ints, device: Ints, master: Ints) -> None:
    """Where the readings do not say, the master data do."""
    silent = value == UNKNOWN
    value[silent] = master[device[silent]]


def _few(column: Any) -> bool:
    """Whether a column groups devices rather than names them."""
    distinct = pc.count_distinct(column).as_py()
    return bool(distinct > 1 and distinct * 10 <= len(column))


def _places(
    table: pa.Table, strata: Sequence[str], place: Ints, devices: int
) -> tuple[Ints, list[tuple[str | None, ...]]]:
    """The stratum of each device, and what each stratum is."""
    labels = np.full((len(strata), devices), UNKNOWN, dtype=np.int64)
    words = [Words() for _ in strata]
    for index, name in enumerate(strata):
        labels[index] = _by_device(words[index].encode(table[name]), place, devices)
    if not strata:
        return np.zeros(devices, dtype=np.int64), [()]
    kinds, numbers = np.unique(labels, axis=1, return_inverse=True)
    texts = [[*word.texts, None] for word in words]
    named = [tuple(text[code] for text, code in zip(texts, kind, strict=True)) for kind in kinds.T.tolist()]
    return np.asarray(numbers, dtype=np.int64).ravel(), named


def _happened(history: History, names: Words, key: Ints, width: int) -> dict[str, Ints]:
    """Things that happened, by metric, as indices of device-days; what happened outside observation is left out."""
    found: dict[str, Ints] = {}
    failures = history.failures
    if failures.num_rows:
        found[FAILURES] = _indices(failures, names, key, width)
    events = history.events
    kinds = pc.unique(events["kind"]).to_pylist() if events.num_rows else []
    for kind in sorted(kind for kind in kinds if kind and kind != "update"):
        mine = events.filter(pc.equal(events["kind"], kind))
        name = kind
        if kind == "reboot":
            name = UNEXPECTED_REBOOTS
            expected = pc.is_in(pc.fill_null(mine["code"], ""), value_set=pa.array(sorted(REBOOT_CODES_EXPECTED)))
            mine = mine.filter(pc.invert(expected))
        if mine.num_rows:
            found[name] = _indices(mine, names, key, width)
    return found


def _indices(table: pa.Table, names: Words, key: Ints, width: int) -> Ints:
    """Each row's device-day, or the device's last one before it: a failing device may have reported last the day before."""
    device = np.array([names.numbers.get(name, UNKNOWN) for name in table["device"].to_pylist()], dtype=np.int64)
    wanted = device * DAYS + pc.cast(table["at"], pa.int64()).to_numpy() // US_PER_DAY // width
    place: Ints = np.searchsorted(key, wanted, side="right") - 1
    inside = (place >= 0) & (device >= 0)
    inside[inside] = wanted[inside] - key[place[inside]] <= _LATE_DAYS
    return place[inside]
