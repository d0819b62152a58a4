"""How often standing comparisons are wrong, and find what is there: simulated fleets in the real stores, looked at once a day.

    .venv/bin/python tests/benchmarks/cohort_dimensions.py --replications 100
    .venv/bin/python tests/benchmarks/cohort_dimensions.py --replications 50 --ratio 2

200 devices of lognormal frailty (sigma 1), half a reboot a day. *batch*: half of them are of batch B7, four in five of which run a firmware
that reboots three times as often, one in five of the others. *moved*: the frailer half moves to another region on the 19th day. --ratio is
what the batch or the region itself does (1: nothing). From day 18 on there are 14 looks, margin 1.05, one comparison alone.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Mapping
from datetime import timedelta
from pathlib import Path
from typing import Any

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from analytics.cohorts.dimension_watch import judge_comparisons, weigh_comparisons
from hearthwatch.records import attributes, comparison_looks, comparisons, devices
from hearthwatch.records.database import open_database
from hearthwatch.telemetry import open_store
from tests.unit.analytics.cohorts.scene import HOUR, START, Scene

DEVICES, DAYS, SINCE = 200, 32, 18
NEVER = 10**6
OPTIONS: Mapping[str, Any] = {"margin": 1.05, "guard": 30}
JUDGING: Mapping[str, Any] = {"page_fdr": 0.10, "watch_fdr": 0.20, "relapse": timedelta(days=7)}


def main() -> None:
    """Print, for both kinds of comparison, in how many fleets it was called worse, and on which day."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--replications", type=int, default=100)
    parser.add_argument("--ratio", type=float, default=1.0)
    parser.add_argument("--speed", action="store_true", help="measure looks within 2,000 devices instead")
    given = parser.parse_args()
    if given.speed:
        speed(2_000)
        return
    for kind in ("batch", "moved"):
        days = [replication(kind, given.ratio, seed) for seed in range(given.replications)]
        found = [day for day in days if day is not None]
        mean = f", on average on day {np.mean(found):.1f} after it began" if found else ""
        print(f"{kind}, ratio {given.ratio}: worse in {len(found)} of {len(days)}{mean}", flush=True)


def speed(size: int) -> None:
    """Processor time of the first look after a start, of two hourly ones, and of the first of the next day."""
    store, database = open_store("duckdb://"), open_database("sqlite://")
    database.upgrade()
    update = np.where(np.arange(size) % 3 == 0, 24, NEVER)
    scene = Scene(store, database, update, np.full(size, 0.3), days=DAYS)
    scene.register()
    with database.transaction() as connection:
        attributes.tell(connection, [(name, "batch", f"B{n % 2}") for n, name in enumerate(scene.ids)], START)
    scene.play(0, DAYS * 24)
    _ask(scene, "batch", "B1", None)
    for hour in ((DAYS - 1) * 24 + 5, (DAYS - 1) * 24 + 6, (DAYS - 1) * 24 + 7, DAYS * 24):
        began = time.process_time()
        _look(scene, hour)
        print(f"look at hour {hour}: {time.process_time() - began:.2f} s of processor time")


def replication(kind: str, ratio: float, seed: int) -> int | None:
    """The day after the comparison began on which it was first called worse, or None."""
    rng = np.random.default_rng(seed)
    store, database = open_store("duckdb://"), open_database("sqlite://")
    database.upgrade()
    try:
        scene = _batch(store, database, ratio, rng) if kind == "batch" else _moved(store, database, ratio, rng)
        scene.play(0, DAYS * 24)
        by, value = ("batch", "B7") if kind == "batch" else ("region", "south")
        return _first_worse(scene, by, value)
    finally:
        store.close()
        database.close()


def _batch(store: Any, database: Any, ratio: float, rng: np.random.Generator) -> Scene:
    mine = np.arange(DEVICES) < DEVICES // 2
    new = rng.random(DEVICES) < np.where(mine, 0.8, 0.2)
    rate = 0.5 * rng.lognormal(-0.5, 1.0, DEVICES) * np.where(mine, ratio, 1.0)
    scene = Scene(
        store, database, np.where(new, 24, NEVER), rate, ratio=3.0, days=DAYS, seed=int(rng.integers(1 << 30))
    )
    scene.register()
    with database.transaction() as connection:
        told = [(name, "batch", "B7" if one else "B8") for name, one in zip(scene.ids, mine, strict=True)]
        attributes.tell(connection, told, START)
    return scene


def _moved(store: Any, database: Any, ratio: float, rng: np.random.Generator) -> Scene:
    rate = 0.5 * np.sort(rng.lognormal(-0.5, 1.0, DEVICES))[::-1]
    scene = Scene(store, database, np.full(DEVICES, NEVER), rate, days=DAYS, seed=int(rng.integers(1 << 30)))
    scene.register()
    movers, hours = np.arange(DEVICES) < DEVICES // 2, np.arange(DAYS * 24)
    times = np.where(movers[:, None] & (hours >= (SINCE + 1) * 24), ratio, 1.0)
    scene.reboots = rng.poisson(rate[:, None] / 24 * times)
    with database.transaction() as connection:
        for place in np.flatnonzero(movers).tolist():
            at = START + (SINCE + 1) * 24 * HOUR
            devices.update(connection, scene.ids[place], None, {"region": "south"}, at)
    return scene


def _first_worse(scene: Scene, by: str, value: str) -> int | None:
    _ask(scene, by, value, "unexpected_reboots")
    for day in range(SINCE + 1, DAYS + 1):
        _look(scene, day * 24)
        with scene.database.reading() as connection:
            if any(look.verdict == "worse" for look in comparison_looks.latest(connection)):
                return day - SINCE
    return None


def _ask(scene: Scene, by: str, value: str, metric: str | None) -> None:
    since = START + SINCE * 24 * HOUR
    with scene.database.transaction() as connection:
        comparisons.create(
            connection,
            model="lock",
            by=by,
            treatment=value,
            metric=metric,
            since=since,
            now=since,
            actor="benchmark",
        )


def _look(scene: Scene, hour: int) -> None:
    now, burn_in = START + hour * HOUR, timedelta(hours=24)
    weighed = weigh_comparisons(scene.store, scene.database, now, burn_in=burn_in, **OPTIONS)
    judge_comparisons(scene.database, weighed, **OPTIONS, **JUDGING)


if __name__ == "__main__":
    main()
