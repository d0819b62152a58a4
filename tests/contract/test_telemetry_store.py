"""What every telemetry store keeps, whichever it is: one parameter for each implementation, and no test asks which it has."""

from __future__ import annotations

import json
import threading
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import msgspec
import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from hearthwatch.errors import Invalid, Unavailable
from hearthwatch.ports import TelemetryStore
from hearthwatch.telemetry import open_store
from hearthwatch.values import Event, Presence, Reading, WriteResult

START = datetime(2026, 5, 1, tzinfo=UTC)
HOUR = timedelta(hours=1)
DAY = timedelta(days=1)
END = START + 30 * DAY

Opener = Callable[[], TelemetryStore]
Stored = Reading | Event | Presence

LAWS = settings(max_examples=12, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


@pytest.fixture(params=["duckdb in memory", "duckdb in a file", "influxdb"])
def opened(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Opener]:
    """Opens empty stores of one implementation."""
    stores: list[TelemetryStore] = []
    server = request.getfixturevalue("influxd") if request.param == "influxdb" else None

    def opener() -> TelemetryStore:
        if server is not None:
            address = server.address()
        elif request.param == "duckdb in memory":
            address = "duckdb://"
        else:
            address = f"duckdb:///{tmp_path / f'{len(stores)}.duckdb'}"
        stores.append(open_store(address))
        return stores[-1]

    yield opener
    for store in stores:
        store.close()


@pytest.fixture
def store(opened: Opener) -> TelemetryStore:
    """An empty store."""
    return opened()


def reading(
    device: str = "a",
    after: timedelta = timedelta(),
    firmware: str | None = "1.0",
    metrics: Mapping[str, float] | None = None,
    **named: float,
) -> Reading:
    """A reading of the stream ``native``."""
    return Reading(device, "native", START + after, metrics or named or {"x": 1.0}, firmware=firmware)


def event(
    device: str = "a", after: timedelta = timedelta(), kind: str = "reboot", code: str = "watchdog", **rest: Any
) -> Event:
    """An event of the stream ``native``."""
    return Event(device, "native", START + after, kind, code, **rest)


def presence(
    device: str = "a", after: timedelta = timedelta(), *, online: bool = True, boot: str | None = None
) -> Presence:
    """A coming or going."""
    return Presence(device, "native", START + after, online, boot)


def series(store: TelemetryStore, *devices: str) -> list[tuple[Any, ...]]:
    """All raw values of devices as (device, at, stream, firmware, metric, value), in order."""
    return sorted(
        (device, row["at"], row["stream"], row["firmware"] or "", row["metric"], row["value"])
        for device in devices
        for row in store.window(device, START - DAY, END).to_pylist()
    )


def rows(table: pa.Table, *columns: str) -> list[tuple[Any, ...]]:
    """Some columns of a table, in order of their values."""
    return sorted(tuple(row[name] for name in columns) for row in table.select(list(columns)).to_pylist())


def table(readings: Sequence[Reading]) -> pa.Table:
    """Readings as a table."""
    names = sorted({name for one in readings for name in one.metrics})
    return pa.table(
        {
            "device": pa.array([one.device for one in readings], pa.string()),
            "at": pa.array([one.at for one in readings], pa.timestamp("us", tz="UTC")),
            "firmware": pa.array([one.firmware for one in readings], pa.string()),
            **{name: pa.array([one.metrics.get(name) for one in readings], pa.float64()) for name in names},
        }
    )


# -- what is refused -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "name",
    ["", "Temp", "1x", "x y", 'x"; DROP TABLE names; --', "x,y=1", "x\n", "é", "x" * 64, "device-id", "__", "x'"],
)
def test_a_name_that_is_no_metric_name_is_refused(store: TelemetryStore, name: str) -> None:
    with pytest.raises(Invalid):
        store.write([Reading("a", "native", START, {name: 1.0})])
    with pytest.raises(Invalid):
        store.write_table("native", table([Reading("a", "native", START, {name: 1.0})]))
    assert store.metrics() == []


@pytest.mark.parametrize("number", [float("nan"), float("inf"), float("-inf")])
def test_a_number_that_is_not_finite_is_refused(store: TelemetryStore, number: float) -> None:
    with pytest.raises(Invalid):
        store.write([reading(x=number)])
    with pytest.raises(Invalid):
        store.write_table("native", table([reading(x=number)]))


@pytest.mark.parametrize("number", [1.01e100, -1.7e308])
def test_a_number_whose_sums_could_overflow_is_refused(store: TelemetryStore, number: float) -> None:
    with pytest.raises(Invalid, match=r"x: .*too large"):
        store.write([reading(x=1.0), reading("b", x=number)])
    with pytest.raises(Invalid, match=r"x: .*too large"):
        store.write_table("native", table([reading(x=1.0), reading("b", x=number)]))
    assert store.metrics() == []


