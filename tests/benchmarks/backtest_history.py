"""Time and memory of a backtest of many rows: `python tests/benchmarks/backtest_history.py --rows 5000000`; with `--import` also of
taking the same rows into the embedded stores.

Writes daily files of 12 columns like those of a maker (device, date, model, failure, eight values), some of whose machines fail after a
week of signs, and backtests them at 7 days in a process of its own. Prints one line of JSON for each.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.csv as arrow_csv

DAYS = 400
MAPPING = """
[source]
files = "*.csv"
[columns]
device = "serial"
at = "date"
model = "model"
[metrics]
hours = { column = "hours", kind = "counter" }
errors = { column = "errors", kind = "counter" }
temperature = "temperature"
vibration = "vibration"
current = "current"
voltage = "voltage"
pressure = "pressure"
signal = "signal"
[failures]
column = "failed"
"""


def write(folder: Path, rows: int, seed: int = 1) -> Path:
    """``rows`` readings, one a day of rows / `DAYS` machines; gives the mapping."""
    rng = np.random.default_rng(seed)
    machines = max(rows // DAYS, 50)
    fails = np.where(rng.random(machines) < 0.1, rng.integers(20, DAYS, machines), 10**6)
    names, models = np.array([f"m{n:06d}" for n in range(machines)]), np.array(list("ABCDE"))[np.arange(machines) % 5]
    errors = rng.integers(0, 50, machines)
    for day in range(DAYS):
        left = fails - day
        here = left >= 0
        near = np.clip(8 - left, 0, 8) * here
        errors = errors + rng.poisson(0.1 + 0.3 * near)
        values = {
            name: rng.normal(10, 1, machines) for name in ("temperature", "current", "voltage", "pressure", "signal")
        }
        columns = {
            "serial": names,
            "date": np.repeat((date(2025, 1, 1) + timedelta(days=day)).isoformat(), machines),
            "model": models,
            "failed": (left == 0).astype(int),
            "hours": 1000 + 24 * day + np.arange(machines) % 9000,
            "errors": errors,
            "vibration": np.round(rng.normal(10, 1, machines) + 0.5 * near, 3),
            **{name: np.round(value, 3) for name, value in values.items()},
        }
        arrow_csv.write_csv(
            pa.table({name: column[here] for name, column in columns.items()}), folder / f"{day:03d}.csv"
        )
    mapping = folder / "mapping.toml"
    mapping.write_text(MAPPING)
    return mapping


def measured(command: Sequence[str], folder: Path) -> tuple[dict[str, Any], dict[str, float]]:
    """The answer of a command as JSON, and what it took."""
    before, began = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
    environment = {**os.environ, "HEARTHWATCH_DATA_DIR": str(folder / "var")}
    printed = subprocess.run(command, check=True, capture_output=True, env=environment).stdout
    seconds, used = time.perf_counter() - began, resource.getrusage(resource.RUSAGE_CHILDREN)
    cpu = used.ru_utime + used.ru_stime - before.ru_utime - before.ru_stime
    # The peak is of the largest child so far: the backtest, which comes first, takes more than the import.
    return json.loads(printed), {
        "seconds": round(seconds, 1),
        "cpu_seconds": round(cpu, 1),
        "gib": round(used.ru_maxrss / 2**20, 2),
    }


def main() -> None:
    """Generate, backtest, import if that is asked for, print."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--rows", type=int, default=5_000_000)
    options.add_argument("--import", action="store_true", dest="import_too")
    given = options.parse_args()
    with tempfile.TemporaryDirectory() as made:
        folder = Path(made)
        (folder / "history").mkdir()
        mapping = write(folder / "history", given.rows)
        paths = [str(folder / "history"), "--mapping", str(mapping), "--json"]
        hearthwatch = [sys.executable, "-m", "hearthwatch"]
        told, took = measured([*hearthwatch, "backtest", *paths], folder)
        answer = {
            "rows": told["readings"],
            "devices": told["devices"],
            "failures": told["failures"],
            **took,
            "observed_expected": round(told["test"]["observed_expected"], 3),
            "average_precision": round(told["test"]["average_precision"], 3),
        }
        sys.stdout.write(json.dumps(answer) + "\n")
        if given.import_too:
            told, took = measured([*hearthwatch, "import", *paths], folder)
            took.pop("gib")
            sys.stdout.write(json.dumps({"imported": told["stored"], **took}) + "\n")


if __name__ == "__main__":
    main()
