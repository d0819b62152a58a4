"""Questions to the DuckDB tables; answers are Arrow tables with names in place of numbers."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

import numpy as np
import pyarrow as pa

from hearthwatch.telemetry.answers import DAILY, EVENTS, EXPOSURE, HOURLY, PRESENCE, WINDOW, Latest, take_newer
from hearthwatch.telemetry.duckdb_file import Cursor
from hearthwatch.telemetry.duckdb_schema import Catalogue, column, meta, wide
from hearthwatch.telemetry.times import HOUR_US, first_hour, stamp

_HOUR_START = f"make_timestamp(t.hour * {HOUR_US}::BIGINT)"
_DEVICE = "JOIN names AS d ON d.kind = 'device' AND d.id = t.device"
_FIRMWARE = "LEFT JOIN names AS f ON f.kind = 'firmware' AND f.id = t.firmware"
_METRIC = "JOIN names AS m ON m.kind = 'metric' AND m.id = t.metric"


class Filter:
    """Which devices, metrics and hours a question is about, as conditions on a table called ``t``."""

    def __init__(
        self,
        cursor: Cursor,
        catalogue: Catalogue,
        *,
        devices: Sequence[str] | None = None,
        metrics: Sequence[str] | None = None,
    ) -> None:
        self._conditions: list[str] = []
        for kind, names in (("device", devices), ("metric", metrics)):
            if names is not None:
                self._among(cursor, kind, catalogue.known(kind, names))

    def hours(self, since: datetime, until: datetime) -> str:
        """The condition for hours that begin in [since, until)."""
        return self._where(f"t.hour >= {first_hour(since)} AND t.hour < {first_hour(until)}")

    def stamps(self, since: datetime, until: datetime) -> str:
        """The condition for rows of [since, until)."""
        return self._where(f"t.stamp >= TIMESTAMP '{stamp(since)}' AND t.stamp < TIMESTAMP '{stamp(until)}'")

    def always(self) -> str:
        """The condition for rows of any time."""
        return self._where("true")

    def _among(self, cursor: Cursor, kind: str, ids: list[int]) -> None:
        if len(ids) <= 1:  # an equality lets the engine skip row groups
            self._conditions.append(f"t.{kind} = {ids[0] if ids else -1}")
            return
        cursor.register(f"wanted_{kind}", pa.table({"id": pa.array(np.array(ids, np.int32))}))
        self._conditions.append(f"t.{kind} IN (SELECT id FROM wanted_{kind})")

    def _where(self, condition: str) -> str:
        return " AND ".join([condition, *self._conditions])


def hourly(cursor: Cursor, where: str) -> pa.Table:
    """Rollup rows."""
    return _table(
        cursor,
        f"SELECT d.name AS device, f.name AS firmware, {_HOUR_START} AS hour, m.name AS metric, n, mean, minimum, maximum, last "
        f"FROM hourly AS t {_DEVICE} {_FIRMWARE} {_METRIC} WHERE {where}",
        HOURLY,
    )


def daily(cursor: Cursor, where: str, hours_where: str) -> pa.Table:
    """Rollups by day; the day's last firmware comes from the hours in which the device reported."""
    return _table(
        cursor,
        f"""WITH days AS (
            SELECT device, hour // 24 AS day, metric, sum(n)::BIGINT AS n, sum(mean * n) / sum(n) AS mean,
                min(minimum) AS minimum, max(maximum) AS maximum, arg_max(last, last_at) AS last
            FROM hourly AS t WHERE {where} GROUP BY ALL
        ), told AS (
            SELECT device, hour // 24 AS day, arg_max(firmware, last_at) AS firmware FROM hours AS t WHERE {hours_where} GROUP BY ALL
        ), t AS (
            SELECT days.*, told.firmware FROM days LEFT JOIN told USING (device, day)
        )
        SELECT d.name AS device, f.name AS firmware, make_timestamp(t.day * 24 * {HOUR_US}::BIGINT) AS day, m.name AS metric,
            n, mean, minimum, maximum, last
        FROM t {_DEVICE} {_FIRMWARE} {_METRIC} ORDER BY t.day, t.device, t.metric""",
        DAILY,
    )


def exposure(cursor: Cursor, where: str) -> pa.Table:
    """Hours in which a device reported."""
    return _table(
        cursor,
        f"SELECT d.name AS device, f.name AS firmware, {_HOUR_START} AS hour, readings "
        f"FROM hours AS t {_DEVICE} {_FIRMWARE} WHERE {where}",
        EXPOSURE,
    )


def events(cursor: Cursor, where: str, kinds: Sequence[str] | None) -> pa.Table:
    """Events in order of time, those of one instant in the order they came."""
    among = "" if kinds is None else "AND t.kind IN (SELECT unnest(?::VARCHAR[]))"
    return _table(
        cursor,
        f"SELECT d.name AS device, t.stamp AS at_, f.name AS firmware, t.kind, t.code, t.detail, t.boot, t.seq "
        f"FROM events AS t {_DEVICE} {_FIRMWARE} WHERE {where} {among} ORDER BY t.stamp, t.batch, t.rowid",
        EVENTS,
        None if kinds is None else [list(kinds)],
    )


