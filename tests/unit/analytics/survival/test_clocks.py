"""Calendar or use: which clock a part ages by, and how much each device was used."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import numpy as np
import pytest

from analytics.labels import Labels
from analytics.panel import Floats, day_number, day_start
from analytics.survival.clocks import AGE
from analytics.survival.cold_start import ColdStart, cold_start, told
from analytics.survival.uses import Uses, read_uses
from hearthwatch.ports import TelemetryStore
from hearthwatch.values import Reading
from tests.unit.analytics.survival.test_cold_start import HORIZONS, NOW, UNKNOWN

TODAY = day_number(NOW)
SPAN = 400
"""Days for which the fleet has been there."""


def worn_fleet(seed: int, *, by_use: bool, devices: int = 400) -> tuple[Labels, dict[str, Uses]]:
    """Relays of devices of which half switch ten times as often as the others; they last a number of cycles, or of days."""
    rng = np.random.default_rng(seed)
    pace = rng.choice([4.0, 40.0], devices)
    born = TODAY - rng.integers(60, SPAN, devices)
    life = rng.weibull(3.0, devices) * (9000 / pace if by_use else np.full(devices, 500.0))
    names = [f"d{place}" for place in range(devices)]
    first_day = TODAY - SPAN
    days = np.arange(first_day, TODAY)
    total: Floats = np.where(
        days[None, :] >= born[:, None], pace[:, None] * (days[None, :] - born[:, None] + 1.0), np.nan
    )
    failed = born + np.floor(life).astype(int)
    fleet, failures = [], {}
    for place, name in enumerate(names):
        came = NOW - timedelta(days=int(TODAY - born[place]))
        fleet.append(replace(UNKNOWN, id=name, installed_at=came, first_seen=came, last_seen=NOW))
        if failed[place] < TODAY:
            failures[name, "relay"] = [int(failed[place])]
            total[place, days > failed[place]] = total[place, failed[place] - first_day]
    uses = Uses(
        first_day,
        {name: row for row, name in enumerate(names)},
        total,
        {name: int(day) for name, day in zip(names, born, strict=True)},
    )
    return Labels({"m0": fleet}, failures, {}), {"relay_cycles": uses}


def learned(labels: Labels, uses: dict[str, Uses]) -> ColdStart:
    found = cold_start(labels, "relay", NOW, uses)
    assert isinstance(found, ColdStart)
    return found


def test_where_parts_last_a_number_of_cycles_the_cycles_are_the_clock() -> None:
    for seed in (1, 2, 3):
        labels, uses = worn_fleet(seed, by_use=True)
        assert learned(labels, uses).clock == "relay_cycles"


def test_where_parts_last_a_number_of_days_the_calendar_is_the_clock() -> None:
    for seed in (4, 5, 6):
        labels, uses = worn_fleet(seed, by_use=False)
        assert learned(labels, uses).clock == AGE


def test_with_few_failures_nothing_is_preferred_to_the_calendar() -> None:
    labels, uses = worn_fleet(1, by_use=True)
    few = Labels(labels.by_model, dict(list(labels.failures.items())[:7]), {})
    assert learned(few, uses).clock == AGE


def test_a_counter_that_few_devices_report_is_no_clock() -> None:
    labels, uses = worn_fleet(1, by_use=True)
    one = uses["relay_cycles"]
    few = replace(one, row={name: row for name, row in one.row.items() if row % 2 == 0})
    assert learned(labels, {"relay_cycles": few}).clock == AGE


def test_of_two_parts_of_the_same_age_the_one_that_was_used_more_is_likelier_to_fail() -> None:
    labels, uses = worn_fleet(1, by_use=True)
    lives = learned(labels, uses)
    one = uses["relay_cycles"]
    working = [d for d in labels.by_model["m0"] if (d.id, "relay") not in labels.failures]
    aged = [d for d in working if 150 <= TODAY - one.born[d.id] <= 220]
    said = told(lives, aged, labels, NOW, HORIZONS)
    p30 = {True: [], False: []}  # type: dict[bool, list[float]]
    for device, each in zip(aged, said, strict=True):
        assert each.clock == "relay_cycles"
        if each.probabilities is not None and each.probabilities[1] is not None:
            busy = one.at(device.id, TODAY - 1) / (TODAY - one.born[device.id]) > 20
            p30[busy].append(each.probabilities[1])
    assert min(p30[True]) > 10 * max(p30[False])


def test_a_device_whose_use_nobody_knows_is_told_by_its_age_and_says_so() -> None:
    labels, uses = worn_fleet(1, by_use=True)
    lives = learned(labels, uses)
    working = next(d for d in labels.by_model["m0"] if (d.id, "relay") not in labels.failures)
    silent = replace(working, id="no counter")
    assert [said.clock for said in told(lives, [working, silent], labels, NOW, HORIZONS)] == ["relay_cycles", AGE]


def test_a_device_that_rests_is_not_taken_to_rest_for_ever() -> None:
    _, uses = worn_fleet(1, by_use=True)
    one = uses["relay_cycles"]
    rested = one.total.copy()
    rested[0, -40:] = rested[0, -40]
    resting = replace(one, total=rested)
    assert 0 < resting.per_day("d0", TODAY - 1, 22.0) < 2.5


def read(store: TelemetryStore, told_on: dict[int, float], born: int = 0, days: int = 60) -> Uses:
    """The uses of one device that told its cycles on some days (counted from `TODAY` - 60)."""
    first = TODAY - days
    store.write(
        [
            Reading("d", "native", day_start(first + day) + timedelta(hours=23), {"relay_cycles": total}, "1.0.0")
            for day, total in told_on.items()
        ]
    )
    store.rollup(NOW)
    found = read_uses(
        store, ["relay_cycles", "operating_h"], {"d": first + born}, {"d": first}, TODAY - 1, timedelta(days=730)
    )
    assert list(found) == ["relay_cycles"]
    return found["relay_cycles"]


def test_use_before_the_first_report_came_evenly_and_after_the_last_it_rests(store: TelemetryStore) -> None:
    use = read(store, {20: 210.0, 30: 300.0})
    first = TODAY - 60
    assert use.at("d", first + 20) == 210.0
    assert use.at("d", first + 9) == pytest.approx(100.0)
    assert use.at("d", first + 25) == 210.0
    assert use.at("d", first + 30) == 300.0
    assert use.at("d", TODAY - 1) == 300.0


def test_a_counter_that_fell_was_reset_and_goes_on(store: TelemetryStore) -> None:
    use = read(store, {1: 100.0, 2: 120.0, 3: 5.0, 4: 9.0})
    assert [use.at("d", TODAY - 60 + day) for day in (1, 2, 3, 4)] == [100.0, 120.0, 125.0, 129.0]


def test_a_new_part_has_not_been_used_by_the_old_one(store: TelemetryStore) -> None:
    use = read(store, {day: 10.0 * day for day in range(1, 40)})
    first = TODAY - 60
    assert use.since_new("d", first + 20, False, first + 30) == pytest.approx(100.0)
    assert np.isnan(use.since_new("d", first - 5, False, first + 30))
    assert np.isnan(use.since_new("stranger", first + 20, False, first + 30))


def test_without_a_counter_there_is_no_use(store: TelemetryStore) -> None:
    assert read_uses(store, ["relay_cycles"], {"d": 0}, {"d": TODAY - 9}, TODAY - 1, timedelta(days=9)) == {}
    assert read_uses(store, [], {"d": 0}, {"d": 1}, TODAY, timedelta(days=9)) == {}
