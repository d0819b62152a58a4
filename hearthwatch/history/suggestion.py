"""Proposes a mapping file for a maker's files: which column looks like the device, the time, the model, the failure, a counter.

A proposal is to be read before it is used: what it rests on stands beside each line.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from zoneinfo import ZoneInfo

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from hearthwatch.errors import Invalid
from hearthwatch.history import columns
from hearthwatch.history.discovery import SAMPLE_BYTES, metric_name
from hearthwatch.history.files import SourceFile, find_files

_NAMES: Mapping[str, str] = {
    "device": r"(^|_)(serial(_?(no|number))?|device(_?id)?|machine(_?id)?|unit(_?id)?|asset(_?id)?|sn|imei|mac)($|_)|^id$",
    "at": r"(^|_)(date_?time|time_?stamp|ts|date|time|day|at|recorded|when)($|_)",
    "model": r"(^|_)(model|type|product|sku)($|_)",
    "firmware": r"(^|_)(firmware|fw|sw_?version|version)($|_)",
    "hardware": r"(^|_)(hardware|hw|revision)($|_)",
    "region": r"(^|_)(region|country|site)($|_)",
}
_FAILURE = re.compile(r"(^|_)(fail(ed|ure)?|broken?|defect(ive)?|fault|breakdown)($|_)")
_COUNTER = re.compile(r"(count(er)?|total|cycles?|hours?|reboots?|errors?|_h$|_kwh$|energy)")
_ZONE = ZoneInfo("UTC")
_FORMS = (
    "%d.%m.%Y",
    "%d.%m.%Y %H:%M",
    "%d.%m.%Y %H:%M:%S",
    "%m/%d/%Y",
    "%m/%d/%Y %H:%M",
    "%Y/%m/%d",
    "%Y/%m/%d %H:%M:%S",
    "%Y%m%d",
)
READABLE = 0.95
SAMPLED_FILES = 40


@dataclass(frozen=True, slots=True)
class _Line:
    key: str
    value: str
    why: str


def suggest(path: Path) -> str:
    """A mapping file as text. Raises `Invalid` where no column can be the device or the time."""
    files = [file for file in find_files(path, None, key="PATH") if not file.is_empty]
    table = _sampled(files)
    device = _device(table)
    at, form = _time(table, device)
    taken = {device, at}
    named = [
        _Line("device", _quoted(device), _devices_seen(table, device)),
        _Line("at", _quoted(at), "readable as times"),
    ]
    if form is not None:
        named.append(_Line("at_format", _quoted(form), "how its times are written"))
    for name in ("model", "firmware", "hardware", "region"):
        found = next((one for one in table.column_names if one not in taken and _like(name, one)), None)
        if found is not None:
            taken.add(found)
            named.append(_Line(name, _quoted(found), "by its name"))
    failure = next((one for one in table.column_names if one not in taken and _is_failure(table, one)), None)
    comma = _has_decimal_commas(table, taken)
    metrics = list(_metrics(table, taken | {failure or ""}, device, at, form, comma=comma))
    return "\n".join(_written(path, named, failure, metrics, comma=comma)) + "\n"


def _written(
    path: Path, named: Sequence[_Line], failure: str | None, metrics: Sequence[_Line], *, comma: bool
) -> Iterator[str]:
    yield f"# Proposed from the first rows of {_plain(path.name)}. Read it before you use it; docs/history.md tells of all keys."
    yield ""
    yield "[source]"
    yield 'timezone = "UTC"                  # of times without an offset'
    if comma:
        yield 'decimal = ","                     # numbers are written with a decimal comma'
    yield ""
    yield "[columns]"
    yield from (_shown(line) for line in named)
    yield ""
    yield "[metrics]"
    yield from (_shown(line) for line in metrics)
    yield ""
    if failure is None:
        yield "# No column looks like a failure. Name one of 0 and 1, or a table of its own:"
        yield "# [failures]"
        yield '# files = "failures.csv"'
        yield f"# device = {named[0].value}"
        yield '# at = "date"'
    else:
        yield "[failures]"
        yield _shown(_Line("column", _quoted(failure), "0 and 1, by its name"))


def _shown(line: _Line) -> str:
    left = f"{line.key} = {line.value}"
    return f"{left:<33} # {line.why}"


def _sampled(files: Sequence[SourceFile]) -> pa.Table:
    """The first rows of some of the files, every column as text or as it is."""
    tables = []
    for file in files[:: max(1, -(-len(files) // SAMPLED_FILES))]:
        for piece in file.pieces(file.columns, [], SAMPLE_BYTES):
            flat = [name for name in piece.columns.column_names if not pa.types.is_nested(piece.columns[name].type)]
            tables.append(piece.columns.select(flat).slice(0, 5000))
            break
    if not tables:
        raise Invalid("holds no rows", where=files[0].name)
    first = tables[0].schema
    return pa.concat_tables([one for one in tables if one.schema.equals(first)])


def _device(table: pa.Table) -> str:
    found = [name for name in table.column_names if _like("device", name) and not _like("at", name)]
    if found:
        return str(max(found, key=lambda one: _repeats(table, one)))
    raise Invalid(f"no column looks like the device; there are {', '.join(table.column_names[:12])}", where="PATH")


def _repeats(table: pa.Table, name: str) -> float:
    """How many rows a value has: devices report more than once."""
    return len(table) / max(len(pc.unique(columns.text(table[name]).values)), 1)


def _devices_seen(table: pa.Table, name: str) -> str:
    return f"{len(pc.unique(columns.text(table[name]).values)):,} different in the rows looked at"


def _time(table: pa.Table, device: str) -> tuple[str, str | None]:
    likely = [name for name in table.column_names if name != device and _like("at", name)]
    for name in [*likely, *(one for one in table.column_names if one != device and one not in likely)]:
        if pa.types.is_temporal(table[name].type):
            return name, None
        for form in (None, *_FORMS, *(columns.EPOCHS if name in likely else ())):
            if _readable(columns.time(table[name].slice(0, 500), form, _ZONE)):
                return name, form
    raise Invalid(f"no column can be read as times; there are {', '.join(table.column_names[:12])}", where="PATH")


def _readable(found: columns.Converted) -> bool:
    there = len(found.values) - found.values.null_count
    return bool(there > 0 and there >= READABLE * (there + int(found.bad.sum())))


def _like(kind: str, name: str) -> bool:
    return re.search(_NAMES[kind], _plain_name(name)) is not None


def _plain_name(name: str) -> str:
    return re.sub(r"[^a-z0-9]+", "_", re.sub(r"([a-z])([A-Z])", r"\1_\2", name).lower())


def _is_failure(table: pa.Table, name: str) -> bool:
    return _FAILURE.search(_plain_name(name)) is not None and _readable(columns.flag(table[name]))


def _has_decimal_commas(table: pa.Table, taken: set[str]) -> bool:
    pattern = r"^\s*[+-]?\d+,\d+\s*$"
    texts = [columns.text(table[name]).values for name in table.column_names if name not in taken]
    return any(_share(pc.match_substring_regex(one, pattern)) > 0.5 for one in texts)


def _share(true: pa.Array) -> float:
    return float(pc.mean(true.cast(pa.float64())).as_py() or 0.0)


def _metrics(
    table: pa.Table, taken: set[str], device: str, at: str, form: str | None, *, comma: bool
) -> Iterator[_Line]:
    order = _order(table, device, at, form)
    names: set[str] = set()
    for column in table.column_names:
        if column in taken or pa.types.is_temporal(table[column].type):
            continue
        found = columns.number(table[column], comma)
        if not _readable(found):
            continue
        name = metric_name(column)
        while name in names:
            name += "_"
        names.add(name)
        values = found.values.to_numpy(zero_copy_only=False)
        low, high = float(np.nanmin(values)), float(np.nanmax(values))
        if _grows(values, order) and (_COUNTER.search(_plain_name(column)) or high - low > 0):
            why = f"only grows, {low:.6g} to {high:.6g}"
            yield _Line(name, f'{{ column = {_quoted(column)}, kind = "counter" }}', why)
        else:
            yield _Line(name, _quoted(column), f"{low:.6g} to {high:.6g}")


def _order(table: pa.Table, device: str, at: str, form: str | None) -> tuple[np.ndarray, np.ndarray]:
    """Rows by device and time, and whether a row follows one of its own device."""
    texts = columns.text(table[device]).values
    codes = np.asarray(pc.fill_null(texts.dictionary_encode().indices, -1).to_numpy(zero_copy_only=False))
    times = pc.fill_null(columns.time(table[at], form, _ZONE).values.cast(pa.int64()), 0).to_numpy(zero_copy_only=False)
    rows = np.lexsort((times, codes))
    return rows, codes[rows][1:] == codes[rows][:-1]


def _grows(values: np.ndarray, order: tuple[np.ndarray, np.ndarray]) -> bool:
    """Whether whole numbers hardly ever fall from one row of a device to its next, and rise at times."""
    rows, same = order
    known = values[~np.isnan(values)]
    if not len(known) or (known != np.floor(known)).any() or known.min() < 0:
        return False
    step = np.diff(values[rows])[same]
    step = step[~np.isnan(step)]
    return len(step) >= 20 and (step > 0).any() and float((step < 0).mean()) <= 0.01


def _quoted(text: str) -> str:
    return json.dumps(text, ensure_ascii=False)


def _plain(text: str) -> str:
    return "".join(one if one.isprintable() else "?" for one in text)
