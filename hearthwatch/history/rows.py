"""Pieces of files into tables with the fields of a mapping; what cannot be read is rejected by row and column."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal
from zoneinfo import ZoneInfo

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from hearthwatch.errors import Invalid
from hearthwatch.history import columns
from hearthwatch.history.columns import UTC_TIME, Converted, Mask, Offsets
from hearthwatch.history.files import BrokenRow, Piece, SourceFile
from hearthwatch.history.rejections import Rejections

Ints = np.ndarray[tuple[int], np.dtype[np.int64]]
Kind = Literal["text", "number", "flag", "time"]
TYPES: dict[Kind, pa.DataType] = {"text": pa.string(), "number": pa.float64(), "flag": pa.bool_(), "time": UTC_TIME}
_REASONS: dict[Kind, str] = {
    "text": "is not UTF-8 text",
    "number": "is not a finite number",
    "flag": "is neither 0 nor 1",
    "time": "is not a time between 1970 and 2261",
}


@dataclass(frozen=True, slots=True)
class Field:
    """A field of a table, and the column it comes from (None: it stays null). A row without a ``required`` one is none.

    ``form`` is of times; ``or_iso``: another table's form is tried here, and ISO 8601 where that does not fit. ``comma``: numbers have a
    decimal comma.
    """

    name: str
    column: str | None
    kind: Kind = "text"
    required: bool = False
    form: str | None = None
    key: str = ""
    or_iso: bool = False
    comma: bool = False


@dataclass(frozen=True, slots=True)
class Taken:
    """The rows of a piece that could be read: their ``places`` in it (None: all of them), and the offsets that its times were written
    with, by column."""

    piece: Piece
    table: pa.Table
    places: Ints | None
    offsets: Mapping[str, Offsets]

    def row(self, index: int) -> int:
        """The row of the file that a row of the table is; the header is row 1."""
        return self.piece.row(index if self.places is None else int(self.places[index]))


def check(files: Sequence[SourceFile], fields: Iterable[Field]) -> None:
    """Raise `Invalid` when a file lacks a required column, no file has an optional one, or one holds lists or structures."""
    for field in fields:
        if field.column is None:
            continue
        written = [file for file in files if not file.is_empty]
        for file in written:
            file.require_single(field.column, field.key)
        if field.required:
            for file in written:
                file.require(field.column, field.key)
        elif not any(field.column in file.columns for file in written):
            written[0].require(field.column, field.key)


def tables(
    files: Iterable[SourceFile],
    fields: Sequence[Field],
    zone: ZoneInfo,
    rejections: Rejections,
    seen: Callable[[int], None],
    taken: Callable[[Taken], None] | None = None,
) -> Iterator[pa.Table]:
    """The rows of files. ``seen`` is told how many rows were read, readable or not, and ``taken`` which of them were."""
    wanted = [field.column for field in fields if field.column is not None]
    for file in files:
        broken: list[BrokenRow] = []
        for piece in file.pieces(wanted, broken):
            seen(len(piece.columns))
            rows = convert(piece, fields, zone, rejections)
            if taken is not None:
                taken(rows)
            yield rows.table
        seen(len(broken))
        rejections.add_broken(file.name, broken)


def whole_table(
    files: Sequence[SourceFile], fields: Sequence[Field], zone: ZoneInfo, rejections: Rejections
) -> pa.Table:
    """All rows of small files at once."""
    check(files, fields)
    return pa.concat_tables([empty(fields), *tables(files, fields, zone, rejections, lambda _rows: None)])


def empty(fields: Sequence[Field]) -> pa.Table:
    """A table of these fields without rows."""
    return pa.schema([(field.name, TYPES[field.kind]) for field in fields]).empty_table()


def convert(piece: Piece, fields: Sequence[Field], zone: ZoneInfo, rejections: Rejections) -> Taken:
    """One piece's rows that can be read."""
    count = len(piece.columns)
    keep = np.ones(count, bool)
    converted: list[tuple[Field, Converted | None]] = []
    for field in fields:
        if field.column is None or field.column not in piece.columns.column_names:
            converted.append((field, None))
            continue
        one = _convert(field, piece.columns[field.column], zone)
        converted.append((field, one))
        if field.required:
            missing: Mask = ~one.bad & np.asarray(pc.is_null(one.values).to_numpy(zero_copy_only=False), bool)
            rejections.add(piece, field.column, one.bad & keep, _reason(field), whole=True)
            rejections.add(piece, field.column, missing & keep, "is missing", whole=True)
            keep &= ~(one.bad | missing)
    for field, done in converted:
        if done is not None and field.column is not None and not field.required:
            rejections.add(piece, field.column, done.bad & keep, _reason(field), whole=False)
    arrays = [pa.nulls(count, TYPES[field.kind]) if done is None else done.values for field, done in converted]
    table = pa.table(arrays, schema=empty(fields).schema)
    offsets = {field.column: done.offsets for field, done in converted if field.column and done and done.offsets}
    if keep.all():
        return Taken(piece, table, None, offsets)
    return Taken(piece, table.filter(pa.array(keep)), np.flatnonzero(keep), offsets)


def _convert(field: Field, column: pa.ChunkedArray, zone: ZoneInfo) -> Converted:
    if field.kind == "number":
        return columns.number(column, field.comma)
    if field.kind == "flag":
        return columns.flag(column)
    if field.kind == "time":
        return _time(field, column, zone)
    return columns.text(column)


def _time(field: Field, column: pa.ChunkedArray, zone: ZoneInfo) -> Converted:
    found = columns.time(column, field.form, zone)
    if not (field.or_iso and field.form and found.bad.any()):
        return found
    iso = columns.time(column, None, zone)
    return Converted(pc.coalesce(found.values, iso.values), found.bad & iso.bad)


def _reason(field: Field) -> str:
    reason = _REASONS[field.kind]
    return f"{reason} of the form {field.form!r}" if field.kind == "time" and field.form else reason


def no_rows(files: Sequence[SourceFile], rejections: Rejections) -> Invalid:
    """The error of a history in which nothing could be read: it names the first trouble."""
    first = next(iter(rejections.all()), None)
    if first is None:
        return Invalid(
            "holds no rows" if len(files) == 1 else f"none of {len(files)} files holds rows", where=files[0].name
        )
    return Invalid(
        f"no row could be read; the first trouble: row {first.row}, column {first.column!r}: {first.value!r} {first.reason}",
        where=first.file,
    )
