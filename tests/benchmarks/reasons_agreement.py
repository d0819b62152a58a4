"""How faithful the reasons of a prognosis are, and what they cost: `python tests/benchmarks/reasons_agreement.py`.

A simulated fleet fails by several correlated signs at once. A hazard learns from it; for the riskiest devices the reasons are computed
exactly (every coalition of groups), by drawn orders, and by cohort-median deltas (one group made usual at a time), and compared.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Callable

import numpy as np

from analytics.decision.shapley import ORDERS, drawn_coalitions, shapley
from analytics.explanation import deltas, typical
from analytics.features import Background, Feature, features_of, matrix
from analytics.hazard import Hazard, Matrix, Snapshots, fit_hazard
from analytics.panel import Flags, Floats, Ints, Panel
from analytics.training.names import EDGES, JUDGED_AT

DAYS, NEAR = 120, 21


def simulated(seed: int, devices: int, metrics: int) -> tuple[Panel, Floats]:
    """A panel, and the day of each device's failure (inf for none): wear shows in some metrics by device, and metrics share noise."""
    rng = np.random.default_rng(seed)
    shared = rng.normal(size=(devices, DAYS, 3))
    mixing = rng.normal(0, 0.6, (3, metrics))
    values = shared @ mixing + rng.normal(size=(devices, DAYS, metrics)) + rng.normal(0, 1.0, (devices, 1, metrics))
    fails = np.where(rng.random(devices) < 0.3, rng.integers(50, DAYS + 20, devices).astype(np.float64), np.inf)
    ahead = np.clip(1 - (fails[:, None] - np.arange(DAYS)[None, :]) / 25.0, 0.0, 1.0)
    shows = rng.random((devices, metrics)) < 0.35
    values += ahead[:, :, None] ** 1.5 * shows[:, None, :] * rng.gamma(4.0, 0.9, (devices, 1, metrics))
    panel = Panel(
        tuple(f"d-{number}" for number in range(devices)),
        20_000,
        {f"sign_{place:02d}": values[:, :, place] for place in range(metrics)},
        {},
        np.zeros((devices, DAYS), dtype=np.int64),
        ("1",),
        np.ones((devices, DAYS), dtype=bool),
    )
    return panel, fails


def rows_of(panel: Panel, fails: Floats, columns: tuple[Feature, ...]) -> tuple[Snapshots, Ints]:
    """All device-days before the failures, with their features, and the device of each."""
    day = np.arange(DAYS)[None, :]
    device, at = np.nonzero((day < fails[:, None]) & (day >= 28) & ((fails[:, None] - day <= NEAR) | (day % 4 == 0)))
    background = Background(
        np.zeros(len(panel.devices), dtype=np.int64), np.full(len(panel.devices), panel.first_day - 50.0)
    )
    features = matrix(panel, background, columns, device.astype(np.int64), at.astype(np.int64))
    left = (DAYS - 1 - at).astype(np.float64)
    to_failure = fails[device] - at
    to_failure = np.where(to_failure > left, np.inf, to_failure)
    return Snapshots(features, to_failure, np.minimum(to_failure, left), left, np.ones(len(at))), device


def grouped_deltas(model: Hazard, features: Matrix, usual: Matrix, columns: tuple[Feature, ...]) -> Floats:
    """The weights of before: how far the probability falls when one group alone becomes usual."""
    return deltas(model, features, usual, columns, JUDGED_AT)[1]


def clocked(work: Callable[[], Floats], rows: int) -> tuple[Floats, float]:
    """A result and its processor time per row, in milliseconds."""
    began = time.process_time()
    result = work()
    return result, 1000 * (time.process_time() - began) / rows


def agreement(exact: Floats, other: Floats) -> dict[str, float]:
    """How often the first reason is the same, how much of the first four, and the correlation of all weights."""
    first = float((exact.argmax(axis=1) == other.argmax(axis=1)).mean())
    top, theirs = np.argsort(-exact, axis=1)[:, :4], np.argsort(-other, axis=1)[:, :4]
    shared = np.mean([len(set(one) & set(two)) / 4 for one, two in zip(top.tolist(), theirs.tolist(), strict=True)])
    return {
        "first": round(first, 3),
        "of_four": round(float(shared), 3),
        "correlation": round(float(np.corrcoef(exact.ravel(), other.ravel())[0, 1]), 3),
    }


def study(seed: int, metrics: int, devices: int, explained: int) -> dict[str, object]:
    """One fleet: agreement with exact values, and milliseconds of processor time per explained device."""
    panel, fails = simulated(seed, devices, metrics)
    columns = features_of([*panel.values], [])
    rows, device = rows_of(panel, fails, columns)
    model = fit_hazard(rows, EDGES, device % 3, near_days=NEAR)
    p = model.probabilities(rows.features, (JUDGED_AT,))[:, 0]
    risky = np.argsort(-p, kind="stable")
    _, firsts = np.unique(device[risky], return_index=True)
    chosen = rows.features[risky[np.sort(firsts)[:explained]]]
    usual = typical(rows.features)
    names = sorted({column.metric for column in columns})
    groups: list[Flags] = [np.array([column.metric == name for column in columns]) for name in names]

    def answer(features: Matrix) -> Floats:
        return model.probabilities(features, (JUDGED_AT,))[:, 0]

    exact, exact_ms = clocked(lambda: shapley(answer, chosen, usual, groups, most_exact=20), len(chosen))
    drawn, drawn_ms = clocked(lambda: shapley(answer, chosen, usual, groups, most_exact=0), len(chosen))
    single, single_ms = clocked(lambda: grouped_deltas(model, chosen, usual, columns), len(chosen))
    return {
        "groups": len(groups),
        "devices": len(chosen),
        "exact_ms": round(exact_ms, 1),
        "drawn": {
            **agreement(exact, drawn),
            "ms": round(drawn_ms, 1),
            "asked": len(drawn_coalitions(len(groups), ORDERS)[0]),
        },
        "deltas": {**agreement(exact, single), "ms": round(single_ms, 1)},
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, default=2)
    parser.add_argument("--devices", type=int, default=500)
    parser.add_argument("--explained", type=int, default=40)
    options = parser.parse_args()
    for metrics in (2, 5, 9):
        for seed in range(1, options.seeds + 1):
            print(json.dumps({"seed": seed, **study(seed, metrics, options.devices, options.explained)}))


if __name__ == "__main__":
    main()
