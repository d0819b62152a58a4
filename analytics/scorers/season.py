"""How long a device's day is, in steps, as its own past shows it: the lag at which its metrics repeat themselves."""

from __future__ import annotations

import numpy as np

from analytics.panel import Floats

SHORTEST = 8
"""Steps a season has at least: what repeats faster is change, not a season."""
ENOUGH_SEASONS = 3
"""Seasons the past must hold before one of them is believed."""
REPEATS = 0.3
"""Autocorrelation, averaged over metrics, from which on the past is said to repeat itself."""
_RISE = 0.2  # above the lowest value at shorter lags: a slow trend correlates with itself without ever coming back
_BLUNT = 0.03
_NEARLY = 0.9  # two days repeat as well as one: the shortest of about equal lags is the season


def season_of(past: Floats) -> int:
    """Steps of one season of ``past``, of shape (steps, columns) and standardised, NaN where unknown; 0 if nothing repeats."""
    longest = len(past) // ENOUGH_SEASONS
    if longest <= SHORTEST:
        return 0
    centred = _unit_columns(past)
    if not centred.shape[1]:
        return 0
    together = _autocorrelation(centred)[: longest + 2]
    lowest = np.minimum.accumulate(together)
    peaks = [
        lag
        for lag in range(SHORTEST, longest + 1)
        if together[lag] >= max(REPEATS, lowest[lag] + _RISE) and lag == _highest(together, lag)
    ]
    if not peaks:
        return 0
    best = max(together[lag] for lag in peaks)
    first = next(lag for lag in peaks if together[lag] >= _NEARLY * best)
    return _folded_best(centred, first)


def _highest(together: Floats, lag: int) -> int:
    """The lag of the highest value within a quarter of ``lag`` around it, so that ripples on a slope are no peaks."""
    low, high = int(lag * 0.75), min(int(lag * 1.25) + 1, len(together) - 1)
    return low + int(np.argmax(together[low : high + 1]))


def _folded_best(centred: Floats, lag: int) -> int:
    """The length near ``lag`` at which the past, folded to one season, differs least within the same phase (phase dispersion
    minimisation, Stellingwerf 1978): a peak of the autocorrelation is too blunt to tell 287 from 288.
    """
    reach = max(1, round(lag * _BLUNT))
    lengths = range(max(2, lag - reach), lag + reach + 1)
    return min(lengths, key=lambda length: (_dispersion(centred, length), abs(length - lag)))


def _dispersion(centred: Floats, length: int) -> float:
    """Variance within phases over all columns, corrected for the number of phases."""
    phase = np.arange(len(centred)) % length
    sums = np.stack([np.bincount(phase, weights=column, minlength=length) for column in centred.T])
    explained = (sums**2 / np.bincount(phase, minlength=length)).sum()
    return float(((centred**2).sum() - explained) / (len(centred) - length))


def _unit_columns(past: Floats) -> Floats:
    """Every column that moves, about its mean and with sum of squares 1; unknown values count as the mean."""
    known = np.isfinite(past)
    values = np.where(known, past, 0.0)
    mean = values.sum(axis=0) / np.maximum(known.sum(axis=0), 1)
    centred = np.where(known, values - mean, 0.0)
    power = (centred**2).sum(axis=0)
    columns: Floats = centred[:, power > 0] / np.sqrt(power[power > 0])
    return columns


def _autocorrelation(centred: Floats) -> Floats:
    """By Fourier transform, averaged over the columns."""
    steps = len(centred)
    spectrum = np.fft.rfft(centred, n=2 * steps, axis=0)
    products = np.fft.irfft(np.abs(spectrum) ** 2, n=2 * steps, axis=0)[:steps]
    together: Floats = products.mean(axis=1) * steps / np.arange(steps, 0, -1)
    return together
