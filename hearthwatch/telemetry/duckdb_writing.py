"""One batch into the tables: what is new is added, what is there already stays as it is."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pyarrow as pa

from hearthwatch.telemetry import duckdb_batches as batches
from hearthwatch.telemetry.duckdb_file import Cursor
from hearthwatch.telemetry.duckdb_schema import Draft, family_of, wide
from hearthwatch.telemetry.metric_columns import metric_columns
from hearthwatch.telemetry.times import ranges
from hearthwatch.values import Event, Presence, Reading, WriteResult

READING_KEY = ("device", "stream", "stamp")
CLOCKLESS_KEY = ("device", "boot", "seq")
EVENT_KEY = ("device", "stream", "stamp", "kind", "code", "boot", "seq")
PRESENCE_KEY = ("device", "stream", "stamp", "online", "boot")


def write_values(cursor: Cursor, draft: Draft, values: Sequence[Reading | Event | Presence]) -> WriteResult:
    """Store a mixed batch within the caller's transaction."""
    readings = [value for value in values if isinstance(value, Reading)]
    results: list[tuple[Sequence[Reading | Event | Presence], WriteResult]] = []
    for family, some in _by_family(readings).items():
        keys = batches.readings(some, draft)
        results.append((some, _write_readings(cursor, draft, family, keys, metric_columns(some))))
    events = [value for value in values if isinstance(value, Event)] if len(readings) < len(values) else []
    presences = [value for value in values if isinstance(value, Presence)] if len(readings) < len(values) else []
    if events:
        results.append((events, _write_rows(cursor, draft, "events", batches.events(events, draft), EVENT_KEY)))
    if presences:
        rows = batches.presences(presences, draft)
        results.append((presences, _write_rows(cursor, draft, "presence", rows, PRESENCE_KEY)))
    counts = sum(result.stored for _, result in results), sum(result.duplicate for _, result in results)
    return WriteResult(*counts, _places(values, results) if counts[1] else ())


def _places(
    values: Sequence[Reading | Event | Presence],
    results: Sequence[tuple[Sequence[Reading | Event | Presence], WriteResult]],
) -> tuple[int, ...]:
    """The places in a batch of what was there already; one object may stand in a batch twice, so objects are told by their turn."""
    place_of: dict[int, list[int]] = {}
    for place in reversed(range(len(values))):
        place_of.setdefault(id(values[place]), []).append(place)
    found = []
    for some, result in results:
        repeated = set(result.repeated)
        for number, value in enumerate(some):
            place = place_of[id(value)].pop()
            if number in repeated:
                found.append(place)
    return tuple(sorted(found))


def _by_family(readings: Sequence[Reading]) -> dict[str, Sequence[Reading]]:
    of_stream = {stream: family_of(stream) for stream in dict.fromkeys([one.stream for one in readings])}
    families = dict.fromkeys(of_stream.values())
    if len(families) == 1:
        return dict.fromkeys(families, readings)
    return {family: [one for one in readings if of_stream[one.stream] == family] for family in families}


def write_bulk(cursor: Cursor, draft: Draft, stream: str, table: pa.Table) -> WriteResult:
    """Store a table of readings within the caller's transaction."""
    keys, metrics = batches.bulk(stream, table, draft)
    if len(keys) == 0:
        return WriteResult(0, 0)
    result = _write_readings(cursor, draft, family_of(stream), keys, metrics)
    return WriteResult(result.stored, result.duplicate)


def _write_readings(
    cursor: Cursor, draft: Draft, family: str, keys: pa.Table, metrics: Mapping[str, Any]
) -> WriteResult:
    number = draft.ids("family", [family])[0]
    inside, outside = draft.prepare_family(cursor, number, metrics)
    draft.ids("metric", metrics)
    table = keys
    for name in inside:
        table = table.append_column(f"m_{name}", metrics[name])
    duplicate = _duplicate_readings(cursor, draft, wide(number), keys)
    kept = None
    if len(duplicate):
        kept = np.setdiff1d(np.arange(len(keys)), duplicate)
        table = table.take(kept)
    _insert(cursor, wide(number), table)
    draft.added(wide(number), table)
    for name in outside:
        _insert_overflow(cursor, draft, keys, name, metrics[name], kept)
    return WriteResult(len(table), len(duplicate), tuple(duplicate.tolist()))


