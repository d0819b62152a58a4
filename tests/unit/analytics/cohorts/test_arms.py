"""Who is in which arm when."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from analytics.cohorts.arms import Arms, Carry, Comparison, arrange
from analytics.cohorts.panel import Panel
from analytics.cohorts.spec import SILENT_HOURS

TARGET = Comparison(target=1, control=None)
NEVER = 10**9


def panel(*rows: str, begin: int = 0, counter: list[list[float]] | None = None, blind: str | None = None) -> Panel:
    """One letter an hour: a version's number, ``.`` not reported, ``?`` reported without a version, ``m`` two versions at once.

    ``blind``: ``x`` for an hour in which nobody could be heard.
    """
    letters = np.array([list(row) for row in rows])
    version = np.full(letters.shape, -1, dtype=np.int32)
    for number in range(4):
        version[letters == str(number)] = number
    none = np.zeros(0, dtype=np.int64)
    told = None if counter is None else np.array(counter)
    unseen = None if blind is None else np.array([letter == "x" for letter in blind])
    return Panel(begin, letters != ".", version, letters == "m", (none, none, none), told, unseen)


def arms_of(
    given_panel: Panel, *, burn_in: int = 0, comparison: Comparison = TARGET, removed: int = NEVER
) -> tuple[Arms, Carry]:
    devices = given_panel.reported.shape[0]
    return arrange(given_panel, Carry.nothing(devices), comparison, burn_in, np.full(devices, removed))


def show(mask: NDArray[np.bool_]) -> list[str]:
    return ["".join("x" if one else "." for one in row) for row in mask]


def test_an_hour_nobody_saw_is_no_exposure() -> None:
    arms, _ = arms_of(panel("0..1"))
    assert show(arms.counted) == ["x..x"]


def test_a_device_that_never_named_its_version_is_in_no_arm() -> None:
    arms, _ = arms_of(panel("????"))
    assert show(arms.counted) == ["...."]
    assert show(arms.watched) == ["...."]


def test_an_hour_without_a_version_belongs_to_the_last_one_named() -> None:
    arms, _ = arms_of(panel("1??0?"))
    assert show(arms.treated & arms.counted) == ["xxx.."]


def test_the_hours_after_an_update_are_left_out_in_both_directions() -> None:
    arms, _ = arms_of(panel("0001111", "1110000"), burn_in=2)
    assert show(arms.counted) == ["xxx..xx", "xxx..xx"]
    assert show(arms.arrived) == ["...x...", "...x..."]


def test_the_hour_in_which_two_versions_report_counts_nowhere() -> None:
    arms, _ = arms_of(panel("00m11"))
    assert show(arms.counted) == ["xx.xx"]


def test_only_the_replaced_version_is_control_where_it_is_named() -> None:
    arms, _ = arms_of(panel("0213"), comparison=Comparison(target=1, control=frozenset({0})))
    assert show(arms.counted) == ["x.x."]


def test_a_device_is_silent_once_when_it_has_not_reported_for_long_enough() -> None:
    arms, _ = arms_of(panel("1" + "." * (SILENT_HOURS + 5)))
    assert np.flatnonzero(arms.silent[0]).tolist() == [SILENT_HOURS]
    assert np.flatnonzero(arms.watched[0]).tolist() == list(range(SILENT_HOURS + 1))


def test_silence_is_laid_to_the_version_that_reported_last_even_right_after_the_update() -> None:
    arms, _ = arms_of(panel("001" + "." * (SILENT_HOURS + 2)), burn_in=24)
    assert (arms.silent & arms.treated).any()


def test_a_device_that_was_taken_away_is_not_silent() -> None:
    arms, _ = arms_of(panel("1" + "." * (SILENT_HOURS + 5)), removed=5)
    assert not arms.silent.any()
    assert np.flatnonzero(arms.watched[0]).tolist() == [0, 1, 2, 3, 4]


def test_hours_in_which_we_were_blind_make_nobody_silent() -> None:
    hours = SILENT_HOURS + 10
    unseen = "." * 4 + "x" * 8 + "." * (hours - 12)
    arms, _ = arms_of(panel("1" + "." * (hours - 1), blind=unseen))
    assert np.flatnonzero(arms.silent[0]).tolist() == [SILENT_HOURS + 8], "it is found later, and once"
    assert not arms.watched[0, 4:12].any()
    through, _ = arms_of(panel("1" + "." * (hours - 1), blind="." + "x" * (hours - 1)))
    assert not through.silent.any()


def test_a_counter_that_began_again_and_counts_has_grown() -> None:
    counter = [[5.0, 5.0, 6.0, np.nan, 7.0, 0.0, 1.0]]
    arms, _ = arms_of(panel("0000000", counter=counter))
    assert arms.grew is not None
    assert show(arms.grew) == ["..x.x.x"]


@given(st.integers(0, 10_000), st.integers(1, 59))
@settings(max_examples=60)
def test_block_by_block_gives_what_one_pass_gives(seed: int, cut: int) -> None:
    rng = np.random.default_rng(seed)
    letters = rng.choice(list("00011.....?m"), (6, 60))
    counter = np.cumsum(rng.integers(0, 2, (6, 60)), axis=1).astype(float)
    counter[rng.random((6, 60)) < 0.3] = np.nan
    unseen = "".join(rng.choice(list("x..."), 60))
    whole = panel(*("".join(row) for row in letters), begin=1000, counter=counter.tolist(), blind=unseen)
    removed = np.full(6, NEVER)
    once, after = arrange(whole, Carry.nothing(6), TARGET, 5, removed)
    early, carry = arrange(whole.part(0, cut), Carry.nothing(6), TARGET, 5, removed)
    late, carry = arrange(whole.part(cut, 60), carry, TARGET, 5, removed)
    for name in ("counted", "treated", "watched", "silent", "grew", "version", "arrived"):
        joined = np.concatenate([getattr(early, name), getattr(late, name)], axis=1)
        np.testing.assert_array_equal(joined, getattr(once, name), err_msg=name)
    np.testing.assert_array_equal(carry.version, after.version)
    np.testing.assert_array_equal(carry.changed_at, after.changed_at)
    np.testing.assert_array_equal(carry.reported_at, after.reported_at)
    np.testing.assert_array_equal(carry.counter, after.counter)
