"""The structure scorer as its callers see it: what it finds, what it names, and the laws it keeps."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from analytics.panel import Floats
from analytics.scorers import structure
from analytics.scorers.structure_format import dumped, restored
from hearthwatch.errors import Invalid

DAY = 24
PAST = 15 * DAY
NOW = 5 * DAY
METRICS = 5

SHORT, SOON = 4 * DAY, DAY
"""Past and present of the laws, which hold for any."""

seeds = st.integers(0, 2**32 - 1)
law = settings(max_examples=25)


def household(seed: int, steps: int = PAST + NOW, devices: int = 1) -> Floats:
    """Hourly values: four metrics that follow the day together, one that does not; every metric has noise of its own."""
    rng = np.random.default_rng(seed)
    phase = 2 * np.pi * np.arange(steps) / DAY
    load = np.sin(phase)[:, None] + 0.3 * rng.standard_normal((steps, devices))
    weights = np.array([1.0, -2.0, 0.5, 1.5, 0.0])
    noise = np.array([0.05, 0.1, 0.05, 0.1, 1.0])
    values: Floats = load[:, :, None] * weights + noise * rng.standard_normal((steps, devices, METRICS))
    return values


def gone_on(values: Floats, past: int = PAST) -> structure.Scored:
    model, memory = structure.learned(values[:past])
    found, _memory = structure.scored(model, memory, values[past:])
    return found


def three_named(found: structure.Scored, step: int) -> set[int]:
    return set(np.argsort(-found.contribution[step, 0])[:3].tolist())


def test_too_short_a_past_is_refused_with_what_is_needed() -> None:
    with pytest.raises(Invalid, match="has 20 steps; 50 are needed"):
        structure.learned(household(1)[:20])


def test_a_past_of_another_shape_is_refused() -> None:
    with pytest.raises(Invalid, match=r"steps, devices and metrics; its shape is \(60, 3\)"):
        structure.learned(np.zeros((60, 3)))


def test_values_of_other_metrics_than_learned_are_refused() -> None:
    model, memory = structure.learned(household(1)[:PAST])
    with pytest.raises(Invalid, match=r"shape \(1, 4\) do not fit .* \(1, 5\)"):
        structure.stepped(model, memory, np.zeros((1, 4)))
    with pytest.raises(Invalid, match=r"shape \(2, 5\) do not fit"):
        structure.scored(model, memory, np.zeros((7, 2, 5)))


def test_a_relation_that_breaks_is_found_although_every_metric_stays_in_its_range() -> None:
    values = household(2)
    values[PAST + 60 : PAST + 70, 0, 3] = values[PAST + 54 : PAST + 64, 0, 3]  # six hours behind the others
    found = gone_on(values)
    assert values[PAST:, 0, 3].max() <= values[:PAST, 0, 3].max() + 0.5
    peak = int(np.argmax(found.score[:, 0]))
    assert 60 <= peak < 72
    assert int(np.argmax(found.contribution[peak, 0])) == 3


def test_a_night_at_noon_is_found_although_its_values_are_everyday_ones() -> None:
    values = household(3)
    values[PAST + 48 : PAST + 60, 0] = values[PAST + 36 : PAST + 48, 0]  # all metrics together, half a day out of step
    found = gone_on(values)
    assert np.median(found.score[50:60, 0]) > np.delete(found.score[:, 0], slice(48, 72)).max()


def test_a_value_never_seen_before_is_found_and_named() -> None:
    values = household(4)
    values[PAST + 30, 0, 4] += 15.0
    found = gone_on(values)
    assert int(np.argmax(found.score[:, 0])) == 30
    assert int(np.argmax(found.contribution[30, 0])) == 4


def test_a_lasting_shift_is_an_anomaly_at_first_and_no_longer_after_weeks() -> None:
    values = household(5, steps=PAST + 60 * DAY)
    values[PAST:, 0, :] += 4.0
    found = gone_on(values)
    usual = np.median(gone_on(household(5)).score)
    assert found.score[:DAY, 0].mean() > 2.0 * usual
    assert found.score[-10 * DAY :, 0].mean() < 1.25 * usual


def test_a_device_that_says_nothing_has_no_score_and_is_not_accused_when_it_is_back() -> None:
    values = household(6)
    values[PAST + 20 : PAST + 60] = np.nan
    found = gone_on(values)
    assert np.isnan(found.score[20:60]).all()
    assert np.isfinite(found.score[:20]).all()
    assert np.isfinite(found.score[60:]).all()
    assert np.nanmax(found.score[60:]) <= 1.5 * np.nanmax(gone_on(household(6)).score)


def test_a_metric_that_stops_is_not_accused_and_the_others_are_judged_as_before() -> None:
    values = household(7)
    silent = values.copy()
    silent[PAST + 10 :, 0, 1] = np.nan
    silent[PAST + 40, 0, 4] = 15.0
    found = gone_on(silent)
    assert found.contribution[30:, 0, 1].max() < 1e-3
    assert int(np.argmax(found.score[:, 0])) == 40
    assert int(np.argmax(found.contribution[40, 0])) == 4


def test_a_metric_never_seen_in_the_past_contributes_nothing_when_it_appears() -> None:
    values = household(8)
    values[:PAST, 0, 2] = np.nan
    found = gone_on(values)
    assert (found.contribution[:, 0, 2] == 0).all()
    assert np.isfinite(found.score).all()


def test_a_metric_that_never_moved_is_named_once_it_does() -> None:
    values = np.concatenate([household(9), np.full((PAST + NOW, 1, 1), 7.0)], axis=2)
    values[PAST + 25, 0, 5] = 7.5
    found = gone_on(values)
    assert (found.contribution[:25, 0, 5] == 0).all()
    assert int(np.argmax(found.contribution[25, 0])) == 5


def test_infinite_values_count_as_unknown() -> None:
    values, holes = household(10), household(10)
    values[PAST + 5, 0, 2] = np.inf
    values[40, 0, 1] = -np.inf
    holes[PAST + 5, 0, 2] = holes[40, 0, 1] = np.nan
    np.testing.assert_array_equal(gone_on(values).score, gone_on(holes).score)


@pytest.mark.parametrize("wild", [1e308, -1e308, 5e-324, 1e200])
def test_wild_values_are_anomalies_not_errors(wild: float) -> None:
    values = household(12)
    values[[10, PAST + 30], 0, 2] = wild + 8.0
    found = gone_on(values)
    assert np.isfinite(found.score).all()
    assert int(np.argmax(found.contribution[30, 0])) == 2


@pytest.mark.parametrize("value", [0.0, 3.5, np.nan])
def test_where_nothing_ever_moved_nothing_is_accused_until_something_does(value: float) -> None:
    values = np.full((120, 2, 3), value)
    values[110, 1, 2] = 4.0
    model, memory = structure.learned(values[:100])
    found, _memory = structure.scored(model, memory, values[100:])
    assert not found.contribution[:10].any()
    assert not found.contribution[:, 0].any()
    moved = not np.isnan(value)
    assert bool(found.contribution[10, 1, 2] > 0) is moved
    assert model.season == 0


def test_the_past_of_many_alike_teaches_one_model_and_each_is_scored_by_itself() -> None:
    values = household(11, devices=4)
    values[PAST + 30 : PAST + 34, 2, 4] += 12.0
    found = gone_on(values)
    assert int(np.argmax(found.score[31])) == 2
    others = np.delete(found.score, 2, axis=1)
    assert found.score[31, 2] > others.max()


@law
@given(seed=seeds, cut=st.integers(1, SOON - 1))
def test_cutting_the_input_changes_nothing_before_the_cut(seed: int, cut: int) -> None:
    values = household(seed, SHORT + SOON)
    future = values.copy()
    future[SHORT + cut :] = 50.0
    before, other = gone_on(values, SHORT), gone_on(future, SHORT)
    np.testing.assert_array_equal(before.score[:cut], other.score[:cut])
    np.testing.assert_array_equal(before.contribution[:cut], other.contribution[:cut])
    np.testing.assert_array_equal(gone_on(values[: SHORT + cut], SHORT).score, before.score[:cut])


@law
@given(seed=seeds, cut=st.integers(0, SOON), holes=st.booleans())
def test_stored_and_restored_it_goes_on_as_if_never_stopped(seed: int, cut: int, holes: bool) -> None:
    values = household(seed, SHORT + SOON)
    if holes:
        values[np.random.default_rng(seed).random(values.shape) < 0.1] = np.nan
    model, memory = structure.learned(values[:SHORT])
    whole, _memory = structure.scored(model, memory, values[SHORT:])
    first, memory = structure.scored(model, memory, values[SHORT : SHORT + cut])
    model, memory = restored(dumped(model, memory))
    second, _memory = structure.scored(model, memory, values[SHORT + cut :])
    np.testing.assert_array_equal(whole.score, np.concatenate([first.score, second.score]))
    np.testing.assert_array_equal(whole.contribution, np.concatenate([first.contribution, second.contribution]))


@law
@given(seed=seeds)
def test_scoring_leaves_the_memory_it_was_given_as_it_was(seed: int) -> None:
    values = household(seed, SHORT + SOON)
    model, memory = structure.learned(values[:SHORT])
    before = dumped(model, memory)
    structure.scored(model, memory, values[SHORT:])
    structure.stepped(model, memory, values[SHORT])
    assert dumped(model, memory) == before


@law
@given(seed=seeds, order=st.permutations(range(METRICS)))
def test_the_order_of_metrics_does_not_matter_and_contributions_move_with_them(seed: int, order: list[int]) -> None:
    values = household(seed, SHORT + SOON)
    plain, turned = gone_on(values, SHORT), gone_on(values[:, :, order], SHORT)
    np.testing.assert_allclose(turned.score, plain.score, rtol=1e-6)
    np.testing.assert_allclose(turned.contribution, plain.contribution[:, :, order], rtol=1e-6, atol=1e-9)


@law
@given(seed=seeds, units=st.lists(st.floats(1e-6, 1e6), min_size=METRICS, max_size=METRICS))
def test_the_unit_of_a_metric_does_not_matter(seed: int, units: list[float]) -> None:
    values = household(seed, SHORT + SOON)
    plain, scaled = gone_on(values, SHORT), gone_on(values * np.array(units), SHORT)
    np.testing.assert_allclose(scaled.score, plain.score, rtol=1e-6)
    np.testing.assert_allclose(scaled.contribution, plain.contribution, rtol=1e-6, atol=1e-9)


@law
@given(seed=seeds, value=st.sampled_from([0.0, 0.1, -273.15, 1e12]))
def test_constant_metrics_do_no_harm(seed: int, value: float) -> None:
    values = household(seed, SHORT + SOON)
    more = np.concatenate([np.full((*values.shape[:2], 2), value), values], axis=2)
    plain, found = gone_on(values, SHORT), gone_on(more, SHORT)
    np.testing.assert_allclose(found.score, plain.score, rtol=1e-6)
    assert (found.contribution[:, :, :2] == 0).all()
