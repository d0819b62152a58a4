"""What decisions by costs cost beside those of an oracle: `python tests/benchmarks/decision_costs.py`.

A simulated fleet whose true probability of failure within 30 days is known for every device and day. The hazard of `train` learns from some
hundred failures, is calibrated as there, and decides for devices it never saw. The oracle decides by the true probabilities. Costs are
expected ones, by the true probabilities, and beside them those that one draw of failures realised.
"""

from __future__ import annotations

import argparse
import json
from dataclasses import dataclass, replace

import numpy as np

from analytics.calibration import fit_calibration
from analytics.decision.costs import Costs
from analytics.decision.worth import decided, realised
from analytics.hazard import Hazard, Matrix, Snapshots, fit_hazard
from analytics.panel import Flags, Floats
from analytics.training.names import EDGES, HORIZONS, JUDGED_AT

FOLLOWED = 120.0
COLUMNS = 8
CASES = {
    "cheap alarms": Costs(failure=120, planned=45, effectiveness=0.7, notice=0.5, false_alarm=4),
    "dear alarms": Costs(failure=120, planned=45, effectiveness=0.7, notice=1.0, false_alarm=30),
    "dear failures": Costs(failure=900, planned=100, effectiveness=0.5, notice=1.0, false_alarm=40),
}


@dataclass(frozen=True)
class Population:
    """Device-days: features, the true probability of failure within 30 days, and days to the failure."""

    features: Matrix
    risk: Floats
    to_failure: Floats


def population(rng: np.random.Generator, rows: int) -> Population:
    """Rates of failure that rise steeply with two signs together and one alone; other columns are noise, and some values are missing."""
    signs = rng.normal(size=(rows, COLUMNS))
    wear = (
        1.3 * np.maximum(signs[:, 0], 0) * (signs[:, 1] > 0) + 0.9 * signs[:, 2] + 0.8 * np.maximum(signs[:, 3] - 1, 0)
    )
    rate = 0.00035 * np.exp(np.minimum(1.6 * wear, 5.5))
    features = signs.astype(np.float32)
    features[:, 4:][rng.random((rows, COLUMNS - 4)) < 0.1] = np.nan
    return Population(features, 1 - np.exp(-JUDGED_AT * rate), rng.exponential(1 / rate))


def learned(rng: np.random.Generator, failures: int) -> Hazard:
    """A hazard from as many devices as have about ``failures`` failures while they are followed, calibrated on a third of them."""
    share = 1 - (population(np.random.default_rng(1), 20_000).to_failure > FOLLOWED).mean()
    known = population(rng, int(failures / share))
    left = np.full(len(known.risk), FOLLOWED)
    to_failure = np.where(known.to_failure > left, np.inf, known.to_failure)
    rows = Snapshots(known.features, to_failure, np.minimum(to_failure, left), left, np.ones(len(left)))
    judged = np.arange(len(left)) % 3 == 0
    teaching = rows.only(~judged, known.features)
    model = fit_hazard(teaching, EDGES, np.arange(len(teaching.left)) % 3, near_days=1)
    raw = model.raw(known.features[judged], HORIZONS)
    fails: list[Flags] = [to_failure[judged] <= horizon for horizon in HORIZONS]
    fitted = {
        horizon: fit_calibration(raw[:, at], fails[at], int(fails[at].sum())) for at, horizon in enumerate(HORIZONS)
    }
    return replace(model, calibration=fitted)


def expected(flagged: Flags, risk: Floats, costs: Costs) -> float:
    """Mean cost of some decisions by the true probabilities."""
    return float(np.mean(costs.failure * risk - np.where(flagged, costs.net_benefit(risk), 0.0)))


def study(seed: int, failures: int, rows: int) -> list[dict[str, object]]:
    """All cases on one fleet."""
    rng = np.random.default_rng(seed)
    model, new = learned(rng, failures), population(rng, rows)
    p = model.probabilities(new.features, (JUDGED_AT,))[:, 0]
    failed = new.to_failure <= JUDGED_AT
    answers: list[dict[str, object]] = []
    for name, costs in CASES.items():
        ours, best = decided(p, costs).flagged, decided(new.risk, costs).flagged
        never = np.zeros(rows, dtype=bool)
        oracle, mine, idle = (expected(flags, new.risk, costs) for flags in (best, ours, never))
        answers.append(
            {
                "seed": seed,
                "failures": failures,
                "case": name,
                "threshold": round(costs.threshold, 4),
                "flagged": round(float(ours.mean()), 4),
                "oracle_flags": round(float(best.mean()), 4),
                "ratio": round(mine / oracle, 4),
                "realised_ratio": round(realised(ours, failed, costs) / realised(best, failed, costs), 4),
                "share_of_possible_saving": round((idle - mine) / (idle - oracle), 3),
                "never_ratio": round(idle / oracle, 3),
                "at_one_half_ratio": round(expected(p >= 0.5, new.risk, costs) / oracle, 3),
            }
        )
    return answers


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--rows", type=int, default=60_000)
    options = parser.parse_args()
    for failures in (60, 200, 800):
        worst = 0.0
        for seed in range(1, options.seeds + 1):
            for answer in study(seed, failures, options.rows):
                print(json.dumps(answer))
                worst = max(worst, float(str(answer["ratio"])))
        print(json.dumps({"failures": failures, "worst_ratio": worst, "goal": 1.10, "met": worst <= 1.10}))


if __name__ == "__main__":
    main()
