"""Features of remaining life: causal, by regime, against the unit's own start."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from analytics.remaining_life.features import Preparation, prepare
from analytics.remaining_life.histories import History
from tests.unit.analytics.remaining_life.wear import NAMES, worn_units


@pytest.fixture(scope="module")
def preparation() -> Preparation:
    return prepare([worn.history for worn in worn_units(1, 20)])


def holed(history: History, seed: int, share: float) -> History:
    """The same unit with some values not measured."""
    hidden = np.random.default_rng(seed).random(history.signals.shape) < share
    return History(
        history.name, history.age, history.settings, np.where(hidden, np.nan, history.signals), history.failed_at
    )


@settings(max_examples=50, deadline=None)
@given(st.integers(0, 10_000), st.floats(0.0, 1.0), st.floats(0.0, 0.9))
def test_cutting_a_history_changes_nothing_before_the_cut(
    preparation: Preparation, seed: int, part: float, missing: float
) -> None:
    history = holed(worn_units(seed, 1)[0].history, seed, missing)
    rows = max(1, int(part * len(history.age)))
    np.testing.assert_array_equal(preparation.of(history.until(rows)), preparation.of(history)[:rows])


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 10_000), st.floats(0.0, 1.0), st.floats(0.0, 0.95))
def test_the_last_row_alone_is_the_last_of_all_rows(
    preparation: Preparation, seed: int, part: float, missing: float
) -> None:
    history = holed(worn_units(seed, 1)[0].history, seed, missing)
    history = history.until(max(1, int(part * len(history.age))))
    np.testing.assert_allclose(preparation.last_of(history), preparation.of(history)[-1], rtol=1e-6, atol=1e-9)


def test_operating_conditions_are_found_in_the_data_and_taken_out_of_the_signals(preparation: Preparation) -> None:
    assert len(preparation.regimes.centres) == 2
    history = worn_units(5, 1)[0].history
    regime = preparation.regimes.of(history.settings)
    normalised = preparation.regimes.normalised(history.settings, history.signals)
    assert abs(history.signals[regime == 0, 1].mean() - history.signals[regime == 1, 1].mean()) > 4.0
    assert abs(normalised[regime == 0, 1].mean() - normalised[regime == 1, 1].mean()) < 0.5


def test_noise_around_one_setting_is_one_regime() -> None:
    assert len(prepare([worn.history for worn in worn_units(1, 20, regimes=1)]).regimes.centres) == 1


def test_a_signal_that_never_changes_is_no_feature(preparation: Preparation) -> None:
    columns = preparation.columns(NAMES)
    assert columns[0] == "age"
    assert not [name for name in columns if name.startswith("constant")]
    assert preparation.of(worn_units(5, 1)[0].history).shape[1] == len(columns)


def test_what_a_unit_came_to_from_its_start_does_not_depend_on_where_it_started(preparation: Preparation) -> None:
    history = worn_units(5, 1, regimes=1)[0].history
    hotter = History(history.name, history.age, history.settings, history.signals + 4.0, history.failed_at)
    since = [place for place, name in enumerate(preparation.columns(NAMES)) if name.endswith(("since_start", "slope"))]
    np.testing.assert_allclose(
        preparation.of(hotter)[:, since], preparation.of(history)[:, since], atol=1e-8, equal_nan=True
    )


def test_a_signal_that_grows_evenly_has_that_slope() -> None:
    age = np.cumsum(np.random.default_rng(1).integers(1, 4, 200)).astype(np.float64)
    line = History("a", age, np.zeros((200, 0)), (5.0 + 0.25 * age)[:, None])
    prepared = prepare([line])
    slope = prepared.of(line)[:, prepared.columns(("x",)).index("x.slope")]
    assert np.isnan(slope[:2]).all()
    np.testing.assert_allclose(slope[3:] * prepared.regimes.spread[0, 0], 0.25, rtol=1e-6)
