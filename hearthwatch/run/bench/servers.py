"""The servers and programs beside ours in the ingest benchmark, each ended by its process id."""

from __future__ import annotations

import contextlib
import json
import os
import re
import shutil
import socket
import subprocess
import time
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from hearthwatch.errors import Unavailable
from hearthwatch.run.bench.contestants import CLIENT_ID, Run
from hearthwatch.run.bench.load import FILTER
from hearthwatch.run.broker import OwnMosquitto, find_mosquitto

ORG, BUCKET, TOKEN = "bench", "bench", "token-of-the-benchmark"
START_SECONDS = 60.0
_CACHED = "~/.cache/hearthwatch"
_RECEIVE_MAXIMUM = "4000"


@dataclass(frozen=True, slots=True)
class Influxd:
    """A running InfluxDB 2, set up and empty."""

    url: str
    pid: int

    def address(self, bucket: str) -> str:
        """The address of a telemetry store in it."""
        return f"influxdb://{self.url.removeprefix('http://')}/{ORG}/{bucket}?token={TOKEN}"


def find_influxd() -> str | None:
    """Path of influxd: on PATH, or where ``make services`` puts it."""
    built = sorted(Path(_CACHED).expanduser().glob("influxd-2*"))
    return shutil.which("influxd") or (str(built[-1]) if built else None)


def find_subscriber() -> str | None:
    """Path of mosquitto_sub."""
    return shutil.which("mosquitto_sub")


@contextlib.contextmanager
def mosquitto(folder: Path) -> Iterator[OwnMosquitto]:
    """A broker of its own. Raises `Unavailable` where it is not installed."""
    program = find_mosquitto()
    if program is None:
        raise Unavailable("mosquitto is not installed (make services installs it)", where="bench")
    folder.mkdir(parents=True, exist_ok=True)
    broker = OwnMosquitto(program, folder)
    try:
        yield broker
    finally:
        broker.stop()


@contextlib.contextmanager
def influxd(program: str, folder: Path) -> Iterator[Influxd]:
    """A server of its own, with one organisation and one bucket."""
    folder.mkdir(parents=True, exist_ok=True)
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    url = f"http://127.0.0.1:{port}"
    paths = [
        f"--bolt-path={folder / 'bolt'}",
        f"--sqlite-path={folder / 'sqlite'}",
        f"--engine-path={folder / 'engine'}",
    ]
    command = [program, *paths, f"--http-bind-address=127.0.0.1:{port}", "--reporting-disabled", "--log-level=error"]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)  # noqa: S603
    try:
        _set_up(url, process)
        yield Influxd(url, process.pid)
    finally:
        process.terminate()
        process.wait()


def _set_up(url: str, process: subprocess.Popen[bytes]) -> None:
    given = {"username": "bench", "password": "of-the-benchmark", "org": ORG, "bucket": BUCKET, "token": TOKEN}
    request = urllib.request.Request(  # noqa: S310 - our own server
        f"{url}/api/v2/setup", json.dumps(given).encode(), {"Content-Type": "application/json"}
    )
    until = time.monotonic() + START_SECONDS
    while True:
        try:
            with urllib.request.urlopen(request, timeout=20):  # noqa: S310
                return
        except OSError as error:
            if process.poll() is not None or time.monotonic() > until:
                raise Unavailable(f"influxd did not start: {error}", where="bench") from None
            time.sleep(0.1)


def remember_session(subscriber: str, port: int, *, version: str = "mqttv311") -> None:
    """Make the broker keep a session under the contestants' client id: what is published from now on waits for whoever takes it up."""
    arguments = ["-p", str(port), "-V", version, "-c", "-i", CLIENT_ID, "-q", "1", "-t", FILTER, "-E"]
    subprocess.run([subscriber, *arguments], check=True, timeout=30)  # noqa: S603


class Listener:
    """mosquitto_sub, which acknowledges and stores nothing: the broker's own limit."""

    def __init__(self, subscriber: str, port: int, count: int) -> None:
        session = ["-c", "-i", CLIENT_ID, "-V", "mqttv5"]
        window = ["-D", "connect", "receive-maximum", _RECEIVE_MAXIMUM]
        what = ["-q", "1", "-t", FILTER, "-C", str(count), "-F", "%l"]
        remember_session(subscriber, port, version="mqttv5")
        self._count = count
        self._process = subprocess.Popen(  # noqa: S603
            [subscriber, "-p", str(port), *session, *window, *what], stdout=subprocess.DEVNULL
        )

    def wait(self) -> Run:
        """Until it has heard all."""
        _, status, used = os.wait4(self._process.pid, 0)
        ended = time.monotonic()
        self._process.returncode = os.waitstatus_to_exitcode(status)
        if self._process.returncode:
            raise Unavailable(f"mosquitto_sub ended with {self._process.returncode}", where="bench")
        return Run(ended, used.ru_utime + used.ru_stime, None, self._count)


