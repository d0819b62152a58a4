"""PostgreSQL itself: what its failures say, what a server that ends does to us, who waits for whom."""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from sqlalchemy import Connection

from hearthwatch.errors import Conflict, HearthwatchError, Invalid, Unavailable
from hearthwatch.records import devices, models, outbox
from hearthwatch.records.database import Database, open_database
from hearthwatch.records.leases import lease
from hearthwatch.records.postgresql import Contended
from hearthwatch.records.tables import devices as device_rows
from hearthwatch.records.tables import metric_names
from tests.conftest import free_port
from tests.postgresql_server import USER, PostgresServer

AT = datetime(2026, 5, 1, tzinfo=UTC)
SECONDS = 20


@pytest.fixture
def database(postgresql: str) -> Iterator[Database]:
    opened = open_database(postgresql)
    yield opened
    opened.close()


def refusal(address: str) -> HearthwatchError:
    """What asking the database at an address comes to."""
    opened = open_database(address)
    try:
        with pytest.raises(HearthwatchError) as caught, opened.reading():
            pass
    finally:
        opened.close()
    return caught.value


# -- addresses and passwords


def test_a_wrong_password_is_unavailable_with_a_remedy_and_is_not_repeated(postgres: PostgresServer) -> None:
    error = refusal(f"postgresql://{USER}:not-the-secret@127.0.0.1:{postgres.port}/migrated")
    assert isinstance(error, Unavailable)
    assert "check user and password" in str(error)
    assert "not-the-secret" not in str(error)


def test_no_password_at_all_is_the_same(postgres: PostgresServer) -> None:
    error = refusal(f"postgresql://{USER}@127.0.0.1:{postgres.port}/migrated")
    assert isinstance(error, Unavailable)
    assert "check user and password" in str(error)


def test_a_database_that_does_not_exist_is_unavailable_with_a_remedy(postgres: PostgresServer) -> None:
    error = refusal(postgres.address("nowhere"))
    assert isinstance(error, Unavailable)
    assert "create it" in str(error)


def test_a_port_where_nobody_listens_is_unavailable() -> None:
    error = refusal(f"postgresql://{USER}:secret-word@127.0.0.1:{free_port()}/x")
    assert isinstance(error, Unavailable)
    assert "secret-word" not in str(error)


def test_a_server_that_demands_tls_of_us_and_has_none_is_named(postgres: PostgresServer) -> None:
    error = refusal(postgres.address("migrated") + "?sslmode=require")
    assert isinstance(error, Unavailable)
    assert "sslmode" in str(error)


@pytest.mark.parametrize(
    ("address", "why"),
    [
        ("postgresql://u:p@h:port/d", "%XX"),
        ("postgresql://u:p@h/d?sslmode=perhaps", "sslmode is one of"),
        ("postgresql://u:p@h/d?charset=utf8", "charset"),
        ("postgresql://h/d", "no user"),
        ("postgresql://u:p@h", "no database"),
        ("postgresql://u:p@h/d?sslmode=verify-full&sslrootcert=/nowhere.pem", "sslrootcert"),
    ],
)
def test_an_address_that_can_not_be_read_says_why_and_keeps_the_password_to_itself(address: str, why: str) -> None:
    with pytest.raises(Invalid, match=why) as caught:
        open_database(address.replace(":p@", ":secret-word@"))
    assert "secret-word" not in str(caught.value)


def test_a_password_comes_from_a_file_and_may_change_there(postgres: PostgresServer, tmp_path: Path) -> None:
    file = tmp_path / "password"
    file.write_text("not yet\n")
    opened = open_database(f"postgresql://{USER}@127.0.0.1:{postgres.port}/migrated?password_file={file}")
    with pytest.raises(Unavailable, match="check user and password"), opened.reading():
        pass
    file.write_text(postgres.password + "\n")
    assert opened.schema_is_current()
    file.unlink()
    opened.engine.dispose()
    with pytest.raises(Unavailable, match="password file"), opened.reading():
        pass
    assert postgres.password not in repr(opened.engine)
    opened.close()


# -- what the server says


