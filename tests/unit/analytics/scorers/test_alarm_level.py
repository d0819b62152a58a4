"""From scores to alarms."""

from __future__ import annotations

import numpy as np

from analytics.scorers.alarm_level import PATIENT, THRESHOLD, Levels, raised


def alarms(scores: list[float]) -> list[int]:
    """Samples at which one series alarms; NaN: no sample."""
    levels, found = Levels.empty(1), []
    for now, score in enumerate(scores):
        if raised(levels, np.array([score]), np.array([score == score]))[0]:
            found.append(now)
    return found


def test_nothing_alarms_before_there_is_a_past_to_judge_by() -> None:
    assert alarms([9.0] * 90) == []
    assert alarms([9.0] * 91) == [90]


def test_an_episode_gives_one_alarm_and_then_silence() -> None:
    assert alarms([0.0] * 300 + [9.0] * 20) == [300]


def test_after_an_alarm_the_same_score_is_not_enough_until_time_has_passed() -> None:
    news = [THRESHOLD * 1.05]
    soon, late = 400, 4_000
    assert alarms([0.0] * 300 + news + [0.0] * (soon - 301) + news) == [300]
    assert alarms([0.0] * 300 + news + [0.0] * (late - 301) + news) == [300, late]
    assert alarms([0.0] * 300 + news + [0.0] * (soon - 301) + [THRESHOLD * 1.5]) == [300, soon]


def test_the_longer_the_past_the_longer_the_silence_but_not_for_ever() -> None:
    def gap(age: int) -> int:
        first, second = alarms([0.0] * age + [1e9] * 1_000)[:2]
        return second - first

    assert gap(200) < gap(2_000) < gap(20_000) <= gap(60_000)
    assert gap(60_000) == PATIENT.longest_silence


def test_a_missing_sample_never_alarms_and_does_not_age_a_series() -> None:
    assert alarms([float("nan")] * 500 + [9.0] * 90) == []
