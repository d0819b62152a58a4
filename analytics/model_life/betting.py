"""Tests that may be looked at every day: wealth of a bettor who cannot win, on average, while the hypothesis holds.

Each function gives natural logarithms of e-values; that one ever reaches log(1 / alpha) has a probability of at most alpha while its
hypothesis holds. They are exact, no matter how few the cases are. Sources: Shafer and Vovk, "Game-theoretic foundations for
probability and finance", 2019; Waudby-Smith and Ramdas, "Estimating means of bounded random variables by betting", JRSS B 2024; Vovk,
Nouretdinov, Gammerman, "Conformal testing: binary case with Markov alternatives", 2021 (the simple jumper).
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from analytics.panel import Flags, Floats

RATIOS = (1.15, 1.3, 1.6, 2.0, 3.0)
"""Times the odds beyond the margin that are bet on, with equal stakes."""
JUMP = 0.01
_TINY = 1e-6


def tilted(p: Floats, ratio: float) -> Floats:
    """Probabilities with ``ratio`` times the odds."""
    p = np.clip(p, _TINY, 1 - _TINY)
    return np.asarray(ratio * p / (1 - p + ratio * p))


def log_bets(p: Floats, failed: Flags, margin: float, dispersion: float = 1.0) -> Floats:
    """What some cases, judged beforehand with ``p``, add to the logarithms of the bets, shape (2, `RATIOS`).

    Row 0 bets that failures are more frequent than said by more than ``margin`` times the odds, row 1 that they are rarer. Where failures
    come in crowds, a bet is raised to the power 1 / ``dispersion`` (at least 1): a crowd then counts about as one, and since a power below
    one can only lower an expectation of at most one, it stays valid.
    """
    bets = np.zeros((2, len(RATIOS)))
    for side, direction in ((0, 1.0), (1, -1.0)):
        edge = tilted(p, margin**direction)
        for place, ratio in enumerate(RATIOS):
            bet = tilted(edge, ratio**direction)
            bets[side, place] = float(np.where(failed, np.log(bet / edge), np.log((1 - bet) / (1 - edge))).sum())
    return bets / max(dispersion, 1.0)


def log_e(bets: Floats) -> Floats:
    """The mean wealth over the last axis of bets."""
    from scipy.special import logsumexp

    return np.asarray(logsumexp(bets, axis=-1) - np.log(bets.shape[-1]))


def log_jumper(p_values: Sequence[float], jump: float = JUMP) -> list[float]:
    """Against "each p-value is uniform given those before", after each: the simple jumper.

    Three bettors hold that p-values are small, large, or as they should be (f(p) = 1 + eps (p - 1/2), eps = -1, 1, 0); after each p-value a
    share ``jump`` of all wealth is dealt out anew, so that a change after a long calm is noticed.
    """
    wealth = np.full(3, 1 / 3)
    slopes = np.array([-1.0, 0.0, 1.0])
    told, scale = [], 0.0
    for p in p_values:
        wealth = (1 - jump) * wealth + jump * wealth.sum() / 3
        wealth = wealth * (1 + slopes * (p - 0.5))
        total = wealth.sum()
        scale += float(np.log(total))
        wealth = wealth / total
        told.append(scale)
    return told
