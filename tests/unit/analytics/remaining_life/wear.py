"""Units that wear by a process whose truth is known: nothing of it is taken from the code that is judged on it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from analytics.remaining_life.histories import History

NAMES = ("labour", "heat", "chatter", "constant")
_SHIFT = np.array([[0.0, 0.0, 0.0, 0.0], [8.0, -5.0, 3.0, 0.0]])


@dataclass(frozen=True, slots=True, eq=False)
class Worn:
    """A unit as it was watched, and the age at which it fails in truth."""

    history: History
    fails_at: float


def worn_units(seed: int, count: int, *, life: float = 90.0, censored: float = 0.0, regimes: int = 2) -> list[Worn]:
    """Units that fail when their wear reaches 1; each wears at its own pace, with chance on the way.

    A share ``censored`` of them is only watched until a moment drawn evenly over its life. Two signals show wear on top of the unit's
    own level, one is noise, one constant; under the second of the operating conditions all read differently.
    """
    rng = np.random.default_rng(seed)
    return [_worn(rng, f"unit {number}", life, rng.random() < censored, regimes) for number in range(count)]


def _worn(rng: np.random.Generator, name: str, life: float, censored: bool, regimes: int) -> Worn:
    pace = np.exp(rng.normal(0.0, 0.3)) / life
    steps = np.maximum(pace * (1.0 + rng.normal(0.0, 1.0, int(12 * life))), 0.0)
    wear = np.cumsum(steps) / 1.083  # the mean of a normal step that cannot be negative
    fails_at = int(np.argmax(wear >= 1.0)) + 1
    rows = int(rng.integers(1, fails_at)) if censored else fails_at - 1
    rows = max(rows, 2)
    age = np.arange(1.0, rows + 1.0)
    regime = rng.integers(0, regimes, rows)
    own = rng.normal(0.0, 0.6, 2)
    shown = np.column_stack([own[0] + 3.0 * wear[:rows] ** 2, own[1] + 2.0 * wear[:rows], np.zeros((rows, 2))])
    noise = rng.normal(0.0, [0.3, 0.3, 1.0, 0.0], (rows, 4))
    settings = np.column_stack([regime * 20.0 + rng.normal(0.0, 0.01, rows), np.full(rows, 100.0)])
    signals = shown + noise + _SHIFT[regime]
    return Worn(History(name, age, settings, signals, None if censored else float(fails_at)), float(fails_at))
