"""A device's day as one point: everything its rollups say, packed into texts.

A point for each device-hour would cost the server some twenty microseconds to write and ten to read; a day's worth in one point costs
little more than one of them. The fields of measurement ``days`` (tag ``device``, time the UTC day):

- ``Hours``: ``hour;readings;last_us;firmware`` for each hour and firmware in which the device reported,
- ``Hourly_<metric>``: ``hour;n;mean;minimum;maximum;last;last_us;firmware`` for each hour and firmware,
- ``Daily``: ``metric;n;mean;minimum;maximum;last;last_us;firmware`` for each metric, over all firmwares; the firmware is the day's last,
- and the day's mean of each metric in the metric's own field, for dashboards.

Records are separated by ``|``. ``last_us`` counts from the beginning of the day.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv as pacsv

from hearthwatch.telemetry.influxdb_lines import mapped, names_of, unpacked

DAY_US = 86_400_000_000
STATISTICS = {"n": pa.int64(), **dict.fromkeys(("mean", "minimum", "maximum", "last"), pa.float64())}
_END = {"last_us": pa.int64(), "firmware": pa.string()}
HOURLY = "Hourly_"
SHAPES = {
    "Hours": {"hour": pa.int32(), "readings": pa.int64(), **_END},
    HOURLY: {"hour": pa.int32(), **STATISTICS, **_END},
    "Daily": {"metric": pa.string(), **STATISTICS, **_END},
}
_BLOCK = 1 << 24


def fields_of(metrics: Iterable[str]) -> str:
    """The fields with the hours of these metrics, for a SELECT."""
    return ", ".join(f'"{HOURLY}{name}"' for name in metrics)


def unpack_hourly(table: pa.Table) -> pa.Table:
    """As `unpack`, for the hours of all metrics that a table of points has; the column ``metric`` says which."""
    parts = []
    for field in table.column_names:
        if field.startswith(HOURLY):
            records = unpack(table, field)
            names = pa.array([field.removeprefix(HOURLY)]).take(pa.array(np.zeros(records.num_rows, np.int64)))
            parts.append(records.append_column("metric", names))
    if not parts:
        return unpack(table.slice(0, 0), HOURLY).append_column("metric", pa.array([], pa.string()))
    return pa.concat_tables(parts)


def unpack(table: pa.Table, field: str) -> pa.Table:
    """Records of one field of points (device, time, the field): device and firmware as stored, day and ``last_us`` in microseconds.

    ``hour`` counts from 1970, like everywhere in the stores.
    """
    shape = SHAPES[HOURLY if field.startswith(HOURLY) else field]
    if table.num_rows:
        table = table.filter(pc.not_equal(table[field], ""))
    if table.num_rows == 0:
        return pa.schema([("device", pa.string()), ("day", pa.int64()), *shape.items()]).empty_table()
    column = table[field]
    counts = pc.add(pc.count_substring(column, "|"), 1).to_numpy()
    body = "\n".join(column.to_pylist()).replace("|", "\n").encode()
    records = pacsv.read_csv(
        pa.py_buffer(body),
        read_options=pacsv.ReadOptions(column_names=list(shape), block_size=_BLOCK),
        parse_options=pacsv.ParseOptions(delimiter=";", quote_char=False),
        convert_options=pacsv.ConvertOptions(column_types=shape, null_values=[""], strings_can_be_null=False),
    )
    place = pa.array(np.repeat(np.arange(table.num_rows), counts))
    days = np.repeat(table["time"].to_numpy() // 1000, counts)
    columns: dict[str, Any] = {"device": table["device"].combine_chunks().take(place), "day": pa.array(days)}
    for name in shape:
        if name == "hour":
            columns[name] = pa.array((records[name].to_numpy() + days // 3_600_000_000).astype(np.int32))
        elif name == "last_us":
            columns[name] = pa.array(records[name].to_numpy() + days)
        else:
            columns[name] = records[name]
    return pa.table(columns)


def firmwares(column: Any) -> pa.Array:
    """Packed firmwares as they were."""
    return mapped(column, unpacked)


def devices(column: Any) -> pa.Array:
    """Devices as they were."""
    return names_of(column)


LINES = """
WITH told AS (
    SELECT device, day, arg_max(firmware, last_us) AS firmware,
        string_agg(concat_ws(';', hour - day // 3600000000, readings, last_us - day, firmware), '|' ORDER BY hour, firmware) AS packed
    FROM all_hours GROUP BY device, day
), of_metric AS (
    SELECT device, day, metric, string_agg(
            concat_ws(';', hour - day // 3600000000, n, mean, minimum, maximum, last, last_us - day, firmware),
            '|' ORDER BY hour, firmware
        ) AS packed
    FROM all_hourly GROUP BY device, day, metric
), by_hour AS (
    SELECT device, day, string_agg(',Hourly_' || metric || '="' || packed || '"', '' ORDER BY metric) AS fields
    FROM of_metric GROUP BY device, day
), by_metric AS (
    SELECT device, day, metric, sum(n)::BIGINT AS n, sum(mean * n) / sum(n) AS mean, min(minimum) AS minimum, max(maximum) AS maximum,
        arg_max(last, last_us) AS last, max(last_us) AS last_us
    FROM all_hourly GROUP BY device, day, metric
), by_day AS (
    SELECT device, day, string_agg(concat_ws(';', metric, n, by_metric.mean, minimum, maximum, last, last_us - day, told.firmware), '|'
            ORDER BY metric) AS packed,
        string_agg(field || '=' || by_metric.mean, ',' ORDER BY metric) AS means
    FROM by_metric JOIN fields USING (metric) JOIN told USING (device, day) GROUP BY device, day
)
SELECT 'days,device=' || device || ' Hours="' || told.packed || '"' || coalesce(by_hour.fields, '') ||
    ',Daily="' || coalesce(by_day.packed, '') || '"' || coalesce(',' || means, '') || ' ' || day * 1000
FROM told LEFT JOIN by_hour USING (device, day) LEFT JOIN by_day USING (device, day)
"""
"""The points of the tables ``all_hours`` and ``all_hourly`` (as `unpack` gives them), a line each; ``fields`` says each metric's field."""
