"""How often the novelty scorer alarms about devices with which nothing is wrong, by threshold: `python -m tests.benchmarks.novelty_alarms`.

400 simulated metrics, a value every five minutes for 30 days: a daily course, and noise of four kinds.
"""

from __future__ import annotations

import numpy as np

from analytics.scorers.alarm_level import Levels, raised
from analytics.scorers.novelty import State, scores, step

SERIES, DAYS, PER_DAY = 400, 30, 288
KINDS = ("white noise", "slow noise", "rounded", "heavy tails")
THRESHOLDS = (0.22, 0.4, 0.6, 0.8, 1.0, 1.3, 1.6)
PERIODS = {"days 2-7": slice(1, 7), "days 15-30": slice(14, 30)}


def main() -> None:
    """Print alarms per 1,000 metric-days."""
    chance = np.random.default_rng(0)
    own, slow, kind = chance.normal(size=SERIES) * 10, np.zeros(SERIES), np.arange(SERIES) % len(KINDS)
    state, everyone = State.empty(SERIES), np.ones(SERIES, dtype=bool)
    levels = {threshold: Levels.empty(SERIES) for threshold in THRESHOLDS}
    counts = {threshold: np.zeros((DAYS, len(KINDS))) for threshold in THRESHOLDS}
    for now in range(DAYS * PER_DAY):
        white = chance.standard_normal(SERIES)
        slow = 0.98 * slow + 0.2 * white
        noise = np.select(
            [kind == 0, kind == 1, kind == 2], [white, 3 * slow, np.round(2 * white)], chance.standard_t(4, SERIES)
        )
        values = own + 5 * np.sin(2 * np.pi * now / PER_DAY) + noise
        found = scores(step(state, values, np.full(SERIES, 1_767_225_600 + 300 * now)))
        for threshold, level in levels.items():
            alarms = raised(level, found, everyone, threshold=threshold)
            counts[threshold][now // PER_DAY] += np.bincount(kind[alarms], minlength=len(KINDS))
    print("threshold", *(f"{name}, {period}" for period in PERIODS for name in KINDS), sep=" | ")
    for threshold, count in counts.items():
        rates = [1000 * count[days].mean(axis=0) / (SERIES / len(KINDS)) for days in PERIODS.values()]
        print(threshold, *(f"{rate:.1f}" for rate in np.concatenate(rates)), sep=" | ")


if __name__ == "__main__":
    main()
