"""Time and memory of a backtest of many rows: `python tests/benchmarks/backtest_history.py --rows 5000000`.

Writes daily files of 12 columns like those of a maker (device, date, model, failure, eight values), some of whose machines fail after a
week of signs, and backtests them at 7 days in a process of its own. Prints one line of JSON.
"""

from __future__ import annotations

import argparse
import json
import resource
import subprocess
import sys
import tempfile
import time
from datetime import date, timedelta
from pathlib import Path

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


def main() -> None:
    """Generate, backtest, print."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--rows", type=int, default=5_000_000)
    rows = options.parse_args().rows
    with tempfile.TemporaryDirectory() as made:
        mapping = write(Path(made), rows)
        began = time.perf_counter()
        command = [sys.executable, "-m", "hearthwatch", "backtest", made, "--mapping", str(mapping), "--json"]
        told = json.loads(subprocess.run(command, check=True, capture_output=True).stdout)
        seconds = time.perf_counter() - began
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    answer = {
        "rows": told["readings"],
        "devices": told["devices"],
        "failures": told["failures"],
        "seconds": round(seconds, 1),
        "cpu_seconds": round(used.ru_utime + used.ru_stime, 1),
        "gib": round(used.ru_maxrss / 2**20, 2),
        "observed_expected": round(told["test"]["observed_expected"], 3),
        "average_precision": round(told["test"]["average_precision"], 3),
    }
    sys.stdout.write(json.dumps(answer) + "\n")


if __name__ == "__main__":
    main()
