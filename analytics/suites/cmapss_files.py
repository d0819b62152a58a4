"""The files of NASA's turbofan engines, as they are published.

Data: Saxena, Goebel, "Turbofan Engine Degradation Simulation Data Set", NASA Prognostics Center of Excellence (public domain). Rows of
26 numbers divided by blanks: engine, cycle, three operational settings, 21 sensors. In ``train_*`` each engine runs until it fails, in
``test_*`` it is cut off before, and ``RUL_*`` holds the cycles that were left, a line for each engine of the test in its order.
"""

from __future__ import annotations

import gzip
import zlib
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from analytics.remaining_life.histories import Floats, History
from hearthwatch.errors import Invalid, Missing

SETS = ("FD001", "FD002", "FD003", "FD004")
SETTINGS, SENSORS = 3, 21
COLUMNS = 2 + SETTINGS + SENSORS
SENSOR_NAMES = tuple(f"sensor_{number}" for number in range(1, SENSORS + 1))
ORIGIN = "https://www.nasa.gov/intelligent-systems-division/discovery-and-systems-health/pcoe/pcoe-data-set-repository/"
_FOLDERS = ("", "cmapss", "CMAPSSData")
_ENDINGS = (".txt", ".txt.gz")


@dataclass(frozen=True, slots=True, eq=False)
class EngineSet:
    """One of the sets: engines that ran to failure; where the test's files are there, its engines and the cycles each had left."""

    name: str
    train: tuple[History, ...]
    test: tuple[History, ...]
    left: Floats


def read_sets(folder: Path) -> list[EngineSet]:
    """All sets whose training part is in the folder (or in ``cmapss`` or ``CMAPSSData`` in it), plain or gzipped.

    Raises `Missing` where there is none or half a test, `Invalid` where a file is not what its name says, with its line.
    """
    found = [name for name in SETS if _find(folder, f"train_{name}") is not None]
    if not found:
        raise Missing(f"{folder} has no train_FD001.txt (nor FD002 to FD004, nor gzipped); they are at {ORIGIN}")
    return [_read_set(folder, name) for name in found]


def _read_set(folder: Path, name: str) -> EngineSet:
    train = tuple(_engines(_path(folder, f"train_{name}"), to_failure=True))
    halves = [_find(folder, f"{part}_{name}") for part in ("test", "RUL")]
    if halves == [None, None]:
        return EngineSet(name, train, (), np.empty(0))
    test_path, left_path = _path(folder, f"test_{name}"), _path(folder, f"RUL_{name}")
    test, left = tuple(_engines(test_path, to_failure=False)), _numbers(left_path, 1)[:, 0]
    if len(left) != len(test):
        raise Invalid(f"{left_path} has {len(left)} lines, but {test_path} has {len(test)} engines")
    if (left < 0).any():
        raise Invalid(f"{left_path}, line {int(np.argmax(left < 0)) + 1}: an engine has fewer than no cycles left")
    return EngineSet(name, train, test, left)


def _find(folder: Path, stem: str) -> Path | None:
    paths = (folder / within / f"{stem}{ending}" for within in _FOLDERS for ending in _ENDINGS)
    return next((path for path in paths if path.is_file()), None)


def _path(folder: Path, stem: str) -> Path:
    path = _find(folder, stem)
    if path is None:
        raise Missing(f"{folder} has no {stem}.txt (nor gzipped), which belongs to the other files of its set")
    return path


def _engines(path: Path, *, to_failure: bool) -> list[History]:
    """The engines of a file in the order of their numbers."""
    table = _numbers(path, COLUMNS)
    engines = []
    for number in np.unique(table[:, 0]):
        rows = table[table[:, 0] == number]
        failed_at = float(rows[-1, 1]) if to_failure else None
        try:
            engines.append(
                History(f"{number:g}", rows[:, 1], rows[:, 2 : 2 + SETTINGS], rows[:, 2 + SETTINGS :], failed_at)
            )
        except Invalid as error:
            raise Invalid(f"{path}: engine {number:g}: {error}") from error
    return engines


def _numbers(path: Path, columns: int) -> Floats:
    """A file of finite numbers divided by blanks, so many on each line."""
    try:
        text = gzip.decompress(path.read_bytes()) if path.suffix == ".gz" else path.read_bytes()
        lines = text.decode("ascii").splitlines()
    except (OSError, EOFError, zlib.error, UnicodeDecodeError) as error:
        raise Invalid(f"{path} cannot be read: {error}") from error
    while lines and not lines[-1].strip():
        lines.pop()
    if not lines:
        raise Invalid(f"{path} is empty")
    return np.array([_line(path, number, line, columns) for number, line in enumerate(lines, start=1)])


def _line(path: Path, number: int, line: str, columns: int) -> list[float]:
    words = line.split()
    if len(words) != columns:
        raise Invalid(f"{path}, line {number}: {len(words)} numbers where {columns} belong")
    try:
        values = [float(word) for word in words]
    except ValueError as error:
        raise Invalid(f"{path}, line {number}: {error}") from error
    if not np.isfinite(values).all():
        raise Invalid(f"{path}, line {number}: a value is not finite")
    return values