def presence(cursor: Cursor, where: str) -> pa.Table:
    """Comings and goings in order of time, those of one instant in the order they came."""
    return _table(
        cursor,
        f"SELECT d.name AS device, t.stamp AS at_, t.online, t.boot, f.name AS firmware "
        f"FROM presence AS t {_DEVICE} {_FIRMWARE} WHERE {where} ORDER BY t.stamp, t.batch, t.rowid",
        PRESENCE,
    )


def window(cursor: Cursor, catalogue: Catalogue, where: str, metrics: Sequence[str] | None) -> pa.Table:
    """Raw readings of one device, a row for each value."""
    parts = []
    for family, columns in catalogue.columns.items():
        names = [name for name in columns if metrics is None or name in metrics]
        if names:
            parts.append(
                "SELECT t.stamp, t.stream, t.firmware, unnest(["
                + ", ".join(f"'{name}'" for name in names)
                + "]) AS metric, "
                f"unnest([{', '.join(f't.{column(name)}' for name in names)}]) AS value FROM {wide(family)} AS t WHERE {where}"
            )
    parts.append(
        f"SELECT t.stamp, t.stream, t.firmware, m.name AS metric, t.value FROM overflow AS t {_METRIC} WHERE {where}"
    )
    wanted = "" if metrics is None else "AND t.metric IN (SELECT unnest(?::VARCHAR[]))"
    return _table(
        cursor,
        f"SELECT t.stamp AS at_, s.name AS stream, f.name AS firmware, t.metric, t.value FROM ({' UNION ALL '.join(parts)}) AS t "
        f"JOIN names AS s ON s.kind = 'stream' AND s.id = t.stream {_FIRMWARE} "
        f"WHERE t.value IS NOT NULL {wanted} ORDER BY t.stamp, s.name, t.metric, t.value",
        WINDOW,
        None if metrics is None else [list(metrics)],
    )


def latest(cursor: Cursor, catalogue: Catalogue, where: str) -> Latest:
    """The newest value of every metric of each device: from the rollups, and from the raw rows that are not in them yet."""
    found: dict[str, dict[str, tuple[datetime, float]]] = {}
    open_rows = [f"SELECT * FROM {{table}} AS t WHERE {where} AND {condition}" for condition in _not_rolled_up(cursor)]
    for family, columns in catalogue.columns.items():
        if not columns:
            continue
        newest = ", ".join(
            f"arg_max({m}, stamp), max(CASE WHEN {m} IS NOT NULL THEN stamp END)" for m in map(column, columns)
        )
        rows = " UNION ALL ".join(open_rows).format(table=wide(family))
        query = f"SELECT d.name, t.* FROM (SELECT device, {newest} FROM ({rows}) GROUP BY device) AS t {_DEVICE}"
        for row in cursor.execute(query).fetchall():
            for place, name in enumerate(columns):
                _take_newer(found, row[0], name, row[2 + 2 * place], row[3 + 2 * place])
    narrow = (
        ("value", "stamp", " UNION ALL ".join(open_rows).format(table="overflow")),
        ("last", "last_at", f"SELECT * FROM hourly AS t WHERE {where}"),
    )
    for value, at, rows in narrow:
        query = (
            f"SELECT d.name, m.name, t.v, t.a FROM (SELECT device, metric, arg_max({value}, {at}) AS v, max({at}) AS a "
            f"FROM ({rows}) GROUP BY device, metric) AS t {_DEVICE} {_METRIC}"
        )
        for device, name, newest_value, newest_at in cursor.execute(query).fetchall():
            _take_newer(found, device, name, newest_value, newest_at)
    return found


def _not_rolled_up(cursor: Cursor) -> list[str]:
    """Conditions that together find every raw row the rollups do not hold; apart, so that each lets row groups be skipped."""
    if meta(cursor, "rollups_before") > meta(cursor, "raw_before"):
        return ["true"]
    rolled = meta(cursor, "rolled")
    oldest = cursor.execute("SELECT min(hour) FROM dirty").fetchall()[0][0]
    return [f"t.batch > {rolled}"] + ([] if oldest is None else [f"t.batch <= {rolled} AND t.hour >= {oldest}"])


def _take_newer(
    found: dict[str, dict[str, tuple[datetime, float]]],
    device: str,
    metric: str,
    value: float | None,
    at: datetime | None,
) -> None:
    if value is not None and at is not None:
        take_newer(found, device, metric, at.replace(tzinfo=UTC), value)


def _table(cursor: Cursor, query: str, schema: pa.Schema, parameters: list[Any] | None = None) -> pa.Table:
    table = cursor.sql(query, params=parameters).to_arrow_table()
    return pa.table(
        [column_.cast(field.type) for column_, field in zip(table.columns, schema, strict=True)], schema=schema
    )
