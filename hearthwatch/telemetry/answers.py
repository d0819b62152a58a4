"""The shapes of the tables a telemetry store answers with; times are ``timestamp[us, UTC]``."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

import pyarrow as pa

UTC_TIME = pa.timestamp("us", tz="UTC")
_STATISTICS = (
    ("n", pa.int64()),
    ("mean", pa.float64()),
    ("minimum", pa.float64()),
    ("maximum", pa.float64()),
    ("last", pa.float64()),
)
_HEAD = (("device", pa.string()), ("firmware", pa.string()))
HOURLY = pa.schema([*_HEAD, ("hour", UTC_TIME), ("metric", pa.string()), *_STATISTICS])
DAILY = pa.schema([*_HEAD, ("day", UTC_TIME), ("metric", pa.string()), *_STATISTICS])
EXPOSURE = pa.schema([*_HEAD, ("hour", UTC_TIME), ("readings", pa.int64())])
EVENTS = pa.schema(
    [
        ("device", pa.string()),
        ("at", UTC_TIME),
        ("firmware", pa.string()),
        ("kind", pa.string()),
        ("code", pa.string()),
        ("detail", pa.string()),
        ("boot", pa.string()),
        ("seq", pa.int64()),
    ]
)
PRESENCE = pa.schema(
    [
        ("device", pa.string()),
        ("at", UTC_TIME),
        ("online", pa.bool_()),
        ("boot", pa.string()),
        ("firmware", pa.string()),
    ]
)
WINDOW = pa.schema(
    [
        ("at", UTC_TIME),
        ("stream", pa.string()),
        ("firmware", pa.string()),
        ("metric", pa.string()),
        ("value", pa.float64()),
    ]
)

Latest = Mapping[str, Mapping[str, tuple[datetime, float]]]


def take_newer(
    found: dict[str, dict[str, tuple[datetime, float]]], device: str, metric: str, at: datetime, value: float
) -> None:
    """Take a value in, unless a newer one of its device and metric is known."""
    known = found.setdefault(device, {}).get(metric)
    if known is None or known[0] < at:
        found[device][metric] = (at, value)
