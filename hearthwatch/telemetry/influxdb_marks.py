"""Marks: in which hours something may be new, and which of them were rolled up.

A write marks each hour it touched with a version of its own, after its data. A rollup reads the marks, computes the hours whose version
is not the one that was done last, and then says which version it has done: what came in between carries another version, and is done
next time.

A day of a device is one point, so two rollups that overlap can write an older text over a newer one. Each of them says that it ran
before it says what is done, and then looks for others that ran since it began. Whichever says so last finds the other, and has done again
what it did itself and what it finds done since. (A rollup whose process ends between the two finds nothing.)

Marks are never removed, because a delete would also take what a writer marks at that moment. Instead, marks are of two kinds: those of
the last days, and late ones. All of the first kind before some hour can be settled for ever, since what comes for those hours is late; the
rollups leave them out. Late marks are always read. Writer and rollup may disagree about the time by `MARGIN_HOURS`.
"""

from __future__ import annotations

import secrets
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import duckdb
import pyarrow as pa
import pyarrow.compute as pc

from hearthwatch.telemetry.influxdb_requests import send
from hearthwatch.telemetry.influxdb_server import Server
from hearthwatch.telemetry.times import HOUR_US

FEW_DEVICES = 20
"""An hour in which a batch holds so few devices is marked for each of them, else as a whole."""
RECENT, LATE = "marks", "late_marks"
RECENT_HOURS = 3 * 24
"""An hour longer ago is marked as a late one."""
MARGIN_HOURS = 2 * 24
SETTLE_HOURS = 6
_HOUR_NS = HOUR_US * 1000
_DAY_HOURS = 24
_OVERLAP_NS = 24 * _HOUR_NS
"""How long a rollup may run, and how far the clocks of two may be apart, for them to find each other."""


@dataclass(frozen=True, slots=True)
class Mark:
    """An hour in which something may be new: of one device, or (None) of any."""

    device: str | None
    hour: int
    version: int
    late: bool

    def line(self) -> bytes:
        """The line that sets the mark."""
        return self._line("Version")

    def done(self) -> bytes:
        """The line that says it was rolled up."""
        return self._line("Done")

    def _line(self, field: str) -> bytes:
        measurement = LATE if self.late else RECENT
        head = measurement if self.device is None else f"{measurement},device={self.device}"
        return f"{head} {field}={self.version}i {self.hour * _HOUR_NS}".encode()


def now_hour() -> int:
    """The hour of the clock on the wall."""
    return int(time.time()) // 3600


def new_version() -> int:
    """A version that no mark has."""
    return secrets.randbits(62) + 1


def marks_of(device_hours: Iterable[tuple[str, int]]) -> list[Mark]:
    """The marks of a batch: devices (as tags) and hours."""
    hours: dict[int, set[str]] = {}
    for device, hour in device_hours:
        hours.setdefault(hour, set()).add(device)
    version, late_before = new_version(), now_hour() - RECENT_HOURS
    return [
        Mark(device, hour, version, hour < late_before)
        for hour, devices in hours.items()
        for device in (devices if len(devices) <= FEW_DEVICES else (None,))
    ]


