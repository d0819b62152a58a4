"""One replication of a cell, and what many of them amount to: ours and the rivals, on the same simulated fleet."""

from __future__ import annotations

import zlib
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from analytics.suites import cohort_discoveries as discoveries
from analytics.suites import cohort_fleets, cohort_rivals
from analytics.suites.cohort_cells import ALPHA, HORIZON, Cell, DiscoveryCell
from analytics.suites.cohort_trials import watch_all

OURS = "hearthwatch"
PARTS = ("rate", "first")
Found = Mapping[str, Any]


def replicate(cell: Cell | DiscoveryCell, numbers: Sequence[int], seed: int) -> dict[int, Found]:
    """What each replication of a cell found, by its number; one depends on these alone, not on what ran before or beside it."""
    generators = [np.random.default_rng([seed, zlib.crc32(cell.name.encode()), number]) for number in numbers]
    if isinstance(cell, DiscoveryCell):
        simulated = (discoveries.simulate(rng, cohorts=cell.cohorts, bad=cell.bad) for rng in generators)
        return {number: discoveries.judged(streams) for number, streams in zip(numbers, simulated, strict=True)}
    return dict(zip(numbers, _alarms(cell, generators), strict=True))


def _alarms(cell: Cell, generators: Sequence[np.random.Generator]) -> Iterator[Found]:
    """Day of the first alarm by method, None for none."""
    make = getattr(cohort_fleets, cell.maker)
    size = {"devices": cell.devices} if cell.maker == "staged" else {"treated": cell.devices}
    fleets = [make(rng, ratio=cell.ratio, sigma=cell.frailty, **size, **cell.fleet) for rng in generators]
    for fleet, trial in zip(fleets, watch_all(fleets, cell.plan), strict=True):
        days = {OURS: trial.alarm(trial.combined, ALPHA), "rate": trial.alarm(trial.rate, ALPHA)}
        days["first"] = trial.alarm(trial.first, ALPHA)
        days |= cohort_rivals.alarms(fleet, cell.plan.burn_in_hours, cell.plan.guard, counted=cell.counted)
        yield {method: None if np.isnan(day) else round(day, 6) for method, day in days.items()}


def rows(cell: Cell | DiscoveryCell, found: Sequence[Found]) -> Iterator[dict[str, Any]]:
    """A cell's row for each method, ours first."""
    for method in found[0]:
        if method in PARTS:
            continue
        if isinstance(cell, DiscoveryCell):
            row = _discovery_row(cell, [one[method] for one in found])
        else:
            row = {"per_day": cell.fleet.get("per_day"), "assignment": cell.plan.assignment, "margin": cell.plan.margin}
            row |= _shares([one[method] for one in found])
        if method == OURS:
            if isinstance(cell, Cell) and cell.plan.kind == "rate" and cell.plan.assignment == "randomised":
                row["parts"] = {part: _shares([one[part] for one in found]) for part in PARTS}
            reached = {name: row[name] for name in ("detected", "mean_days", "false_discovery_rate") if name in row}
            row |= cell.goal.judged(**reached)
        yield {
            "scenario": cell.scenario,
            "method": method,
            "devices": cell.devices,
            "ratio": cell.ratio,
            "frailty": cell.frailty,
            "replications": len(found),
            **row,
        }


def _shares(days: Sequence[float | None]) -> dict[str, float]:
    """Share detected by day 14 and mean days with 14 for a miss, with their standard errors."""
    values = np.array([HORIZON if day is None else day for day in days])
    detected = float(np.mean([day is not None for day in days]))
    return {
        "detected": round(detected, 4),
        "detected_se": round(float(np.sqrt(detected * (1.0 - detected) / values.size)), 4),
        "mean_days": round(float(values.mean()), 4),
        "mean_days_se": round(float(values.std() / np.sqrt(values.size)), 4),
    }


def _discovery_row(cell: DiscoveryCell, found: Sequence[Mapping[str, float]]) -> dict[str, Any]:
    told: dict[str, Any] = {"streams": cell.cohorts * discoveries.METRICS}
    names = {
        "found": "detected",
        "days": "mean_days",
        "false_share": "false_discovery_rate",
        "false_alarms": "false_alarms",
        "found_any": "detected_any_bad",
    }
    for key, name in names.items():
        mean, error = discoveries.mean_of(found, key)
        told |= {name: round(mean, 4), f"{name}_se": round(error, 4)}
    return told
