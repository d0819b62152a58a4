"""Reads a maker's history file by file: readings as Arrow tables, and the small tables beside them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from zoneinfo import ZoneInfo

import pyarrow as pa

from hearthwatch.errors import Invalid
from hearthwatch.history.beside import Beside, distinct, read_beside
from hearthwatch.history.discovery import discover, ignored
from hearthwatch.history.files import SourceFile, find_files
from hearthwatch.history.fleet import Gathered, devices
from hearthwatch.history.mapping import RESERVED, HistoryMapping
from hearthwatch.history.rejections import Rejections
from hearthwatch.history.remarks import Remark, of_files, of_rejections
from hearthwatch.history.rows import Field, check, no_rows, tables
from hearthwatch.history.survey import Survey
from hearthwatch.history.values import HistoryMetric, Quality, RejectedRow

_FAILED, _FAILED_PART = " failed", " part"  # no metric or attribute can have such a name


@dataclass(slots=True)
class _Pass:
    """What one pass over the readings learns."""

    gathered: Gathered
    rejections: Rejections
    failures: list[pa.Table]
    rows: int = 0
    readings: int = 0

    def saw(self, rows: int) -> None:
        self.rows += rows


class History:
    """A history that can be read through, more than once.

    All times are ``timestamp[us, UTC]``, all texts ``string``. ``devices``, ``failures``, ``rejected`` and ``quality`` are complete only
    after a pass over `readings`; asking earlier makes that pass (so: take the readings first, then ask).
    """

    def __init__(
        self,
        mapping: HistoryMapping,
        files: Sequence[SourceFile],
        metrics: Sequence[HistoryMetric],
        beside: Beside,
        survey: Survey | None = None,
    ) -> None:
        """See `read_history`."""
        self.mapping = mapping
        self.metrics = tuple(metrics)
        self.attributes = tuple(mapping.attributes)
        self._files = files
        self._beside = beside
        self._survey = survey
        self._passed: _Pass | None = None

    def readings(self) -> Iterator[pa.Table]:
        """Tables of at most about a million rows, in the order of the files' names.

        Columns: device, at, firmware (null where unknown), one string column for each of ``attributes`` (model, hardware,
        region, further columns of the mapping: their values at the time of the reading), one float64 column for each of
        ``metrics`` (null where absent). Every table has all columns. Rows are as they stand in the files: not sorted, and a
        device's rows may be spread over tables. Without ``[columns]`` there are none. Raises `Invalid` when a file is broken,
        and at the end when no row at all could be read.
        """
        this = _Pass(Gathered(["firmware", *self.attributes], list(self.mapping.times)), Rejections(), [])
        shown = ["device", "at", "firmware", *self.attributes, *(metric.name for metric in self.metrics)]
        zone = ZoneInfo(self.mapping.source.timezone)
        surveyed = self._survey.take if self._survey is not None and self._passed is None else None
        fields = _fields(self.mapping, self.metrics)
        for table in tables(self._files, fields, zone, this.rejections, this.saw, surveyed):
            this.readings += len(table)
            if len(table):
                this.gathered.add(table)
                if _FAILED in table.column_names:
                    this.failures.append(_failed(table))
                yield table.select(shown)
        if self._files and not this.readings:
            raise no_rows(self._files, this.rejections)
        self._passed = self._passed or this

    @property
    def devices(self) -> pa.Table:
        """One row for each device of readings and master data, sorted by device.

        Columns: device, model, hardware, firmware, region (strings), made, installed, removed (times), first_at, last_at (of its
        readings, null without), then one string column for each further attribute. Master data win over the readings, whose
        newest value counts.
        """
        return devices(self._pass().gathered.table(), self._beside.devices)

    @property
    def failures(self) -> pa.Table:
        """Columns device, at, part (``device`` where the history does not say), without repetitions, in order of time."""
        given = self.mapping.failures
        part = given.part_value if given is not None and given.part_value is not None else "device"
        return distinct(pa.concat_tables([self._beside.failures, *self._pass().failures]), {"part": part})

    @property
    def events(self) -> pa.Table:
        """Columns device, at, firmware (null where unknown), kind, code (may be empty), in order of time."""
        return self._beside.events

    @property
    def service(self) -> pa.Table:
        """Columns device, at, part (may be empty), in order of time."""
        return self._beside.service

    @property
    def rejected(self) -> Sequence[RejectedRow]:
        """What could not be read; at most 100 of a kind for each file and column, then one entry that counts the rest."""
        return tuple(self._rejections().all())

    @property
    def quality(self) -> Quality:
        """How much was read."""
        passed = self._pass()
        rejections = self._rejections()
        fields = _fields(self.mapping, self.metrics)
        return Quality(
            files=len(self._files) + self._beside.files,
            rows=passed.rows,
            readings=passed.readings,
            rejected_rows=rejections.rows,
            rejected_values=rejections.values,
            ignored_columns=ignored(self._files, {field.column for field in fields if field.column is not None}),
        )

    @property
    def survey(self) -> Survey | None:
        """What was noticed about the rows, if that was asked for; complete after a pass."""
        self._pass()
        return self._survey

    @property
    def remarks(self) -> Sequence[Remark]:
        """What is odd about the files, and what was done about it: of the rows' order and times only with a survey."""
        wanted = {
            field.column: field.required for field in _fields(self.mapping, self.metrics) if field.column is not None
        }
        told = [*of_files(self._files, wanted, self.quality.ignored_columns), *of_rejections(self.rejected)]
        return (*told, *(self._survey.remarks() if self._survey is not None else ()))

    def _rejections(self) -> Rejections:
        every = Rejections()
        for one in (self._beside.rejections, self._pass().rejections):
            every.take_in(one)
        return every

    def _pass(self) -> _Pass:
        if self._passed is None:
            for _ in self.readings():
                pass
        assert self._passed is not None
        return self._passed


