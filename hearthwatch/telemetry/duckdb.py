"""The telemetry store in one DuckDB file, or in memory: for one process, and for tests."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import datetime
from typing import TypeVar

import pyarrow as pa

from hearthwatch.telemetry import duckdb_queries as queries
from hearthwatch.telemetry import duckdb_rollup as rollups
from hearthwatch.telemetry.duckdb_expiry import expire, recluster
from hearthwatch.telemetry.duckdb_file import Cursor, DuckDBFile
from hearthwatch.telemetry.duckdb_schema import Catalogue, Draft, create_or_check, load
from hearthwatch.telemetry.duckdb_writing import write_bulk, write_values
from hearthwatch.telemetry.times import last_hour
from hearthwatch.values import Event, Presence, Reading, WriteResult

Answer = TypeVar("Answer")


class DuckDBStore:
    """A `TelemetryStore`. Any number of threads may use it; writes take turns, reads and rollups run beside them.

    `hourly`, `daily` and `exposure` answer from the rollups: they do not know what came since the last `rollup`. Their rows
    are in no particular order, but for `daily`: day, then device.
    """

    def __init__(self, path: str | None) -> None:
        """Open or create a file; without a path the store lies in memory. Raises `Unavailable` or `Invalid`."""
        self._file = DuckDBFile(path)
        self._maintaining = threading.Lock()
        try:
            with self._file.writing() as cursor:
                create_or_check(cursor)
                self._catalogue = load(cursor, self._file.generation)
        except BaseException:
            self._file.close()
            raise

    @property
    def file(self) -> DuckDBFile:
        """The open database, for copying it out while it is in use."""
        return self._file

    def write(self, values: Sequence[Reading | Event | Presence]) -> WriteResult:
        """Store a batch in one transaction; see the port."""
        if not values:
            return WriteResult(0, 0)
        return self._write(lambda cursor, draft: write_values(cursor, draft, values))

    def write_table(self, stream: str, table: pa.Table) -> WriteResult:
        """Store a table of readings in one transaction; see the port."""
        return self._write(lambda cursor, draft: write_bulk(cursor, draft, stream, table))

    def rollup(self, until: datetime) -> int:
        """Compute dirty hours anew, some hundred thousand device-hours a transaction; see the port."""
        with self._maintaining:
            return self._rollup(last_hour(until))

    def hourly(
        self,
        since: datetime,
        until: datetime,
        *,
        devices: Sequence[str] | None = None,
        metrics: Sequence[str] | None = None,
    ) -> pa.Table:
        """Rollups; see the port."""
        with self._asking() as (cursor, catalogue):
            wanted = queries.Filter(cursor, catalogue, devices=devices, metrics=metrics)
            return queries.hourly(cursor, wanted.hours(since, until))

    def daily(
        self,
        since: datetime,
        until: datetime,
        *,
        devices: Sequence[str] | None = None,
        metrics: Sequence[str] | None = None,
    ) -> pa.Table:
        """Rollups by day; a day that the span cuts holds the hours inside it. See the port."""
        with self._asking() as (cursor, catalogue):
            wanted = queries.Filter(cursor, catalogue, devices=devices, metrics=metrics)
            of_devices = queries.Filter(cursor, catalogue, devices=devices)
            return queries.daily(cursor, wanted.hours(since, until), of_devices.hours(since, until))

    def exposure(self, since: datetime, until: datetime, *, devices: Sequence[str] | None = None) -> pa.Table:
        """Hours with a reading, an event or a coming online; see the port."""
        with self._asking() as (cursor, catalogue):
            wanted = queries.Filter(cursor, catalogue, devices=devices)
            return queries.exposure(cursor, wanted.hours(since, until))

    def events(
        self,
        since: datetime,
        until: datetime,
        *,
        devices: Sequence[str] | None = None,
        kinds: Sequence[str] | None = None,
    ) -> pa.Table:
        """Events; see the port."""
        with self._asking() as (cursor, catalogue):
            wanted = queries.Filter(cursor, catalogue, devices=devices)
            return queries.events(cursor, wanted.stamps(since, until), kinds)

    def presence(self, since: datetime, until: datetime, *, devices: Sequence[str] | None = None) -> pa.Table:
        """Comings and goings; see the port."""
        with self._asking() as (cursor, catalogue):
            wanted = queries.Filter(cursor, catalogue, devices=devices)
            return queries.presence(cursor, wanted.stamps(since, until))

    def latest(self, devices: Sequence[str]) -> Mapping[str, Mapping[str, tuple[datetime, float]]]:
        """Newest values, also those that came since the last rollup; see the port."""
        with self._asking() as (cursor, catalogue):
            wanted = queries.Filter(cursor, catalogue, devices=devices)
            return queries.latest(cursor, catalogue, wanted.always())

    def window(
        self, device: str, since: datetime, until: datetime, *, metrics: Sequence[str] | None = None
    ) -> pa.Table:
        """Raw readings of one device; see the port."""
        with self._asking() as (cursor, catalogue):
            wanted = queries.Filter(cursor, catalogue, devices=[device])
            return queries.window(cursor, catalogue, wanted.stamps(since, until), metrics)

    def metrics(self) -> Sequence[str]:
        """Names of all metrics ever stored; see the port."""
        with self._asking() as (_, catalogue):
            return sorted(str(name) for name in tuple(catalogue.ids["metric"]))

    def expire(self, *, raw_before: datetime, rollups_before: datetime) -> int:
        """Delete old rows and sort the days that are over; see the port.

        Raw readings go by whole hours, and only after they were rolled up. Events and presence are kept as long as the rollups.
        """
        raw_hour, rollup_hour = last_hour(raw_before), last_hour(rollups_before)
        with self._maintaining:
            self._rollup(raw_hour)  # what is deleted must have been counted
            with self._file.writing() as cursor:
                catalogue = self._current(cursor)
                deleted = expire(cursor, catalogue, raw_hour, rollup_hour)
            recluster(self._file.writing, catalogue)
            return deleted

    def close(self) -> None:
        """Finish and release the file; see the port."""
        self._file.close()

    def _write(self, step: Callable[[Cursor, Draft], WriteResult]) -> WriteResult:
        # The catalogue grows together with the tables it describes, so both happen in one turn.
        with self._file.turn():
            with self._file.writing() as cursor:
                draft = Draft(self._current(cursor))
                result = step(cursor, draft)
                draft.store(cursor)
            self._catalogue = draft.committed()
        return result

    def _rollup(self, until_hour: int) -> int:
        with self._file.writing() as cursor:
            catalogue = self._current(cursor)
            rollups.mark_dirty(cursor, catalogue)
        with self._file.reading() as cursor:
            due = list(rollups.chunks(cursor, until_hour))
        written = 0
        for chunk in due:
            with self._file.deriving() as cursor:
                written += rollups.compute(cursor, catalogue, chunk)
        return written

    def _current(self, cursor: Cursor) -> Catalogue:
        """The catalogue as committed, for a writer; read again when the file had to be reopened."""
        if self._catalogue.generation != self._file.generation:
            self._catalogue = load(cursor, self._file.generation)
        return self._catalogue

    @contextmanager
    def _asking(self) -> Iterator[tuple[Cursor, Catalogue]]:
        """A cursor on one state of the file, and a catalogue that holds nothing newer than that state."""
        catalogue = self._catalogue
        with self._file.reading() as cursor:
            if catalogue.generation != self._file.generation:
                catalogue = load(cursor, self._file.generation)
            yield cursor, catalogue
