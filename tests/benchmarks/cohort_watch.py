"""How long a look at the releases takes, in the real embedded stores.

    .venv/bin/python tests/benchmarks/cohort_watch.py --devices 400 --days 28 --step 2

Prints seconds per call of the job (mean, median, slowest; processor time of all threads) when the release was found, and the last look.
"""

from __future__ import annotations

import argparse
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from hearthwatch.records import cohort_looks
from hearthwatch.records.database import open_database
from hearthwatch.telemetry import open_store
from tests.unit.analytics.cohorts.scene import Scene

PRE_DAYS = 10


def main() -> None:
    """Play a staged roll-out of a release that makes devices reboot more often, and time every look."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--devices", type=int, default=400)
    parser.add_argument("--days", type=int, default=28)
    parser.add_argument("--ratio", type=float, default=2.5, help="what the release does to reboots")
    parser.add_argument("--step", type=int, default=2, help="hours between looks")
    parser.add_argument(
        "--gauges", action="store_true", help="devices also tell battery, latency, memory, uptime and boots"
    )
    options = parser.parse_args()
    rng = np.random.default_rng(1)
    database, store = open_database("sqlite://"), open_store("duckdb://")
    database.upgrade()
    update = np.full(options.devices, 10**6)
    half = options.devices // 2
    update[:half] = PRE_DAYS * 24 + rng.integers(0, 72, half)
    rate = 0.2 * rng.lognormal(-0.5, 1.0, options.devices)
    scene = Scene(store, database, update, rate=rate, ratio=options.ratio, days=options.days)
    if options.gauges:
        scene.metrics = _gauges(scene, rng)
    scene.register()
    release = scene.release(PRE_DAYS * 24)
    scene.play(0, PRE_DAYS * 24)
    seconds, processor, found = [], 0.0, None
    for hour in range(PRE_DAYS * 24, options.days * 24, options.step):
        scene.play(hour, hour + options.step)
        began, worked = time.perf_counter(), time.process_time()
        answer = scene.look(hour + options.step)
        seconds.append(time.perf_counter() - began)
        processor += time.process_time() - worked
        if answer["worse"] and found is None:
            found = (hour + options.step) / 24 - PRE_DAYS
    print(
        f"{options.devices} devices, {len(seconds)} looks: mean {np.mean(seconds):.3f} s, median {np.median(seconds):.3f} s, "
        f"slowest {np.max(seconds):.3f} s, processor {processor / len(seconds):.3f} s a look; "
        + (f"worse after {found:.2f} days" if found else "not found")
    )
    with database.reading() as connection:
        last = cohort_looks.list_looks(connection, release.id, metric="unexpected_reboots")[-1]
    print(f"last look, {last.at:%Y-%m-%d}: {last.why}")


def _gauges(scene: Scene, rng: np.random.Generator) -> dict[str, np.ndarray[Any, np.dtype[np.float64]]]:
    """What devices tell besides: nothing of it depends on the release."""
    shape = scene.reboots.shape
    boots = np.cumsum(scene.reboots, axis=1)
    hours = np.arange(shape[1])
    last = np.maximum.accumulate(np.where(scene.reboots > 0, hours, -50), axis=1)
    drain = 0.5 / 24 * rng.lognormal(0.0, 0.5, shape[0])
    return {
        "battery_pct": 95.0 - drain[:, None] * hours + rng.normal(0.0, 0.1, shape),
        "actuation_s": rng.lognormal(-0.2, 0.2, shape),
        "free_heap_bytes": 200_000.0 + rng.normal(0.0, 500.0, shape),
        "uptime_s": (hours - last) * 3600.0 + 1800.0,
        "boot_count": boots + 5.0,
    }


if __name__ == "__main__":
    main()