def test_what_it_refuses_is_said_as_what_the_caller_can_do(database: Database) -> None:
    row: dict[str, Any] = {"name": "x", "first_seen": AT}
    with database.transaction() as connection:
        connection.execute(sa.insert(metric_names).values(row))
    for error, values in (
        (Conflict, row),
        (Invalid, {**row, "name": "y" * 65}),
        (Invalid, {**row, "name": "with\x00nul"}),
    ):
        with pytest.raises(error) as caught, database.transaction() as connection:
            connection.execute(sa.insert(metric_names).values(values))
        assert type(caught.value) is error


def test_a_schema_that_is_not_there_says_what_to_run(postgres: PostgresServer) -> None:
    opened = open_database(postgres.address("postgres"))
    assert not opened.schema_is_current()
    with pytest.raises(Unavailable, match="hearthwatch db upgrade"), opened.reading() as connection:
        models.list_models(connection)
    opened.close()


def test_after_a_failure_inside_it_a_transaction_is_over_whoever_catches_the_failure(database: Database) -> None:
    row = {"name": "x", "first_seen": AT}

    def swallow() -> None:
        with database.transaction() as connection:
            connection.execute(sa.insert(metric_names).values(row))
            with pytest.raises(sa.exc.DBAPIError):
                connection.execute(sa.insert(metric_names).values(row))

    with pytest.raises(HearthwatchError):
        swallow()
    with database.reading() as connection:
        assert connection.execute(sa.select(sa.func.count()).select_from(metric_names)).scalar_one() == 0


def test_who_only_reads_can_not_write(database: Database) -> None:
    with pytest.raises(Unavailable, match="only reads"), database.reading() as connection:
        connection.execute(sa.insert(metric_names).values(name="x", first_seen=AT))


# -- a server that ends


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGQUIT])
def test_a_server_that_ends_in_the_middle_and_comes_back(
    how: signal.Signals, database: Database, postgres: PostgresServer
) -> None:
    held = lease(database, "job")
    assert held.hold()

    def cut_off() -> None:
        with database.transaction() as connection:
            models.put(connection, "lost")
            postgres.stop(how)
            models.put(connection, "more")

    try:
        with pytest.raises(Unavailable):
            cut_off()
        with pytest.raises(Unavailable), database.reading():
            pass
        assert not held.hold()
        assert not held.hold()
    finally:
        postgres.start()
    with (
        database.transaction() as connection
    ):  # at once and without an error: the pool has seen that its connections are dead
        assert models.list_models(connection) == []
        models.put(connection, "kept")
    assert held.hold()
    held.give_up()


def test_connections_that_broke_while_they_were_idle_are_no_error(database: Database, postgres: PostgresServer) -> None:
    with database.reading() as one, database.reading() as two:
        pids = [int(each.exec_driver_sql("SELECT pg_backend_pid()").scalar_one()) for each in (one, two)]
    end_sessions(postgres, pids)
    for _ in pids:
        with database.reading() as connection:
            assert connection.exec_driver_sql("SELECT 1").scalar_one() == 1


def test_a_lease_whose_connection_broke_is_lost_once_and_can_be_taken_again(
    database: Database, postgres: PostgresServer
) -> None:
    mine, theirs = lease(database, "job"), lease(database, "job")
    assert mine.hold()
    end_sessions(postgres, holders(database))
    assert theirs.hold()
    assert not mine.hold()
    assert not mine.hold()
    theirs.give_up()
    assert mine.hold()
    mine.give_up()


def test_a_lease_is_nobodys_who_is_given_another_session(database: Database) -> None:
    """As PgBouncer's transaction pooling does: the lock stays with a session that is not ours any more."""
    mine, theirs = lease(database, "job"), lease(database, "job")
    assert mine.hold()
    assert not theirs.hold()
    another: Any = database.engine.raw_connection()
    another.detach()
    holding, mine._session = mine._session, another  # type: ignore[attr-defined]
    assert not mine.hold()
    holding.close()


# -- who waits for whom


def test_two_workers_claim_different_things_at_the_same_time(database: Database) -> None:
    with database.transaction() as connection:
        for number in range(10):
            put(connection, number)
    claimed = {}
    with database.transaction(alone=False) as one, database.transaction(alone=False) as two:
        for name, connection in (("one", one), ("two", two)):
            items = outbox.claim(connection, name, AT, lease=timedelta(minutes=1), limit=4)
            claimed[name] = {item.id for item in items}
    assert claimed == {"one": {1, 2, 3, 4}, "two": {5, 6, 7, 8}}
    with database.transaction() as connection:
        rest = outbox.claim(connection, "three", AT, lease=timedelta(minutes=1), limit=9)
    assert {item.id for item in rest} == {9, 10}