class Marks:
    """The marks of the days that some hours [first, end) lie in, as they were when they were read."""

    def __init__(self, server: Server, first: int, end: int) -> None:
        self._server = server
        self._first, self._end = first, end
        self._ran: set[int] = set()
        self._settled = self._settled_before()
        self._settling = min(now_hour() - RECENT_HOURS - MARGIN_HOURS, end)
        self._table = self._read()
        self.pending = self._pending()
        """Marks of the hours that are not done."""

    def _pending(self) -> list[Mark]:
        found = self._table
        open_ = found.filter(pc.not_equal(found["Done"], found["Version"]))
        rows = zip(*(open_[name].to_pylist() for name in ("device", "time", "Version", "late")), strict=True)
        marks = [Mark(device or None, ns // _HOUR_NS, version, late) for device, ns, version, late in rows]
        return [mark for mark in marks if self._first <= mark.hour < self._end]

    def settle(self) -> None:
        """Leave out from now on what was done long ago; after the pending marks were done."""
        if self._settling >= self._settled + SETTLE_HOURS:
            self._say([f"settled Before={self._settling}i 0".encode()])

    def _settled_before(self) -> int:
        found = self._server.select(self._server.address.state, 'SELECT "Before" FROM settled', {})
        return int(found["Before"][0].as_py()) if found.num_rows else 0

    def begin(self) -> None:
        """Before anything is read that will be written anew."""
        self._ran = self._runs()

    def end(self) -> int:
        """Say that what was pending is done. Returns how many marks were set anew, because another rollup ran at the same time."""
        run, hours = new_version(), [mark.hour for mark in self.pending]
        self._say([f"runs Run={run}i,First={min(hours)}i,Last={max(hours)}i {time.time_ns()}".encode()])
        self._say([mark.done() for mark in self.pending])
        if self._runs() <= self._ran | {run}:
            return 0
        again = self._overlapping()
        self._say([mark.line() for mark in again])
        return len(again)

    def _runs(self) -> set[int]:
        """The rollups of the last time that had to do with the days of what is pending."""
        first, last = min(mark.hour for mark in self.pending), max(mark.hour for mark in self.pending)
        query = f'SELECT "Run", "First", "Last" FROM runs WHERE time >= {time.time_ns() - _OVERLAP_NS}'
        found = self._server.select(self._server.address.state, query, {})
        if found.num_rows == 0:
            return set()
        rows = zip(*(found[name].to_pylist() for name in ("Run", "First", "Last")), strict=True)
        return {
            run
            for run, their_first, their_last in rows
            if their_first // _DAY_HOURS <= last // _DAY_HOURS and first // _DAY_HOURS <= their_last // _DAY_HOURS
        }

    def _overlapping(self) -> list[Mark]:
        """New marks for what is done since these were read, and for what was pending."""
        with duckdb.connect(":memory:") as engine:
            engine.register("before", self._table)
            engine.register("after", self._read())
            rows = engine.execute(_CHANGED).fetchall()
        marks = {(mark.device, mark.hour) for mark in self.pending}
        marks |= {(device or None, ns // _HOUR_NS) for device, ns in rows}
        version = new_version()
        return [Mark(device, hour, version, late=True) for device, hour in marks]  # late: it may be settled meanwhile

    def _say(self, lines: Sequence[bytes]) -> None:
        send(lambda body: self._server.write(self._server.address.state, body), lines)

    def _read(self) -> pa.Table:
        first, end = self._first // _DAY_HOURS * _DAY_HOURS, -(-self._end // _DAY_HOURS) * _DAY_HOURS
        recent = self._read_kind(RECENT, max(first, self._settled), end)
        return pa.concat_tables([recent, self._read_kind(LATE, first, end)])

    def _read_kind(self, measurement: str, first: int, end: int) -> pa.Table:
        between = f"time >= {first * _HOUR_NS} AND time < {end * _HOUR_NS}"
        query = f'SELECT "Version", "Done", device FROM {measurement} WHERE {between}'
        found = self._server.select(self._server.address.state, query, {})
        if first >= end or found.num_rows == 0:
            return _SHAPE.empty_table()
        versions = [pc.fill_null(found[name], 0) for name in ("Version", "Done")]
        late = pa.repeat(measurement == LATE, found.num_rows)
        return pa.table([found["device"], found["time"], *versions, late], schema=_SHAPE)


_SHAPE = pa.schema(
    [("device", pa.string()), ("time", pa.int64()), ("Version", pa.int64()), ("Done", pa.int64()), ("late", pa.bool_())]
)
_CHANGED = """
SELECT after.device, after.time FROM after LEFT JOIN before USING (device, time, late)
WHERE after.Done <> coalesce(before.Done, 0)"""
