"""Who is in which arm when."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from analytics.cohorts.arms import Arms, Carry, Comparison, arrange
from analytics.cohorts.boots import BootSigns
from analytics.cohorts.panel import ANOTHER, THIS, Panel
from analytics.cohorts.spec import SILENT_HOURS, UPDATE_HOURS

TARGET = Comparison(target=1, control=None)
NEVER = 10**9


def panel(
    *rows: str,
    begin: int = 0,
    counter: list[list[float]] | None = None,
    blind: str | None = None,
    offers: list[tuple[int, int, int]] | None = None,
) -> Panel:
    """One letter an hour: a version's number, ``.`` not reported, ``?`` reported without a version, ``m`` versions 0 and 1 at once.

    ``blind``: ``x`` for an hour in which nobody could be heard; ``offers``: (device, hour, THIS or ANOTHER).
    """
    letters = np.array([list(row) for row in rows])
    version = np.full(letters.shape, -1, dtype=np.int32)
    for number in range(4):
        version[letters == str(number)] = number
    version[letters == "m"], other = 0, np.where(letters == "m", 1, version).astype(np.int32)
    offered = np.zeros(letters.shape, dtype=np.int8)
    for device, hour, what in offers or []:
        offered[device, hour] = what
    none = np.zeros(letters.shape)
    told = None if counter is None else np.array(counter)
    unseen = np.array([letter == "x" for letter in blind or "." * letters.shape[1]])
    signs = BootSigns.nothing(*letters.shape)
    return Panel(begin, letters != ".", version, other, none, none, signs, offered, told, {}, unseen)


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


def test_a_device_whose_last_report_was_in_the_hour_of_the_update_is_laid_to_the_new_version() -> None:
    arms, _ = arms_of(panel("00m" + "." * (SILENT_HOURS + 2)))
    assert (arms.silent & arms.blamed).any()
    assert arms.arrived[0, 2]


def test_a_device_that_was_told_to_update_and_never_came_back_is_laid_to_the_release() -> None:
    hours = SILENT_HOURS + 6
    arms, _ = arms_of(panel("0000" + "." * hours, "0000" + "." * hours, offers=[(0, 3, THIS)]))
    assert arms.silent.sum(axis=1).tolist() == [1, 1]
    assert (arms.silent & arms.blamed).any(axis=1).tolist() == [True, False]
    assert not arms.treated.any(), "its rates still belong to the version that it reported"


def test_a_device_that_went_on_for_a_day_after_the_offer_is_of_the_old_version_again() -> None:
    told = panel("0" * (UPDATE_HOURS + 5) + "." * (SILENT_HOURS + 2), offers=[(0, 2, THIS)])
    arms, _ = arms_of(told)
    assert arms.silent.any()
    assert not (arms.silent & arms.blamed).any()
    assert arms.blamed[0, 2 : UPDATE_HOURS + 3].all()


def test_a_device_that_another_release_was_offered_to_is_of_neither_while_it_may_install_it() -> None:
    hours = SILENT_HOURS + 6
    arms, _ = arms_of(panel("1111" + "." * hours, offers=[(0, 3, ANOTHER)]))
    assert not arms.silent.any()
    assert np.flatnonzero(arms.watched[0]).tolist() == [0, 1, 2]


def test_a_sleeping_device_may_be_away_for_longer() -> None:
    given_panel = panel("1" + "." * 20, "1" + "." * 20)
    waits = np.array([SILENT_HOURS, 48])
    arms, _ = arrange(given_panel, Carry.nothing(2), TARGET, 0, np.full(2, NEVER), waits)
    assert arms.silent.any(axis=1).tolist() == [True, False]


def test_hours_in_which_nobody_was_heard_are_no_exposure_of_rates_either() -> None:
    arms, _ = arms_of(panel("1111", blind=".xx."))
    assert show(arms.counted) == ["x..x"]


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
    offers = [(int(rng.integers(6)), int(rng.integers(60)), int(rng.choice([THIS, ANOTHER]))) for _ in range(8)]
    whole = panel(*("".join(row) for row in letters), begin=1000, counter=counter.tolist(), blind=unseen, offers=offers)
    removed = np.full(6, NEVER)
    once, after = arrange(whole, Carry.nothing(6), TARGET, 5, removed)
    early, carry = arrange(whole.part(0, cut), Carry.nothing(6), TARGET, 5, removed)
    late, carry = arrange(whole.part(cut, 60), carry, TARGET, 5, removed)
    for name in ("settled", "since", "counted", "treated", "watched", "blamed", "silent", "grew", "version", "arrived"):
        joined = np.concatenate([getattr(early, name), getattr(late, name)], axis=1)
        np.testing.assert_array_equal(joined, getattr(once, name), err_msg=name)
    for name in ("version", "changed_at", "reported_at", "counter", "offered_at", "offered"):
        np.testing.assert_array_equal(getattr(carry, name), getattr(after, name), err_msg=name)
