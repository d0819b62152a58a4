"""How often the watch for late regressions is wrong where devices were not drawn by lot: difference in differences, restarted every day.

    .venv/bin/python tests/benchmarks/cohort_late_biased.py [--replications N] [--days D] [--devices N]

A harmless release (ratio 1) in waves of 1, 5, 20 and 50 % of a fleet (`analytics.suites.cohort_fleets.staged`: frailty 1, 0.5 events a
day), each device against its own fortnight before, with a wash-out of three days; two looks a day, margin 1.05, guard 30, restarts of 28
days and the first. Prints how many releases raise an alarm at the sum of one stream (180) and at that of six (1,080).
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from analytics.sequential.cluster import Block, PastSums, RateSums
from analytics.sequential.detector import RUN_LENGTH_DAYS, late_log_e
from analytics.sequential.strata import Strata
from analytics.suites.cohort_fleets import staged

ADOPTION: Mapping[str, Mapping[str, Any]] = {
    "frail devices first": {"bias": 1.0},
    "after recent trouble": {"trouble": True},
    "by lot, with two regional outages": {"outages": True},
}
LOOK_HOURS, BURN_IN_LOOKS, PAST_DAYS, KEPT = 12.0, 2, 14, 28


def largest_log_e(seed: int, devices: int, days: int, adoption: Mapping[str, Any]) -> float:
    """The largest value of the detector over all looks at one release."""
    rng = np.random.default_rng(seed)
    fleet = staged(rng, devices=devices, ratio=1.0, per_day=0.5, days=days, slot_hours=LOOK_HOURS, **adoption)
    strata, events = Strata.of(fleet.stratum), fleet.dense()
    before = fleet.before[:, :PAST_DAYS].astype(np.float64)
    past = PastSums.nothing(devices).add(np.full(before.shape, 24.0), before, strata).rates(24.0)
    sums, largest = RateSums.nothing(devices), -np.inf
    starts: list[RateSums] = []
    for look in range(fleet.slots):
        if look % 2 == 0:
            starts = [*starts[:1], *starts[1:][-(KEPT - 1) :], sums]
        settled = (look < fleet.update) | (look >= fleet.update + BURN_IN_LOOKS)
        hours = np.where(settled, LOOK_HOURS, 0.0)[:, None]
        happened = np.where(hours > 0, events[:, look : look + 1], 0.0)
        sums = sums.add(Block(hours, (fleet.update <= look)[:, None], happened), strata)
        largest = max(largest, late_log_e(sums, starts, past, "differences", margin=1.05, guard=30)[0])
    return largest


def main() -> None:
    """Print a line for each way of adoption."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--replications", type=int, default=60)
    parser.add_argument("--days", type=int, default=42)
    parser.add_argument("--devices", type=int, default=2000)
    options = parser.parse_args()
    for name, adoption in ADOPTION.items():
        found = np.array(
            [largest_log_e(n, options.devices, options.days, adoption) for n in range(options.replications)]
        )
        alone, six = ((found >= np.log(RUN_LENGTH_DAYS * streams)).sum() for streams in (1, 6))
        print(
            f"{name}: {alone} alarms at {RUN_LENGTH_DAYS:.0f}, {six} at six times that, in {found.size} x {options.days} days"
        )


if __name__ == "__main__":
    main()
