"""What ages out of the DuckDB tables, and in which order the rest lies."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager

from hearthwatch.telemetry.duckdb_file import Cursor
from hearthwatch.telemetry.duckdb_schema import Catalogue, count, meta, set_meta, wide

RECLUSTER_ROWS = 250_000
"""Days with fewer rows lie in one or two row groups anyway."""


def expire(cursor: Cursor, catalogue: Catalogue, raw_hour: int, rollup_hour: int) -> int:
    """Delete readings of hours before ``raw_hour``, everything else of hours before ``rollup_hour``. Returns the rows deleted."""
    aged = {wide(family): raw_hour for family in catalogue.columns} | {"overflow": raw_hour}
    aged |= dict.fromkeys(("events", "presence", "hourly", "hours"), rollup_hour)
    deleted = 0
    for table, hour in aged.items():
        cursor.execute(f"DELETE FROM {table} WHERE hour < {int(hour)}")
        deleted += count(cursor)
    cursor.execute(f"DELETE FROM clustered WHERE day < {int(raw_hour) // 24}")
    for key, hour in (("raw_before", raw_hour), ("rollups_before", rollup_hour)):
        set_meta(cursor, {key: max(hour, meta(cursor, key))})
    return deleted


def recluster(writing: Callable[[], AbstractContextManager[Cursor]], catalogue: Catalogue) -> None:
    """Sort the rows of each large day that is over by device: a device's day then lies together and is read in milliseconds."""
    for family in catalogue.columns:
        with writing() as cursor:
            days = _unsorted_days(cursor, family)
        for day in days:
            with writing() as cursor:
                _sort_day(cursor, family, day)


def _unsorted_days(cursor: Cursor, family: int) -> list[int]:
    # The newest two days still grow.
    rows = cursor.execute(
        f"""WITH days AS (SELECT hour // 24 AS day, count(*) AS n FROM {wide(family)} GROUP BY ALL)
        SELECT day FROM days WHERE n >= {RECLUSTER_ROWS} AND day < (SELECT max(day) FROM days) - 1
            AND day NOT IN (SELECT day FROM clustered WHERE family = {family}) ORDER BY day"""
    ).fetchall()
    return [row[0] for row in rows]


def _sort_day(cursor: Cursor, family: int, day: int) -> None:
    within = f"hour BETWEEN {day * 24} AND {day * 24 + 23}"
    cursor.execute(
        f"CREATE TEMP TABLE sorted AS SELECT * FROM {wide(family)} WHERE {within} ORDER BY device, stamp, stream"
    )
    cursor.execute(f"DELETE FROM {wide(family)} WHERE {within}")
    cursor.execute(f"INSERT INTO {wide(family)} SELECT * FROM sorted")
    cursor.execute("DROP TABLE sorted")
    cursor.execute("INSERT INTO clustered VALUES (?, ?)", [family, day])
