"""The metrics of many readings as columns."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import chain
from operator import methodcaller

import numpy as np
import pyarrow as pa

from hearthwatch.telemetry.checks import floats, metric_name, numbers
from hearthwatch.values import Reading

_values = methodcaller("values")


def metric_columns(values: Sequence[Reading]) -> dict[str, pa.Array]:
    """Metrics of readings by name, null where a reading has none. Raises `Invalid` for names and numbers nobody may store."""
    found = {}
    for name, column in _columns([value.metrics for value in values]).items():
        metric_name(name)
        found[name] = numbers(column, name)
    return found


def _columns(metrics: Sequence[Mapping[str, float]]) -> dict[str, pa.Array]:
    if not metrics:
        return {}
    names = list(metrics[0])
    if list(chain.from_iterable(metrics)) == names * len(
        metrics
    ):  # devices of one kind, as mostly: all numbers in one go
        values = chain.from_iterable(
            map(_values, metrics)
        )  # one view at a time: thousands would call the garbage collector
        try:
            table = np.fromiter(values, np.float64, len(metrics) * len(names)).reshape(len(metrics), len(names))
            return {name: pa.array(np.ascontiguousarray(table[:, place])) for place, name in enumerate(names)}
        except (TypeError, ValueError, OverflowError):
            pass  # the way below says which metric it is
    names = list(dict.fromkeys(chain.from_iterable(metrics)))
    return {name: floats([one.get(name) for one in metrics], name) for name in names}
