"""Parts that have failed too seldom for a model of their signs: what the daily job says of them by age or use alone."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

import numpy as np
import pyarrow as pa
import pytest

from analytics.prognosis import prognose
from analytics.survival.whole_device import whole_device
from hearthwatch.ports import TelemetryStore
from hearthwatch.records import devices, findings, outcomes, parts, prognoses
from hearthwatch.records.database import Database
from hearthwatch.records.devices import Sighting
from hearthwatch.records.outcomes import Outcome
from hearthwatch.records.prognoses import Prognosis

NOW = datetime.fromisoformat("2026-06-01T02:00:00+00:00")
SPAN = 500
"""For so many days devices have been put in, evenly."""
SCALE, SHAPE = 500.0, 3.0


@dataclass(frozen=True)
class Fleet:
    """Devices of one model by name, with the age at which each was put in, in days before now."""

    model: str
    names: Sequence[str]
    age: Sequence[int]


def days_ago(days: float) -> datetime:
    return NOW - timedelta(days=days)


def put_in(
    database: Database,
    model: str,
    count: int,
    *,
    seed: int,
    failing: int | None = None,
    part: str = "relay",
    vanish: float = 0.0,
    pace: Sequence[float] = (),
) -> Fleet:
    """Devices whose part lives by a Weibull; a broken one is never heard of again. ``failing``: at most so many have failed.

    A share ``vanish`` is not heard of any more from some day on: whether its part failed later, nobody knows. ``pace``: cycles a
    day of each; then lives are numbers of cycles.
    """
    rng = np.random.default_rng(seed)
    age = rng.integers(20, SPAN, count)
    life = SCALE * rng.weibull(SHAPE, count)
    if len(pace):
        life = life * 20.0 / np.array(pace)
    gone = np.where(rng.uniform(size=count) < vanish, rng.uniform(0.1, 0.9, count) * age, np.inf)
    names = [f"{model}-{place}" for place in range(count)]
    failed = [place for place in range(count) if life[place] < min(age[place] - 1, gone[place])][:failing]
    with database.transaction() as connection:
        devices.register(
            connection,
            [
                {"id": name, "model": model, "installed_at": days_ago(float(old))}
                for name, old in zip(names, age, strict=True)
            ],
        )
        for place, name in enumerate(names):
            until = min(life[place] if place in failed else np.inf, gone[place], age[place])
            first, last = days_ago(float(age[place])), days_ago(float(age[place] - until)) - timedelta(hours=1)
            devices.see(connection, [Sighting(name, first), Sighting(name, max(first, last))])
        outcomes.add(
            connection,
            [
                Outcome(names[place], part, days_ago(float(age[place] - life[place])), "failure", f"import:{model}")
                for place in failed
            ],
        )
    return Fleet(model, names, age.tolist())


def run(store: TelemetryStore, database: Database, now: datetime = NOW) -> dict[str, Prognosis]:
    """What the job says today, by device, of the only part; at an alarm that any probability reaches."""
    prognose(store, database, now, alarm=1e-9, relapse=timedelta(days=7))
    with database.reading() as connection:
        return {
            device.id: row
            for device in devices.list_devices(connection, limit=10_000)
            for row in prognoses.of_device(connection, device.id)
        }


def test_with_four_failures_on_all_models_nothing_is_said_and_the_reason_is(
    store: TelemetryStore, database: Database
) -> None:
    put_in(database, "old", 60, seed=1, failing=2)
    put_in(database, "new", 60, seed=2, failing=2)
    said = run(store, database)
    assert said
    assert {row.abstained for row in said.values()} == {
        "too few failures to learn from: 4 failures: too few for a distribution of lives, 5 are needed"
    }
    assert {row.rul_abstained for row in said.values()} == {row.abstained for row in said.values()}


def test_a_new_model_with_three_failures_speaks_by_age_alone_and_says_so(
    store: TelemetryStore, database: Database
) -> None:
    put_in(database, "old", 200, seed=1)
    put_in(database, "older", 200, seed=2)
    new = put_in(database, "new", 14, seed=7)
    with database.reading() as connection:
        failed = [one for one in outcomes.list_outcomes(connection) if one.device_id in new.names]
    assert len(failed) == 3
    said = run(store, database)
    rows = {name: said[name] for name in new.names if name in said and said[name].p30 is not None}
    assert len(rows) == 11
    assert {(row.method, row.clock, row.model_version_id) for row in rows.values()} == {("survival", "age", None)}
    age = dict(zip(new.names, new.age, strict=True))
    order = sorted(rows, key=lambda name: age[name])
    assert rows[order[0]].p30 < rows[order[-1]].p30  # type: ignore[operator]
    oldest = order[-1]
    truth = 1 - np.exp(-(((age[oldest] + 30) / SCALE) ** SHAPE - (age[oldest] / SCALE) ** SHAPE))
    assert rows[oldest].p30 == pytest.approx(truth, rel=0.5)


def test_age_alone_opens_no_finding_however_likely_the_failure(store: TelemetryStore, database: Database) -> None:
    put_in(database, "old", 200, seed=1)
    for day in (1, 0):  # a finding needs two days above the line
        said = run(store, database, NOW - timedelta(days=day))
        assert any(row.p30 is not None and row.p30 > 0.1 for row in said.values())
    with database.reading() as connection:
        assert findings.list_findings(connection) == []


def test_a_model_that_does_not_have_the_part_is_not_told_about_it(store: TelemetryStore, database: Database) -> None:
    put_in(database, "plug", 200, seed=1)
    put_in(database, "camera", 20, seed=2, failing=0)
    said = run(store, database)
    cameras = [said[name] for name in said if name.startswith("camera")]
    assert {(row.part, row.abstained, row.rul_abstained) for row in cameras} == {
        ("device", "no model for this kind of device", None)
    }


def test_a_model_whose_part_is_on_record_is_told_though_it_never_failed(
    store: TelemetryStore, database: Database
) -> None:
    for place in range(3):
        put_in(database, f"plug{place}", 150, seed=place)
    sturdy = put_in(database, "sturdy", 20, seed=9, failing=0)
    with database.transaction() as connection:
        parts.install(connection, sturdy.names[0], "relay", days_ago(sturdy.age[0]))
    said = run(store, database)
    told = [said[name] for name in sturdy.names if name in said]
    assert {row.part for row in told} == {"relay"}
    assert any(row.p30 is not None for row in told)


def test_a_replaced_part_starts_anew(store: TelemetryStore, database: Database) -> None:
    plugs = put_in(database, "plug", 250, seed=1)
    said = run(store, database)
    age = dict(zip(plugs.names, plugs.age, strict=True))
    old = max((name for name in said if said[name].p30 is not None), key=lambda name: age[name])
    with database.transaction() as connection:
        parts.install(connection, old, "relay", days_ago(30))
    renewed = run(store, database)[old].p30
    assert renewed is not None
    assert said[old].p30 > 5 * renewed  # type: ignore[operator]


def test_devices_that_vanish_are_not_taken_for_healthy(store: TelemetryStore, database: Database) -> None:
    """Half of them are not heard of any more. Were they counted as at work until today, the others would look half as likely to fail."""
    plugs = put_in(database, "plug", 800, seed=1, vanish=0.5)
    said = run(store, database)
    age = dict(zip(plugs.names, plugs.age, strict=True))
    told = [(age[name], row.p30) for name, row in said.items() if row.p30 is not None and age[name] > 200]
    truth = [1 - np.exp(-(((a + 30) / SCALE) ** SHAPE - (a / SCALE) ** SHAPE)) for a, _ in told]
    assert np.sum([p for _, p in told]) == pytest.approx(np.sum(truth), rel=0.2)


def test_beyond_the_ages_that_were_watched_nothing_is_said(store: TelemetryStore, database: Database) -> None:
    put_in(database, "plug", 200, seed=1)
    with database.transaction() as connection:
        devices.register(connection, [{"id": "ancient", "model": "plug", "installed_at": days_ago(5000)}])
        devices.see(connection, [Sighting("ancient", NOW)])
    row = run(store, database)["ancient"]
    assert (row.p30, row.abstained) == (None, "of an age at which too few parts have been watched")


def test_the_remaining_life_goes_only_as_far_as_the_probabilities(store: TelemetryStore, database: Database) -> None:
    plugs = put_in(database, "plug", 250, seed=1)
    said = run(store, database)
    age = dict(zip(plugs.names, plugs.age, strict=True))
    told = {name: row for name, row in said.items() if row.p90 is not None}
    assert {(row.rul_method, row.rul_cap) for row in told.values()} == {("survival", 90.0)}
    young = min(told, key=lambda name: age[name])
    assert (told[young].rul_p10, told[young].rul_p50, told[young].rul_p90) == (90.0, 90.0, 90.0)
    for row in told.values():
        assert row.p90 is not None
        assert row.rul_p10 is not None
        assert (row.rul_p10 < 90.0) == (row.p90 > 0.1)
        assert row.rul_p50 == 90.0 or row.p90 >= 0.5


def test_where_parts_last_a_number_of_cycles_the_row_names_the_counter(
    store: TelemetryStore, database: Database
) -> None:
    pace = np.where(np.arange(200) % 2 == 0, 60.0, 6.0)
    plugs = put_in(database, "plug", 200, seed=1, pace=pace.tolist())
    write_cycles(store, plugs, pace.tolist())
    said = run(store, database)
    at_work = {name: row for name, row in said.items() if row.abstained != "it has failed and has not been renewed"}
    told = [(pace[place], at_work[name]) for place, name in enumerate(plugs.names) if name in at_work]
    assert {row.clock for _, row in told} == {"relay_cycles"}
    busy = [row.p30 for cycles, row in told if cycles > 20 and row.p30 is not None]
    calm = [row.p30 for cycles, row in told if cycles < 20 and row.p30 is not None]
    assert np.median(busy) > 20 * np.median(calm)


def write_cycles(store: TelemetryStore, fleet: Fleet, pace: Sequence[float]) -> None:
    """Every tenth day's total, which is as good as every day's."""
    names, at, total = [], [], []
    for name, age, cycles in zip(fleet.names, fleet.age, pace, strict=True):
        for ago in range(age, -1, -5):
            names.append(name)
            at.append(days_ago(ago) - timedelta(hours=4))
            total.append(cycles * (age - ago))
    table = {"device": names, "at": pa.array(at, pa.timestamp("us", "UTC")), "firmware": ["1.0"] * len(names)}
    store.write_table("native", pa.table({**table, "relay_cycles": total}))
    store.rollup(NOW)


def test_parts_that_compete_never_add_to_more_than_the_device(store: TelemetryStore, database: Database) -> None:
    put_in(database, "plug", 200, seed=1)
    with database.transaction() as connection:  # the same devices have a second part, which fails by chance
        known = [f"plug-{place}" for place in range(0, 200, 10)]
        rows = [Outcome(name, "radio", days_ago(5), "failure", "import:radio") for name in known]
        outcomes.add(connection, rows)
        for name in known:
            parts.install(connection, name, "radio", days_ago(4))
    run(store, database)
    judged = 0
    with database.reading() as connection:
        for place in range(200):
            told = prognoses.of_device(connection, f"plug-{place}")
            whole = whole_device(told)
            if whole is None or whole.p30 is None or len(whole.first) < 2:
                continue
            judged += 1
            alone = [row.p30 for row in told if row.p30 is not None]
            assert sum(one.p30 or 0.0 for one in whole.first) == pytest.approx(whole.p30, abs=1e-5)
            assert max(alone) - 1e-6 <= whole.p30 <= min(sum(alone), 1.0) + 1e-6
    assert judged > 50
