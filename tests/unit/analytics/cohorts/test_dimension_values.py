"""Who has which value when: laws of the arms over time."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from analytics.cohorts.dimension_values import Members
from analytics.cohorts.dimension_words import basis_of, named, with_basis
from analytics.cohorts.verdict import Verdict

HOURS = 40
changes = st.lists(
    st.tuples(st.integers(0, 3), st.integers(1, HOURS - 1), st.sampled_from([-1, 0, 1])), max_size=8
).map(lambda rows: tuple(sorted(rows)))


def members(arm: list[int], change: tuple[tuple[int, int, int], ...]) -> Members:
    nothing = np.zeros(4, dtype=np.int64)
    return Members(("a", "b", "c", "d"), nothing, nothing, np.array(arm, dtype=np.int8), change)


@given(arm=st.lists(st.sampled_from([-1, 0, 1]), min_size=4, max_size=4), change=changes, middle=st.integers(0, HOURS))
def test_hours_read_in_parts_are_the_hours_read_at_once(
    arm: list[int], change: tuple[tuple[int, int, int], ...], middle: int
) -> None:
    one = members(arm, change)
    parts = np.concatenate([one.arms(0, middle), one.arms(middle, HOURS)], axis=1)
    assert parts.tolist() == one.arms(0, HOURS).tolist()


@given(arm=st.lists(st.sampled_from([-1, 0, 1]), min_size=4, max_size=4), change=changes)
def test_those_that_had_the_value_are_those_seen_in_its_arm(
    arm: list[int], change: tuple[tuple[int, int, int], ...]
) -> None:
    one = members(arm, change)
    movers, had = one.moved(0, HOURS)
    seen = int((one.arms(0, HOURS) == 1).any(axis=1).sum())
    steps = {(device, hour) for device, hour, _ in change}
    if len(steps) == len(change):  # one word for each device and hour
        assert had == seen
    assert 0 <= movers <= len({device for device, *_ in change})


def test_a_value_that_is_lost_and_found_again_is_no_move() -> None:
    one = members([1, 0, -1, 0], ((0, 5, -1), (0, 9, 1), (2, 7, 1)))
    assert one.moved(0, HOURS) == (0, 2)
    assert one.arms(4, 10)[0].tolist() == [1, -1, -1, -1, -1, 1]


@pytest.mark.parametrize(
    ("by", "spoken"),
    [("part:fan", "fan's supplier ACME"), ("made", "month of making ACME"), ("shop_floor", "shop floor ACME")],
)
def test_a_value_is_called_as_a_person_would(by: str, spoken: str) -> None:
    assert named(by, "ACME") == spoken


def test_only_what_nobody_changed_is_called_an_association_and_never_a_cause() -> None:
    said = Verdict("worse", "Devices on batch B7 fail.", None)
    exchangeable = with_basis(said, basis_of(adopted=False, randomised=False), "batch").why
    assert exchangeable.startswith("Devices on batch B7 fail. This is an association: no device changed its batch")
    assert with_basis(said, basis_of(adopted=True, randomised=False), "batch").why == said.why
    assert with_basis(said, basis_of(adopted=True, randomised=True), "batch").why == said.why
    assert "caus" not in exchangeable
