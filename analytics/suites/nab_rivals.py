"""What stands beside our scores on the Numenta Anomaly Benchmark: detectors run here, and figures as their authors published them."""

from __future__ import annotations

import numpy as np
from scipy import special

from analytics.panel import Floats

WINDOW = 6400
REFRESH = 100
_CHART_WEIGHT = 0.01
_SEED = 20_151_209

PUBLISHED = {
    "ARTime": (74.9, 65.1, 80.4),
    "Numenta HTM": (70.5, 62.6, 75.2),
    "CAD OSE": (69.9, 67.0, 73.2),
    "KNN-CAD": (58.0, 43.4, 64.8),
    "Relative Entropy": (54.6, 47.6, 58.8),
    "Random Cut Forest": (51.7, 38.4, 59.7),
    "Twitter ADVec": (47.1, 33.6, 53.5),
    "Windowed Gaussian": (39.6, 20.9, 47.4),
    "Etsy Skyline": (35.7, 27.1, 44.5),
    "Bayesian Changepoint": (17.7, 3.2, 32.2),
    "EXPoSE": (16.4, 3.2, 26.9),
    "Random": (11.0, 1.2, 19.5),
    "Null": (0.0, 0.0, 0.0),
}
"""Standard, low FP, low FN on all 58 series, threshold chosen on them: the scoreboard of numenta/NAB's README (not run here)."""


def windowed_gaussian(values: Floats) -> Floats:
    """One minus the tail of a normal fitted to the last `WINDOW` values, renewed every `REFRESH` once the window is full."""
    known = np.where(np.isnan(values), 0.0, values)
    sums, squares = (np.concatenate([[0.0], np.cumsum(part)]) for part in (known, known * known))
    at = np.arange(len(values))
    end = np.where(at <= WINDOW, at, WINDOW + (at - WINDOW) // REFRESH * REFRESH)
    begin = np.maximum(end - WINDOW, 0)
    count = np.maximum(end - begin, 1)
    mean = (sums[end] - sums[begin]) / count
    variance = np.maximum((squares[end] - squares[begin]) / count - mean * mean, 0.0)
    spread = np.maximum(np.sqrt(variance), 1e-6)
    result: Floats = np.where(at > 0, special.erf(np.abs(known - mean) / spread / np.sqrt(2.0)) / 2 + 0.5, 0.0)
    return result


def control_chart(values: Floats) -> Floats:
    """Distance from an exponential average in its standard deviations: what an alarm on a dashboard does."""
    mean, variance = float(values[0]), 0.0
    result = np.zeros(len(values))
    for place, value in enumerate(values.tolist()):
        off = 0.0 if np.isnan(value) or np.isnan(mean) else value - mean
        result[place] = abs(off) / np.sqrt(variance) if variance > 0 else 0.0
        mean = value if np.isnan(mean) else mean + _CHART_WEIGHT * off
        variance = (1 - _CHART_WEIGHT) * (variance + _CHART_WEIGHT * off * off)
    return result


def random(values: Floats) -> Floats:
    """Numbers that know nothing of the series."""
    return np.random.default_rng(_SEED + len(values)).random(len(values))


def null(values: Floats) -> Floats:
    """Never anything."""
    return np.zeros(len(values))


METHODS = {"windowed_gaussian": windowed_gaussian, "control_chart": control_chart, "random": random, "null": null}