def test_the_largest_numbers_do_not_hide_what_else_happened(store: TelemetryStore) -> None:
    store.write([reading(after=timedelta(minutes=n), x=1e100, y=2.0) for n in range(50)])
    store.rollup(END)
    for question in (store.hourly, store.daily):
        found = rows(question(START, END), "metric", "n", "mean", "maximum")
        assert found == [("x", 50, pytest.approx(1e100), 1e100), ("y", 50, 2.0, 2.0)]
    assert rows(store.exposure(START, END), "device", "readings") == [("a", 50)]


def test_a_firmware_longer_than_the_wire_takes_is_refused(store: TelemetryStore) -> None:
    store.write([reading(firmware="x" * 256)])
    values = (
        reading("b", firmware="x" * 257),
        event("b", firmware="x" * 257),
        replace(presence("b"), firmware="x" * 257),
    )
    for value in values:
        with pytest.raises(Invalid, match="firmware"):
            store.write([value])
    with pytest.raises(Invalid, match="firmware"):
        store.write_table("native", table([reading("b", firmware="x" * 257)]))
    assert series(store, "b") == []


@pytest.mark.parametrize(
    "at", [START.replace(tzinfo=None), datetime(1969, 12, 31, tzinfo=UTC), datetime(2262, 6, 1, tzinfo=UTC)]
)
def test_a_time_that_no_store_can_keep_is_refused(store: TelemetryStore, at: datetime) -> None:
    with pytest.raises(Invalid):
        store.write([msgspec.structs.replace(reading(), at=at)])


def test_what_is_no_text_or_number_is_refused(store: TelemetryStore) -> None:
    with pytest.raises(Invalid):
        store.write([msgspec.structs.replace(reading(), firmware="\ud800")])
    with pytest.raises(Invalid):
        store.write([replace(event(), detail={"x": float("nan")})])
    with pytest.raises(Invalid):
        store.write([replace(event(), seq=2**70)])


@pytest.mark.parametrize(
    "wrong",
    [
        pa.table({"device": ["a"]}),
        pa.table({"at": pa.array([START]), "device": ["a"], "firmware": ["1"]}),
        pa.table({"device": [1], "at": pa.array([START]), "firmware": ["1"]}),
        pa.table({"device": ["a"], "at": ["2026-05-01"], "firmware": ["1"]}),
        pa.table({"device": ["a"], "at": pa.array([START.replace(tzinfo=None)]), "firmware": ["1"]}),
        pa.table({"device": pa.array([None], pa.string()), "at": pa.array([START]), "firmware": ["1"]}),
        pa.table({"device": ["a"], "at": pa.array([START]), "firmware": ["1"], "x": ["warm"]}),
    ],
    ids=[
        "no time",
        "wrong order",
        "device a number",
        "time a text",
        "time without offset",
        "no device",
        "metric a text",
    ],
)
def test_a_table_of_another_shape_is_refused(store: TelemetryStore, wrong: pa.Table) -> None:
    with pytest.raises(Invalid):
        store.write_table("import:x", wrong)


def test_a_batch_with_one_bad_value_stores_nothing_of_it(store: TelemetryStore) -> None:
    with pytest.raises(Invalid):
        store.write([reading(x=1.0), event(), reading(after=HOUR, x=float("nan"))])
    assert store.write([reading(x=1.0), event()]) == WriteResult(2, 0)
    assert store.metrics() == ["x"]


def test_a_closed_store_is_away(store: TelemetryStore) -> None:
    store.close()
    store.close()
    with pytest.raises(Unavailable):
        store.write([reading()])
    with pytest.raises(Unavailable):
        store.latest(["a"])


# -- nothing there ---------------------------------------------------------------------------------------------------------


def test_an_empty_store_answers_every_question_with_nothing(store: TelemetryStore) -> None:
    assert store.write([]) == WriteResult(0, 0)
    assert store.rollup(END) == 0
    answers = {
        "hourly": ["device", "firmware", "hour", "metric", "n", "mean", "minimum", "maximum", "last"],
        "daily": ["device", "firmware", "day", "metric", "n", "mean", "minimum", "maximum", "last"],
        "exposure": ["device", "firmware", "hour", "readings"],
        "events": ["device", "at", "firmware", "kind", "code", "detail", "boot", "seq"],
        "presence": ["device", "at", "online", "boot", "firmware"],
    }
    for question, columns in answers.items():
        answer = getattr(store, question)(START, END)
        assert (answer.num_rows, answer.column_names) == (0, columns)
    window = store.window("a", START, END)
    assert (window.num_rows, window.column_names) == (0, ["at", "stream", "firmware", "metric", "value"])
    assert store.latest(["a"]) == {}
    assert store.metrics() == []
    assert store.expire(raw_before=START, rollups_before=START) == 0


