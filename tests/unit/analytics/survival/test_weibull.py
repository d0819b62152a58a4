from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from analytics.panel import Floats, Ints
from analytics.survival.spells import Spells, Watched, spells_of
from analytics.survival.weibull import Weibull, fit_weibull
from hearthwatch.errors import Invalid


def fleet(
    seed: int,
    *,
    size: int = 4000,
    shape: float = 3.0,
    scale: float = 1000.0,
    watched: float = 200.0,
    oldest: float = 1500.0,
) -> Spells:
    """Parts of all ages come under watch on one day; those that had failed before are not there."""
    rng = np.random.default_rng(seed)
    age = rng.uniform(0, oldest, size * 4)
    life = scale * rng.weibull(shape, size * 4)
    there = np.flatnonzero(life > age)[:size]
    age, life = age[there], life[there]
    return Spells(age, np.minimum(life, age + watched), life <= age + watched, np.zeros(len(age), dtype=np.int64))


def zeros(number: int = 1) -> Ints:
    return np.zeros(number, dtype=np.int64)


def one(value: float) -> Floats:
    return np.array([value])


def test_too_few_failures_are_refused_with_their_number() -> None:
    spells = Spells(np.zeros(50), np.full(50, 9.0), np.arange(50) < 4, zeros(50))
    with pytest.raises(Invalid, match=r"4 failures: too few .* 5 are needed"):
        fit_weibull(spells)


def test_a_spell_that_ends_before_it_begins_is_refused() -> None:
    with pytest.raises(ValueError, match="ends later"):
        Spells(one(5.0), one(5.0), np.array([True]), zeros())


def test_truth_is_found_though_only_the_survivors_of_every_age_came_under_watch() -> None:
    fitted = fit_weibull(fleet(1))
    assert fitted.shape == pytest.approx(3.0, rel=0.1)
    assert fitted.scale(0) == pytest.approx(1000, rel=0.05)


def test_to_count_the_years_before_the_watch_as_survived_would_be_far_off() -> None:
    spells = fleet(1)
    immortal = Spells(np.zeros(len(spells.entry)), spells.exit, spells.failed, spells.group)
    wrong, right = fit_weibull(immortal), fit_weibull(spells)
    truth = 1 - np.exp(-((930 / 1000) ** 3 - (900 / 1000) ** 3))
    told = [float(model.probabilities(zeros(), one(900.0), one(30.0))[0]) for model in (right, wrong)]
    assert told[0] == pytest.approx(truth, rel=0.12)
    assert told[1] < 0.6 * truth


def test_it_is_the_maximum_of_the_likelihood_of_one_group() -> None:
    spells = fleet(2, size=600)
    fitted = fit_weibull(spells)

    def likelihood(shape: float, scale: float) -> float:
        density = np.log(shape / scale) + (shape - 1) * np.log(spells.exit[spells.failed] / scale)
        return float(density.sum() - ((spells.exit / scale) ** shape - (spells.entry / scale) ** shape).sum())

    shape, scale = fitted.shape, fitted.scale(0)
    best = likelihood(shape, scale)
    for factor in (0.97, 1.03):
        assert likelihood(shape * factor, scale) < best
        assert likelihood(shape, scale * factor) < best


def test_where_the_shape_is_one_the_rate_is_failures_over_exposure() -> None:
    spells = fleet(3, shape=1.0, scale=2000.0)
    fitted = fit_weibull(spells)
    assert fitted.shape == pytest.approx(1.0, abs=0.15)
    rate = spells.failed.sum() / (spells.exit - spells.entry).sum()
    at = np.array([100.0, 700.0, 1300.0])
    told = fitted.probabilities(zeros(3), at, np.full(3, 30.0))
    np.testing.assert_allclose(told, 1 - np.exp(-30 * rate), rtol=0.25)


def groups(seed: int, rates: Floats, size: Ints) -> Spells:
    rng = np.random.default_rng(seed)
    group = np.repeat(np.arange(len(rates)), size)
    life = (rng.exponential(1, len(group)) / rates[group]) ** 0.5
    return Spells(np.zeros(len(group)), np.minimum(life, 100.0), life <= 100, group)


def test_a_small_group_is_drawn_towards_the_others_and_a_large_one_speaks_for_itself() -> None:
    rates = 1e-5 * np.exp(np.random.default_rng(1).normal(0, 0.5, 12))
    rates[0], rates[1] = 4e-5, 4e-5
    size = np.full(12, 400)
    size[0], size[1] = 5, 4000
    spells = groups(2, rates, size)
    fitted = fit_weibull(spells)
    alone = fitted.failures / fitted.exposure
    pooled = np.array([(fitted.scale(g) / fitted.per) ** -fitted.shape for g in range(12)])
    assert abs(np.log(pooled[0] / fitted.mean_rate)) < 0.5 * abs(np.log(max(alone[0], 1e-9) / fitted.mean_rate))
    assert pooled[1] == pytest.approx(alone[1], rel=0.02)


def test_drawing_groups_together_foretells_new_lives_better_than_each_alone() -> None:
    gain = []
    for seed in range(8):
        rates = 1e-5 * np.exp(np.random.default_rng(seed).normal(0, 0.5, 25))
        fitted = fit_weibull(groups(seed, rates, np.full(25, 40)))
        truth = np.log(rates * fitted.per**2)
        pooled = np.log([(fitted.scale(g) / fitted.per) ** -fitted.shape for g in range(25)])
        alone = np.log((fitted.failures + 0.5) / fitted.exposure)
        gain.append(((alone - truth) ** 2).mean() - ((pooled - truth) ** 2).mean())
    assert np.mean(gain) > 0


