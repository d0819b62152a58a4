"""How well probabilities are calibrated when failures come in crowds: simulated fleets, the backtest's own model and calibration.

    .venv/bin/python -m tests.benchmarks.crowded_failures [KIND] [FLEETS] [FIRST SEED] [ITERATIONS LEAVES]

Prints a line for each kind of fleet, means over fleets of: calibration slope (1 is right) with its spread from fleet to fleet, how many of
the fleets have 1 in its 95 % intervals by device and by day, average precision, Brier skill against age alone, skill in log-likelihood
against the same, and observed/expected. Asserts nothing.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import Any

import numpy as np

from analytics import hazard
from analytics.backtest.case import Case
from analytics.backtest.predicting import predict
from analytics.backtest.rows import rows_of
from analytics.intervals import SCORES, Judged, intervals
from analytics.panel import Flags, Floats
from tests.unit.analytics.crowded_fleet import WORLDS, case

FEWEST_FAILING = 10
REPLICATIONS = 200


def measures(of: Case, replications: int = REPLICATIONS) -> dict[str, dict[str, float]] | None:
    """What is told of devices seen and unseen is worth; None where too few fail to say."""
    train, test = rows_of(of)
    if min(len(np.unique(rows.device[rows.failed])) for rows in (train, test)) < FEWEST_FAILING:
        return None
    told = predict(of, train, test)
    found: dict[str, dict[str, float]] = {}
    for name, said in (("known", told.known), ("unseen", told.unseen)):
        fails_on = np.where(test.failed, test.day + np.where(test.failed, test.to_failure, 0), -1).astype(np.int64)
        judged = Judged(said, told.by_age, test.failed, test.device, test.day, fails_on)
        values: dict[str, Any] = intervals(judged, replications=replications)
        found[name] = {score: values[score]["value"] for score in SCORES}
        slope = values["calibration_slope"]
        held = [low <= 1 <= high for low, high in (slope[way] for way in ("by_device", "by_day")) if low is not None]
        found[name]["holds_1"] = float(len(held) == 2 and all(held))
        found[name]["log_skill"] = 1 - _loss(said, test.failed) / _loss(told.by_age, test.failed)
    return found


def _loss(probability: Floats, failed: Flags) -> float:
    p = np.clip(probability, 1e-9, 1 - 1e-9)
    return float(-np.mean(np.where(failed, np.log(p), np.log1p(-p))))


def main(kinds: Sequence[str], fleets: int, first: int) -> None:
    """Print the table."""
    print(
        "fleets | rows | n | slope | sd | with 1 in its intervals | average precision | Brier skill | log skill | observed/expected"
    )
    for world in kinds:
        of = WORLDS[world]
        every = [found for seed in range(first, first + fleets) if (found := measures(case(seed, of))) is not None]
        for rows in ("known", "unseen"):
            told = {name: np.array([one[rows][name] for one in every], dtype=np.float64) for name in every[0][rows]}
            ratio = np.exp(np.nanmean(np.log(told["observed_expected"])))
            slope = told["calibration_slope"]
            means = [np.nanmean(told[name]) for name in ("average_precision", "brier_skill", "log_skill")]
            cells = [
                f"{np.nanmean(slope):.2f}",
                f"{np.nanstd(slope):.2f}",
                f"{np.sum(told['holds_1']):.0f}",
                *(f"{mean:.4f}" for mean in means),
                f"{ratio:.2f}",
            ]
            print(" | ".join([world, rows, str(len(every)), *cells]), flush=True)


if __name__ == "__main__":
    words = sys.argv[1:]
    chosen = [words.pop(0)] if words and words[0] in WORLDS else list(WORLDS)
    numbers = [int(word) for word in words]
    if numbers[2:]:
        hazard.ITERATIONS, hazard.LEAVES = numbers[2:4]
    main(chosen, *(numbers[:2] + [8, 700][len(numbers[:2]) :]))
