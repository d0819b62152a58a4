"""The small tables beside the readings: master data, failures, events, service."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from zoneinfo import ZoneInfo

import pyarrow as pa
import pyarrow.compute as pc

from hearthwatch.history.files import SourceFile, find_files
from hearthwatch.history.mapping import TIME_ATTRIBUTES, HistoryMapping
from hearthwatch.history.rejections import Rejections
from hearthwatch.history.rows import Field, empty, no_rows, whole_table

_FAILURES = (Field("device", None), Field("at", None, "time"), Field("part", None))
_EVENTS = (
    Field("device", None),
    Field("at", None, "time"),
    Field("firmware", None),
    Field("kind", None),
    Field("code", None),
)


@dataclass(frozen=True, slots=True)
class Beside:
    """The tables, and what could not be read of them. ``devices`` is None without master data."""

    devices: pa.Table | None
    failures: pa.Table
    events: pa.Table
    service: pa.Table
    rejections: Rejections
    paths: frozenset[Path]

    @property
    def files(self) -> int:
        """How many files they came from."""
        return len(self.paths)


def read_beside(root: Path, mapping: HistoryMapping) -> Beside:
    """Read the tables a mapping names. Raises `Invalid` naming file and column."""
    of_readings = mapping.columns.at_format if mapping.columns is not None else None
    reading = _Reading(root, ZoneInfo(mapping.source.timezone), of_readings)
    return Beside(
        devices=_devices(reading, mapping),
        failures=_failures(reading, mapping),
        events=_events(reading, mapping),
        service=_service(reading, mapping),
        rejections=reading.rejections,
        paths=frozenset(reading.paths),
    )


class _Reading:
    def __init__(self, root: Path, zone: ZoneInfo, form: str | None) -> None:
        self.root = root
        self.zone = zone
        self.form = form
        self.rejections = Rejections()
        self.paths: set[Path] = set()

    def time(self, name: str, column: str | None, form: str | None, key: str, *, required: bool = True) -> Field:
        """A time of a table; where the table does not say its form it is the readings' form, or ISO 8601."""
        return Field(name, column, "time", required, form or self.form, key, or_iso=form is None)

    def table(self, section: str, pattern: str, fields: Sequence[Field]) -> pa.Table:
        """The rows of the files a section names. A table may be empty, but not because nothing in it could be read."""
        files: list[SourceFile] = find_files(self.root, pattern, key=f"{section}.files")
        self.paths.update(file.path for file in files)
        rejections = Rejections()
        table = whole_table(files, fields, self.zone, rejections)
        if rejections.rows and not len(table):
            raise no_rows(files, rejections)
        self.rejections.take_in(rejections)
        return table


def _devices(reading: _Reading, mapping: HistoryMapping) -> pa.Table | None:
    given = mapping.devices
    if given is None:
        return None
    texts = {name: getattr(given, name) for name in ("model", "hardware", "firmware", "region")} | dict(given.further)
    fields = [
        Field("device", given.device, required=True, key="devices.device"),
        *(Field(name, column, key=f"devices.{name}") for name, column in texts.items() if column is not None),
        *(
            reading.time(name, getattr(given, name), given.at_format, f"devices.{name}", required=False)
            for name in TIME_ATTRIBUTES
            if getattr(given, name) is not None
        ),
    ]
    return reading.table("devices", given.files, fields)


def _failures(reading: _Reading, mapping: HistoryMapping) -> pa.Table:
    given = mapping.failures
    if given is None or given.files is None:
        return empty(_FAILURES)
    return reading.table(
        "failures",
        given.files,
        [
            Field("device", given.device, required=True, key="failures.device"),
            reading.time("at", given.at, given.at_format, "failures.at"),
            Field("part", given.part, key="failures.part"),
        ],
    )


def _events(reading: _Reading, mapping: HistoryMapping) -> pa.Table:
    given = mapping.events
    if given is None:
        return empty(_EVENTS)
    table = reading.table(
        "events",
        given.files,
        [
            Field("device", given.device, required=True, key="events.device"),
            reading.time("at", given.at, given.at_format, "events.at"),
            Field("firmware", given.firmware, key="events.firmware"),
            Field("kind", given.kind, key="events.kind"),
            Field("code", given.code, key="events.code"),
        ],
    )
    return distinct(table, {"kind": given.kind_value or "fault", "code": ""})


def _service(reading: _Reading, mapping: HistoryMapping) -> pa.Table:
    given = mapping.service
    if given is None:
        return empty(_FAILURES)
    table = reading.table(
        "service",
        given.files,
        [
            Field("device", given.device, required=True, key="service.device"),
            reading.time("at", given.at, given.at_format, "service.at"),
            Field("part", given.part, key="service.part"),
        ],
    )
    return distinct(table, {"part": ""})


def distinct(table: pa.Table, missing: Mapping[str, str]) -> pa.Table:
    """Rows without repetitions, in order of time; ``missing`` says what stands where a column is null."""
    for name, value in missing.items():
        place = table.column_names.index(name)
        table = table.set_column(place, name, pc.fill_null(table[name], value))
    rows = table.group_by(table.column_names, use_threads=False).aggregate([])
    return rows.sort_by([("at", "ascending"), ("device", "ascending")]).combine_chunks()
