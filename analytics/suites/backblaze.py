"""The suite `backblaze`: a real fleet of disk drives, backtested by the product's own `backtest`, with intervals.

Data: Backblaze Drive Stats, one CSV a day (https://www.backblaze.com/cloud-storage/resources/hard-drive-test-data; free to use, cite
Backblaze, do not sell). The mapping is docs/examples/backblaze.toml, of which a copy lies beside this file for installations without docs.
"""

from __future__ import annotations

import tempfile
from collections.abc import Mapping
from datetime import timedelta
from pathlib import Path
from typing import Any

import numpy as np

from analytics.backtest import Backtest, backtested
from analytics.evaluation import scores
from analytics.history_panel import panel_of_history
from analytics.intervals import Judged, intervals
from analytics.panel import Floats, Panel
from hearthwatch.errors import Invalid, Missing
from hearthwatch.history.mapping import read_mapping
from hearthwatch.history.reader import History, read_history

MAPPING = Path(__file__).with_name("backblaze.toml")
HORIZON_DAYS = 7
FURTHER_HORIZONS = (30, 90)
TIMES_AGE_ALONE = 10.0
_PATTERNS = ("*.csv.gz", "*.csv", "**/*.csv.gz", "**/*.csv")
_DAILY = "[12][0-9][0-9][0-9]-[01][0-9]-[0-3][0-9]"


def evaluate(folder: Path) -> dict[str, Any]:
    """The backtest at 7 days with intervals and goals, its rivals, and what it says at longer horizons.

    Raises `Missing` without daily files, `Invalid` as `backtested` does.
    """
    where, pattern = _found(folder)
    with tempfile.TemporaryDirectory() as made:
        mapping = Path(made) / "backblaze.toml"
        mapping.write_text(MAPPING.read_text("utf-8").replace('files = "*.csv.gz"', f'files = "{pattern}"'), "utf-8")
        history = read_history(where, read_mapping(mapping))
    panel = panel_of_history(history)
    told = backtested(history, panel, cut=None, horizon=timedelta(days=HORIZON_DAYS))
    further = {str(days): _at(history, panel, days) for days in FURTHER_HORIZONS}
    bounds = {"test": _intervals(told, told.known), "unseen_devices": _intervals(told, told.unseen)}
    results = {**told.report, "intervals": bounds}
    by_age = scores(told.by_age, told.failed)
    results["goals"] = {name: _goals(bound, by_age["average_precision"]) for name, bound in bounds.items()}
    results["other_horizons"] = further
    zero = scores(np.zeros(len(told.failed)), told.failed)
    return {"results": results, "baselines": {"age_only": by_age, "zero": zero}}


def _found(folder: Path) -> tuple[Path, str]:
    """Where the daily files are, and the pattern that finds them and nothing else."""
    for where in (folder, *sorted(folder.glob("backblaze*"))):
        for pattern in _PATTERNS:
            daily = pattern.replace("*.csv", f"{_DAILY}.csv")
            if where.is_dir() and next(iter(where.glob(daily)), None) is not None:
                return where, daily
    raise Missing(
        f"{folder} has no daily files like 2013-04-10.csv or 2013-04-10.csv.gz; they are at "
        "https://www.backblaze.com/cloud-storage/resources/hard-drive-test-data"
    )


def _at(history: History, panel: Panel, days: int) -> dict[str, Any]:
    """What the backtest says at a longer horizon: that and why it abstains, or its scores."""
    try:
        told = backtested(history, panel, cut=None, horizon=timedelta(days=days))
    except Invalid as error:
        return {"abstained": True, "why": error.message}
    return {"abstained": False, **{key: told.report[key] for key in ("test", "unseen_devices", "baseline")}}


def _intervals(told: Backtest, probability: Floats) -> dict[str, Any]:
    return intervals(Judged(probability, told.by_age, told.failed, told.device, told.day, told.fails_on))


def _goals(bounds: Mapping[str, Mapping[str, Any]], by_age: float) -> dict[str, bool]:
    """Whether each goal is reached; an interval must hold 1 by device and by day."""
    precision, skill = (bounds[name]["value"] for name in ("average_precision", "brier_skill"))
    return {
        "average_precision_10_times_age_only": precision is not None and precision >= TIMES_AGE_ALONE * by_age,
        "brier_skill_above_0": skill is not None and skill > 0,
        "observed_expected_holds_1": _hold_1(bounds["observed_expected"]),
        "calibration_slope_holds_1": _hold_1(bounds["calibration_slope"]),
    }


def _hold_1(bound: Mapping[str, Any]) -> bool:
    return all(None not in bound[way] and bound[way][0] <= 1 <= bound[way][1] for way in ("by_device", "by_day"))
