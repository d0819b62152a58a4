"""``hearthwatch cohorts`` on a generated history of many rows: seconds and the most memory it took.

    .venv/bin/python tests/benchmarks/cohort_history.py --rows 5000000

Devices report every six hours; a tenth of them is of batch B3, which reboots and lags more; half got firmware 2.0 on the way.

    .venv/bin/python tests/benchmarks/cohort_history.py --null 200

compares that many small histories in which nothing matters, and prints in how many anything was called worse.
"""

from __future__ import annotations

import argparse
import json
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from tests.unit.analytics.cohorts.test_history_laws import answer, history

PER_DAY = 4
DAYS = 100
MAPPING = """
[source]
files = "readings.parquet"
[columns]
device = "device"
at = "at"
firmware = "firmware"
batch = "batch"
[metrics]
latency_s = { column = "latency_s", unit = "s", direction = "high" }
errors = { column = "errors", kind = "counter", direction = "high" }
[events]
files = "events.parquet"
device = "device"
at = "at"
kind = "kind"
code = "code"
"""


def write(folder: Path, rows: int, seed: int) -> int:
    """The history; returns how many devices it has."""
    rng = np.random.default_rng(seed)
    devices = max(200, rows // (PER_DAY * DAYS))
    names = np.array([f"d{number:06d}" for number in range(devices)])
    batch = np.array(["B1", "B2", "B3"])[rng.choice(3, devices, p=[0.5, 0.4, 0.1])]
    bad = batch == "B3"
    update = np.where(rng.random(devices) < 0.5, rng.integers(40, 60, devices), DAYS + 1)
    own = rng.lognormal(0.0, 0.7, devices)
    schema = None
    writer: Any = None
    for day in range(DAYS):
        at = np.repeat(day * 86_400 + np.arange(PER_DAY) * 21_600, devices)
        device = np.tile(np.arange(devices), PER_DAY)
        table = pa.table(
            {
                "device": names[device],
                "at": pa.array((at + 1_735_689_600) * 1_000_000, pa.timestamp("us", "UTC")),
                "firmware": np.where(day >= update[device], "2.0", "1.0"),
                "batch": batch[device],
                "latency_s": 0.3 * own[device] * np.where(bad[device], 1.3, 1.0) * rng.lognormal(0.0, 0.3, device.size),
                "errors": rng.poisson(0.02 * (day + 1) * own[device]).astype(float),
            }
        )
        schema = schema or table.schema
        writer = writer or pq.ParquetWriter(folder / "readings.parquet", schema)
        writer.write_table(table)
    writer.close()
    happened = rng.poisson(0.1 * own * np.where(bad, 1.5, 1.0) * DAYS)
    device = np.repeat(np.arange(devices), happened)
    when = rng.integers(0, DAYS * 86_400, device.size) + 1_735_689_600
    kinds = {"kind": ["reboot"] * device.size, "code": ["panic"] * device.size}
    stamps = pa.array(when * 1_000_000, pa.timestamp("us", "UTC"))
    pq.write_table(pa.table({"device": names[device], "at": stamps, **kinds}), folder / "events.parquet")
    (folder / "mapping.toml").write_text(MAPPING)
    return devices


def false_alarms(histories: int) -> None:
    """How many harmless histories are called worse in anything, by firmware (each device's own past) and by lot (exchangeable)."""
    for by in ("firmware", "lot"):
        worse = same = 0
        for seed in range(histories):
            found = answer(history(10_000 + seed, 1.0), by)["comparisons"]
            worse += any(one["verdict"] == "worse" for one in found)
            same += sum(one["verdict"] == "same" for one in found)
        print(f"by {by}: {worse} of {histories} histories called worse in anything; {same} comparisons the same")


def main() -> None:
    """Write a history, compare it, print what it took."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=5_000_000)
    parser.add_argument("--by", default="batch")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--null", type=int, default=0)
    given = parser.parse_args()
    if given.null:
        false_alarms(given.null)
        return
    with tempfile.TemporaryDirectory() as made:
        folder = Path(made)
        devices = write(folder, given.rows, given.seed)
        command = [sys.executable, "-m", "hearthwatch", "cohorts", made, "--mapping", str(folder / "mapping.toml")]
        began = time.perf_counter()
        done = subprocess.run([*command, "--by", given.by, "--json"], check=True, capture_output=True)
        seconds = time.perf_counter() - began
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    print(
        f"{devices} devices, {devices * PER_DAY * DAYS} rows: {seconds:.0f} s, of which {used.ru_utime:.0f} s computing"
    )
    print(f"at most {used.ru_maxrss / 1024:.0f} MB of memory")
    for one in json.loads(done.stdout)["comparisons"]:
        print(f"{one['treatment']:6} {one['metric']:20} {one['verdict']:10} {one['ratio']:.2f}")


if __name__ == "__main__":
    main()
