"""Which numeric columns are metrics, where the mapping does not name them."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Sequence

import pyarrow as pa

from hearthwatch.errors import Invalid
from hearthwatch.history import columns
from hearthwatch.history.files import SourceFile
from hearthwatch.history.values import HistoryMetric
from hearthwatch.values import METRIC_NAME

SAMPLED_FILES = 50
SAMPLE_BYTES = 256 * 1024
ODD_SHARE = 0.1
"""A column is numeric when at most this share of what stands in it is something else; that is then rejected, value by value."""


def discover(
    files: Sequence[SourceFile], named: Collection[str], taken: Collection[str], *, comma: bool = False
) -> list[HistoryMetric]:
    """Every numeric column that the mapping does not name, in the order of the files.

    Judged by the beginning of at most 50 files, evenly spread. Raises `Invalid` when two columns would get one name.
    """
    numbers: dict[str, int] = {}
    odd: dict[str, int] = {}
    step = max(1, -(-len(files) // SAMPLED_FILES))
    for file in files[::step]:
        for name, column in _sample(file, named):
            found = columns.number(column, comma)
            numbers[name] = numbers.get(name, 0) + len(found.values) - found.values.null_count
            odd[name] = odd.get(name, 0) + int(found.bad.sum())
    numeric = [name for name in numbers if numbers[name] and odd[name] <= ODD_SHARE * (numbers[name] + odd[name])]
    chosen: dict[str, str] = {}
    for column in numeric:
        metric = metric_name(column)
        if metric in chosen or metric in taken:
            other = chosen.get(metric, metric)
            raise Invalid(
                f"the columns {other!r} and {column!r} would both be called {metric!r}; name them in [metrics]",
                where="metrics",
            )
        chosen[metric] = column
    return [HistoryMetric(name=metric, column=column) for metric, column in chosen.items()]


def metric_name(column: str) -> str:
    """A column's name as a metric's: small letters, digits and ``_``."""
    plain = re.sub(r"[^a-z0-9_]+", "_", column.strip().lower()).strip("_")
    plain = plain if plain[:1].isalpha() else f"m_{plain}"
    plain = plain[:63]
    assert METRIC_NAME.fullmatch(plain)
    return plain


def ignored(files: Sequence[SourceFile], used: Collection[str]) -> tuple[str, ...]:
    """Columns of the files that nothing is read from, in order."""
    every = dict.fromkeys(name for file in files for name in file.columns)
    return tuple(name for name in every if name not in used)


def _sample(file: SourceFile, named: Collection[str]) -> Iterator[tuple[str, pa.ChunkedArray]]:
    wanted = [name for name in file.columns if name not in named]
    for piece in file.pieces(wanted, [], SAMPLE_BYTES):
        for name in piece.columns.column_names:
            column = piece.columns[name]
            if _may_be_numeric(column.type):
                yield name, column
        return


def _may_be_numeric(kind: pa.DataType) -> bool:
    types = pa.types
    return not (types.is_temporal(kind) or types.is_nested(kind))
