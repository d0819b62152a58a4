"""The telemetry store in InfluxDB 2: for several processes, and for fleets that outgrow one file."""

from __future__ import annotations

import threading
import time
from collections.abc import Mapping, Sequence
from datetime import datetime

import pyarrow as pa

from hearthwatch.errors import Unavailable
from hearthwatch.telemetry import influxdb_queries as queries
from hearthwatch.telemetry.influxdb_lines import Bulk
from hearthwatch.telemetry.influxdb_marks import Marks
from hearthwatch.telemetry.influxdb_requests import send
from hearthwatch.telemetry.influxdb_rollup import Rollup
from hearthwatch.telemetry.influxdb_server import Server, parse
from hearthwatch.telemetry.influxdb_writing import Writing
from hearthwatch.telemetry.times import HOUR_US, last_hour
from hearthwatch.values import Event, Presence, Reading, WriteResult

WATERMARKS_S = 10.0
"""How long another process may still show what this one let age out."""
SLACK_S = 2 * 86_400
"""How much longer than asked the server keeps data: whole shards go, and a straggler is no error."""
_HOUR_NS = HOUR_US * 1000


class InfluxDBStore:
    """A `TelemetryStore`. Any number of threads and processes may use it; writes of one process take turns.

    A batch may be stored in part when a write raises `Unavailable`; giving it again completes it and counts it as if for the first
    time. Of what other processes wrote since, a process does not know: a reading that two take in may be counted as stored by both, and
    the store holds it once.

    `hourly`, `daily` and `exposure` answer from the rollups: they do not know what came since the last `rollup`, which one
    process at a time should run. Their rows are in no particular order, but for `daily`: day, then device.
    """

    def __init__(self, address: str) -> None:
        """Take an address; nothing is asked of the server before the first use. Raises `Invalid`."""
        self._server = Server(parse(address))
        self._writing_lock = threading.Lock()
        self._maintaining = threading.Lock()
        self._writing = Writing(self._server)
        self._watermarks = (0, 0)
        self._read_at = float("-inf")
        self._closed = False

    def write(self, values: Sequence[Reading | Event | Presence]) -> WriteResult:
        """Store a batch; see the port."""
        self._check_open()
        if not values:
            return WriteResult(0, 0)
        with self._writing_lock:
            return self._writing.write(values)

    def write_table(self, stream: str, table: pa.Table) -> WriteResult:
        """Store a table of readings; see the port."""
        self._check_open()
        bulk = Bulk(stream, table)
        with self._writing_lock:
            return self._writing.write_bulk(bulk)

    def rollup(self, until: datetime) -> int:
        """Compute the hours with new data; see the port."""
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
        first, end = queries.hours_of(since, until, self._hidden()[1])
        return queries.hourly(self._server, first, end, devices, self._known_among(metrics))

    def daily(
        self,
        since: datetime,
        until: datetime,
        *,
        devices: Sequence[str] | None = None,
        metrics: Sequence[str] | None = None,
    ) -> pa.Table:
        """Rollups by day; a day that the span cuts holds the hours inside it. See the port."""
        first, end = queries.hours_of(since, until, self._hidden()[1])
        return queries.daily(self._server, first, end, devices, self._known_among(metrics))

    def exposure(self, since: datetime, until: datetime, *, devices: Sequence[str] | None = None) -> pa.Table:
        """Hours with a reading, an event or a coming online; see the port."""
        first, end = queries.hours_of(since, until, self._hidden()[1])
        return queries.exposure(self._server, first, end, devices)

    def events(
        self,
        since: datetime,
        until: datetime,
        *,
        devices: Sequence[str] | None = None,
        kinds: Sequence[str] | None = None,
    ) -> pa.Table:
        """Events; see the port."""
        return queries.events(self._server, queries.span_of(since, until, self._hidden()[1]), devices, kinds)

    def presence(self, since: datetime, until: datetime, *, devices: Sequence[str] | None = None) -> pa.Table:
        """Comings and goings; see the port."""
        return queries.presence(self._server, queries.span_of(since, until, self._hidden()[1]), devices)

    def latest(self, devices: Sequence[str]) -> Mapping[str, Mapping[str, tuple[datetime, float]]]:
        """Newest values, also those that came since the last rollup; see the port."""
        raw_before, rollups_before = self._hidden()
        return queries.latest(self._server, devices, 0 if rollups_before > raw_before else raw_before)

    def window(
        self, device: str, since: datetime, until: datetime, *, metrics: Sequence[str] | None = None
    ) -> pa.Table:
        """Raw readings of one device; see the port."""
        return queries.window(self._server, device, queries.span_of(since, until, self._hidden()[0]), metrics)

    def metrics(self) -> Sequence[str]:
        """Names of all metrics ever stored; see the port."""
        self._check_open()
        found = self._server.select(self._server.address.state, 'SELECT "Stored", metric FROM names', _METRIC)
        return sorted(found["metric"].to_pylist()) if found.num_rows else []

    def expire(self, *, raw_before: datetime, rollups_before: datetime) -> int:
        """Hide old rows at once, and have the server delete them by whole shards; see the port.

        Raw readings go by whole hours, and only after they were rolled up. Events and presence are kept as long as the rollups.
        """
        raw_hour, rollup_hour = last_hour(raw_before), last_hour(rollups_before)
        with self._maintaining:
            self._rollup(raw_hour)  # what is hidden must have been counted
            was_raw, was_rollup = self._hidden(fresh=True)
            raw_hour, rollup_hour = max(raw_hour, was_raw), max(rollup_hour, was_rollup)
            hidden: int = self._count(self._server.address.raw, "readings", was_raw, raw_hour)
            for measurement in ("events", "presence"):
                hidden += self._count(self._server.address.rollups, measurement, was_rollup, rollup_hour)
            hidden += queries.hourly(self._server, was_rollup, rollup_hour, None, self.metrics()).num_rows
            hidden += queries.exposure(self._server, was_rollup, rollup_hour, None).num_rows
            body = f"watermarks RawBefore={raw_hour}i,RollupsBefore={rollup_hour}i 0".encode()
            send(lambda part: self._server.write(self._server.address.state, part), [body])
            self._watermarks, self._read_at = (raw_hour, rollup_hour), time.monotonic()
            self._retain(self._server.address.raw, raw_hour)
            self._retain(self._server.address.rollups, rollup_hour)
        return hidden

    def close(self) -> None:
        """Release the connections; see the port. Nothing waits to be written."""
        self._closed = True
        self._server.close()

    def _known_among(self, metrics: Sequence[str] | None) -> list[str]:
        known = self.metrics()
        return [name for name in known if metrics is None or name in metrics]

    def _rollup(self, until_hour: int) -> int:
        raw_before, rollups_before = self._hidden(fresh=True)
        if until_hour <= rollups_before:
            return 0
        marks = Marks(self._server, rollups_before, until_hour)
        written = Rollup(self._server, self.metrics(), raw_before).run(marks) if marks.pending else 0
        marks.settle()
        return written

    def _hidden(self, *, fresh: bool = False) -> tuple[int, int]:
        """The hours before which readings, and everything else, has aged out."""
        self._check_open()
        if fresh or time.monotonic() > self._read_at + WATERMARKS_S:
            found = self._server.select(
                self._server.address.state, 'SELECT "RawBefore", "RollupsBefore" FROM watermarks', {}
            )
            read_at = time.monotonic()
            if found.num_rows:
                self._watermarks = (found["RawBefore"][0].as_py(), found["RollupsBefore"][0].as_py())
            self._read_at = read_at
        return self._watermarks

    def _count(self, bucket: str, measurement: str, first: int, end: int) -> int:
        if first >= end:
            return 0
        query = (
            f'SELECT count("Firmware") FROM {measurement} WHERE time >= {first * _HOUR_NS} AND time < {end * _HOUR_NS}'
        )
        found = self._server.select(bucket, query, _COUNT)
        return int(found["count"][0].as_py()) if found.num_rows else 0

    def _retain(self, bucket: str, before_hour: int) -> None:
        # The rule counts from the server's own now. It only follows what was asked, so a store of the past keeps its past.
        seconds = int(time.time()) - before_hour * 3600 + SLACK_S
        if before_hour > 0 and seconds > SLACK_S:
            self._server.retain(bucket, seconds)

    def _check_open(self) -> None:
        if self._closed:
            raise Unavailable("the store is closed", where="influxdb")


_METRIC = {"metric": pa.string()}
_COUNT = {"count": pa.int64()}
