"""Drawing waves, and to whom a release is open."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hearthwatch.errors import Conflict, HearthwatchError, Invalid, Missing, Stale
from hearthwatch.records import devices, releases, rollout_decisions, rollout_devices, rollout_steps, rollouts
from hearthwatch.records.database import Database
from hearthwatch.records.lottery import check_shares, place, wave_of
from hearthwatch.records.rollout_steps import Step
from hearthwatch.records.rollouts import Plan, Rollout, Wave

NOW = datetime(2026, 5, 1, tzinfo=UTC)
SALTS = st.text(min_size=1, max_size=20)
IDS = st.text("abcdef0123456789-", min_size=1, max_size=12)
SHARES = st.lists(st.floats(0.01, 1.0), min_size=1, max_size=6, unique=True).map(sorted)


# -- the draw


@pytest.mark.parametrize("shares", [[], [0.0], [0.5, 0.5], [0.5, 0.2], [0.5, 1.01], [-0.1, 1.0], [float("nan")]])
def test_shares_that_do_not_grow_up_to_one_are_refused(shares: list[float]) -> None:
    with pytest.raises(Invalid):
        check_shares(shares)


@given(SALTS, st.sets(IDS, max_size=30), st.randoms(use_true_random=False), SHARES)
def test_a_wave_depends_on_nothing_but_salt_and_device(
    salt: str, ids: set[str], random: Any, shares: list[float]
) -> None:
    alone = {one: wave_of(place(salt, one), shares) for one in sorted(ids)}
    some = list(ids)
    random.shuffle(some)
    among_others = {one: wave_of(place(salt, one), shares) for one in [*some, "another", *some][: len(some) // 2 + 1]}
    assert all(alone[one] == wave for one, wave in among_others.items() if one in alone)


@given(SALTS, IDS, SHARES, st.lists(st.floats(0.0, 0.3), min_size=6, max_size=6))
def test_larger_shares_move_nobody_to_a_later_wave(
    salt: str, device: str, shares: list[float], more: list[float]
) -> None:
    larger = [min(1.0, share + extra) for share, extra in zip(shares, more, strict=False)]
    drawn = place(salt, device)
    assert wave_of(drawn, sorted(larger)) <= wave_of(drawn, shares)


@given(SALTS, IDS)
def test_everybody_is_in_a_wave_where_the_last_one_is_the_whole_fleet(salt: str, device: str) -> None:
    assert wave_of(place(salt, device), [0.1, 1.0]) in {1, 2}
    assert wave_of(place(salt, device), [0.1, 0.5]) in {1, 2, 3}


@pytest.mark.parametrize("salt", ["one", "two", "three"])
def test_shares_hold_within_every_stratum_up_to_chance(salt: str) -> None:
    shares = [0.05, 0.2, 0.5, 1.0]
    for stratum, size in (("A", 400), ("B", 4000), ("C", 20_000)):
        waves = [wave_of(place(salt, f"{stratum}-{number}"), shares) for number in range(size)]
        for number, share in enumerate(shares, 1):
            seen = sum(one <= number for one in waves)
            assert abs(seen - size * share) <= 4.5 * (size * share * (1 - share)) ** 0.5 + 1e-9


def test_another_salt_draws_anew() -> None:
    ids = [f"d{number}" for number in range(2000)]
    first, second = ({one for one in ids if place(salt, one) < 0.5} for salt in ("one", "two"))
    assert 850 < len(first) < 1150
    assert 400 < len(first & second) < 600


# -- roll-outs as rows


def plan(*shares: float) -> Plan:
    return Plan(tuple(Wave(number, share, 48.0, 20, 0.9) for number, share in enumerate(shares, 1)))


@pytest.fixture
def planned(database: Database) -> Rollout:
    with database.transaction() as connection:
        devices.register(connection, [{"id": f"d{n}", "model": "lock", "hardware": "A"} for n in range(40)])
        devices.register(connection, [{"id": "tried", "model": "lock", "test": True}, {"id": "plug", "model": "plug"}])
        release = releases.create(connection, model="lock", version="2.0", released_at=NOW)
        made = rollouts.create(connection, release_id=release.id, salt="salt", plan=plan(0.25, 0.5), by="kim", now=NOW)
        assert rollout_devices.draw(connection, made, "lock", NOW) == 40
        return made


def open_now(database: Database, rollout: Rollout) -> set[str]:
    with database.reading() as connection:
        return rollouts.open_to(connection, rollout.release_id, [*(f"d{n}" for n in range(40)), "newcomer"])


def take(database: Database, rollout: Rollout, *given: Any, **named: Any) -> Rollout:
    with database.transaction() as connection:
        return rollout_steps.take(connection, rollout, Step(*given, **named), NOW).rollout


def test_a_second_roll_out_of_a_release_is_refused(database: Database, planned: Rollout) -> None:
    with pytest.raises(Conflict, match="has a roll-out already"), database.transaction() as connection:
        rollouts.create(connection, release_id=planned.release_id, salt="x", plan=plan(1.0), by="kim", now=NOW)


@pytest.mark.parametrize(
    ("wrong", "error"),
    [
        (Plan(()), Invalid),
        (plan(0.5, 0.2), Invalid),
        (Plan((Wave(2, 1.0, 1, 1, 0.9),)), Invalid),
        (Plan(plan(1.0).waves, strata=("serial",)), Invalid),
    ],
)
def test_a_plan_that_makes_no_sense_is_refused(database: Database, wrong: Plan, error: type[HearthwatchError]) -> None:
    with database.transaction() as connection:
        release = releases.create(connection, model="lock", version="3.0", released_at=NOW)
    with pytest.raises(error), database.transaction() as connection:
        rollouts.create(connection, release_id=release.id, salt="x", plan=wrong, by="kim", now=NOW)


def test_a_roll_out_that_does_not_exist_is_missing(database: Database) -> None:
    with pytest.raises(Missing), database.reading() as connection:
        rollouts.get(connection, 5)


def test_nobody_is_offered_a_release_whose_roll_out_is_only_planned(database: Database, planned: Rollout) -> None:
    assert open_now(database, planned) == set()


def test_a_release_without_a_roll_out_is_open_to_everybody(database: Database, planned: Rollout) -> None:
    with database.transaction() as connection:
        other = releases.create(connection, model="lock", version="2.1", released_at=NOW)
        assert rollouts.open_to(connection, other.id, ["d1", "d2"]) == {"d1", "d2"}


def test_open_waves_are_offered_it_and_a_hold_or_a_stop_offers_it_to_nobody(
    database: Database, planned: Rollout
) -> None:
    running = take(database, planned, "continue", "started", "Begin.", "gate", opens=1)
    with database.reading() as connection:
        members = rollout_devices.load(connection, planned.id)
    first = {name for name, one in members.items() if one.wave == 1}
    assert first
    assert open_now(database, running) - {"newcomer"} == first
    waiting = take(database, running, "hold", "min_hours", "Not yet.", "gate")
    assert open_now(database, waiting) - {"newcomer"} == first
    held = take(database, waiting, "hold", "watch_list", "Hm.", "gate")
    assert (held.status, open_now(database, held)) == ("held", set())
    wider = take(database, held, "continue", "wave_passed", "On.", "gate", opens=2)
    assert open_now(database, wider) > first
    stopped = take(database, wider, "stop", "silence", "No.", "gate")
    assert (stopped.status, stopped.reason, open_now(database, stopped)) == ("stopped", "No.", set())


def test_devices_beyond_the_last_share_are_held_out_for_good(database: Database, planned: Rollout) -> None:
    done = take(database, planned, "continue", "started", "Begin.", "gate", opens=2)
    done = take(database, done, "continue", "complete", "Done.", "gate")
    with database.reading() as connection:
        out = {name for name, one in rollout_devices.load(connection, planned.id).items() if one.wave == 3}
    assert out
    assert not open_now(database, done) & out


def test_a_stop_pauses_the_release_going_on_lets_it_roll_and_a_withdrawn_one_stays_so(
    database: Database, planned: Rollout
) -> None:
    def status() -> str:
        with database.reading() as connection:
            return releases.get(connection, planned.release_id).status

    stopped = take(database, planned, "stop", "silence", "No.", "gate")
    assert status() == "paused"
    going = take(database, stopped, "continue", "resumed", "Yes.", "kim")
    assert status() == "rolling"
    with database.transaction() as connection:
        releases.set_status(connection, planned.release_id, None, "withdrawn")
    take(database, going, "stop", "withdrawn", "No.", "gate")
    assert status() == "withdrawn"


def test_who_decides_on_what_has_changed_since_is_told_so_and_nothing_is_written(
    database: Database, planned: Rollout
) -> None:
    take(database, planned, "continue", "started", "Begin.", "gate", opens=1)
    with pytest.raises(Stale):
        take(database, planned, "stop", "stopped", "No.", "kim")
    with database.reading() as connection:
        assert [one.code for one in rollout_decisions.list_decisions(connection, planned.id)] == ["started"]


def test_decisions_are_never_changed_or_deleted(database: Database, planned: Rollout) -> None:
    import sqlalchemy as sa

    from hearthwatch.records.tables import rollout_decisions as table

    take(database, planned, "continue", "started", "Begin.", "gate", opens=1)
    for act in (sa.update(table).values(why="other"), sa.delete(table)):
        with pytest.raises(HearthwatchError, match="append-only"), database.transaction() as connection:
            connection.execute(act)


def test_only_devices_that_were_offered_it_can_put_it_off(database: Database, planned: Rollout) -> None:
    later = NOW + timedelta(hours=1)
    with database.transaction() as connection:
        members = rollout_devices.load(connection, planned.id)
        at = dict.fromkeys([*members, "nobody"], later)
        assert rollout_devices.deferred(connection, planned.id, at) == 0
    take(database, planned, "continue", "started", "Begin.", "gate", opens=1)
    with database.transaction() as connection:
        noted = rollout_devices.deferred(connection, planned.id, at)
        deferred = {one.wave for one in rollout_devices.load(connection, planned.id).values() if one.deferred_at}
    assert (noted, deferred) == (sum(one.wave == 1 for one in members.values()), {1})
