"""The platform's roles as processes of their own: what is refused, what happens while a server is away, who takes over from whom."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import httpx
import pytest

from hearthwatch.errors import Unavailable
from hearthwatch.messaging import open_publisher
from hearthwatch.run.up import PatientOpener, ToldToEnd
from tests.conftest import free_port
from tests.platform_processes import END_SECONDS, Installation, Role, wait

if TYPE_CHECKING:
    from tests.postgresql_server import PostgresServer

TAKEN_OVER_SECONDS = 15.0  # on a busy machine; the watch is every five
NOWHERE = "influxdb://127.0.0.1:1/hearthwatch/telemetry?token=x"


@pytest.fixture
def installation(tmp_path: Path, mosquitto: str, influxdb: str, postgresql: str) -> Iterator[Installation]:
    """An installation on real servers; nothing of it runs yet."""
    made = Installation(tmp_path, broker=mosquitto, telemetry=influxdb, records=postgresql)
    yield made
    made.close()


# -- what is refused


@pytest.mark.parametrize("role", ["ingest", "jobs", "api"])
def test_a_role_of_its_own_is_refused_on_embedded_stores(tmp_path: Path, role: str) -> None:
    code, said = Installation(tmp_path).role(role).result()
    assert code == 2
    assert "embedded stores belong to one process" in said


def test_a_role_of_its_own_is_refused_on_a_broker_inside_the_process(tmp_path: Path) -> None:
    records = "postgresql://x:y@127.0.0.1:1/x"
    code, said = Installation(tmp_path, broker="local://x", telemetry=NOWHERE, records=records).role("jobs").result()
    assert code == 2
    assert "local://" in said


def test_the_api_on_its_own_needs_a_key_that_all_have(tmp_path: Path) -> None:
    records = "postgresql://x:y@127.0.0.1:1/x"
    code, said = Installation(tmp_path, secret_key="", telemetry=NOWHERE, records=records).role("api").result()
    assert code == 2
    assert "secret_key: with --role api it must be set" in said


def test_a_second_process_on_embedded_stores_is_refused_and_told_who_has_them(tmp_path: Path, mosquitto: str) -> None:
    installation = Installation(tmp_path, broker=mosquitto)
    first = installation.role("all")
    wait(first.ready, first)
    assert first.process is not None
    for options in ({}, {"telemetry": NOWHERE}, {"records": f"sqlite:///{tmp_path / 'others.sqlite3'}"}):
        code, said = installation.role("all", **options).result()
        assert code == 3, said
        assert "one process" in said
        assert str(first.process.pid) in said
    assert first.ready()
    first.kill()  # and one that follows a killed one has them at once
    second = installation.role("all")
    wait(second.ready, second)
    installation.close()


def test_a_second_process_on_duckdb_is_refused_although_the_records_are_a_server(
    tmp_path: Path, mosquitto: str, postgresql: str
) -> None:
    installation = Installation(tmp_path, broker=mosquitto, records=postgresql)
    first = installation.role("all")
    wait(first.ready, first)
    assert first.process is not None
    code, said = installation.role("all").result()
    assert code == 3
    assert f"PID {first.process.pid}" in said
    installation.close()


# -- servers that are away


def test_a_server_that_stays_away_at_the_start_is_an_error_after_a_while() -> None:
    def away() -> None:
        raise Unavailable("the records are away", where="records")

    with pytest.raises(Unavailable, match="records are away"):
        PatientOpener(threading.Event(), seconds=0.0).attempt(away)


def test_waiting_for_a_server_ends_when_we_are_told_to() -> None:
    stopping = threading.Event()

    def away() -> None:
        stopping.set()
        raise Unavailable("the records are away", where="records")

    with pytest.raises(ToldToEnd):
        PatientOpener(stopping).attempt(away)


def test_a_server_that_comes_late_is_waited_for_and_a_signal_ends_the_waiting(
    tmp_path: Path, mosquitto: str, influxdb: str
) -> None:
    records = f"postgresql://x:y@127.0.0.1:{free_port()}/x"
    role = Installation(tmp_path, broker=mosquitto, telemetry=influxdb, records=records).role("ingest")
    wait(lambda: "it is waited for" in role.said(), role)
    code, seconds = role.end()
    assert code == 0
    assert seconds < END_SECONDS


def test_every_role_lives_through_an_absence_of_the_records_and_ends_in_time_during_one(
    installation: Installation, postgres: PostgresServer
) -> None:
    roles = [installation.role(role) for role in ("ingest", "jobs", "api")]
    for role in roles:
        wait(role.ready, role)
    publisher = open_publisher(installation.options["broker"], client_id="devices")
    postgres.stop()
    try:
        publish(publisher, range(50))
        for role in roles:
            wait(lambda role=role: not role.ready(), role)  # type: ignore[misc]
    finally:
        postgres.start()
    for role in roles:
        wait(role.ready, role)
    publish(publisher, range(50, 100))
    publisher.close()
    wait(lambda: stored(roles[2]) == 100, roles[2])
    postgres.stop()
    try:
        for role in roles:
            code, seconds = role.end()
            assert code == 0
            assert seconds < END_SECONDS, role.said()
    finally:
        postgres.start()


# -- two of each


def test_two_of_each_divide_the_work_and_tell_of_one_another(installation: Installation) -> None:
    ingest, other_ingest, jobs, other_jobs, api, _ = installation.two_of_each()
    publisher = open_publisher(installation.options["broker"], client_id="devices")
    publish(publisher, range(200))
    wait(lambda: stored(api) == 200, api)
    wait(lambda: sum(part.get("samples", {}).get("stored", 0) for part in parts(ingest, other_ingest)) == 200)
    assert all(part["samples"]["stored"] > 0 for part in parts(ingest, other_ingest)), "one did all the work"
    assert sorted(name for part in parts(ingest, other_ingest) for name in part["sessions"]) == [
        "hearthwatch-ingest-0",
        "hearthwatch-ingest-1",
        "hearthwatch-ingest-solo",
    ]
    wait(lambda: sum(bool(one.part("jobs").get("leads")) for one in (jobs, other_jobs)) == 1)
    wait(lambda: roles_reported(api) == ["api", "api", "ingest", "ingest", "jobs", "jobs"], api)
    wait(lambda: health(api)["parts"]["ingest"].get("samples", {}).get("stored") == 200, api)
    assert health(api)["status"] == "ok"
    assert "hearthwatch_ingest_samples_received_total" in metrics(ingest)
    publisher.close()


def test_who_is_killed_is_replaced_within_seconds(installation: Installation) -> None:
    roles = [installation.role(role) for role in ("ingest", "ingest", "jobs", "jobs")]
    for role in roles:
        wait(role.ready, role)
    took: dict[str, float] = {}
    for kind, holds in (("ingest", hears_alone), ("jobs", leads)):
        pair = [role for role in roles if role.role == kind]
        wait(lambda pair=pair, holds=holds: any(map(holds, pair)))  # type: ignore[misc]
        first, second = sorted(pair, key=holds, reverse=True)
        first.kill()
        took[kind] = wait(lambda second=second, holds=holds: holds(second), second)  # type: ignore[misc]
        first.start()
        took[f"{kind} again"] = wait(first.ready, first)
    print({name: f"{seconds:.1f} s" for name, seconds in took.items()})
    assert took["ingest"] < TAKEN_OVER_SECONDS
    assert took["jobs"] < TAKEN_OVER_SECONDS


def hears_alone(role: Role) -> bool:
    return "hearthwatch-ingest-solo" in role.part("ingest").get("sessions", {})


def leads(role: Role) -> bool:
    return bool(role.part("jobs").get("leads"))


def publish(publisher: Any, numbers: range) -> None:
    base = datetime.now(UTC) - timedelta(days=1)
    for number in numbers:
        at = (base + timedelta(seconds=number)).isoformat()
        given = {"fw": "1.0", "boot": "b1", "seq": number, "samples": [{"at": at, "m": {"temperature_c": number}}]}
        publisher.publish(f"hearthwatch/v1/d{number % 10}/telemetry", json.dumps(given).encode())
    publisher.flush(30)


def stored(api: Role) -> int:
    """Readings that the API finds of ten devices."""
    since = (datetime.now(UTC) - timedelta(days=2)).isoformat().replace("+00:00", "Z")
    until = (datetime.now(UTC) + timedelta(days=1)).isoformat().replace("+00:00", "Z")
    count = 0
    for number in range(10):
        answer = api.get(f"/api/v1/devices/d{number}/window?since={since}&until={until}&metric=temperature_c")
        if answer is None or answer.status_code != 200:
            return -1
        count += len(answer.json()["items"])
    return count


def parts(*roles: Role) -> list[Any]:
    return [role.part("ingest") for role in roles]


def health(role: Role) -> Any:
    answer = role.get("/health")
    assert answer is not None
    return answer.json()


def metrics(role: Role) -> str:
    answer = role.get("/metrics")
    assert answer is not None
    return answer.text


def roles_reported(api: Role) -> list[str]:
    answer = httpx.get(f"http://127.0.0.1:{api.port}/api/v1/processes", timeout=10)
    return sorted(one["role"] for one in answer.json()["items"] if one["reports"])
