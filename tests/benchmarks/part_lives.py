"""How good remaining lives and clocks are on built fleets whose truth is known: the figures of docs/prognosis.md.

    python -m tests.benchmarks.part_lives [--seeds 10] [--devices 130]

Relays wear with every cycle; the weekly job learns from one fleet, the daily one tells another of which it has seen nothing. Bands are
counted on parts at work whose true end is known from the simulation. Clocks: how often the better one is found, by the number of
failures there were to find it by. Fleets are those of the tests, other seeds.
"""

from __future__ import annotations

import argparse
import time
from collections import Counter
from datetime import timedelta

import numpy as np

from analytics.prognosis import prognose
from analytics.survival.cold_start import ColdStart, cold_start
from analytics.training.job import train
from hearthwatch.records.database import open_database
from hearthwatch.telemetry import open_store
from tests.unit.analytics.survival.test_clocks import worn_fleet
from tests.unit.analytics.survival.test_cold_start import NOW as CLOCK_NOW
from tests.unit.analytics.test_prognosis_wear import NOW, band, register, relays, told, write


def bands(seed: int, devices: int) -> tuple[list[tuple[float, float, float, float, float]], int, float]:
    """P10, P50, P90, cap and true days left of every relay of an unseen fleet; the failures learned from; CPU-seconds of the training."""
    store, database = open_store("duckdb://"), open_database("sqlite://")
    database.upgrade()
    known, unseen = relays(1000 + seed, devices, "known"), relays(2000 + seed, devices, "unseen")
    for fleet in (known, unseen):
        write(store, fleet)
    register(database, known)
    began = time.process_time()
    train(store, database, NOW, min_failures=20)
    took = time.process_time() - began
    register(database, unseen)
    prognose(store, database, NOW, alarm=0.999, relapse=timedelta(days=7))
    found = [(*band(row), days) for row, days in told(database, unseen.left, "unseen")]
    store.close()
    database.close()
    return found, int((known.fails < 300).sum()), took


def clocks(by_use: bool, devices: int, seeds: int) -> tuple[float, Counter[str]]:
    """Mean number of failures, and how often each clock was taken."""
    failures, taken = [], Counter[str]()
    for seed in range(seeds):
        labels, uses = worn_fleet(500 + seed, by_use=by_use, devices=devices)
        failures.append(len(labels.failures))
        learned = cold_start(labels, "relay", CLOCK_NOW, uses)
        taken[learned.clock if isinstance(learned, ColdStart) else "none"] += 1
    return float(np.mean(failures)), taken


def main() -> None:
    """Print both."""
    options = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    options.add_argument("--seeds", type=int, default=10)
    options.add_argument("--devices", type=int, default=130)
    given = options.parse_args()
    everything, failures, seconds = [], [], []
    for seed in range(given.seeds):
        found, learned_from, took = bands(seed, given.devices)
        everything += found
        failures.append(learned_from)
        seconds.append(took)
    p10, p50, p90, cap, days = np.array(everything).T
    truth = np.minimum(days, cap)
    print(
        f"{given.seeds} fleets of {given.devices} relays, {np.mean(failures):.0f} failures each, train {np.mean(seconds):.1f} CPU-s"
    )
    print(
        f"  {len(truth)} relays at work, {np.mean(days > cap):.1%} of them longer than the cap ({np.mean(cap):.0f} days)"
    )
    print(
        f"  within P10..P90 {np.mean((p10 <= truth) & (truth <= p90)):.1%}, sooner than P10 {np.mean(truth < p10):.1%}"
    )
    below = days < cap
    print(
        f"  of those that end before the cap: within {np.mean(((p10 <= truth) & (truth <= p90))[below]):.1%}, "
        f"sooner {np.mean((truth < p10)[below]):.1%}, later {np.mean((truth > p90)[below]):.1%}, "
        f"median error of P50 {np.median(np.abs(p50 - truth)[below]):.1f} days"
    )
    for by_use in (True, False):
        for devices in (30, 60, 120, 400):
            mean, taken = clocks(by_use, devices, 60)
            print(f"lives by {'cycles' if by_use else 'days'}, {mean:.0f} failures: {dict(taken)}")


if __name__ == "__main__":
    main()
