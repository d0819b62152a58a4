"""Late data through the real ingestor and stores: what training sees of a past day is what its morning could have seen."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from analytics import arrival, features
from analytics.features import Background
from analytics.hazard import Matrix
from analytics.panel import Flags, Panel, day_number, panel_of
from analytics.signals import derived
from hearthwatch.clock import SteppedClock
from hearthwatch.ports import TelemetryStore
from hearthwatch.records.database import open_database
from hearthwatch.records.late_days import JUDGED_AFTER
from hearthwatch.telemetry import open_store
from tests.conftest import restore
from tests.late_fleet import DAY, LateFleet

START = datetime(2026, 5, 1, tzinfo=UTC)
DEVICES, DAYS = 9, 7
NAMES = [f"d-{number}" for number in range(DEVICES)]
SIGNALS = ("temperature_c", "temperature_error_c", "battery_loss", "relay_cycles", "unexpected_reboots")
COLUMNS = features.features_of(SIGNALS, ("relay_cycles",))
KNOWN = Background(np.zeros(DEVICES, dtype=np.int64), np.full(DEVICES, float(day_number(START)) - 50), {2: [3]})

Delays = Mapping[tuple[int, int], tuple[int, int]]
"""How many mornings the readings of the morning and of the evening of (device, day) come too late; absent: in time."""
DELAYS = st.dictionaries(
    st.tuples(st.integers(0, DEVICES - 1), st.integers(0, DAYS - 1)),
    st.tuples(st.integers(0, 4), st.integers(0, 4)),
    min_size=1,
    max_size=14,
)
WHOLE_DAYS = DELAYS.map(lambda delays: {key: (both[0], both[0]) for key, both in delays.items()})


@dataclass(frozen=True, slots=True)
class Seen:
    """What a morning saw of the day before it, and the whole history as it was read then."""

    panel: Panel
    features: Matrix


@pytest.fixture(scope="module")
def fleet_of(migrated: bytes) -> _Fleets:
    return _Fleets(migrated)


class _Fleets:
    """Plays the same fleet with different delays, each time in stores of its own."""

    def __init__(self, migrated: bytes) -> None:
        self._migrated = migrated

    def played(self, delays: Delays, late_values: float = 0.0) -> tuple[list[Seen], Panel, arrival.Late]:
        """Every morning as it was, the panel at the end, and what came late as it is known; ``late_values`` is added to what comes late."""
        store, database, clock = open_store("duckdb://"), open_database("sqlite://"), SteppedClock(START)
        restore(database, self._migrated)
        fleet = LateFleet(store, database, clock)
        try:
            mornings = [_morning_after(day, fleet, delays, late_values) for day in range(DAYS)]
            for day in range(DAYS, DAYS + 4):
                _morning_after(day, fleet, delays, late_values)
            panel = _read(store, clock.now(), DAYS)
            return mornings, panel, arrival.late_in(panel, fleet.late_days())
        finally:
            fleet.close()
            store.close()
            database.close()


def _morning_after(day: int, fleet: LateFleet, delays: Delays, late_values: float) -> Seen:
    """The messages of a day come (and copies of yesterday's), and the morning after it looks."""
    midnight = START + day * DAY
    fleet.clock.advance(midnight + timedelta(hours=20) - fleet.clock.now())
    for device in range(DEVICES):
        for of in range(max(day - 4, 0), min(day + 1, DAYS)):
            for half, late in enumerate(delays.get((device, of), (0, 0))):
                if of + late == day:
                    _tell(fleet, device, of, half, late_values if late else 0.0)
        if 0 < day <= DAYS and (device, day - 1) not in delays:
            _tell(fleet, device, day - 1, 0, 0.0)
    fleet.deliver()
    fleet.clock.advance(midnight + DAY + JUDGED_AFTER - timedelta(minutes=1) - fleet.clock.now())
    panel = _read(fleet.store, fleet.clock.now(), day + 1)
    rows = np.arange(DEVICES), np.full(DEVICES, min(day, panel.days - 1))
    return Seen(panel, features.matrix(panel, KNOWN, COLUMNS, *rows))


def _tell(fleet: LateFleet, device: int, day: int, half: int, more: float) -> None:
    at = START + day * DAY + timedelta(hours=6 + 12 * half, minutes=device)
    chance = np.random.default_rng([device, day, half])
    metrics = {
        "temperature_c": 20.0 + chance.normal() + more,
        "reference_temperature_c": 20.0 + chance.normal(),
        "battery_pct": 90.0 - day - half / 2 - chance.random() / 4,
        "relay_cycles": 100.0 * device + 10 * day + 4 * half + float(chance.integers(0, 3)) + more,
    }
    fleet.tell(NAMES[device], at, metrics)
    if chance.random() < 0.3:
        fleet.reboot(NAMES[device], at)


def _read(store: TelemetryStore, now: datetime, days: int) -> Panel:
    store.rollup(now)
    until, first = START + days * DAY, day_number(START)
    daily = store.daily(START, until)
    reboots = store.events(START, until, kinds=["reboot"])
    return derived(panel_of(daily, reboots, first_day=first, days=days, devices=NAMES))


def _as_of(panel: Panel, late: arrival.Late) -> Sequence[Matrix]:
    """The features of every device on each day, from the panel at the end."""
    device, day = (grid.ravel() for grid in np.meshgrid(np.arange(DEVICES), np.arange(DAYS)))
    found = arrival.matrix(panel, KNOWN, COLUMNS, device, day, late)
    return [found[day == one] for one in range(DAYS)]


def _present(seen: Seen) -> Flags:
    return seen.panel.present[:, -1]


@settings(max_examples=3)
@given(delays=WHOLE_DAYS)
def test_a_past_day_looks_as_its_morning_saw_it(fleet_of: _Fleets, delays: Delays) -> None:
    mornings, panel, late = fleet_of.played(delays)
    assert len(late.device) == sum(both[0] > 0 for both in delays.values())
    for day, (then, now) in enumerate(zip(mornings, _as_of(panel, late), strict=True)):
        np.testing.assert_allclose(now, then.features, rtol=1e-5, atol=1e-5)
        np.testing.assert_array_equal(arrival.on_time(panel, late)[:, day], _present(then))


@settings(max_examples=1)
@given(delays=DELAYS)
def test_what_came_late_changes_nothing_of_the_days_before_it_came(fleet_of: _Fleets, delays: Delays) -> None:
    _, panel, late = fleet_of.played(delays)
    _, other, same = fleet_of.played(delays, late_values=7.0)
    assert any(max(both) for both in delays.values()) == bool(late)
    np.testing.assert_array_equal(np.stack([late.device, late.day]), np.stack([same.device, same.day]))
    first_read = min((day + max(both) for (_, day), both in delays.items() if max(both)), default=DAYS)
    for day, (one, two) in enumerate(zip(_as_of(panel, late), _as_of(other, same), strict=True)):
        if day < first_read:
            np.testing.assert_array_equal(one, two)


def test_a_partly_late_day_is_unknown_until_the_last_of_it_was_there(fleet_of: _Fleets) -> None:
    delays = {(4, 2): (0, 2)}
    mornings, panel, late = fleet_of.played(delays)
    then = _as_of(panel, late)
    temperature = next(place for place, column in enumerate(COLUMNS) if column.name == "temperature_c:today")
    assert np.isfinite(mornings[2].features[4, temperature])  # its morning had seen the first half
    assert np.isnan(then[2][4, temperature])
    assert not arrival.on_time(panel, late)[4, 2]
    assert (late.day.tolist(), late.until.tolist()) == ([2], [4])


def test_without_late_data_every_row_is_the_same_to_the_last_bit(fleet_of: _Fleets) -> None:
    mornings, panel, late = fleet_of.played({})
    assert not late
    rows = np.repeat(np.arange(DEVICES), DAYS), np.tile(np.arange(DAYS), DEVICES)
    np.testing.assert_array_equal(
        arrival.matrix(panel, KNOWN, COLUMNS, *rows, late), features.matrix(panel, KNOWN, COLUMNS, *rows)
    )
    np.testing.assert_array_equal(mornings[-1].features, _as_of(panel, late)[-1])


def test_rows_that_nothing_late_touches_are_the_same_to_the_last_bit(fleet_of: _Fleets) -> None:
    _, panel, late = fleet_of.played({(4, 2): (2, 2)})
    device, day = np.repeat(np.arange(DEVICES), DAYS), np.tile(np.arange(DAYS), DEVICES)
    found = arrival.matrix(panel, KNOWN, COLUMNS, device, day, late)
    plain = features.matrix(panel, KNOWN, COLUMNS, device, day)
    away = (day < 2) | (day >= 4)
    np.testing.assert_array_equal(found[away], plain[away])
    alone = [place for place, column in enumerate(COLUMNS) if column.view not in arrival.AMONG_PEERS]
    others = ~away & (device != 4)
    np.testing.assert_array_equal(found[others][:, alone], plain[others][:, alone])
    assert not np.array_equal(found[~away], plain[~away], equal_nan=True)
