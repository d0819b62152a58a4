"""The files of the Numenta Anomaly Benchmark: `data/CATEGORY/NAME.csv` (or `.csv.gz`) and `labels/combined_windows.json`.

Source: https://github.com/numenta/NAB (MIT); a series has the columns `timestamp` and `value`. Times without a zone are UTC; a time may
come again or early (clocks that were put back), rows stay in the file's order. A value that is empty or not finite is a gap.
"""

from __future__ import annotations

import csv
import gzip
import io
import json
import math
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np

from analytics.panel import Floats, Ints
from hearthwatch.errors import Invalid, Missing

LABELS = "labels/combined_windows.json"


@dataclass(frozen=True, slots=True)
class Series:
    """One series. ``at``: seconds since 1970; ``values``: NaN where there is none; ``windows``: first and last point of each anomaly."""

    name: str
    at: Ints
    values: Floats
    windows: tuple[tuple[int, int], ...]


@dataclass(frozen=True, slots=True)
class Benchmark:
    """The series that are labelled and there; the names of those in the labels that are not there, and of files that no label names."""

    series: tuple[Series, ...]
    missing: tuple[str, ...]
    unlabelled: tuple[str, ...]


def read(folder: Path) -> Benchmark:
    """All that is in a folder. Raises `Missing` or `Invalid`, naming file and line."""
    labels = _labels(folder / LABELS)
    found, missing = [], []
    for name, windows in sorted(labels.items()):
        path = next((path for path in (folder / "data" / name, folder / "data" / f"{name}.gz") if path.is_file()), None)
        if path is None:
            missing.append(name)
        else:
            found.append(_series(name, path, windows))
    if not found:
        raise Missing(
            f"{folder / 'data'} has none of the {len(missing)} series named in {LABELS}, as CATEGORY/NAME.csv or .csv.gz"
        )
    return Benchmark(tuple(found), tuple(missing), tuple(sorted(_names(folder / "data") - labels.keys())))


def _names(data: Path) -> set[str]:
    """The series in a folder, named as the labels name them."""
    return {
        path.relative_to(data).as_posix().removesuffix(".gz")
        for end in ("csv", "csv.gz")
        for path in data.glob(f"**/*.{end}")
    }


def _labels(path: Path) -> Mapping[str, Any]:
    if not path.is_file():
        raise Missing(f"there is no {path}; the benchmark is at https://github.com/numenta/NAB")
    try:
        labels = json.loads(path.read_text(encoding="utf-8-sig"))
    except ValueError as error:
        raise Invalid(f"{path} is no JSON: {error}") from error
    if not isinstance(labels, dict) or not all(isinstance(windows, list) for windows in labels.values()):
        raise Invalid(f"{path} must be an object that gives a list of [first, last] for each series")
    return labels


def _series(name: str, path: Path, windows: Sequence[Any]) -> Series:
    try:
        data = path.read_bytes()
        text = (gzip.decompress(data) if path.suffix == ".gz" else data).decode("utf-8-sig")
        reader = csv.DictReader(io.StringIO(text, newline=""))
        lacking = {"timestamp", "value"} - set(reader.fieldnames or ())
        if lacking:
            raise Invalid(f"{path} has no column {', '.join(sorted(lacking))}")
        rows = [
            (_time(row["timestamp"], path, line), _number(row["value"], path, line))
            for line, row in enumerate(reader, 2)
        ]
    except (OSError, EOFError, UnicodeDecodeError, zlib.error, csv.Error) as error:
        raise Invalid(f"{path} cannot be read: {error}") from error
    if not rows:
        raise Invalid(f"{path} has no rows")
    at = np.array([time for time, _ in rows], dtype=np.int64)
    return Series(
        name, at, np.array([value for _, value in rows]), tuple(_points(name, at, window) for window in windows)
    )


def _points(name: str, at: Ints, window: Any) -> tuple[int, int]:
    try:
        begin, end = (_seconds(time) for time in window)
    except (ValueError, TypeError, AttributeError) as error:
        raise Invalid(f"{LABELS}: {name}: {window!r} is no [first, last] of times") from error
    inside = np.flatnonzero((at >= begin) & (at <= end))
    if not inside.size:
        raise Invalid(f"{LABELS}: {name} has no point from {window[0]} to {window[1]}")
    exact = np.flatnonzero(at == begin), np.flatnonzero(at == end)
    first, last = (int(hit[0]) if hit.size else int(end) for hit, end in zip(exact, inside[[0, -1]], strict=True))
    return (first, last) if first <= last else (int(inside[0]), int(inside[-1]))  # else: a clock was put back


def _seconds(text: str) -> int:
    given = datetime.fromisoformat(text.strip())
    return int((given if given.tzinfo else given.replace(tzinfo=UTC)).timestamp())


def _time(text: str | None, path: Path, line: int) -> int:
    try:
        return _seconds(text or "")
    except ValueError as error:
        raise Invalid(f"{path}, line {line}: {text!r} is no time") from error


def _number(text: str | None, path: Path, line: int) -> float:
    if text is None or not text.strip():
        return math.nan
    try:
        value = float(text)
    except ValueError as error:
        raise Invalid(f"{path}, line {line}: {text!r} is no number") from error
    return value if math.isfinite(value) else math.nan
