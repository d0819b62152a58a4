"""The study behind the cohort watch: false alarms and time to detection over simulated releases.

    .venv/bin/python tests/benchmarks/cohort_study.py               # a first impression (40 replications a cell)
    .venv/bin/python tests/benchmarks/cohort_study.py --replications 1000 --jobs 2 --part s1

Part s1: both arms from the start, hourly looks for 14 days. Part rare: the same at 0.02 events a day. Part s2: staged roll-outs, looks
every six hours, with and without bias. Part demo: 200 and fewer devices per arm. See docs/cohorts.md for how to read the tables.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from tests.benchmarks.cohort_fleet import parallel_arms, staged
from tests.benchmarks.cohort_trial import Trial, watch

ALPHAS = (0.05, 0.10)
HORIZON = 14.0


@dataclass(frozen=True, slots=True)
class Cell:
    """One line of a table."""

    part: str
    name: str
    devices: int
    ratio: float
    fleet: dict[str, Any]
    trial: dict[str, Any] = field(default_factory=dict)


def cells() -> Iterator[Cell]:
    """All lines."""
    for devices, ratio in _parallel_grid():
        fleet = {"treated": devices, "control": 4000, "ratio": ratio, "per_day": 0.5}
        yield Cell("s1", "frailty 1", devices, ratio, fleet, {"adjustment": "cuped"})
    for sigma in (0.5, 1.5):
        fleet = {"treated": 200, "control": 4000, "ratio": 1.0, "per_day": 0.5, "sigma": sigma}
        yield Cell("s1", f"frailty {sigma:g}", 200, 1.0, fleet, {"adjustment": "cuped"})
    for devices, ratio in ((200, 1.3), (200, 2.0), (1000, 1.3)):
        fleet = {"treated": devices, "control": 4000, "ratio": ratio, "per_day": 0.5, "concentrated": 0.1}
        yield Cell("s1", "in 10 % of devices", devices, ratio, fleet, {"adjustment": "cuped"})
    for devices, ratio in ((200, 1.0), (1000, 1.0), (4000, 1.0), (200, 2.0), (200, 3.0), (1000, 1.3), (1000, 2.0)):
        fleet = {"treated": devices, "control": 4000, "ratio": ratio, "per_day": 0.02}
        yield Cell("rare", "0.02 a day", devices, ratio, fleet, {"adjustment": "cuped"})
    yield from _staged_cells()
    for devices, per_day, ratio in ((25, 0.2, 2.5), (50, 0.2, 2.5), (100, 0.1, 2.5), (200, 0.2, 2.5), (200, 0.2, 2.0)):
        fleet = {"treated": devices, "control": devices, "ratio": ratio, "per_day": per_day}
        yield Cell("demo", f"{per_day:g} a day, equal arms", devices, ratio, fleet, {"adjustment": "cuped"})


def _parallel_grid() -> Iterator[tuple[int, float]]:
    for devices in (50, 200, 1000, 4000):
        for ratio in (1.0, 1.3, 2.0, 3.0):
            if devices < 4000 or ratio < 2.0:
                yield devices, ratio


def _staged_cells() -> Iterator[Cell]:
    scenarios: tuple[tuple[str, dict[str, Any]], ...] = (
        ("randomised waves", {}),
        ("+ two regional outages", {"outages": True}),
        ("+ new hardware first", {"outages": True, "new_hardware_first": True}),
        ("+ frail devices first", {"outages": True, "new_hardware_first": True, "bias": 1.0}),
        ("+ after recent trouble", {"outages": True, "new_hardware_first": True, "bias": 1.0, "trouble": True}),
    )
    common = {"slots_per_look": 1, "burn_in_hours": 24.0}
    for name, options in scenarios:
        for ratio in (1.0, 1.3):
            fleet = {"devices": 4000, "ratio": ratio, "per_day": 0.5, **options}
            if not options.get("bias"):
                yield Cell("s2", f"{name}: CUPED", 4000, ratio, fleet, {"adjustment": "cuped", **common})
            for margin in (1.0, 1.05):
                trial = {"adjustment": "differences", "margin": margin, "washout_slots": 12, **common}
                yield Cell("s2", f"{name}: differences, margin {margin:g}", 4000, ratio, fleet, trial)
    for per_day, sigma in ((0.5, 1.0), (0.5, 0.5), (0.02, 1.0)):
        fleet = {"devices": 4000, "ratio": 1.0, "per_day": per_day, "sigma": sigma}
        yield Cell(
            "s2",
            f"first events, {per_day:g} a day, frailty {sigma:g}",
            4000,
            1.0,
            fleet,
            {"adjustment": "cuped", **common},
        )


def replicate(cell: Cell, number: int) -> dict[str, float]:
    """Day of the alarm (nan for none) by test and alpha, and e of the first events at the end."""
    rng = np.random.default_rng(
        [2026, number, cell.devices, round(100 * cell.ratio), sum(map(ord, cell.part + cell.name))]
    )
    make: Callable[..., Any] = staged if "devices" in cell.fleet else parallel_arms
    trial: Trial = watch(make(rng, **cell.fleet), **cell.trial)
    found = {
        f"{name} {alpha:g}": trial.alarm(values, alpha)
        for name, values in (("rate", trial.rate), ("first", trial.first), ("combined", trial.combined))
        for alpha in ALPHAS
    }
    return {**found, "capped e": float(np.minimum(np.exp(trial.first[-1]), 100.0))}


def summarise(cell: Cell, found: Sequence[dict[str, float]]) -> dict[str, Any]:
    """Shares detected by day 14 and mean days (missed = 14)."""
    row: dict[str, Any] = {key: value for key, value in asdict(cell).items() if key not in {"fleet", "trial"}}
    row |= {"adjustment": cell.trial["adjustment"], "replications": len(found)}
    for key in found[0]:
        values = np.array([one[key] for one in found])
        if key == "capped e":
            row["first_mean_capped_e"] = round(float(values.mean()), 3)
            row["first_mean_capped_e_se"] = round(float(values.std() / np.sqrt(values.size)), 3)
            continue
        row[key] = round(100.0 * float(np.isfinite(values).mean()), 2)
        row[f"{key} days"] = round(float(np.where(np.isfinite(values), values, HORIZON).mean()), 2)
    return row


def main() -> None:
    """Run the chosen part and print one line for each cell."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--replications", type=int, default=40)
    parser.add_argument("--jobs", type=int, default=1)
    parser.add_argument("--part", choices=("s1", "rare", "s2", "demo"), action="append")
    parser.add_argument("--devices", type=int, help="only the cells with so many treated devices")
    parser.add_argument("--null-only", action="store_true", help="only the cells with ratio 1")
    parser.add_argument("--json", action="store_true", help="print JSON lines instead of the table")
    options = parser.parse_args()
    if not options.json:
        print(
            "| part | scenario | devices | ratio | rate e | first e | the stream's e | at .10 | s |\n|---|---|---|---|---|---|---|---|---|"
        )
    with ProcessPoolExecutor(options.jobs) as pool:
        for cell in cells():
            if not _is_wanted(cell, options):
                continue
            began = time.perf_counter()
            numbers = range(options.replications)
            found = list(pool.map(replicate, [cell] * options.replications, numbers, chunksize=4))
            row = summarise(cell, found)
            print(json.dumps(row) if options.json else _line(row, time.perf_counter() - began), flush=True)


def _is_wanted(cell: Cell, options: argparse.Namespace) -> bool:
    if options.part and cell.part not in options.part:
        return False
    if options.devices and cell.devices != options.devices:
        return False
    return cell.ratio == 1.0 or not options.null_only


def _line(row: dict[str, Any], seconds: float) -> str:
    spoken = {
        name: f"{row[f'{name} 0.05']:.1f} % / {row[f'{name} 0.05 days']:.2f} d"
        for name in ("rate", "first", "combined")
    }
    lax = f"{row['combined 0.1']:.1f} %"
    if (
        row["adjustment"] == "differences"
    ):  # where the waves were not randomised, first events may not speak and the rate stands alone
        spoken |= {"first": "–", "combined": spoken["rate"]}
        lax = f"{row['rate 0.1']:.1f} %"
    cells_ = " | ".join(spoken.values())
    return f"| {row['part']} | {row['name']} | {row['devices']} | {row['ratio']} | {cells_} | {lax} | {seconds:.0f} |"


if __name__ == "__main__":
    main()