def test_questions_about_nobody_and_nothing_find_nothing(store: TelemetryStore) -> None:
    store.write([reading(), event()])
    store.rollup(END)
    assert store.hourly(START, END, devices=[]).num_rows == 0
    assert store.hourly(START, END, metrics=[]).num_rows == 0
    assert store.daily(START, END, devices=["nobody"]).num_rows == 0
    assert store.events(START, END, kinds=[]).num_rows == 0
    assert store.window("a", START, END, metrics=["unheard_of"]).num_rows == 0
    assert store.window("a", END, START).num_rows == 0
    assert store.latest([]) == {}


def test_times_are_in_utc_to_the_microsecond(store: TelemetryStore) -> None:
    store.write([reading(after=timedelta(microseconds=1)), event(after=timedelta(microseconds=2)), presence()])
    store.rollup(END)
    kind = pa.timestamp("us", tz="UTC")
    assert store.window("a", START, END).schema.field("at").type == kind
    assert store.events(START, END).schema.field("at").type == kind
    assert store.presence(START, END).schema.field("at").type == kind
    assert store.hourly(START, END).schema.field("hour").type == kind
    assert store.daily(START, END).schema.field("day").type == kind
    assert store.exposure(START, END).schema.field("hour").type == kind
    assert series(store, "a")[0][1] == START + timedelta(microseconds=1)
    assert store.latest(["a"])["a"]["x"] == (START + timedelta(microseconds=1), 1.0)


# -- the key -----------------------------------------------------------------------------------------------------------


def test_a_redelivery_is_a_duplicate_and_leaves_the_first_as_it_is(store: TelemetryStore) -> None:
    assert store.write([reading(x=1.0), reading(x=2.0)]) == WriteResult(1, 1)
    assert store.write([reading(x=3.0, y=4.0)]) == WriteResult(0, 1)
    assert series(store, "a") == [("a", START, "native", "1.0", "x", 1.0)]


def test_a_redelivery_after_an_update_keeps_the_firmware_of_then(store: TelemetryStore) -> None:
    store.write([reading(firmware="1.0"), event(firmware="1.0")])
    assert store.write([reading(firmware="2.0"), event(firmware="2.0")]) == WriteResult(0, 2)
    assert series(store, "a") == [("a", START, "native", "1.0", "x", 1.0)]
    assert store.events(START, END).column("firmware").to_pylist() == ["1.0"]


def test_a_batch_is_told_which_of_it_was_there_already(store: TelemetryStore) -> None:
    store.write([reading("b"), event("b"), presence("b")])
    sensor = Reading("b", "tasmota/SENSOR", START, {"y": 2.0})
    clockless = Reading("c", "native", START, {"x": 1.0}, boot="b1", seq=7, clockless=True)
    again = reading("a")
    mixed: list[Reading | Event | Presence] = [presence("b"), again, reading("b"), sensor, event("a"), event("b")]
    result = store.write([*mixed, again, clockless, clockless, sensor])
    assert (result, result.repeated) == (WriteResult(4, 6), (0, 2, 5, 6, 8, 9))
    assert store.write([reading("d")]).repeated == ()


def test_two_streams_in_one_instant_are_two_readings(store: TelemetryStore) -> None:
    state = Reading("a", "tasmota/STATE", START, {"x": 1.0})
    sensor = Reading("a", "tasmota/SENSOR", START, {"y": 2.0})
    assert store.write([state, sensor]) == WriteResult(2, 0)
    assert store.write([sensor, reading(x=3.0)]) == WriteResult(1, 1)
    assert [row[2:] for row in series(store, "a")] == [
        ("native", "1.0", "x", 3.0),
        ("tasmota/SENSOR", "", "y", 2.0),
        ("tasmota/STATE", "", "x", 1.0),
    ]


def test_devices_do_not_share_keys(store: TelemetryStore) -> None:
    assert store.write([reading("a"), reading("b"), event("a"), event("b")]) == WriteResult(4, 0)


def test_without_a_clock_the_boot_and_its_count_are_the_key(store: TelemetryStore) -> None:
    first = Reading("a", "native", START, {"x": 1.0}, boot="b1", seq=7, clockless=True)
    assert store.write([first, msgspec.structs.replace(first, seq=8, metrics={"x": 2.0})]) == WriteResult(2, 0)
    again = msgspec.structs.replace(first, at=START + 5 * DAY, metrics={"x": 9.0})
    assert store.write([again, msgspec.structs.replace(again, boot="b2")]) == WriteResult(1, 1)
    assert [row[-1] for row in series(store, "a")] == [1.0, 2.0, 9.0]


def test_a_reading_with_a_clock_is_no_copy_of_one_without(store: TelemetryStore) -> None:
    clockless = Reading("a", "native", START, {"x": 1.0}, boot="b1", seq=7, clockless=True)
    assert store.write([clockless]) == WriteResult(1, 0)
    assert store.write(
        [msgspec.structs.replace(clockless, clockless=False), msgspec.structs.replace(clockless, seq=8)]
    ) == WriteResult(2, 0)


