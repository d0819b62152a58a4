"""Finds the files of a history and reads them piece by piece: CSV, CSV.gz and Parquet, columns as they stand there."""

from __future__ import annotations

import codecs
import csv
import gzip
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.csv as arrow_csv
import pyarrow.parquet as parquet

from hearthwatch.errors import Invalid

SUFFIXES = (".csv", ".csv.gz", ".parquet")
BLOCK_BYTES = 16 * 1024 * 1024
PIECE_ROWS = 262_144
_DELIMITERS = (",", ";", "\t", "|")
_HEADER_ROWS = 1


@dataclass(frozen=True, slots=True)
class BrokenRow:
    """A row with too few or too many cells."""

    row: int
    expected: int
    actual: int
    text: str


@dataclass(frozen=True, slots=True)
class Piece:
    """Neighbouring rows of a file. Columns are of any Arrow type; of CSV they are bytes, so that nothing is guessed."""

    file: str
    columns: pa.Table
    first: int
    broken_rows: Sequence[int]

    def row(self, index: int) -> int:
        """The row of the file that a row of the piece is; the header is row 1."""
        row = self.first + index
        for broken in self.broken_rows:
            if broken > row:
                break
            row += 1
        return row


class SourceFile:
    """One CSV or Parquet file.

    ``nested`` are columns from which no single value can be read. ``is_empty``: not even a header stands in it, so it has no columns and
    gives no rows.
    """

    def __init__(self, path: Path, root: Path) -> None:
        """Read its column names. Raises `Invalid` naming the file when it is none of these formats, or broken."""
        self.path = path
        self.name = str(path.relative_to(root)) if path != root and path.is_relative_to(root) else path.name
        with self._readable():
            self._delimiter, self.columns = self._header()
            self.nested = self._nested()
        self.is_empty = not self.columns
        repeated = sorted({name for name in self.columns if self.columns.count(name) > 1})
        if repeated:
            raise Invalid(f"the column {repeated[0]!r} stands there twice", where=self.name)

    @property
    def is_parquet(self) -> bool:
        """Whether its columns have types of their own."""
        return self.path.name.lower().endswith(".parquet")

    def pieces(
        self, columns: Iterable[str], broken: list[BrokenRow], block_bytes: int = BLOCK_BYTES
    ) -> Iterator[Piece]:
        """Its rows from top to bottom, of those columns that it has. Rows with a wrong number of cells go to ``broken``."""
        wanted = [name for name in self.columns if name in set(columns)]
        if self.is_empty:
            return
        with self._readable():
            yield from (
                self._parquet(wanted) if self.is_parquet else self._csv(wanted, broken, block_bytes or BLOCK_BYTES)
            )

    def require(self, column: str, key: str) -> None:
        """Raise `Invalid` naming file, column and key of the mapping when the file has no such column."""
        if column not in self.columns:
            raise Invalid(f"there is no column {column!r} ({key}); it has {_some(self.columns)}", where=self.name)

    def require_single(self, column: str, key: str) -> None:
        """Raise `Invalid` naming file, column and key of the mapping when the column holds lists or structures."""
        if column in self.nested:
            raise Invalid(
                f"the column {column!r} ({key}) holds lists or structures, not single values", where=self.name
            )

    def _nested(self) -> frozenset[str]:
        """Columns of lists and structures."""
        if not self.is_parquet:
            return frozenset()
        with parquet.ParquetFile(self.path) as file:
            return frozenset(field.name for field in file.schema_arrow if pa.types.is_nested(field.type))

    def _header(self) -> tuple[str, list[str]]:
        if self.is_parquet:
            with parquet.ParquetFile(self.path) as file:
                return ",", list(file.schema_arrow.names)
        opened = gzip.open if self.path.name.lower().endswith(".gz") else open
        with opened(self.path, "rb") as stream:
            first = stream.readline()
            if not first.removeprefix(codecs.BOM_UTF8).strip():
                if any(further.strip() for further in stream):
                    raise Invalid("begins with an empty line; its first line must be the header", where=self.name)
                return ",", []
        # Of the rest some cells may be no UTF-8: they are told one by one.
        line = first.decode("utf-8-sig").split("\n")[0].split("\r")[0]
        counts = {delimiter: line.count(delimiter) for delimiter in _DELIMITERS}
        delimiter = max(_DELIMITERS, key=lambda one: counts[one])
        return delimiter, next(csv.reader([line], delimiter=delimiter))

    def _csv(self, wanted: list[str], broken: list[BrokenRow], block_bytes: int) -> Iterator[Piece]:
        rows: list[int] = []

        def keep(row: Any) -> str:
            rows.append(row.number)
            broken.append(BrokenRow(row.number, row.expected_columns, row.actual_columns, row.text))
            return "skip"

        reader = arrow_csv.open_csv(
            self.path,
            # One thread: only so are broken rows known by their number.
            read_options=arrow_csv.ReadOptions(use_threads=False, block_size=block_bytes),
            parse_options=arrow_csv.ParseOptions(
                delimiter=self._delimiter, newlines_in_values=True, invalid_row_handler=keep
            ),
            convert_options=arrow_csv.ConvertOptions(
                include_columns=wanted, column_types={name: pa.binary() for name in wanted}, strings_can_be_null=False
            ),
        )
        first = 1 + _HEADER_ROWS
        with reader:
            for batch in reader:
                yield Piece(self.name, pa.Table.from_batches([batch]), first, rows)
                first += len(batch)

    def _parquet(self, wanted: list[str]) -> Iterator[Piece]:
        first = 1 + _HEADER_ROWS
        with parquet.ParquetFile(self.path) as file:
            for batch in file.iter_batches(batch_size=PIECE_ROWS, columns=wanted):
                yield Piece(self.name, pa.Table.from_batches([batch]), first, ())
                first += len(batch)

    @contextmanager
    def _readable(self) -> Iterator[None]:
        try:
            yield
        except UnicodeError:
            raise Invalid(
                "is not UTF-8 text; save it as UTF-8 (spreadsheets call it CSV UTF-8)", where=self.name
            ) from None
        except (
            OSError,
            EOFError,
            pa.ArrowInvalid,
            pa.ArrowNotImplementedError,
            csv.Error,
        ) as error:
            if isinstance(error, pa.ArrowInvalid) and "straddl" in str(error):
                raise Invalid(f"has a row of more than {BLOCK_BYTES} bytes", where=self.name) from None
            raise Invalid(f"cannot be read: {str(error).splitlines()[0]}", where=self.name) from None


