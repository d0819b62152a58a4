"""What the InfluxDB store makes of every answer a server can give: a scripted one, and a real one where it can be brought to it."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pyarrow as pa
import pytest

from hearthwatch.errors import Invalid, Unavailable
from hearthwatch.telemetry import open_store
from hearthwatch.telemetry.influxdb import InfluxDBStore
from hearthwatch.telemetry.influxdb_requests import MAX_LINES
from hearthwatch.values import Event, Reading, WriteResult
from tests.conftest import free_port
from tests.influxdb_server import Influxd

START = datetime(2026, 5, 1, tzinfo=UTC)
NOTHING_FOUND = b"name,tags,QUERY PLAN\n,,\n"
Answer = tuple[int, dict[str, str], str]
STORED: Answer = (204, {}, "")


def said(status: int, message: str, **headers: str) -> Answer:
    """An error as InfluxDB words it."""
    return status, {name.replace("_", "-"): value for name, value in headers.items()}, json.dumps({"message": message})


class Script:
    """A server that answers writes as a test says, and finds nothing when it is asked."""

    def __init__(self) -> None:
        self.on_write: Callable[[str, list[str]], Answer | None] = lambda bucket, lines: STORED
        self.on_query: Callable[[], Answer | None] = lambda: (200, {}, NOTHING_FOUND.decode())
        self.requests: list[int] = []
        self.stored: dict[str, list[str]] = {}

    def write(self, bucket: str, lines: list[str]) -> Answer | None:
        """Answer a write; None cuts the connection in the middle of the answer."""
        self.requests.append(len(lines))
        answer = self.on_write(bucket, lines)
        if answer is not None and answer[0] == 204:
            self.stored.setdefault(bucket, []).extend(lines)
        return answer


def handler(script: Script) -> type[BaseHTTPRequestHandler]:
    """The script as a handler of requests."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            name = parse_qs(urlsplit(self.path).query).get("name", ["x"])[0]
            bucket = {"id": "1", "name": name, "orgID": "1", "retentionRules": []}
            self._answer((200, {"Content-Type": "application/json"}, json.dumps({"buckets": [bucket]})))

        def do_POST(self) -> None:
            url = urlsplit(self.path)
            body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
            if url.path == "/api/v2/write":
                self._answer(script.write(parse_qs(url.query)["bucket"][0], body.decode().split("\n")))
            elif url.path == "/query":
                self._answer(script.on_query())
            else:
                self._answer((200, {}, "{}"))

        def _answer(self, answer: Answer | None) -> None:
            if answer is None:
                self.wfile.write(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nname,tags")
                self.close_connection = True
                return
            status, headers, text = answer
            self.send_response(status)
            for name, value in headers.items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(text.encode())))
            self.end_headers()
            self.wfile.write(text.encode())

        def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the signature is the library's
            pass

    return Handler


@pytest.fixture
def script() -> Script:
    """What the scripted server answers."""
    return Script()


