"""Shares of devices, with bounds that hold at every look.

With trials coming in an order that does not depend on how they end, the beta-binomial mixture of likelihood ratios

    e(p) = B(s + 1/2, f + 1/2) / B(1/2, 1/2) / (p^s (1 - p)^f),  s successes and f failures,

is a martingale of mean 1 under the true p, so {p: e(p) < 1 / alpha} covers it at all looks together with probability 1 - alpha (Ville's
inequality). Both bounds may be looked at as often as one likes.

Source: Robbins, "Statistical methods related to the law of the iterated logarithm", Annals of Mathematical Statistics 41(5) 1970; Howard,
Ramdas, McAuliffe, Sekhon, "Time-uniform, nonparametric, nonasymptotic confidence sequences", Annals of Statistics 49(2) 2021, arXiv
1810.08240 (there as the beta-binomial mixture).

A trial whose end is not known yet counts against the bound that is asked for: as a failure for `at_least` of successes, as none for
`at_least` of failures. Both functions grow with ``hits``, so what they then say is never more than they would say of the true ends.
"""

from __future__ import annotations

from math import log, log1p

_PRIOR = 0.5  # Jeffreys: of the usual priors the one that needs the fewest trials when nearly all end alike
_STEPS = 60  # bisections: 1e-18


def at_least(hits: int, trials: int, alpha: float) -> float:
    """The largest share that the hits are surely not below: the lower end of the (1 - alpha) confidence sequence; 0 without hits."""
    if not 0 <= hits <= trials:
        raise ValueError(f"{hits} hits of {trials} trials")
    if hits == 0:
        return 0.0
    low, high = 0.0, hits / trials  # e falls from infinity to less than 1 between them
    for _ in range(_STEPS):
        middle = (low + high) / 2
        if middle > 0.0 and _log_e(hits, trials, middle) < log(1.0 / alpha):
            high = middle
        else:
            low = middle
    return low


def trials_needed(share: float, alpha: float, *, limit: int = 1_000_000) -> int:
    """With how few trials, all of them hits, `at_least` reaches a share; ``limit`` where it takes more."""
    low, high = 0, 1
    while high < limit and at_least(high, high, alpha) < share:
        low, high = high, high * 2
    while high - low > 1:
        middle = (low + high) // 2
        if at_least(middle, middle, alpha) < share:
            low = middle
        else:
            high = middle
    return min(high, limit)


def _log_e(hits: int, trials: int, share: float) -> float:
    from scipy.special import betaln

    misses = trials - hits
    mixture = float(betaln(hits + _PRIOR, misses + _PRIOR) - betaln(_PRIOR, _PRIOR))
    if misses and share >= 1.0:
        return float("inf")
    return mixture - hits * log(share) - (misses * log1p(-share) if misses else 0.0)
