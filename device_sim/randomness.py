"""Independent streams of random numbers from one seed, each with a name, so that one part's draws never move another's."""

from __future__ import annotations

import zlib

import numpy as np
from numpy.random import Generator


def stream(seed: int, *names: str) -> Generator:
    """The generator of a seed and a name: the same for the same arguments, on every machine."""
    return np.random.default_rng(np.random.SeedSequence([seed, *(zlib.crc32(name.encode()) for name in names)]))


def lognormal_of_mean_one(rng: Generator, sigma: float, size: int) -> np.ndarray:
    """Factors by which devices differ: lognormal, mean 1, shape (size,)."""
    return np.exp(rng.normal(-sigma * sigma / 2, sigma, size))


def relaxed(state: np.ndarray, dt_s: float, time_constant_s: float, sigma: float, rng: Generator) -> np.ndarray:
    """One exact step of an Ornstein-Uhlenbeck process of mean 0 and standard deviation ``sigma``, whatever the step."""
    keep = np.exp(-dt_s / time_constant_s)
    step: np.ndarray = keep * state + sigma * np.sqrt(1 - keep * keep) * rng.standard_normal(state.shape)
    return step


def scattered(rng: Generator, expected: np.ndarray) -> np.ndarray:
    """Who the events of an interval happen to: indices, one per event, for independent Poisson counts of these expectations.

    One draw for the whole fleet and one per event: as good as a draw per device, and much faster where events are rare.
    """
    edges = np.cumsum(expected)
    total = float(edges[-1]) if len(edges) else 0.0
    count = int(rng.poisson(total)) if total > 0 else 0
    chosen: np.ndarray = np.searchsorted(edges, rng.random(count) * total, side="right")
    within: np.ndarray = np.minimum(chosen, len(expected) - 1)
    return within
