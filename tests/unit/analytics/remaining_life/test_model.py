"""The model of remaining life on wear whose truth is known."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pytest

from analytics.remaining_life.histories import Floats
from analytics.remaining_life.model import Forecast, RemainingLife, fit_remaining_life
from hearthwatch.errors import Invalid
from tests.unit.analytics.remaining_life.wear import Worn, worn_units

CAP = 60.0


@pytest.fixture(scope="module")
def learned() -> RemainingLife:
    return fit_remaining_life([worn.history for worn in worn_units(11, 120)], cap=CAP)


@pytest.fixture(scope="module")
def learned_censored() -> RemainingLife:
    return fit_remaining_life([worn.history for worn in worn_units(12, 160, censored=0.5)], cap=CAP)


def judged(model: RemainingLife, units: Sequence[Worn]) -> tuple[Forecast, Floats]:
    """Forecasts and truths of new units, all rows but each unit's first ten."""
    forecasts = [model.of(worn.history) for worn in units]
    truths = [np.minimum(worn.fails_at - worn.history.age, model.cap) for worn in units]
    return (
        Forecast(
            np.concatenate([one.expected[10:] for one in forecasts]),
            np.concatenate([one.quantiles[10:] for one in forecasts]),
        ),
        np.concatenate([one[10:] for one in truths]),
    )


@pytest.mark.parametrize("cap", [0.0, -1.0, float("nan"), float("inf")])
def test_a_cap_that_is_no_length_of_life_is_refused(cap: float) -> None:
    with pytest.raises(Invalid, match="cap"):
        fit_remaining_life([worn.history for worn in worn_units(1, 6)], cap=cap)


def test_nothing_is_learned_from_nothing_nor_from_too_few_failures() -> None:
    with pytest.raises(Invalid, match="no histories"):
        fit_remaining_life([], cap=CAP)
    with pytest.raises(Invalid, match="0 units have failed"):
        fit_remaining_life([worn.history for worn in worn_units(1, 8, censored=1.0)], cap=CAP)


def test_units_with_different_signals_are_refused() -> None:
    first, second, *rest = (worn.history for worn in worn_units(1, 8))
    with pytest.raises(Invalid, match="differ in their numbers"):
        fit_remaining_life([first, replace(second, signals=second.signals[:, :2]), *rest], cap=CAP)


def test_eight_in_ten_new_units_last_as_long_as_the_band_says(learned: RemainingLife) -> None:
    told, truth = judged(learned, worn_units(21, 150))
    near = told.expected < 0.8 * CAP  # where the cap hides nothing
    inside = (truth >= told.p10) & (truth <= told.p90)
    assert inside[near].mean() == pytest.approx(0.8, abs=0.08)
    assert (truth < told.p10).mean() == pytest.approx(0.1, abs=0.06)
    assert (truth[near] > told.p50[near]).mean() == pytest.approx(0.5, abs=0.12)


def test_the_expectation_is_much_closer_than_age_alone(learned: RemainingLife) -> None:
    told, truth = judged(learned, worn_units(22, 80))
    error = float(np.sqrt(np.mean((told.expected - truth) ** 2)))
    assert error < 0.6 * float(np.std(truth))
    assert abs(float(np.mean(told.expected - truth))) < 0.1 * CAP


def test_quantiles_are_in_order_and_between_nothing_and_the_cap(learned: RemainingLife) -> None:
    told, _ = judged(learned, worn_units(23, 20))
    assert (np.diff(told.quantiles, axis=1) >= 0).all()
    assert told.quantiles.min() >= 0
    assert told.quantiles.max() <= CAP


def test_bands_hold_although_half_of_the_units_were_still_at_work(learned_censored: RemainingLife) -> None:
    told, truth = judged(learned_censored, worn_units(24, 120))
    near = told.expected < 0.8 * CAP
    inside = (truth >= told.p10) & (truth <= told.p90)
    assert inside[near].mean() == pytest.approx(0.8, abs=0.1)
    assert abs(float(np.mean(told.expected - truth))) < 0.1 * CAP


def test_a_censored_unit_taken_as_failed_would_make_lives_look_shorter(learned_censored: RemainingLife) -> None:
    units = [worn.history for worn in worn_units(12, 160, censored=0.5)]
    wrong = [
        unit if unit.failed_at is not None else replace(unit, failed_at=float(unit.age[-1]) + 1.0) for unit in units
    ]
    new = worn_units(25, 60)
    right, truth = judged(learned_censored, new)
    mistaken, _ = judged(fit_remaining_life(wrong, cap=CAP), new)
    assert np.mean(mistaken.expected - truth) < np.mean(right.expected - truth) - 0.05 * CAP


def test_what_is_said_at_a_row_does_not_change_with_the_rows_after_it(learned: RemainingLife) -> None:
    history = worn_units(26, 1)[0].history
    whole = learned.of(history)
    for rows in (1, 2, 15, len(history.age) // 2, len(history.age) - 1):
        cut = learned.of(history.until(rows))
        np.testing.assert_array_equal(cut.expected, whole.expected[:rows])
        np.testing.assert_array_equal(cut.quantiles, whole.quantiles[:rows])


def test_neither_the_order_of_units_nor_their_names_matter() -> None:
    units = [worn.history for worn in worn_units(13, 40, censored=0.4)]
    rng = np.random.default_rng(1)
    shuffled = [replace(units[place], name=f"{rng.integers(10**9)}") for place in rng.permutation(len(units))]
    history = worn_units(27, 1)[0].history
    one, other = (fit_remaining_life(some, cap=CAP).of(history) for some in (units, shuffled))
    np.testing.assert_array_equal(one.quantiles, other.quantiles)
    np.testing.assert_array_equal(one.expected, other.expected)


def test_a_unit_with_holes_in_its_signals_is_still_told_something(learned: RemainingLife) -> None:
    history = worn_units(28, 1)[0].history
    signals = history.signals.copy()
    signals[::2] = np.nan
    told = learned.of(replace(history, signals=signals))
    assert np.isfinite(told.expected).all()
    assert np.isfinite(told.quantiles).all()
