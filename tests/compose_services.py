"""The services of the compose file by hand: what the entry points of their images do, with the file's words."""

from __future__ import annotations

import shutil
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx

from tests.compose import ROOT, Machine, as_root, postgres_programs
from tests.conftest import needed, wait_for_port

SECONDS = 120
PORT_LINE = "listener 8883"
SERVICES = ("authority", "mosquitto", "influxdb", "postgres", "hearthwatch", "grafana", "prometheus")


def init_options(machine: Machine) -> list[str]:
    """Where things are here; in the containers these are the defaults."""
    root = machine.scratch / "secrets"
    root.mkdir(exist_ok=True)
    for name in SERVICES:
        if not (root / name).exists():
            (root / name).symlink_to(machine.volume(f"secrets-{name}"), target_is_directory=True)
    place = f"127.0.0.1:{machine.port('mosquitto:8883')}"
    authority = machine.volume("secrets-hearthwatch") / "ca.crt"
    return ["--root", str(root), "--broker", place, "--authority", str(authority)]


@contextmanager
def broker_up(machine: Machine) -> Iterator[None]:
    """Start Mosquitto with the file's command line and our configuration, as the user of its image."""
    needed("mosquitto", "/usr/sbin/mosquitto")
    port = machine.port("mosquitto:8883")
    configuration = machine.paths("mosquitto")["/mosquitto/config"] / "mosquitto.conf"
    text = machine.here("mosquitto", configuration.read_text())
    configuration.write_text(text.replace(PORT_LINE, f"listener {port} 127.0.0.1"))
    further = configuration.parent / "conf.d" / "certificates.conf"
    text = machine.here("mosquitto", further.with_suffix(".conf.off").read_text())
    further.write_text(text.replace("listener 8884", f"listener {machine.port('mosquitto:8884')} 127.0.0.1"))
    rules = configuration.parent / "acl"
    rules.write_text(rules.read_text().replace("#pattern write acme", "pattern write acme"))
    if as_root():
        machine.volume("mosquitto-data").chmod(0o777)
        options = machine.volume("secrets-mosquitto") / "mosquitto_sub"
        options.write_text(machine.here("mosquitto", options.read_text()).replace("8883", str(port)))
    with machine.up("mosquitto", user=1883):
        wait_for_port(port, machine.running["mosquitto"])
        yield


