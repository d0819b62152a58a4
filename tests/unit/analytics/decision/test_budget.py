from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from analytics.decision.budget import admit, room, weekly_limit

WORTH = st.lists(st.floats(0, 100), max_size=30)


def named(worth: list[float]) -> list[tuple[str, str]]:
    return [(f"d-{place:02d}", "relay") for place in range(len(worth))]


@given(WORTH, st.integers(0, 40))
def test_no_more_are_admitted_than_there_is_room_for_and_nobody_worth_less_goes_first(
    worth: list[float], left: int
) -> None:
    found = admit(worth, named(worth), left)
    assert len(found.admitted) == min(left, len(worth))
    assert sorted([*found.admitted, *found.waiting]) == list(range(len(worth)))
    if found.admitted and found.waiting:
        assert min(worth[place] for place in found.admitted) >= max(worth[place] for place in found.waiting)


@given(WORTH, st.integers(0, 40), st.randoms())
def test_the_order_in_which_devices_are_looked_at_does_not_matter(
    worth: list[float], left: int, random: object
) -> None:
    names = named(worth)
    order = list(range(len(worth)))
    random.shuffle(order)  # type: ignore[attr-defined]
    straight = admit(worth, names, left)
    mixed = admit([worth[place] for place in order], [names[place] for place in order], left)
    assert [names[order[place]] for place in mixed.admitted] == [names[place] for place in straight.admitted]


@given(WORTH)
def test_without_a_budget_all_are_admitted(worth: list[float]) -> None:
    assert admit(worth, named(worth), room(weekly_limit(0, 1000), 7)).waiting == ()


def test_a_budget_is_by_thousand_devices_and_a_small_fleet_has_that_of_a_thousand() -> None:
    assert weekly_limit(5, 2000) == 10
    assert weekly_limit(5, 1399) == 6
    assert weekly_limit(5, 30) == 5
    assert weekly_limit(0.2, 30) == 1
    assert weekly_limit(0, 3) is None
    assert room(2, 5) == 0
    assert room(None, 5) is None
