"""The mixture e-process and its confidence sequence."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import integrate, stats

from analytics.sequential.mixture import half_width, log_e_different, log_e_worse

THETAS = st.floats(-3.0, 3.0)
INFORMATIONS = st.floats(0.0, 1e6)


def test_without_information_there_is_no_evidence_and_no_interval() -> None:
    assert log_e_worse(1.0, 0.0) == pytest.approx(0.0)
    assert log_e_different(1.0, 0.0) == 0.0
    assert half_width(0.0) == np.inf


@given(THETAS, INFORMATIONS)
def test_evidence_is_finite_whatever_was_measured(theta: float, information: float) -> None:
    assert np.isfinite(log_e_worse(theta, information))
    assert np.isfinite(log_e_different(theta, information))


def test_a_surely_better_release_gives_no_evidence_that_it_is_worse() -> None:
    assert log_e_worse(-2.0, 1e8) < -5.0


@pytest.mark.parametrize(("theta", "information"), [(0.3, 50.0), (-0.4, 10.0), (1.0, 400.0), (0.0, 3.0)])
def test_the_formula_is_the_mixture_it_stands_for(theta: float, information: float) -> None:
    tau = 0.405

    def integrand(value: float) -> float:
        likelihood = np.exp(value * theta * information - value * value * information / 2.0)
        return float(2.0 * stats.norm.pdf(value, scale=tau) * likelihood)

    expected, _ = integrate.quad(integrand, 0.0, 10.0 * tau, points=[max(theta, 0.0)])
    assert log_e_worse(theta, information, tau) == pytest.approx(np.log(expected), abs=1e-8)


@given(THETAS, st.floats(1e-3, 1e5))
def test_the_interval_leaves_out_exactly_what_is_refuted(theta: float, information: float) -> None:
    width = float(half_width(information, 0.05))
    assert log_e_different(width, information) == pytest.approx(np.log(20.0), rel=1e-6)
    assert (log_e_different(theta, information) < np.log(20.0)) == (abs(theta) < width)


@given(THETAS, st.floats(1e-3, 1e4), st.floats(0.1, 10.0))
def test_the_unit_of_the_estimate_does_not_matter(theta: float, information: float, scale: float) -> None:
    assert log_e_worse(theta * scale, information / scale**2, 0.405 * scale) == pytest.approx(
        float(log_e_worse(theta, information, 0.405)), abs=1e-9
    )


@given(st.floats(1e-2, 1e4))
def test_a_larger_difference_is_more_evidence(information: float) -> None:
    values = log_e_worse(np.linspace(-2.0, 2.0, 41), np.full(41, information))
    assert (np.diff(values) > 0).all()


@pytest.mark.parametrize("alpha", [0.05, 0.10])
def test_watching_a_fair_walk_for_ever_alarms_no_more_often_than_declared(alpha: float) -> None:
    rng = np.random.default_rng(1)
    steps = np.diff(np.concatenate([[0.0], np.geomspace(0.5, 2000.0, 300)]))
    score = np.cumsum(rng.standard_normal((4000, steps.size)) * np.sqrt(steps), axis=1)
    information = np.cumsum(steps)
    alarms = (log_e_worse(score / information, information) >= np.log(1.0 / alpha)).any(axis=1)
    assert alarms.mean() <= alpha + 3.0 * np.sqrt(alpha * (1.0 - alpha) / alarms.size)
    assert alarms.mean() >= alpha / 3.0  # and it is no idle watchman


def test_the_least_information_gives_an_infinite_interval_and_no_warning() -> None:
    assert half_width(1e-300) == np.inf
