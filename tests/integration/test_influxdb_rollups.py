"""Rollups in InfluxDB: what one device or another process does to them."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pyarrow as pa
import pytest

from hearthwatch.telemetry.influxdb import InfluxDBStore
from hearthwatch.telemetry.influxdb_rollup import FIRMWARES_AN_HOUR
from hearthwatch.values import Event, Reading
from tests.influxdb_server import Influxd

START = datetime(2026, 5, 1, tzinfo=UTC)
HOUR, DAY = timedelta(hours=1), timedelta(days=1)
LONGEST_FIRMWARE = 256


@pytest.fixture
def address(influxd: Influxd) -> str:
    """Of an empty store."""
    return influxd.address()


@pytest.fixture
def store(address: str) -> Iterator[InfluxDBStore]:
    """An empty store."""
    opened = InfluxDBStore(address)
    yield opened
    opened.close()


def test_a_row_of_any_length_is_read(store: InfluxDBStore) -> None:
    details = [{"text": letter * 900_000} for letter in "abc"]
    store.write([Event("d", "native", START + n * HOUR, "fault", detail=one) for n, one in enumerate(details)])
    assert store.events(START, START + DAY).num_rows == 3


def test_a_row_of_many_metrics_and_firmwares_holds_up_nobody(store: InfluxDBStore) -> None:
    metrics = {f"metric_number_{n}": 1.1 + n / 7 for n in range(30)}
    evil = [
        Reading("evil", "native", START + n * timedelta(minutes=1), metrics, firmware=f"{n}.{'x' * 40}")
        for n in range(720)
    ]
    store.write([*evil, Reading("good", "native", START, {"x": 1.0}, firmware="1.0")])
    store.rollup(START + DAY)
    store.write([Reading("evil", "native", START + timedelta(seconds=1), metrics, firmware="9"), *evil[:1]])
    store.write([Reading("good", "native", START + timedelta(seconds=1), {"x": 3.0}, firmware="1.0")])
    store.rollup(START + DAY)
    assert store.hourly(START, START + DAY, devices=["good"]).column("mean").to_pylist() == [2.0]
    assert store.hourly(START, START + DAY, devices=["evil"]).num_rows > 0


@pytest.mark.parametrize("letter", ["x", "设", "🏠", "\x1f", "|"])
def test_the_longest_firmwares_by_the_dozen_fit_a_day(store: InfluxDBStore, letter: str) -> None:
    values = [
        Reading(
            "d",
            "native",
            START + hour * HOUR + n * timedelta(seconds=1),
            {"x": 1 / 3 + n},
            firmware=f"{n:03}".ljust(LONGEST_FIRMWARE, letter),
        )
        for hour in range(24)
        for n in range(FIRMWARES_AN_HOUR + 20)
    ]
    store.write(values)
    store.rollup(START + DAY)
    counted = store.exposure(START, START + DAY)
    assert sum(counted.column("readings").to_pylist()) == len(values)
    assert counted.num_rows == 24 * FIRMWARES_AN_HOUR
    hourly = store.hourly(START, START + DAY)
    assert hourly.num_rows == 24 * FIRMWARES_AN_HOUR
    assert sum(hourly.column("n").to_pylist()) == len(values)
    newest = f"{FIRMWARES_AN_HOUR + 19:03}".ljust(LONGEST_FIRMWARE, letter)
    of_newest = hourly.filter(pa.array([one == newest for one in hourly.column("firmware").to_pylist()]))
    assert of_newest.column("n").to_pylist() == [21] * 24, "what is beyond the bound counts under the last one"
