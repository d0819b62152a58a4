from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
import sqlalchemy as sa

from hearthwatch.errors import Conflict, HearthwatchError
from hearthwatch.records import model_decisions, model_looks, model_versions, said_days
from hearthwatch.records.database import Database
from hearthwatch.records.model_decisions import ModelDecision
from hearthwatch.records.model_looks import ModelLook
from hearthwatch.records.model_versions import Because
from hearthwatch.records.said_days import SaidDay
from hearthwatch.records.tables import model_decisions as decisions_table

AT = datetime(2026, 5, 1, tzinfo=UTC)
DAY = timedelta(days=1)


def register(database: Database, role: str = "champion") -> int:
    with database.transaction() as connection:
        return model_versions.register(connection, "hazard/M", trained_at=AT, card={}, artifact=b"1", role=role).id


def because(day: int, why: str = "tried") -> Because:
    return Because(AT + day * DAY, "watch", why, {"e": 20.5})


def test_what_was_decided_can_not_be_changed(database: Database) -> None:
    register(database)
    for statement in (sa.update(decisions_table).values(why="else"), sa.delete(decisions_table)):
        with pytest.raises(HearthwatchError, match="append-only"), database.transaction() as connection:
            connection.execute(statement)


def test_a_decision_outside_the_list_is_refused(database: Database) -> None:
    version = register(database)
    with pytest.raises(Conflict), database.transaction() as connection:
        model_decisions.append(connection, ModelDecision("hazard/M", version, AT, "admired", "ann", "nice"))


def test_every_change_of_role_is_written_down_with_its_numbers(database: Database) -> None:
    first, second = register(database), register(database, role="challenger")
    with database.transaction() as connection:
        model_versions.promote(connection, second, because(1))
        model_versions.promote(connection, second, because(2))  # it is the champion already
        told = model_decisions.list_decisions(connection, name="hazard/M")
    assert [(one.version_id, one.what) for one in told] == [
        (second, "promoted"),
        (first, "retired"),
        (second, "registered"),
        (first, "promoted"),
        (first, "registered"),
    ]
    assert (told[0].by, told[0].evidence, told[1].why) == ("watch", {"e": 20.5}, f"version {second} took its place")


def test_after_a_demotion_the_last_good_version_works_again_and_a_demoted_one_never_does(database: Database) -> None:
    lost = register(database, role="challenger")
    versions = [register(database) for _ in range(3)]
    with database.transaction() as connection:
        model_versions.retire(
            connection, lost, because(1, "worse")
        )  # it was never champion: it is no last good version
        works = [model_versions.demote(connection, versions[2], because(2))]
        works.append(model_versions.demote(connection, versions[1], because(3)))
        works.append(model_versions.demote(connection, versions[0], because(4)))
    assert [one.id if one else None for one in works] == [versions[1], versions[0], None]


def test_looks_are_kept_once_a_day_and_the_newest_of_each_kind_is_known(database: Database) -> None:
    version = register(database)
    looks = [
        ModelLook("hazard/M", version, kind, AT + day * DAY, day / 2) for day in (1, 0) for kind in ("race", "scores")
    ]
    with database.transaction() as connection:
        assert model_looks.append(connection, looks) == 4
        assert model_looks.append(connection, [ModelLook("hazard/M", version, "race", AT, 99.0)]) == 0
        assert [one.e for one in model_looks.list_looks(connection, version, "race")] == [0.0, 0.5]
        newest = model_looks.latest(connection)
    assert {key: one.e for key, one in newest.items()} == {(version, "race"): 0.5, (version, "scores"): 0.5}


def test_what_was_said_on_a_day_stays_as_it_was_until_it_is_forgotten(database: Database) -> None:
    days = [SaidDay("hazard/M", AT + day * DAY, (3, 4), 10, b"block") for day in (0, 7)]
    with database.transaction() as connection:
        assert said_days.add(connection, days) == 2
        assert said_days.add(connection, [SaidDay("hazard/M", AT, (5,), 1, b"other")]) == 0
        kept = said_days.list_days(connection, "hazard/M")
        assert [(one.at, tuple(one.versions), one.block) for one in kept] == [
            (one.at, (3, 4), b"block") for one in days
        ]
        assert said_days.newest(connection) == {"hazard/M": (AT + 7 * DAY, (3, 4))}
        assert said_days.forget(connection, AT + DAY) == 1
        assert [one.at for one in said_days.list_days(connection, "hazard/M", since=AT)] == [AT + 7 * DAY]
