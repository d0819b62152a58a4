"""What is odd about a history's files, in words: what was found, where for example, and what was done about it."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from hearthwatch.history.files import SourceFile
from hearthwatch.history.values import RejectedRow

LISTED = 12
"""So many names a remark lists; the rest is counted."""
_DECIMAL_COMMA = re.compile(r"[+-]?\d+,\d+")


@dataclass(frozen=True, slots=True)
class Remark:
    """One thing about the data.

    ``kind`` names it for programs; ``count`` is of what ``said`` speaks of. ``file``, ``row`` (the header is row 1), ``column`` and
    ``example`` (a value, a device) show one place; ``done`` says what was done about it. ``grave``: a figure may suffer.
    """

    kind: str
    count: int
    said: str
    done: str
    file: str | None = None
    row: int | None = None
    column: str | None = None
    example: str | None = None
    grave: bool = False

    def as_json(self) -> Mapping[str, Any]:
        """The remark as a JSON object."""
        return asdict(self)


def of_files(files: Sequence[SourceFile], wanted: Mapping[str, bool], ignored: Sequence[str]) -> Iterator[Remark]:
    """About files and their columns: ``wanted`` are the columns that are read (and whether each row needs them), ``ignored`` the rest."""
    empty = [file.name for file in files if file.is_empty]
    if empty:
        yield Remark(
            "empty_file",
            len(empty),
            f"{_counted(len(empty), 'file')} without even a header",
            "nothing to read",
            empty[0],
        )
    if ignored:
        where = next(file for file in files if ignored[0] in file.columns)
        yield Remark(
            "unknown_columns",
            len(ignored),
            f"{_counted(len(ignored), 'column')} that the mapping does not name: {listed(ignored)}",
            "not read",
            where.name,
            column=ignored[0],
        )
    written = [file for file in files if not file.is_empty]
    for column in wanted:
        without = [file.name for file in written if column not in file.columns]
        if without:
            yield Remark(
                "different_columns",
                len(without),
                f"{_counted(len(without), 'file')} of {len(files)} without the column",
                "read as empty there",
                without[0],
                column=column,
            )


def of_rejections(rejected: Sequence[RejectedRow]) -> Iterator[Remark]:
    """About what could not be read: by column and reason, with the first of each."""
    kinds: dict[tuple[str, str, bool], list[RejectedRow]] = {}
    for one in rejected:
        kinds.setdefault((one.column, one.reason, one.whole), []).append(one)
    for (column, reason, whole), rows in kinds.items():
        first = next((one for one in rows if one.row is not None), rows[0])
        count = sum(one.rows for one in rows)
        comma = reason == "is not a finite number" and all(
            _DECIMAL_COMMA.fullmatch(one.value) for one in rows if one.row
        )
        done = "the row was left out" if whole else "the value was left out, its row kept"
        if comma:
            done += '; if these are decimal commas, say decimal = "," in [source]'
        kind = (
            "decimal_comma"
            if comma
            else "broken_row"
            if not column
            else "unreadable_row"
            if whole
            else "unreadable_value"
        )
        what = "a row" if not column else "a value"
        said = f"{_counted(count, 'time')} {what} {reason}"
        yield Remark(kind, count, said, done, first.file, first.row, column or None, first.value, grave=whole or comma)


def listed(names: Sequence[str], limit: int = LISTED) -> str:
    """Some names in a row, the others counted."""
    shown = ", ".join(names[:limit])
    return f"{shown} and {len(names) - limit} more" if len(names) > limit else shown


def _counted(number: int, noun: str) -> str:
    return f"{number:,} {noun}{'' if number == 1 else 's'}"
