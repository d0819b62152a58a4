"""A batch into the store: checked as a whole, told apart from what is stored, sent in bounded requests, its hours marked for the rollup.

Every answer of the server ends in one of three ways: stored, `Unavailable` (the same batch may be given again, and completes what is
there), or `Invalid` naming what the server refuses for good, after everything else of the batch was stored.
"""

from __future__ import annotations

import secrets
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import chain
from typing import Any

import msgspec
import numpy as np

from hearthwatch.errors import HearthwatchError, Invalid
from hearthwatch.telemetry import influxdb_lines as lines
from hearthwatch.telemetry.influxdb_known import RANKS, WRITERS, Clockless, Key, Known, Stored
from hearthwatch.telemetry.influxdb_lines import EVENTS, PRESENCE, READINGS
from hearthwatch.telemetry.influxdb_marks import marks_of
from hearthwatch.telemetry.influxdb_requests import Refusal, raise_refused, send
from hearthwatch.telemetry.influxdb_server import Server
from hearthwatch.telemetry.times import HOUR_US, all_microseconds, microseconds
from hearthwatch.values import Event, Presence, Reading, WriteResult

BULK_ROWS = 50_000

At = tuple[str, str, int]
"""Device, stream (as tags) and microseconds."""
Row = tuple[str, str, int, int]
"""The same of a row of a table, and its place."""


@dataclass(slots=True)
class Plan:
    """What is new of a batch: lines to send, and what is known once they are stored."""

    raw: list[bytes] = field(default_factory=list)
    lasting: list[bytes] = field(default_factory=list)
    stored: list[At] = field(default_factory=list)
    clockless: list[tuple[str, str, int]] = field(default_factory=list)
    repeated: list[int] = field(default_factory=list)

    @property
    def new(self) -> int:
        """How many values are new."""
        return len(self.raw) + len(self.lasting)


