"""The normal-mixture e-process and confidence sequence of an asymptotically normal estimate, in information time.

An estimate ``theta`` with variance V has information I = 1 / V; over looks the score S = theta I behaves like a Brownian motion with
drift theta in the time I, also where the same devices are measured again at every look (hours or devices as the clock would not do).

Sources: Robbins 1970 and Howard et al. 2021 (normal mixtures); Waudby-Smith et al., "Time-uniform central limit theory and asymptotic
confidence sequences", Ann. Stat. 2024, arXiv 2103.06476; Jennison and Turnbull 1997 (independent increments of sequential estimates).
"""

from __future__ import annotations

from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

TAU_RATE = float(np.log(1.5))
"""Scale of the mixture for log rate ratios and log hazard ratios."""

TAU_MEAN = 0.10
"""The same for log ratios of means, which are known far better: a tenth more drain is much."""

Kind = Literal["rate", "mean", "first_event"]
Direction = Literal["more", "less"]  # which is worse


def tau_of(kind: Kind) -> float:
    """The scale of the mixture for a metric of this kind: the log ratio that matters."""
    return TAU_MEAN if kind == "mean" else TAU_RATE


def log_e_worse(theta: Any, information: Any, tau: float = TAU_RATE) -> Floats:
    """Natural logarithm of the one-sided e-process against "theta <= 0".

    ``theta`` and ``information`` (1 / variance, >= 0) have any shape, one entry per stream or look; for a margin RR0 subtract log RR0
    from theta. The mixture puts a half-normal of scale ``tau`` on theta > 0, so

        e = 2 / sqrt(1 + tau^2 I) * exp(x^2 / 2) * Phi(x),   x = tau theta I / sqrt(1 + tau^2 I).

    Stable for any x: Phi(x) exp(x^2 / 2) is erfcx(-x / sqrt 2) / 2, which does not underflow for negative x.
    """
    from scipy import special  # the scales above are asked for by many that compute nothing

    information = np.asarray(information, dtype=np.float64)
    growth = 1.0 + tau * tau * information
    x = tau * np.asarray(theta, dtype=np.float64) * information / np.sqrt(growth)
    low = np.minimum(x, 0.0)
    high = np.maximum(x, 0.0)
    log_shape = np.where(
        x < 0.0,
        np.log(0.5 * special.erfcx(-low / np.sqrt(2.0))),
        high * high / 2.0 + special.log_ndtr(high),
    )
    result: Floats = np.log(2.0) - 0.5 * np.log(growth) + log_shape
    return result


def log_e_different(theta: Any, information: Any, tau: float = TAU_RATE) -> Floats:
    """Natural logarithm of the two-sided e-process against "theta = 0": a normal of scale ``tau`` on theta."""
    information = np.asarray(information, dtype=np.float64)
    growth = 1.0 + tau * tau * information
    x = tau * np.asarray(theta, dtype=np.float64) * information / np.sqrt(growth)
    result: Floats = x * x / 2.0 - 0.5 * np.log(growth)
    return result


def half_width(information: Any, alpha: float = 0.05, tau: float = TAU_RATE) -> Floats:
    """Half the width of the (1 - alpha) confidence sequence theta +- w: the values that `log_e_different` has not refuted at 1 / alpha.

    Infinite where there is no information yet.
    """
    information = np.asarray(information, dtype=np.float64)
    growth = 1.0 + tau * tau * information
    with np.errstate(divide="ignore", over="ignore"):
        squared = 2.0 * growth / (tau * tau * information * information) * np.log(np.sqrt(growth) / alpha)
    result: Floats = np.sqrt(squared)
    return result