def read_history(path: Path, mapping: HistoryMapping, survey: Survey | None = None) -> History:
    """Open a file or a folder. Raises `Invalid` naming file and column where files or columns of the mapping are not there.

    With a ``survey`` the first pass also notices what is odd about the rows: repeated, out of order, of a clock that was wrong.
    """
    beside = read_beside(path, mapping)
    if mapping.columns is None:
        if not beside.devices:
            raise Invalid("no device with installed, and no readings: there is nothing to learn from", where="devices")
        return History(mapping, (), (), beside)
    pattern = mapping.source.files
    files = find_files(path, pattern, key="source.files", besides=beside.paths if pattern is None else ())
    named = mapping.metrics
    if named is None:
        fields = _fields(mapping, ())
        check(files, fields)
        used = {field.column for field in fields if field.column is not None}
        metrics = discover(files, used, RESERVED | set(mapping.attributes), comma=mapping.source.decimal == ",")
    else:
        metrics = [HistoryMetric(name, **given.model_dump()) for name, given in named.items()]
    check(files, _fields(mapping, metrics))
    return History(mapping, files, metrics, beside, survey)


def _fields(mapping: HistoryMapping, metrics: Sequence[HistoryMetric]) -> list[Field]:
    given = mapping.columns
    comma = mapping.source.decimal == ","
    if given is None:
        return []
    fields = [
        Field("device", given.device, required=True, key="columns.device"),
        Field("at", given.at, "time", required=True, form=given.at_format, key="columns.at"),
        Field("firmware", given.firmware, key="columns.firmware"),
        *(Field(name, column, key=f"columns.{name}") for name, column in mapping.attributes.items()),
        *(
            Field(name, column, "time", form=given.at_format, key=f"columns.{name}", or_iso=True)
            for name, column in mapping.times.items()
        ),
        *(Field(metric.name, metric.column, "number", key=f"metrics.{metric.name}", comma=comma) for metric in metrics),
    ]
    failures = mapping.failures
    if failures is not None and failures.column is not None:
        fields.append(Field(_FAILED, failures.column, "flag", key="failures.column"))
        fields.append(Field(_FAILED_PART, failures.part, key="failures.part"))
    return fields


def _failed(table: pa.Table) -> pa.Table:
    rows = table.filter(table[_FAILED])
    return rows.select(["device", "at", _FAILED_PART]).rename_columns(["device", "at", "part"])