class Telegraf:
    """Telegraf with mqtt_consumer and outputs.influxdb_v2, acknowledging what is written."""

    def __init__(self, program: str, subscriber: str, port: int, server: Influxd, bucket: str, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        configuration = folder / "telegraf.conf"
        given = {"url": server.url, "token": TOKEN, "org": ORG, "bucket": bucket}
        configuration.write_text(_TELEGRAF.format(port=port, topic=FILTER, id=CLIENT_ID, **given))
        remember_session(subscriber, port)
        self._server, self._bucket = server, bucket
        self._before = _points(server)
        self._process = subprocess.Popen(  # noqa: S603
            [program, "--config", str(configuration), "--quiet"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )

    def wait(self, count: int, patience_s: float) -> Run:
        """Until the store holds all; then end it."""
        until = time.monotonic() + patience_s
        while _points(self._server) - self._before < count and time.monotonic() < until:
            time.sleep(0.05)
        ended = time.monotonic()
        stored = _count(self._server, self._bucket)
        self._process.terminate()
        _, status, used = os.wait4(self._process.pid, 0)
        self._process.returncode = os.waitstatus_to_exitcode(status)
        return Run(ended, used.ru_utime + used.ru_stime, None, stored)


def make_bucket(server: Influxd, name: str) -> None:
    """One more bucket."""
    orgs = _asked(server, "GET", "/api/v2/orgs")["orgs"]
    _asked(server, "POST", "/api/v2/buckets", {"orgID": orgs[0]["id"], "name": name})


def _points(server: Influxd) -> int:
    """Points the server has stored since its start, by its own count: to ask its data for them would keep it from work."""
    with urllib.request.urlopen(f"{server.url}/metrics", timeout=60) as answer:  # noqa: S310
        counted = re.search(rb"^storage_writer_ok_points_sum\S* (\S+)$", answer.read(), re.MULTILINE)
    return int(float(counted[1])) if counted else 0


def _count(server: Influxd, bucket: str) -> int:
    query = f'from(bucket: "{bucket}") |> range(start: 0) |> filter(fn: (r) => r._field == "uptime_s") |> count() |> group() |> sum()'
    request = urllib.request.Request(  # noqa: S310
        f"{server.url}/api/v2/query?org={ORG}",
        json.dumps({"query": query, "dialect": {"annotations": []}}).encode(),
        {"Authorization": f"Token {TOKEN}", "Content-Type": "application/json", "Accept": "application/csv"},
    )
    with urllib.request.urlopen(request, timeout=60) as answer:  # noqa: S310
        rows = [line.split(",") for line in answer.read().decode().splitlines() if line.strip(",")]
    return int(rows[1][rows[0].index("_value")]) if len(rows) > 1 else 0


def _asked(server: Influxd, method: str, path: str, body: object = None) -> dict[str, list[dict[str, str]]]:
    request = urllib.request.Request(  # noqa: S310
        server.url + path,
        None if body is None else json.dumps(body).encode(),
        {"Authorization": f"Token {TOKEN}", "Content-Type": "application/json"},
        method=method,
    )
    with urllib.request.urlopen(request, timeout=60) as answer:  # noqa: S310
        told: dict[str, list[dict[str, str]]] = json.loads(answer.read())
        return told


_TELEGRAF = """\
[agent]
  flush_interval = "250ms"
  metric_batch_size = 5000
  metric_buffer_limit = 100000
  omit_hostname = true
[[inputs.mqtt_consumer]]
  servers = ["tcp://127.0.0.1:{port}"]
  topics = ["{topic}"]
  qos = 1
  client_id = "{id}"
  persistent_session = true
  max_undelivered_messages = 20000
  topic_tag = "topic"
  data_format = "json_v2"
  [[inputs.mqtt_consumer.json_v2]]
    measurement_name = "telemetry"
    [[inputs.mqtt_consumer.json_v2.object]]
      path = "samples"
      timestamp_key = "at"
      timestamp_format = "2006-01-02T15:04:05.999999Z"
      disable_prepend_keys = true
[[outputs.influxdb_v2]]
  urls = ["{url}"]
  token = "{token}"
  organization = "{org}"
  bucket = "{bucket}"
"""
