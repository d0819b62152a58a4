"""Standing comparisons by batch, region and supplier: who is compared with whom, what is said, and what a look may know."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Any

import numpy as np
import pytest

from analytics.cohorts import dimension_watch
from analytics.cohorts.dimension_values import members_of
from analytics.cohorts.dimension_watch import judge_comparisons, weigh_comparisons
from hearthwatch.ports import TelemetryStore
from hearthwatch.records import attributes, comparison_looks, comparisons, devices, findings, parts
from hearthwatch.records.comparison_looks import ComparisonLook
from hearthwatch.records.comparisons import Comparison
from hearthwatch.records.database import Database
from tests.unit.analytics.cohorts.scene import HOUR, START, Scene

NEVER = 10**6
SINCE = 18 * 24
REBOOTS = "unexpected_reboots"


def fleet(
    store: TelemetryStore, database: Database, rate: Any, *, days: int = 25, update: Any = None, **more: Any
) -> Scene:
    rates = np.broadcast_to(np.asarray(rate, dtype=float), 200).copy()
    updates = np.full(200, NEVER) if update is None else update
    scene = Scene(store, database, updates, rates, days=days, **more)
    scene.register()
    return scene


def batches(scene: Scene, split: int = 100) -> None:
    with scene.database.transaction() as connection:
        told = [(name, "batch", "B7" if place < split else "B8") for place, name in enumerate(scene.ids)]
        attributes.tell(connection, told, START)


def ask(scene: Scene, by: str = "batch", treatment: str = "B7", since: int = SINCE, **more: Any) -> Comparison:
    at = START + since * HOUR
    with scene.database.transaction() as connection:
        return comparisons.create(
            connection, model="lock", by=by, treatment=treatment, since=at, now=at, actor="ada", **more
        )


def look(scene: Scene, hour: int, beside: Sequence[float] = ()) -> Mapping[str, Any]:
    now = START + hour * HOUR
    burn_in = timedelta(hours=24)
    weighed = weigh_comparisons(scene.store, scene.database, now, margin=1.05, guard=30, burn_in=burn_in)
    options: Mapping[str, Any] = {"page_fdr": 0.1, "watch_fdr": 0.2, "relapse": timedelta(days=7)}
    return judge_comparisons(scene.database, weighed, margin=1.05, guard=30, beside=beside, **options)


def newest(scene: Scene, metric: str = REBOOTS) -> ComparisonLook:
    with scene.database.reading() as connection:
        (found,) = [one for one in comparison_looks.latest(connection) if one.metric == metric]
    return found


def open_findings(scene: Scene) -> list[str]:
    with scene.database.reading() as connection:
        return [one.subject for one in findings.list_findings(connection, kind="cohort") if one.state != "recovered"]


def test_a_value_nobody_has_is_not_seen_and_says_so(store: TelemetryStore, database: Database) -> None:
    scene = fleet(store, database, 0.3, days=20)
    batches(scene)
    ask(scene, treatment="B99")
    scene.play(SINCE - 48, 20 * 24)
    look(scene, 20 * 24)
    assert newest(scene).verdict == "too_early"
    assert "No hours on batch B99" in newest(scene).why


def test_a_bad_batch_is_worse_by_an_association_and_a_finding(store: TelemetryStore, database: Database) -> None:
    scene = fleet(store, database, np.where(np.arange(200) < 100, 0.75, 0.3))
    batches(scene)
    asked = ask(scene)
    scene.play(0, 25 * 24)
    for hour in (SINCE + 24, 23 * 24, 25 * 24):
        look(scene, hour)
    said = newest(scene)
    assert said.verdict == "worse"
    assert said.ratio == pytest.approx(2.5, rel=0.3)
    assert "association" in said.why
    assert "caused" not in said.why
    assert said.detail["basis"] == "exchangeable"
    assert (said.devices_treatment, said.devices_control) == (100, 100)
    assert sum(one["share"] for one in said.detail["strata"]) == pytest.approx(1.0)
    assert all(one["device"] in scene.ids for one in said.detail["contributors"])
    assert open_findings(scene) == [f"comparison:{asked.id}"]

    with database.transaction() as connection:
        comparisons.end(connection, asked.id, None, START + 25 * 24 * HOUR)
    look(scene, 25 * 24 + 1)
    assert open_findings(scene) == []
    assert newest(scene).at == START + 25 * 24 * HOUR  # nobody looks any more


def test_a_batch_that_only_runs_a_bad_firmware_more_often_is_not_blamed(
    store: TelemetryStore, database: Database
) -> None:
    runs_new = np.concatenate([np.arange(100) < 80, np.arange(100) < 20])
    scene = fleet(store, database, 0.3, update=np.where(runs_new, 24, NEVER), ratio=4.0)
    batches(scene)
    ask(scene)
    scene.play(0, 25 * 24)
    look(scene, 25 * 24)
    said = newest(scene)
    rates = said.events_treatment / said.hours_treatment, said.events_control / said.hours_control
    assert rates[0] > 1.5 * rates[1]  # what one would see without strata
    assert said.verdict != "worse"
    assert said.low is not None
    assert said.low < 1.0


def moved_devices(scene: Scene, movers: Any, factor: float) -> None:
    """Some devices move to the south on day 19; what they do there is ``factor`` times as much."""
    rng = np.random.default_rng(9)
    after = np.arange(scene.days * 24) >= 19 * 24
    rate = scene.rate[:, None] / 24 * np.where(after & movers[:, None], factor, 1.0)
    scene.reboots = rng.poisson(rate)
    with scene.database.transaction() as connection:
        for place in np.flatnonzero(movers).tolist():
            devices.update(connection, scene.ids[place], None, {"region": "south"}, START + 19 * 24 * HOUR)


@pytest.mark.parametrize(("factor", "worse"), [(2.5, True), (1.0, False)])
def test_devices_that_moved_are_compared_with_their_own_past(
    store: TelemetryStore, database: Database, factor: float, worse: bool
) -> None:
    """Those that move are the frail ones: that alone must not be laid to the region."""
    frail = np.arange(200) < 90
    scene = fleet(store, database, np.where(frail, 1.0, 0.4), days=33)
    moved_devices(scene, frail, factor)
    ask(scene, by="region", treatment="south")
    scene.play(0, 33 * 24)
    for hour in (19 * 24, 22 * 24, 27 * 24, 33 * 24):  # the first one in the very hour of the move
        look(scene, hour)
    said = newest(scene)
    assert said.detail["basis"] == "own_past"
    assert "association" not in said.why
    assert (said.verdict == "worse") == worse
    if worse:
        assert "against its own past" in said.why
        assert said.ratio == pytest.approx(2.5, rel=0.35)


def test_only_the_named_controls_and_the_named_metric_are_compared(store: TelemetryStore, database: Database) -> None:
    scene = fleet(store, database, 0.3, days=20)
    with database.transaction() as connection:
        told = [(name, "batch", ("B7", "B8", "B9", "")[place % 4] or None) for place, name in enumerate(scene.ids)]
        attributes.tell(connection, told, START)
    ask(scene, control=["B9"], metric=REBOOTS)
    scene.play(SINCE - 24, 20 * 24)
    assert look(scene, 20 * 24)["looks"] == 1
    said = newest(scene)
    assert (said.devices_treatment, said.devices_control) == (50, 50)
    assert (
        said.hours_treatment == said.hours_control == 50 * 48
    )  # from the first hour on: nobody has just come to a batch


def test_a_part_is_compared_by_its_supplier_while_it_is_in_the_device(
    store: TelemetryStore, database: Database
) -> None:
    scene = fleet(store, database, 0.3, days=2)
    with database.transaction() as connection:
        parts.install(connection, scene.ids[0], "fan", START, "ACME")
        parts.install(connection, scene.ids[0], "fan", START + 5 * HOUR, "Sol")
        parts.install(connection, scene.ids[1], "fan", START, "Sol")
        asked = comparisons.create(
            connection, model="lock", by="part:fan", treatment="ACME", since=START, now=START, actor="ada"
        )
        members = members_of(connection, asked)
    begin = int(START.timestamp()) // 3600
    assert members.arms(begin, begin + 8)[:3].tolist() == [[1] * 5 + [0] * 3, [0] * 8, [-1] * 8]
    assert members.moved(begin, begin + 8) == (1, 1)
    assert members.moved(begin + 5, begin + 8) == (0, 0)


def test_evidence_that_is_needed_counts_the_releases_that_are_watched_beside(
    store: TelemetryStore, database: Database
) -> None:
    scene = fleet(store, database, 0.3, days=20)
    batches(scene)
    ask(scene, metric=REBOOTS)
    scene.play(SINCE - 24, 20 * 24)
    look(scene, 19 * 24)
    assert newest(scene).detail["needed"] == pytest.approx(10.0)
    look(scene, 20 * 24, beside=[0.0, 1.0, float("-inf")])
    assert newest(scene).detail["needed"] == pytest.approx(40.0)


def test_a_look_is_written_once_and_a_restart_says_the_same(store: TelemetryStore, database: Database) -> None:
    scene = fleet(store, database, np.where(np.arange(200) < 100, 0.4, 0.3), days=22)
    batches(scene)
    ask(scene)
    scene.play(0, 22 * 24)
    hours = [19 * 24, 19 * 24 + 7, 20 * 24 + 3, 22 * 24]
    for hour in hours:
        look(scene, hour)
        assert look(scene, hour)["looks"] == 0
    warm = newest(scene)

    dimension_watch._kept.clear()
    (weighed,) = [one for _, one in weigh_again(scene, hours[-1]) if one.metric.name == REBOOTS]
    assert np.exp(weighed.weight.log_e) == pytest.approx(warm.e, rel=1e-9)
    assert weighed.weight.hours[0] == pytest.approx(warm.hours_treatment)


def weigh_again(scene: Scene, hour: int) -> Sequence[tuple[Comparison, Any]]:
    """What the comparison amounts to at an hour, as if nobody had looked yet."""
    with scene.database.reading() as connection:
        (asked,) = comparisons.list_comparisons(connection)
    with scene.database.transaction() as connection:
        comparisons.end(connection, asked.id, None, asked.created_at)
        comparisons.create(
            connection,
            model=asked.model,
            by=asked.by,
            treatment=asked.treatment,
            since=asked.since,
            now=asked.created_at,
            actor="ada",
        )
    now = START + hour * HOUR
    burn_in = timedelta(hours=24)
    return weigh_comparisons(scene.store, scene.database, now, margin=1.05, guard=30, burn_in=burn_in).looks


def test_what_is_said_at_an_hour_does_not_depend_on_what_comes_after_it(
    store: TelemetryStore, database: Database
) -> None:
    scene = fleet(store, database, 0.4, days=24)
    batches(scene)
    ask(scene)
    scene.play(0, 20 * 24)
    look(scene, 20 * 24)
    before = newest(scene)
    scene.play(20 * 24, 24 * 24)
    dimension_watch._kept.clear()
    (again,) = [one for _, one in weigh_again(scene, 20 * 24) if one.metric.name == REBOOTS]
    assert np.exp(again.weight.log_e) == pytest.approx(before.e, rel=1e-9)
    assert again.weight.events == (before.events_treatment, before.events_control)
