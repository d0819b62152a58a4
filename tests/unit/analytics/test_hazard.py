from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from analytics.hazard import Hazard, Snapshots, fit_age_hazard, fit_hazard
from analytics.lives import NEVER

EDGES = (0, 3, 7, 14, 30)


def snapshots(seed: int, rows: int = 4000) -> Snapshots:
    """Failure times that follow one feature; the second is noise, the third never has a value."""
    rng = np.random.default_rng(seed)
    features = rng.normal(size=(rows, 3)).astype(np.float32)
    features[rng.random((rows, 3)) < 0.1] = np.nan
    features[:, 2] = np.nan
    rate = 0.004 * np.exp(1.6 * np.nan_to_num(features[:, 0]))
    time = np.ceil(rng.exponential(1 / rate))
    end = rng.integers(2, 60, rows).astype(float)
    return Snapshots(features, np.where(time <= end, time, NEVER), end, np.full(rows, 90.0), np.ones(rows))


@pytest.fixture(scope="module")
def model() -> Hazard:
    return fit_hazard(snapshots(1), EDGES, np.arange(4000) % 3, near_days=3)


def test_probabilities_never_fall_from_one_horizon_to_the_next(model: Hazard) -> None:
    p = model.probabilities(snapshots(2).features, (7, 14, 30))
    assert (np.diff(p, axis=1) >= 0).all()
    assert ((p > 0) & (p < 1)).all()


def test_the_same_data_give_the_same_model_to_the_last_bit(model: Hazard) -> None:
    again = fit_hazard(snapshots(1), EDGES, np.arange(4000) % 3, near_days=3)
    features = snapshots(3).features
    assert (again.raw(features, (7, 30)) == model.raw(features, (7, 30))).all()


def test_it_learns_what_drives_failures(model: Hazard) -> None:
    low, high = (np.array([[value, 0, np.nan]], dtype=np.float32) for value in (-1.5, 1.5))
    assert model.raw(high, (30,))[0, 0] > 5 * model.raw(low, (30,))[0, 0]


def test_a_device_of_a_fold_is_judged_by_the_classifier_that_has_not_seen_it(model: Hazard) -> None:
    features = snapshots(3).features[:30]
    fold = np.arange(30) % 3
    unseen = model.raw_unseen(features, (30,), fold)
    alone = [replace(model, classifiers=(one,)).raw(features, (30,)) for one in model.classifiers]
    assert (unseen == np.choose(fold[:, None], alone)).all()


def test_it_is_right_in_the_large_though_most_rows_are_followed_for_a_part_of_the_horizon(model: Hazard) -> None:
    rng = np.random.default_rng(9)
    features = rng.normal(size=(4000, 3)).astype(np.float32)
    features[:, 2] = np.nan
    truth = 1 - np.exp(-0.004 * np.exp(1.6 * features[:, 0]) * 30)
    assert model.raw(features, (30,)).mean() == pytest.approx(truth.mean(), rel=0.2)


def test_a_sample_of_the_negatives_keeps_the_base_rate() -> None:
    rng = np.random.default_rng(4)
    rows = 30_000
    features = rng.normal(size=(rows, 1)).astype(np.float32)
    fails = rng.random(rows) < 0.002
    data = Snapshots(features, np.where(fails, 2.0, NEVER), np.full(rows, 30.0), np.full(rows, 30.0), np.ones(rows))
    p = fit_hazard(data, EDGES, np.arange(rows) % 2, near_days=3).raw(features, (30,))
    assert p.mean() == pytest.approx(0.002, rel=0.25)


def test_age_alone_knows_the_rate_of_each_band() -> None:
    rng = np.random.default_rng(5)
    age = rng.uniform(0, 1000, 50_000)
    rate = np.where(age > 500, 0.01, 0.001)
    to_failure = np.where(rng.random(50_000) < rate, 1.0, NEVER)
    model = fit_age_hazard(age, to_failure, np.ones(50_000))
    young, old = model.probabilities(np.array([100.0, 900.0]), (7,))[:, 0]
    assert old == pytest.approx(1 - np.exp(-0.07), rel=0.2)
    assert young < old / 4


def test_an_unknown_age_is_no_error() -> None:
    model = fit_age_hazard(np.array([1.0, 2.0, np.nan]), np.array([1.0, NEVER, NEVER]), np.ones(3))
    assert np.isfinite(model.probabilities(np.array([np.nan]), (7,))).all()
