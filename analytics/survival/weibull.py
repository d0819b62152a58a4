"""Weibull lives with left truncation and right censoring, the scales of several models drawn towards one another.

Accelerated failure time: T = scale_g exp(x b) E^(1/k), E standard exponential, so a part of model g with covariates x has the cumulative
hazard r_g z with z = (t exp(-x b))^k. The shape k and the effects b are common to all models; the rates r_g = scale_g^-k are gamma
distributed over models (mean m, shape a). Gamma is the conjugate of what a model's failures say, so a model's own rate, its uncertainty
and the marginal likelihood that estimates k, b, m and a (empirical Bayes) are all closed forms:

    log L = sum_g [a log(a/m) - lgamma(a) + lgamma(a + d_g) - (a + d_g) log(a/m + Z_g)] + sum over failures of log dz/dt

with d_g failures and Z_g = sum of z(exit) - z(entry) at risk. A model without failures is told by its exposure and by the others.
Source: Klein, Moeschberger, Survival Analysis (2003), 3.5 (truncation), 12.2 (Weibull), 13 (gamma frailty).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from analytics.panel import Floats, Ints
from analytics.survival.spells import Spells
from hearthwatch.errors import Invalid

FEWEST_FAILURES = 5
FEWEST_GROUPS = 3
"""Models that must have been watched before anything is said of one that was not: two do not show how much models differ."""
FEWEST_FOLLOWED = 5
"""Parts that must have been watched to an age before anything is said about it."""
REACH = 1.25
"""A power law learned up to an age is carried so far beyond it: a young fleet is asked about ages that none of it has reached."""
_LOG_SHAPE = (np.log(0.1), np.log(20.0))
_LOG_ALIKE = (np.log(0.05), np.log(1e4))
_SPREAD = 1.0
_EFFECT = 5.0

Covariates = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Weibull:
    """A fitted model. ``unit`` is that of the ages it was given; ``alike`` is the gamma's shape a: how much models are alike.

    ``mean_rate`` and ``exposure`` are those of ages divided by ``per``, which keeps powers of ages within range.
    """

    shape: float
    effects: Floats
    mean_rate: float
    alike: float
    failures: Ints
    exposure: Floats
    per: float
    youngest: float
    oldest: float
    unit: str

    def scale(self, group: int) -> float:
        """The characteristic life of a group, at which 63 % have failed; -1 is a group that was never watched."""
        a, b = self._posterior(np.array([group]))
        return float(self.per * (a / b)[0] ** (-1 / self.shape))

    def probabilities(self, group: Ints, age: Floats, ahead: Floats, covariates: Covariates | None = None) -> Floats:
        """Probability that a part that works at ``age`` fails within ``ahead``, what is not known of its model's rate averaged out."""
        a, b = self._posterior(group)
        p: Floats = -np.expm1(-a * np.log1p(self._hazard(age, ahead, covariates) / b))
        return p

    def bounds(
        self, group: Ints, age: Floats, ahead: Floats, covariates: Covariates | None = None, level: float = 0.9
    ) -> tuple[Floats, Floats]:
        """Between what the probabilities lie, for the rates that a model's failures leave possible (shape and effects as fitted)."""
        from scipy.special import gammaincinv

        a, b = self._posterior(group)
        hazard = self._hazard(age, ahead, covariates)
        low, high = (gammaincinv(a, q) / b for q in ((1 - level) / 2, (1 + level) / 2))
        return -np.expm1(-low * hazard), -np.expm1(-high * hazard)

    def hazard(self, group: Ints, age: Floats, ahead: Floats, covariates: Covariates | None = None) -> Floats:
        """Expected cumulative hazard between ``age`` and ``age`` + ``ahead``."""
        a, b = self._posterior(group)
        return self._hazard(age, ahead, covariates) * a / b

    def silent(self, group: Ints, age: Floats, ahead: Floats) -> list[str | None]:
        """Why nothing should be said of each part; None where the model may speak."""
        answers: list[str | None] = []
        for one, now, until in zip(group.tolist(), age.tolist(), (age + ahead).tolist(), strict=True):
            if not np.isfinite(now):
                answers.append("its age is not known")
            elif now < self.youngest or until > self.oldest * REACH:
                answers.append("of an age at which too few parts have been watched")
            elif (one < 0 or self.exposure[one] <= 0) and (self.exposure > 0).sum() < FEWEST_GROUPS:
                answers.append("of a kind that was never watched, and too few kinds have been")
            else:
                answers.append(None)
        return answers

    def known_group(self, group: Ints) -> Ints:
        """The groups, -1 for those that came after it was fitted."""
        return np.where(group < len(self.exposure), group, -1)

    def _posterior(self, group: Ints) -> tuple[Floats, Floats]:
        known = group >= 0
        place = np.maximum(group, 0)
        a = self.alike + np.where(known, self.failures[place], 0)
        return a, self.alike / self.mean_rate + np.where(known, self.exposure[place], 0.0)

    def _hazard(self, age: Floats, ahead: Floats, covariates: Covariates | None) -> Floats:
        slower = self.shape * _linear(self.effects, covariates)
        begin, end = np.asarray(age) / self.per, (np.asarray(age) + ahead) / self.per
        return np.asarray((end**self.shape - begin**self.shape) * np.exp(-slower))


