"""A history as device-days: who reported on which day, on what, and what happened to it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

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
    of shape (devices,). ``happened`` holds by metric the device-day (its index) of each thing that happened.
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
    happened: Mapping[str, Ints]


def device_days(history: History, by: str) -> DeviceDays:
    """Read a history through. Raises `Invalid` when it has no column ``by``, no exposure or nothing that could be compared."""
    names, firmware = Words(), Words()
    values = firmware if by == "firmware" else Words()
    pieces = [_reduced(piece) for piece in _pieces(history, by, names, values, firmware)]
    table = history.devices
    further = [name for name in table.column_names if name not in _FIXED]
    comparable = {"firmware", *_PLAIN, *further, *history.attributes}
    if by not in comparable:
        raise Invalid(f"there is no such column; the mapping names {', '.join(sorted(comparable))}", where=f"--by {by}")
    if not any(piece.key.size for piece in pieces):
        pieces = [_installed(history, table, by, names, values, firmware)]
    cells = _reduced(_joined(pieces))
    device, day = cells.key // _DAYS, cells.key % _DAYS
    place = names.encode(table["device"])
    if by in table.column_names:
        _fill(cells.value, device, _by_device(values.encode(table[by]), place, len(names.numbers)))
    strata = [name for name in (*_PLAIN[1:], *further) if name != by and _few(table[name])]
    models = Words()
    model = _by_device(models.encode(table["model"]), place, len(names.numbers))
    if by == "model":
        model = np.full(model.size, UNKNOWN, dtype=np.int64)
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
        places=_places(table, strata, place, len(names.numbers)),
        strata=strata,
        happened=_happened(history, names, cells.key),
    )


_DAYS = 1_000_000
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


def _pieces(history: History, by: str, names: Words, values: Words, firmware: Words) -> Any:
    for table in history.readings():
        at = pc.cast(table["at"], pa.int64()).to_numpy()
        told = firmware.encode(table["firmware"])
        value = values.encode(table[by]) if by in table.column_names else np.full(at.size, UNKNOWN, dtype=np.int64)
        key = names.encode(table["device"]) * _DAYS + at // _US_PER_DAY
        yield _Cells(key, at, value, told, np.zeros(at.size, dtype=bool))


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
    return _Cells(key[last], cells.at[order][last], value[last], cells.firmware[order][last], changed)


def _joined(pieces: Sequence[_Cells]) -> _Cells:
    return _Cells(
        key=np.concatenate([piece.key for piece in pieces]),
        at=np.concatenate([piece.at for piece in pieces]),
        value=np.concatenate([piece.value for piece in pieces]),
        firmware=np.concatenate([piece.firmware for piece in pieces]),
        changed=np.concatenate([piece.changed for piece in pieces]),
    )


def _installed(history: History, table: pa.Table, by: str, names: Words, values: Words, firmware: Words) -> _Cells:
    """Without readings a device was under observation from its installation until its removal, or until the history ends."""
    installed = pc.cast(table["installed"], pa.int64()).to_numpy(zero_copy_only=False).astype(np.float64)
    removed = pc.cast(table["removed"], pa.int64()).to_numpy(zero_copy_only=False).astype(np.float64)
    ends = [pc.max(column).as_py() for column in (history.failures["at"], history.events["at"]) if len(column)]
    final = max((end.timestamp() * 1e6 for end in ends), default=float("nan"))
    final = float(np.nanmax(np.append(removed, final))) if np.isfinite(removed).any() else final
    begin = np.where(np.isfinite(installed), installed, final) // _US_PER_DAY
    end = np.where(np.isfinite(removed), removed, final) // _US_PER_DAY
    if not np.isfinite(end).any():
        raise Invalid("nothing says how long the devices were observed: no readings, no removal, no failure")
    days = np.maximum(0, end - begin + 1).astype(np.int64)
    device = np.repeat(names.encode(table["device"]), days)
    offset = np.arange(days.sum()) - np.repeat(np.cumsum(days) - days, days)
    day = np.repeat(begin.astype(np.int64), days) + offset
    told = np.repeat(firmware.encode(table["firmware"]), days)
    value = np.repeat(values.encode(table[by]), days)
    return _Cells(device * _DAYS + day, day * _US_PER_DAY, value, told, np.zeros(day.size, dtype=bool))


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


def _places(table: pa.Table, strata: Sequence[str], place: Ints, devices: int) -> Ints:
    labels = np.zeros((len(strata), devices), dtype=np.int64)
    for index, name in enumerate(strata):
        labels[index] = _by_device(Words().encode(table[name]), place, devices)
    if not strata:
        return np.zeros(devices, dtype=np.int64)
    _, numbers = np.unique(labels, axis=1, return_inverse=True)
    return np.asarray(numbers, dtype=np.int64).ravel()


def _happened(history: History, names: Words, key: Ints) -> dict[str, Ints]:
    """Things that happened, by metric, as indices of device-days; what happened outside observation is left out."""
    found: dict[str, Ints] = {}
    failures = history.failures
    if failures.num_rows:
        found[FAILURES] = _indices(failures, names, key)
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
            found[name] = _indices(mine, names, key)
    if not found:
        raise Invalid("there is nothing to compare: the history holds no failures and no events")
    return found


def _indices(table: pa.Table, names: Words, key: Ints) -> Ints:
    """Each row's device-day, or the device's last one before it: a failing device may have reported last the day before."""
    device = np.array([names.numbers.get(name, UNKNOWN) for name in table["device"].to_pylist()], dtype=np.int64)
    wanted = device * _DAYS + pc.cast(table["at"], pa.int64()).to_numpy() // _US_PER_DAY
    place: Ints = np.searchsorted(key, wanted, side="right") - 1
    inside = (place >= 0) & (device >= 0)
    inside[inside] = wanted[inside] - key[place[inside]] <= _LATE_DAYS
    return place[inside]
