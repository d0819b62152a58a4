"""The suite `backblaze`: a real fleet of disk drives, backtested by the product's own `backtest`, with intervals.

Data: Backblaze Drive Stats, one CSV a day (https://www.backblaze.com/cloud-storage/resources/hard-drive-test-data; free to use, cite
Backblaze, do not sell). The mapping is docs/examples/backblaze.toml, of which a copy lies beside this file for installations without docs;
files differ in which SMART attributes they hold, so that `MORE_SMART` is added where it is filled, and what no file has is left out.
"""

from __future__ import annotations

import csv
import gzip
import zlib
from collections.abc import Mapping, Sequence
from datetime import timedelta
from pathlib import Path
from typing import Any, Literal

import numpy as np

from analytics.backtest import Backtest, backtested
from analytics.evaluation import scores
from analytics.history_panel import panel_of_history
from analytics.intervals import REPLICATIONS, Judged, intervals
from analytics.panel import Floats, Panel
from analytics.suites.backblaze_rivals import rivals
from analytics.suites.goals import Goal, above, at_least, holds
from hearthwatch.errors import Invalid, Missing
from hearthwatch.history.mapping import HistoryMapping, MetricColumn, read_mapping
from hearthwatch.history.reader import History, read_history

MAPPING = Path(__file__).with_name("backblaze.toml")
HORIZON_DAYS = 7
FURTHER_HORIZONS = (30, 90)
TIMES_AGE_ALONE = 10.0
MORE_SMART: Mapping[int, Literal["counter", "gauge"]] = {
    10: "counter",  # spin retries
    184: "counter",  # end-to-end errors
    187: "counter",  # reported uncorrectable errors
    188: "counter",  # command timeouts
    196: "counter",  # reallocation events
    198: "gauge",  # uncorrectable sectors
    199: "counter",  # CRC errors of the link
}
"""Attributes of later years, by number."""
_DAILY = "[12][0-9][0-9][0-9]-[01][0-9]-[0-3][0-9]"
_PATTERNS = tuple(f"{where}{_DAILY}{end}" for where in ("", "**/") for end in (".csv.gz", ".csv"))
ROWS_REDRAWN = 400_000_000
"""Test rows times replications of the intervals: fleets of more than 400,000 test rows get fewer than 1,000, but never fewer than 200."""
_LOOKED_AT, _ROWS_LOOKED_AT = 5, 2000


def evaluate(folder: Path) -> dict[str, Any]:
    """The backtest at 7 days with intervals and goals, its rivals, and what it says at longer horizons.

    Raises `Missing` without daily files, `Invalid` as `backtested` does.
    """
    history = read_history(*drives_in(folder))
    panel = panel_of_history(history)
    told = backtested(history, panel, cut=None, horizon=timedelta(days=HORIZON_DAYS))
    further = {str(days): _at(history, panel, days) for days in FURTHER_HORIZONS}
    bounds = {"test": _intervals(told, told.known), "unseen_devices": _intervals(told, told.unseen)}
    results = {**told.report, "intervals": bounds, "replications": replications(len(told.failed))}
    by_age = scores(told.by_age, told.failed)
    goals = {name: _goals(bound, by_age["average_precision"]) for name, bound in bounds.items()}
    results["goals"] = {part: {name: goal["met"] for name, goal in of.items()} for part, of in goals.items()}
    results["other_horizons"] = further
    zero = scores(np.zeros(len(told.failed)), told.failed)
    horizon = timedelta(days=HORIZON_DAYS)
    others = {name: scores(said, told.failed) for name, said in rivals(history, panel, told, horizon).items()}
    flat = {f"{part}_{name}": goal for part, of in goals.items() for name, goal in of.items()}
    return {"results": results, "baselines": {"age_only": by_age, "zero": zero, **others}, "goals": flat}


def _found(folder: Path) -> tuple[Path, str]:
    """Where the daily files are, and the pattern that finds them and nothing else."""
    for where in (folder, *sorted(folder.glob("backblaze*"))):
        for pattern in _PATTERNS:
            if where.is_dir() and next(iter(where.glob(pattern)), None) is not None:
                return where, pattern
    packed = next(iter(folder.glob("**/*.zip")), None) if folder.is_dir() else None
    hint = f"; {packed.name} must be unpacked first" if packed else ""
    raise Missing(
        f"{folder} has no daily files like 2013-04-10.csv or 2013-04-10.csv.gz{hint}; they are at "
        "https://www.backblaze.com/cloud-storage/resources/hard-drive-test-data"
    )


def drives_in(folder: Path) -> tuple[Path, HistoryMapping]:
    """The folder of the daily files, and the documentation's mapping with the attributes that these files hold."""
    where, pattern = _found(folder)
    given = read_mapping(MAPPING)
    files = sorted(where.glob(pattern))
    holds, filled = _columns(files[:: max(1, -(-len(files) // _LOOKED_AT))])
    metrics = {name: column for name, column in (given.metrics or {}).items() if column.column in holds}
    for number, kind in MORE_SMART.items():
        if (column := f"smart_{number}_raw") in filled:
            metrics[f"smart_{number}"] = MetricColumn(column=column, kind=kind, direction="high")
    source = given.source.model_copy(update={"files": pattern})
    return where, given.model_copy(update={"source": source, "metrics": metrics})


def _columns(files: Sequence[Path]) -> tuple[set[str], set[str]]:
    """The columns of some files, and those with a value in their first rows. A file that is broken is left to the reader to name."""
    holds: set[str] = set()
    filled: set[str] = set()
    for path in files:
        try:
            with gzip.open(path, "rt", newline="") if path.suffix == ".gz" else path.open(newline="") as file:
                reader = csv.DictReader(file)
                holds.update(reader.fieldnames or ())
                for row, _ in zip(reader, range(_ROWS_LOOKED_AT), strict=False):
                    filled.update(name for name, value in row.items() if value and name)
        except (OSError, EOFError, UnicodeDecodeError, zlib.error, csv.Error):
            continue
    return holds, filled


def _at(history: History, panel: Panel, days: int) -> dict[str, Any]:
    """What the backtest says at a longer horizon: that and why it abstains, or its scores."""
    try:
        told = backtested(history, panel, cut=None, horizon=timedelta(days=days))
    except Invalid as error:
        return {"abstained": True, "why": error.message}
    return {"abstained": False, **{key: told.report[key] for key in ("test", "unseen_devices", "baseline")}}


def _intervals(told: Backtest, probability: Floats) -> dict[str, Any]:
    rows = Judged(probability, told.by_age, told.failed, told.device, told.day, told.fails_on)
    return intervals(rows, replications=replications(len(told.failed)))


def replications(rows: int) -> int:
    """How often so many test rows are drawn again."""
    return max(200, min(REPLICATIONS, ROWS_REDRAWN // max(rows, 1)))


def _goals(bounds: Mapping[str, Mapping[str, Any]], by_age: float) -> dict[str, Goal]:
    """An interval must hold 1 by device and by day."""
    precision, skill = (bounds[name]["value"] for name in ("average_precision", "brier_skill"))
    goals = {
        "average_precision_10_times_age_only": at_least(TIMES_AGE_ALONE * by_age, precision),
        "brier_skill_above_0": above(0.0, skill),
    }
    for name in ("observed_expected", "calibration_slope"):
        told = bounds[name]
        goals[f"{name}_holds_1"] = holds(1.0, told["value"], told["by_device"], told["by_day"])
    return goals
