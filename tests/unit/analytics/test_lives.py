from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from analytics.lives import labelled, lives_of, stacked
from analytics.panel import Panel

DAYS = 30


def panel(last_seen: int = DAYS - 1, devices: int = 1) -> Panel:
    present = np.zeros((devices, DAYS), dtype=bool)
    present[:, : last_seen + 1] = True
    codes = np.zeros((devices, DAYS), dtype=np.int64)
    return Panel(tuple(f"d{n}" for n in range(devices)), 1000, {}, {}, codes, (), present)


def test_days_at_and_after_a_failure_are_left_out() -> None:
    lives = lives_of(panel(), {0: [1010]}, {})
    assert np.flatnonzero(lives.usable[0]).tolist() == list(range(10))
    assert lives.to_failure[0, :10].tolist() == list(range(10, 0, -1))


def test_a_new_part_begins_a_new_life_on_the_next_day() -> None:
    lives = lives_of(panel(), {0: [1010]}, {0: [1012]})
    assert np.flatnonzero(~lives.usable[0]).tolist() == [10, 11, 12]
    assert np.isinf(lives.to_failure[0, 13:]).all()
    assert lives.to_end[0, 13] == DAYS - 1 - 13


def test_a_new_part_is_left_out_until_what_is_known_is_about_it() -> None:
    lives = lives_of(panel(), {0: [1010]}, {0: [1012]}, settle=3)
    assert np.flatnonzero(~lives.usable[0]).tolist() == [10, 11, 12, 13, 14, 15]


def test_a_part_replaced_in_time_was_followed_until_then() -> None:
    lives = lives_of(panel(), {0: [1020]}, {0: [1008]})
    assert np.isinf(lives.to_failure[0, :9]).all()
    assert lives.to_end[0, 2] == 6
    assert lives.to_failure[0, 9] == 11


def test_a_failure_that_is_not_known_yet_does_not_show() -> None:
    lives = lives_of(panel(), {0: [1020]}, {}, last_day=1015)
    assert np.isinf(lives.to_failure).all()
    assert lives.to_end[0, 10] == 5
    assert not lives.usable[0, 16:].any()


def test_windows_cut_by_the_end_or_by_a_vanished_device_have_no_answer() -> None:
    lives = lives_of(panel(last_seen=14), {}, {})
    known, fails = labelled(lives, 7)
    assert np.flatnonzero(known[0]).tolist() == list(range(8))
    assert not fails.any()


def test_a_failure_is_an_answer_for_a_device_that_then_is_gone() -> None:
    lives = lives_of(panel(last_seen=14, devices=2), {0: [1015]}, {}, last_day=1022)
    known, fails = labelled(lives, 7)
    assert np.flatnonzero(fails[0]).tolist() == list(range(8, 15))
    assert known[0, 8:15].all()
    assert np.flatnonzero(known[1]).tolist() == list(range(8))


def test_near_the_end_a_failure_is_no_answer_because_no_other_device_has_one() -> None:
    lives = lives_of(panel(devices=2), {0: [1028]}, {})
    known, _ = labelled(lives, 7)
    assert np.flatnonzero(known[0]).tolist() == np.flatnonzero(known[1]).tolist() == list(range(DAYS - 7))


def test_a_removed_device_is_followed_until_it_was_removed() -> None:
    assert lives_of(panel(), {}, {}, ended={0: 1010}).to_end[0, 4] == 6


@given(
    st.lists(st.one_of(st.integers(1, 40), st.none()), min_size=1, max_size=30),
    st.lists(st.integers(0, 40), min_size=30, max_size=30),
)
def test_every_row_fails_at_most_once_and_only_while_it_is_followed(failing: list[int | None], ends: list[int]) -> None:
    to_failure = np.array([np.inf if day is None else float(day) for day in failing])
    to_end = np.array(ends[: len(failing)], dtype=float)
    stack = stacked(to_failure, to_end, np.full(len(failing), 90.0), (0, 3, 7, 14, 30))
    for row in range(len(failing)):
        mine = stack.source == row
        assert stack.failed[mine].sum() <= 1
        if np.isfinite(to_failure[row]) and to_failure[row] <= 30:
            assert stack.failed[mine].sum() == 1
        assert not stack.failed[mine][:-1].any()


def test_a_device_that_comes_back_after_the_day_of_knowledge_had_vanished_by_it() -> None:
    gap = panel()
    gap.present[0, 12:20] = False
    assert lives_of(gap, {}, {}, last_day=1015).to_end[0, 4] == 7
    assert lives_of(gap, {}, {}).to_end[0, 4] == DAYS - 1 - 4
    assert lives_of(gap, {}, {}, last_day=1015).left[4] == 11


def test_near_the_end_no_interval_is_learned_from_failures_alone() -> None:
    failing, healthy = (
        stacked(np.array([2.0, np.inf]), np.array([5.0, 5.0]), np.array([5.0, 5.0]), (0, 3, 7)),
        stacked(np.array([5.0, np.inf]), np.array([5.0, 5.0]), np.array([5.0, 5.0]), (0, 3, 7)),
    )
    assert failing.source.tolist() == [0, 1]
    assert failing.failed.tolist() == [True, False]
    assert healthy.interval.tolist() == [0, 0]
    assert not healthy.failed.any()
