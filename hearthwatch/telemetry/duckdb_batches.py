"""Values and Arrow tables from outside, checked and turned into rows of the DuckDB tables."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from hearthwatch.errors import Invalid
from hearthwatch.telemetry.duckdb_schema import Draft, column, texts
from hearthwatch.values import Event, Presence, Reading

HOUR_US = 3_600_000_000
GAP_HOURS = 6
FIRST = datetime(1970, 1, 1, tzinfo=UTC)
LAST = datetime(2262, 1, 1, tzinfo=UTC)  # where the other stores' nanoseconds end
_MICROSECOND = timedelta(microseconds=1)
_UTC = pa.timestamp("us", tz="UTC")
_STAMP = pa.timestamp("us")


def microseconds(at: datetime) -> int:
    """A time as the store counts it. Raises `Invalid` without an offset or outside 1970..2261."""
    if at.tzinfo is None:
        raise Invalid(f"a time without an offset: {at.isoformat()}", where="at")
    if not FIRST <= at < LAST:
        raise Invalid(f"a time outside 1970..2261: {at.isoformat()}", where="at")
    return (at - FIRST) // _MICROSECOND


def last_hour(at: datetime) -> int:
    """Number of the hour a time lies in. Any time will do, the store's own range bounds it."""
    return (max(min(at, LAST), FIRST) - FIRST) // _MICROSECOND // HOUR_US


