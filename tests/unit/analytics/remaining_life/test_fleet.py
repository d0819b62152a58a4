"""Parts in a fleet's devices: their lives, and what is said of those at work."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from analytics.panel import Floats, Panel
from analytics.remaining_life.fleet import PartModel, TooFewFailures, learn, tell
from analytics.remaining_life.parts import PartLife, Watched, part_lives
from hearthwatch.errors import Invalid

FIRST = 20_000
DAYS = 400
WATCHED = Watched(metrics=("relay_contact_mohm", "device_temperature_c"), usage=("switches",))


def panel_of_days(values: Mapping[str, Floats], present: np.ndarray[tuple[int, int], np.dtype[np.bool_]]) -> Panel:
    devices = tuple(f"plug-{row}" for row in range(len(present)))
    return Panel(devices, FIRST, values, {}, np.zeros(present.shape, dtype=np.int64), (), present)


def small(days: int = 30, devices: int = 1) -> Panel:
    shape = (devices, days)
    named = (*WATCHED.metrics, *WATCHED.usage)
    return panel_of_days({name: np.ones(shape) for name in named}, np.ones(shape, dtype=bool))


def lives(
    failures: Mapping[int, Sequence[int]], renewed: Mapping[int, Sequence[int]], ended: Mapping[int, int] | None = None
) -> list[PartLife]:
    return part_lives(small(), WATCHED, np.array([FIRST - 10.0]), failures, renewed, ended=ended)


def test_a_metric_that_nobody_reports_is_named() -> None:
    with pytest.raises(Invalid, match="motor_current_a"):
        part_lives(small(), Watched(("motor_current_a",)), np.array([0.0]), {}, {})


def test_a_part_that_never_failed_is_at_work_and_censored() -> None:
    (life,) = lives({}, {})
    assert life.at_work
    assert life.history.failed_at is None
    assert life.history.age.tolist() == [10.0 + day for day in range(30)]


def test_a_broken_part_is_not_at_work_until_a_new_one_is_in() -> None:
    (broken,) = lives({0: [FIRST + 12]}, {})
    assert not broken.at_work
    assert broken.history.failed_at == 22.0
    assert broken.history.age[-1] == 21.0
    broken, new = lives({0: [FIRST + 12]}, {0: [FIRST + 14]})
    assert (broken.at_work, new.at_work) == (False, True)
    assert new.history.age.tolist() == [float(day) for day in range(1, 16)]
    assert new.history.signals[-1].tolist() == [1.0, 1.0, 15.0]


def test_a_part_replaced_while_it_worked_and_a_removed_device_did_not_fail() -> None:
    replaced, new = lives({}, {0: [FIRST + 14]})
    assert (replaced.history.failed_at, replaced.at_work, replaced.history.known_until) == (None, False, 24.0)
    assert new.at_work
    (removed,) = lives({}, {}, ended={0: FIRST + 5})
    assert (removed.history.failed_at, removed.at_work, removed.history.known_until) == (None, False, 15.0)


@given(
    st.lists(st.integers(FIRST - 5, FIRST + 40), max_size=4, unique=True),
    st.lists(st.integers(FIRST - 5, FIRST + 40), max_size=4, unique=True),
)
def test_no_day_belongs_to_two_lives_and_every_failure_was_reported(failed: list[int], renewed: list[int]) -> None:
    found = lives({0: failed}, {0: renewed})
    assert sum(len(life.history.age) for life in found) <= 30
    assert sum(life.history.failed_at is not None for life in found) <= len(failed)
    assert sum(life.at_work for life in found) <= 1
    if not failed:
        assert all(life.history.failed_at is None for life in found)


@dataclass(frozen=True, slots=True, eq=False)
class Fleet:
    """A fleet of relays, and the days each has left in truth on the last day."""

    panel: Panel
    born: Floats
    failures: Mapping[int, Sequence[int]]
    left: Floats

    def lives(self) -> list[PartLife]:
        return part_lives(self.panel, WATCHED, self.born, self.failures, {})


def relays(seed: int, count: int) -> Fleet:
    """Relays wear with each switching; their contact's resistance grows with wear. They came in over the whole span, so that many are at
    work at its end."""
    rng = np.random.default_rng(seed)
    begun = rng.integers(0, DAYS - 40, count)
    pace = 5.0 * np.exp(rng.normal(0.0, 0.5, (count, 1)))
    switches = rng.poisson(pace, (count, 3 * DAYS)).astype(np.float64)
    endurance = 900.0 * np.exp(rng.normal(0.0, 0.1, (count, 1)))
    switches[np.arange(3 * DAYS)[None, :] < begun[:, None]] = 0.0
    wear = np.cumsum(switches, axis=1) / endurance
    fails = np.where((wear >= 1.0).any(axis=1), np.argmax(wear >= 1.0, axis=1), 3 * DAYS)
    day = np.arange(DAYS)[None, :]
    present = (day >= begun[:, None]) & (day < fails[:, None])
    own = np.exp(rng.normal(0.0, 0.3, (count, 1)))
    shown = own * (10.0 + 20.0 * wear[:, :DAYS] ** 2) * np.exp(rng.normal(0.0, 0.05, (count, DAYS)))
    values = {
        "relay_contact_mohm": np.where(present, shown, np.nan),
        "device_temperature_c": np.where(present, rng.normal(30.0, 3.0, (count, DAYS)), np.nan),
        "switches": np.where(present, switches[:, :DAYS], np.nan),
    }
    failures = {row: [FIRST + int(fails[row])] for row in range(count) if fails[row] < DAYS}
    left = fails - (DAYS - 1.0)
    return Fleet(panel_of_days(values, present), FIRST + begun.astype(np.float64), failures, left)


@pytest.fixture(scope="module")
def fleet() -> Fleet:
    return relays(5, 300)


@pytest.fixture(scope="module")
def model(fleet: Fleet) -> PartModel:
    learned = learn(fleet.lives(), cap=120.0)
    assert isinstance(learned, PartModel)
    return learned


def test_with_few_failures_nothing_is_said_and_how_many_are_lacking_is() -> None:
    few = relays(6, 15)
    learned = learn(few.lives())
    assert learned == TooFewFailures(len(few.failures), 20)
    told = tell(learned, few.lives(), few.panel.devices)
    assert len(told) == 15 - len(few.failures)
    assert {one.why for one in told} == {"too_few_failures"}
    assert all(one.p50 is None for one in told)


def test_the_bands_of_relays_at_work_hold_what_they_have_left(fleet: Fleet, model: PartModel) -> None:
    """Of another fleet, and of the part that is still at work in this one: it was censored when the model learned from it."""
    for judged in (fleet, relays(7, 300)):
        told = [one for one in tell(model, judged.lives(), judged.panel.devices) if one.why is None]
        left = {name: min(days, 120.0) for name, days in zip(judged.panel.devices, judged.left, strict=True)}
        assert len(told) > 80
        low, high = (np.array([getattr(one, name) for one in told]) for name in ("p10", "p90"))
        truth = np.array([left[one.device] for one in told])
        assert 0.7 <= np.mean((low <= truth) & (truth <= high)) <= 0.97
        assert np.mean(truth < low) <= 0.2
        expected = np.array([one.expected for one in told])
        assert np.sqrt(np.mean((expected - truth) ** 2)) < 0.75 * np.std(truth)


def test_the_nearly_worn_relay_is_said_to_end_before_the_new_one(fleet: Fleet, model: PartModel) -> None:
    told = {one.device: one for one in tell(model, fleet.lives(), fleet.panel.devices) if one.why is None}
    left = dict(zip(fleet.panel.devices, fleet.left, strict=True))
    order = sorted(told, key=lambda device: left[device])
    ends = [[told[device].p50 for device in some] for some in (order[:10], order[-10:])]
    assert max(value for value in ends[0] if value is not None) < min(value for value in ends[1] if value is not None)


def test_a_part_that_was_hardly_watched_is_not_judged_yet(model: PartModel) -> None:
    young = relays(8, 4)
    present = young.panel.present.copy()
    present[:, :-10] = False
    panel = Panel(young.panel.devices, FIRST, young.panel.values, {}, young.panel.firmware, (), present)
    told = tell(model, part_lives(panel, WATCHED, young.born, {}, {}), panel.devices)
    assert told
    assert {one.why for one in told} == {"too_young"}


def test_a_device_unlike_all_that_was_learned_from_gets_no_figure(fleet: Fleet, model: PartModel) -> None:
    strange = {name: 50.0 * values for name, values in fleet.panel.values.items()}
    panel = Panel(fleet.panel.devices, FIRST, strange, {}, fleet.panel.firmware, (), fleet.panel.present)
    told = tell(model, part_lives(panel, WATCHED, fleet.born, fleet.failures, {}), panel.devices)
    assert {one.why for one in told} <= {"outside", "too_young"}
    assert "outside" in {one.why for one in told}


def test_a_device_that_reports_nearly_nothing_gets_no_figure(fleet: Fleet, model: PartModel) -> None:
    silent = {name: np.full(values.shape, np.nan) for name, values in fleet.panel.values.items()}
    panel = Panel(fleet.panel.devices, FIRST, silent, {}, fleet.panel.firmware, (), fleet.panel.present)
    told = tell(model, part_lives(panel, WATCHED, fleet.born, fleet.failures, {}), panel.devices)
    assert {one.why for one in told} <= {"too_little_data", "too_young"}
    assert "too_little_data" in {one.why for one in told}
