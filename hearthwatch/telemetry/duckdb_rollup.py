"""Hourly rollups: what is new marks its hour dirty; dirty hours that have ended are computed anew from the raw rows."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from hearthwatch.telemetry.duckdb_file import Cursor
from hearthwatch.telemetry.duckdb_schema import UNKNOWN_FIRMWARE, Catalogue, column, count, meta, set_meta, wide

CHUNK_HOURS = 400_000
"""Device-hours of one transaction: bounds memory, and lets the writer's checkpoints in between."""

_HOURLY = "device, firmware, hour, metric, n, mean, minimum, maximum, last, last_at"


@dataclass(frozen=True, slots=True)
class Chunk:
    """Dirty hours [first, last] that are computed in one transaction. ``expired``: their raw rows are not all there any more."""

    first: int
    last: int
    expired: bool


def mark_dirty(cursor: Cursor, catalogue: Catalogue) -> None:
    """Add the device-hours of all batches since the last time to ``dirty``."""
    rolled = meta(cursor, "rolled")
    sources = [*(wide(family) for family in catalogue.columns), "events", "presence"]
    fresh = " UNION ".join(f"SELECT device, hour FROM {table} WHERE batch > {rolled}" for table in sources)
    cursor.execute(f"INSERT INTO dirty SELECT device, hour FROM ({fresh}) EXCEPT SELECT device, hour FROM dirty")
    set_meta(cursor, {"rolled": catalogue.batch})


def chunks(cursor: Cursor, until_hour: int) -> Iterator[Chunk]:
    """The dirty hours that ended before ``until_hour``, in pieces that fit a transaction."""
    raw_before = meta(cursor, "raw_before")
    rows = cursor.execute(
        "SELECT hour, count(*) FROM dirty WHERE hour < ? GROUP BY hour ORDER BY hour", [until_hour]
    ).fetchall()
    first, last, held = None, 0, 0
    for hour, devices in rows:
        # A gap ends a chunk too, so that one late reading does not make a rollup read all hours between.
        full = held + devices > CHUNK_HOURS or hour - last > 1 or (first or 0) < raw_before <= hour
        if first is not None and full:
            yield Chunk(first, last, first < raw_before)
            first, held = None, 0
        first = hour if first is None else first
        last, held = hour, held + devices
    if first is not None:
        yield Chunk(first, last, first < raw_before)


def compute(cursor: Cursor, catalogue: Catalogue, chunk: Chunk) -> int:
    """Compute a chunk anew within the caller's transaction. Returns the rollup rows written."""
    within = f"hour BETWEEN {chunk.first} AND {chunk.last}"
    cursor.execute(f"CREATE TEMP TABLE due AS SELECT device, hour FROM dirty WHERE {within}")
    cursor.execute(f"CREATE TEMP TABLE fresh AS SELECT {_HOURLY} FROM hourly LIMIT 0")
    sources = 0
    for family, metrics in catalogue.columns.items():
        sources += _wide_rollups(cursor, catalogue, family, metrics, within)
    sources += _overflow_rollups(cursor, within)
    fresh = "fresh" if sources < 2 else _MERGED
    written = _replace_hourly(cursor, chunk, within, fresh)
    _replace_hours(cursor, catalogue, chunk, within)
    cursor.execute(f"DELETE FROM dirty WHERE {within}")
    cursor.execute("DROP TABLE due; DROP TABLE fresh")
    return written


def _wide_rollups(cursor: Cursor, catalogue: Catalogue, family: int, metrics: list[str], within: str) -> int:
    if not metrics:
        return 0
    aggregates = ", ".join(
        f"count({m}) AS n{i}, avg({m}) AS a{i}, min({m}) AS lo{i}, max({m}) AS hi{i}, "
        f"arg_max({m}, stamp) AS z{i}, max(CASE WHEN {m} IS NOT NULL THEN stamp END) AS t{i}"
        for i, m in enumerate(map(column, metrics))
    )
    cursor.execute(
        f"CREATE TEMP TABLE grouped AS SELECT device, firmware, hour, {aggregates} FROM {wide(family)} "
        f"SEMI JOIN due USING (device, hour) WHERE {within} GROUP BY device, firmware, hour"
    )
    written = 0
    for i, metric in enumerate(metrics):
        number = catalogue.ids["metric"][metric]
        cursor.execute(
            f"INSERT INTO fresh SELECT device, firmware, hour, {number}, n{i}, a{i}, lo{i}, hi{i}, z{i}, t{i} "
            f"FROM grouped WHERE n{i} > 0"
        )
        written += count(cursor)
    cursor.execute("DROP TABLE grouped")
    return int(written > 0)


