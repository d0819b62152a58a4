"""Finding the length of a day in a device's own past."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from analytics.panel import Floats
from analytics.scorers.season import season_of


def days(length: float, count: float, noise: float, seed: int) -> Floats:
    rng = np.random.default_rng(seed)
    steps = np.arange(round(length * count))
    sharp = np.exp(3.0 * np.sin(2 * np.pi * steps / length))
    both = np.stack([sharp / sharp.std(), np.cos(2 * np.pi * steps / length)], axis=1)
    values: Floats = both + noise * rng.standard_normal(both.shape)
    return values


@given(length=st.integers(12, 300), noise=st.floats(0.0, 0.7), seed=st.integers(0, 999))
def test_the_length_of_a_day_is_found_to_the_step(length: int, noise: float, seed: int) -> None:
    assert season_of(days(length, 20, noise, seed)) == length


def test_a_week_that_repeats_its_days_is_still_made_of_days() -> None:
    values = days(48, 35, 0.2, 1)
    weekend = (np.arange(len(values)) // 48) % 7 >= 5
    values[weekend] *= 0.8
    assert season_of(values) == 48


def test_unknown_values_do_not_hide_the_day() -> None:
    values = days(48, 20, 0.2, 2)
    values[np.random.default_rng(2).random(values.shape) < 0.3] = np.nan
    values[200:260] = np.nan
    assert season_of(values) == 48


@pytest.mark.parametrize("kind", ["noise", "walk", "trend", "constant", "unknown"])
def test_what_does_not_repeat_has_no_season(kind: str) -> None:
    rng = np.random.default_rng(3)
    noise = rng.standard_normal((2000, 3))
    past = {
        "noise": noise,
        "walk": np.cumsum(noise, axis=0),
        "trend": np.arange(2000.0)[:, None] + noise,
        "constant": np.ones((2000, 3)),
        "unknown": np.full((2000, 3), np.nan),
    }[kind]
    assert season_of(past) == 0


def test_a_past_of_less_than_three_seasons_has_none() -> None:
    assert season_of(days(48, 2.5, 0.0, 4)) == 0
    assert season_of(np.zeros((10, 2))) == 0
