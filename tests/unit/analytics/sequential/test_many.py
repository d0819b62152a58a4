"""Many streams at once, and all looks of a block at once: the same as one by one."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from analytics.sequential.cluster import Block, RateSums, estimate, past_difference
from analytics.sequential.logrank import LogrankEvidence, first_events
from analytics.sequential.looks import first_event_looks, rate_looks
from analytics.sequential.many import Layout, ManyFirstEvents, ManySums
from analytics.sequential.mixture import Floats
from analytics.sequential.moments import Adjustment, Past
from analytics.sequential.slots import Slot
from analytics.sequential.strata import Strata

SEEDS = st.integers(0, 10_000)
ADJUSTMENTS: tuple[Adjustment, ...] = ("none", "cuped", "differences")
SLOTS = 8


def some_stream(seed: int, devices: int) -> tuple[Block, Strata, Floats]:
    """Devices that update at different times, and their pasts, some of them unknown."""
    rng = np.random.default_rng([seed, devices])
    hours = (rng.random((devices, SLOTS)) < 0.9).astype(np.float64)
    treated = np.arange(SLOTS) >= rng.integers(0, 2 * SLOTS, devices)[:, None]
    own = np.exp(rng.standard_normal(devices))
    events = np.where(hours > 0, rng.poisson(own[:, None] / 3.0, (devices, SLOTS)), 0).astype(np.float64)
    past = np.where(rng.random(devices) < 0.1, np.nan, rng.poisson(9.0 * own) / 9.0)
    return Block(hours, treated, events), Strata.of(rng.integers(0, 3, devices)), past


def happened(block: Block) -> NDArray[np.bool_]:
    """Also in hours that count nowhere."""
    result: NDArray[np.bool_] = (block.events > 0) | (block.hours == 0)
    return result


def slot_of(blocks: list[Block], slot: int) -> Slot:
    return Slot(
        np.concatenate([block.hours[:, slot] for block in blocks]),
        np.concatenate([block.treated[:, slot] for block in blocks]),
        np.concatenate([block.events[:, slot] for block in blocks]),
    )


def test_a_stream_without_devices_is_refused_by_its_number() -> None:
    alone = Strata.of(np.zeros(3, dtype=np.int64))
    with pytest.raises(ValueError, match="stream 1 has no device"):
        Layout.of([alone, Strata.of(np.zeros(0, dtype=np.int64)), alone])


def test_before_any_slot_no_stream_has_an_estimate() -> None:
    layout = Layout.of([some_stream(1, 20)[1], some_stream(2, 30)[1]])
    assert ManySums.nothing(layout).estimates().information.tolist() == [0.0, 0.0]
    np.testing.assert_allclose(ManyFirstEvents.nothing(layout).log_e, 0.0, atol=1e-12)


@given(SEEDS, st.lists(st.integers(2, 4000), min_size=1, max_size=5))
@settings(max_examples=25, deadline=None)
def test_many_streams_give_what_each_gives_by_itself(seed: int, sizes: list[int]) -> None:
    streams = [some_stream(seed + number, devices) for number, devices in enumerate(sizes)]
    blocks = [block for block, _, _ in streams]
    layout = Layout.of([strata for _, strata, _ in streams])
    sums, first = ManySums.nothing(layout), ManyFirstEvents.nothing(layout, 1.05)
    for slot in range(SLOTS):
        now = slot_of(blocks, slot)
        sums = sums.add(now)
        first = first.add(now.hours, now.treated, np.concatenate([happened(block)[:, slot] for block in blocks]))
    past = Past.of(np.concatenate([past for _, _, past in streams]))
    together = {adjustment: sums.estimates(past, adjustment) for adjustment in ADJUSTMENTS}
    for number, (block, strata, own_past) in enumerate(streams):
        alone = RateSums.nothing(sizes[number]).add(block, strata)
        for adjustment in ADJUSTMENTS:
            one = estimate(alone, own_past, adjustment)
            assert together[adjustment].theta[number] == pytest.approx(one.theta, abs=1e-9)
            assert together[adjustment].information[number] == pytest.approx(one.information, rel=1e-9)
        groups, used = first_events(
            block.hours, block.treated, happened(block), np.zeros(sizes[number], dtype=bool), strata
        )
        evidence = LogrankEvidence.nothing(1.05, interval=False).add(groups)
        assert first.log_e[number] == pytest.approx(evidence.log_e, abs=1e-9)
        assert first.used[layout.begins[number] : layout.begins[number + 1]].tolist() == used.tolist()
        assert sums.devices_with_events()[:, number].tolist() == [
            np.count_nonzero(alone.events_treated),
            np.count_nonzero(alone.events_control),
        ]
        np.testing.assert_allclose(sums.stream(number).a, alone.a, atol=1e-9)


@given(SEEDS, st.integers(30, 60), st.integers(1, 3))
@settings(max_examples=25, deadline=None)
def test_all_looks_at_once_are_the_looks_one_after_another(seed: int, devices: int, slots_per_look: int) -> None:
    block, strata, past = some_stream(seed, devices)
    earlier = some_stream(seed + 1, devices)[2]
    looks = rate_looks(block, strata, [past, earlier], slots_per_look=slots_per_look)
    first = first_event_looks(
        block.hours, block.treated, happened(block), strata, margin=1.05, slots_per_look=slots_per_look
    )
    for look, until in enumerate(range(slots_per_look, SLOTS + 1, slots_per_look)):
        part = Block(block.hours[:, :until], block.treated[:, :until], block.events[:, :until])
        sums = RateSums.nothing(devices).add(part, strata)
        for adjustment in ADJUSTMENTS:
            one, found = estimate(sums, past, adjustment), looks.estimates(adjustment)
            assert found.theta[look] == pytest.approx(one.theta, abs=1e-9)
            assert found.information[look] == pytest.approx(one.information, rel=1e-9)
        level, trend = looks.past_differences(0), looks.past_differences(0, 1)
        assert level.theta[look] == pytest.approx(past_difference(sums, past).theta, abs=1e-9)
        assert trend.theta[look] == pytest.approx(past_difference(sums, past, earlier).theta, abs=1e-9)
        groups, _ = first_events(
            part.hours, part.treated, happened(block)[:, :until], np.zeros(devices, dtype=bool), strata
        )
        assert first[look] == pytest.approx(LogrankEvidence.nothing(1.05, interval=False).add(groups).log_e, abs=1e-9)
        had_past = np.isfinite(past) & (past > 0)
        assert looks.devices_with_events[0, look] == np.count_nonzero(sums.events_treated)
        assert looks.devices_with_past[1, look] == np.count_nonzero(had_past & (sums.hours_control > 0))


def test_below_the_guard_a_look_says_nothing() -> None:
    block, strata, past = some_stream(3, 60)
    looks = rate_looks(block, strata, [past])
    least = int(looks.devices_with_events.min(axis=0).max())
    assert (looks.log_e("cuped", guard=least + 1) == -np.inf).all()
    assert np.isfinite(looks.log_e("cuped", guard=least)[-1])
    assert looks.log_e("cuped", guard=least)[0] == -np.inf


@given(SEEDS)
@settings(max_examples=20)
def test_less_is_worse_is_the_other_side_of_the_same_ratio(seed: int) -> None:
    block, strata, past = some_stream(seed, 50)
    looks = rate_looks(block, strata, [past])
    more, less = (looks.log_e("cuped", guard=1, direction=way) for way in ("more", "less"))
    assert not ((more > np.log(2.0)) & (less > np.log(2.0))).any()


@given(SEEDS, st.integers(1, SLOTS - 1))
@settings(max_examples=20)
def test_what_comes_later_changes_no_look_that_was_taken(seed: int, known: int) -> None:
    block, strata, past = some_stream(seed, 50)
    other = Block(block.hours.copy(), block.treated.copy(), block.events.copy())
    other.hours[:, known:] = 1.0
    other.treated[:, known:] = np.random.default_rng(seed).random((50, SLOTS - known)) < 0.5
    other.events[:, known:] += 7.0
    one, two = (rate_looks(each, strata, [past]).log_e("cuped", guard=1)[:known] for each in (block, other))
    np.testing.assert_allclose(one, two, rtol=1e-12, atol=1e-12)
    first = [first_event_looks(each.hours, each.treated, each.events > 0, strata)[:known] for each in (block, other)]
    np.testing.assert_allclose(first[0], first[1], rtol=1e-12, atol=1e-12)


@given(SEEDS)
@settings(max_examples=20)
def test_the_order_of_the_devices_changes_no_look(seed: int) -> None:
    block, strata, past = some_stream(seed, 50)
    order = np.random.default_rng(seed).permutation(50)
    shuffled = Block(block.hours[order], block.treated[order], block.events[order])
    others = Strata.of(strata.of_device[order])
    one, two = rate_looks(block, strata, [past]), rate_looks(shuffled, others, [past[order]])
    for adjustment in ADJUSTMENTS:
        np.testing.assert_allclose(one.log_e(adjustment, guard=1), two.log_e(adjustment, guard=1), atol=1e-9)
    np.testing.assert_allclose(
        first_event_looks(block.hours, block.treated, block.events > 0, strata),
        first_event_looks(shuffled.hours, shuffled.treated, shuffled.events > 0, others),
        atol=1e-9,
    )
