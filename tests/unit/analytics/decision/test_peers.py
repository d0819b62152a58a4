from __future__ import annotations

from math import isnan

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from analytics.decision.peers import ENOUGH_OF_MODEL, ENOUGH_SAME_FIRMWARE, Peers, Place

# Few different values, so that many are alike; and some that are missing.
VALUES = st.lists(st.sampled_from([0.0, 1.0, 1.0, 2.0, 3.5, float("nan")]), min_size=2, max_size=60)


@given(VALUES, st.randoms(use_true_random=False))
def test_the_share_is_that_of_the_others_strictly_on_one_side(values: list[float], random: object) -> None:
    row = random.randrange(len(values))  # type: ignore[attr-defined]
    place = Peers.of(["1"] * len(values)).ranked(np.array(values)).place(row)
    others = [value for at, value in enumerate(values) if at != row and not isnan(value)]
    if isnan(values[row]) or len(others) < ENOUGH_OF_MODEL:
        assert place is None
        return
    assert place is not None
    below, above = sum(v < values[row] for v in others), sum(v > values[row] for v in others)
    assert place.of == len(others)
    assert place.side == ("higher" if below >= above else "lower")
    assert place.share == 100 * max(below, above) // len(others)


@given(VALUES, st.randoms(use_true_random=False))
def test_the_scale_of_a_metric_and_the_order_of_devices_do_not_matter(values: list[float], random: object) -> None:
    row = random.randrange(len(values))  # type: ignore[attr-defined]
    peers = Peers.of(["1"] * len(values))
    place = peers.ranked(np.array(values)).place(row)
    assert peers.ranked(np.exp(np.array(values)) * 1000 - 7).place(row) == place
    order = list(range(len(values)))
    random.shuffle(order)  # type: ignore[attr-defined]
    assert peers.ranked(np.array([values[at] for at in order])).place(order.index(row)) == place


def test_a_device_like_all_others_is_higher_than_none_of_them() -> None:
    place = Peers.of(["1"] * 20).ranked(np.ones(20)).place(3)
    assert place is not None
    assert place.share == 0


def test_only_a_device_beyond_all_others_is_beyond_all_of_them() -> None:
    values = np.arange(2001.0)
    peers = Peers.of(["1"] * 2001)
    assert peers.ranked(values).place(2000).share == 100  # type: ignore[union-attr]
    assert peers.ranked(values).place(1999).share == 99  # type: ignore[union-attr]
    assert peers.ranked(values).place(0) == Place("lower", 100, "model_and_firmware", 2000)


def test_few_of_the_same_firmware_are_widened_to_the_model_and_it_is_said() -> None:
    values = np.arange(40.0)
    few = Peers.of(["old"] * 30 + ["new"] * 10)
    many = Peers.of(["old"] * (39 - ENOUGH_SAME_FIRMWARE) + ["new"] * (ENOUGH_SAME_FIRMWARE + 1))
    place, same = few.ranked(values).place(35), many.ranked(values).place(39)
    assert place is not None
    assert same is not None
    assert (place.peers, place.of, place.share) == ("model", 39, 100 * 35 // 39)
    assert (same.peers, same.of, same.share) == ("model_and_firmware", ENOUGH_SAME_FIRMWARE, 100)


def test_devices_of_unknown_firmware_are_compared_with_the_model() -> None:
    place = Peers.of([None] * 30).ranked(np.arange(30.0)).place(29)
    assert place is not None
    assert place.peers == "model"