class Writing:
    """The writer's memory and its requests. One thread at a time."""

    def __init__(self, server: Server) -> None:
        self._server = server
        address = server.address
        self._known = {
            READINGS: Known(server, address.raw, READINGS),
            EVENTS: Known(server, address.rollups, EVENTS),
            PRESENCE: Known(server, address.rollups, PRESENCE),
        }
        self._clockless = Clockless(server, address.raw)
        self._unfinished: set[At] = set()
        """What was sent of tables that failed half way: given again as a whole, it counts as if for the first time."""
        self._names: set[str] = set()
        self._writer = secrets.randbelow(WRITERS)

    def write(self, values: Sequence[Reading | Event | Presence]) -> WriteResult:
        """Store a mixed batch; see the port."""
        # All of it is checked before any of it is sent.
        usual = [one for one in values if isinstance(one, Reading) and not lines.clockless(one)]
        rows = lines.Rows(usual, all_microseconds([one.at for one in usual]))
        others = [
            (place, one) for place, one in enumerate(values) if not isinstance(one, Reading) or lines.clockless(one)
        ]
        items = [_item(place, one) for place, one in others]
        plan = Plan()
        if len(rows):
            self._plan_rows(plan, rows, np.delete(np.arange(len(values)), [place for place, _ in others]))
        for measurement in (READINGS, EVENTS, PRESENCE):
            mine = [item for item in items if item.measurement == measurement]
            if mine:
                self._plan(plan, measurement, mine)
        self._add_names(rows.names)
        self._add_names(name for item in items for name in item.metrics)
        refused = self._send(self._server.address.raw, plan.raw)
        refused += self._send(self._server.address.rollups, plan.lasting)
        self._mark(chain(_device_hours(rows), ((item.at[0], item.at[2] // HOUR_US) for item in items)))
        raise_refused(refused)
        self._known[READINGS].note(plan.stored)
        self._clockless.note(plan.clockless)
        return WriteResult(plan.new, len(plan.repeated), tuple(sorted(plan.repeated)))

    def write_bulk(self, bulk: lines.Bulk) -> WriteResult:
        """Store a table of readings; see the port. A history may be older than raw data is kept: it goes with the next `expire`."""
        if len(bulk) == 0:
            return WriteResult(0, 0)
        self._server.admit(self._server.address.raw, int(bulk.stamps.min()) / 1e6)
        self._add_names(bulk.names)
        seen: set[At] = set()
        try:
            raise_refused(self._send_pieces(bulk, seen))
        except HearthwatchError:
            self._unfinished |= seen
            raise
        if self._unfinished:
            self._unfinished -= seen
        self._known[READINGS].note(seen)
        return WriteResult(len(seen), len(bulk) - len(seen))

    def _send_pieces(self, bulk: lines.Bulk, seen: set[At]) -> list[Refusal]:
        devices, stamps = bulk.devices.to_pylist(), bulk.stamps.tolist()
        refused: list[Refusal] = []
        for start in range(0, len(bulk), BULK_ROWS):
            rows = [(devices[n], bulk.stream, stamps[n], n) for n in range(start, min(start + BULK_ROWS, len(bulk)))]
            new = self._new_rows(rows, seen)
            places = np.fromiter((row[3] for row in new), np.int64, len(new))
            refused += self._send(self._server.address.raw, bulk.lines(places))
            self._mark((device, us // HOUR_US) for device, _, us, _ in rows)
        return refused

    def _new_rows(self, rows: list[Row], seen: set[At]) -> list[Row]:
        """The rows that are neither stored nor among those seen before in the table, to which they are added."""
        known = self._known[READINGS]
        known.load({row[0] for row in rows})
        doubtful = [row[:3] for row in rows if row[2] <= known.newest(row[0], row[1])]
        stored: set[Key] = known.find(doubtful).keys if doubtful else set()
        stored -= self._unfinished
        new = []
        for row in rows:
            key = row[:3]
            if key not in seen and key not in stored:
                seen.add(key)
                new.append(row)
        return new

    def _plan_rows(self, plan: Plan, rows: lines.Rows, places: np.ndarray[Any, Any]) -> None:
        known = self._known[READINGS]
        known.load(set(rows.devices))
        ats = list(zip(rows.devices, rows.streams, rows.stamps.tolist(), strict=True))
        doubtful = [at for at in ats if at[2] <= known.newest(at[0], at[1])]
        stored: set[Key] = known.find(doubtful).keys if doubtful else set()
        new = {at: place for place, at in reversed(list(enumerate(ats))) if at not in stored}  # the first of each key
        kept = np.sort(np.fromiter(new.values(), np.int64, len(new)))
        plan.raw += rows.lines(kept)
        plan.stored += new
        if len(new) < len(ats):
            plan.repeated += np.delete(places, kept).tolist()

    def _plan(self, plan: Plan, measurement: str, items: Sequence[_Item]) -> None:
        known = self._known[measurement]
        if measurement == READINGS:
            known.load({item.at[0] for item in items})
            self._clockless.load((item.at[0], item.at[2]) for item in items if item.clockless)
        stored = known.find([item.at for item in items])
        seen: set[Key] = stored.keys
        clockless: set[Key] = set()
        lines_ = plan.raw if measurement == READINGS else plan.lasting
        for item in items:
            if item.clockless:
                key = (item.at[0], *item.key)
                duplicate = key in clockless or key in stored.clockless or key in self._clockless
                clockless.add(key)
            else:
                key = (*item.at, *item.key)
                duplicate = key in seen
                seen.add(key)
            if duplicate:
                plan.repeated.append(item.place)
                continue
            lines_.append(item.line(_spare(stored, item, self._writer)))
            if measurement == READINGS:
                plan.stored.append(item.at)
        plan.clockless += [(str(device), str(boot), int(seq)) for device, boot, seq in clockless]

    def _add_names(self, names: Iterable[str]) -> None:
        new = set(names) - self._names
        if new:
            body = [f"names,metric={name} Stored=1i 0".encode() for name in sorted(new)]
            raise_refused(self._send(self._server.address.state, body))
            self._names |= new

    def _mark(self, device_hours: Iterable[tuple[str, int]]) -> None:
        """Say in which hours something may be new; after the data, so that a rollup that saw the mark sees the data."""
        body = [mark.line() for mark in marks_of(device_hours)]
        raise_refused(self._send(self._server.address.state, body))

    def _send(self, bucket: str, body: Sequence[bytes]) -> list[Refusal]:
        return send(lambda part: self._server.write(bucket, part), body)


class _Item(msgspec.Struct, frozen=True, gc=False):
    """A checked value, and its place in the batch."""

    place: int
    measurement: str
    at: At
    key: Key
    clockless: bool
    fields: str
    metrics: Collection[str] = ()

    def line(self, spare: int) -> bytes:
        return lines.line(self.measurement, self.at[0], self.at[1], self.fields, self.at[2] * 1000 + spare)


def _item(place: int, value: Reading | Event | Presence) -> _Item:
    at = (lines.tag(value.device), lines.tag(value.stream), microseconds(value.at))
    if isinstance(value, Reading):
        without_clock = lines.clockless(value)
        key: tuple[Any, ...] = (value.boot, value.seq) if without_clock else ()
        return _Item(place, READINGS, at, key, without_clock, lines.reading(value), value.metrics)
    if isinstance(value, Event):
        return _Item(place, EVENTS, at, (value.kind, value.code, value.boot, value.seq), False, lines.event(value))
    return _Item(place, PRESENCE, at, (value.online, value.boot), False, lines.presence(value))


def _device_hours(rows: lines.Rows) -> Iterator[tuple[str, int]]:
    hours = rows.stamps // HOUR_US
    distinct = np.unique(hours)
    if len(distinct) == 1:  # as mostly
        yield from ((device, int(distinct[0])) for device in set(rows.devices))
    else:
        yield from zip(rows.devices, hours.tolist(), strict=True)


def _spare(stored: Stored, item: _Item, writer: int) -> int:
    """Which of the thousand nanoseconds of its microsecond a point takes: the key of a reading is its time, others take turns."""
    rank = max(stored.ranks.get(item.at, 0), 1 if item.measurement == READINGS else 0)
    if rank >= RANKS:
        raise Invalid(f"more than {RANKS - 1} of one microsecond", where=lines.untag(item.at[0]))
    stored.ranks[item.at] = rank + 1
    return rank * WRITERS + writer
