"""Rollups in InfluxDB: what one device or another process does to them."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Mapping
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


# -- two rollups at once ---------------------------------------------------------------------------------------------------


def before_first_write(store: InfluxDBStore, beginning: bytes, action: Callable[[], None]) -> None:
    """Have something happen before the store first writes what contains these bytes."""
    server = store._server
    write, happened = server.write, threading.Event()

    def written(bucket: str, body: bytes) -> None:
        if beginning in body and not happened.is_set():
            happened.set()
            action()
        write(bucket, body)

    server.write = written  # type: ignore[method-assign]


@pytest.fixture
def other(address: str) -> Iterator[InfluxDBStore]:
    """The same store, as another process has it open."""
    opened = InfluxDBStore(address)
    yield opened
    opened.close()


def means(store: InfluxDBStore) -> list[float]:
    """Means of the day's hours."""
    table = store.hourly(START, START + DAY).sort_by("hour")
    return [float(mean) for mean in table.column("mean").to_pylist()]


def test_what_a_faster_rollup_did_meanwhile_is_done_again(store: InfluxDBStore, other: InfluxDBStore) -> None:
    store.write([Reading("d", "native", START, {"x": 1.0})])

    def overtake() -> None:
        other.write([Reading("d", "native", START + HOUR, {"x": 2.0})])
        other.rollup(START + 2 * HOUR)

    before_first_write(store, b"days,device=d", overtake)
    store.rollup(START + HOUR)
    other.rollup(START + DAY)
    assert means(other) == [1.0, 2.0]


def test_what_a_slower_rollup_wrote_over_is_done_again(store: InfluxDBStore, other: InfluxDBStore) -> None:
    store.write([Reading("d", "native", START, {"x": 1.0})])
    has_read, may_write = threading.Event(), threading.Event()

    def wait() -> None:
        has_read.set()
        assert may_write.wait(30)

    before_first_write(store, b"days,device=d", wait)
    slower = threading.Thread(target=store.rollup, args=(START + HOUR,))
    slower.start()
    assert has_read.wait(30)
    other.write([Reading("d", "native", START + HOUR, {"x": 2.0})])

    def let_the_slower_one_end() -> None:
        may_write.set()
        slower.join(30)

    before_first_write(other, b" Done=", let_the_slower_one_end)
    other.rollup(START + 2 * HOUR)
    store.rollup(START + DAY)
    assert means(store) == [1.0, 2.0]
    assert store.rollup(START + DAY) == other.rollup(START + DAY) == 0, "nothing is done for ever"


def test_rollups_one_after_the_other_have_nothing_to_do_again(store: InfluxDBStore, other: InfluxDBStore) -> None:
    store.write([Reading("d", "native", START + n * HOUR, {"x": 1.0}) for n in range(3)])
    assert store.rollup(START + 2 * HOUR) == 2
    assert other.rollup(START + DAY) == 1
    assert store.rollup(START + DAY) == 0


# -- hours that are done stay done -----------------------------------------------------------------------------------------


@pytest.fixture
def now(monkeypatch: pytest.MonkeyPatch) -> Callable[[datetime], None]:
    """Sets the clock by which the marks of late hours are told from the others."""

    def is_(at: datetime) -> None:
        monkeypatch.setattr("hearthwatch.telemetry.influxdb_marks.now_hour", lambda: int(at.timestamp()) // 3600)

    is_(START)
    return is_


def asked_marks(store: InfluxDBStore, until: datetime) -> int:
    """How many marks a rollup reads."""
    server, counts = store._server, []
    select = server.select

    def counting(bucket: str, query: str, types: Mapping[str, pa.DataType]) -> pa.Table:
        found = select(bucket, query, types)
        if "marks" in query:
            counts.append(found.num_rows)
        return found

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(server, "select", counting)
        store.rollup(until)
    return sum(counts)


def test_hours_that_were_done_long_ago_are_not_asked_about(
    store: InfluxDBStore, other: InfluxDBStore, now: Callable[[datetime], None]
) -> None:
    for n in range(48):
        store.write([Reading("d", "native", START + n * HOUR, {"x": 1.0})])
    store.rollup(START + 2 * DAY)
    assert asked_marks(store, START + 2 * DAY) == 48
    now(START + 10 * DAY)
    store.write([Reading("d", "native", START + 10 * DAY, {"x": 1.0})])
    store.rollup(START + 11 * DAY)
    assert asked_marks(store, START + 11 * DAY) == asked_marks(other, START + 11 * DAY) == 1


def test_what_comes_late_is_rolled_up_although_its_hour_was_done_long_ago(
    store: InfluxDBStore, other: InfluxDBStore, now: Callable[[datetime], None]
) -> None:
    store.write([Reading("d", "native", START, {"x": 1.0}), Reading("e", "native", START + 10 * DAY, {"x": 1.0})])
    now(START + 10 * DAY)
    store.rollup(START + 11 * DAY)
    store.rollup(START + 11 * DAY)
    other.write([Reading("d", "native", START + timedelta(minutes=1), {"x": 3.0})])
    assert store.rollup(START + 11 * DAY) == 1
    assert means(store) == [2.0]
    assert store.rollup(START + 11 * DAY) == 0


def test_an_hour_that_no_rollup_came_to_is_not_taken_for_done(
    store: InfluxDBStore, now: Callable[[datetime], None]
) -> None:
    store.write([Reading("d", "native", START + HOUR, {"x": 1.0})])
    now(START + 10 * DAY)
    store.rollup(START + HOUR)
    store.rollup(START)
    assert store.rollup(START + 11 * DAY) == 1


def test_what_overlapping_rollups_wrote_over_is_done_again_however_long_ago_it_was(
    store: InfluxDBStore, other: InfluxDBStore, now: Callable[[datetime], None]
) -> None:
    store.write([Reading("d", "native", START, {"x": 1.0})])

    def overtake() -> None:
        other.write([Reading("d", "native", START + HOUR, {"x": 2.0})])
        now(START + 10 * DAY)
        other.rollup(START + 11 * DAY)
        other.rollup(START + 11 * DAY)

    before_first_write(store, b"days,device=d", overtake)
    store.rollup(START + HOUR)
    other.rollup(START + 11 * DAY)
    assert means(other) == [1.0, 2.0]
