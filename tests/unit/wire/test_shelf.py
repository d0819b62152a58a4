"""A large map inside a JSON state."""

from __future__ import annotations

import copy

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from hearthwatch.wire.shelf import Shelf

NAMES = st.text("abc\ud800", min_size=1, max_size=2)
STEPS = st.lists(st.tuples(NAMES, st.none() | st.integers(0, 2)), max_size=12)


@given(first=STEPS, then=STEPS)
def test_it_is_a_map_that_leaves_what_it_was_given_as_it_is(
    first: list[tuple[str, int | None]], then: list[tuple[str, int | None]]
) -> None:
    truth: dict[str, int] = {}
    given_: object = None
    for steps in (first, then):
        shelf, before = Shelf(given_), copy.deepcopy(given_)
        for name, value in steps:
            shelf.put(name, value)
            truth = {**truth, name: value} if value is not None else {n: v for n, v in truth.items() if n != name}
        assert {name: shelf.get(name) for name in truth} == truth
        assert len(shelf) == len(truth)
        assert given_ == before
        given_ = shelf.settled()
    boards = [board for board in Shelf(given_).settled().values() if board]
    assert sum(len(board) for board in boards) == len(truth)


def test_what_did_not_change_is_the_same_object() -> None:
    shelf = Shelf(None)
    shelf.put("a", 1)
    saved = msgspec.json.decode(msgspec.json.encode(shelf.settled()))
    again = Shelf(saved)
    again.put("a", 2)
    again.put("a", 1)
    again.put("b", None)
    assert again.settled() is saved


def test_names_that_belong_together_are_found_together() -> None:
    shelf = Shelf(None)
    for name in ("device/x/a", "device/x/b"):
        shelf.put(name, 1, "device/x")
    assert set(shelf.beside("device/x")) == {"device/x/a", "device/x/b"}
    assert shelf.get("device/x/a", "device/x") == 1
    shelf.put("device/x/a", None, "device/x")
    shelf.put("device/x/b", None, "device/x")
    assert shelf.settled() == {}
