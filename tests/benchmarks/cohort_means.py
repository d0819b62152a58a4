"""Means: how often a harmless release is blamed for its battery drain, and how soon a worse one is found, with and without cleaning.

    .venv/bin/python tests/benchmarks/cohort_means.py [--replications N] [--jobs N] [--json]

200 or 1,000 devices have the release, 2,000 do not. Drain in per cent a day is lognormal between devices (sigma 0.5) and from day to day
(sigma 0.6), and one device-day in a hundred is a glitch of ten times as much. 14 days before and 14 days after, a look a day, alarm at
e = 20, no margin, guard 30. The cap is the 99.5 % quantile of the control's device-days before the release. Missed counts 14 days.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from analytics.sequential.cluster import Block, PastSums
from analytics.sequential.looks import RateLooks, rate_looks
from analytics.sequential.mixture import TAU_MEAN
from analytics.sequential.strata import Strata
from analytics.sequential.winsor import winsor_cap, winsorised

Floats = NDArray[np.float64]

CONTROL = 2000
DAYS = 14
BETWEEN, WITHIN = 0.5, 0.6
GLITCHES, GLITCH = 0.01, 10.0
PER_DAY = 3.0  # per cent of charge
LOG_20 = float(np.log(20.0))
WAYS = ("plain", "CUPED", "winsorised", "CUPED and winsorised")


@dataclass(frozen=True, slots=True)
class Cell:
    """One line: so many devices have the release, whose drain is ``more`` (0.1: a tenth) above what it was."""

    devices: int
    more: float


def cells() -> Iterator[Cell]:
    """All lines."""
    for devices in (200, 1000):
        for more in (0.0, 0.05, 0.10, 0.30):
            yield Cell(devices, more)


def amounts(rng: np.random.Generator, own: Floats, days: int) -> Floats:
    """Drain of each device and day, shape (devices, days)."""
    usual = own[:, None] * np.exp(WITHIN * rng.standard_normal((own.size, days)))
    return np.where(rng.random(usual.shape) < GLITCHES, GLITCH * usual, usual)


def replicate(cell: Cell, number: int) -> dict[str, float]:
    """Day of the alarm by way, nan for none."""
    rng = np.random.default_rng([number, cell.devices, round(100 * cell.more)])
    devices = cell.devices + CONTROL
    treated = np.arange(devices) < cell.devices
    own = PER_DAY * np.exp(BETWEEN * rng.standard_normal(devices))
    before = amounts(rng, own, DAYS)
    after = amounts(rng, own * np.where(treated, 1.0 + cell.more, 1.0), DAYS)
    cap = winsor_cap(before[~treated])
    cleaned = [winsorised(one, np.ones_like(one), cap) for one in (before, after)]
    found = {}
    for name, (past, watched) in (("", (before, after)), ("winsorised", cleaned)):
        looks = _looks(past, watched, treated)
        for adjustment in ("none", "cuped"):
            way = " and ".join(word for word in ("CUPED" if adjustment == "cuped" else "", name) if word) or "plain"
            hits = np.flatnonzero(looks.log_e(adjustment, tau=TAU_MEAN) >= LOG_20)
            found[way] = float(hits[0] + 1) if hits.size else float("nan")
    return found


def _looks(past: Floats, watched: Floats, treated: NDArray[np.bool_]) -> RateLooks:
    """Device-days are the exposure, amounts what happens in them."""
    strata, days = Strata.of(np.zeros(treated.size, dtype=np.int64)), np.ones_like(watched)
    own_past = PastSums.nothing(treated.size).add(np.ones_like(past), past, strata).rates(1.0)
    return rate_looks(Block(days, np.repeat(treated[:, None], watched.shape[1], axis=1), watched), strata, [own_past])


def summarise(cell: Cell, found: Sequence[dict[str, float]]) -> dict[str, Any]:
    """Shares found by day 14, their standard errors and mean days."""
    row: dict[str, Any] = asdict(cell) | {"replications": len(found)}
    for way in WAYS:
        days = np.array([one[way] for one in found])
        share = float(np.isfinite(days).mean())
        row[way] = round(100.0 * share, 2)
        row[f"{way} error"] = round(100.0 * float(np.sqrt(share * (1.0 - share) / days.size)), 2)
        row[f"{way} days"] = round(float(np.where(np.isfinite(days), days, DAYS).mean()), 2)
    return row


def main() -> None:
    """Print one line for each cell."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--replications", type=int, default=200)
    parser.add_argument("--jobs", type=int, default=1)
    parser.add_argument("--json", action="store_true", help="print JSON lines instead of the table")
    options = parser.parse_args()
    if not options.json:
        print(f"| devices | more drain | {' | '.join(WAYS)} |\n|---|---|---|---|---|---|")
    with ProcessPoolExecutor(options.jobs) as pool:
        for cell in cells():
            numbers = range(options.replications)
            row = summarise(cell, list(pool.map(replicate, [cell] * len(numbers), numbers, chunksize=8)))
            said = " | ".join(f"{row[way]} % / {row[f'{way} days']} d" for way in WAYS)
            print(
                json.dumps(row) if options.json else f"| {cell.devices} | {100 * cell.more:.0f} % | {said} |",
                flush=True,
            )


if __name__ == "__main__":
    main()
