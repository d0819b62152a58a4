"""Everything the compose file starts, by hand on this machine: two ingestors, two workers of jobs and the API on its own servers."""

from __future__ import annotations

import json
import re
import signal
import tempfile
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest

from hearthwatch.messaging import open_publisher
from tests.compose import ROOT, Machine
from tests.compose_services import (
    add_device,
    broker_up,
    influxdb_up,
    init_options,
    postgres_up,
    set_up,
    wait_until_healthy,
)
from tests.conftest import free_port
from tests.dashboards import dashboard, flux_of, metrics_of, panels, sql_of

ROLES = ("ingest-1", "ingest-2", "jobs-1", "jobs-2", "api-1")
SECONDS = 120
MESSAGES = 40
GRACE_SECONDS = 20  # stop_grace_period of the file


@dataclass
class Platform:
    """The running containers of the file."""

    machine: Machine
    ports: dict[str, int] = field(default_factory=dict)

    @property
    def api(self) -> str:
        return f"http://127.0.0.1:{self.ports['api-1']}"

    def secret(self, service: str, name: str) -> str:
        return (self.machine.volume(f"secrets-{service}") / name).read_text().strip()

    def get(self, path: str, **parameters: str) -> httpx.Response:
        token = self.secret("prometheus", "metrics_token")
        return httpx.get(self.api + path, params=parameters, headers={"Authorization": f"Bearer {token}"}, timeout=20)

    def environment(self, name: str) -> dict[str, str]:
        """What the image sets, and a port of its own where each container has its own 8080."""
        data = self.machine.volume("hearthwatch-data")
        self.ports.setdefault(name, free_port())
        return image_environment(HEARTHWATCH_DATA_DIR=str(data), HEARTHWATCH_HOST="127.0.0.1") | {
            "HEARTHWATCH_PORT": str(self.ports[name])
        }


def image_environment(**instead: str) -> dict[str, str]:
    """The options that the Dockerfile sets, with some of them replaced for this machine."""
    found = dict(re.findall(r"(HEARTHWATCH_\w+)=(\S+)", (ROOT / "Dockerfile").read_text()))
    assert set(instead) <= set(found)
    return found | instead


@pytest.fixture(scope="module")
def platform() -> Iterator[Platform]:
    with tempfile.TemporaryDirectory() as folder, ExitStack() as ending:
        Path(folder).chmod(0o755)
        machine = Machine(Path(folder))
        made = machine.once("init", *init_options(machine))
        assert made.returncode == 0, made.stderr
        for server in (broker_up, postgres_up, influxdb_up):
            ending.enter_context(server(machine))
        done = set_up(machine, machine.scratch / "secrets")
        assert done.returncode == 0, done.stderr
        running = Platform(machine)
        for name in ROLES:
            ending.enter_context(machine.up(name.split("-")[0], name=name, **running.environment(name)))
        yield running


def until(true: Callable[[], object], what: str, seconds: float = SECONDS) -> Any:
    pause = threading.Event()
    for _ in range(int(seconds / 0.25)):
        if answer := true():
            return answer
        pause.wait(0.25)
    raise AssertionError(f"not within {seconds} s: {what}")


@pytest.mark.parametrize("name", ROLES)
def test_a_role_becomes_healthy_by_the_check_of_the_file(platform: Platform, name: str) -> None:
    wait_until_healthy(platform.machine, name.split("-")[0], name, **platform.environment(name))


def test_a_reading_of_a_device_with_a_password_arrives(platform: Platform) -> None:
    """Through TLS, one of two ingestors and InfluxDB, to the API."""
    now = datetime.now(UTC).replace(microsecond=0)
    password = add_device(platform.machine, "plug-1")["plug-1"]
    publisher = open_publisher(device_address(platform, "plug-1", password), client_id="plug-1")
    for number in range(MESSAGES):
        at = now - timedelta(seconds=MESSAGES - number)
        sample = {"at": at.isoformat(), "m": {"temperature_c": 40.0 + number / 10, "rssi_dbm": -61}}
        publisher.publish("hearthwatch/v1/plug-1/telemetry", json.dumps({"fw": "2.4.1", "samples": [sample]}).encode())
    publisher.publish("hearthwatch/v1/plug-1/telemetry", b"not json")
    publisher.close()

    device = until(lambda: platform.get("/api/v1/devices/plug-1").status_code == 200, "the device is known")
    assert device

    def stored() -> int:
        answer = platform.get("/api/v1/health")
        return int(answer.json()["parts"].get("ingest", {}).get("samples", {}).get("stored", 0))

    until(lambda: stored() == MESSAGES, f"{MESSAGES} samples stored, over all ingestors")
    rows = flux(platform, flux_target("$metric of $device"), now, device="plug-1", metric="temperature_c")
    assert rows, "the dashboard shows the device's metric"
    assert all(40.0 <= float(row["_value"]) < 44.0 for row in rows)


def test_what_cannot_be_read_is_in_quarantine_and_on_the_dashboard(platform: Platform) -> None:
    from hearthwatch.records.database import open_database

    target = next(panel for panel in panels() if panel.title == "Quarantine: held, by reason").targets[0]
    password = platform.machine.volume("secrets-grafana") / "postgres_password"
    place = f"127.0.0.1:{platform.machine.port('postgres:5432')}"
    database = open_database(f"postgresql://grafana@{place}/hearthwatch?password_file={password}")
    with database.engine.connect() as connection:
        rows = connection.exec_driver_sql(sql_of(target)).mappings().all()
        shown = next(panel for panel in panels() if panel.title == "Processes").targets[0]
        processes = connection.exec_driver_sql(sql_of(shown)).mappings().all()
    database.close()

    assert [row["things"] for row in rows] == [1]
    assert sorted(row["role"] for row in processes) == sorted(name.split("-")[0] for name in ROLES)