@pytest.fixture
def store(script: Script) -> Iterator[InfluxDBStore]:
    """A store on the scripted server."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler(script))
    thread = threading.Thread(target=server.serve_forever, args=(0.02,))
    thread.start()
    opened = InfluxDBStore(f"influxdb://127.0.0.1:{server.server_port}/hearthwatch/telemetry?token=t")
    try:
        yield opened
    finally:
        opened.close()
        server.shutdown()
        thread.join()
        server.server_close()


def readings(count: int = 10) -> list[Reading]:
    """Readings of as many devices."""
    return [Reading(f"d{n}", "native", START, {"x": float(n)}, firmware="1.0") for n in range(count)]


def refusing(*devices: str, status: int, message: str) -> Callable[[str, list[str]], Answer]:
    """A server that refuses the raw lines of some devices: the others are stored (422) or not (400)."""

    def answer(bucket: str, lines: list[str]) -> Answer:
        bad = [line for line in lines if any(f"device={device}," in line for device in devices)]
        return said(status, message) if bad and bucket == "telemetry" else STORED

    return answer


def test_a_204_is_stored(store: InfluxDBStore, script: Script) -> None:
    assert store.write(readings()) == WriteResult(10, 0)
    assert len(script.stored["telemetry"]) == 10
    assert script.stored["telemetry"][3] == 'readings,device=d3,stream=native Firmware="1.0",x=3 1777593600000000000'


def test_a_malformed_line_is_found_and_all_others_are_stored(store: InfluxDBStore, script: Script) -> None:
    script.on_write = refusing("d4", status=400, message="unable to parse")
    with pytest.raises(Invalid, match=r"d4: .*unable to parse"):
        store.write(readings())
    assert len(script.stored["telemetry"]) == 9
    assert script.stored["telemetry_state"], "what is stored has to be rolled up"


@pytest.mark.parametrize(
    "message",
    ["partial write: field type conflict: input field x dropped=1", "points beyond retention policy dropped=1"],
)
def test_lines_that_are_refused_for_good_are_named(store: InfluxDBStore, script: Script, message: str) -> None:
    script.on_write = refusing("d2", "d7", status=422, message=message)
    with pytest.raises(Invalid, match=r"d2: .*dropped=1 \(and 1 more\)"):
        store.write(readings())
    assert len(script.stored["telemetry"]) == 8


def test_halves_of_a_refused_batch_are_counted_as_stored(store: InfluxDBStore, script: Script) -> None:
    script.on_write = refusing("d4", status=400, message="unable to parse")
    with pytest.raises(Invalid):
        store.write(readings())
    assert store.write(readings()[:4]) == WriteResult(4, 0)
    assert store.write(readings()[5:]) == WriteResult(5, 0)


@pytest.mark.parametrize(
    ("status", "remedy"), [(401, "token"), (403, "read and write on telemetry"), (404, "does not exist")]
)
def test_what_an_operator_has_to_repair_drops_nothing(
    store: InfluxDBStore, script: Script, status: int, remedy: str
) -> None:
    script.on_write = lambda bucket, lines: said(status, "no")
    with pytest.raises(Unavailable, match=remedy):
        store.write(readings())
    script.on_write = lambda bucket, lines: STORED
    assert store.write(readings()) == WriteResult(10, 0)


def test_a_request_that_is_too_large_is_halved(store: InfluxDBStore, script: Script) -> None:
    script.on_write = lambda bucket, lines: said(413, "too large") if len(lines) > 3 else STORED
    assert store.write(readings()) == WriteResult(10, 0)
    assert len(set(script.stored["telemetry"])) == 10


def test_a_line_that_is_too_large_by_itself_is_refused(store: InfluxDBStore, script: Script) -> None:
    script.on_write = refusing("d1", status=413, message="too large")
    with pytest.raises(Invalid, match="d1"):
        store.write(readings())


def test_requests_are_bounded(store: InfluxDBStore, script: Script) -> None:
    count = 2 * MAX_LINES + 1
    store.write([Reading("d", "native", START + timedelta(seconds=n), {"x": 1.0}) for n in range(count)])
    assert max(script.requests) == MAX_LINES
    assert len(script.stored["telemetry"]) == count


@pytest.mark.parametrize("status", [429, 503])
def test_a_busy_server_says_when_to_come_again(store: InfluxDBStore, script: Script, status: int) -> None:
    script.on_write = lambda bucket, lines: said(status, "busy", Retry_After="7")
    with pytest.raises(Unavailable) as caught:
        store.write(readings())
    assert caught.value.retry_after == 7


def test_a_failure_of_the_server_is_no_failure_of_the_batch(store: InfluxDBStore, script: Script) -> None:
    script.on_write = lambda bucket, lines: said(500, "engine: disk full")
    with pytest.raises(Unavailable, match="disk full"):
        store.write(readings())


@pytest.mark.parametrize("bucket", ["telemetry", "telemetry_rollups", "telemetry_state"])
def test_a_batch_that_failed_half_way_is_completed_by_giving_it_again(
    store: InfluxDBStore, script: Script, bucket: str
) -> None:
    values: list[Reading | Event] = [
        *readings(),
        Event("d1", "native", START, "reboot"),
        Event("d1", "native", START, "fault"),
    ]
    script.on_write = lambda name, lines: said(503, "away") if name == bucket else STORED
    with pytest.raises(Unavailable):
        store.write(values)
    script.on_write = lambda name, lines: STORED
    assert store.write(values) == WriteResult(12, 0)
    assert len(set(script.stored["telemetry"])) == 10
    assert len(set(script.stored["telemetry_rollups"])) == 2


def test_a_cut_connection_is_a_server_that_is_away(store: InfluxDBStore, script: Script) -> None:
    script.on_write = lambda bucket, lines: None
    with pytest.raises(Unavailable):
        store.write(readings())


def test_an_answer_that_is_cut_is_not_taken_for_an_empty_one(store: InfluxDBStore, script: Script) -> None:
    script.on_query = lambda: None
    with pytest.raises(Unavailable):
        store.events(START, START + timedelta(days=1))
    script.on_query = lambda: (200, {}, "name,tags,time,Stored,metric\nnames,,0,1,x\n")
    with pytest.raises(Unavailable, match="not answered in full"):
        store.metrics()
    script.on_query = lambda: (200, {}, "")
    with pytest.raises(Unavailable, match="not answered in full"):
        store.metrics()
    script.on_query = lambda: said(401, "unauthorized access")
    with pytest.raises(Unavailable, match="token"):
        store.metrics()


def test_a_rollup_whose_answer_is_cut_leaves_the_hours_to_do(store: InfluxDBStore, script: Script) -> None:
    script.on_query = lambda: (200, {}, "name,tags,time,Version,Done,device\nmarks,,1777593600000000000,5,,a\n")
    with pytest.raises(Unavailable):
        store.rollup(START + timedelta(days=1))
    assert "telemetry_state" not in script.stored


def test_nobody_listens() -> None:
    store = open_store(f"influxdb://127.0.0.1:{free_port()}/hearthwatch/telemetry?token=t")
    with pytest.raises(Unavailable, match="does not answer"):
        store.write(readings())
    store.close()


# -- a real server ------------------------------------------------------------------------------------------------------


def test_a_wrong_token_or_organisation_is_said_by_the_real_server(influxd: Influxd) -> None:
    for wrong in (
        influxd.address().replace(influxd.token, "wrong"),
        influxd.address().replace(f"/{influxd.org}/", "/nobody/"),
    ):
        store = open_store(wrong)
        with pytest.raises(Unavailable, match="token"):
            store.write(readings())
        store.close()


def test_what_lies_beyond_the_retention_is_named_by_the_real_server(influxd: Influxd) -> None:
    address = influxd.address()
    store = open_store(address)
    assert isinstance(store, InfluxDBStore)
    now = datetime.now(UTC)
    store.write([Reading("fresh", "native", now, {"x": 1.0})])
    store.expire(raw_before=now - timedelta(days=3), rollups_before=now - timedelta(days=300))
    old = Reading("old", "native", now - timedelta(days=30), {"x": 1.0})
    with pytest.raises(Invalid, match=r"old: .*retention"):
        store.write([Reading("other", "native", now, {"x": 2.0}), old])
    assert store.window("other", now - timedelta(days=1), now + timedelta(days=1)).num_rows == 1
    store.close()


def test_a_history_older_than_the_retention_is_taken_in_and_rolled_up(influxd: Influxd) -> None:
    store = open_store(influxd.address())
    now = datetime.now(UTC)
    store.write([Reading("a", "native", now, {"x": 1.0})])
    store.expire(raw_before=now - timedelta(days=3), rollups_before=now - timedelta(days=700))
    at = now - timedelta(days=300)
    history = pa.table(
        {
            "device": ["a"],
            "at": pa.array([at], pa.timestamp("us", tz="UTC")),
            "firmware": ["1.0"],
            "x": [7.0],
        }
    )
    assert store.write_table("import:x", history) == WriteResult(1, 0)
    store.expire(raw_before=now - timedelta(days=3), rollups_before=now - timedelta(days=700))
    assert store.hourly(at - timedelta(days=1), at + timedelta(days=1)).column("mean").to_pylist() == [7.0]
    with pytest.raises(Invalid, match="retention"):  # the rule is there again
        store.write([Reading("b", "native", at, {"x": 1.0})])
    store.close()


def test_a_server_that_was_restarted_is_found_again_and_knows_everything(
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    from tests.influxdb_server import start, stop

    folder = tmp_path_factory.mktemp("restarted")
    port = free_port()
    server, process = start(folder, port=port)
    store = open_store(server.address("kept"))
    try:
        assert store.write(readings()) == WriteResult(10, 0)
        process.kill()  # not even asked to end: what was answered is durable
        process.wait()
        with pytest.raises(Unavailable):
            store.write(readings(20))
        _, process = start(folder, port=port)
        assert store.write(readings(20)) == WriteResult(10, 10)
        again = open_store(server.address("kept"))
        assert again.write(readings(20)) == WriteResult(0, 20)
        again.close()
    finally:
        store.close()
        stop(process)


def test_two_processes_hold_a_value_once(influxd: Influxd) -> None:
    address = influxd.address()
    one, other = open_store(address), open_store(address)
    one.write(readings())
    assert other.write(readings()) == WriteResult(0, 10)
    one.write([Reading("d1", "native", START + timedelta(hours=1), {"x": 5.0})])
    other.write([Reading("d1", "native", START + timedelta(hours=1), {"x": 5.0})])
    assert one.rollup(START + timedelta(days=1)) == 11
    assert other.rollup(START + timedelta(days=1)) == 0
    assert other.window("d1", START, START + timedelta(days=1)).num_rows == 2
    one.close()
    other.close()


def test_events_of_one_instant_that_two_processes_take_in_are_both_kept(influxd: Influxd) -> None:
    address = influxd.address()
    one, other = open_store(address), open_store(address)
    for store in (one, other):  # both know the device, and nothing of what the other writes from here on
        store.write([Event("d", "native", START, "reboot"), Reading("d", "native", START, {"x": 1.0})])
    later = START + timedelta(hours=1)
    assert one.write([Event("d", "native", later, "fault")]) == WriteResult(1, 0)
    assert other.write([Event("d", "native", later, "update")]) == WriteResult(1, 0)
    assert other.write([Event("d", "native", later, "fault")]) == WriteResult(0, 1)
    assert one.events(START, START + timedelta(days=1)).column("kind").to_pylist() == ["reboot", "fault", "update"]
    clockless = Reading("d", "native", later, {"x": 1.0}, boot="b", seq=1, clockless=True)
    assert one.write([clockless]) == WriteResult(1, 0)
    assert other.write([clockless]) == WriteResult(0, 1)
    one.close()
    other.close()


def clockless(seq: int, received: timedelta, device: str = "d", boot: str = "b") -> Reading:
    """A reading of a device without a clock."""
    return Reading(device, "native", START + received, {"x": float(seq)}, boot=boot, seq=seq, clockless=True)


def test_without_a_clock_a_reading_is_known_that_another_process_took_in_at_another_time(influxd: Influxd) -> None:
    address = influxd.address()
    one, other = open_store(address), open_store(address)
    assert one.write([clockless(1, timedelta())]) == WriteResult(1, 0)
    assert other.write([clockless(1, timedelta(seconds=1))]) == WriteResult(0, 1)
    assert other.write([clockless(2, timedelta(seconds=60)), clockless(1, timedelta(), "e")]) == WriteResult(2, 0)
    assert one.write([clockless(2, timedelta(seconds=75)), clockless(3, timedelta(seconds=75))]) == WriteResult(1, 1)
    assert other.write([clockless(3, timedelta(hours=9)), clockless(1, timedelta(hours=9), "e")]) == WriteResult(0, 2)
    assert one.write([clockless(1, timedelta(seconds=-30), "e")]) == WriteResult(0, 1)
    assert one.window("d", START, START + timedelta(days=1)).num_rows == 3
    one.close()
    other.close()


def test_a_table_that_failed_half_way_is_counted_as_if_for_the_first_time(
    store: InfluxDBStore, script: Script, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("hearthwatch.telemetry.influxdb_writing.BULK_ROWS", 4)
    values = [*readings(), *readings(3)]  # the last three are there twice
    table = pa.table(
        {
            "device": [one.device for one in values],
            "at": pa.array([one.at for one in values], pa.timestamp("us", tz="UTC")),
            "firmware": [one.firmware for one in values],
            "x": [one.metrics["x"] for one in values],
        }
    )
    script.on_write = lambda name, lines: (
        said(503, "away") if name == "telemetry" and "device=d4," in lines[0] else STORED
    )
    with pytest.raises(Unavailable):
        store.write_table("import:x", table)
    assert len(script.stored["telemetry"]) == 4
    script.on_write = lambda name, lines: STORED
    assert store.write_table("import:x", table) == WriteResult(10, 3)


def test_an_old_table_that_failed_half_way_is_counted_as_if_for_the_first_time(
    influxd: Influxd, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("hearthwatch.telemetry.influxdb_writing.BULK_ROWS", 4)
    store = InfluxDBStore(influxd.address())
    store.write([Reading("d", "import:x", START + timedelta(days=n), {"x": 1.0}) for n in (0, 9)])
    table = pa.table(
        {
            "device": ["d"] * 10,
            "at": pa.array([START + timedelta(hours=n) for n in range(10)], pa.timestamp("us", tz="UTC")),
            "firmware": pa.nulls(10, pa.string()),
            "x": [2.0] * 10,
        }
    )
    write, calls = store._server.write, iter(range(100))

    def away_once(bucket: str, body: bytes) -> None:
        if body.startswith(b"readings") and next(calls) == 1:
            raise Unavailable("away")
        write(bucket, body)

    store._server.write = away_once  # type: ignore[method-assign]
    with pytest.raises(Unavailable):
        store.write_table("import:x", table)
    assert store.write_table("import:x", table) == WriteResult(9, 1)
    assert store.write_table("import:x", table) == WriteResult(0, 10)
    store.close()


def test_what_the_real_server_says_of_a_query_that_failed_is_said(tmp_path_factory: pytest.TempPathFactory) -> None:
    from tests.influxdb_server import start, stop

    server, process = start(tmp_path_factory.mktemp("bounded"), "--influxql-max-select-series", "1")
    store = InfluxDBStore(server.address("bounded"))
    try:
        for device in "ab":
            store.write([Reading(device, "native", START, {"x": 1.0})])
        with pytest.raises(Unavailable, match=r"max-select-series limit exceeded"):
            store.rollup(START + timedelta(days=1))
        with pytest.raises(Unavailable, match=r"max-select-series limit exceeded"):
            list(store._server.stream("bounded", "SELECT x FROM readings", {}))
    finally:
        store.close()
        stop(process)
