"""A real influxd for tests: one server for the session, buckets of its own for each test."""

from __future__ import annotations

import itertools
import json
import os
import subprocess
import threading
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

ORG, TOKEN = "hearthwatch", "token-of-the-tests"
PROGRAMS = ("~/.cache/hearthwatch/influxd-2.7.12", "~/.cache/hearthwatch/influxd", "/usr/bin/influxd")
_numbers = itertools.count(1)


@dataclass(frozen=True, slots=True)
class Influxd:
    """A running server."""

    url: str
    org: str
    token: str
    pid: int

    def address(self, bucket: str | None = None) -> str:
        """Address of a store, of a new one if no bucket is named."""
        name = bucket or f"t{os.getpid()}-{next(_numbers)}"
        return f"influxdb://{self.url.removeprefix('http://')}/{self.org}/{name}?token={self.token}"


def start(folder: Path, *options: str, port: int | None = None) -> tuple[Influxd, subprocess.Popen[bytes]]:
    """Start a server whose data lie in a folder, and set it up. The caller ends the process."""
    from tests.conftest import free_port, needed

    program = needed("influxd", *(str(Path(place).expanduser()) for place in PROGRAMS))
    port = port or free_port()
    url = f"http://127.0.0.1:{port}"
    arguments = [
        *("--bolt-path", str(folder / "influxd.bolt"), "--sqlite-path", str(folder / "influxd.sqlite")),
        *("--engine-path", str(folder / "engine"), "--http-bind-address", f"127.0.0.1:{port}"),
        *("--reporting-disabled", "--log-level", "error"),
    ]
    with (folder / "influxd.log").open("wb") as log:
        process = subprocess.Popen([program, *arguments, *options], stdout=log, stderr=log)
    try:
        _wait(url, process, folder / "influxd.log")
        if json.loads(_get(f"{url}/api/v2/setup"))["allowed"]:
            given = {"username": "tests", "password": "of-the-tests", "org": ORG, "bucket": "first", "token": TOKEN}
            request = urllib.request.Request(
                f"{url}/api/v2/setup", json.dumps(given).encode(), {"Content-Type": "application/json"}
            )
            urllib.request.urlopen(request, timeout=20).close()
    except BaseException:
        stop(process)
        raise
    return Influxd(url, ORG, TOKEN, process.pid), process


def stop(process: subprocess.Popen[bytes]) -> None:
    """End a server."""
    process.terminate()
    try:
        process.wait(timeout=20)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


@pytest.fixture(scope="session")
def influxd(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Influxd]:
    """A running InfluxDB 2 server; skipped, or failed where services are required, when the program is missing."""
    server, process = start(tmp_path_factory.mktemp("influxd"))
    try:
        yield server
    finally:
        stop(process)


@pytest.fixture
def influxdb(influxd: Influxd) -> str:
    """Address of an empty telemetry store."""
    return influxd.address()


def _get(url: str) -> bytes:
    with urllib.request.urlopen(url, timeout=20) as answer:
        body: bytes = answer.read()
        return body


def _wait(url: str, process: subprocess.Popen[bytes], log: Path, seconds: float = 60) -> None:
    pause = threading.Event()
    for _ in range(int(seconds / 0.05)):
        if process.poll() is not None:
            pytest.fail(f"influxd ended with {process.returncode}: {log.read_text()[-1000:]}")
        try:
            if json.loads(_get(f"{url}/health"))["status"] == "pass":
                return
        except (OSError, ValueError):
            pass
        pause.wait(0.05)
    pytest.fail(f"influxd is not ready after {seconds} s: {log.read_text()[-1000:]}")
