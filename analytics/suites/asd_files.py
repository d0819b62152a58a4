"""Reading a folder like the Application Server Dataset: `npz/NAME.npz` and `interpretation_label/NAME.txt`.

Source: Li et al., "Multivariate Time Series Anomaly Detection and Interpretation using Hierarchical Inter-Metric and Temporal
Embedding" (InterFusion, KDD 2021), https://github.com/zhhlee/InterFusion (MIT). An archive holds `train` (steps, metrics), `test`
(steps, metrics) and `label` (test steps), 1 where anomalous; NaN is a gap. A line of the text is `start-end:metrics`: first and last
step of a segment in the test, counted from 0, and the metrics that were wrong, counted from 1. A series without a text has the runs of
its label as segments, of which nobody says what was wrong.
"""

from __future__ import annotations

import re
import zipfile
import zlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from analytics.panel import Flags, Floats
from hearthwatch.errors import Invalid, Missing

ARCHIVES, INTERPRETATIONS = "npz", "interpretation_label"
KEYS = ("train", "test", "label")
_SEGMENT = re.compile(r"(\d+)-(\d+):(\d+(?:,\d+)*)")


@dataclass(frozen=True, slots=True)
class Segment:
    """Test steps ``first`` to ``last``, both included, and the metrics that were wrong, counted from 0; none where nobody says."""

    first: int
    last: int
    metrics: frozenset[int]


@dataclass(frozen=True, slots=True)
class Series:
    """One device: ``train``, ``test`` (steps, metrics), NaN where nothing was measured, ``label`` (test steps)."""

    name: str
    train: Floats
    test: Floats
    label: Flags
    segments: tuple[Segment, ...]


def series_in(data: Path) -> tuple[Series, ...]:
    """All series, in the order of their names (2 before 10). Raises `Missing` or `Invalid`, naming file and key."""
    archives = sorted((data / ARCHIVES).glob("*.npz"), key=lambda path: _natural(path.stem))
    if not archives:
        raise Missing(
            f"{data} has no {ARCHIVES}/NAME.npz: the Application Server Dataset is at https://github.com/zhhlee/InterFusion"
        )
    return tuple(_series(path, data / INTERPRETATIONS / f"{path.stem}.txt") for path in archives)


def _natural(name: str) -> tuple[tuple[int, str], ...]:
    parts = re.findall(r"\d+|\D+", name)
    return tuple((int(part), "") if part.isascii() and part.isdigit() else (-1, part) for part in parts)


def _series(archive: Path, interpretation: Path) -> Series:
    arrays = _arrays(archive)
    train, test = (_values(archive, key, arrays[key]) for key in ("train", "test"))
    if train.shape[1] != test.shape[1]:
        raise Invalid(f"{archive}: train has {train.shape[1]} metrics and test has {test.shape[1]}")
    label = _label(archive, arrays["label"], len(test))
    return Series(archive.stem, train, test, label, _segments(interpretation, label, test.shape[1]))


def _arrays(archive: Path) -> dict[str, Any]:
    try:
        with archive.open("rb") as file, np.load(file, allow_pickle=False) as stored:
            lacking = [key for key in KEYS if key not in stored.files]
            if lacking:
                raise Invalid(f"{archive} has no {', '.join(lacking)}; it has {', '.join(stored.files) or 'nothing'}")
            return {key: _array(archive, key, stored) for key in KEYS}
    except (ValueError, OSError, EOFError, TypeError, zipfile.BadZipFile) as error:
        raise Invalid(f"{archive} is no NumPy archive: {error}") from error


def _array(archive: Path, key: str, stored: Any) -> Any:
    try:
        return stored[key]
    except (ValueError, OSError, EOFError, zipfile.BadZipFile, zlib.error) as error:
        raise Invalid(f"{archive}: {key} cannot be read: {error}") from error


def _values(archive: Path, key: str, array: Any) -> Floats:
    if array.dtype.kind not in "fiub":
        raise Invalid(f"{archive}: {key} holds {array.dtype}, not numbers")
    if array.ndim != 2 or 0 in array.shape:
        raise Invalid(f"{archive}: {key} must have steps and metrics; its shape is {array.shape}")
    values: Floats = array.astype(np.float64)
    wrong = np.argwhere(np.isinf(values))
    if len(wrong):
        step, metric = (int(number) for number in wrong[0])
        raise Invalid(
            f"{archive}: {key} has {len(wrong)} infinite values, the first at step {step}, metric {metric + 1}"
        )
    if np.isnan(values).all():
        raise Invalid(f"{archive}: {key} has no value at all")
    return values


def _label(archive: Path, array: Any, steps: int) -> Flags:
    if array.dtype.kind not in "fiub":
        raise Invalid(f"{archive}: label holds {array.dtype}, not numbers")
    if array.shape not in ((steps,), (steps, 1)):
        raise Invalid(f"{archive}: label must be {steps} long, like test; its shape is {array.shape}")
    flat = array.reshape(-1)
    strange = flat[(flat != 0) & (flat != 1)]
    if len(strange):
        raise Invalid(f"{archive}: label must be 0 or 1; it has {strange[0]}")
    marked: Flags = flat == 1
    if not marked.any():
        raise Invalid(f"{archive}: label marks nothing as anomalous, so there is nothing to find")
    return marked


def _segments(path: Path, label: Flags, metrics: int) -> tuple[Segment, ...]:
    if not path.is_file():
        edges = np.flatnonzero(np.diff(label.astype(np.int8), prepend=0, append=0))
        return tuple(
            Segment(int(first), int(end) - 1, frozenset()) for first, end in zip(edges[::2], edges[1::2], strict=True)
        )
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except UnicodeDecodeError as error:
        raise Invalid(f"{path} is no text: {error}") from error
    segments = tuple(
        _segment(f"{path}, line {number}", line.strip(), label, metrics)
        for number, line in enumerate(lines, start=1)
        if line.strip()
    )
    if not segments:
        raise Invalid(f"{path} names no segment")
    return segments


def _segment(where: str, line: str, label: Flags, metrics: int) -> Segment:
    found = _SEGMENT.fullmatch(line.replace(" ", ""))
    if found is None:
        raise Invalid(f"{where}: {line[:60]!r} is not start-end:metric,metric,...")
    first, last = int(found[1]), int(found[2])
    if not first <= last < len(label):
        raise Invalid(f"{where}: segment {first}-{last} does not lie within the {len(label)} steps of test")
    if not label[first : last + 1].any():
        raise Invalid(f"{where}: label marks nothing in segment {first}-{last}")
    named = [int(number) for number in found[3].split(",")]
    unknown = sorted({number for number in named if not 1 <= number <= metrics})
    if unknown:
        raise Invalid(f"{where}: metric {unknown[0]} is not one of 1 to {metrics}")
    return Segment(first, last, frozenset(number - 1 for number in named))
