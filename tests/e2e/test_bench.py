"""The benchmark measures what it says: everything arrives, and each figure has its reference beside it."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from hearthwatch.run.bench import load
from hearthwatch.values import Message
from hearthwatch.wire.registry import Decoder, conventions
from tests.conftest import START, needed

pytestmark = pytest.mark.timeout(600)


def test_ingest_is_measured_beside_the_brokers_own_limit_and_loses_nothing() -> None:
    needed("mosquitto", "/usr/sbin/mosquitto")
    needed("mosquitto_sub")
    small = ("--messages", "1000", "--rounds", "1", "--latency-seconds", "1", "--no-influxdb", "--json")
    command = [sys.executable, "-m", "hearthwatch", "bench", "ingest", *small]
    ran = subprocess.run(command, capture_output=True, text=True, check=False, cwd=Path(__file__).parents[2])
    assert ran.returncode == 0, ran.stderr[-2000:]
    answer = json.loads(ran.stdout)
    assert answer["missing"] == 0
    assert answer["reference"] == "mosquitto_sub"
    one = answer["contestants"]["1 samples"]
    assert answer["ratio"] == pytest.approx(
        one["hearthwatch duckdb"]["messages_per_s"] / one["mosquitto_sub"]["messages_per_s"], abs=0.01
    )
    assert answer["cpu_us"] == one["hearthwatch duckdb"]["cpu_us"] > 0
    assert answer["replay_rows_per_s"] > 0
    assert {share: told["missing"] for share, told in answer["latency"].items()} == {"30%": 0, "60%": 0}
    for told in answer["latency"].values():
        assert 0 < told["p50_ms"] <= told["p99_ms"]


def test_the_store_is_measured_beside_its_engine() -> None:
    command = [sys.executable, "-m", "hearthwatch", "bench", "store", "--devices", "10", "--days", "3", "--json"]
    ran = subprocess.run(command, capture_output=True, text=True, check=False, cwd=Path(__file__).parents[2])
    assert ran.returncode == 0, ran.stderr[-2000:]
    answer = json.loads(ran.stdout)
    assert answer["readings"] == 10 * 3 * 24 * 60 * 5
    assert answer["rollup_rows"] >= 10 * 3 * 24 * 5
    assert 0 < answer["raw_bytes_per_reading"] < answer["bytes_per_reading"] <= answer["file_bytes_per_reading"]
    ratios = ("rollup_ratio", "window_ratio", "size_ratio")
    assert all(answer[name] > 0 for name in (*ratios, "window_ms", "window_newest_day_ms", "write_rows_per_s"))


@pytest.mark.parametrize("samples", [1, 10])
def test_the_messages_of_the_benchmark_are_such_as_devices_send(samples: int) -> None:
    payload = load.payload(1234, samples, START)
    convention, decoded = Decoder(conventions(["native"])).decode(Message(load.topic(1234), payload, START))
    assert convention == "native"
    assert not decoded.rejected
    assert len({value.at for value in decoded.values}) == len(decoded.values) == samples
    assert samples > 1 or len(payload) == 200
