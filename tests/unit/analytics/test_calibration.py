from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from analytics.calibration import Calibration, fit_calibration
from analytics.evaluation import expected_calibration_error


def scores(seed: int, rows: int = 20_000) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    true = rng.beta(0.3, 12, rows)
    return true, rng.random(rows) < true


def test_without_failures_nothing_is_changed() -> None:
    p = np.array([0.1, 0.2])
    fitted = fit_calibration(p, np.array([False, False]), 0)
    np.testing.assert_allclose(fitted.apply(p), p)


def test_few_positives_move_only_the_level() -> None:
    true, failed = scores(1)
    fitted = fit_calibration(true * 3 / (1 + 2 * true), failed, positives=40)
    assert fitted.kind == "intercept"
    assert (fitted.a, fitted.b) == (1.0, 1.0)
    assert fitted.apply(true * 3 / (1 + 2 * true)).sum() == pytest.approx(failed.sum(), rel=1e-6)


def test_many_positives_mend_the_shape() -> None:
    true, failed = scores(2)
    wrong = true**0.5
    fitted = fit_calibration(wrong, failed, positives=500)
    assert fitted.kind == "beta"
    mended = fitted.apply(wrong)
    assert expected_calibration_error(mended, failed) < expected_calibration_error(wrong, failed) / 5


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 10_000), st.sampled_from([10, 500]))
def test_calibration_never_changes_the_order(seed: int, positives: int) -> None:
    true, failed = scores(seed, 500)
    fitted = fit_calibration(true, failed, positives)
    order = np.argsort(true)
    assert (np.diff(fitted.apply(true)[order]) >= -1e-12).all()


def test_doing_nothing_is_the_identity() -> None:
    p = np.linspace(0.001, 0.999, 50)
    np.testing.assert_allclose(Calibration().apply(p), p, atol=1e-6)
