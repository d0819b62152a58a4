from __future__ import annotations

import numpy as np
import pytest

from analytics.evaluation import alerts_within, episodes, expected_calibration_error, scores


def test_scores_without_failures_are_undefined_not_wrong() -> None:
    found = scores(np.array([0.1, 0.2]), np.array([False, False]))
    assert found["auc"] is None
    assert found["average_precision"] is None
    assert found["base_rate"] == 0


def test_scores_of_no_rows_are_undefined() -> None:
    assert scores(np.array([]), np.array([], dtype=bool))["brier"] is None


def test_a_perfect_forecast_scores_perfectly() -> None:
    failed = np.array([True, False, False, True])
    found = scores(failed.astype(float), failed)
    assert (found["auc"], found["average_precision"], found["brier"], found["ece"]) == (1.0, 1.0, 0.0, 0.0)
    assert found["observed_expected"] == 1.0


def test_predicting_zero_has_the_base_rate_as_its_calibration_error() -> None:
    failed = np.arange(1000) % 100 == 0
    assert expected_calibration_error(np.zeros(1000), failed) == pytest.approx(0.01)


def test_one_day_below_does_not_end_an_alert() -> None:
    device, day = np.array([1, 1, 1, 1, 2]), np.array([1, 3, 6, 7, 1])
    found = episodes(device, day, np.ones(5, dtype=bool))
    assert list(zip(found.device.tolist(), found.begin.tolist(), found.end.tolist(), strict=True)) == [
        (1, 1, 3),
        (1, 6, 7),
        (2, 1, 1),
    ]


def test_alerts_stay_within_their_budget_and_are_worth_what_they_foretell() -> None:
    device = np.repeat(np.arange(100), 28)
    day = np.tile(np.arange(28), 100)
    to_failure = np.where(device < 2, 28.0 - day, np.inf)
    probability = np.where(device < 2, 0.02 + day / 40, 0.01) + np.where((device == 50) & (day == 3), 0.9, 0)
    found = alerts_within(probability, device, day, to_failure, horizon=7, per_1000_weeks=7.5)
    assert 1000 * len(found.right) / found.weeks <= 7.5
    assert found.foretold == found.foreseeable == {(0, 28), (1, 28)}
    assert found.right.mean() == pytest.approx(2 / 3)
    assert np.median(list(found.leads.values())) >= 7


def test_a_budget_below_one_alert_gives_none() -> None:
    found = alerts_within(np.array([0.5]), np.array([0]), np.array([0]), np.array([3.0]), horizon=7, per_1000_weeks=1)
    assert len(found.right) == 0
    assert found.foretold == frozenset()
    assert found.foreseeable == {(0, 3)}
