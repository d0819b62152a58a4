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
    reading = _Reading(root, ZoneInfo(mapping.source.timezone))
    return Beside(
        devices=_devices(reading, mapping),
        failures=_failures(reading, mapping),
        events=_events(reading, mapping),
        service=_service(reading, mapping),
        rejections=reading.rejections,
        paths=frozenset(reading.paths),
    )


class _Reading:
    def __init__(self, root: Path, zone: ZoneInfo) -> None:
        self.root = root
        self.zone = zone
        self.rejections = Rejections()
        self.paths: set[Path] = set()

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
            Field(name, getattr(given, name), "time", form=given.at_format, key=f"devices.{name}")
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
            Field("at", given.at, "time", required=True, form=given.at_format, key="failures.at"),
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
            Field("at", given.at, "time", required=True, form=given.at_format, key="events.at"),
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
            Field("at", given.at, "time", required=True, form=given.at_format, key="service.at"),
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
