"""The relational store: migrations, transactions, ledgers, revisions."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest
import sqlalchemy as sa

from hearthwatch.errors import Conflict, Invalid, Missing, Stale, Unavailable
from hearthwatch.records.database import Database, insert_missing, open_database, update_at_revision
from hearthwatch.records.tables import LEDGERS, audit, metadata, models, releases

AT = datetime(2026, 5, 1, tzinfo=UTC)


def entry(action: str) -> dict[str, object]:
    return {"at": AT, "actor": "test", "action": action, "object": "x", "detail": {}}


def test_migrations_go_up_and_down_and_up_again(tmp_path: Path) -> None:
    database = open_database(f"sqlite:///{tmp_path / 'records.sqlite3'}")
    assert not database.schema_is_current()
    database.upgrade()
    assert database.schema_is_current()
    assert set(sa.inspect(database.engine).get_table_names()) - {"alembic_version"} == set(metadata.tables)
    database.downgrade("base")
    assert set(sa.inspect(database.engine).get_table_names()) == {"alembic_version"}
    database.upgrade()
    assert database.schema_is_current()
    database.close()


def test_the_migrated_schema_is_the_one_the_tables_declare(database: Database) -> None:
    from alembic.autogenerate import compare_metadata
    from alembic.runtime.migration import MigrationContext

    with database.reading() as connection:
        assert compare_metadata(MigrationContext.configure(connection), metadata) == []


@pytest.mark.parametrize("ledger", LEDGERS)
def test_every_ledger_refuses_change_and_deletion(database: Database, ledger: str) -> None:
    postgresql = database.engine.dialect.name == "postgresql"
    query = (
        "select tgname as name from pg_trigger where tgrelid = CAST(:table AS regclass) and not tgisinternal"
        if postgresql
        else "select name from sqlite_master where type = 'trigger' and tbl_name = :table"
    )
    expected = {"append_only"} if postgresql else {"no_update", "no_delete"}
    with database.reading() as connection:
        triggers = connection.execute(sa.text(query), {"table": ledger}).scalars()
        assert set(triggers) == {f"{ledger}_{name}" for name in expected}


def test_an_entry_of_the_audit_trail_can_not_be_changed_or_removed(database: Database) -> None:
    with database.transaction() as connection:
        connection.execute(sa.insert(audit).values(entry("made")))
    for statement in (sa.update(audit).values(actor="me"), sa.delete(audit)):
        with pytest.raises(Conflict, match="append-only"), database.transaction() as connection:
            connection.execute(statement)


def test_a_transaction_that_raises_leaves_nothing(database: Database) -> None:
    def broken() -> None:
        with database.transaction() as connection:
            connection.execute(sa.insert(audit).values(entry("made")))
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        broken()
    with database.reading() as connection:
        assert connection.execute(sa.select(sa.func.count()).select_from(audit)).scalar_one() == 0


def test_a_row_changed_since_it_was_read_is_stale(database: Database) -> None:
    with database.transaction() as connection:
        connection.execute(sa.insert(models).values(id="M", name="M"))
        assert update_at_revision(connection, models, {"id": "M"}, 1, {"name": "N"}) == 2
        with pytest.raises(Stale):
            update_at_revision(connection, models, {"id": "M"}, 1, {"name": "O"})
        with pytest.raises(Missing):
            update_at_revision(connection, models, {"id": "X"}, 1, {"name": "O"})
        assert connection.execute(sa.select(models.c.name)).scalar_one() == "N"


def test_inserting_what_is_there_changes_nothing(database: Database) -> None:
    with database.transaction() as connection:
        assert insert_missing(connection, models, [{"id": "M", "name": "first"}]) == 1
        assert insert_missing(connection, models, [{"id": "M", "name": "second"}, {"id": "N", "name": "n"}]) == 1
        assert connection.execute(sa.select(models.c.name).where(models.c.id == "M")).scalar_one() == "first"


def test_a_value_outside_a_rule_is_a_conflict(database: Database) -> None:
    row = {"model": "M", "version": "1", "version_key": "1", "assignment": "guessed", "fixes": [], "released_at": AT}
    with pytest.raises(Conflict), database.transaction() as connection:
        connection.execute(sa.insert(releases).values(row))


def test_times_come_back_with_their_offset(database: Database) -> None:
    with database.transaction() as connection:
        connection.execute(sa.insert(audit).values(entry("made")))
    with database.reading() as connection:
        assert connection.execute(sa.select(audit.c.at)).scalar_one() == AT


def test_a_time_without_an_offset_is_refused(database: Database) -> None:
    with pytest.raises(Invalid), database.transaction() as connection:
        connection.execute(sa.insert(audit).values({**entry("made"), "at": AT.replace(tzinfo=None)}))


def test_an_address_of_no_relational_store_is_named() -> None:
    with pytest.raises(Invalid, match="mysql"):
        open_database("mysql://localhost/x")


def test_a_database_that_can_not_be_opened_is_unavailable(tmp_path: Path) -> None:
    folder = tmp_path / "records.sqlite3"
    folder.mkdir()
    database = open_database(f"sqlite:///{folder}")
    with pytest.raises(Unavailable):
        database.upgrade()


def test_only_an_address_that_says_so_gives_durability_away(tmp_path: Path) -> None:
    full, off = 2, 0
    for option, expected in (("", full), ("?synchronous=off", off)):
        database = open_database(f"sqlite:///{tmp_path / 'records.sqlite3'}{option}")
        with database.reading() as connection:
            assert connection.exec_driver_sql("PRAGMA synchronous").scalar_one() == expected
        database.close()


def test_an_unknown_option_of_an_address_is_named(tmp_path: Path) -> None:
    with pytest.raises(Invalid, match="cache=shared"):
        open_database(f"sqlite:///{tmp_path / 'records.sqlite3'}?cache=shared")


def test_numbers_that_json_does_not_know_are_null(database: Database) -> None:
    detail = {"a": float("nan"), "b": [float("inf"), 1.5, {"c": (float("-inf"), "NaN")}]}
    with database.transaction() as connection:
        connection.execute(sa.insert(audit).values({**entry("made"), "detail": detail}))
    with database.reading() as connection:
        found = connection.execute(sa.select(audit.c.detail)).scalar_one()
    assert found == {"a": None, "b": [None, 1.5, {"c": [None, "NaN"]}]}


def test_many_rows_keep_their_values_whatever_they_are(database: Database) -> None:
    awkward = ["", "'", '"', "\\", "%s", "$1", ":a", "{}", "ü日本😀", "\u2028", "a\nb\tc", "NULL", "null"]
    rows = [{"id": f"{number}", "name": awkward[number % len(awkward)]} for number in range(1200)]
    with database.transaction() as connection:
        assert insert_missing(connection, models, rows) == len(rows)
        assert insert_missing(connection, models, rows) == 0
    with database.reading() as connection:
        found = {row.id: row.name for row in connection.execute(sa.select(models.c.id, models.c.name))}
    assert found == {row["id"]: row["name"] for row in rows}


def test_one_bad_row_of_many_leaves_none_of_them(database: Database) -> None:
    rows: list[dict[str, object]] = [{"id": f"{number}", "name": "m"} for number in range(1200)]
    rows[700]["id"] = "3"
    with pytest.raises(Conflict), database.transaction() as connection:
        connection.execute(sa.insert(models), rows)
    with database.reading() as connection:
        assert connection.execute(sa.select(sa.func.count()).select_from(models)).scalar_one() == 0


def test_a_transaction_that_runs_alone_can_begin_after_one_that_failed(database: Database) -> None:
    for alone in (True, False, True):
        with pytest.raises(Conflict), database.transaction(alone=alone) as connection:
            connection.execute(sa.insert(models), [{"id": "M", "name": "m"}, {"id": "M", "name": "m"}])
        assert database.retrying(lambda connection: insert_missing(connection, models, []), alone=alone) == 0


def test_text_with_half_a_character_is_refused_and_does_no_harm_to_what_comes_after(database: Database) -> None:
    half = "\ud83d"
    for values in ([{"id": half, "name": "m"}], [{"id": "a", "name": "m"}, {"id": "b", "name": half}] * 2):
        with pytest.raises(Invalid), database.transaction() as connection:
            insert_missing(connection, models, values)
        with database.transaction() as connection:
            assert connection.execute(sa.select(sa.func.count()).select_from(models)).scalar_one() == 0
