"""How long relays last: learned by the weekly job from those that wore out, told by the daily one of those at work."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta

import numpy as np
import pyarrow as pa
import pytest

from analytics.panel import Floats
from analytics.prognosis import prognose
from analytics.training.job import train
from hearthwatch.ports import TelemetryStore
from hearthwatch.records import devices, model_versions, outcomes, parts, prognoses
from hearthwatch.records.database import Database, open_database
from hearthwatch.records.devices import Sighting
from hearthwatch.records.outcomes import Outcome
from hearthwatch.records.prognoses import Prognosis
from hearthwatch.telemetry import open_store

START = datetime(2025, 6, 1, tzinfo=UTC)
DAYS = 300
NOW = START + timedelta(days=DAYS, hours=2)
MODEL = "plug-w"
NAME = f"remaining_life/{MODEL}/relay"


@dataclass(frozen=True, eq=False)
class Relays:
    """A fleet whose relays wear with every cycle, and the days each has left in truth after the last day."""

    called: str
    begun: np.ndarray[tuple[int], np.dtype[np.int64]]
    fails: np.ndarray[tuple[int], np.dtype[np.int64]]
    contact: Floats
    cycles: Floats

    def name(self, row: int) -> str:
        return f"{self.called}-{row:03d}"

    @property
    def left(self) -> dict[str, float]:
        return {self.name(row): float(day - (DAYS - 1)) for row, day in enumerate(self.fails) if day >= DAYS}


def relays(seed: int, count: int, called: str) -> Relays:
    """Resistance grows with wear, each relay from its own level; they came in over the whole span, so many are at work at its end."""
    rng = np.random.default_rng(seed)
    begun = rng.integers(0, DAYS - 40, count)
    pace = 6.0 * np.exp(rng.normal(0.0, 0.5, (count, 1)))
    switched = rng.poisson(pace, (count, 4 * DAYS)).astype(np.float64)
    switched[np.arange(4 * DAYS)[None, :] < begun[:, None]] = 0.0
    total = np.cumsum(switched, axis=1)
    wear = total / (800.0 * np.exp(rng.normal(0.0, 0.1, (count, 1))))
    fails = np.where((wear >= 1.0).any(axis=1), np.argmax(wear >= 1.0, axis=1), 4 * DAYS)
    day = np.arange(DAYS)[None, :]
    there = (day >= begun[:, None]) & (day < fails[:, None])
    own = np.exp(rng.normal(0.0, 0.3, (count, 1)))
    contact = own * (10.0 + 20.0 * wear[:, :DAYS] ** 2) * np.exp(rng.normal(0.0, 0.05, (count, DAYS)))
    return Relays(called, begun, fails, np.where(there, contact, np.nan), np.where(there, total[:, :DAYS], np.nan))


def write(store: TelemetryStore, fleet: Relays) -> None:
    row, day = np.nonzero(~np.isnan(fleet.contact))
    table = {
        "device": [fleet.name(one) for one in row.tolist()],
        "at": pa.array([START + timedelta(days=one, hours=23) for one in day.tolist()], pa.timestamp("us", "UTC")),
        "firmware": ["1.0"] * len(row),
        "relay_contact_mohm": fleet.contact[row, day],
        "relay_cycles": fleet.cycles[row, day],
    }
    store.write_table("native", pa.table(table))
    store.rollup(NOW)


def register(database: Database, fleet: Relays) -> None:
    with database.transaction() as connection:
        for row, (begun, fails) in enumerate(zip(fleet.begun.tolist(), fleet.fails.tolist(), strict=True)):
            first, last = START + timedelta(days=begun), START + timedelta(days=min(fails, DAYS), hours=-1)
            devices.register(connection, [{"id": fleet.name(row), "model": MODEL, "installed_at": first}])
            devices.see(connection, [Sighting(fleet.name(row), at) for at in (first, max(first, last))])
            if fails < DAYS:
                at = START + timedelta(days=fails, hours=12)
                outcomes.add(connection, [Outcome(fleet.name(row), "relay", at, "failure", "import:relays")])


World = tuple[TelemetryStore, Database, dict[str, float]]


@pytest.fixture(scope="module")
def world() -> Iterator[World]:
    """A trained fleet, and one of the same model that came after the training."""
    store, database = open_store("duckdb://"), open_database("sqlite://")
    database.upgrade()
    known, unseen = relays(5, 130, "known"), relays(6, 110, "unseen")
    for fleet in (known, unseen):
        write(store, fleet)
    register(database, known)
    train(store, database, NOW, min_failures=20)
    register(database, unseen)
    say(store, database)
    yield store, database, known.left | unseen.left
    store.close()
    database.close()


def say(store: TelemetryStore, database: Database, now: datetime = NOW) -> None:
    prognose(store, database, now, alarm=0.999, relapse=timedelta(days=7))


def of(database: Database, device: str) -> Prognosis:
    with database.reading() as connection:
        return next(row for row in prognoses.of_device(connection, device) if row.part == "relay")


def band(row: Prognosis) -> tuple[float, float, float, float]:
    """P10, P50, P90 and the cap."""
    assert row.rul_p10 is not None
    assert row.rul_p50 is not None
    assert row.rul_p90 is not None
    assert row.rul_cap is not None
    return row.rul_p10, row.rul_p50, row.rul_p90, row.rul_cap


def told(database: Database, left: dict[str, float], called: str) -> list[tuple[Prognosis, float]]:
    found = [(of(database, name), days) for name, days in left.items() if name.startswith(called)]
    return [(row, days) for row, days in found if row.rul_method == "wear" and row.rul_p50 is not None]


def test_the_card_says_what_the_model_was_worth_on_devices_it_had_not_seen(world: World) -> None:
    with world[1].reading() as connection:
        version = model_versions.champion(connection, NAME)
    assert version is not None
    card, report = version.card, version.card["evaluation"]
    assert card["failures"] >= 40
    assert card["features"] == ["log_relay_contact_mohm", "relay_cycles_since_new"]
    assert report["rmse_days"] < report["rmse_days_by_age_alone"]
    assert 0.7 <= report["p10_to_p90_holds"] <= 1.0
    assert report["sooner_than_p10"] <= 0.2
    assert card["beats_age_alone"] is True


def test_the_card_says_what_it_would_have_been_worth_had_it_been_learned_earlier(world: World) -> None:
    with world[1].reading() as connection:
        version = model_versions.champion(connection, NAME)
    assert version is not None
    judged = version.card["in_time"]
    assert judged["learned_until"] == (START + timedelta(days=209)).date().isoformat()
    assert judged["told"] >= 20
    assert judged["sooner_than_p10_judged"] >= judged["by_p50_judged"] >= 10
    assert judged["sooner_than_p10"] <= 0.3
    assert 0.2 <= judged["by_p50"] <= 0.8


@pytest.mark.parametrize("called", ["known", "unseen"])
def test_the_band_holds_what_relays_at_work_have_left(world: World, called: str) -> None:
    _, database, left = world
    judged = told(database, left, called)
    assert len(judged) >= 30
    p10, _, p90, cap = np.array([band(row) for row, _ in judged]).T
    truth = np.minimum([days for _, days in judged], cap)
    assert 0.65 <= np.mean((p10 <= truth) & (truth <= p90)) <= 1.0
    assert np.mean(truth < p10) <= 0.25
    assert np.median(p90 - p10) > 5


def test_the_nearly_worn_relay_is_said_to_end_before_the_new_one(world: World) -> None:
    judged = sorted(told(world[1], world[2], "unseen"), key=lambda one: one[1])
    soon, late = ([row.rul_p50 or 0.0 for row, _ in some] for some in (judged[:8], judged[-8:]))
    assert max(soon) < min(late)


def test_a_device_beyond_what_was_seen_gets_no_figure_but_the_reason(world: World) -> None:
    store, database, _ = world
    strange = replace(relays(9, 1, "strange"), begun=np.array([100]), fails=np.array([4 * DAYS]))
    strange = replace(
        strange, contact=np.where(np.arange(DAYS) >= 100, 5e4, np.nan)[None, :], cycles=np.full((1, DAYS), 9e6)
    )
    write(store, strange)
    register(database, strange)
    say(store, database)
    row = of(database, "strange-000")
    assert (row.rul_p50, row.rul_abstained) == (None, "older, or unlike anything the model has learned from")
    assert row.rul_method == "wear"


def test_a_replaced_relay_starts_anew(world: World) -> None:
    store, database, left = world
    worn = min((name for name in left if name.startswith("unseen")), key=lambda name: left[name])
    before = of(database, worn)
    with database.transaction() as connection:
        parts.install(connection, worn, "relay", NOW - timedelta(days=8))
    say(store, database)
    after = of(database, worn)
    with database.transaction() as connection:
        connection.exec_driver_sql("DELETE FROM installed_parts WHERE device_id = ?", (worn,))
    assert before.rul_method == "wear"
    assert before.rul_p50 is not None
    # The new one has been watched for a week: no word of the wear model yet, and nothing of the old one's wear.
    assert after.rul_method != "wear" or after.rul_p50 is None
    assert after.rul_p50 is None or after.rul_p50 > before.rul_p50


def test_days_of_silence_are_taken_off(world: World) -> None:
    store, database, left = world
    name = min((one for one in left if one.startswith("known")), key=lambda one: left[one])
    before = of(database, name)
    say(store, database, NOW + timedelta(days=4))
    after = of(database, name)
    say(store, database)
    assert before.rul_p90 is not None
    assert before.rul_cap is not None
    assert after.rul_p90 == pytest.approx(max(before.rul_p90 - 4, 0.0), abs=0.11)
    assert after.rul_cap == pytest.approx(before.rul_cap - 4, abs=0.11)


def test_with_few_failures_no_wear_model_is_made(store: TelemetryStore, database: Database) -> None:
    few = relays(5, 24, "few")
    write(store, few)
    register(database, few)
    train(store, database, NOW, min_failures=20)
    with database.reading() as connection:
        assert [one.name for one in model_versions.list_versions(connection)] == []
