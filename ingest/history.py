"""Takes a maker's history into both stores: readings and events, devices, failures, parts; what cannot be read into quarantine."""

from __future__ import annotations

import re
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from sqlalchemy import Connection

from hearthwatch.errors import Invalid
from hearthwatch.history import History, RejectedRow, Remark, Survey, read_history, read_mapping
from hearthwatch.ports import TelemetryStore
from hearthwatch.records import attributes, devices, imports, metric_names, outcomes, parts, quarantine
from hearthwatch.records.database import Database
from hearthwatch.records.devices import Sighting
from hearthwatch.records.outcomes import Outcome
from hearthwatch.records.quarantine import QuarantineItem
from hearthwatch.values import DEVICE_ID, Device, Event

EVENT_BATCH = 5000
_NO_BUDGET = 1_000_000  # who imports a history means its metrics
_REGISTERED = {
    "model": "model",
    "hardware": "hardware",
    "region": "region",
    "made": "made",
    "installed": "installed_at",
    "removed": "removed_at",
}
_NOT_FURTHER = frozenset({"device", "firmware", "first_at", "last_at", *_REGISTERED})
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_DONE = {
    "duplicate_rows": "stored once",
    "conflicting_rows": "the first of them is stored",
    "unsorted_rows": "stored in order of time",
    "empty_column": "nothing to store",
    "constant_column": "stored as it is",
}
"""What an import does about what a survey noticed, where that is something else than what a backtest does."""


def import_history(
    store: TelemetryStore, database: Database, path: Path, mapping_path: Path, now: datetime
) -> dict[str, Any]:
    """Import a file or folder as its mapping file says; a second time it finds everything there already.

    The mapping file's name is the source: readings lie in the stream ``import:<name>``, failures carry it. Returns ``devices``,
    ``readings``, ``stored``, ``duplicate`` (of readings), ``failures``, ``events``, ``service`` (rows of the history), ``new_outcomes``,
    ``rejected`` (rows that were not taken in), ``rejected_values``, ``ignored_columns`` (unless metrics are named), ``quality`` with
    ``remarks``, what is odd about the data and what was done about it, and ``seconds``. The files are read twice: only all rows together
    tell whether one of 1970, or of the future, is of a clock that was wrong. Such rows go to quarantine.
    Rollups are the caller's to bring up to date. Raises `Invalid` naming file, row or column, `Unavailable` when a store is away.
    """
    began = time.perf_counter()
    history = read_history(path, read_mapping(mapping_path), Survey(now))
    source = f"import:{re.sub(r'[^A-Za-z0-9._-]+', '_', mapping_path.stem)}"
    with database.transaction() as connection:
        number = imports.begin(connection, str(path), mapping_path.read_text(encoding="utf-8"), now)
    strangers, clocks = _Strangers(path.name), _Clocks(path.name, history)
    written = _write_readings(store, history, source, strangers, clocks)
    events = _write_events(store, history, source, strangers)
    with database.transaction() as connection:
        records = _write_records(connection, history, source, strangers, clocks, now)
        answer = {**written, **records, "events": events, "quality": {"remarks": _remarks(history)}}
        answer["seconds"] = round(time.perf_counter() - began, 2)
        imports.finish(connection, number, now, answer)
    return answer


class _Strangers:
    """Rows of devices that no device of ours can be called; they go to quarantine, one item for each name."""

    def __init__(self, file: str) -> None:
        self._file = file
        self._rows: dict[str, int] = {}

    def without(self, table: pa.Table, *, derived: bool = False) -> pa.Table:
        """The rows of a table whose device has a proper id. Rows ``derived`` from others are not counted a second time."""
        coded = table["device"].combine_chunks().dictionary_encode()
        names = coded.dictionary.to_pylist()
        proper = np.array([DEVICE_ID.fullmatch(name) is not None for name in names], bool)
        if proper.all():
            return table
        rows = np.bincount(coded.indices.to_numpy(), minlength=len(names))
        for place in np.flatnonzero(~proper):
            counted = self._rows.get(names[place], 0)
            self._rows[names[place]] = counted if derived and counted else counted + int(rows[place])
        return table.filter(pa.array(proper[coded.indices.to_numpy()]))

    def rejected(self) -> list[RejectedRow]:
        """What was left out."""
        reason = "is no device id: 1 to 64 of A-Z a-z 0-9 . _ -"
        return [RejectedRow(self._file, None, "device", name, reason, rows=rows) for name, rows in self._rows.items()]


