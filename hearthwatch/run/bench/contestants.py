"""Who takes part in the ingest benchmark: each is a process that subscribes, stores what comes, and says when all of it was durable."""

from __future__ import annotations

import json
import resource
import time
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import influxdb_client
from influxdb_client.client.write_api import SYNCHRONOUS
from paho.mqtt import client as paho
from paho.mqtt.enums import CallbackAPIVersion

from hearthwatch.clock import SystemClock
from hearthwatch.run.assembly import Platform, build_runner, open_platform
from hearthwatch.run.bench.load import FILTER
from hearthwatch.run.collector import settle_collector
from hearthwatch.settings import load_settings
from hearthwatch.values import Reading, WriteResult

_influxdb: Any = influxdb_client  # most of it is without types
CLIENT_ID = "bench-ingest"
PATIENCE_S = 900.0
SUBSCRIBE_S = 0.5


@dataclass(frozen=True, slots=True)
class Place:
    """Where a contestant reads and writes. ``influxdb``: (url, organisation, bucket, token) for those that know no address."""

    folder: Path
    broker: str
    telemetry: str
    influxdb: tuple[str, str, str, str] | None = None


@dataclass(frozen=True, slots=True)
class Run:
    """What a contestant tells: when the last message was durable (monotonic seconds), its own processor time, and its largest size.

    The size of another program cannot be told: what the system says of it counts the process that started it.
    """

    ended: float
    cpu_s: float
    rss_mb: float | None
    stored: int
    latencies_ms: Sequence[float] = ()


def hearthwatch(place: Place, link: Any, *, watched: bool = False) -> None:
    """Our ingestor: at a word it waits until as many messages as it is told were stored and acknowledged."""
    platform = _platform(place)
    seen = _Watched(platform) if watched else None
    runner = build_runner(platform)
    runner.start()
    settle_collector()
    time.sleep(SUBSCRIBE_S)
    link.send("ready")
    began = time.process_time()
    runner.drain(link.recv(), PATIENCE_S)
    ended = time.monotonic()
    used = time.process_time() - began
    stored = int(platform.ledger.snapshot()["stored"])
    link.send(Run(ended, used, _rss_mb(), stored, seen.latencies_ms if seen else ()))
    runner.stop()
    platform.close()


def tutorial(place: Place, link: Any) -> None:
    """What the client libraries' own examples show: a callback, a point for each message, a synchronous write."""
    assert place.influxdb is not None
    url, org, bucket, token = place.influxdb
    database = _influxdb.InfluxDBClient(url=url, token=token, org=org)
    writer = database.write_api(write_options=SYNCHRONOUS)
    client = paho.Client(CallbackAPIVersion.VERSION2, CLIENT_ID, clean_session=False)
    handled = 0

    def on_message(_client: Any, _data: Any, message: paho.MQTTMessage) -> None:
        nonlocal handled
        device = message.topic.split("/")[2]
        given = json.loads(message.payload)
        points = []
        for sample in given["samples"]:
            point = _influxdb.Point("telemetry").tag("device", device).time(sample["at"])
            for name, value in sample["m"].items():
                point.field(name, float(value))
            points.append(point)
        writer.write(bucket=bucket, record=points)
        handled += 1

    client.on_message = on_message
    host, port = place.broker.removeprefix("mqtt://").split(":")
    client.connect(host, int(port))
    client.subscribe(FILTER, 1)
    client.loop_start()
    time.sleep(SUBSCRIBE_S)
    link.send("ready")
    began, wanted = time.process_time(), link.recv()
    until = time.monotonic() + PATIENCE_S
    while handled < wanted and time.monotonic() < until:
        time.sleep(0.002)
    link.send(Run(time.monotonic(), time.process_time() - began, _rss_mb(), handled))
    client.loop_stop()
    database.close()


class _Watched:
    """How long after its own time each reading was durable."""

    def __init__(self, platform: Platform) -> None:
        self.latencies_ms: list[float] = []
        self._write = platform.store.write
        platform.store.write = self.write  # type: ignore[method-assign]

    def write(self, values: Any) -> WriteResult:
        """As the store."""
        result = self._write(values)
        now = datetime.now(UTC)
        self.latencies_ms += [(now - value.at).total_seconds() * 1000 for value in values if isinstance(value, Reading)]
        return result


def _platform(place: Place) -> Platform:
    # Everything that names a place is given, so that no setting of a real installation leads the benchmark there.
    settings = load_settings(
        data_dir=place.folder,
        telemetry=place.telemetry,
        records=f"sqlite:///{place.folder / 'records.sqlite3'}",
        broker=place.broker,
        client_id=CLIENT_ID,
        policy_file=None,
        raw_days=3650,
        rollup_days=3650,
    )
    return open_platform(settings, SystemClock())


def _rss_mb() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
