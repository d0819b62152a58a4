"""The hours of a model's devices: what is seen in them that no daily mean shows, at the declared rate, and from the past alone."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from analytics.anomaly.hourly import HOURS, SETTLING_DAYS, Hours, lived
from analytics.anomaly.hourly_format import hours_from_json, hours_to_json
from analytics.anomaly.hourly_learning import arranged, drawn, is_due, learn, standing
from analytics.panel import Floats
from hearthwatch.errors import Invalid
from tests.unit.analytics.hourly_fleets import METRICS, late_rhythm, lively, reversed_relation, stuck
from tests.unit.analytics.hourly_story import Story, play


def test_false_alarms_of_clean_fleets_stay_within_the_declared_rate_over_days_and_hours_together() -> None:
    rate = 5 / 1000
    alarms = len(play(lively(1, 250, 40), rate=rate).raised)
    expected = rate * 250 * 40
    assert 0 < alarms <= expected + 2.33 * np.sqrt(expected)


FAULTS = {7: (stuck, {"temperature_c"}), 20: (reversed_relation, {"supply_v"}), 31: (late_rhythm, {"temperature_c"})}
BEGINS = 24


@pytest.fixture(scope="module")
def faulty() -> Floats:
    """A fleet in which three devices break in ways that leave every daily mean and every range as they were."""
    values = lively(5, 60, 30)
    for device, (fault, _) in FAULTS.items():
        values = fault(values, device, BEGINS)
    return values


@pytest.fixture(scope="module")
def found(faulty: Floats) -> Story:
    """That fleet, lived through."""
    return play(faulty)


def test_without_the_hours_nothing_of_it_is_seen(faulty: Floats) -> None:
    assert [device for _, device, _ in play(faulty, hours=False).raised if device in FAULTS] == []


@pytest.mark.parametrize("device", FAULTS)
def test_a_fault_that_no_daily_mean_shows_is_found_in_the_hours_and_its_metrics_are_named(
    found: Story, device: int
) -> None:
    assert [mode for _, mode in found.of(device)] == ["unusual"]
    day = found.of(device)[0][0]
    assert BEGINS < day <= BEGINS + 4
    assert FAULTS[device][1] <= set(found.blame[day, device])
    assert len(found.blame[day, device]) <= 3


def test_devices_beside_broken_ones_are_left_alone(found: Story) -> None:
    assert {device for _, device, _ in found.raised} <= set(FAULTS)


def test_nobody_is_judged_before_it_has_a_past_of_its_own() -> None:
    story = play(lively(6, 20, 12))
    assert all(np.isnan(peaks.score).all() for peaks in story.peaks[:3])
    assert all(np.isnan(peaks.score[:, 1]).all() for peaks in story.peaks[:8])
    assert not np.isnan(story.peaks[-1].score).any()
    assert all(np.isnan(seen.p[:, -2:]).all() for seen in story.seen[:10])


def test_devices_that_report_once_a_day_have_no_hours_to_judge() -> None:
    once, state = np.full((12 * 24, 12, 6), np.nan), Hours.empty([str(row) for row in range(12)], METRICS)
    once[12::24] = lively(7, 12, 12)[12::24]
    codes = np.zeros(12, dtype=np.int64)
    days = [lived(state, once[day * 24 : (day + 1) * 24], day, ["1"] * 12, (codes, codes)) for day in range(12)]
    assert all(np.isnan(peaks.score).all() for peaks in days)
    assert state.days == 0


def test_a_storm_over_a_region_is_one_incident_and_no_devices_fault() -> None:
    values = lively(8, 60, 26)
    region = np.arange(60) % 2
    hit = np.flatnonzero(region == 1)
    rng = np.random.default_rng(1)
    values[23 * 24 :, hit, 1] -= 25 + rng.normal(0, 8, (3 * 24, 30))
    story = play(values, region=region)
    incidents = [one for seen in story.seen[23:25] for one in seen.incidents]
    assert {one.code for one in incidents} == {1}
    assert {one.by for one in incidents} == {"region"}
    assert not [one for seen in story.seen[:23] for one in seen.incidents]
    assert [one for one in story.raised if one[2] == "unusual"] == []


@pytest.mark.parametrize("missing", [16, 36])
def test_what_moved_while_a_region_was_away_is_not_unusual_when_it_is_back(missing: int) -> None:
    values, region = lively(9, 24, 28), np.repeat([0, 1], 12)
    values[:, :, METRICS.index("free_heap_bytes")] -= (
        2000 * np.arange(len(values))[:, None]
    )  # as a battery drains: all is new
    away = 22 * HOURS + 10
    values[away : away + missing][:, region == 1] = np.nan
    calm = play(values, region=region, daily=False)
    assert not [one for day in calm.seen[22:] for one in day.incidents]
    assert np.isfinite(calm.peaks[27].score[region == 1]).all(), "two days later they are watched again"


def test_an_update_of_its_firmware_is_no_fault_of_a_device() -> None:
    values = lively(9, 30, 26)
    values[20 * 24 + 10 :, 3, 2] *= 0.8
    values[20 * 24 + 10 :, 3, 5] += 0.4
    told = [["1.0"] * 30 for _ in range(26)]
    for day in range(20, 26):
        told[day][3] = "1.1"
    story = play(values, firmware=told)
    assert all(np.isnan(story.peaks[day].score[3]).all() for day in range(20, 20 + SETTLING_DAYS))
    assert not np.isnan(story.peaks[25].score[3, 0])
    assert [mode for _, mode in story.of(3) if mode == "unusual"] == []


def test_saved_and_read_again_after_every_day_nothing_differs() -> None:
    values = lively(10, 12, 12)
    values[30:200, 2, 1] = np.nan
    codes = np.zeros(12, dtype=np.int64)
    kept = Hours.empty([f"d{row}" for row in range(12)], METRICS)
    again: Hours | None = Hours.empty([f"d{row}" for row in range(12)], METRICS)
    for day in range(12):
        block = values[day * 24 : (day + 1) * 24]
        assert again is not None
        one, other = (lived(state, block, day, ["1"] * 12, (codes, codes)) for state in (kept, again))
        for name in ("score", "relative", "parts", "hour"):
            np.testing.assert_array_equal(getattr(one, name), getattr(other, name))
        for state in (kept, again):
            if is_due(state, day):
                learn(state, np.arange(12), values[: (day + 1) * 24], day)
        again = hours_from_json("m", hours_to_json("m", again))
    assert again is not None
    assert hours_to_json("m", again) == hours_to_json("m", kept)
    assert again.structure is not None


def test_what_is_remembered_of_hours_is_about_a_kilobyte_for_a_device_and_metric() -> None:
    state = play(lively(11, 20, 20)).state
    assert state is not None
    text = sum(len(str(value)) for value in hours_to_json("m", state).values())
    assert text < 20 * len(METRICS) * 1300


def test_damaged_or_foreign_states_are_refused() -> None:
    saved = hours_to_json("m", Hours.empty(["a", "b"], METRICS))
    assert hours_from_json("other", saved) is None
    head = saved["model:m"]
    with pytest.raises(Invalid, match="version 9"):
        hours_from_json("m", {**saved, "model:m": {**head, "version": 9}})
    with pytest.raises(Invalid, match="cannot be read"):
        hours_from_json("m", {**saved, "0:m": {**saved["0:m"], "arrays": "AAAA"}})
    with pytest.raises(Invalid, match="cannot be read"):
        hours_from_json("m", {**saved, "0:m": {**saved["0:m"], "arrays": "no base64!"}})
    with pytest.raises(Invalid, match="cannot be read"):
        hours_from_json("m", {"model:m": head})


def test_devices_come_and_go_and_keep_what_is_remembered_of_them() -> None:
    values = lively(12, 14, 12)
    story = play(values[:, :12])
    assert story.state is not None
    names = (*(f"d{row:04d}" for row in range(11, 0, -1)), "new")
    moved = arranged(story.state, names, (*METRICS, "pressure_hpa"))
    back = arranged(moved, story.state.devices, moved.metrics)
    np.testing.assert_array_equal(back.known[1:, :6], story.state.known[1:])
    np.testing.assert_array_equal(back.origin[1:, :6], story.state.origin[1:])
    assert back.known[0].sum() == moved.known[-1].sum() == 0
    assert back.memory is not None
    assert story.state.memory is not None
    np.testing.assert_array_equal(back.memory.profile[:, 1:], story.state.memory.profile[:, 1:])
    kept = standing(story.state, ["d0001", "d0002"], ["d0002", "new"], 12)
    assert kept == ("d0001", "d0002", "new")
    assert standing(story.state, ["d0001"], ["new"], 100) == ("new",)


def test_the_structure_is_learned_from_devices_above_suspicion() -> None:
    story = play(lively(13, 20, 9))
    assert story.state is not None
    rows = drawn(story.state, {"d0003"}, 8)
    assert 3 not in rows
    assert len(rows) == 19
    assert len(drawn(story.state, set(), 20)) == 0


holes = st.lists(st.tuples(st.integers(0, 239), st.integers(0, 8), st.integers(0, 5)), max_size=30)


@given(st.integers(0, 2**32 - 1), st.integers(8, 9), holes, st.sampled_from([np.nan, 1e40, -1e40, 0.0]))
@settings(max_examples=3, phases=[Phase.generate])
def test_what_comes_later_changes_nothing_said_before(
    seed: int, cut: int, places: list[tuple[int, int, int]], odd: float
) -> None:
    values = lively(seed, 9, 10)
    for place in places:
        values[place] = odd
    other = values.copy()
    other[cut * HOURS :] = np.random.default_rng(seed).normal(0, 1000, other[cut * HOURS :].shape)
    whole, half, changed = play(values), play(values[: cut * HOURS]), play(other)
    for day in range(cut):
        for name in ("score", "relative", "parts"):
            expected = getattr(half.peaks[day], name)
            np.testing.assert_array_equal(getattr(whole.peaks[day], name), expected)
            np.testing.assert_array_equal(getattr(changed.peaks[day], name), expected)
        for name in ("own", "peers", "p", "bets", "raised"):
            expected = getattr(half.seen[day], name)
            np.testing.assert_array_equal(getattr(whole.seen[day], name), expected)
            np.testing.assert_array_equal(getattr(changed.seen[day], name), expected)
