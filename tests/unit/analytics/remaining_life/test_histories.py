"""Histories of units: what is refused, and what was left at each row."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from analytics.remaining_life.histories import MOST_WEIGHT, History, in_order, targets_of
from hearthwatch.errors import Invalid


def unit(last: float, *, failed: bool, first: float = 1.0) -> History:
    age = np.arange(first, last + 1.0)
    return History("a", age, np.zeros((len(age), 0)), np.full((len(age), 1), last), last + 1.0 if failed else None)


@pytest.mark.parametrize(
    ("age", "settings", "failed_at", "words"),
    [
        ([], [], None, "no rows"),
        ([1.0, 1.0], [0.0, 0.0], None, "grow"),
        ([2.0, 1.0], [0.0, 0.0], None, "grow"),
        ([1.0, float("nan")], [0.0, 0.0], None, "finite"),
        ([1.0, 2.0], [0.0, float("inf")], None, "operating condition"),
        ([1.0, 2.0], [0.0, 0.0], 1.5, "after the failure"),
        ([1.0, 2.0], [0.0, 0.0], float("nan"), "after the failure"),
        ([1.0, 2.0], [0.0], None, "number of rows"),
    ],
)
def test_a_history_that_cannot_be_is_refused_by_name(
    age: list[float], settings: list[float], failed_at: float | None, words: str
) -> None:
    with pytest.raises(Invalid, match=words) as refused:
        History("pump 7", np.array(age), np.array(settings)[:, None], np.zeros((len(age), 1)), failed_at)
    assert "pump 7" in str(refused.value)


def test_what_is_left_counts_down_to_the_failure_and_is_capped() -> None:
    targets = targets_of([unit(5.0, failed=True)], cap=3.0)
    assert targets.life.tolist() == [3.0, 3.0, 3.0, 2.0, 1.0]
    assert targets.known.all()
    assert targets.weight.tolist() == [1.0] * 5


def test_a_unit_still_at_work_teaches_only_that_it_lasted_the_cap() -> None:
    targets = targets_of([unit(5.0, failed=False)], cap=3.0)
    assert targets.known.tolist() == [True, True, False, False, False]
    assert targets.life[targets.known].tolist() == [3.0, 3.0]


units = st.lists(st.tuples(st.integers(1, 60), st.integers(1, 60), st.booleans()), min_size=1, max_size=12)


@given(units, st.integers(1, 40))
def test_a_censored_unit_is_never_taken_as_failed(drawn: list[tuple[int, int, bool]], cap: int) -> None:
    histories = [
        unit(float(max(first, last)), failed=failed, first=float(min(first, last))) for first, last, failed in drawn
    ]
    targets = targets_of(histories, float(cap))
    censored = np.array([one.failed_at is None for one in histories])[targets.unit]
    assert (targets.life[targets.known & censored] == cap).all()
    assert (targets.weight[~targets.known] == 0).all()
    assert (targets.weight[targets.known] > 0).all()
    assert (targets.weight <= MOST_WEIGHT).all()


def test_rows_whose_end_is_known_stand_for_those_whose_end_is_not() -> None:
    """Half of the units are censored at a random age: weighed, the mean life of new units is that of all, not of the short-lived."""
    rng = np.random.default_rng(3)
    lives, ends = rng.integers(10, 60, 4000), rng.integers(5, 90, 4000)
    histories = [unit(float(min(life, end)), failed=bool(life <= end)) for life, end in zip(lives, ends, strict=True)]
    targets = targets_of(histories, cap=1000.0)
    new = np.flatnonzero(np.diff(targets.unit, prepend=-1))
    known = new[targets.known[new]]
    truth = lives.mean()
    assert targets.life[known].mean() < truth - 3.0
    assert np.average(targets.life[known], weights=targets.weight[known]) == pytest.approx(truth, abs=1.0)


@given(st.permutations([3, 5, 8, 9]), st.text(max_size=3))
def test_the_order_of_units_is_that_of_what_they_hold(lasts: list[int], name: str) -> None:
    given_units = [unit(float(last), failed=last % 2 == 0) for last in lasts]
    renamed = [History(name, one.age, one.settings, one.signals, one.failed_at) for one in given_units]
    assert [one.known_until for one in in_order(renamed)] == sorted(one.known_until for one in given_units)


@given(
    st.lists(st.tuples(st.integers(2, 30), st.booleans(), st.integers(1, 3)), min_size=1, max_size=8),
    st.integers(1, 40),
)
def test_a_unit_drawn_for_several_counts_as_if_all_of_them_were_there(
    drawn: list[tuple[int, bool, int]], cap: int
) -> None:
    few = [replace(unit(last, failed=failed), stands_for=float(times)) for last, failed, times in drawn]
    many = [unit(last, failed=failed) for last, failed, times in drawn for _ in range(times)]
    one, all_ = targets_of(few, float(cap)), targets_of(many, float(cap))
    of_many = np.repeat(np.arange(len(drawn)), [times for _, _, times in drawn])[all_.unit]
    for place in range(len(drawn)):
        assert one.weight[one.unit == place].sum() == pytest.approx(all_.weight[of_many == place].sum())