def test_those_who_decide_take_turns_and_the_others_do_not_wait_for_them(database: Database) -> None:
    entered, may_go = threading.Event(), threading.Event()

    def second() -> None:
        with database.transaction() as connection:
            entered.set()
            models.put(connection, "second")

    with database.transaction() as connection:
        waiting = threading.Thread(target=second)
        waiting.start()
        with database.transaction(alone=False) as beside:
            models.put(beside, "beside")
        with database.reading() as reader:
            assert [model.id for model in models.list_models(reader)] == ["beside"]
        assert not entered.wait(0.3)
        models.put(connection, "first")
        may_go.set()
    waiting.join(SECONDS)
    with database.reading() as connection:
        assert {model.id for model in models.list_models(connection)} == {"beside", "first", "second"}


def test_a_circle_of_two_who_wait_for_each_other_is_broken_and_the_one_begins_again(database: Database) -> None:
    with database.transaction() as connection:
        devices.register(connection, [{"id": "a"}, {"id": "b"}])
    both_have_one = threading.Barrier(2, timeout=SECONDS)
    tries: list[str] = []

    def work(first: str, second: str) -> Callable[[Connection], None]:
        def touch(connection: Connection) -> None:
            tries.append(first)
            touch_device(connection, first)
            if tries.count(first) == 1:
                both_have_one.wait()
            touch_device(connection, second)

        return touch

    other = threading.Thread(target=database.retrying, args=(work("b", "a"),), kwargs={"alone": False})
    other.start()
    database.retrying(work("a", "b"), alone=False)
    other.join(SECONDS)
    assert len(tries) >= 3, "nobody was in anybody's way"
    with database.reading() as connection:
        assert {one.region for one in devices.find(connection, ["a", "b"]).values()} == {"seen"}


def test_what_is_still_in_the_way_after_some_tries_is_unavailable_for_a_second(database: Database) -> None:
    def work(_connection: Connection) -> None:
        tries.append(1)
        raise Contended("in the way", retry_after=1.0)

    tries: list[int] = []
    with pytest.raises(Unavailable) as caught:
        database.retrying(work)
    assert (len(tries), caught.value.retry_after) == (3, 1.0)


def test_two_batches_of_the_same_devices_in_different_orders_do_not_wait_in_a_circle(database: Database) -> None:
    ids = [f"d-{number}" for number in range(300)]
    failed: list[Exception] = []

    def see(order: list[str]) -> None:
        try:
            for round_ in range(10):
                sightings = [devices.Sighting(one, AT + timedelta(minutes=round_)) for one in order]
                with database.transaction(alone=False) as connection:
                    devices.see(connection, sightings)
        except HearthwatchError as error:
            failed.append(error)

    threads = [threading.Thread(target=see, args=(order,)) for order in (ids, ids[::-1], ids[150:] + ids[:150])]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(3 * SECONDS)
    assert failed == []
    with database.reading() as connection:
        assert {one.last_seen for one in devices.find(connection, ids).values()} == {AT + timedelta(minutes=9)}


def put(connection: Connection, number: int) -> None:
    outbox.put(
        connection, kind="engineer", channel="mailbox", address="mailbox://ops", payload={}, key=f"k-{number}", now=AT
    )


def touch_device(connection: Connection, device: str) -> None:
    connection.execute(sa.update(device_rows).where(device_rows.c.id == device).values(region="seen"))


def holders(database: Database) -> list[int]:
    """The sessions that hold an advisory lock."""
    with database.reading() as connection:
        query = "SELECT pid FROM pg_locks WHERE locktype = 'advisory' AND granted"
        return [int(pid) for pid in connection.exec_driver_sql(query).scalars()]


def end_sessions(postgres: PostgresServer, pids: list[int]) -> None:
    """As a broken network does; returns when the server has noticed."""
    postgres.run(*(f"SELECT pg_terminate_backend({pid}, 5000)" for pid in pids))