def find_files(root: Path, pattern: str | None, *, key: str, besides: Iterable[Path] = ()) -> list[SourceFile]:
    """Files under a folder by a glob pattern (None: every CSV and Parquet file), or the one file that ``root`` is.

    Ordered by name. ``besides`` are left out. Raises `Invalid` naming the mapping's key when there is none.
    """
    if not root.exists():
        raise Invalid("does not exist", where=str(root))
    folder = root if root.is_dir() else root.parent
    if pattern is None:
        found = [root] if root.is_file() else [path for path in root.rglob("*") if _is_data(path, root)]
    else:
        try:
            found = [path for path in folder.glob(pattern) if path.is_file()]
        except (ValueError, NotImplementedError) as error:
            raise Invalid(f"not a pattern: {pattern!r} ({error})", where=key) from None
    found = sorted(set(found) - set(besides))
    if not found:
        raise Invalid(f"no file under {root} matches {pattern or 'any of ' + ', '.join(SUFFIXES)}", where=key)
    for path in found:
        if not path.name.lower().endswith(SUFFIXES):
            raise Invalid(f"is none of {', '.join(SUFFIXES)}", where=str(path))
    files = [SourceFile(path, folder) for path in found]
    if all(file.is_empty for file in files):
        raise Invalid("is empty" if len(files) == 1 else f"and {len(files) - 1} more are empty", where=files[0].name)
    return files


def _is_data(path: Path, root: Path) -> bool:
    hidden = any(part.startswith((".", "_")) for part in path.relative_to(root).parts)
    return not hidden and path.name.lower().endswith(SUFFIXES) and path.is_file()


def _some(names: Sequence[str], limit: int = 12) -> str:
    shown = ", ".join(names[:limit])
    return f"{shown}, ... ({len(names)} in all)" if len(names) > limit else shown