def test_every_metric_of_the_dashboards_is_exported(platform: Platform) -> None:
    token = platform.secret("prometheus", "metrics_token")
    exported: set[str] = set()
    for name in ROLES:
        answer = httpx.get(
            f"http://127.0.0.1:{platform.ports[name]}/metrics", headers={"Authorization": f"Bearer {token}"}, timeout=20
        )
        assert answer.status_code == 200
        exported |= set(re.findall(r"^(\w+)", answer.text, re.MULTILINE))

    asked = {
        metric for panel in panels("prometheus") for target in panel.targets for metric in metrics_of(target["expr"])
    }
    assert asked - {"up"} <= exported
    assert "hearthwatch_ingest_samples_total" in asked


def test_the_ledger_of_the_dashboard_closes(platform: Platform) -> None:
    """What the panel "Samples unaccounted for" computes, over both ingestors."""
    sums = {"received": 0.0, "settled": 0.0, "in_flight": 0.0}
    for name in ("ingest-1", "ingest-2"):
        text = httpx.get(f"http://127.0.0.1:{platform.ports[name]}/metrics", timeout=20).text
        for part, pattern in (
            ("received", r"^hearthwatch_ingest_samples_received_total (\S+)"),
            ("settled", r"^hearthwatch_ingest_samples_total\{.*\} (\S+)"),
            ("in_flight", r"^hearthwatch_ingest_samples_in_flight (\S+)"),
        ):
            sums[part] += sum(float(number) for number in re.findall(pattern, text, re.MULTILINE))

    assert sums["received"] == sums["settled"] + sums["in_flight"]
    assert sums["received"] >= MESSAGES


def test_a_person_may_sign_in_with_the_generated_password_and_nobody_without(platform: Platform) -> None:
    wait_until_healthy(platform.machine, "api", "api-1", **platform.environment("api-1"))
    with httpx.Client(base_url=platform.api, timeout=20) as person:
        assert person.get("/api/v1/devices").status_code == 401
        wrong = {"name": "admin", "password": "admin"}
        assert person.post("/api/v1/session", json=wrong).status_code == 401
        assert person.get("/api/v1/devices").status_code == 401
        right = {"name": "admin", "password": platform.secret("hearthwatch", "admin_password")}
        assert person.post("/api/v1/session", json=right).json() == {"name": "admin", "role": "admin"}
        assert person.get("/api/v1/devices").status_code == 200


def test_an_ingestor_that_was_killed_finds_what_came_meanwhile_when_it_is_started_again(platform: Platform) -> None:
    victim = platform.machine.running["ingest-1"]
    victim.kill()
    victim.wait()
    now = datetime.now(UTC).replace(microsecond=0)
    password = add_device(platform.machine, "plug-2")["plug-2"]
    publisher = open_publisher(device_address(platform, "plug-2", password), client_id="plug-2")
    for number in range(MESSAGES):
        sample = {"at": (now - timedelta(seconds=number)).isoformat(), "m": {"temperature_c": 20.5}}
        publisher.publish("hearthwatch/v1/plug-2/telemetry", json.dumps({"fw": "1.0.0", "samples": [sample]}).encode())
    publisher.close()

    def arrived() -> bool:
        query = flux_target("Readings stored an hour, from the telemetry store")
        text = query["query"].replace(
            'r._measurement == "readings"', 'r._measurement == "readings" and r.device == "plug-2"'
        )
        rows = flux(platform, {"query": text}, now, metric="temperature_c")
        return sum(int(row["_value"]) for row in rows) == MESSAGES

    with platform.machine.up("ingest", name="ingest-1", **platform.environment("ingest-1")):  # as Docker does
        until(arrived, "all readings of the other device")


def test_containers_end_within_their_grace_period(platform: Platform) -> None:
    for name in ("ingest-2", "jobs-1", "api-1"):
        process = platform.machine.running[name]
        process.send_signal(signal.SIGTERM)
        assert process.wait(timeout=GRACE_SECONDS) == 0, platform.machine.log(name)[-2000:]


def device_address(platform: Platform, device: str, password: str) -> str:
    authority = platform.machine.volume("secrets-hearthwatch") / "ca.crt"
    return f"mqtts://{device}:{password}@127.0.0.1:{platform.machine.port('mosquitto:8883')}?ca={authority}"


def flux_target(title: str) -> dict[str, Any]:
    (panel,) = [
        panel
        for name in ("fleet.json", "ingest.json")
        for panel in dashboard(name)["panels"]
        if panel["title"] == title
    ]
    target: dict[str, Any] = panel["targets"][0]
    return target


def flux(platform: Platform, target: dict[str, Any], now: datetime, **variables: str) -> list[dict[str, str]]:
    """A dashboard's query with the token of the dashboards; one dictionary for each row."""
    start, stop = now - timedelta(hours=1), now + timedelta(minutes=1)
    text = flux_of(target, start.strftime("%FT%TZ"), stop.strftime("%FT%TZ"), "10s", **variables)
    answer = httpx.post(
        f"http://127.0.0.1:{platform.machine.port('influxdb:8086')}/api/v2/query",
        params={"org": "hearthwatch"},
        headers={"Authorization": f"Token {platform.secret('grafana', 'influxdb_token')}", "Accept": "application/csv"},
        json={"query": text, "dialect": {"annotations": []}},
        timeout=30,
    )
    assert answer.status_code == 200, answer.text
    lines = [line.split(",") for line in answer.text.splitlines() if line]
    return [dict(zip(lines[0], line, strict=False)) for line in lines[1:] if line != lines[0]]
