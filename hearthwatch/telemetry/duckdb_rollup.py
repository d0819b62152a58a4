"""Hourly rollups: what is new marks its device-hour dirty; dirty hours that have ended are computed anew from the raw rows."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from hearthwatch.telemetry.duckdb_file import Cursor
from hearthwatch.telemetry.duckdb_schema import UNKNOWN_FIRMWARE, Catalogue, column, count, meta, set_meta, wide
from hearthwatch.telemetry.times import ranges

CHUNK_HOURS = 250_000
"""Device-hours of one transaction: bounds memory, and lets checkpoints happen in between."""

COLUMNS_AT_ONCE = 16
"""Columns of a wide table that are grouped together: bounds memory too, and each time the rows are grouped anew."""

_HOURLY_KEY = "device, firmware, hour, metric"


@dataclass(frozen=True, slots=True)
class Chunk:
    """Hours [first, last] that are computed in one transaction.

    ``whole``: every hour in there that holds rows is dirty with all its devices, so that none has to be picked out. ``expired``: its
    raw rows are not all there any more, so that only what is missing is added.
    """

    first: int
    last: int
    whole: bool
    expired: bool

    @property
    def within(self) -> str:
        """The hours as a condition."""
        return f"hour BETWEEN {self.first} AND {self.last}"


def mark_dirty(cursor: Cursor, catalogue: Catalogue) -> None:
    """Add the device-hours of all batches since the last time to ``dirty``."""
    rolled = meta(cursor, "rolled")
    if rolled == catalogue.batch:
        return
    sources = [*(wide(family) for family in catalogue.columns), "events", "presence"]
    fresh = " UNION ".join(f"SELECT device, hour FROM {table} WHERE batch > {rolled}" for table in sources)
    cursor.execute(f"INSERT INTO dirty ({fresh}) EXCEPT SELECT device, hour FROM dirty")
    set_meta(cursor, {"rolled": catalogue.batch})


def chunks(cursor: Cursor, until_hour: int) -> Iterator[Chunk]:
    """The dirty hours that ended before ``until_hour``, in pieces that fit a transaction."""
    raw_before = meta(cursor, "raw_before")
    due = cursor.execute(
        """WITH due AS (SELECT hour, count(*) AS devices FROM dirty WHERE hour < ? GROUP BY hour),
        known AS (SELECT DISTINCT hour FROM hours WHERE hour BETWEEN (SELECT min(hour) FROM due) AND (SELECT max(hour) FROM due))
        SELECT due.hour, devices, known.hour IS NOT NULL AS known FROM due LEFT JOIN known USING (hour) ORDER BY due.hour""",
        [until_hour],
    ).fetchnumpy()
    hours, devices, known = due["hour"], due["devices"], due["known"]
    for expired, part in ((True, hours < raw_before), (False, hours >= raw_before)):
        if not part.any():
            continue
        # One late reading must not make a rollup read all hours between, and a reading a day must not make a transaction a day.
        for first, last in ranges(hours[part]):
            within = (hours >= first) & (hours <= last)
            piece = np.cumsum(devices[within]) // CHUNK_HOURS
            for number in np.unique(piece):
                mine = hours[within][piece == number]
                whole = len(mine) == mine[-1] - mine[0] + 1 and not known[within][piece == number].any()
                yield Chunk(int(mine[0]), int(mine[-1]), bool(whole), expired)


def compute(cursor: Cursor, catalogue: Catalogue, chunk: Chunk) -> int:
    """Compute a chunk anew within the caller's transaction. Returns the rollup rows written."""
    due = "" if chunk.whole else "SEMI JOIN due USING (device, hour)"
    if not chunk.whole:
        cursor.execute(f"CREATE TEMP TABLE due AS SELECT device, hour FROM dirty WHERE {chunk.within}")
    if not chunk.whole and not chunk.expired:
        for table in ("hourly", "hours"):
            cursor.execute(
                f"DELETE FROM {table} USING due WHERE {table}.device = due.device AND {table}.hour = due.hour AND {table}.{chunk.within}"
            )
    written = _add_hourly(cursor, catalogue, chunk, due)
    _add_hours(cursor, catalogue, chunk, due)
    cursor.execute(f"DELETE FROM dirty WHERE {chunk.within}")
    if not chunk.whole:
        cursor.execute("DROP TABLE due")
    return written


