"""Late regressions: how soon the e-detector and the plain e-process find a leak that shows after weeks, and how often they are wrong.

    .venv/bin/python tests/benchmarks/cohort_late.py [--part delay|harmless|biased] [--replications N] [--jobs N] [--json]

200 devices have the release from day 0 on, 800 do not; lognormal frailty, bursts of 1.5 events, 14 days before the release (CUPED), looks
every twelve hours, margin 1.05, guard 30. From the onset on (each device begins at its own time within two days) the treated devices have
``ratio`` times the events. The detector is started anew every day; the last 28 starts and the first are kept. It alarms at a sum of 180,
the plain e-process at 20. A delay is counted from the onset, missed after 14 days counts 14; alarms before the onset are false. In the
part "biased" frail devices got the release first, and each device is compared with its own past (differences) instead of CUPED.
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

from analytics.sequential.cluster import Adjustment, Block, PastSums, RateSums, estimate
from analytics.sequential.detector import RUN_LENGTH_DAYS, late_log_e
from analytics.sequential.mixture import log_e_worse
from analytics.sequential.strata import Strata

Floats = NDArray[np.float64]

BURST = 1.5  # events of a burst: 1 + Poisson(0.5)
TREATED, CONTROL = 200, 800
LOOKS_PER_DAY = 2
KEPT_STARTS = 28
MARGIN, GUARD = 1.05, 30
LOG_20 = float(np.log(20.0))
LONGEST_DELAY = 14.0


@dataclass(frozen=True, slots=True)
class Cell:
    """One line: ``onset`` in days (None: harmless), ``days`` watched, ``per_day`` events of an average device."""

    part: str
    ratio: float
    per_day: float
    sigma: float
    onset: int | None
    days: int
    frail_first: bool = False


def cells() -> Iterator[Cell]:
    """All lines."""
    for onset in (7, 28):
        for per_day, ratio in ((0.5, 1.5), (0.5, 2.0), (0.2, 2.0), (0.2, 3.0)):
            yield Cell("delay", ratio, per_day, 1.0, onset, onset + int(LONGEST_DELAY))
    for sigma in (0.5, 1.0, 1.5):
        yield Cell("harmless", 1.0, 0.5, sigma, None, int(RUN_LENGTH_DAYS))
    yield Cell("biased", 1.0, 0.5, 1.0, None, 90, frail_first=True)
    yield Cell("biased", 2.0, 0.5, 1.0, 28, 42, frail_first=True)


def bursts(rng: np.random.Generator, rate: Floats) -> Floats:
    """Compound-Poisson counts of mean ``rate``."""
    starts = rng.poisson(rate / BURST)
    return (starts + rng.poisson((BURST - 1.0) * starts)).astype(np.float64)


def replicate(cell: Cell, number: int) -> tuple[float, float]:
    """Day of the first alarm of the detector and of the plain e-process, nan for none."""
    rng = np.random.default_rng(
        [number, round(10 * cell.sigma), round(10 * cell.per_day), round(10 * cell.ratio), cell.days]
    )
    devices, slots = TREATED + CONTROL, cell.days * LOOKS_PER_DAY
    own = np.exp(cell.sigma * rng.standard_normal(devices) - cell.sigma**2 / 2.0) * cell.per_day
    began = (cell.onset if cell.onset is not None else 10**6) + rng.random(devices) * 2.0
    eagerness = np.log(own) + rng.gumbel(size=devices) if cell.frail_first else -np.arange(devices)
    treated = np.isin(np.arange(devices), np.argsort(-eagerness)[:TREATED])
    adjustment: Adjustment = "differences" if cell.frail_first else "cuped"
    strata = Strata.of(np.zeros(devices, dtype=np.int64))
    before = bursts(rng, own * 14.0)[:, None]
    past = PastSums.nothing(devices).add(np.full((devices, 1), 14.0 * 24.0), before, strata).rates(1.0)
    hours = np.full((devices, 1), 24.0 / LOOKS_PER_DAY)
    sums = RateSums.nothing(devices)
    starts: list[RateSums] = []
    late, plain = float("nan"), float("nan")
    for slot in range(slots):
        day = slot / LOOKS_PER_DAY
        if slot % LOOKS_PER_DAY == 0:
            starts = [*starts[:1], *starts[1:][-(KEPT_STARTS - 1) :], sums]
        rate = own * np.where(treated & (day >= began), cell.ratio, 1.0) / LOOKS_PER_DAY
        events = bursts(rng, rate)[:, None]
        sums = sums.add(Block(hours, treated[:, None], events), strata)
        ended = day + 1.0 / LOOKS_PER_DAY
        if np.isnan(late) and late_log_e(sums, starts, past, adjustment, margin=MARGIN, guard=GUARD)[0] >= np.log(
            RUN_LENGTH_DAYS
        ):
            late = ended
        if np.isnan(plain) and _plain(sums, past, adjustment) >= LOG_20:
            plain = ended
    return late, plain


def _plain(sums: RateSums, past: Floats, adjustment: Adjustment) -> float:
    if min(np.count_nonzero(sums.events_treated), np.count_nonzero(sums.events_control)) < GUARD:
        return -np.inf
    found = estimate(sums, past, adjustment)
    return float(log_e_worse(found.theta - np.log(MARGIN), found.information))


def summarise(cell: Cell, found: Sequence[tuple[float, float]]) -> dict[str, Any]:
    """Shares of alarms, mean delays, and the mean days to a false alarm (days watched over alarms)."""
    row: dict[str, Any] = asdict(cell) | {"replications": len(found)}
    for name, alarms in zip(("detector", "plain"), np.array(found).T, strict=True):
        rang = np.isfinite(alarms)
        if cell.onset is None:
            watched = float(np.where(rang, alarms, cell.days).sum())
            row[f"{name}_false_percent"] = round(100.0 * float(rang.mean()), 2)
            row[f"{name}_run_length_days"] = round(watched / rang.sum()) if rang.any() else f"> {watched / 3.0:.0f}"
            continue
        early = alarms <= cell.onset
        delays = np.where(rang, alarms - cell.onset, LONGEST_DELAY)[~early]
        row[f"{name}_false_percent"] = round(100.0 * float(early.mean()), 2)
        row[f"{name}_found_percent"] = round(100.0 * float(rang[~early].mean()), 1)
        row[f"{name}_delay_days"] = round(float(delays.mean()), 2)
        row[f"{name}_delay_error"] = round(float(delays.std() / np.sqrt(delays.size)), 2)
    return row


def main() -> None:
    """Print one line for each cell."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--part", choices=("delay", "harmless", "biased"), action="append")
    parser.add_argument("--replications", type=int, default=100)
    parser.add_argument("--jobs", type=int, default=1)
    parser.add_argument("--json", action="store_true", help="print JSON lines instead of the table")
    options = parser.parse_args()
    if not options.json:
        print(
            "| part | events a day | ratio | onset, day | frailty | detector | plain e-process |\n|---|---|---|---|---|---|---|"
        )
    with ProcessPoolExecutor(options.jobs) as pool:
        for cell in cells():
            if options.part and cell.part not in options.part:
                continue
            found = list(pool.map(replicate, [cell] * options.replications, range(options.replications), chunksize=2))
            row = summarise(cell, found)
            print(json.dumps(row) if options.json else _line(row), flush=True)


def _line(row: dict[str, Any]) -> str:
    if row["onset"] is None:
        said = [
            f"{row[f'{name}_false_percent']} % in {row['days']} days, one in {row[f'{name}_run_length_days']} days"
            for name in ("detector", "plain")
        ]
    else:
        said = [
            f"{row[f'{name}_found_percent']} % / {row[f'{name}_delay_days']} d (false before: {row[f'{name}_false_percent']} %)"
            for name in ("detector", "plain")
        ]
    cells_ = [
        row["part"],
        row["per_day"],
        row["ratio"],
        row["onset"] if row["onset"] is not None else "–",
        row["sigma"],
        *said,
    ]
    return "| " + " | ".join(str(cell) for cell in cells_) + " |"


if __name__ == "__main__":
    main()