def test_the_bounds_hold_the_rate_of_new_models_as_often_as_they_say() -> None:
    held = []
    for seed in range(12):
        rates = 1e-5 * np.exp(np.random.default_rng(100 + seed).normal(0, 0.6, 40))
        fitted = fit_weibull(groups(seed, rates[:30], np.full(30, 60)))
        low, high = fitted.bounds(np.full(1, -1), one(0.0), one(50.0), level=0.9)
        truth = 1 - np.exp(-rates[30:] * 50**2)
        held += ((low <= truth) & (truth <= high)).tolist()
    assert 0.8 <= np.mean(held) <= 0.98


def test_a_covariate_that_shortens_lives_is_found() -> None:
    rng = np.random.default_rng(6)
    hot = rng.normal(0, 1, 5000)
    life = 500 * np.exp(-0.3 * hot) * rng.weibull(2.0, 5000)
    spells = Spells(np.zeros(5000), np.minimum(life, 400.0), life <= 400, zeros(5000))
    fitted = fit_weibull(spells, hot[:, None])
    assert fitted.effects[0] == pytest.approx(-0.3, abs=0.04)
    low, high = fitted.probabilities(zeros(2), np.full(2, 100.0), np.full(2, 30.0), np.array([[-1.0], [1.0]]))
    assert high > 2 * low


def test_it_is_silent_about_ages_and_kinds_it_has_not_seen() -> None:
    fitted = fit_weibull(fleet(1))
    told = fitted.silent(np.array([0, 0, -1, 0]), np.array([500.0, 5000.0, 500.0, np.nan]), np.full(4, 30.0))
    assert told[0] is None
    assert told[1:] == [
        "of an age at which too few parts have been watched",
        "of a kind that was never watched, and too few kinds have been",
        "its age is not known",
    ]


def test_hours_of_operation_and_days_tell_the_same_of_devices_that_always_run() -> None:
    days = fleet(4)
    hours = in_hours(days, np.full(len(days.entry), 24.0))
    by_day = fit_weibull(days).probabilities(zeros(), one(600.0), one(30.0))
    by_hour = fit_weibull(hours, unit="hours").probabilities(zeros(), one(14_400.0), one(720.0))
    np.testing.assert_allclose(by_day, by_hour, rtol=1e-3)


def test_where_lives_go_by_hours_of_operation_hours_foretell_better_than_days() -> None:
    rng = np.random.default_rng(8)
    per_day = rng.choice([2.0, 20.0], 4000)
    life = 4000 * rng.weibull(3.0, 4000)
    until = 300.0 * per_day
    days = Spells(np.zeros(4000), np.minimum(life, until) / per_day, life <= until, zeros(4000))
    by_hour = fit_weibull(in_hours(days, per_day), unit="hours")
    truth = 1 - np.exp(-((3600 / 4000) ** 3 - (3000 / 4000) ** 3))
    assert by_hour.probabilities(zeros(), one(3000.0), one(600.0))[0] == pytest.approx(truth, rel=0.1)
    assert fit_weibull(days).probabilities(zeros(), one(150.0), one(30.0))[0] < 0.8 * truth


def exponential(rate: float) -> Weibull:
    return Weibull(1.0, np.zeros(0), rate, 1e6, np.array([0]), np.array([0.0]), 1.0, 0.0, 1e6, "days")


@settings(max_examples=40, deadline=None)
@given(st.floats(0, 2000), st.floats(1, 500), st.floats(1, 500))
def test_probabilities_grow_with_the_horizon_and_lie_within_their_bounds(age: float, near: float, more: float) -> None:
    fitted = exponential(0.001)
    p = fitted.probabilities(zeros(2), np.full(2, age), np.array([near, near + more]))
    low, high = fitted.bounds(zeros(2), np.full(2, age), np.array([near, near + more]))
    assert 0 < p[0] <= p[1] < 1
    assert (low <= p).all()
    assert (p <= high).all()


def test_a_part_that_was_old_when_its_device_came_under_watch_enters_at_that_age() -> None:
    spells = spells_of([Watched(0, born=100, since=400, until=500)])
    assert (spells.entry.tolist(), spells.exit.tolist(), spells.failed.tolist()) == ([300], [401], [False])


def test_a_renewed_part_begins_again_and_what_is_broken_is_not_at_risk() -> None:
    spells = spells_of([Watched(2, born=0, since=0, until=100, failures=[30], renewed=[40])])
    assert spells.entry.tolist() == [0, 0]
    assert spells.exit.tolist() == [31, 61]
    assert spells.failed.tolist() == [True, False]
    assert spells.group.tolist() == [2, 2]


def test_a_part_that_was_never_watched_or_broken_before_it_was_leaves_no_spell() -> None:
    never = Watched(0, born=0, since=50, until=50)
    broken = Watched(0, born=0, since=50, until=90, failures=[20])
    assert len(spells_of([never, broken]).entry) == 0


@given(st.lists(st.integers(0, 200), max_size=4), st.lists(st.integers(0, 200), max_size=4), st.integers(0, 100))
def test_no_day_at_risk_is_counted_twice(failures: list[int], renewed: list[int], since: int) -> None:
    spells = spells_of([Watched(0, born=0, since=since, until=200, failures=failures, renewed=renewed)])
    assert (spells.exit - spells.entry).sum() <= 201 - since + len(renewed)
    assert spells.failed.sum() <= len(set(failures))


def in_hours(days: Spells, per_day: Floats) -> Spells:
    """The same spells by operating hours, of which each device has so many a day."""
    return Spells(days.entry * per_day, days.exit * per_day, days.failed, days.group)
