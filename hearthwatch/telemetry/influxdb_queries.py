"""Questions to the InfluxDB buckets; answers are Arrow tables in the shapes of `answers`."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import duckdb
import pyarrow as pa
import pyarrow.compute as pc

from hearthwatch.telemetry import influxdb_days as days
from hearthwatch.telemetry.answers import (
    DAILY,
    EVENTS,
    EXPOSURE,
    HOURLY,
    PRESENCE,
    UTC_TIME,
    WINDOW,
    Latest,
    take_newer,
)
from hearthwatch.telemetry.influxdb_known import ALL_DEVICES, among_devices
from hearthwatch.telemetry.influxdb_lines import OF_METRIC, field_of, metric_of, names_of, tag, texts_of, untag
from hearthwatch.telemetry.influxdb_server import Server
from hearthwatch.telemetry.times import HOUR_US, first_hour, instant
from hearthwatch.values import METRIC_NAME

DAY_HOURS = 24
METRICS_A_QUERY = 100
_HOUR_NS = HOUR_US * 1000
_FIRST = "1970-01-01T00:00:00Z"


@dataclass(frozen=True, slots=True)
class Span:
    """Nanoseconds [since, until)."""

    since: int
    until: int

    @property
    def empty(self) -> bool:
        """Whether nothing lies in it."""
        return self.since >= self.until

    def __str__(self) -> str:
        return f"time >= {self.since} AND time < {self.until}"


def span_of(since: datetime, until: datetime, hidden_before: int) -> Span:
    """The instants of a question, but for those of hours that aged out."""
    return Span(max(instant(since) * 1000, hidden_before * _HOUR_NS), instant(until) * 1000)


def hours_of(since: datetime, until: datetime, hidden_before: int) -> tuple[int, int]:
    """Hours that begin in [since, until), but for those that aged out."""
    return max(first_hour(since), hidden_before), first_hour(until)


def select(
    server: Server, bucket: str, columns: str, measurement: str, span: Span, devices: Sequence[str] | None
) -> pa.Table:
    """Rows with their device, in order of time (but for parts of a long list of devices). Without rows, without columns."""
    if span.empty or (devices is not None and not devices):
        return pa.table({})
    query = f"SELECT {columns}, device FROM {measurement} WHERE {span}"
    tags = None if devices is None else [tag(one) for one in dict.fromkeys(devices) if one]
    if tags is None or len(tags) > ALL_DEVICES:
        found = server.select(bucket, query, {})
        if tags is not None and found.num_rows:
            found = found.filter(pc.is_in(found["device"], pa.array(tags, pa.string())))
        return found
    parts = [server.select(bucket, f"{query} AND {among}", {}) for among in among_devices(tags)]
    parts = [part for part in parts if part.num_rows]
    if not parts:
        return pa.table({})
    return parts[0] if len(parts) == 1 else pa.concat_tables(parts).sort_by("time")


def events(server: Server, span: Span, devices: Sequence[str] | None, kinds: Sequence[str] | None) -> pa.Table:
    """Events in order of time, those of one instant in the order they came."""
    columns = '"Firmware", "Kind", "Code", "Detail", "Boot", "Seq"'
    found = select(server, server.address.rollups, columns, "events", span, devices)
    if found.num_rows == 0:
        return EVENTS.empty_table()
    kind = texts_of(found["Kind"])
    table = pa.table(
        [
            names_of(found["device"]),
            _times(found["time"]),
            texts_of(found["Firmware"]),
            kind,
            _never_null(texts_of(found["Code"])),
            texts_of(found["Detail"]),
            texts_of(found["Boot"]),
            found["Seq"],
        ],
        schema=EVENTS,
    )
    return table if kinds is None else table.filter(pc.is_in(kind, pa.array(list(kinds), pa.string())))


def presence(server: Server, span: Span, devices: Sequence[str] | None) -> pa.Table:
    """Comings and goings in order of time, those of one instant in the order they came."""
    found = select(server, server.address.rollups, '"Firmware", "Online", "Boot"', "presence", span, devices)
    if found.num_rows == 0:
        return PRESENCE.empty_table()
    return pa.table(
        [
            names_of(found["device"]),
            _times(found["time"]),
            found["Online"],
            texts_of(found["Boot"]),
            texts_of(found["Firmware"]),
        ],
        schema=PRESENCE,
    )


def window(server: Server, device: str, span: Span, metrics: Sequence[str] | None) -> pa.Table:
    """Raw readings of one device, a row for each value."""
    wanted = None if metrics is None else [name for name in dict.fromkeys(metrics) if METRIC_NAME.fullmatch(name)]
    if span.empty or not device or wanted == []:
        return WINDOW.empty_table()
    fields = "*::field" if wanted is None else ", ".join(f'"{name}"' for name in ("Firmware", *map(field_of, wanted)))
    query = f"SELECT {fields} FROM readings WHERE {span} AND device = '{tag(device)}' GROUP BY stream"
    found = server.select(server.address.raw, query, {})
    if found.num_rows == 0:
        return WINDOW.empty_table()
    tags = found["tags"].combine_chunks().dictionary_encode()
    streams = pa.array([untag(one.removeprefix("stream=")) for one in tags.dictionary.to_pylist()], pa.string())
    head = pa.table([_times(found["time"]), streams.take(tags.indices), texts_of(found["Firmware"])], WINDOW.names[:3])
    parts = []
    for field in found.column_names:
        name = metric_of(field)
        if METRIC_NAME.fullmatch(name) and field not in {"time", "tags"}:
            there = found[field].is_valid()
            values = found[field].filter(there)
            if len(values):
                rows = head.filter(there).append_column("metric", pa.array([name] * len(values), pa.string()))
                parts.append(rows.append_column("value", values))
    if not parts:
        return WINDOW.empty_table()
    order = [(name, "ascending") for name in ("at", "stream", "metric", "value")]
    return pa.concat_tables(parts).cast(WINDOW).sort_by(order)


def hourly(server: Server, first: int, end: int, devices: Sequence[str] | None, metrics: Sequence[str]) -> pa.Table:
    """Rollup rows of the hours [first, end)."""
    rows = _hourly_records(server, first, end, devices, metrics)
    if rows.num_rows == 0:
        return HOURLY.empty_table()
    return pa.table(
        [
            days.devices(rows["device"]),
            days.firmwares(rows["firmware"]),
            _hours(rows["hour"]),
            *(rows[name] for name in ("metric", *days.STATISTICS)),
        ],
        schema=HOURLY,
    )


def exposure(server: Server, first: int, end: int, devices: Sequence[str] | None) -> pa.Table:
    """Hours of [first, end) in which a device reported."""
    rows = _records(server, "Hours", first, end, devices)
    if rows.num_rows == 0:
        return EXPOSURE.empty_table()
    columns = [
        days.devices(rows["device"]),
        days.firmwares(rows["firmware"]),
        _hours(rows["hour"]),
        rows["readings"],
    ]
    return pa.table(columns, schema=EXPOSURE)


def daily(server: Server, first: int, end: int, devices: Sequence[str] | None, metrics: Sequence[str]) -> pa.Table:
    """Rollups by day, in order of day and device: whole days as they were computed, days that the span cuts from their hours."""
    parts = []
    whole_first, whole_end = -(-first // DAY_HOURS) * DAY_HOURS, end // DAY_HOURS * DAY_HOURS
    if whole_first < whole_end:
        rows = _records(server, "Daily", whole_first, whole_end, devices)
        parts.append(rows.filter(pc.is_in(rows["metric"], pa.array(metrics, pa.string()))))
        cuts = [(first, whole_first), (whole_end, end)]
    else:
        middle = min(max(whole_first, first), end)  # the span may cut two days, or one at both ends
        cuts = [(first, middle), (middle, end)]
    for cut_first, cut_end in cuts:
        if cut_first < cut_end:
            parts.append(_cut_day(server, cut_first, cut_end, devices, metrics))
    parts = [part.select(_DAILY_COLUMNS) for part in parts if part.num_rows]
    if not parts:
        return DAILY.empty_table()
    rows = pa.concat_tables(parts)
    table = pa.table(
        [
            days.devices(rows["device"]),
            days.firmwares(rows["firmware"]),
            rows["day"].cast(UTC_TIME),
            *(rows[name] for name in ("metric", *days.STATISTICS)),
        ],
        schema=DAILY,
    )
    return table.sort_by([("day", "ascending"), ("device", "ascending"), ("metric", "ascending")])


def latest(server: Server, devices: Sequence[str], raw_before: int) -> Latest:
    """The newest value of every metric of each device: from the raw rows, and where they aged out from the rollups."""
    found: dict[str, dict[str, tuple[datetime, float]]] = {}
    tags = [tag(one) for one in dict.fromkeys(devices) if one]
    for among in among_devices(tags):
        condition = f'r._measurement == "readings" and {_flux(among)}'
        for device, metric, at, value in _newest(server, server.address.raw, raw_before, condition):
            take_newer(found, device, metric, at, value)
        if raw_before:
            _add_aged(server, among, found)
    return found


def _add_aged(server: Server, among: str, found: dict[str, dict[str, tuple[datetime, float]]]) -> None:
    condition = f'r._measurement == "days" and {_flux(among)}'
    missing: dict[datetime, set[tuple[str, str]]] = {}
    for device, metric, day, _ in _newest(server, server.address.rollups, 0, condition):
        if metric not in found.get(device, {}):
            missing.setdefault(day, set()).add((device, metric))
    for day, wanted in missing.items():
        tags = [tag(device) for device in {device for device, _ in wanted}]
        for part in among_devices(tags):
            query = f'SELECT "Daily", device FROM days WHERE time = {instant(day) * 1000} AND {part}'
            rows = days.unpack(server.select(server.address.rollups, query, {}), "Daily")
            for row in rows.select(["device", "metric", "last", "last_us"]).to_pylist():
                device = untag(row["device"])
                if (device, row["metric"]) in wanted:
                    take_newer(found, device, row["metric"], _instant_of(row["last_us"]), row["last"])


def _newest(server: Server, bucket: str, since_hour: int, condition: str) -> Iterator[tuple[str, str, datetime, float]]:
    """The newest row of each series and metric."""
    since = _instant_of(since_hour * HOUR_US).strftime("%Y-%m-%dT%H:%M:%SZ") if since_hour else _FIRST
    answer = server.flux(
        f'from(bucket: "{_flux_text(bucket)}") |> range(start: {since}, stop: 2262-01-01T00:00:00Z) '
        f"|> filter(fn: (r) => {condition} and r._field =~ /^([a-z]|{OF_METRIC})/) |> last() "
        '|> keep(columns: ["device", "_field", "_time", "_value"])'
    )
    for row in csv.DictReader(line for line in io.StringIO(answer) if line.strip()):
        yield untag(row["device"]), metric_of(row["_field"]), datetime.fromisoformat(row["_time"]), float(row["_value"])


def _records(server: Server, field: str, first: int, end: int, devices: Sequence[str] | None) -> pa.Table:
    points = select(server, server.address.rollups, f'"{field}"', "days", _days(first, end), devices)
    return _within(days.unpack(points, field), first, end)


def _hourly_records(
    server: Server, first: int, end: int, devices: Sequence[str] | None, metrics: Sequence[str]
) -> pa.Table:
    parts = []
    for start in range(0, max(len(metrics), 1), METRICS_A_QUERY):
        fields = days.fields_of(metrics[start : start + METRICS_A_QUERY])
        points = pa.table({})
        if fields:
            points = select(server, server.address.rollups, fields, "days", _days(first, end), devices)
        parts.append(_within(days.unpack_hourly(points), first, end))
    return pa.concat_tables(parts)


def _days(first: int, end: int) -> Span:
    return Span(first // DAY_HOURS * DAY_HOURS * _HOUR_NS, end * _HOUR_NS if first < end else 0)


def _within(rows: pa.Table, first: int, end: int) -> pa.Table:
    if "hour" not in rows.column_names:
        return rows
    return rows.filter(pc.and_(pc.greater_equal(rows["hour"], first), pc.less(rows["hour"], end)))


def _cut_day(server: Server, first: int, end: int, devices: Sequence[str] | None, metrics: Sequence[str]) -> pa.Table:
    hourly_rows = _hourly_records(server, first, end, devices, metrics)
    hours_rows = _records(server, "Hours", first, end, devices)
    with duckdb.connect(":memory:") as engine:
        engine.register("hourly_rows", hourly_rows)
        engine.register("hours_rows", hours_rows)
        return engine.sql(_CUT).to_arrow_table()


_DAILY_COLUMNS = ["device", "day", "metric", *days.STATISTICS, "firmware"]
_CUT = """
WITH told AS (SELECT device, day, arg_max(firmware, last_us) AS firmware FROM hours_rows GROUP BY device, day)
SELECT device, day, metric, sum(n)::BIGINT AS n, sum(mean * n) / sum(n) AS mean, min(minimum) AS minimum, max(maximum) AS maximum,
    arg_max(last, hourly_rows.last_us) AS last, any_value(told.firmware) AS firmware
FROM hourly_rows JOIN told USING (device, day) GROUP BY device, day, metric"""


def _times(ns: Any) -> Any:
    return pc.divide(ns, 1000).cast(UTC_TIME)


def _hours(hours: Any) -> Any:
    return pc.multiply(hours.cast(pa.int64()), HOUR_US).cast(UTC_TIME)


def _never_null(texts: pa.Array) -> pa.Array:
    return pc.fill_null(texts, "")


def _instant_of(us: int) -> datetime:
    return datetime.fromtimestamp(us // 1_000_000, UTC).replace(microsecond=us % 1_000_000)


def _flux(among: str) -> str:
    """An InfluxQL condition on devices as Flux."""
    if among.startswith("device = "):
        return f'r.device == "{among.removeprefix("device = ").strip(chr(39))}"'
    return f"r.{among}"


def _flux_text(text: str) -> str:
    return text.replace("\\", "\\\\").replace('"', '\\"').replace("${", "\\${")
