"""The files of the Numenta Anomaly Benchmark: `data/CATEGORY/NAME.csv` (or `.csv.gz`) and `labels/combined_windows.json`.

Source: https://github.com/numenta/NAB (MIT); a series has the columns `timestamp` and `value`.
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


def read(folder: Path) -> tuple[list[Series], list[str]]:
    """All series named in the labels that are there, and the names of those that are not."""
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
    return found, missing


def _labels(path: Path) -> Mapping[str, Any]:
    if not path.is_file():
        raise Missing(f"there is no {path}; the benchmark is at https://github.com/numenta/NAB")
    try:
        labels = json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise Invalid(f"{path} is no JSON: {error}") from error
    if not isinstance(labels, dict) or not all(isinstance(windows, list) for windows in labels.values()):
        raise Invalid(f"{path} must be an object that gives a list of [first, last] for each series")
    return labels


def _series(name: str, path: Path, windows: Sequence[Any]) -> Series:
    try:
        data = path.read_bytes()
        text = (gzip.decompress(data) if path.suffix == ".gz" else data).decode("utf-8")
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
    first, last = (int(hit[0]) if hit.size else None for hit in exact)
    return int(inside[0]) if first is None else first, int(inside[-1]) if last is None else last


def _seconds(text: str) -> int:
    return int(datetime.fromisoformat(text.strip()).replace(tzinfo=UTC).timestamp())


def _time(text: str | None, path: Path, line: int) -> int:
    try:
        return _seconds(text or "")
    except ValueError as error:
        raise Invalid(f"{path}, line {line}: {text!r} is no time") from error


def _number(text: str | None, path: Path, line: int) -> float:
    if text is None or not text.strip():
        return math.nan
    try:
        return float(text)
    except ValueError as error:
        raise Invalid(f"{path}, line {line}: {text!r} is no number") from error
