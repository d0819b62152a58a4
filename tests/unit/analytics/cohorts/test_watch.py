"""The watch over releases, in the real stores."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta

import numpy as np
import pytest

from analytics.cohorts import watch
from hearthwatch.ports import TelemetryStore
from hearthwatch.records import cohort_looks, devices, findings, releases
from hearthwatch.records.cohort_looks import CohortLook
from hearthwatch.records.database import Database
from hearthwatch.values import Finding, Release
from tests.unit.analytics.cohorts.scene import HOUR, START, Scene

DAY = 24
RELEASED = 8 * DAY
NEVER = 10**6


def fleet(store: TelemetryStore, database: Database, *, ratio: float, rate: float = 1.0, devices: int = 160) -> Scene:
    """Half of the devices get 2.0 within six hours of the ninth day."""
    rng = np.random.default_rng(1)
    update = np.full(devices, NEVER)
    update[: devices // 2] = RELEASED + rng.integers(0, 6, devices // 2)
    scene = Scene(store, database, update, rate=rate * np.exp(0.5 * rng.standard_normal(devices)), ratio=ratio, days=20)
    scene.register()
    return scene


def looks_of(database: Database, release: Release, metric: str = "unexpected_reboots") -> Sequence[CohortLook]:
    with database.reading() as connection:
        return cohort_looks.list_looks(connection, release.id, metric=metric)


def findings_of(database: Database) -> Sequence[Finding]:
    with database.reading() as connection:
        return findings.list_findings(connection, kind="cohort")


def test_with_no_release_there_is_nothing_to_look_at(store: TelemetryStore, database: Database) -> None:
    scene = fleet(store, database, ratio=1.0)
    assert scene.look(10) == {"releases": 0, "looks": 0, "worse": 0}


def test_a_release_that_no_device_runs_is_not_looked_at(store: TelemetryStore, database: Database) -> None:
    scene = fleet(store, database, ratio=1.0)
    release = scene.release(RELEASED)
    scene.play(0, RELEASED)
    assert scene.look(RELEASED)["looks"] == 0
    assert looks_of(database, release) == []


def test_the_first_looks_are_too_early(store: TelemetryStore, database: Database) -> None:
    scene = fleet(store, database, ratio=2.5)
    release = scene.release(RELEASED)
    scene.play(0, RELEASED + 6)
    scene.look(RELEASED + 6)
    (look,) = looks_of(database, release)
    assert (look.verdict, look.e) == ("too_early", 0.5)
    assert findings_of(database) == []


def test_looking_twice_in_one_hour_is_looking_once(store: TelemetryStore, database: Database) -> None:
    scene = fleet(store, database, ratio=2.5)
    release = scene.release(RELEASED)
    scene.play(0, RELEASED + 40)
    scene.look(RELEASED + 40)
    assert scene.look(RELEASED + 40)["looks"] == 0
    watch_again = scene.look(RELEASED + 41, burn_in=timedelta(hours=24))
    assert watch_again["looks"] == 2
    assert len(looks_of(database, release)) == 2


@pytest.mark.parametrize("assignment", ["randomised", "unknown"])
def test_a_bad_release_becomes_worse_and_a_finding(store: TelemetryStore, database: Database, assignment: str) -> None:
    scene = fleet(store, database, ratio=2.5)
    release = scene.release(RELEASED, assignment)  # type: ignore[arg-type]
    scene.play(0, RELEASED + 4 * DAY)
    for hour in range(RELEASED + 12, RELEASED + 4 * DAY + 1, 12):
        scene.look(hour)
    looks = looks_of(database, release)
    assert looks[-1].verdict == "worse"
    assert looks[-1].ratio == pytest.approx(2.5, rel=0.4)
    assert looks[-1].low is not None
    assert looks[-1].low > 1.05
    (finding,) = findings_of(database)
    assert (finding.subject, finding.mode, finding.state) == (f"release:{release.id}", "reboots", "open")
    assert finding.evidence["version"] == "2.0"
    assert finding.evidence["metrics"] == ["unexpected_reboots"]
    assert finding.evidence["devices"] == 80
    assert finding.first_seen == next(look.at for look in looks if look.verdict == "worse")


def test_a_harmless_release_is_never_worse(store: TelemetryStore, database: Database) -> None:
    scene = fleet(store, database, ratio=1.0)
    release = scene.release(RELEASED)
    scene.play(0, RELEASED + 5 * DAY)
    for hour in range(RELEASED + 12, RELEASED + 5 * DAY + 1, 12):
        scene.look(hour)
    assert {look.verdict for look in looks_of(database, release)} <= {"too_early", "same"}
    assert findings_of(database) == []


def test_frail_devices_that_update_first_do_not_make_a_harmless_release_worse(
    store: TelemetryStore, database: Database
) -> None:
    scene = fleet(store, database, ratio=1.0)
    own = np.sort(np.random.default_rng(2).lognormal(0.0, 1.0, 160))[::-1]
    scene = Scene(store, database, scene.update, rate=own, ratio=1.0, days=20)
    release = scene.release(RELEASED, "unknown")
    scene.play(0, RELEASED + 5 * DAY)
    for hour in range(RELEASED + 12, RELEASED + 5 * DAY + 1, 12):
        scene.look(hour)
    looks = looks_of(database, release)
    assert looks[-1].detail["unadjusted"][1] > 1.5
    assert looks[-1].verdict in {"confounded", "same"}
    assert "worse" not in {look.verdict for look in looks}


def test_a_claim_of_randomised_waves_that_the_past_refutes_is_not_believed(
    store: TelemetryStore, database: Database
) -> None:
    scene = fleet(store, database, ratio=1.0)
    own = np.sort(np.random.default_rng(2).lognormal(0.0, 1.0, 160))[::-1]
    scene = Scene(store, database, scene.update, rate=own, ratio=1.0, days=20)
    release = scene.release(RELEASED, "randomised")
    scene.play(0, RELEASED + 4 * DAY)
    for hour in range(RELEASED + 12, RELEASED + 4 * DAY + 1, 12):
        scene.look(hour)
    looks = looks_of(database, release)
    assert looks[-1].detail["assignment"] == "unknown"
    assert looks[-1].e_first is None
    assert "worse" not in {look.verdict for look in looks}


def test_looks_are_hourly_for_a_fortnight_and_daily_after(store: TelemetryStore, database: Database) -> None:
    update = np.array([RELEASED, RELEASED, 16 * DAY, NEVER, NEVER, NEVER])
    scene = Scene(store, database, update, rate=np.full(6, 0.1), days=45)
    scene.register()
    release = scene.release(RELEASED)
    scene.play(0, 40 * DAY)
    fortnight = RELEASED + 14 * DAY
    for hour in [*range(fortnight - 10, fortnight + 30), *range(fortnight + 2 * DAY, 40 * DAY, 12)]:
        scene.look(hour)
    at = [(look.at - START) // HOUR for look in looks_of(database, release)]
    assert [hour for hour in at if hour <= fortnight] == list(range(fortnight - 10, fortnight + 1))
    later = [hour // DAY for hour in at if hour > fortnight]
    assert later == list(range(fortnight // DAY + 1, 31))  # until a fortnight after the last device got it


def test_a_withdrawn_release_is_not_looked_at_and_its_finding_ends_with_its_last_device(
    store: TelemetryStore, database: Database
) -> None:
    scene = fleet(store, database, ratio=3.0)
    release = scene.release(RELEASED)
    scene.play(0, RELEASED + 4 * DAY)
    scene.look(RELEASED + 4 * DAY)
    assert findings_of(database)[0].state == "open"
    with database.transaction() as connection:
        releases.set_status(connection, release.id, None, "withdrawn")
    assert scene.look(RELEASED + 4 * DAY + 1)["looks"] == 0
    assert findings_of(database)[0].state == "open"
    with database.transaction() as connection:
        devices.register(connection, [{"id": name, "firmware": "2.0.1"} for name in scene.ids[:80]])
    scene.look(RELEASED + 4 * DAY + 2)
    assert findings_of(database)[0].state == "recovered"
    assert looks_of(database, release)[-1].verdict == "worse"


def test_a_restart_loses_nothing(store: TelemetryStore, database: Database) -> None:
    scene = fleet(store, database, ratio=2.0)
    release = scene.release(RELEASED)
    scene.play(0, RELEASED + 2 * DAY + 4)
    scene.look(RELEASED + 2 * DAY + 2)
    scene.look(RELEASED + 2 * DAY + 3)
    first = looks_of(database, release)[-1]
    watch._monitors.clear()
    scene.look(RELEASED + 2 * DAY + 4)
    again = looks_of(database, release)[-1]
    assert again.hours_treatment == first.hours_treatment + 80
    assert again.detail["first_wave"] == first.detail["first_wave"]


def test_a_device_that_falls_silent_counts_against_randomised_waves(store: TelemetryStore, database: Database) -> None:
    scene = fleet(store, database, ratio=1.0, devices=100)
    release = scene.release(RELEASED)
    dead = {device: RELEASED + 12 + 2 * device for device in range(30)}
    gone = frozenset((device, hour) for device, at in dead.items() for hour in range(at, RELEASED + 5 * DAY))
    scene.play(0, RELEASED + 5 * DAY, skip=gone)
    scene.look(RELEASED + 5 * DAY)
    (look,) = looks_of(database, release, "went_silent")
    assert look.verdict == "worse"
    assert look.low is not None
    assert look.low > 1.0


def test_one_look_at_a_fleet_names_all_streams_together(store: TelemetryStore, database: Database) -> None:
    scene = fleet(store, database, ratio=1.0)
    release = scene.release(RELEASED)
    scene.play(0, RELEASED + DAY)
    scene.look(RELEASED + DAY)
    assert looks_of(database, release)[-1].detail["needed"] == pytest.approx(20.0)  # two streams at 10 %


def test_a_stream_that_can_not_speak_costs_the_others_nothing(store: TelemetryStore, database: Database) -> None:
    scene = fleet(store, database, ratio=1.0)
    release = scene.release(RELEASED, "unknown")
    scene.play(0, RELEASED + DAY)
    scene.look(RELEASED + DAY)
    assert looks_of(database, release)[-1].detail["needed"] == pytest.approx(10.0)
