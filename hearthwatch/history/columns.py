"""Columns of files into texts, numbers, times and yes/no: what cannot be read is told apart from what is not there."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

UTC_TIME = pa.timestamp("us", tz="UTC")
EPOCHS = {"epoch_s": 1_000_000, "epoch_ms": 1_000}
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_END_US = 9_214_646_400_000_000  # 2262-01-01
_MICROSECOND = timedelta(microseconds=1)
_NOTHING = pa.array(["", "na", "n/a", "nan", "null", "none", "nil", "-", "#n/a"])
_NUMBER = r"^[+-]?(\d+(\.\d*)?|\.\d+)(e[+-]?\d+)?$"
_YES = pa.array(["1", "1.0", "true", "yes", "t", "y"])
_NO = pa.array(["0", "0.0", "false", "no", "f", "n"])

Mask = np.ndarray[Any, np.dtype[np.bool_]]
Offsets = Mapping[str, tuple[int, int]]
"""By offset ("" for none): how many times have it, and the first place of one."""


@dataclass(frozen=True, slots=True)
class Converted:
    """A column as the reader wants it: null where nothing stands, and where something stands that cannot be read (``bad``).

    ``offsets``: of times that are not all written with the same offset, how many have which.
    """

    values: pa.Array
    bad: Mask
    offsets: Offsets | None = None


def text(column: pa.ChunkedArray) -> Converted:
    """Text, trimmed; null where it is empty. Bad: bytes that are not UTF-8."""
    plain, bad = _plain(column)
    trimmed = pc.utf8_trim_whitespace(plain)
    return Converted(pc.if_else(pc.equal(trimmed, ""), pa.scalar(None, pa.string()), trimmed), bad)


def number(column: pa.ChunkedArray, comma: bool = False) -> Converted:
    """float64; null where it is empty or says that nothing was measured. Bad: other text, infinities.

    ``comma``: texts have a decimal comma, and perhaps points between thousands.
    """
    if _is_numeric(column.type):
        values = column.combine_chunks().cast(pa.float64(), safe=False)
        return _finite(values, np.zeros(len(column), bool))
    if pa.types.is_null(column.type):
        return Converted(pa.nulls(len(column), pa.float64()), np.zeros(len(column), bool))
    plain, bad = _plain(column)
    lower = pc.utf8_lower(pc.utf8_trim_whitespace(plain))
    lower = pc.if_else(pc.is_in(lower, _NOTHING), pa.scalar(None, pa.string()), lower)
    if comma:
        lower = _with_point(lower)
    try:
        return _finite(lower.cast(pa.float64()), bad)
    except pa.ArrowInvalid:
        return _doubtful_number(lower, bad)


def flag(column: pa.ChunkedArray) -> Converted:
    """Booleans; null where nothing stands. Bad: anything but 0/1, true/false, yes/no."""
    plain, bad = _plain(column)
    lower = pc.utf8_lower(pc.utf8_trim_whitespace(plain))
    lower = pc.if_else(pc.is_in(lower, _NOTHING), pa.scalar(None, pa.string()), lower)
    yes = pc.is_in(lower, _YES)
    known = pc.or_(yes, pc.is_in(lower, _NO))
    values = pc.if_else(known, yes, pa.scalar(None, pa.bool_()))
    return Converted(values, bad | _mask(pc.and_(pc.is_valid(lower), pc.invert(known))))


def time(column: pa.ChunkedArray, form: str | None, zone: ZoneInfo) -> Converted:
    """``timestamp[us, UTC]``; null where nothing stands. ``form``: None for ISO 8601, ``epoch_s``, ``epoch_ms`` or a strptime pattern.

    Times without an offset are of ``zone``; of the two meanings of the hour at the end of summer time it is the first.
    Bad: other text, and times outside 1970..2261.
    """
    if pa.types.is_timestamp(column.type) or pa.types.is_date(column.type):
        return _typed_time(column.combine_chunks(), zone)
    if form in EPOCHS:
        return _epoch(number(column), EPOCHS[form])
    plain, bad = _plain(column)
    trimmed = pc.utf8_trim_whitespace(plain)
    # Times repeat: each text is read once.
    coded = pc.if_else(pc.equal(trimmed, ""), pa.scalar(None, pa.string()), trimmed).dictionary_encode()
    parse = _iso if form is None else _pattern(form)
    given = [_parsed(parse, one) for one in coded.dictionary.to_pylist()]
    known = pa.array([_instant(at, zone) for at in given], pa.int64()).cast(UTC_TIME)
    values = known.take(coded.indices)
    unreadable = bad | _mask(pc.and_(pc.is_valid(coded.indices), pc.is_null(values)))
    return Converted(values, unreadable, _offsets(given, coded.indices))


def _parsed(parse: Callable[[str], datetime], given: str) -> datetime | None:
    try:
        return parse(given)
    except (ValueError, OverflowError):
        return None


def _instant(at: datetime | None, zone: ZoneInfo) -> int | None:
    if at is None:
        return None
    try:
        aware = at if at.tzinfo is not None else at.replace(tzinfo=zone)
        since = (aware - _EPOCH) // _MICROSECOND
    except (ValueError, OverflowError):
        return None
    return since if 0 <= since < _END_US else None


def _offsets(given: Sequence[datetime | None], indices: pa.Array) -> Offsets | None:
    """How many times are written with which offset; None where all are alike."""
    written = [None if at is None else at.strftime("%z") for at in given]
    if len(set(written) - {None}) < 2:
        return None
    places = np.asarray(pc.fill_null(indices, -1).to_numpy(zero_copy_only=False), dtype=np.int64)
    found = {}
    for offset in sorted({one for one in written if one is not None}):
        mine = np.flatnonzero(np.isin(places, [place for place, one in enumerate(written) if one == offset]))
        found[offset] = (len(mine), int(mine[0]))
    return found


def _iso(given: str) -> datetime:
    return datetime.fromisoformat(given)


def _pattern(form: str) -> Callable[[str], datetime]:
    def parse(given: str) -> datetime:
        return datetime.strptime(given, form)  # noqa: DTZ007 - an offset is added where it has none

    return parse


def _epoch(numbers: Converted, scale: int) -> Converted:
    scaled = pc.round(pc.multiply(numbers.values, float(scale)))
    inside = pc.and_(pc.greater_equal(scaled, 0.0), pc.less(scaled, float(_END_US)))
    values = pc.if_else(inside, scaled, pa.scalar(None, pa.float64())).cast(pa.int64()).cast(UTC_TIME)
    return Converted(values, numbers.bad | _mask(pc.invert(inside)))


def _typed_time(column: pa.Array, zone: ZoneInfo) -> Converted:
    if pa.types.is_date(column.type):
        column = column.cast(pa.timestamp("ms"))
    column = column.cast(pa.timestamp("us", tz=column.type.tz), safe=False)
    if column.type.tz is None:
        column = pc.assume_timezone(column, str(zone), ambiguous="earliest", nonexistent="earliest")
    counted = column.cast(UTC_TIME).cast(pa.int64())
    inside = pc.and_(pc.greater_equal(counted, 0), pc.less(counted, _END_US))
    values = pc.if_else(inside, counted, pa.scalar(None, pa.int64())).cast(UTC_TIME)
    return Converted(values, _mask(pc.invert(inside)))


def _with_point(texts: pa.Array) -> pa.Array:
    """1.234,5 as 1234.5; what is no such number (1.5 too: is it 1.5 or 15?) becomes text that is none."""
    plain = pc.match_substring_regex(texts, r"^[+-]?\d+(,\d+)?(e[+-]?\d+)?$")
    grouped = pc.match_substring_regex(texts, r"^[+-]?\d{1,3}(\.\d{3})+(,\d+)?$")
    written = pc.replace_substring(pc.replace_substring(texts, ".", ""), ",", ".")
    return pc.if_else(pc.or_(plain, grouped), written, pc.if_else(pc.is_valid(texts), "?", texts))


def _doubtful_number(lower: pa.Array, bad: Mask) -> Converted:
    truth = pc.if_else(pc.equal(lower, "true"), "1", pc.if_else(pc.equal(lower, "false"), "0", lower))
    readable = pc.match_substring_regex(truth, _NUMBER)
    values = pc.if_else(readable, truth, pa.scalar(None, pa.string())).cast(pa.float64())
    return _finite(values, bad | _mask(pc.invert(readable)))


def _finite(values: pa.Array, bad: Mask) -> Converted:
    infinite = _mask(pc.is_inf(values))
    finite = pc.if_else(pc.is_finite(values), values, pa.scalar(None, pa.float64()))
    return Converted(finite, bad | infinite)


def _plain(column: pa.ChunkedArray) -> tuple[pa.Array, Mask]:
    """A column as text, and where its bytes are none."""
    whole = column.combine_chunks()
    if isinstance(whole, pa.ChunkedArray):
        whole = pa.concat_arrays(whole.chunks) if whole.num_chunks else pa.array([], whole.type)
    if pa.types.is_dictionary(whole.type):
        whole = whole.dictionary_decode()
    bad = np.zeros(len(whole), bool)
    if pa.types.is_floating(whole.type):
        # A column of whole numbers with a gap comes as floats from many tools: 7.0 is the device 7.
        as_whole = pc.equal(pc.floor(whole), whole)
        integers = (
            pc.if_else(as_whole, whole, pa.scalar(None, whole.type)).cast(pa.int64(), safe=False).cast(pa.string())
        )
        return pc.if_else(as_whole, integers, whole.cast(pa.string())), bad
    try:
        return whole.cast(pa.string()), bad
    except pa.ArrowInvalid:
        decoded = [_decoded(value) for value in whole.to_pylist()]
        bad = np.array(
            [value is not None and one is None for value, one in zip(whole.to_pylist(), decoded, strict=True)], bool
        )
        return pa.array(decoded, pa.string()), bad


def _decoded(value: bytes | None) -> str | None:
    try:
        return value.decode() if value is not None else None
    except UnicodeDecodeError:
        return None


def _is_numeric(kind: pa.DataType) -> bool:
    types = pa.types
    return bool(types.is_integer(kind) or types.is_floating(kind) or types.is_boolean(kind) or types.is_decimal(kind))


def _mask(condition: pa.Array) -> Mask:
    filled: Mask = np.asarray(pc.fill_null(condition, False).to_numpy(zero_copy_only=False), bool)
    return filled
