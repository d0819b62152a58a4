"""A history as device-days: who reported on which day, on what, and what happened to it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from analytics.cohorts.day_amounts import Amounts, Compared, gauges_of, grown_days
from hearthwatch.errors import Invalid
from hearthwatch.failure_modes import UNEXPECTED_REBOOTS
from hearthwatch.history.reader import History
from hearthwatch.metrics import REBOOT_CODES_EXPECTED

Ints = NDArray[np.int64]

UNKNOWN = -1
FAILURES = "failures"
_US_PER_DAY = 86_400_000_000
_PLAIN = ("model", "hardware", "region")


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
    names, firmware = Words(), Words()
    values = firmware if by == "firmware" else Words()
    compared = Compared.of(history.metrics)
    pieces = [_reduced(piece) for piece in _pieces(history, by, names, values, firmware, compared)]
    table = history.devices
    further = [name for name in table.column_names if name not in _FIXED]
    comparable = {"firmware", *_PLAIN, *further, *history.attributes}
    if by not in comparable:
        raise Invalid(f"there is no such column; the mapping names {', '.join(sorted(comparable))}", where=f"--by {by}")
    width = 1
    if not any(piece.key.size for piece in pieces):
        installed, width = _installed(history, table, by, names, values, firmware)
        pieces = [installed]
    cells = _reduced(_joined(pieces))
    device, day = cells.key // _DAYS, cells.key % _DAYS
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


def _check_value(value: Ints, by: str) -> None:
    """Raise `Invalid` where a column has nothing to compare."""
    known = np.unique(value[value != UNKNOWN])
    if known.size == 0:
        raise Invalid("the column is empty", where=f"--by {by}")
    if known.size == 1:
        raise Invalid("the column has one value only: there is nothing to compare it with", where=f"--by {by}")


_DAYS = 1_000_000
_CELLS = 20_000_000  # device-days of a history without readings that are held in memory; beyond, a cell is several days
_LATE_DAYS = 7  # how long after its last report what happened to a device still belongs to that report
_FIXED = frozenset(
    {"device", "model", "hardware", "firmware", "region", "made", "installed", "removed", "first_at", "last_at"}
)


@dataclass(frozen=True, slots=True)
class _Cells:
    """Rows keyed by device and day (device x 1,000,000 + day), with the time of the row in microseconds."""

    key: Ints
    at: Ints
    value: Ints
    firmware: Ints
    changed: NDArray[np.bool_]
    amounts: Amounts


def _pieces(
    history: History, by: str, names: Words, values: Words, firmware: Words, compared: Compared
) -> Iterator[_Cells]:
    for table in history.readings():
        at = pc.cast(table["at"], pa.int64()).to_numpy()
        told = firmware.encode(table["firmware"])
        value = values.encode(table[by]) if by in table.column_names else np.full(at.size, UNKNOWN, dtype=np.int64)
        key = names.encode(table["device"]) * _DAYS + at // _US_PER_DAY
        yield _Cells(key, at, value, told, np.zeros(at.size, dtype=bool), Amounts.of(table, compared))


def _reduced(cells: _Cells) -> _Cells:
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
    return _Cells(key[last], at, value[last], told, changed, cells.amounts.reduced(order, first))


def _joined(pieces: Sequence[_Cells]) -> _Cells:
    return _Cells(
        key=np.concatenate([piece.key for piece in pieces]),
        at=np.concatenate([piece.at for piece in pieces]),
        value=np.concatenate([piece.value for piece in pieces]),
        firmware=np.concatenate([piece.firmware for piece in pieces]),
        changed=np.concatenate([piece.changed for piece in pieces]),
        amounts=Amounts.joined([piece.amounts for piece in pieces]),
    )


def _installed(
    history: History, table: pa.Table, by: str, names: Words, values: Words, firmware: Words
) -> tuple[_Cells, int]:
    """Without readings a device was under observation from its installation until its removal, or until the history ends.

    Not before the first thing the history tells of, though: who failed before that is not in it (left truncation). Returns the cells and
    how many days each stands for.
    """
    installed, removed = _days_of(table["installed"]), _days_of(table["removed"])
    told = np.concatenate([_days_of(column) for column in (history.failures["at"], history.events["at"])] + [removed])
    told = told[np.isfinite(told)]
    if not told.size:
        raise Invalid("nothing says how long the devices were observed: no readings, no removal, no failure")
    final = float(told.max())
    begin = np.maximum(np.where(np.isfinite(installed), installed, np.inf), float(told.min()))
    end = np.where(np.isfinite(removed), removed, final)
    width = max(1, int(-(-np.maximum(0.0, end - begin + 1).sum() // _CELLS)))
    observed = begin <= end
    first = np.where(observed, begin, 0.0).astype(np.int64) // width
    slots = np.where(observed, np.where(observed, end, 0.0).astype(np.int64) // width - first + 1, 0)
    device = np.repeat(names.encode(table["device"]), slots)
    offset = np.arange(slots.sum()) - np.repeat(np.cumsum(slots) - slots, slots)
    day = np.repeat(first, slots) + offset
    versions = np.repeat(firmware.encode(table["firmware"]), slots)
    value = np.repeat(values.encode(table[by]), slots)
    unchanged = np.zeros(day.size, dtype=bool)
    nothing = Amounts.nothing(day.size, Compared.of(()))
    return _Cells(device * _DAYS + day, day * _US_PER_DAY, value, versions, unchanged, nothing), width


def _days_of(column: Any) -> NDArray[np.float64]:
    """Days since 1970 of a column of times, NaN without."""
    stamps = pc.cast(column, pa.int64()).to_numpy(zero_copy_only=False).astype(np.float64)
    result: NDArray[np.float64] = stamps // _US_PER_DAY
    return result


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
    wanted = device * _DAYS + pc.cast(table["at"], pa.int64()).to_numpy() // _US_PER_DAY // width
    place: Ints = np.searchsorted(key, wanted, side="right") - 1
    inside = (place >= 0) & (device >= 0)
    inside[inside] = wanted[inside] - key[place[inside]] <= _LATE_DAYS
    return place[inside]
