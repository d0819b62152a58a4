from __future__ import annotations

import numpy as np
import pytest

from analytics.anomaly.conformal import TAIL_FROM, Calibration

EVERYONE = np.ones((60, 1), dtype=bool)


def past(rng: np.random.Generator, days: int) -> Calibration:
    known = Calibration.empty(1)
    for _ in range(days):
        known = known.learned(rng.standard_t(5, (60, 1)), EVERYONE)
    return known


def test_without_a_past_the_day_itself_is_the_comparison() -> None:
    p = Calibration.empty(1).p_values(0, np.arange(60.0) / 6 - 5, 1)
    assert p[-1] == pytest.approx(1 / 60, abs=1e-9)
    assert p[0] == 1.0


def test_a_missing_score_has_no_p_value() -> None:
    p = Calibration.empty(1).p_values(0, np.array([np.nan, 1.0, 2.0]), 1)
    assert np.isnan(p[0])
    assert not np.isnan(p[1:]).any()


@pytest.mark.parametrize("sign", [1, -1])
def test_p_values_of_healthy_devices_are_not_smaller_than_uniform(sign: int) -> None:
    rng = np.random.default_rng(3)
    known = past(rng, 20)
    p = np.concatenate([known.p_values(0, rng.standard_t(5, 60), sign) for _ in range(200)])
    for level in (0.2, 0.05, 0.01):
        assert (p <= level).mean() <= level * 1.3


def test_the_two_sides_look_at_opposite_ends() -> None:
    known = past(np.random.default_rng(4), 20)
    score = np.array([6.0])
    assert known.p_values(0, score, 1)[0] < 0.01
    assert known.p_values(0, score, -1)[0] > 0.9


def test_far_beyond_all_that_was_seen_the_tail_goes_on() -> None:
    rng = np.random.default_rng(5)
    few, many = past(rng, 2), past(rng, 20)
    assert few.counts.sum() < TAIL_FROM < many.counts.sum()
    near, far = many.p_values(0, np.array([6.0]), 1)[0], many.p_values(0, np.array([11.0]), 1)[0]
    assert far < near < 1 / 60


def test_devices_under_suspicion_do_not_become_the_yardstick() -> None:
    scores = np.concatenate([np.zeros(59), [11.0]])[:, None]
    trusted = EVERYONE.copy()
    trusted[59] = False
    assert Calibration.empty(1).learned(scores, trusted).counts.sum() == 59


def test_on_a_day_on_which_many_are_strange_being_one_of_them_says_little() -> None:
    known = past(np.random.default_rng(6), 20)
    alone = np.concatenate([np.random.default_rng(7).normal(size=59), [4.0]])
    warm = alone.copy()
    warm[:20] = 4.0
    assert known.p_values(0, alone, 1)[-1] < 0.02
    assert known.p_values(0, warm, 1)[-1] > 0.2


def test_a_handful_of_broken_devices_do_not_hide_one_another() -> None:
    known = past(np.random.default_rng(8), 20)
    scores = np.random.default_rng(9).normal(size=60)
    scores[:4] = 9.0
    assert known.p_values(0, scores, 1)[:4].max() < 0.02
