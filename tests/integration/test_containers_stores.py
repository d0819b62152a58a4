"""The stores of the compose file by hand: their first start, the second step of ours, and what the dashboards may read of them."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import httpx
import pytest
import sqlalchemy as sa

from hearthwatch.records import access
from hearthwatch.records.database import Database, open_database
from tests.compose import Machine, as_root
from tests.compose_services import influxdb_up, init_options, postgres_up, set_up
from tests.dashboards import DASHBOARDS, Panel, panels, sql_of, variable_queries


@pytest.fixture(scope="module")
def stores() -> Iterator[Machine]:
    """Both stores, running, after both first steps."""
    with tempfile.TemporaryDirectory() as folder, ExitStack() as ending:
        Path(folder).chmod(0o755)
        machine = Machine(Path(folder))
        machine.once("init", *init_options(machine))
        ending.enter_context(postgres_up(machine))
        ending.enter_context(influxdb_up(machine))
        done = set_up(machine, secrets(machine))
        assert done.returncode == 0, done.stderr
        yield machine


@pytest.fixture
def reader(stores: Machine) -> Iterator[Database]:
    """The records as Grafana sees them."""
    opened = open_database(address(stores, "grafana", stores.volume("secrets-grafana") / "postgres_password"))
    yield opened
    opened.close()


def secrets(machine: Machine) -> Path:
    return machine.scratch / "secrets"


def address(machine: Machine, user: str, password_file: Path) -> str:
    return f"postgresql://{user}@127.0.0.1:{machine.port('postgres:5432')}/hearthwatch?password_file={password_file}"


def influxdb(machine: Machine, method: str, path: str, token: str, **more: Any) -> httpx.Response:
    url = f"http://127.0.0.1:{machine.port('influxdb:8086')}{path}"
    return httpx.request(method, url, headers={"Authorization": f"Token {token}"}, timeout=30, **more)


def test_the_second_step_makes_nothing_twice(stores: Machine) -> None:
    before = {path: path.read_bytes() for path in stores.scratch.rglob("secrets-*/*")}

    done = set_up(stores, secrets(stores))

    assert done.stdout == "setup: the schema is current\n"
    assert {path: path.read_bytes() for path in stores.scratch.rglob("secrets-*/*")} == before


def test_the_generated_account_may_sign_in_and_the_token_of_prometheus_may_read(stores: Machine) -> None:
    database = open_database(address(stores, "hearthwatch", stores.volume("secrets-hearthwatch") / "postgres_password"))
    password = (stores.volume("secrets-hearthwatch") / "admin_password").read_text()
    token = (stores.volume("secrets-prometheus") / "metrics_token").read_text()

    with database.transaction() as connection:
        assert access.check_password(connection, "admin", password).role == "admin"
        assert [one.name for one in access.list_tokens(connection)] == ["prometheus"]
    assert token.startswith("hw_")
    database.close()


def test_postgresql_asks_for_a_password(stores: Machine, tmp_path: Path) -> None:
    wrong = tmp_path / "wrong"
    wrong.write_text("wrong")
    database = open_database(address(stores, "hearthwatch", wrong))

    with pytest.raises(Exception, match="password"), database.reading():
        pass
    database.close()


@pytest.mark.skipif(not as_root(), reason="without root nothing can be given to other users")
def test_the_second_step_runs_as_our_own_user_in_the_container(stores: Machine) -> None:
    """It adds files to two folders of other users: their group is ours."""
    for name in ("grafana", "prometheus"):
        folder = stores.volume(f"secrets-{name}").stat()
        assert folder.st_gid == 10001
        assert folder.st_mode & 0o777 == 0o770
    assert (stores.volume("secrets-grafana") / "influxdb_token").stat().st_mode & 0o777 == 0o444


@pytest.mark.parametrize(
    "statement",
    [
        "SELECT * FROM users",
        "SELECT * FROM tokens",
        "SELECT * FROM customers",
        "SELECT payload FROM quarantine",
        "SELECT body FROM notices",
        "SELECT address FROM outbox",
        "DELETE FROM findings",
        "UPDATE devices SET online = true",
        "CREATE TABLE mine (x int)",
    ],
)
def test_the_dashboards_may_not(reader: Database, statement: str) -> None:
    with reader.engine.connect() as connection, pytest.raises(sa.exc.DBAPIError, match=r"permission denied|read-only"):
        connection.exec_driver_sql(statement)


def test_the_token_of_the_dashboards_reads_and_does_not_write(stores: Machine) -> None:
    ours = (stores.volume("secrets-hearthwatch") / "influxdb_token").read_text()
    theirs = (stores.volume("secrets-grafana") / "influxdb_token").read_text()
    wish = {"params": {"org": "hearthwatch", "bucket": "telemetry"}, "content": b"probe,device=a value=1"}

    assert influxdb(stores, "POST", "/api/v2/write", ours, **wish).status_code == 204
    assert influxdb(stores, "POST", "/api/v2/write", theirs, **wish).status_code in {401, 403}
    asked = {"query": 'from(bucket: "telemetry") |> range(start: -1h) |> filter(fn: (r) => r._measurement == "probe")'}
    answer = influxdb(stores, "POST", "/api/v2/query", theirs, params={"org": "hearthwatch"}, json=asked)
    assert answer.status_code == 200
    assert "probe" in answer.text


@pytest.mark.parametrize("panel", panels("grafana-postgresql-datasource"), ids=str)
def test_queries_to_the_records_run_with_the_rights_of_the_dashboards(reader: Database, panel: Panel) -> None:
    with reader.engine.connect() as connection:
        for target in panel.targets:
            rows = connection.exec_driver_sql(sql_of(target))
            names = list(rows.keys())
            rows.fetchall()
            if target["format"] == "time_series":
                assert names[0] == "time"


@pytest.mark.parametrize("name", DASHBOARDS)
def test_the_lists_to_choose_from_run_too(reader: Database, name: str) -> None:
    with reader.engine.connect() as connection:
        for query in variable_queries(name):
            connection.exec_driver_sql(query).fetchall()
