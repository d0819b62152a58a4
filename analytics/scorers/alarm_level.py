"""From scores to alarms: a threshold that every alarm raises and time lowers, and silence after each alarm. Many series at once.

An episode thus gives one alarm, a series that alarms again and again must show more each time, and one that was calm is heard at once.
How long alarms weigh and how long there is silence grows with what is known of the series: news is rarer the longer the past, and what a
device alarmed about on its second day says less of it a year later.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from analytics.panel import Floats

THRESHOLD = 0.22
"""Declared: the score from which a calm series alarms (see docs/evaluation.md for what it gives)."""
RISE = 0.2
"""What one alarm adds to the threshold, as a share of it."""


@dataclass(frozen=True, slots=True)
class Patience:
    """All in samples of the series: no alarm before ``warm_up``; after an alarm none for ``silence + silence_share * age``, at most
    ``longest_silence``; alarms weigh half after ``half_life + half_life_share * age``, at most ``longest_half_life``.

    Numbers, or arrays of shape (series,).
    """

    warm_up: Floats | float = 90.0
    silence: Floats | float = 12.0
    silence_share: float = 0.03
    longest_silence: float = 720.0
    half_life: Floats | float = 100.0
    half_life_share: float = 0.3
    longest_half_life: float = 20_000.0


PATIENT = Patience()


@dataclass(slots=True)
class Levels:
    """``age``: samples seen; ``quiet_until``: the age at which silence ends; ``level``: what past alarms still weigh; shape (series,)."""

    age: NDArray[np.int64]
    quiet_until: Floats
    level: Floats

    @staticmethod
    def empty(series: int) -> Levels:
        """Nothing seen yet."""
        return Levels(np.zeros(series, dtype=np.int64), np.zeros(series), np.zeros(series))


def raised(
    levels: Levels,
    scores: Floats,
    known: NDArray[np.bool_],
    patience: Patience = PATIENT,
    threshold: float = THRESHOLD,
    rise: float = RISE,
) -> NDArray[np.bool_]:
    """Which series alarm now; ``known``: those that have a sample. Changes ``levels`` in place."""
    heavy = np.flatnonzero(known & (levels.level > 0))
    if heavy.size:
        half_life = patience.half_life + patience.half_life_share * levels.age
        levels.level[heavy] *= 0.5 ** (1.0 / np.minimum(half_life, patience.longest_half_life)[heavy])
    alarm = (
        known
        & (scores >= threshold * (1 + levels.level))
        & (levels.age >= np.maximum(patience.warm_up, levels.quiet_until))
    )
    rows = np.flatnonzero(alarm)
    if rows.size:
        silence = np.minimum(patience.silence + patience.silence_share * levels.age, patience.longest_silence)
        levels.quiet_until[rows] = (levels.age + silence)[rows]
        levels.level[rows] += rise
    levels.age += known
    return alarm