def fit_weibull(spells: Spells, covariates: Covariates | None = None, *, unit: str = "days") -> Weibull:
    """Fit to spells, groups 0, 1, ...; ``covariates`` has a row of standardised numbers for each.

    Raises `Invalid` with fewer than `FEWEST_FAILURES` failures.
    """
    from scipy.optimize import minimize  # heavy, and needed only where lives are fitted

    failures = int(spells.failed.sum())
    if failures < FEWEST_FAILURES:
        raise Invalid(
            f"{failures or 'no'} failure{'' if failures == 1 else 's'}: too few for a distribution of lives, "
            f"{FEWEST_FAILURES} are needed",
            where="failures",
        )
    per = float(spells.exit[spells.failed].mean())
    problem = _Problem.of(spells, covariates, per)
    start = np.concatenate([[0.0, np.log(failures / problem.exposure(0.0, problem.none).sum()), 1.0], problem.none])
    limits = [_LOG_SHAPE, (None, None), _LOG_ALIKE, *[(-_EFFECT, _EFFECT)] * len(problem.none)]
    found = minimize(problem.loss, start, method="L-BFGS-B", bounds=limits, options={"maxiter": 500})
    log_shape, log_rate, log_alike, *effects = (float(value) for value in found.x)
    ends = np.sort(spells.exit)
    return Weibull(
        float(np.exp(log_shape)),
        np.array(effects),
        float(np.exp(log_rate)),
        float(np.exp(log_alike)),
        problem.failures.astype(np.int64),
        problem.exposure(log_shape, np.array(effects)),
        per,
        float(np.sort(spells.entry)[min(FEWEST_FOLLOWED, len(ends)) - 1]),
        float(ends[-min(FEWEST_FOLLOWED, len(ends))]),
        unit,
    )


@dataclass(frozen=True, slots=True)
class _Problem:
    spells: Spells
    covariates: Covariates | None
    per: float
    groups: int
    failures: Floats
    none: Floats  # no effects

    @staticmethod
    def of(spells: Spells, covariates: Covariates | None, per: float) -> _Problem:
        groups = int(spells.group.max()) + 1
        failures = np.bincount(spells.group, weights=spells.failed, minlength=groups).astype(np.float64)
        return _Problem(
            spells, covariates, per, groups, failures, np.zeros(0 if covariates is None else covariates.shape[1])
        )

    def exposure(self, log_shape: float, effects: Floats) -> Floats:
        """Z of every group."""
        k = np.exp(log_shape)
        z = (self.spells.exit / self.per) ** k - (self.spells.entry / self.per) ** k
        z *= np.exp(-k * _linear(effects, self.covariates))
        return np.bincount(self.spells.group, weights=z, minlength=self.groups).astype(np.float64)

    def loss(self, parameters: Floats) -> float:
        """Minus the marginal log-likelihood, with a half-normal prior on how much models differ, 1/sqrt(a), so that few stay near."""
        from scipy.special import gammaln

        log_shape, log_rate, log_alike = parameters[:3]
        effects = parameters[3:]
        k, a = np.exp(log_shape), np.exp(log_alike)
        b = a / np.exp(log_rate)
        d, exposure = self.failures, self.exposure(log_shape, effects)
        failed = self.spells.failed
        density = log_shape + (k - 1) * np.log(self.spells.exit[failed] / self.per)
        density = density - k * np.broadcast_to(_linear(effects, self.covariates), failed.shape)[failed]
        # gammaln(a + d) - gammaln(a) - (a + d) log(b + Z) + a log b, written so that nothing cancels where a is large
        together = gammaln(a + d) - gammaln(a) - d * np.log(b + exposure) - a * np.log1p(exposure / b)
        return float(-together.sum() - density.sum() + 0.5 / (a * _SPREAD**2))


def _linear(effects: Floats, covariates: Covariates | None) -> Floats:
    if covariates is None:
        return np.zeros(1)
    return np.asarray(covariates @ effects)
