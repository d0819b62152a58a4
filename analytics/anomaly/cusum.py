"""Evidence that adds up: bets against "nothing is wrong", restarted whenever they have lost, with a known run length.

Each day's p-value p is turned into the bet kappa p^(kappa - 1), whose mean is 1 while p is uniform. The logarithm of the product,
restarted at 0 (a CUSUM of an e-process), raises an alarm at a threshold. For uniform and independent p-values, the mean number of
days between false alarms follows exactly from the threshold; discrete p-values (ranks) are larger than uniform and only lengthen it.
Sources: Shin, Ramdas, Rinaldo, E-detectors (NEJSDS 2024); Rognvaldsson et al., Self-monitoring for maintenance of vehicle fleets (2018).
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np

from analytics.panel import Floats

KAPPA = 0.15
SMALLEST_P = 1e-3
"""No day counts for more than this, so that a single wild day (a router that is off) cannot raise an alarm: it takes about three."""
_STEPS = 100


def bet(p: Floats) -> Floats:
    """log(kappa p^(kappa - 1)), NaN where p is."""
    logarithm: Floats = np.log(KAPPA) + (KAPPA - 1) * np.log(np.maximum(p, SMALLEST_P))
    return logarithm


def averaged(bets: Floats) -> Floats:
    """One bet of several, (devices, bets) to (devices,), all as logarithms: the logarithm of the mean of those that are known.

    The mean of fair bets is fair whatever they have to do with one another; their product is so only if they are independent. Its run
    length at a `threshold` is that of a single bet if they always agree, and a little longer if they are independent.
    """
    known = ~np.isnan(bets)
    total = np.where(known, np.exp(np.where(known, bets, 0.0)), 0.0).sum(axis=1)
    mean = total / np.maximum(known.sum(axis=1), 1)
    return np.where(known.any(axis=1), np.log(np.where(mean > 0, mean, 1.0)), np.nan)


def accumulated(evidence: Floats, bets: Floats, ceiling: Floats) -> Floats:
    """The evidence after one more day of bets (logarithms); a day without one leaves it as it was. Kept within [0, ceiling]."""
    after = np.clip(evidence + bets, 0.0, ceiling)
    return np.where(np.isnan(bets), evidence, after)


def threshold(run_length: float) -> float:
    """Log-evidence at which false alarms of one stream come ``run_length`` days apart on average (at least a day)."""
    lengths, levels = _table()
    wanted = np.log(max(run_length, 1.0))
    if wanted <= lengths[-1]:
        return float(np.interp(wanted, lengths, levels))
    return float(levels[-1] + wanted - lengths[-1])  # far out, the run length grows as the exponential of the level


@lru_cache(maxsize=1)
def _table() -> tuple[Floats, Floats]:
    levels = np.linspace(0.0, 12.0, 25)
    return np.log([mean_run_length(level) for level in levels.tolist()]), levels


def mean_run_length(level: float) -> float:
    """Mean days from evidence 0 to the first alarm at ``level``, for uniform p-values not cut at `SMALLEST_P`.

    The walk is a Markov chain on ``_STEPS`` cells of [0, level): its step is log kappa + (1 - kappa) times an exponential variable.
    """
    if level <= 0:
        return 1.0
    width = level / _STEPS
    centre = np.concatenate([[0.0], (np.arange(_STEPS) + 0.5) * width])
    upper = np.concatenate([[0.0], (np.arange(_STEPS) + 1.0) * width])
    reach = upper[None, :] - centre[:, None]
    below = _step_below(reach)
    move = np.diff(below, axis=1, prepend=0.0)
    lengths = np.linalg.solve(np.eye(_STEPS + 1) - move, np.ones(_STEPS + 1))
    return float(lengths[0])


def _step_below(distance: Floats) -> Floats:
    """Probability that one step is at most ``distance``."""
    excess = np.maximum(distance - np.log(KAPPA), 0.0)
    share: Floats = -np.expm1(-excess / (1 - KAPPA))
    return share