def test_events_of_one_instant_are_told_apart_by_what_they_say(store: TelemetryStore) -> None:
    said = [
        event(code="panic"),
        event(code="watchdog"),
        event(kind="update"),
        event(boot="b1", seq=1),
        event(boot="b1", seq=2),
    ]
    assert store.write(said) == WriteResult(5, 0)
    assert store.write([*said, event(code="brownout")]) == WriteResult(1, 5)


def test_coming_and_going_in_one_instant_are_two(store: TelemetryStore) -> None:
    both = [presence(online=True, boot="b1"), presence(online=False, boot="b1"), presence(online=True, boot="b2")]
    assert store.write(both) == WriteResult(3, 0)
    assert store.write(both) == WriteResult(0, 3)
    assert store.presence(START, END).column("online").to_pylist() == [True, False, True]


def test_many_writers_at_once_store_each_value_once(store: TelemetryStore) -> None:
    results: list[WriteResult] = []
    begin = threading.Barrier(4)

    def write(first: int) -> None:
        begin.wait()
        for step in range(5):
            values = [
                reading(f"d{n}", timedelta(minutes=step), metrics={f"m{first}": 1.0}) for n in range(first, first + 20)
            ]
            results.append(store.write(values))
            store.latest(["d0", "d12"])

    threads = [threading.Thread(target=write, args=(10 * number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(results) == 20
    assert sum(result.stored for result in results) == 50 * 5
    assert sum(result.duplicate for result in results) == 30 * 5


# -- what was written can be read ---------------------------------------------------------------------------------------------


def test_late_readings_are_kept_and_shown_in_order(store: TelemetryStore) -> None:
    for after in (5, 1, 3, 0, 4):
        store.write([reading(after=after * DAY, x=float(after))])
    window = store.window("a", START, END)
    assert window.column("value").to_pylist() == [0.0, 1.0, 3.0, 4.0, 5.0]


def test_a_window_holds_its_beginning_and_not_its_end(store: TelemetryStore) -> None:
    store.write([reading(after=n * HOUR, x=float(n), y=0.5) for n in range(4)])
    window = store.window("a", START + HOUR, START + 3 * HOUR, metrics=["x"])
    assert window.to_pylist() == [
        {"at": START + HOUR, "stream": "native", "firmware": "1.0", "metric": "x", "value": 1.0},
        {"at": START + 2 * HOUR, "stream": "native", "firmware": "1.0", "metric": "x", "value": 2.0},
    ]


def test_a_window_in_another_time_zone_is_the_same_window(store: TelemetryStore) -> None:
    from zoneinfo import ZoneInfo

    store.write([reading(after=n * HOUR) for n in range(4)])
    zone = ZoneInfo("Asia/Shanghai")
    there = store.window("a", (START + HOUR).astimezone(zone), (START + 2 * HOUR).astimezone(zone))
    assert there.column("at").to_pylist() == [START + HOUR]


def test_a_metric_may_be_called_like_any_column_of_the_store(store: TelemetryStore) -> None:
    names = "at boot clockless count day device field firmware hour last mean measurement metric n seq stream tags time us value"
    hostile = {name: float(number) for number, name in enumerate(names.split())}
    store.write([reading(metrics=hostile)])
    store.rollup(END)
    assert store.metrics() == sorted(hostile)
    assert rows(store.window("a", START, END), "metric", "value") == sorted(hostile.items())
    assert rows(store.window("a", START, END, metrics=["time", "device"]), "metric") == [("device",), ("time",)]
    assert store.latest(["a"])["a"] == {name: (START, value) for name, value in hostile.items()}
    for table in (store.hourly(START, END), store.daily(START, END)):
        assert rows(table, "device", "metric", "n", "mean") == sorted(("a", name, 1, v) for name, v in hostile.items())


def test_more_metrics_than_a_table_has_columns_are_all_kept(store: TelemetryStore) -> None:
    many = {f"m{number}": float(number) for number in range(150)}
    assert store.write([reading(metrics=many), reading(metrics=many)]) == WriteResult(1, 1)
    assert store.write([reading(metrics=many), reading(after=HOUR, metrics=many)]) == WriteResult(1, 1)
    store.rollup(END)
    assert store.window("a", START, START + HOUR).num_rows == 150
    assert store.metrics() == sorted(many)
    assert store.latest(["a"])["a"] == {name: (START + HOUR, value) for name, value in many.items()}
    assert rows(store.daily(START, END), "metric", "n", "mean") == sorted(
        (name, 2, value) for name, value in many.items()
    )


def test_booleans_and_whole_numbers_become_numbers(store: TelemetryStore) -> None:
    store.write([Reading("a", "native", START, {"x": True, "y": 2**60, "z": 3})])
    assert [row[-1] for row in series(store, "a")] == [1.0, float(2**60), 3.0]


def test_a_reading_without_metrics_still_is_one(store: TelemetryStore) -> None:
    bare = Reading("a", "native", START, {}, firmware="1.0")
    assert store.write([bare]) == WriteResult(1, 0)
    assert store.write([bare]) == WriteResult(0, 1)
    store.rollup(END)
    assert rows(store.exposure(START, END), "device", "readings") == [("a", 1)]


@pytest.mark.parametrize(
    "text",
    [
        "设备 固件 1.0",
        "1.0'; DROP TABLE names; --",
        '"',
        "\\",
        "a\tb\nc",
        "🏠",
        "=1+1",
        "a\x00b",
        "\x7f",
        "",
        "1;2|3%41,x=y",
    ],
)
def test_texts_come_back_as_they_were(store: TelemetryStore, text: str) -> None:
    store.write(
        [
            reading(firmware=text),
            event(kind=text or "k", code=text, detail={"text": text, "ключ": [1, None]}, boot=text),
        ]
    )
    assert series(store, "a")[0][3] == text
    (found,) = store.events(START, END).to_pylist()
    assert (found["kind"], found["code"], found["boot"]) == (text or "k", text, text)
    assert json.loads(found["detail"]) == {"text": text, "ключ": [1, None]}
    store.rollup(END)
    for question in (store.hourly, store.daily, store.exposure):
        assert question(START, END).column("firmware").to_pylist() == [text]
    assert store.daily(START, START + HOUR).column("firmware").to_pylist() == [text]


@pytest.mark.parametrize(
    "name", ["a b", "a,b=c", "a'b\"c", "设备", "back\\slash\\", "new\nline", "100%", "/a|b(c)*.+$/", "x" * 64]
)
def test_a_device_is_found_by_its_name_whatever_it_is(store: TelemetryStore, name: str) -> None:
    stream = f"stream {name}"
    values = [Reading(one, stream, START, {"x": 1.0}) for one in (name, "b", "ab")]
    assert store.write([*values, event(name), presence(name)]) == WriteResult(5, 0)
    assert store.write([*values, event(name), presence(name)]) == WriteResult(0, 5)
    store.rollup(END)
    assert [row[:4] for row in series(store, name)] == [(name, START, stream, "")]
    assert store.latest([name, "b"]).keys() == {name, "b"}
    for question in (store.hourly, store.daily, store.exposure, store.events, store.presence):
        asked: Any = question
        assert set(asked(START, END, devices=[name, "c"]).column("device").to_pylist()) == {name}


def test_events_are_found_by_time_device_and_kind_in_order(store: TelemetryStore) -> None:
    store.write(
        [event("b", 2 * HOUR), event("a", HOUR, "update", "installed", firmware="2"), event("a", seq=3, boot="b7")]
    )
    every = store.events(START, END)
    assert every.column("at").to_pylist() == [START, START + HOUR, START + 2 * HOUR]
    assert every.slice(0, 1).to_pylist() == [
        {
            "device": "a",
            "at": START,
            "firmware": None,
            "kind": "reboot",
            "code": "watchdog",
            "detail": "{}",
            "boot": "b7",
            "seq": 3,
        }
    ]
    assert rows(store.events(START, END, kinds=["update"]), "device", "firmware") == [("a", "2")]
    assert rows(store.events(START, END, devices=["b", "c"]), "device") == [("b",)]
    assert rows(store.events(START + HOUR, START + 2 * HOUR), "kind") == [("update",)]


def test_comings_and_goings_are_found_by_time_and_device(store: TelemetryStore) -> None:
    store.write([presence("a", HOUR, online=False), presence("a", boot="b1"), presence("b", 2 * HOUR)])
    assert store.presence(START, START + 2 * HOUR).to_pylist() == [
        {"device": "a", "at": START, "online": True, "boot": "b1", "firmware": None},
        {"device": "a", "at": START + HOUR, "online": False, "boot": None, "firmware": None},
    ]
    assert rows(store.presence(START, END, devices=["b"]), "device") == [("b",)]


def test_the_latest_value_of_each_metric_is_known_before_and_after_a_rollup(store: TelemetryStore) -> None:
    store.write([reading("a", 2 * HOUR, x=2.0), reading("a", HOUR, x=1.0, y=1.5), reading("b", HOUR, x=7.0)])
    expected = {
        "a": {"x": (START + 2 * HOUR, 2.0), "y": (START + HOUR, 1.5)},
        "b": {"x": (START + HOUR, 7.0)},
    }
    assert store.latest(["a", "b", "c"]) == expected
    store.rollup(START + 2 * HOUR)
    assert store.latest(["a", "b"]) == expected
    store.rollup(END)
    store.write([reading("a", 90 * timedelta(minutes=1), x=9.0, y=9.0)])
    assert store.latest(["a"])["a"] == {"x": (START + 2 * HOUR, 2.0), "y": (START + 1.5 * HOUR, 9.0)}


# -- rollups -------------------------------------------------------------------------------------------------------------


def test_an_hour_that_has_not_ended_is_not_rolled_up(store: TelemetryStore) -> None:
    store.write([reading(after=n * HOUR / 2) for n in range(4)])
    assert store.rollup(START + 1.9 * HOUR) == 1
    assert store.hourly(START, END).column("hour").to_pylist() == [START]
    assert store.exposure(START, END).num_rows == 1
    assert store.rollup(START + 2 * HOUR) == 1
    assert store.rollup(END) == 0


def test_a_rollup_says_what_happened_in_the_hour(store: TelemetryStore) -> None:
    values = [(0, 4.0), (20, 1.0), (40, 7.0)]
    store.write([reading(after=timedelta(minutes=minute), x=value) for minute, value in values])
    store.rollup(END)
    assert store.hourly(START, END).to_pylist() == [
        {
            "device": "a",
            "firmware": "1.0",
            "hour": START,
            "metric": "x",
            "n": 3,
            "mean": 4.0,
            "minimum": 1.0,
            "maximum": 7.0,
            "last": 7.0,
        }
    ]


def test_a_late_reading_corrects_its_hour(store: TelemetryStore) -> None:
    store.write([reading(after=HOUR / 2, x=4.0), reading("b", x=1.0)])
    store.rollup(END)
    store.write([reading(after=HOUR / 4, x=2.0), reading(after=HOUR / 3, firmware="2.0", x=9.0)])
    assert store.rollup(END) == 2
    found = rows(store.hourly(START, END), "device", "firmware", "n", "mean", "last")
    assert found == [("a", "1.0", 2, 3.0, 4.0), ("a", "2.0", 1, 9.0, 9.0), ("b", "1.0", 1, 1.0, 1.0)]


def test_a_metric_that_comes_by_two_streams_is_one_in_the_rollup(store: TelemetryStore) -> None:
    store.write(
        [
            reading(x=1.0),
            Reading("a", "tasmota/STATE", START + HOUR / 2, {"x": 3.0}, firmware="1.0"),
            reading(after=HOUR / 3, x=2.0),
        ]
    )
    store.rollup(END)
    assert rows(store.hourly(START, END), "n", "mean", "minimum", "maximum", "last") == [(3, 2.0, 1.0, 3.0, 3.0)]


def test_a_day_is_summed_over_its_firmwares_and_named_after_the_last(store: TelemetryStore) -> None:
    store.write([reading(x=1.0), reading(after=HOUR, x=2.0, y=5.0), reading(after=2 * HOUR, firmware="2.0", x=6.0)])
    store.write([reading(after=DAY, firmware="2.0", x=8.0)])
    store.rollup(END)
    found = rows(store.daily(START, END), "day", "metric", "firmware", "n", "mean", "minimum", "maximum", "last")
    assert found == [
        (START, "x", "2.0", 3, 3.0, 1.0, 6.0, 6.0),
        (START, "y", "2.0", 1, 5.0, 5.0, 5.0, 5.0),
        (START + DAY, "x", "2.0", 1, 8.0, 8.0, 8.0, 8.0),
    ]
    assert rows(store.daily(START + HOUR, START + 2 * HOUR), "metric", "n") == [("x", 1), ("y", 1)]


def test_rollups_are_found_by_time_device_and_metric(store: TelemetryStore) -> None:
    store.write([reading(name, n * HOUR, x=1.0, y=2.0) for n in range(3) for name in "abc"])
    store.rollup(END)
    found = store.hourly(START + HOUR / 2, START + 2 * HOUR, devices=["a", "c"], metrics=["y"])
    assert rows(found, "device", "hour", "metric") == [("a", START + HOUR, "y"), ("c", START + HOUR, "y")]
    assert rows(store.exposure(START, START + HOUR, devices=["b"]), "device", "hour") == [("b", START)]
    assert store.daily(START, END, devices=["a"], metrics=["x", "y"]).num_rows == 2


def test_exposure_counts_every_hour_in_which_a_device_said_something(store: TelemetryStore) -> None:
    store.write(
        [
            reading("a"),
            reading("a", HOUR / 2),
            reading("a", 2 * HOUR),
            event("crashing", 3 * HOUR, firmware="1.1"),
            presence("came", HOUR),
            presence("went", HOUR, online=False),  # the broker says so, not the device
        ]
    )
    store.rollup(END)
    found = rows(store.exposure(START, END), "device", "hour", "readings")
    assert found == [
        ("a", START, 2),
        ("a", START + 2 * HOUR, 1),
        ("came", START + HOUR, 0),
        ("crashing", START + 3 * HOUR, 0),
    ]


def test_what_names_no_firmware_adds_no_second_hour(store: TelemetryStore) -> None:
    store.write([reading("a"), presence("a", HOUR / 2), event("b", HOUR / 3), reading("c", firmware=None)])
    store.write([reading("d"), reading("d", HOUR / 2, firmware="2.0"), event("d", HOUR / 3)])
    store.rollup(END)
    found = rows(store.exposure(START, END), "device", "readings")
    assert found == [("a", 1), ("b", 0), ("c", 1), ("d", 1), ("d", 1)]
    firmwares = store.exposure(START, END, devices=["a", "b", "d"]).column("firmware").to_pylist()
    assert sorted(firmwares, key=str) == ["1.0", "1.0", "2.0", None]


# -- retention ---------------------------------------------------------------------------------------------------------------


def test_raw_readings_age_out_and_the_rollups_stay(store: TelemetryStore) -> None:
    store.write([reading(after=n * DAY, x=float(n)) for n in range(4)] + [event(), presence()])
    assert store.expire(raw_before=START + 2 * DAY, rollups_before=START) == 2
    assert [row[-1] for row in series(store, "a")] == [2.0, 3.0]
    store.rollup(END)
    assert store.hourly(START, END).num_rows == 4
    assert store.events(START, END).num_rows == 1
    assert store.latest(["a"])["a"]["x"] == (START + 3 * DAY, 3.0)


def test_rollups_events_and_presence_age_out_too(store: TelemetryStore) -> None:
    store.write([reading(after=n * DAY) for n in range(4)] + [event(), event(after=DAY), presence()])
    store.rollup(END)
    store.expire(raw_before=START + 4 * DAY, rollups_before=START + DAY)
    assert store.hourly(START, END).num_rows == 3
    assert store.exposure(START, END).num_rows == 3
    assert store.events(START, END).num_rows == 1
    assert store.presence(START, END).num_rows == 0
    assert store.metrics() == ["x"]


def test_a_device_that_went_silent_keeps_its_latest_values(store: TelemetryStore) -> None:
    store.write([reading(x=1.0), reading(after=HOUR / 2, x=2.0)])
    store.expire(raw_before=START + 10 * DAY, rollups_before=START)
    assert series(store, "a") == []
    assert store.latest(["a"]) == {"a": {"x": (START + HOUR / 2, 2.0)}}


def test_a_straggler_does_not_replace_the_rollup_of_an_hour_that_aged_out(store: TelemetryStore) -> None:
    store.write([reading(after=timedelta(minutes=n), x=10.0) for n in range(30)])
    store.expire(raw_before=START + DAY, rollups_before=START)
    store.write([reading(after=HOUR / 2, x=99.0), reading("b", x=5.0)])
    store.rollup(END)
    assert rows(store.hourly(START, END), "device", "n", "mean") == [("a", 30, 10.0), ("b", 1, 5.0)]
    assert rows(store.exposure(START, END), "device", "readings") == [("a", 30), ("b", 1)]


def test_what_was_redelivered_after_a_cut_within_the_hour_is_still_known(store: TelemetryStore) -> None:
    store.write([reading(), reading(after=HOUR / 2)])
    store.expire(raw_before=START + HOUR / 4, rollups_before=START)
    assert store.write([reading(), reading(after=HOUR / 2)]) == WriteResult(0, 2)


# -- bulk ------------------------------------------------------------------------------------------------------------------


def test_a_table_is_stored_like_its_readings_one_by_one(opened: Opener) -> None:
    readings = [
        reading(f"d{n % 7}", timedelta(hours=n % 50, minutes=n % 3), metrics={f"m{n % 4}": float(n)})
        for n in range(300)
    ]
    bulk, single = opened(), opened()
    assert bulk.write_table("native", table(readings)) == single.write(readings)
    names = [f"d{n}" for n in range(7)]
    assert series(bulk, *names) == series(single, *names)
    assert single.write_table("native", table(readings)) == WriteResult(0, 300)


def test_a_table_without_rows_or_without_metrics_is_fine(store: TelemetryStore) -> None:
    assert store.write_table("import:x", table([])) == WriteResult(0, 0)
    assert store.write_table("import:x", table([Reading("a", "", START, {})])) == WriteResult(1, 0)
    nameless = table([reading("b")]).set_column(2, "firmware", pa.nulls(1))
    assert store.write_table("import:x", nameless) == WriteResult(1, 0)
    assert series(store, "b") == [("b", START, "import:x", "", "x", 1.0)]


def test_a_history_and_live_data_lie_side_by_side(store: TelemetryStore) -> None:
    store.write_table("import:past", table([reading(x=1.0), reading(after=HOUR, x=2.0)]))
    assert store.write([reading(x=5.0), reading(after=2 * HOUR, x=3.0)]) == WriteResult(2, 0)
    store.rollup(END)
    assert rows(store.daily(START, END), "n", "mean", "last") == [(4, 2.75, 3.0)]


# -- laws ------------------------------------------------------------------------------------------------------------------

_devices = st.sampled_from(["a", "b"])
_times = st.integers(0, 40).map(lambda n: START + n * timedelta(minutes=10))
_numbers = st.floats(-1e6, 1e6).map(lambda value: round(value, 3) + 0.0)
_firmwares = st.sampled_from([None, "1.0", "2.0"])
_readings = st.builds(
    Reading,
    device=_devices,
    stream=st.sampled_from(["native", "tasmota/STATE"]),
    at=_times,
    metrics=st.dictionaries(st.sampled_from(["x", "y", "z"]), _numbers, max_size=3),
    firmware=_firmwares,
)
_events = st.builds(
    Event,
    device=_devices,
    stream=st.just("native"),
    at=_times,
    kind=st.sampled_from(["reboot", "fault"]),
    firmware=_firmwares,
)
_presences = st.builds(Presence, device=_devices, stream=st.just("native"), at=_times, online=st.booleans())
_batches = st.lists(_readings | _readings | _events | _presences, max_size=25)


def key(value: Stored) -> tuple[Any, ...]:
    """What makes a value the same one."""
    rest = (
        (value.kind, value.code) if isinstance(value, Event) else (value.online,) if isinstance(value, Presence) else ()
    )
    return type(value).__name__, value.device, value.stream, value.at, *rest


def first_of_each(values: Sequence[Stored]) -> list[Stored]:
    """Values without those whose key came before."""
    return list({key(value): value for value in reversed(values)}.values())[::-1]


def recomputed(readings: Sequence[Reading]) -> dict[tuple[Any, ...], list[tuple[datetime, float]]]:
    """Values by device, firmware, hour and metric, in order of time."""
    groups: dict[tuple[Any, ...], list[tuple[datetime, float]]] = defaultdict(list)
    for one in sorted(readings, key=lambda one: one.at):
        hour = one.at.replace(minute=0)
        for metric, value in one.metrics.items():
            groups[one.device, one.firmware, hour, metric].append((one.at, value))
    return groups


@LAWS
@given(values=_batches)
def test_what_was_written_is_read_back(opened: Opener, values: list[Stored]) -> None:
    store = opened()
    kept = first_of_each(values)
    assert store.write(values) == WriteResult(len(kept), len(values) - len(kept))
    expected = sorted(
        (one.device, one.at, one.stream, one.firmware or "", metric, value)
        for one in kept
        if isinstance(one, Reading)
        for metric, value in one.metrics.items()
    )
    assert series(store, "a", "b") == expected
    assert store.events(START, END).num_rows == sum(isinstance(one, Event) for one in kept)
    assert store.presence(START, END).num_rows == sum(isinstance(one, Presence) for one in kept)
    store.close()


@LAWS
@given(values=_batches)
def test_writing_twice_is_writing_once(opened: Opener, values: list[Stored]) -> None:
    store = opened()
    first = store.write(values)
    before = series(store, "a", "b")
    assert store.write(values) == WriteResult(0, len(values))
    assert series(store, "a", "b") == before
    assert first.stored + first.duplicate == len(values)
    store.close()


@LAWS
@given(data=st.data())
def test_any_order_and_any_split_of_a_batch_give_the_same_series(opened: Opener, data: st.DataObject) -> None:
    values = first_of_each(data.draw(_batches))
    mixed = data.draw(st.permutations(values))
    cuts = sorted(data.draw(st.lists(st.integers(0, len(mixed)), max_size=3)))
    whole, split = opened(), opened()
    whole.write(values)
    for first, last in zip([0, *cuts], [*cuts, len(mixed)], strict=True):
        split.write(mixed[first:last])
        split.rollup(START + data.draw(st.integers(0, 9)) * HOUR)
    for store in (whole, split):
        store.rollup(END)
    assert series(whole, "a", "b") == series(split, "a", "b")
    for question in ("hourly", "daily", "exposure", "events", "presence"):
        one, other = getattr(whole, question)(START, END), getattr(split, question)(START, END)
        # The last value of two streams in one instant is either's, the mean is exact only up to rounding.
        names = [name for name in one.column_names if name not in {"last", "mean", "firmware"}]
        assert rows(one, *names) == rows(other, *names)
    whole.close()
    split.close()


@LAWS
@given(batches=st.lists(_batches, max_size=3))
def test_rollups_that_grew_equal_those_computed_from_all_rows(opened: Opener, batches: list[list[Stored]]) -> None:
    store = opened()
    for step, batch in enumerate(batches):
        store.write(batch)
        store.rollup(START + 3 * step * HOUR)
    store.rollup(END)
    kept = [one for one in first_of_each([one for batch in batches for one in batch]) if isinstance(one, Reading)]
    expected = recomputed(kept)
    found = store.hourly(START, END).to_pylist()
    assert {(row["device"], row["firmware"], row["hour"], row["metric"]) for row in found} == set(expected)
    assert len(found) == len(expected)
    for row in found:
        series_ = expected[row["device"], row["firmware"], row["hour"], row["metric"]]
        numbers = [value for _, value in series_]
        assert (row["n"], row["minimum"], row["maximum"]) == (len(numbers), min(numbers), max(numbers))
        assert row["mean"] == pytest.approx(sum(numbers) / len(numbers), abs=1e-6)
        assert row["last"] in [value for at, value in series_ if at == series_[-1][0]]
    store.close()