def _write_rows(cursor: Cursor, draft: Draft, target: str, rows: pa.Table, key: Sequence[str]) -> WriteResult:
    duplicate = _duplicates(cursor, draft, target, rows, key)
    if len(duplicate):
        rows = rows.take(np.setdiff1d(np.arange(len(rows)), duplicate))
    _insert(cursor, target, rows)
    draft.added(target, rows)
    return WriteResult(len(rows), len(duplicate), tuple(duplicate.tolist()))


def _insert_overflow(
    cursor: Cursor, draft: Draft, keys: pa.Table, metric: str, values: Any, kept: np.ndarray[Any, Any] | None
) -> None:
    rows = keys.drop_columns(["boot", "seq", "clockless"])
    rows = rows.append_column("metric", pa.array(np.full(len(rows), draft.ids("metric", [metric])[0], np.int32)))
    rows = rows.append_column("value", values)
    if kept is not None:
        rows = rows.take(kept)
    _insert(cursor, "overflow", rows.filter(rows["value"].is_valid()))


def _insert(cursor: Cursor, target: str, rows: pa.Table) -> None:
    if len(rows) == 0:
        return
    names = ", ".join(f'"{name}"' for name in rows.column_names)
    cursor.register("batch", rows)
    cursor.execute(f"INSERT INTO {target} ({names}) SELECT {names} FROM batch")
    cursor.unregister("batch")


def _duplicate_readings(cursor: Cursor, draft: Draft, target: str, keys: pa.Table) -> np.ndarray[Any, Any]:
    clockless = keys["clockless"].to_numpy()
    if not clockless.any():
        return _duplicates(cursor, draft, target, keys, READING_KEY, "NOT clockless")
    with_clock, without = np.flatnonzero(~clockless), np.flatnonzero(clockless)
    # A redelivery comes with another time of receipt, so time does not narrow the search.
    found = [without[_search(cursor, target, keys.take(without), CLOCKLESS_KEY, "clockless")]]
    if len(with_clock):
        rows = keys.take(with_clock)
        found.append(with_clock[_duplicates(cursor, draft, target, rows, READING_KEY, "NOT clockless")])
    return np.sort(np.concatenate(found))


def _duplicates(
    cursor: Cursor, draft: Draft, target: str, rows: pa.Table, key: Sequence[str], where: str = "true"
) -> np.ndarray[Any, Any]:
    """Positions of rows whose key is stored already, or stands earlier in the batch."""
    doubtful = np.flatnonzero(draft.newest.doubtful(cursor, target, rows))
    if len(doubtful) == 0:
        return doubtful
    rows = rows.take(doubtful)
    found = _search(cursor, target, rows, key, f"{where} AND ({_span(rows['hour'].to_numpy())})")
    duplicates: np.ndarray[Any, Any] = doubtful[found]
    return duplicates


def _search(cursor: Cursor, target: str, rows: pa.Table, key: Sequence[str], where: str) -> np.ndarray[Any, Any]:
    """As `_duplicates`, by looking for every row among those stored that fit a condition."""
    ordinals = pa.array(np.arange(len(rows), dtype=np.int64))
    cursor.register("keys", rows.select(list(key)).append_column("ordinal", ordinals))
    same = " AND ".join(f"keys.{name} IS NOT DISTINCT FROM stored.{name}" for name in key)
    again = f"SELECT unnest(list_sort(list(ordinal))[2:]) AS ordinal FROM keys GROUP BY {', '.join(key)} HAVING count(*) > 1"
    before = f"SELECT 1 FROM {target} AS stored WHERE {where} AND {same}"
    query = f"SELECT ordinal FROM keys WHERE EXISTS ({before}) UNION {again} ORDER BY ordinal"
    found = np.asarray(cursor.execute(query).fetchnumpy()["ordinal"], np.int64)
    cursor.unregister("keys")
    return found


def _span(hours: np.ndarray[Any, Any]) -> str:
    """The hours of a batch as a condition: few ranges, so that one late message does not make the search read everything between."""
    return " OR ".join(f"hour BETWEEN {first} AND {last}" for first, last in ranges(hours))
