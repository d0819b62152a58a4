"""Values and Arrow tables from outside, checked and turned into rows of the DuckDB tables."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pyarrow as pa

from hearthwatch.errors import Invalid
from hearthwatch.telemetry.checks import (
    encoded_names,
    firmware,
    integers,
    json_text,
    metrics_of,
    stamps_of,
)
from hearthwatch.telemetry.duckdb_schema import Draft, texts
from hearthwatch.telemetry.times import HOUR_US, all_microseconds
from hearthwatch.values import Event, Presence, Reading

_STAMP = pa.timestamp("us")


def head(values: Sequence[Reading | Event | Presence], draft: Draft) -> dict[str, pa.Array]:
    """The columns that all three kinds share: device, stream, stamp, hour, firmware, batch, boot."""
    devices, streams = [value.device for value in values], [value.stream for value in values]
    if not (all(devices) and all(streams)):
        named = next((one.device for one in values if one.device and not one.stream), "device")
        raise Invalid("a value needs a device and a stream", where=named)
    firmwares = [value.firmware for value in values]
    for one in set(firmwares):
        firmware(one)
    return {
        **_numbers(
            all_microseconds([value.at for value in values]),
            draft.ids("device", devices),
            _numbered("stream", streams, draft),
            _numbered("firmware", firmwares, draft),
            draft.batch,
        ),
        "boot": texts([value.boot for value in values], "boot"),
    }


def _numbered(kind: str, names: Sequence[str | None], draft: Draft) -> Any:
    """The number of each name, where mostly all are the same."""
    distinct = set(names)
    if len(distinct) == 1:
        return np.full(len(names), draft.ids(kind, list(distinct))[0], np.int32)
    return draft.ids(kind, names)


def readings(values: Sequence[Reading], draft: Draft) -> pa.Table:
    """Keys of readings, without their metrics."""
    clockless = [value.clockless and value.boot is not None and value.seq is not None for value in values]
    return pa.table(
        {
            **head(values, draft),
            "seq": integers([value.seq for value in values], "seq"),
            "clockless": pa.array(clockless, pa.bool_()),
        }
    )


def events(values: Sequence[Event], draft: Draft) -> pa.Table:
    """Rows of the table ``events``."""
    return pa.table(
        {
            **head(values, draft),
            "seq": integers([value.seq for value in values], "seq"),
            "kind": texts([value.kind for value in values], "kind"),
            "code": texts([value.code for value in values], "code"),
            "detail": texts([json_text(value.detail) for value in values], "detail"),
        }
    )


def presences(values: Sequence[Presence], draft: Draft) -> pa.Table:
    """Rows of the table ``presence``."""
    return pa.table({**head(values, draft), "online": pa.array([value.online for value in values], pa.bool_())})


def bulk(stream: str, table: pa.Table, draft: Draft) -> tuple[pa.Table, dict[str, pa.ChunkedArray]]:
    """Keys and metrics of a table of readings (device, at, firmware, metrics). Raises `Invalid` naming the column."""
    stamps = stamps_of(stream, table)
    keys = pa.table(
        {
            **_numbers(
                stamps,
                _coded(table["device"], "device", draft),
                np.full(len(stamps), draft.ids("stream", [stream])[0], np.int32),
                _coded(table["firmware"], "firmware", draft),
                draft.batch,
            ),
            "boot": pa.nulls(len(stamps), pa.string()),
            "seq": pa.nulls(len(stamps), pa.int64()),
            "clockless": pa.array(np.zeros(len(stamps), bool)),
        }
    )
    return keys, metrics_of(table)


def _numbers(
    stamps: np.ndarray[Any, np.dtype[np.int64]],
    devices: Any,
    streams: Any,
    firmwares: Any,
    batch: int,
) -> dict[str, pa.Array]:
    return {
        "device": pa.array(devices, pa.int32()),
        "stream": pa.array(streams, pa.int32()),
        "stamp": pa.array(stamps).cast(_STAMP),
        "hour": pa.array((stamps // HOUR_US).astype(np.int32)),
        "firmware": pa.array(firmwares, pa.int32()),
        "batch": pa.array(np.full(len(stamps), batch, np.int64)),
    }


def _coded(names: pa.ChunkedArray, kind: str, draft: Draft) -> np.ndarray[Any, np.dtype[np.int32]]:
    coded = encoded_names(names, kind)
    ids = np.array(draft.ids(kind, coded.dictionary.to_pylist()), np.int32)
    numbers: np.ndarray[Any, np.dtype[np.int32]] = ids[coded.indices.to_numpy()] if len(names) else ids
    return numbers
