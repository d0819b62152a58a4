from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from analytics.scorers.structure import learned, scored
from analytics.scorers.structure_relearned import carried
from hearthwatch.errors import Invalid


def past(seed: int, metrics: int = 3) -> np.ndarray:
    rng = np.random.default_rng(seed)
    common = np.sin(2 * np.pi * np.arange(240) / 24)[:, None, None]
    return 10 + 3 * common + rng.normal(0, 0.3, (240, 4, metrics))


def test_the_same_model_learned_again_goes_on_as_if_nothing_happened() -> None:
    values = past(1)
    model, memory = learned(values[:120], season=24)
    np.testing.assert_array_equal(
        scored(model, carried(memory, model, model), values[120:])[0].score,
        scored(model, memory, values[120:])[0].score,
    )


def test_levels_and_profiles_keep_their_values_when_the_units_change() -> None:
    model, memory = learned(past(2), season=24)
    other = replace(model, centre=model.centre + 1.5, scale=model.scale * 4)
    moved = carried(memory, model, other)
    for name in ("level", "recent", "profile"):
        before = getattr(memory, name) * model.scale + model.centre
        np.testing.assert_allclose(getattr(moved, name) * other.scale + other.centre, before, rtol=1e-12)
    assert moved.step == memory.step


def test_a_metric_that_is_new_or_did_not_move_begins_afresh() -> None:
    old, memory = learned(past(3), season=24)
    values = past(4, metrics=4)
    values[:, :, 1] = 7.0
    new, _ = learned(values, season=24)
    moved = carried(memory, old, new)
    assert (moved.level[:, [1, 3]] == 0).all()
    assert np.isnan(moved.profile[:, :, [1, 3]]).all()
    assert not np.isnan(moved.profile[:, :, [0, 2]]).any()


def test_a_model_of_another_day_or_with_fewer_metrics_is_refused() -> None:
    old, memory = learned(past(5), season=24)
    with pytest.raises(Invalid, match="same season"):
        carried(memory, old, learned(past(5), season=12)[0])
    with pytest.raises(Invalid, match="same metrics"):
        carried(memory, old, learned(past(5, metrics=2), season=24)[0])
