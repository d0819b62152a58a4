"""Hourly rollups as dense arrays, (hours, devices, metrics)."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pyarrow as pa

from analytics.panel import Floats, Ints, encoded

_HOUR_US = 3_600_000_000


def hours_of(table: pa.Table, devices: Sequence[str], metrics: Sequence[str], first_hour: int, hours: int) -> Floats:
    """The means of a store's ``hourly`` table, NaN where there is none; rows of other devices, metrics or hours are left out.

    ``first_hour``: in hours since 1970. An hour in which a device ran two firmwares has the mean of both, by readings.
    """
    shape = (hours, len(devices), len(metrics))
    device = _places(table.column("device"), devices)
    metric = _places(table.column("metric"), metrics)
    instant = np.asarray(table.column("hour").cast(pa.timestamp("us", "UTC")).cast(pa.int64()).to_numpy())
    hour = instant // _HOUR_US - first_hour
    mean = np.asarray(table.column("mean").cast(pa.float64()).to_numpy(), dtype=np.float64)
    count = np.asarray(table.column("n").cast(pa.float64()).to_numpy(), dtype=np.float64)
    good = (device >= 0) & (metric >= 0) & (hour >= 0) & (hour < hours) & np.isfinite(mean)
    flat = np.ravel_multi_index((hour[good], device[good], metric[good]), shape)
    size = int(np.prod(shape))
    weight = np.bincount(flat, weights=count[good], minlength=size)
    total = np.bincount(flat, weights=mean[good] * count[good], minlength=size)
    result: Floats = np.divide(total, weight, out=np.full(size, np.nan), where=weight > 0)
    return result.reshape(shape)


def reporting(table: pa.Table, members: Sequence[str], fewest: int) -> list[str]:
    """The metrics that at least ``fewest`` of some devices report, sorted."""
    device, (metric, names) = _places(table.column("device"), members), encoded(table.column("metric"))
    mine = device >= 0
    pairs = np.unique(device[mine] * (len(names) + 1) + metric[mine])
    counts = np.bincount(pairs % (len(names) + 1), minlength=len(names))
    return [name for name, count in zip(names, counts.tolist(), strict=False) if count >= fewest]


def _places(column: pa.ChunkedArray, names: Sequence[str]) -> Ints:
    codes, texts = encoded(column)
    position = {name: place for place, name in enumerate(names)}
    return np.array([position.get(text, -1) for text in texts] + [-1], dtype=np.int64)[codes]