class _Clocks:
    """Rows of clocks that were wrong: they go to quarantine, counted."""

    def __init__(self, file: str, history: History) -> None:
        self._file = file
        self._rows = {"is of 1970, as of a clock that was never set": 0, "lies in the future": 0}
        low, high = (0, 0) if history.survey is None else history.survey.trusted()
        self._low, self._high = _moment(low), _moment(high)
        self._seen: dict[str, tuple[datetime, datetime]] = {}

    def without(self, table: pa.Table) -> pa.Table:
        """The rows of a table whose time is believed."""
        if self._low is None and self._high is None:
            return table
        early, late = self._wrong(table["at"])
        for reason, wrong in zip(self._rows, (early, late), strict=True):
            self._rows[reason] += int(pc.sum(wrong).as_py() or 0)
        believed = table.filter(pc.invert(pc.or_(early, late)))
        for row in believed.group_by("device").aggregate([("at", "min"), ("at", "max")]).to_pylist():
            first, last = self._seen.get(row["device"], (row["at_min"], row["at_max"]))
            self._seen[row["device"]] = min(first, row["at_min"]), max(last, row["at_max"])
        return believed

    def _wrong(self, at: pa.ChunkedArray) -> tuple[pa.ChunkedArray, pa.ChunkedArray]:
        nothing = pc.less(at, at)
        early = nothing if self._low is None else pc.less(at, pa.scalar(self._low, at.type))
        return early, nothing if self._high is None else pc.greater(at, pa.scalar(self._high, at.type))

    def span(self, row: Mapping[str, Any]) -> tuple[datetime, datetime] | None:
        """When a device was first and last heard of, by clocks that are believed; None if never."""
        if self._low is None and self._high is None:
            return None if row["last_at"] is None else (row["first_at"], row["last_at"])
        return self._seen.get(row["device"])

    def rejected(self) -> list[RejectedRow]:
        """What was left out."""
        found = zip(self._rows.items(), ("1970", "future"), strict=True)
        return [
            RejectedRow(self._file, None, "at", value, reason, rows=rows) for (reason, rows), value in found if rows
        ]


def _moment(us: int) -> datetime | None:
    """A bound of believed times; None where there is none."""
    return _EPOCH + timedelta(microseconds=us) if 0 < us < 2**60 else None


def _remarks(history: History) -> list[Mapping[str, Any]]:
    """What is odd about the data, the grave first, by the columns' own names."""
    columns = {metric.name: metric.column for metric in history.metrics}

    def told(one: Remark) -> Remark:
        column = columns.get(one.column, one.column) if one.column else None
        return replace(one, column=column, done=_DONE.get(one.kind, one.done))

    return [told(one).as_json() for one in sorted(history.remarks, key=lambda one: not one.grave)]


def _write_readings(
    store: TelemetryStore, history: History, source: str, strangers: _Strangers, clocks: _Clocks
) -> dict[str, int]:
    names = ["device", "at", "firmware", *(metric.name for metric in history.metrics)]
    readings = stored = duplicate = 0
    for table in history.readings():
        known = clocks.without(strangers.without(table.select(names)))
        result = store.write_table(source, known)
        readings += len(known)
        stored += result.stored
        duplicate += result.duplicate
    return {"readings": readings, "stored": stored, "duplicate": duplicate}