def _add_hourly(cursor: Cursor, catalogue: Catalogue, chunk: Chunk, due: str) -> int:
    sources = []
    cursor.execute(f"SELECT count(*) FROM (SELECT 1 FROM overflow WHERE {chunk.within} LIMIT 1)")
    if count(cursor):
        sources.append(_of_overflow(chunk, due))
    families = [(family, metrics) for family, metrics in catalogue.columns.items() if metrics]
    for family, metrics in families:
        numbered = [(catalogue.ids["metric"][metric], column(metric)) for metric in metrics]
        pieces = (numbered[first : first + COLUMNS_AT_ONCE] for first in range(0, len(numbered), COLUMNS_AT_ONCE))
        sources += [_of_family(family, piece, chunk, due) for piece in pieces]
    if not sources:
        return 0
    rows = " UNION ALL ".join(sources)
    # A device that speaks two conventions may have a metric in two families.
    rolled = rows if len(families) == 1 else _JOINED.format(rows=rows)
    kept = ""
    if chunk.expired:
        kept = f"ANTI JOIN (SELECT {_HOURLY_KEY} FROM hourly WHERE {chunk.within}) AS kept USING ({_HOURLY_KEY})"
    cursor.execute(
        f"INSERT INTO hourly SELECT {_HOURLY_KEY}, n, mean, minimum, maximum, last, last_at FROM ({rolled}) {kept}"
    )
    return count(cursor)


def _of_overflow(chunk: Chunk, due: str) -> str:
    """Rollups of the metrics that have no column."""
    return (
        f"SELECT {_HOURLY_KEY}, count(*) AS n, avg(value) AS mean, min(value) AS minimum, max(value) AS maximum, "
        f"arg_max(value, stamp) AS last, max(stamp) AS last_at FROM overflow {due} WHERE {chunk.within} GROUP BY {_HOURLY_KEY}"
    )


def _of_family(family: int, numbered: Sequence[tuple[int, str]], chunk: Chunk, due: str) -> str:
    """Rollups of some columns of a wide table. They are computed side by side and then turned into rows: far fewer than the readings."""
    told = ", ".join(
        f"count({c}) AS n{m}, avg({c}) AS a{m}, min({c}) AS i{m}, max({c}) AS x{m}, arg_max({c}, stamp) AS l{m}, "
        f"max(CASE WHEN {c} IS NOT NULL THEN stamp END) AS s{m}"
        for m, c in numbered
    )
    turned = ", ".join(
        f"unnest([{', '.join(f'{letter}{m}' for m, _ in numbered)}]) AS {name}" for letter, name in _TOLD.items()
    )
    return (
        f"SELECT * FROM (SELECT device, firmware, hour, unnest([{', '.join(str(m) for m, _ in numbered)}]) AS metric, {turned} FROM ("
        f"SELECT device, firmware, hour, {told} FROM {wide(family)} {due} WHERE {chunk.within} GROUP BY device, firmware, hour"
        ")) WHERE n > 0"
    )


_JOINED = f"""SELECT {_HOURLY_KEY}, sum(n)::BIGINT AS n, CASE count(*) WHEN 1 THEN any_value(mean) ELSE sum(mean * n) / sum(n) END AS mean,
    min(minimum) AS minimum, max(maximum) AS maximum, arg_max(last, last_at) AS last, max(last_at) AS last_at
    FROM ({{rows}}) GROUP BY {_HOURLY_KEY}"""
_TOLD = {"n": "n", "a": "mean", "i": "minimum", "x": "maximum", "l": "last", "s": "last_at"}


def _add_hours(cursor: Cursor, catalogue: Catalogue, chunk: Chunk, due: str) -> None:
    """Hours in which a device reported, from readings, events and its comings; a last will is not the device's word."""
    tables = [
        *((wide(family), 1, "true") for family in catalogue.columns),
        ("events", 0, "true"),
        ("presence", 0, "online"),
    ]
    rows = " UNION ALL ".join(
        f"SELECT device, firmware, hour, stamp, {readings} AS readings FROM {table} {due} WHERE {chunk.within} AND {condition}"
        for table, readings, condition in tables
    )
    cursor.execute(
        "CREATE TEMP TABLE counted AS SELECT device, firmware, hour, sum(readings)::BIGINT AS readings, max(stamp) AS last_at "
        f"FROM ({rows}) GROUP BY device, firmware, hour"
    )
    cursor.execute(f"SELECT count(*) FROM counted WHERE firmware = {UNKNOWN_FIRMWARE}")
    source = _NAMED if count(cursor) else "counted"
    kept = ""
    if chunk.expired:
        kept = f"ANTI JOIN (SELECT device, hour FROM hours WHERE {chunk.within}) AS kept USING (device, hour)"
    cursor.execute(f"INSERT INTO hours SELECT device, firmware, hour, readings, last_at FROM {source} {kept}")
    cursor.execute("DROP TABLE counted")


# A message without a firmware counts for the one the device had in that hour, so that no hour of it counts twice.
_NAMED = f"""(
    SELECT device, CASE firmware WHEN {UNKNOWN_FIRMWARE} THEN coalesce(named, firmware) ELSE firmware END AS firmware,
        hour, sum(readings)::BIGINT AS readings, max(last_at) AS last_at
    FROM counted LEFT JOIN (
        SELECT device, hour, arg_max(firmware, last_at) AS named FROM counted WHERE firmware <> {UNKNOWN_FIRMWARE} GROUP BY ALL
    ) USING (device, hour) GROUP BY ALL
)"""
