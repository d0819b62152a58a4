"""The evidence about a release, kept up to date."""

from __future__ import annotations

from dataclasses import fields
from datetime import timedelta

import numpy as np
import pyarrow as pa
import pytest

from analytics.cohorts.evidence import Evidence, Options, advance
from analytics.cohorts.fleet import Fleet
from analytics.cohorts.monitor import Monitor
from analytics.cohorts.panel import hour_of
from analytics.cohorts.past import begin
from hearthwatch.ports import TelemetryStore
from hearthwatch.records import devices
from hearthwatch.records.database import Database
from hearthwatch.values import Release
from tests.unit.analytics.cohorts.scene import START, Scene

OPTIONS = Options(margin=1.05, burn_in=6)
BASE = hour_of(START)
RELEASED = 9 * 24 + 5
END = 13 * 24


@pytest.fixture
def scene(store: TelemetryStore, database: Database) -> Scene:
    """24 devices; a third update in waves from the tenth day on."""
    rng = np.random.default_rng(3)
    update = np.full(24, 10**6)
    update[:8] = RELEASED + rng.integers(0, 60, 8)
    made = Scene(store, database, update, rate=np.full(24, 2.0), ratio=2.0, days=14)
    made.register()
    return made


def fleet(scene: Scene) -> Fleet:
    with scene.database.reading() as connection:
        return Fleet.of(devices.list_devices(connection, model=scene.model), at=START)


def batch(scene: Scene, release: Release, until: int) -> Evidence:
    """Everything in one reading."""
    found = begin(scene.store, release, fleet(scene), BASE + until, OPTIONS)
    assert found is not None
    return advance(scene.store, found, BASE + until)


def assert_same(one: Evidence | None, other: Evidence) -> None:
    assert one is not None
    assert (one.until, one.first_wave, one.cap) == (other.until, other.first_wave, other.cap)
    for mine, theirs in zip(one.streams, other.streams, strict=True):
        assert mine.logrank.log_e == pytest.approx(theirs.logrank.log_e, abs=1e-9)
        np.testing.assert_array_equal(mine.used, theirs.used)
        for sums in ("everyone", "known"):
            for field in fields(getattr(mine, sums)):
                np.testing.assert_allclose(
                    getattr(getattr(mine, sums), field.name),
                    getattr(getattr(theirs, sums), field.name),
                    rtol=1e-9,
                    atol=1e-9,
                    err_msg=f"{mine.metric.name} {sums} {field.name}",
                )


def test_while_no_device_runs_the_release_there_is_no_evidence(scene: Scene) -> None:
    release = scene.release(RELEASED)
    scene.play(0, RELEASED)
    assert Monitor().look(scene.store, release, lambda: fleet(scene), BASE + RELEASED, OPTIONS) is None


def test_a_release_nobody_has_a_device_of_gives_no_evidence(scene: Scene) -> None:
    release = scene.release(RELEASED)
    assert Monitor().look(scene.store, release, lambda: Fleet.of([]), BASE + END, OPTIONS) is None


def test_looking_every_few_hours_gives_what_one_reading_gives(scene: Scene) -> None:
    release = scene.release(RELEASED)
    monitor = Monitor()
    scene.play(0, RELEASED)
    for hour in range(RELEASED, END, 5):
        scene.play(hour, hour + 5)
        found = monitor.look(scene.store, release, lambda: fleet(scene), BASE + hour + 5, OPTIONS)
        if (hour - RELEASED) % 20 == 15:
            assert_same(found, batch(scene, release, hour + 5))


def test_the_future_changes_nothing_of_what_was_known(scene: Scene) -> None:
    release = scene.release(RELEASED)
    scene.play(0, RELEASED + 48)
    before = batch(scene, release, RELEASED + 48)
    scene.play(RELEASED + 48, END)
    assert_same(before, batch(scene, release, RELEASED + 48))


def test_data_that_was_late_counts_from_the_next_look_on(scene: Scene) -> None:
    release = scene.release(RELEASED)
    late = [(device, hour) for device in range(5) for hour in range(RELEASED + 30, RELEASED + 40)]
    scene.play(0, RELEASED + 42, skip=frozenset(late))
    monitor = Monitor()
    early = monitor.look(scene.store, release, lambda: fleet(scene), BASE + RELEASED + 42, OPTIONS)
    scene.write(late)
    scene.play(RELEASED + 42, RELEASED + 43)
    found = monitor.look(scene.store, release, lambda: fleet(scene), BASE + RELEASED + 43, OPTIONS)
    assert early is not None
    assert_same(found, batch(scene, release, RELEASED + 43))