def _write_events(store: TelemetryStore, history: History, source: str, strangers: _Strangers) -> int:
    table = strangers.without(history.events)
    for batch in table.to_batches(max_chunksize=EVENT_BATCH):
        store.write(
            [
                Event(row["device"], source, row["at"], row["kind"], row["code"], firmware=row["firmware"])
                for row in batch.to_pylist()
            ]
        )
    return len(table)


def _write_records(
    connection: Connection, history: History, source: str, strangers: _Strangers, clocks: _Clocks, now: datetime
) -> dict[str, Any]:
    fleet = strangers.without(history.devices, derived=True).to_pylist()
    failures = strangers.without(history.failures, derived=True)
    service = strangers.without(history.service)
    if not len(fleet):
        raise Invalid("no row of it is of a device with a proper id", where=source)
    _register(connection, fleet, clocks, now)
    metric_names.admit(connection, [metric.name for metric in history.metrics], None, now, _NO_BUDGET)
    # Without a list of failures, a part that had to be replaced or repaired is the failure.
    failed = failures if history.mapping.failures is not None else service
    new = outcomes.add(
        connection,
        [Outcome(row["device"], row["part"], row["at"], "failure", source) for row in _rows(failed)],
    )
    for row in _rows(service.filter(pc.not_equal(service["part"], ""))):
        parts.install(connection, row["device"], row["part"], row["at"])
    rejected = [*history.rejected, *strangers.rejected(), *clocks.rejected()]
    quarantine.hold(connection, [_held(row, now) for row in rejected])
    quality = history.quality
    return {
        "devices": len(fleet),
        "failures": len(failures),
        "service": len(service),
        "new_outcomes": new,
        "rejected": sum(row.rows for row in rejected if row.whole),
        "rejected_values": quality.rejected_values,
        # Where the mapping names the metrics, it is meant that the rest is not read.
        "ignored_columns": list(quality.ignored_columns) if history.mapping.metrics is None else [],
    }


def _register(connection: Connection, fleet: Sequence[Mapping[str, Any]], clocks: _Clocks, now: datetime) -> None:
    """Devices by what the history says of them, further columns as attributes; a device that is known to be so is left alone."""
    known = devices.find(connection, [row["device"] for row in fleet])
    rows = [_master_data(row) for row in fleet]
    devices.register(connection, [row for row in rows if not _is_so(known.get(row["id"]), row)], now)
    devices.see(connection, list(_sightings(fleet, clocks)))
    further = [name for name in fleet[0] if name not in _NOT_FURTHER]
    told = ((row["device"], name, row[name]) for row in fleet for name in further if row[name] is not None)
    attributes.tell(connection, told, now)


def _master_data(row: Mapping[str, Any]) -> dict[str, Any]:
    found = {column: row[name] for name, column in _REGISTERED.items() if row[name] is not None}
    if row["last_at"] is None and row["firmware"] is not None:
        found["firmware"] = row["firmware"]  # with readings it is only the firmware of their time
    return {"id": row["device"], **found}


def _is_so(device: Device | None, row: Mapping[str, Any]) -> bool:
    return device is not None and all(getattr(device, name) == value for name, value in row.items())


def _sightings(fleet: Iterable[Mapping[str, Any]], clocks: _Clocks) -> Iterator[Sighting]:
    for row in fleet:
        span = clocks.span(row)
        if span is not None:
            yield Sighting(row["device"], span[0])
            yield Sighting(row["device"], span[1], firmware=row["firmware"])


def _held(row: RejectedRow, now: datetime) -> QuarantineItem:
    place = "further rows" if row.row is None else f"row {row.row}"
    return QuarantineItem(
        received_at=now,
        source=row.file,
        topic=place,
        payload=row.value.encode("utf-8", "replace"),
        device=None,
        part=row.column,
        reason=row.reason,
        samples=row.rows if row.whole else 0,
    )


def _rows(table: pa.Table) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = table.to_pylist()
    return rows
