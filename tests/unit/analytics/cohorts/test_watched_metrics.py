"""What the watch sees beside events: gauges, boots nobody tells of, bricks, changes that begin late; several releases and revisions at
once."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime, timedelta

import numpy as np
import pytest
from numpy.typing import NDArray

from analytics.cohorts import watch
from hearthwatch.errors import Invalid
from hearthwatch.ports import TelemetryStore
from hearthwatch.records import blindness, cohort_looks, commands, devices, findings, releases
from hearthwatch.records.cohort_looks import CohortLook
from hearthwatch.records.commands import NewCommand
from hearthwatch.records.database import Database, open_database
from hearthwatch.values import Release
from tests.unit.analytics.cohorts.scene import HOUR, START, Scene

DAY = 24
RELEASED = 6 * DAY
NEVER = 10**6
Floats = NDArray[np.float64]


def fleet(store: TelemetryStore, database: Database, *, devices: int = 72, days: int = 14, rate: float = 0.0) -> Scene:
    """Half of the devices get 2.0 in the first hour of the seventh day."""
    update = np.full(devices, NEVER)
    update[: devices // 2] = RELEASED
    scene = Scene(store, database, update, rate=np.full(devices, rate), days=days)
    scene.register()
    return scene


def on_new(scene: Scene) -> NDArray[np.bool_]:
    result: NDArray[np.bool_] = np.arange(scene.days * DAY) >= scene.update[:, None]
    return result


def newest(database: Database, release: Release) -> Mapping[str, CohortLook]:
    with database.reading() as connection:
        return {look.metric: look for look in cohort_looks.latest(connection, [release.id])}


def drained(scene: Scene, ratio: float, seed: int = 0) -> Floats:
    """Charge that falls by half a point a day, on 2.0 so many times as fast."""
    rng = np.random.default_rng(seed)
    own = 0.5 / DAY * rng.lognormal(0.0, 0.4, scene.update.size)
    fall = own[:, None] * np.where(on_new(scene), ratio, 1.0)
    result: Floats = 90.0 - np.cumsum(fall, axis=1) + rng.normal(0.0, 0.05, fall.shape)
    return result


def boot_counts(scene: Scene) -> Floats:
    return 4.0 + np.cumsum(scene.reboots, axis=1).astype(np.float64)


@pytest.mark.parametrize("assignment", ["randomised", "unknown"])
def test_a_release_that_drains_batteries_is_worse_by_that_alone(
    store: TelemetryStore, database: Database, assignment: str
) -> None:
    scene = fleet(store, database)
    rng = np.random.default_rng(1)
    latency: Floats = 0.8 * rng.lognormal(0.0, 0.1, on_new(scene).shape)
    scene.metrics = {"battery_pct": drained(scene, 1.5), "actuation_s": latency}
    release = scene.release(RELEASED, assignment)  # type: ignore[arg-type]
    scene.play(0, RELEASED + 6 * DAY)
    scene.look(RELEASED + 6 * DAY)
    looks = newest(database, release)
    assert set(looks) == {"unexpected_reboots", "went_silent", "battery_drain", "actuation_latency"}
    drain = looks["battery_drain"]
    assert drain.verdict == "worse"
    assert drain.ratio == pytest.approx(1.5, rel=0.1)
    assert "lose battery charge" in drain.why
    assert "times as fast" in drain.why
    assert (drain.detail["kind"], drain.detail["unit"], drain.detail["decision"]) == ("mean", "percentage points", None)
    assert looks["actuation_latency"].verdict == "same"
    with database.reading() as connection:
        (finding,) = findings.list_findings(connection, kind="cohort")
    assert (finding.mode, finding.evidence["metrics"]) == ("battery_fade", ["battery_drain"])


def test_new_cells_and_charging_are_no_drain_and_no_gain(store: TelemetryStore, database: Database) -> None:
    scene = fleet(store, database)
    charge = drained(scene, 1.0)
    charge[:36:2, RELEASED + 3 * DAY + 5 :] += 40.0  # half of the new ones get new cells
    scene.metrics = {"battery_pct": charge}
    release = scene.release(RELEASED)
    scene.play(0, RELEASED + 7 * DAY)
    scene.look(RELEASED + 7 * DAY)
    look = newest(database, release)["battery_drain"]
    assert look.ratio == pytest.approx(1.0, rel=0.1)
    assert look.verdict in {"same", "too_early"}


def test_a_gauge_a_maker_names_is_watched_towards_the_side_that_is_worse(
    store: TelemetryStore, database: Database
) -> None:
    scene = fleet(store, database)
    rng = np.random.default_rng(2)
    frames: Floats = rng.normal(25.0, 1.0, on_new(scene).shape)
    frames[on_new(scene)] *= 0.7
    scene.metrics = {"frame_rate_fps": frames}
    release = scene.release(RELEASED)
    scene.play(0, RELEASED + 5 * DAY)
    with pytest.raises(Invalid, match="name:more"):
        scene.look(RELEASED + 5 * DAY, gauges=["frame_rate_fps"])
    scene.look(RELEASED + 5 * DAY, gauges=["frame_rate_fps:less"])
    look = newest(database, release)["frame_rate_fps"]
    assert look.verdict == "worse"
    assert look.ratio == pytest.approx(0.7, rel=0.05)
    assert look.detail["direction"] == "less"
    with database.reading() as connection:
        (finding,) = findings.list_findings(connection, kind="cohort")
    assert (finding.mode, finding.severity) == ("video_degraded", "critical")


def test_a_crash_loop_that_no_event_tells_of_counts_by_its_boots(store: TelemetryStore, database: Database) -> None:
    scene = fleet(store, database, rate=0.5)
    loops: NDArray[np.int64] = np.random.default_rng(3).poisson(0.08, on_new(scene).shape) * on_new(scene)
    scene.reboots = scene.reboots + loops
    scene.mute = True
    scene.metrics = {"boot_count": boot_counts(scene)}
    release = scene.release(RELEASED)
    scene.play(0, RELEASED + 4 * DAY)
    scene.look(RELEASED + 4 * DAY)
    look = newest(database, release)["unexpected_reboots"]
    counted = scene.reboots[:36, RELEASED + DAY : RELEASED + 4 * DAY].sum()
    assert 0.8 * counted <= look.events_treatment <= counted  # those beyond the cap of a day are left out
    assert look.verdict == "worse"


def test_boots_that_an_event_and_a_count_tell_of_count_once(store: TelemetryStore, database: Database) -> None:
    scene = fleet(store, database, rate=0.5)
    scene.metrics = {"boot_count": boot_counts(scene)}
    release = scene.release(RELEASED)
    scene.play(0, RELEASED + 3 * DAY)
    scene.look(RELEASED + 3 * DAY)
    both = newest(database, release)["unexpected_reboots"]
    assert both.events_treatment == scene.reboots[:36, RELEASED + DAY : RELEASED + 3 * DAY].clip(max=3).sum()


def offer(database: Database, device: str, version: str, hour: int) -> None:
    """A command to install something, which the broker has."""
    at = START + hour * HOUR + timedelta(minutes=10)
    new = NewCommand(
        device_id=device,
        kind="update",
        convention="native",
        request_id=f"{device}-{version}",
        answered_by=(device,),
        asked_by="test",
        why="roll-out",
        consent="maker",
        send_after=at,
        expires_at=at + HOUR,
        parameters={"version": version},
    )
    with database.transaction() as connection:
        made, _ = commands.put(connection, new, at)
        commands.sent(connection, made.id, at, at + HOUR)


@pytest.mark.parametrize(("assignment", "verdict"), [("randomised", "worse"), ("unknown", "too_early")])
def test_devices_that_an_update_bricked_count_although_they_never_reported_it(
    store: TelemetryStore, database: Database, assignment: str, verdict: str
) -> None:
    scene = fleet(store, database, devices=60)
    scene.update[:] = NEVER  # nobody ever tells of 2.0
    release = scene.release(RELEASED, assignment)  # type: ignore[arg-type]
    gone = frozenset((device, hour) for device in range(15) for hour in range(RELEASED + 3, RELEASED + 2 * DAY))
    scene.play(0, RELEASED + 2 * DAY, skip=gone)
    for device in range(30):
        offer(database, scene.ids[device], "2.0", RELEASED + 2)
    scene.look(RELEASED + 2 * DAY)
    look = newest(database, release)["went_silent"]
    assert (look.devices_treatment, look.devices_control) == (30, 45), "those that live are of the old version again"
    assert (look.events_treatment, look.events_control) == (15, 0)
    assert look.verdict == verdict
    assert look.detail["watch_list"]
    assert (look.e > 1.0) == (assignment == "randomised")
    assert {one["device"] for one in look.detail["contributors"]} <= set(scene.ids[:15])


def test_an_outage_of_ours_after_the_update_bricks_nobody(store: TelemetryStore, database: Database) -> None:
    scene = fleet(store, database, devices=60)
    release = scene.release(RELEASED)
    gone = frozenset((device, hour) for device in range(60) for hour in range(RELEASED + 3, RELEASED + 20))
    scene.play(0, RELEASED + 2 * DAY, skip=gone)
    with database.transaction() as connection:
        blindness.beat(connection, "one", START + (RELEASED + 3) * HOUR, receiving=True)
        blindness.beat(connection, "one", START + (RELEASED + 20) * HOUR, receiving=True)
        blindness.beat(connection, "one", START + (RELEASED + 2 * DAY) * HOUR, receiving=True)
    scene.look(RELEASED + 2 * DAY)
    assert newest(database, release)["went_silent"].events_treatment == 0


def test_a_leak_that_begins_after_a_good_week_is_found_and_its_beginning_told(
    store: TelemetryStore, database: Database
) -> None:
    scene = fleet(store, database, days=24)
    rng = np.random.default_rng(5)
    hours = np.arange(scene.days * DAY)
    onset = RELEASED + 9 * DAY
    leaking = on_new(scene) & (hours >= onset)
    falling = np.cumsum(np.where(leaking, 55.0, 25.0) * rng.lognormal(0.0, 0.3, (72, 1)), axis=1)
    scene.metrics = {"free_heap_bytes": 200_000.0 - falling + rng.normal(0.0, 900.0, falling.shape)}
    release = scene.release(RELEASED)
    scene.play(0, RELEASED + 13 * DAY)
    scene.look(RELEASED + 9 * DAY)
    good = newest(database, release)["memory_decline"]
    assert good.verdict in {"same", "too_early"}
    assert not good.detail["late"]["alarm"]
    scene.look(RELEASED + 13 * DAY)
    bad = newest(database, release)["memory_decline"]
    assert bad.verdict == "worse"
    late = bad.detail["late"]
    assert late["alarm"]
    assert late["e"] > 10 * bad.e, "what came since the restart says more than the whole"
    assert abs((START + onset * HOUR - _time(late["since"])) / HOUR) <= 2 * DAY
    assert late["ratio"] > (bad.ratio or 0.0)
    assert not late["whole"]


def _time(text: str) -> datetime:
    return datetime.fromisoformat(text)


def test_what_would_be_needed_is_told_while_nothing_is_decided(store: TelemetryStore, database: Database) -> None:
    scene = fleet(store, database, rate=0.3)
    release = scene.release(RELEASED)
    scene.play(0, RELEASED + 6 * DAY)
    scene.look(RELEASED + 6 * DAY)
    look = newest(database, release)["unexpected_reboots"]
    assert look.verdict == "too_early"
    decision = look.detail["decision"]
    assert decision["devices"] is None or decision["devices"] > 36
    assert decision["says"] in look.why
    assert look.detail["adoption"] == [36, 72]


def test_where_nobody_knows_how_the_waves_were_drawn_and_there_is_no_past_time_does_not_help(
    store: TelemetryStore, database: Database
) -> None:
    scene = fleet(store, database, rate=1.0, days=4)
    scene.update[:36] = 2
    release = scene.release(1, "staged")
    scene.play(0, 3 * DAY)
    scene.look(3 * DAY)
    look = newest(database, release)["unexpected_reboots"]
    assert (look.verdict, look.e, look.e_first) == ("too_early", 0.0, None)
    assert look.detail["decision"]["says"] == "More time will not decide it; waves drawn by lot would."
    assert look.detail["assignment"] == "staged"
    assert not look.detail["watch_list"]


def test_a_clear_difference_that_who_updated_first_may_explain_is_on_the_watch_list_and_no_more(
    store: TelemetryStore, database: Database
) -> None:
    scene = fleet(store, database, rate=1.0, days=4)
    scene.update[:36] = 2
    scene.reboots = scene.reboots + np.random.default_rng(9).poisson(0.1, on_new(scene).shape) * on_new(scene)
    release = scene.release(1, "staged")
    scene.play(0, 4 * DAY)
    scene.look(4 * DAY)
    look = newest(database, release)["unexpected_reboots"]
    assert look.verdict == "too_early"
    assert look.e == 0.0
    assert look.detail["watch_list"]
    assert "times as often as the others" in look.why
    with database.reading() as connection:
        assert findings.list_findings(connection, kind="cohort") == []


def test_two_releases_and_two_revisions_live_side_by_side(store: TelemetryStore, database: Database) -> None:
    """2.0 is harmless and 2.1 is not, and only on hardware B; both run at the same time beside 1.0."""
    rng = np.random.default_rng(7)
    count, days = 240, 13
    update = np.full(count, NEVER)
    update[: 2 * count // 3] = RELEASED
    scene = Scene(store, database, update, rate=np.full(count, 0.6), days=days)
    scene.register()
    second = np.arange(count) < count // 3  # these run 2.1 instead of 2.0
    with database.transaction() as connection:
        rows = [{"id": name, "hardware": "AB"[index % 2]} for index, name in enumerate(scene.ids)]
        devices.register(connection, rows)
    bad = (second & (np.arange(count) % 2 == 1))[:, None] & on_new(scene)
    scene.reboots = scene.reboots + rng.poisson(0.12, bad.shape) * bad
    scene.versions = ("1.0", "2.0", "2.1")
    scene.second = second
    two = scene.release(RELEASED)
    one_more = scene.release(RELEASED, version="2.1")
    scene.play(0, RELEASED + 5 * DAY)
    scene.look(RELEASED + 5 * DAY)
    harmless, harmful = (newest(database, release)["unexpected_reboots"] for release in (two, one_more))
    assert harmless.verdict == "too_early"
    assert harmful.verdict == "worse"
    assert (harmless.devices_treatment, harmful.devices_treatment) == (80, 80)
    strata = {stratum["hardware"]: stratum for stratum in harmful.detail["strata"]}
    assert set(strata) == {"A", "B"}
    assert strata["B"]["ratio"] > 3.0
    assert strata["A"]["ratio"] == pytest.approx(1.0, abs=0.5)
    assert strata["A"]["devices"][0] == strata["B"]["devices"][0] == 40
    assert harmful.detail["needed"] == pytest.approx(40.0), "four streams of two releases at 10 %"


def test_a_watch_that_was_killed_between_looks_says_what_an_unbroken_one_says(
    store: TelemetryStore, database: Database
) -> None:
    scene = fleet(store, database, devices=24, rate=1.5)
    scene.metrics = {"battery_pct": drained(scene, 1.2), "boot_count": boot_counts(scene)}
    release = scene.release(RELEASED)
    other = open_database("sqlite://")
    other.upgrade()
    killed = replace(scene, database=other)
    killed.reboots = scene.reboots
    killed.register()
    killed.release(RELEASED)
    end = RELEASED + 3 * DAY
    hours = [RELEASED + 30, RELEASED + 33, end - 1, end, end + 1]
    scene.play(0, RELEASED)
    killed.register(firmware="2.0")
    played = RELEASED
    for hour in hours:
        scene.play(played, hour)
        played = hour
        scene.look(hour, guard=5)
    watch._monitors.clear()
    for hour in hours:  # of a store that by now knows more than each look may use
        killed.look(hour, guard=5)
        watch._monitors.clear()
    unbroken, broken = (_looks(one, release) for one in (database, other))
    assert len(unbroken) == len(hours) * 3
    assert any(look.detail["late"] for look in unbroken)
    for mine, theirs in zip(unbroken, broken, strict=True):
        _assert_alike(mine, theirs)


def _looks(database: Database, release: Release) -> list[CohortLook]:
    with database.reading() as connection:
        return cohort_looks.list_looks(connection, release.id)


def _assert_alike(one: CohortLook, other: CohortLook) -> None:
    assert (one.at, one.metric, one.verdict, one.why) == (other.at, other.metric, other.verdict, other.why)
    for name in ("e", "e_rate", "e_first", "ratio", "low", "high", "hours_treatment", "events_control"):
        mine, theirs = getattr(one, name), getattr(other, name)
        assert (mine is None) == (theirs is None)
        if mine is not None:
            assert mine == pytest.approx(theirs, rel=1e-9)
    assert one.detail["adoption"] == other.detail["adoption"]
    assert one.detail["strata"] == other.detail["strata"]
    mine, theirs = one.detail["late"], other.detail["late"]
    assert (mine is None) == (theirs is None)
    if mine is not None:
        assert (mine["since"], mine["alarm"]) == (theirs["since"], theirs["alarm"])
        assert mine["e"] == pytest.approx(theirs["e"], rel=1e-9)


def test_streams_beside_the_releases_count_among_the_comparisons(store: TelemetryStore, database: Database) -> None:
    scene = fleet(store, database, rate=0.5)
    release = scene.release(RELEASED)
    scene.play(0, RELEASED + DAY)
    scene.look(RELEASED + DAY, beside=[0.0, 1.0, 2.0])
    assert newest(database, release)["unexpected_reboots"].detail["needed"] == pytest.approx(50.0)
    assert len(watch.live_log_e(database, START + (RELEASED + DAY) * HOUR)) == 2


def test_a_withdrawn_release_is_no_live_stream(store: TelemetryStore, database: Database) -> None:
    scene = fleet(store, database, rate=0.5)
    release = scene.release(RELEASED)
    scene.play(0, RELEASED + DAY)
    scene.look(RELEASED + DAY)
    with database.transaction() as connection:
        releases.set_status(connection, release.id, None, "withdrawn")
    assert watch.live_log_e(database, START + (RELEASED + DAY) * HOUR) == []
