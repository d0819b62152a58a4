from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import average_precision_score

from analytics.intervals import Judged, intervals, logistic_slope

DEVICES, DAYS, HORIZON = 300, 12, 5


def fleet(seed: int, *, crowds: bool = False) -> Judged:
    """Devices with a lasting risk of their own; what is said of them is true on the average. In crowds all failures fall on few days."""
    rng = np.random.default_rng(seed)
    risk = np.clip(rng.beta(0.5, 8, DEVICES), 1e-4, 0.9)
    fails = rng.random(DEVICES) < risk
    on = rng.choice([5, 6, 9, 11], DEVICES) if crowds else rng.integers(HORIZON, DAYS + 1, DEVICES)
    device, day = (each.ravel() for each in np.meshgrid(np.arange(DEVICES), np.arange(DAYS), indexing="ij"))
    failed = fails[device] & (on[device] > day) & (on[device] <= day + HORIZON)
    usable = ~fails[device] | (on[device] > day)
    rows = Judged(
        risk[device] * HORIZON / DAYS, np.full(len(device), 0.02), failed, device, day, np.where(failed, on[device], -1)
    )
    return Judged(*(getattr(rows, name)[usable] for name in Judged.__slots__))


def test_without_a_failure_there_is_neither_score_nor_interval() -> None:
    rows = fleet(1)
    found = intervals(replace(rows, failed=np.zeros(len(rows.failed), dtype=bool)), replications=20)
    assert found["observed_expected"] == {
        "value": None,
        "by_device": [None] * 2,
        "by_day": [None] * 2,
        "by_both": [None] * 2,
    }


def test_the_values_are_those_of_the_rows_themselves() -> None:
    rows = fleet(2)
    found = intervals(rows, replications=20)
    assert found["average_precision"]["value"] == pytest.approx(
        average_precision_score(rows.failed, rows.probability), abs=1e-5
    )
    assert found["observed_expected"]["value"] == pytest.approx(rows.failed.sum() / rows.probability.sum(), abs=1e-5)
    brier = ((rows.probability - rows.failed) ** 2).mean()
    assert found["brier_skill_over_zero"]["value"] == pytest.approx(1 - brier / rows.failed.mean(), abs=1e-5)
    z = np.log(rows.probability / (1 - rows.probability))
    regression = LogisticRegression(C=1e9, max_iter=1000, tol=1e-8).fit(z[:, None], rows.failed)
    assert found["calibration_slope"]["value"] == pytest.approx(regression.coef_[0, 0], rel=0.03)


def test_rows_of_one_device_are_not_taken_for_independent() -> None:
    rows = fleet(3)
    low, high = intervals(rows, replications=300)["observed_expected"]["by_device"]
    naive = 2 * 1.96 / np.sqrt(rows.failed.sum()) * rows.failed.sum() / rows.probability.sum()
    assert high - low > 1.3 * naive


def test_failures_that_come_in_crowds_leave_the_level_less_sure_by_day() -> None:
    def width(rows: Judged, scheme: str) -> float:
        bound = intervals(rows, replications=300)["observed_expected"]
        return float((bound[scheme][1] - bound[scheme][0]) / bound["value"])

    assert width(fleet(4, crowds=True), "by_day") > 1.2 * width(fleet(4), "by_day")
    assert width(fleet(4, crowds=True), "by_both") > width(fleet(4, crowds=True), "by_day")


def test_intervals_by_device_hold_the_truth_about_as_often_as_they_say() -> None:
    """What is said is right by construction of a fleet whose devices each give one row."""
    held = []
    for seed in range(40):
        rng = np.random.default_rng(seed)
        p = rng.beta(0.5, 8, 700)
        failed = rng.random(700) < p
        device = np.arange(700)
        rows = Judged(p, np.full(700, 0.06), failed, device, np.zeros(700, dtype=np.int64), np.where(failed, 1, -1))
        found = intervals(rows, replications=80, seed=seed)
        held += [
            found[name]["by_device"][0] <= 1 <= found[name]["by_device"][1]
            for name in ("observed_expected", "calibration_slope")
        ]
    assert 0.87 <= np.mean(held) <= 1.0


@settings(max_examples=10, deadline=None)
@given(st.integers(0, 100))
def test_the_order_of_rows_does_not_change_a_value(seed: int) -> None:
    rows = fleet(seed)
    order = np.random.default_rng(seed).permutation(len(rows.failed))
    other = Judged(*(getattr(rows, name)[order] for name in Judged.__slots__))
    one, two = (intervals(each, replications=1) for each in (rows, other))
    for name in ("average_precision", "brier_skill", "observed_expected"):
        assert one[name]["value"] == pytest.approx(two[name]["value"], abs=2e-6)


def test_a_slope_that_does_not_exist_is_no_number() -> None:
    z = np.array([-1.0, 0.0, 1.0])
    assert np.isnan(logistic_slope(np.zeros(3), np.full(3, 5.0), np.full(3, 2.0)))
    assert np.isnan(logistic_slope(z, np.full(3, 5.0), np.array([0.0, 0.0, 5.0])))
    assert logistic_slope(z, np.full(3, 1e6), 1e6 / (1 + np.exp(-0.5 * z))) == pytest.approx(0.5, rel=1e-6)
