"""How often the tests of model life are wrong, and how soon they are right, on simulated fleets.

    python tests/benchmarks/model_life.py [--fleets 300] [--only race]

Prints one line for each case; asserts nothing. About ten minutes on one core.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable
from typing import Any

import numpy as np

from analytics.model_life.blocks import Block, thinned
from tests.simulation.model_fleets import (
    calibration_alarm,
    no_fault_demotion,
    race,
    score_alarm,
)

Case = tuple[str, dict[str, Any], Callable[..., Any]]

CASES: tuple[Case, ...] = (
    ("race: no difference", {"devices": 600, "noise": (0.7, 0.7)}, race),
    ("race: no difference, failures in crowds", {"devices": 600, "noise": (0.7, 0.7), "crowd": 5}, race),
    ("race: no difference, rare failures", {"devices": 2000, "noise": (0.7, 0.7), "hazard": 1e-4}, race),
    ("race: challenger worse", {"devices": 600, "noise": (0.3, 0.7)}, race),
    ("race: challenger better", {"devices": 600, "noise": (0.7, 0.3)}, race),
    ("race: challenger much better", {"devices": 600, "noise": (1.2, 0.2)}, race),
    ("calibration: true", {"ratio": 1.0}, calibration_alarm),
    ("calibration: off by a tenth", {"ratio": 1.1}, calibration_alarm),
    ("calibration: true, failures in crowds of 5", {"ratio": 1.0, "crowd": 5}, calibration_alarm),
    ("calibration: base rate doubles", {"ratio": 2.0}, calibration_alarm),
    ("calibration: base rate halves", {"ratio": 0.5}, calibration_alarm),
    ("scores: as before", {"shift": 0.0}, score_alarm),
    ("scores: as before, small fleet", {"shift": 0.0, "devices": 100}, score_alarm),
    ("scores: moved by half a spread", {"shift": 0.5}, score_alarm),
    ("scores: moved by one spread", {"shift": 1.0}, score_alarm),
    ("no fault found: 30 % where 40 % are allowed", {"share": 0.3}, no_fault_demotion),
    ("no fault found: 40 % where 40 % are allowed", {"share": 0.4}, no_fault_demotion),
    ("no fault found: 60 % where 40 % are allowed", {"share": 0.6}, no_fault_demotion),
    ("no fault found: 80 % where 40 % are allowed", {"share": 0.8}, no_fault_demotion),
)


def block_bytes(devices: int = 1_000_000) -> dict[str, Any]:
    """How large a kept day of a part is in a large fleet: by a champion and a challenger, and by a champion alone."""
    random = np.random.default_rng(1)
    logit = random.normal(-5, 1.2, size=devices)[:, None] + np.array([-1.0, 0.0, 0.7])
    logits = np.stack([logit, logit + random.normal(scale=0.2, size=(devices, 1))])
    p = np.round(1 / (1 + np.exp(-logits)), 6)
    firmware = random.integers(0, 3, size=devices)
    ids = [f"plug-{number:07d}" for number in range(devices)]
    kept = thinned(Block(ids, p, np.ones(devices), firmware, ["2.3.0", "2.4.0", "2.4.1"]), seed=1)
    alone = Block(kept.devices, kept.p[:1], kept.weight, kept.firmware, kept.firmwares)
    return {"case": "block", "rows": len(kept.devices), "bytes": len(kept.pack()), "bytes_alone": len(alone.pack())}


def main() -> None:
    """Run the cases and print what came of them."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--fleets", type=int, default=300)
    parser.add_argument("--only", default="")
    given = parser.parse_args()
    if given.only in "block":
        sys.stdout.write(json.dumps(block_bytes()) + "\n")
    for name, options, simulate in CASES:
        if given.only not in name:
            continue
        found = [simulate(np.random.default_rng([seed, 7]), **options) for seed in range(given.fleets)]
        alarms = [one for one in found if one is not None]
        line: dict[str, Any] = {"case": name, "fleets": given.fleets, "share": round(len(alarms) / given.fleets, 3)}
        if alarms:
            for what in alarms[0]:
                values = [one[what] for one in alarms]
                line[what] = [round(float(value), 1) for value in np.quantile(values, [0.1, 0.5, 0.9])]
        sys.stdout.write(json.dumps(line) + "\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main()
