from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from analytics.calibration import Calibration, fit_calibration, independent_failures
from analytics.evaluation import expected_calibration_error


def scores(seed: int, rows: int = 20_000) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    true = rng.beta(0.3, 12, rows)
    return true, rng.random(rows) < true


def test_without_failures_nothing_is_changed() -> None:
    p = np.array([0.1, 0.2])
    fitted = fit_calibration(p, np.array([False, False]), 0)
    np.testing.assert_allclose(fitted.apply(p), p)


def test_few_positives_move_the_level_and_hardly_the_slope() -> None:
    true, failed = scores(1)
    wrong = true * 3 / (1 + 2 * true)
    fitted = fit_calibration(wrong, failed, positives=40)
    assert fitted.kind == "logistic"
    assert fitted.a == fitted.b == pytest.approx(1.0, abs=0.1)
    assert fitted.apply(wrong).sum() == pytest.approx(failed.sum(), rel=1e-6)


def test_the_fewer_the_independent_failures_the_less_is_a_slope_believed() -> None:
    true, failed = scores(2)
    odds = (true / (1 - true)) ** 2
    overconfident = np.clip(odds / (1 + odds), 1e-6, 1 - 1e-6)
    slopes = [fit_calibration(overconfident, failed, positives=number).a for number in (0.001, 3, 10, 59)]
    assert slopes == sorted(slopes, reverse=True)
    assert slopes[0] == pytest.approx(1.0, abs=0.01)
    assert slopes[-1] == pytest.approx(0.5, abs=0.1)


def test_rows_that_repeat_a_failure_teach_no_more_than_one() -> None:
    true, failed = scores(3)
    wrong = true**2
    once = fit_calibration(wrong, failed, positives=20)
    thrice = fit_calibration(np.repeat(wrong, 3), np.repeat(failed, 3), positives=20)
    assert (thrice.a, thrice.c) == pytest.approx((once.a, once.c), rel=1e-3)


def test_many_positives_mend_the_shape() -> None:
    true, failed = scores(2)
    wrong = true**0.5
    fitted = fit_calibration(wrong, failed, positives=500)
    assert fitted.kind == "beta"
    mended = fitted.apply(wrong)
    assert expected_calibration_error(mended, failed) < expected_calibration_error(wrong, failed) / 5


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 10_000), st.sampled_from([10, 500, 5000]))
def test_calibration_never_changes_the_order(seed: int, positives: int) -> None:
    true, failed = scores(seed, 500)
    fitted = fit_calibration(true, failed, positives)
    order = np.argsort(true)
    assert (np.diff(fitted.apply(true)[order]) >= -1e-12).all()


def test_doing_nothing_is_the_identity() -> None:
    p = np.linspace(0.001, 0.999, 50)
    np.testing.assert_allclose(Calibration().apply(p), p, atol=1e-6)


def test_thousands_of_positives_mend_any_rising_shape() -> None:
    true, failed = scores(3, 100_000)
    wrong = np.where(true < 0.02, true / 4, 0.5 + true / 4)
    isotonic = fit_calibration(wrong, failed, positives=1001)
    beta = fit_calibration(wrong, failed, positives=1000)
    assert (isotonic.kind, beta.kind) == ("isotonic", "beta")
    off = [np.abs(one.apply(wrong) - true).mean() for one in (isotonic, beta)]
    assert off[0] < off[1] / 2
    assert 0 < isotonic.apply(np.array([0.0]))[0] < isotonic.apply(np.array([1.0]))[0] < 1


def test_failures_of_one_day_are_worth_little_more_than_one() -> None:
    device = np.arange(60)
    assert independent_failures(device, np.full(60, 7), 40) < 2
    assert independent_failures(device, np.arange(60) % 40, 40) == pytest.approx(60)


def test_independent_failures_count_in_full_and_their_rows_once() -> None:
    rng = np.random.default_rng(5)
    device, failed_on = np.arange(4000), rng.integers(0, 400, 4000)
    assert independent_failures(device, failed_on, 400) == pytest.approx(4000, rel=0.2)
    repeated = independent_failures(np.repeat(device, 7), np.repeat(failed_on, 7), 400)
    assert repeated == independent_failures(device, failed_on, 400)


def test_no_failure_is_worth_none() -> None:
    nothing = np.zeros(0, dtype=np.int64)
    assert independent_failures(nothing, nothing, 40) == 0
