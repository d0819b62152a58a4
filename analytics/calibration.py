"""Makes a model's probabilities mean what they say. How much is fitted depends on how many failures there are to fit it on.

Fewer than 60 positives: the level, and one slope of the log-odds that is drawn towards 1 the more the fewer there are (Platt scaling with
a normal prior, which of 9 independent failures hears little and of 50 a good deal). From 60 on: beta calibration, a logistic regression
on log s and -log(1 - s) (Kull, Silva Filho, Flach 2017). Beyond 1,000: isotonic regression, which with fewer was worse in every comparison.
On simulated fleets whose failures come in crowds the drawn slope was better in likelihood than the level alone
(`tests/benchmarks/crowded_failures.py`).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from analytics.panel import Flags, Floats, Ints

BETA_FROM = 60
ISOTONIC_ABOVE = 1000
SLOPE_SPREAD = 0.3
"""Standard deviation of the slopes that are expected before any failure is seen; their mean is 1."""
_TINY = 1e-6


@dataclass(frozen=True, slots=True)
class Calibration:
    """p = sigmoid(a log s - b log(1 - s) + c), with a, b >= 0; a = b = 1 and c = 0 leave s as it is.

    Of kind ``isotonic``, p is read off the line through the points (``steps``, ``levels``), level before the first and after the last.
    """

    a: float = 1.0
    b: float = 1.0
    c: float = 0.0
    kind: str = "none"
    steps: tuple[float, ...] = ()
    levels: tuple[float, ...] = ()

    def apply(self, scores: Floats) -> Floats:
        """Calibrated probabilities, same shape; monotone in the scores."""
        s = np.clip(scores, _TINY, 1 - _TINY)
        if self.kind == "isotonic":
            return np.interp(s, self.steps, self.levels)
        return _sigmoid(self.a * np.log(s) - self.b * np.log1p(-s) + self.c)


def independent_failures(device: Ints, failed_on: Ints, days: int) -> float:
    """How many independent failures some failures are worth: their number over the dispersion of their daily counts.

    One storm, one batch or one day on which somebody looked takes many devices at once; twelve that fail together teach the level of
    the risk little more than one. ``device`` and ``failed_on`` name the failure of every positive row, and may repeat; ``days`` is
    over how many days failures could have come. The dispersion, variance over mean (Fisher's index), is 1 where failures are independent,
    and is never taken for less.
    """
    failures = np.unique(np.stack([failed_on, device]), axis=1)
    number = failures.shape[1]
    if number == 0 or days < 2:
        return float(number)
    _, counts = np.unique(failures[0], return_counts=True)
    mean = number / days
    variance = (float((counts**2).sum()) - number * mean) / (days - 1)
    return float(number / max(1.0, variance / mean))


def fit_calibration(scores: Floats, failed: Flags, positives: float, weights: Floats | None = None) -> Calibration:
    """Fit on scores of rows the model has not learned from. ``positives`` counts independent failures, not their rows."""
    if not failed.any() or failed.all():
        return Calibration()
    s = np.clip(scores, _TINY, 1 - _TINY)
    weight = np.ones(len(s)) if weights is None else weights
    if positives > ISOTONIC_ABOVE:
        return _isotonic(s, failed, weight)
    log_s, log_rest = np.log(s), -np.log1p(-s)
    if positives < BETA_FROM:
        slope = _drawn_slope(log_s + log_rest, failed, weight, positives)
        return Calibration(slope, slope, _intercept(slope * (log_s + log_rest), failed, weight), "logistic")
    a, b, c = _beta(log_s, log_rest, failed, weight)
    return Calibration(a, b, c, "beta")


def _isotonic(s: Floats, failed: Flags, weight: Floats) -> Calibration:
    """The best rising steps, joined by lines; never quite 0 or 1, which no number of rows can show."""
    from sklearn.isotonic import IsotonicRegression

    fitted = IsotonicRegression(y_min=_TINY, y_max=1 - _TINY, out_of_bounds="clip")
    fitted.fit(s, failed.astype(np.float64), sample_weight=weight)
    steps, levels = (tuple(float(value) for value in each) for each in (fitted.X_thresholds_, fitted.y_thresholds_))
    return Calibration(kind="isotonic", steps=steps, levels=levels)


def _drawn_slope(logit: Floats, failed: Flags, weight: Floats, positives: float) -> float:
    """The slope of greatest posterior density; rows count as if the positives among them were the independent ones alone."""
    from scipy.optimize import minimize

    counted = weight * (max(positives, 0.0) / float(weight[failed].sum()))

    def loss(parameters: Floats) -> tuple[float, Floats]:
        slope, level = parameters
        z = slope * logit + level
        off = (slope - 1) / SLOPE_SPREAD
        value = float((counted * (np.logaddexp(0, z) - failed * z)).sum()) + off**2 / 2
        error = counted * (_sigmoid(z) - failed)
        return value, np.array([float(error @ logit) + off / SLOPE_SPREAD, error.sum()])

    fitted = minimize(loss, np.array([1.0, 0.0]), jac=True, method="L-BFGS-B", bounds=[(0, 5), (-20, 20)])
    return float(fitted.x[0])


def _intercept(logit: Floats, failed: Flags, weight: Floats) -> float:
    """The shift at which the expected number of failures equals the observed one, by bisection."""
    observed = float(weight[failed].sum())
    low, high = -20.0, 20.0
    for _ in range(60):
        middle = (low + high) / 2
        if float((weight * _sigmoid(logit + middle)).sum()) < observed:
            low = middle
        else:
            high = middle
    return (low + high) / 2


def _beta(log_s: Floats, log_rest: Floats, failed: Flags, weight: Floats) -> tuple[float, float, float]:
    from scipy.optimize import minimize

    total = float(weight.sum())

    def loss(parameters: Floats) -> tuple[float, Floats]:
        a, b, c = parameters
        z = a * log_s + b * log_rest + c
        p = _sigmoid(z)
        value = float((weight * (np.logaddexp(0, z) - failed * z)).sum()) / total
        error = weight * (p - failed) / total
        return value, np.array([(error * log_s).sum(), (error * log_rest).sum(), error.sum()])

    fitted = minimize(loss, np.array([1.0, 1.0, 0.0]), jac=True, method="L-BFGS-B", bounds=[(0, 5), (0, 5), (-20, 20)])
    a, b, c = (float(value) for value in fitted.x)
    return a, b, c


def _sigmoid(z: Floats) -> Floats:
    return np.asarray(0.5 * (1 + np.tanh(0.5 * z)))