def _overflow_rollups(cursor: Cursor, within: str) -> int:
    cursor.execute(
        "INSERT INTO fresh SELECT device, firmware, hour, metric, count(*), avg(value), min(value), max(value), "
        f"arg_max(value, stamp), max(stamp) FROM overflow SEMI JOIN due USING (device, hour) WHERE {within} "
        "GROUP BY device, firmware, hour, metric"
    )
    return int(count(cursor) > 0)


# A device that speaks two families may report one metric in both.
_MERGED = (
    "(SELECT device, firmware, hour, metric, sum(n)::BIGINT AS n, sum(mean * n) / sum(n) AS mean, min(minimum) AS minimum, "
    "max(maximum) AS maximum, arg_max(last, last_at) AS last, max(last_at) AS last_at FROM fresh "
    "GROUP BY device, firmware, hour, metric)"
)


def _replace_hourly(cursor: Cursor, chunk: Chunk, within: str, fresh: str) -> int:
    if chunk.expired:
        # The raw rows of these hours are gone but for the late ones: what was computed from all of them stays.
        missing = "ANTI JOIN (SELECT device, firmware, hour, metric FROM hourly WHERE " + within + ") AS kept"
        fresh = f"(SELECT f.* FROM {fresh} AS f {missing} USING (device, firmware, hour, metric))"
    else:
        _delete_due(cursor, "hourly", within)
    cursor.execute(f"INSERT INTO hourly SELECT {_HOURLY} FROM {fresh} AS f")
    return count(cursor)


def _replace_hours(cursor: Cursor, catalogue: Catalogue, chunk: Chunk, within: str) -> None:
    """Hours in which a device reported, from readings, events and its comings; a last will is not the device's word."""
    sources = [f"SELECT device, firmware, hour, stamp, 1 AS r FROM {wide(family)}" for family in catalogue.columns]
    sources.append("SELECT device, firmware, hour, stamp, 0 AS r FROM events")
    sources.append("SELECT device, firmware, hour, stamp, 0 AS r FROM presence WHERE online")
    rows = " UNION ALL ".join(
        f"SELECT * FROM ({source}) SEMI JOIN due USING (device, hour) WHERE {within}" for source in sources
    )
    keep = ""
    if chunk.expired:
        keep = f"ANTI JOIN (SELECT device, hour FROM hours WHERE {within}) AS kept USING (device, hour)"
    else:
        _delete_due(cursor, "hours", within)
    # A message without a firmware counts for the one the device had in that hour.
    cursor.execute(
        f"""WITH counted AS (
            SELECT device, firmware, hour, sum(r)::BIGINT AS r, max(stamp) AS last_at FROM ({rows}) GROUP BY ALL
        ), told AS (
            SELECT device, hour, arg_max(firmware, last_at) AS named FROM counted
            WHERE firmware <> {UNKNOWN_FIRMWARE} GROUP BY ALL
        ), merged AS (
            SELECT device, CASE firmware WHEN {UNKNOWN_FIRMWARE} THEN coalesce(named, firmware) ELSE firmware END AS fw,
                hour, sum(r)::BIGINT AS r, max(last_at) AS last_at
            FROM counted LEFT JOIN told USING (device, hour) GROUP BY ALL
        ) INSERT INTO hours SELECT device, fw, hour, r, last_at FROM merged {keep}"""
    )


def _delete_due(cursor: Cursor, table: str, within: str) -> None:
    cursor.execute(f"SELECT count(*) FROM (SELECT 1 FROM {table} WHERE {within} LIMIT 1)")
    if count(cursor):
        cursor.execute(
            f"DELETE FROM {table} USING due WHERE {table}.device = due.device AND {table}.hour = due.hour AND {table}.{within}"
        )