def test_data_that_was_days_late_counts_from_the_next_day_on(scene: Scene) -> None:
    release = scene.release(RELEASED)
    late = [(device, hour) for device in range(5) for hour in range(RELEASED + 10, RELEASED + 16)]
    scene.play(0, END, skip=frozenset(late))
    monitor = Monitor()
    monitor.look(scene.store, release, lambda: fleet(scene), BASE + END - 30, OPTIONS)
    scene.write(late)
    found = monitor.look(scene.store, release, lambda: fleet(scene), BASE + END - 3, OPTIONS)
    assert_same(found, batch(scene, release, END - 3))


def test_a_new_assignment_or_option_makes_it_read_again(scene: Scene) -> None:
    release = scene.release(RELEASED)
    scene.play(0, END)
    monitor = Monitor()
    monitor.look(scene.store, release, lambda: fleet(scene), BASE + END - 2, OPTIONS)
    stricter = Options(margin=1.5, burn_in=6)
    found = monitor.look(scene.store, release, lambda: fleet(scene), BASE + END - 1, stricter)
    assert found is not None
    assert found.options == stricter
    assert found.streams[0].logrank.margin == 1.5


def test_test_devices_are_left_out(scene: Scene) -> None:
    scene.register(test=True)
    assert fleet(scene).ids == ()


def test_a_past_that_is_long_enough_is_washed_out_before_the_release(store: TelemetryStore, database: Database) -> None:
    scene = Scene(store, database, np.array([268, 270, 10**6, 10**6]), rate=np.full(4, 2.0), days=13)
    scene.register()
    release = scene.release(11 * 24)
    scene.play(0, 300)
    found = batch(scene, release, 300)
    assert found.first_wave == BASE + 268
    assert found.pre_hours == 268 - 72
    assert found.streams[0].past.known.all()


def test_a_short_past_is_used_whole(store: TelemetryStore, database: Database) -> None:
    scene = Scene(store, database, np.array([60, 70, 10**6, 10**6]), rate=np.full(4, 2.0), days=5)
    scene.register()
    release = scene.release(50)
    scene.play(0, 96)
    assert batch(scene, release, 96).pre_hours == 60


def test_a_release_that_came_with_the_first_data_has_no_past(store: TelemetryStore, database: Database) -> None:
    scene = Scene(store, database, np.array([0, 0, 10**6, 10**6]), rate=np.full(4, 2.0), days=3)
    scene.register()
    release = scene.release(0)
    scene.play(0, 48)
    found = batch(scene, release, 48)
    assert found.pre_hours == 0
    assert not found.streams[0].past.known.any()
    assert found.streams[0].everyone.hours_treated.sum() == 2 * 48


def test_a_release_announced_after_its_roll_out_is_watched_from_then_on(scene: Scene) -> None:
    late = RELEASED + 70  # the last device had it ten hours before
    release = scene.release(late)
    scene.play(0, END)
    found = batch(scene, release, END)
    assert found.first_wave == BASE + late
    treated = found.streams[0].everyone.hours_treated
    assert (treated[:8] > 0).all()
    assert treated.max() == END - late
    assert np.isfinite(found.streams[0].past.rates[8:]).all()


def test_hours_in_which_synchronisation_failed_are_counted_where_the_fleet_reports_them(scene: Scene) -> None:
    release = scene.release(RELEASED)
    hours = np.arange(RELEASED + 100)
    for device, name in enumerate(scene.ids):
        failing = hours >= scene.update[device]  # the counter grows in every hour on 2.0
        at = [START + timedelta(hours=int(hour), minutes=40) for hour in hours]
        scene.store.write_table(
            "sync",
            pa.table(
                {
                    "device": [name] * hours.size,
                    "at": pa.array(at, pa.timestamp("us", "UTC")),
                    "firmware": np.where(failing, "2.0", "1.0"),
                    "sync_failed": np.cumsum(failing).astype(np.float64),
                }
            ),
        )
    scene.play(0, RELEASED + 100)
    found = batch(scene, release, RELEASED + 100)
    stream = {one.metric.name: one for one in found.streams}["sync_failures"]
    np.testing.assert_array_equal(stream.everyone.events_treated, stream.everyone.hours_treated)
    assert stream.everyone.events_control.sum() == 0
    assert stream.everyone.hours_treated.sum() > 0