def first_hour(at: datetime) -> int:
    """Number of the first whole hour at or after a time; any time will do, the store's own range bounds it."""
    return -(-((max(min(at, LAST), FIRST) - FIRST) // _MICROSECOND) // HOUR_US)


def stamp(at: datetime) -> datetime:
    """A time as the tables hold it: in UTC, without saying so. Any time will do."""
    return max(min(at, LAST), FIRST).astimezone(UTC).replace(tzinfo=None)


def ranges(hours: np.ndarray[Any, Any], most: int) -> list[tuple[int, int]]:
    """Hours (at least one) as at most so many ranges [first, last], apart where the gaps are widest and over six hours."""
    distinct = np.unique(hours)
    gaps = np.diff(distinct)
    cuts = np.flatnonzero(gaps > GAP_HOURS)
    if len(cuts) >= most:
        cuts = np.sort(cuts[np.argsort(gaps[cuts])[len(cuts) - most + 1 :]])
    first = distinct[np.concatenate(([0], cuts + 1))]
    last = distinct[np.concatenate((cuts, [len(distinct) - 1]))]
    return [(int(a), int(b)) for a, b in zip(first, last, strict=True)]


def head(values: Sequence[Reading | Event | Presence], draft: Draft) -> dict[str, pa.Array]:
    """The columns that all three kinds share: device, stream, stamp, hour, firmware, batch, boot."""
    for value in values:
        if not value.device or not value.stream:
            raise Invalid("a value needs a device and a stream", where=value.device or "device")
    stamps = np.fromiter((microseconds(value.at) for value in values), np.int64, len(values))
    return {
        **_numbers(
            stamps,
            draft.ids("device", [value.device for value in values]),
            draft.ids("stream", [value.stream for value in values]),
            draft.ids("firmware", [value.firmware for value in values]),
            draft.batch,
        ),
        "boot": texts([value.boot for value in values], "boot"),
    }


def readings(values: Sequence[Reading], draft: Draft) -> pa.Table:
    """Keys of readings, without their metrics."""
    clockless = [value.clockless and value.boot is not None and value.seq is not None for value in values]
    return pa.table(
        {
            **head(values, draft),
            "seq": _integers([value.seq for value in values], "seq"),
            "clockless": pa.array(clockless, pa.bool_()),
        }
    )


def metrics(values: Sequence[Reading]) -> dict[str, pa.Array]:
    """Metrics of readings by name, null where a reading has none. Raises `Invalid` for names and numbers nobody may store."""
    names = dict.fromkeys(name for value in values for name in value.metrics)
    found = {}
    for name in names:
        column(name)
        found[name] = finite(_floats([value.metrics.get(name) for value in values], name), name)
    return found


def events(values: Sequence[Event], draft: Draft) -> pa.Table:
    """Rows of the table ``events``."""
    return pa.table(
        {
            **head(values, draft),
            "seq": _integers([value.seq for value in values], "seq"),
            "kind": texts([value.kind for value in values], "kind"),
            "code": texts([value.code for value in values], "code"),
            "detail": texts([_json(value.detail) for value in values], "detail"),
        }
    )


def presences(values: Sequence[Presence], draft: Draft) -> pa.Table:
    """Rows of the table ``presence``."""
    return pa.table({**head(values, draft), "online": pa.array([value.online for value in values], pa.bool_())})


def bulk(stream: str, table: pa.Table, draft: Draft) -> tuple[pa.Table, dict[str, pa.ChunkedArray]]:
    """Keys and metrics of a table of readings (device, at, firmware, metrics). Raises `Invalid` naming the column."""
    names = table.column_names
    if names[:3] != ["device", "at", "firmware"] or len(set(names)) != len(names):
        raise Invalid(f"expected the columns device, at, firmware, then metrics; got {names}", where="table")
    if not stream:
        raise Invalid("readings need a stream", where="stream")
    for needed in ("device", "at"):
        if table[needed].null_count:
            raise Invalid("must not be null", where=needed)
    at = table["at"]
    if not pa.types.is_timestamp(at.type) or at.type.tz is None:
        raise Invalid(f"expected timestamp[us, UTC], got {at.type}", where="at")
    stamps = at.cast(_UTC, safe=False).cast(pa.int64()).to_numpy()
    if len(stamps) and not (stamps.min() >= 0 and stamps.max() < (LAST - FIRST) // _MICROSECOND):
        raise Invalid("a time outside 1970..2261", where="at")
    keys = pa.table(
        {
            **_numbers(
                stamps,
                _coded(table["device"], "device", draft),
                np.full(len(stamps), draft.ids("stream", [stream])[0], np.int32),
                _coded(table["firmware"], "firmware", draft),
                draft.batch,
            ),
            "boot": pa.nulls(len(stamps), pa.string()),
            "seq": pa.nulls(len(stamps), pa.int64()),
            "clockless": pa.array(np.zeros(len(stamps), bool)),
        }
    )
    found = {}
    for name in names[3:]:
        column(name)
        try:
            found[name] = finite(table[name].cast(pa.float64()), name)
        except (pa.ArrowInvalid, pa.ArrowNotImplementedError) as error:
            raise Invalid(f"expected float64: {error}", where=name) from None
    return keys, found


def _numbers(
    stamps: np.ndarray[Any, np.dtype[np.int64]],
    devices: Any,
    streams: Any,
    firmwares: Any,
    batch: int,
) -> dict[str, pa.Array]:
    return {
        "device": pa.array(devices, pa.int32()),
        "stream": pa.array(streams, pa.int32()),
        "stamp": pa.array(stamps).cast(_STAMP),
        "hour": pa.array((stamps // HOUR_US).astype(np.int32)),
        "firmware": pa.array(firmwares, pa.int32()),
        "batch": pa.array(np.full(len(stamps), batch, np.int64)),
    }


def _coded(names: pa.ChunkedArray, kind: str, draft: Draft) -> np.ndarray[Any, np.dtype[np.int32]]:
    if pa.types.is_null(names.type):
        names = names.cast(pa.string())
    if not pa.types.is_string(names.type) and not pa.types.is_large_string(names.type):
        raise Invalid(f"expected strings, got {names.type}", where=kind)
    coded = names.combine_chunks().dictionary_encode(null_encoding="encode")
    known = coded.dictionary.to_pylist()
    if kind == "device" and "" in known:
        raise Invalid("a reading needs a device", where=kind)
    ids = np.array(draft.ids(kind, known), np.int32)
    numbers: np.ndarray[Any, np.dtype[np.int32]] = ids[coded.indices.to_numpy()] if len(names) else ids
    return numbers


def finite(numbers: Any, where: str) -> Any:
    """Numbers as they are. Raises `Invalid` when one is infinite or not a number."""
    if pc.all(pc.is_finite(numbers)).as_py() is False:
        raise Invalid("is not a finite number", where=where)
    return numbers


def _integers(values: Sequence[int | None], where: str) -> pa.Array:
    try:
        return pa.array(values, pa.int64())
    except (pa.ArrowInvalid, pa.ArrowTypeError, OverflowError):
        raise Invalid("is not a whole number of 64 bits", where=where) from None


def _floats(values: Sequence[Any], where: str) -> pa.Array:
    try:
        return pa.array(values, pa.float64())
    except (pa.ArrowInvalid, pa.ArrowTypeError):  # booleans and large integers want to be asked
        try:
            return pa.array([None if value is None else float(value) for value in values], pa.float64())
        except (TypeError, ValueError, OverflowError):
            raise Invalid("is not a number", where=where) from None


def _json(detail: Mapping[str, Any]) -> str:
    try:
        return json.dumps(detail, ensure_ascii=False, separators=(",", ":"), allow_nan=False)
    except (TypeError, ValueError) as error:
        raise Invalid(f"is not JSON: {error}", where="detail") from None
