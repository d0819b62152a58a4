"""How well the release gate does: how often it stops a harmless release, and how soon one that bricks devices or makes them loop.

Run: .venv/bin/python tests/benchmarks/rollout_gate.py [--replications N]

Each cell is a wave of some devices and the rest of 1,000 as its control, two days long, with a look every hour. Devices take the release in
their first hours; any device may leave for good, some hours take many at once (a provider's outage). It calls the product's own functions.
"""

from __future__ import annotations

import argparse
from dataclasses import dataclass

import numpy as np

from analytics.rollouts.shares import at_least, trials_needed
from analytics.rollouts.silence import Silence, Standing

FLEET, HOURS, ALPHA, SILENCE_SHARE, SUCCESS_SHARE = 1000, 48, 0.05, 0.02, 0.9
LEAVES, OUTAGE, LEAVES_IN_OUTAGE = 0.0005, 0.02, 0.02


@dataclass(frozen=True)
class Scenario:
    """What the release does to those that take it; ``told``: whether a device tells of the release before it dies."""

    name: str
    bricks: float = 0.0
    loops: float = 0.0


SCENARIOS = (
    Scenario("harmless"),
    Scenario("2 % bricked", bricks=0.02),
    Scenario("5 % bricked", bricks=0.05),
    Scenario("10 % bricked", bricks=0.10),
    Scenario("30 % loop", loops=0.30),
)


def stopped_at(scenario: Scenario, wave: int, rng: np.random.Generator) -> tuple[int, str] | None:
    """The hour in which the gate stops one roll-out, and for what; None if it does not."""
    treated = np.arange(FLEET) < wave
    alive, took = np.ones(FLEET, dtype=bool), np.where(treated, rng.integers(1, 7, FLEET), HOURS + 1)
    bricked, looping = rng.random(FLEET) < scenario.bricks, rng.random(FLEET) < scenario.loops
    evidence = Silence()
    for hour in range(1, HOURS + 1):
        hazard = LEAVES_IN_OUTAGE if rng.random() < OUTAGE else LEAVES
        gone = alive & ((rng.random(FLEET) < hazard) | ((took == hour) & bricked))
        if gone.any():
            here = np.flatnonzero(alive)
            evidence = evidence.add([Standing("all", bool(treated[one]), bool(gone[one])) for one in here])
        alive &= ~gone
        told = (took <= hour) & ~bricked
        if evidence.e >= 1.0 / ALPHA and evidence.share(int(told.sum())) > SILENCE_SHARE:
            return hour, "silence"
        failed = int((told & looping & (hour - took >= 3)).sum() + (told & treated & ~alive).sum())
        if at_least(failed, int(told.sum()), ALPHA) > 1.0 - SUCCESS_SHARE:
            return hour, "failures"
    return None


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--replications", type=int, default=200)
    replications = parser.parse_args().replications
    print("devices that must all succeed to show a share surely:")
    print("  " + ", ".join(f"{share:.0%}: {trials_needed(share, ALPHA)}" for share in (0.5, 0.7, 0.8, 0.9, 0.95, 0.99)))
    print(
        f"\n{replications} replications; stopped within {HOURS} h / mean hour of those (a silence shows hours later, see silent_hours)"
    )
    for scenario in SCENARIOS:
        cells = []
        for wave in (20, 50, 100, 200):
            rng = np.random.default_rng([11, wave])
            found = [stopped_at(scenario, wave, rng) for _ in range(replications)]
            hours = [one[0] for one in found if one is not None]
            mean = f"{np.mean(hours):.1f} h" if hours else "-"
            cells.append(f"wave of {wave}: {len(hours) / replications:.1%} / {mean}")
        print(f"  {scenario.name:<14}" + "  ".join(f"{cell:<32}" for cell in cells), flush=True)


if __name__ == "__main__":
    main()