def add_device(machine: Machine, *ids: str, given: str | None = None) -> dict[str, str]:
    """What deploy/mosquitto/add-device.sh runs in the container; the passwords by device."""
    done = subprocess.run(
        [sys.executable, "deploy/init/add_devices.py", "--root", str(machine.scratch / "secrets"), *ids],
        cwd=ROOT, check=False, capture_output=True, text=True, input=given, timeout=60,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    machine.running["mosquitto"].send_signal(1)  # SIGHUP
    return dict(line.split("\t") for line in done.stdout.splitlines())


@contextmanager
def postgres_up(machine: Machine) -> Iterator[None]:
    """PostgreSQL: ``initdb``, our roles, then the command line of the file."""
    port = machine.port("postgres:5432")
    data = _make_cluster(machine)
    here = [
        f"-cport={port}",
        "-clisten_addresses=127.0.0.1",
        f"-cunix_socket_directories={machine.scratch}",
        f"-D{data}",
    ]
    with machine.up("postgres", *here, user="postgres"):
        wait_for_port(port, machine.running["postgres"])
        wait_until_healthy(machine, "postgres", PGPORT=str(port))
        yield


def _make_cluster(machine: Machine) -> Path:
    environment = machine.environment("postgres")
    data = machine.volume("postgres-data") / "data"
    if as_root():  # the image's user 999 is "postgres" here
        for folder in (machine.volume("postgres-data"), machine.volume("secrets-postgres")):
            for path in (folder, *folder.iterdir()):
                shutil.chown(path, "postgres")
        machine.scratch.chmod(0o777)
    password = environment["POSTGRES_PASSWORD_FILE"]
    words = [
        "--username=postgres",
        f"--pwfile={password}",
        *environment["POSTGRES_INITDB_ARGS"].split(),
        "-D",
        str(data),
    ]
    _as_postgres(machine, "initdb", *words)
    with (data / "pg_hba.conf").open("a") as rules:
        rules.write("\nhost all all all scram-sha-256\n")
    socket = str(machine.scratch)
    # The entry point's server for the files of /docker-entrypoint-initdb.d listens on the socket alone.
    _as_postgres(
        machine,
        "pg_ctl",
        "-D",
        str(data),
        "-w",
        "-o",
        f"-c listen_addresses='' -k {socket}",
        "-l",
        f"{data}/log",
        "start",
    )
    try:
        roles = machine.paths("postgres")["/docker-entrypoint-initdb.d/roles.sql"]
        roles.write_text(machine.here("postgres", roles.read_text()))
        words = [
            "-v",
            "ON_ERROR_STOP=1",
            "--no-password",
            "--no-psqlrc",
            "-h",
            socket,
            "-U",
            "postgres",
            "-f",
            str(roles),
        ]
        _as_postgres(machine, "psql", *words)
    finally:
        _as_postgres(machine, "pg_ctl", "-D", str(data), "-w", "-m", "fast", "stop")
    return data


def _as_postgres(machine: Machine, program: str, *words: str) -> None:
    user = "postgres" if as_root() else None
    done = subprocess.run(
        [str(postgres_programs() / program), *words],
        cwd=machine.scratch, check=False, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=SECONDS,
        user=user, group=user, extra_groups=None if user is None else [],
    )  # fmt: skip
    assert done.returncode == 0, f"{program}: {done.stdout}"


@contextmanager
def influxdb_up(machine: Machine) -> Iterator[None]:
    """InfluxDB: the command line of the file, then the setup that the image's variables ask for."""
    port = machine.port("influxdb:8086")
    with machine.up("influxdb", INFLUXD_HTTP_BIND_ADDRESS=f"127.0.0.1:{port}"):
        wait_for_port(port, machine.running["influxdb"], SECONDS)
        wait_until_healthy(machine, "influxdb")
        asked = machine.environment("influxdb")
        first = {
            "username": asked["DOCKER_INFLUXDB_INIT_USERNAME"],
            "password": Path(asked["DOCKER_INFLUXDB_INIT_PASSWORD_FILE"]).read_text(),
            "token": Path(asked["DOCKER_INFLUXDB_INIT_ADMIN_TOKEN_FILE"]).read_text(),
            "org": asked["DOCKER_INFLUXDB_INIT_ORG"],
            "bucket": asked["DOCKER_INFLUXDB_INIT_BUCKET"],
        }
        httpx.post(f"http://127.0.0.1:{port}/api/v2/setup", json=first, timeout=SECONDS).raise_for_status()
        yield


def wait_until_healthy(machine: Machine, service: str, name: str = "", **environment: str) -> None:
    """Run the file's health check until it says yes."""
    pause = threading.Event()
    said = ""
    for _ in range(int(SECONDS / 0.5)):
        checked = machine.health(service, **environment)
        if checked.returncode == 0:
            return
        said = checked.stdout + checked.stderr
        ended = machine.running[name or service].poll()
        assert ended is None, f"{name or service} ended with {ended}: {machine.log(name or service)[-3000:]}"
        pause.wait(0.5)
    raise AssertionError(f"{name or service} is not healthy: {said}\n{machine.log(name or service)[-3000:]}")


def set_up(machine: Machine, secrets: Path) -> subprocess.CompletedProcess[str]:
    """The second step of the file."""
    port = machine.port("influxdb:8086")
    return machine.once("setup", "--root", str(secrets), "--influxdb", f"http://127.0.0.1:{port}", PYTHONPATH=str(ROOT))
