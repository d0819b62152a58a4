"""What every telemetry store refuses before it stores anything: names, numbers, texts and tables that nobody could read back."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from hearthwatch.errors import Invalid
from hearthwatch.telemetry.answers import UTC_TIME
from hearthwatch.telemetry.times import END_US
from hearthwatch.values import METRIC_NAME
from hearthwatch.wire.limits import MAX_TEXT

MAX_MAGNITUDE = 1e100
"""Sums and squares of what is stored stay finite. The wire takes less; a history may hold more (nanoseconds since 1970)."""


def metric_name(name: str) -> str:
    """The name as it is. Raises `Invalid` for what is not a metric name."""
    if not METRIC_NAME.fullmatch(name):
        raise Invalid(f"not a metric name: {name!r:.80}", where="metric")
    return name


def firmware(text: str | None) -> str | None:
    """The firmware as it is. Raises `Invalid` for a longer one than the wire takes: rollups hold many of them in one row."""
    if text is not None and len(text) > MAX_TEXT:
        raise Invalid(f"longer than {MAX_TEXT} characters: {text:.40}...", where="firmware")
    return text


def number(value: float, where: str) -> float:
    """A number as it is. Raises `Invalid` when it is infinite, not a number, or beyond `MAX_MAGNITUDE`."""
    if not -MAX_MAGNITUDE <= value <= MAX_MAGNITUDE:
        raise Invalid("is too large" if math.isfinite(value) else "is not a finite number", where=where)
    return value


def numbers(column: Any, where: str) -> Any:
    """As `number`, for a column."""
    if pc.all(pc.is_finite(column)).as_py() is False:
        raise Invalid("is not a finite number", where=where)
    bounds = pc.min_max(column)
    for bound in (bounds["min"].as_py(), bounds["max"].as_py()):
        if bound is not None:
            number(bound, where)
    return column


def integers(values: Sequence[int | None], where: str) -> pa.Array:
    """A column of whole numbers. Raises `Invalid` for what does not fit 64 bits."""
    try:
        return pa.array(values, pa.int64())
    except (pa.ArrowInvalid, pa.ArrowTypeError, OverflowError):
        raise Invalid("is not a whole number of 64 bits", where=where) from None


def floats(values: Sequence[Any], where: str) -> pa.Array:
    """A column of numbers. Raises `Invalid` for what is none."""
    try:
        return pa.array(values, pa.float64())
    except (pa.ArrowInvalid, pa.ArrowTypeError):  # booleans and large integers want to be asked
        try:
            return pa.array([None if value is None else float(value) for value in values], pa.float64())
        except (TypeError, ValueError, OverflowError):
            raise Invalid("is not a number", where=where) from None


def json_text(detail: Mapping[str, Any]) -> str:
    """An event's detail as text. Raises `Invalid` for what JSON cannot say."""
    try:
        return json.dumps(detail, ensure_ascii=False, separators=(",", ":"), allow_nan=False)
    except (TypeError, ValueError) as error:
        raise Invalid(f"is not JSON: {error}", where="detail") from None


def stamps_of(stream: str, table: pa.Table) -> np.ndarray[Any, np.dtype[np.int64]]:
    """Times of a table of readings (device, at, firmware, metrics), in microseconds. Raises `Invalid` for another shape."""
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
    stamps: np.ndarray[Any, np.dtype[np.int64]] = at.cast(UTC_TIME, safe=False).cast(pa.int64()).to_numpy()
    if len(stamps) and not (stamps.min() >= 0 and stamps.max() < END_US):
        raise Invalid("a time outside 1970..2261", where="at")
    return stamps


def encoded_names(names: pa.ChunkedArray, kind: str) -> pa.DictionaryArray:
    """A column of names as a dictionary (null is one of its entries). Raises `Invalid` for what is no text, and no device."""
    if pa.types.is_null(names.type):
        names = names.cast(pa.string())
    if not pa.types.is_string(names.type) and not pa.types.is_large_string(names.type):
        raise Invalid(f"expected strings, got {names.type}", where=kind)
    coded = names.combine_chunks().dictionary_encode(null_encoding="encode")
    if kind == "device" and "" in coded.dictionary.to_pylist():
        raise Invalid("a reading needs a device", where=kind)
    if kind == "firmware":
        for name in coded.dictionary.to_pylist():
            firmware(name)
    return coded


def metrics_of(table: pa.Table) -> dict[str, pa.ChunkedArray]:
    """Metric columns of a table of readings, as numbers. Raises `Invalid` naming the column."""
    found = {}
    for name in table.column_names[3:]:
        metric_name(name)
        try:
            found[name] = numbers(table[name].cast(pa.float64()), name)
        except (pa.ArrowInvalid, pa.ArrowNotImplementedError) as error:
            raise Invalid(f"expected float64: {error}", where=name) from None
    return found
