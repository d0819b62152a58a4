"""Rollups: the raw rows of the hours that are marked, in one pass over the server's answer; the days they lie in are written anew."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import duckdb
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from hearthwatch.telemetry import influxdb_days as days
from hearthwatch.telemetry.influxdb_known import ALL_DEVICES, among_devices
from hearthwatch.telemetry.influxdb_lines import EVENTS, PRESENCE, READINGS, field_of, mapped, packed, text_of
from hearthwatch.telemetry.influxdb_marks import Mark, Marks
from hearthwatch.telemetry.influxdb_requests import send
from hearthwatch.telemetry.influxdb_server import Server
from hearthwatch.telemetry.times import HOUR_US, ranges

logger = logging.getLogger(__name__)

CELLS = 8_000_000
"""Values held in memory at once."""
FIRMWARES_AN_HOUR = 32
"""Beyond so many of one device, they count under the newest: a day of the longest ones has to fit a field of a MiB."""

COLUMN = "m_"
"""What the columns of metrics begin with here."""
_HOUR_NS = HOUR_US * 1000


@dataclass(frozen=True, slots=True)
class Piece:
    """Hours [first, last] that are computed in one pass, for all devices or for some."""

    first: int
    last: int
    devices: Sequence[str] | None
    due: pa.Table
    """device (null: any) and hour."""

    @property
    def key(self) -> str:
        """What of ``due`` a row has to meet."""
        return "hour" if self.devices is None else "device, hour"

    @property
    def between(self) -> str:
        """The hours as a condition."""
        return f"time >= {self.first * _HOUR_NS} AND time < {(self.last + 1) * _HOUR_NS}"


class Rollup:
    """One run over some marks."""

    def __init__(self, server: Server, metrics: Sequence[str], raw_before: int) -> None:
        self._server = server
        self._metrics = metrics
        self._raw_before = raw_before
        self._engine = duckdb.connect(":memory:", config={"threads": 2, "memory_limit": "1GB"})
        self._engine.register("fields", _fields(metrics))

    def run(self, found: Marks) -> int:
        """Compute the hours of the marks that are not done. Returns the rollup rows written."""
        marks = found.pending
        found.begin()
        written = 0
        try:
            for expired in (True, False):
                mine = [mark for mark in marks if (mark.hour < self._raw_before) == expired]
                for piece in pieces(mine):
                    written += self._compute(piece, expired=expired)
        finally:
            self._engine.close()
        again = found.end()
        if again:
            logger.warning("another rollup ran at the same time: %d hours will be done again", again)
        return written

    def _compute(self, piece: Piece, *, expired: bool) -> int:
        said = self._said(piece)
        written = 0
        handled: list[pa.Array] = []
        for rows in self._readings(piece):
            names = pc.unique(rows["device"].combine_chunks())
            handled.append(names)
            mine = said.filter(pc.is_in(said["device"], names)) if said.num_rows else said
            written += self._write(piece, rows, mine, expired=expired)
        if said.num_rows:
            rest = said
            if handled:
                rest = said.filter(pc.invert(pc.is_in(said["device"], pa.concat_arrays(handled))))
            if rest.num_rows:
                written += self._write(piece, _no_rows(self._metrics), rest, expired=expired)
        return written

    def _said(self, piece: Piece) -> pa.Table:
        """Events and comings online: they show that a device was there, but are no readings."""
        found = [_SAID.empty_table()]
        for measurement, condition in ((EVENTS, ""), (PRESENCE, ' AND "Online" = true')):
            for among in _among(piece.devices):
                table = self._server.select(
                    self._server.address.rollups,
                    f'SELECT "Firmware", "{_OTHER[measurement]}", device FROM {measurement} WHERE {piece.between}{condition}{among}',
                    {},
                )
                if table.num_rows:
                    found.append(_columns(table["device"], table["time"], table["Firmware"], {}))
        return pa.concat_tables(found)

    def _readings(self, piece: Piece) -> Iterator[pa.Table]:
        """Readings in pieces that fit memory; a device's rows are all in one piece."""
        columns = ", ".join(['"Firmware"', *(f'"{field_of(name)}"' for name in self._metrics)])
        limit = max(1_000, CELLS // (len(self._metrics) + 1))
        for among in _among(piece.devices):
            query = f"SELECT {columns} FROM {READINGS} WHERE {piece.between}{among} GROUP BY device, stream"
            held: list[pa.Table] = []
            size = 0
            for batch in self._server.stream(self._server.address.raw, query, {}):
                table = pa.table(batch)
                held.append(
                    _columns(_devices_of_tags(table["tags"]), table["time"], table["Firmware"], self._values(table))
                )
                size += table.num_rows
                if size >= limit:
                    whole = pa.concat_tables(held)
                    last = whole["device"][-1]
                    cut = pc.index(whole["device"], last).as_py()
                    if cut:
                        yield whole.slice(0, cut)
                        held, size = [whole.slice(cut)], whole.num_rows - cut
            if size:
                yield pa.concat_tables(held)

    def _values(self, table: pa.Table) -> dict[str, Any]:
        return {COLUMN + name: table[field_of(name)] for name in self._metrics}

    def _write(self, piece: Piece, rows: pa.Table, said: pa.Table, *, expired: bool) -> int:
        engine = self._engine
        engine.register("came", rows)
        engine.register("said", said)
        engine.register("due", piece.due)
        self._count(piece)
        engine.execute(f"CREATE OR REPLACE TEMP TABLE new_hours AS {_NEW_HOURS}")
        engine.execute(f"CREATE OR REPLACE TEMP TABLE new_hourly AS {self._new_hourly(piece.key)}")
        touched = engine.sql("SELECT DISTINCT device FROM new_hours ORDER BY device").to_arrow_table()["device"]
        if len(touched) == 0:
            return 0
        points = self._points(piece, touched.to_pylist())
        engine.register("old_hours", days.unpack(points, "Hours"))
        engine.register("old_hourly", days.unpack_hourly(points))
        for name, key in (("hours", "device, hour"), ("hourly", "device, hour, firmware, metric")):
            # An hour whose raw rows are not all there any more keeps what was computed of them.
            kept = f"SELECT * FROM new_{name} UNION ALL SELECT {_ORDER[name]} FROM old_{name} ANTI JOIN new_hours USING (device, hour)"
            if expired:
                kept = f"SELECT {_ORDER[name]} FROM old_{name} UNION ALL SELECT * FROM new_{name} ANTI JOIN old_{name} USING ({key})"
            engine.execute(
                f"CREATE OR REPLACE TEMP TABLE all_{name} AS SELECT * FROM ({kept}) "
                "SEMI JOIN (SELECT DISTINCT device, day FROM new_hours) USING (device, day)"
            )
        lines = engine.execute(days.LINES).fetchall()
        refused = send(
            lambda body: self._server.write(self._server.address.rollups, body), [line.encode() for (line,) in lines]
        )
        if refused:  # older than the bucket keeps, or of a size no device has
            logger.warning("%d days of rollups are not kept: %s", len(refused), refused[0].reason)
        written = "new_hourly ANTI JOIN old_hourly USING (device, hour, firmware, metric)" if expired else "new_hourly"
        return int(engine.execute(f"SELECT count(*) FROM {written}").fetchall()[0][0])

    def _count(self, piece: Piece) -> None:
        """Readings by device, hour and firmware, of which no hour has so many that its day does not fit a point."""
        engine, counting = self._engine, f"CREATE OR REPLACE TEMP TABLE counted AS {_COUNTED.format(key=piece.key)}"
        engine.execute(counting)
        engine.execute(f"CREATE OR REPLACE TEMP TABLE renamed AS {_RENAMED}")
        if engine.execute("SELECT count(*) FROM renamed").fetchall()[0][0]:
            for name in ("came", "said"):
                rows = engine.sql(_RENAMING.format(name=name)).to_arrow_table()
                engine.register(name, rows)
            engine.execute(counting)

    def _points(self, piece: Piece, devices: list[str]) -> pa.Table:
        first, last = piece.first // 24 * 24, piece.last
        fields = ", ".join(['"Hours"', *([days.fields_of(self._metrics)] if self._metrics else [])])
        query = f"SELECT {fields}, device FROM days WHERE time >= {first * _HOUR_NS} AND time <= {last * _HOUR_NS}"
        parts = [
            self._server.select(self._server.address.rollups, f"{query}{among}", {})
            for among in _among(devices if len(devices) <= ALL_DEVICES else None)
        ]
        parts = [part for part in parts if part.num_rows]
        return pa.concat_tables(parts) if parts else pa.table({})

    def _new_hourly(self, key: str) -> str:
        wanted = f"SELECT * FROM came SEMI JOIN due USING ({key})"
        if not self._metrics:
            nothing = f"SELECT *, 0.0::DOUBLE AS value FROM ({wanted}) WHERE false"
            return f"SELECT {_KEY}, '' AS metric, {_STATISTICS} FROM ({nothing}) GROUP BY ALL"
        columns = ", ".join(f'"{COLUMN}{name}"' for name in self._metrics)
        return (
            f"SELECT {_KEY}, substr(name, {len(COLUMN) + 1}) AS metric, {_STATISTICS} "
            f"FROM (UNPIVOT ({wanted}) ON {columns} INTO NAME name VALUE value) GROUP BY ALL"
        )


def pieces(marks: Sequence[Mark]) -> Iterator[Piece]:
    """What is to be computed, in few passes: whole hours first, then the hours of single devices."""
    whole = {mark.hour for mark in marks if mark.device is None}
    single = [mark for mark in marks if mark.device is not None and mark.hour not in whole]
    for some in (sorted((None, hour) for hour in whole), [(mark.device, mark.hour) for mark in single]):
        if not some:
            continue
        hours = np.array([hour for _, hour in some], np.int64)
        for first, last in ranges(hours):
            inside = [pair for pair in some if first <= pair[1] <= last]
            due = pa.table(
                {
                    "device": pa.array([device for device, _ in inside], pa.string()),
                    "hour": pa.array([hour for _, hour in inside], pa.int64()),
                }
            )
            devices = None if some[0][0] is None else sorted({str(device) for device, _ in inside})
            yield Piece(first, last, devices, due)


def _among(devices: Sequence[str] | None) -> Iterator[str]:
    if devices is None:
        yield ""
    else:
        yield from (f" AND {among}" for among in among_devices(devices))


def _columns(device: Any, time: Any, firmware: Any, values: dict[str, Any]) -> pa.Table:
    us = pa.array(time.to_numpy() // 1000)
    names = mapped(firmware, lambda stored: packed(text_of(stored)))
    return pa.table({"device": device, "us": us, "hour": pc.divide(us, HOUR_US), "firmware": names, **values})


def _devices_of_tags(tags: Any) -> pa.Array:
    return mapped(tags, lambda both: both.split(",", 1)[0].removeprefix("device="))


_SAID = pa.schema([("device", pa.string()), ("us", pa.int64()), ("hour", pa.int64()), ("firmware", pa.string())])
_OTHER = {EVENTS: "Kind", PRESENCE: "Online"}


def _fields(metrics: Sequence[str]) -> pa.Table:
    columns = {"metric": list(metrics), "field": [field_of(name) for name in metrics]}
    return pa.table({name: pa.array(texts, pa.string()) for name, texts in columns.items()})


def _no_rows(metrics: Sequence[str]) -> pa.Table:
    return pa.schema([*_SAID, *((COLUMN + name, pa.float64()) for name in metrics)]).empty_table()


_ORDER = {
    "hours": "device, day, hour, readings, last_us, firmware",
    "hourly": "device, day, hour, metric, n, mean, minimum, maximum, last, last_us, firmware",
}
_KEY = "device, hour // 24 * 86400000000 AS day, hour"
_STATISTICS = """count(*) AS n, avg(value) AS mean, min(value) AS minimum, max(value) AS maximum, arg_max(value, us) AS last,
    max(us) AS last_us, firmware"""

_COUNTED = """
SELECT device, hour, firmware, sum(readings)::BIGINT AS readings, min(us) AS first_us, max(us) AS last_us FROM (
    SELECT device, hour, firmware, us, 1 AS readings FROM came SEMI JOIN due USING ({key})
    UNION ALL SELECT device, hour, firmware, us, 0 FROM said SEMI JOIN due USING ({key})
) GROUP BY device, hour, firmware"""
_RENAMED = f"""
WITH placed AS (
    SELECT *, count(*) OVER hours AS firmwares, row_number() OVER (hours ORDER BY first_us, firmware) AS place,
        arg_max(firmware, last_us) OVER hours AS name
    FROM counted WHERE firmware <> '' WINDOW hours AS (PARTITION BY device, hour)
)
SELECT device, hour, firmware, name FROM placed
WHERE firmwares > {FIRMWARES_AN_HOUR} AND place >= {FIRMWARES_AN_HOUR} AND firmware <> name"""
_RENAMING = """
SELECT {name}.* REPLACE (coalesce(renamed.name, {name}.firmware) AS firmware)
FROM {name} LEFT JOIN renamed USING (device, hour, firmware)"""

# A message without a firmware counts for the one the device had in that hour, so that no hour of it counts twice.
_NEW_HOURS = """
WITH named AS (
    SELECT device, hour, arg_max(firmware, last_us) AS named FROM counted WHERE firmware <> '' GROUP BY device, hour
), told AS (
    SELECT device, hour, CASE firmware WHEN '' THEN coalesce(named, firmware) ELSE firmware END AS firmware, readings, last_us
    FROM counted LEFT JOIN named USING (device, hour)
)
SELECT device, hour // 24 * 86400000000 AS day, hour, sum(readings)::BIGINT AS readings, max(last_us) AS last_us, firmware
FROM told GROUP BY device, hour, firmware"""
