"""What a prognosis sees of a device on a day: its values of today and of the last 7 and 28 days, how they move, and how far they are
from the device's own early life and from its peers.

Nothing here looks ahead: a feature of day t uses data up to the end of day t only (a test truncates the input at t and compares).
Sources: lag windows and own-start baseline, see docs/adr; peers by median and MAD, which a few broken devices do not move.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from analytics.panel import Flags, Floats, Ints, Panel

EARLY_DAYS = 14
"""A device's early life: its first days with data, the baseline of its own later behaviour."""
WINDOW_DAYS = 28
"""The longest look back of any feature but the early life."""
MIN_PEERS = 8
"""Devices of a model that must have a value on a day before it is compared with theirs."""
_MAD_TO_SIGMA = 1.4826
_Z_LIMIT = 30.0

VIEWS = ("today", "mean_7", "mean_28", "change", "own", "peers", "apart")
"""Today; means of the last 7 and 28 days; the last 3 days (recent) less those a week before; recent less the early life; recent among
the peers; and recent less the early life among the peers, which takes out both the season and what the device always was."""


@dataclass(frozen=True, slots=True)
class Feature:
    """One column: how (``view``) it looks at which ``metric``. ``metric`` is also the name a reason gives."""

    metric: str
    view: str

    @property
    def name(self) -> str:
        """``metric:view``, the name in model cards."""
        return f"{self.metric}:{self.view}"


@dataclass(frozen=True, slots=True)
class Background:
    """What is known of the panel's devices beside telemetry; days since 1970-01-01, NaN where unknown.

    ``model`` groups peers. ``born`` is the day of installation. ``serviced`` holds, per device, the days of service in order.
    ``first_seen`` is the first day with data ever, and ``early`` the early-life mean (per metric, one number per device) where the
    panel begins after a device's early life; without it both come from the panel.
    """

    model: Ints
    born: Floats
    serviced: Mapping[int, Sequence[int]] = field(default_factory=dict)
    first_seen: Floats | None = None
    early: Mapping[str, Floats] = field(default_factory=dict)


def features_of(metrics: Sequence[str], totals: Sequence[str]) -> tuple[Feature, ...]:
    """The columns for some metrics, in a fixed order."""
    columns = [Feature(metric, view) for metric in sorted(metrics) for view in VIEWS]
    columns += [Feature(metric, "total") for metric in sorted(totals)]
    return (*columns, Feature("age", "days"), Feature("service", "days"))


def matrix(
    panel: Panel, background: Background, columns: Sequence[Feature], device: Ints, day: Ints
) -> np.ndarray[tuple[int, int], np.dtype[np.float32]]:
    """Features of some device-days, shape (rows, columns), float32, NaN where there is nothing to say.

    ``device`` and ``day`` are indices into the panel.
    """
    (one,) = matrices(panel, background, columns, [(device, day)])
    return one


def matrices(
    panel: Panel, background: Background, columns: Sequence[Feature], wanted: Sequence[tuple[Ints, Ints]]
) -> list[np.ndarray[tuple[int, int], np.dtype[np.float32]]]:
    """As `matrix`, for several lots of device-days at once: what they look at is computed once."""
    places = {(column.metric, column.view): index for index, column in enumerate(columns)}
    results = [np.full((len(device), len(columns)), np.nan, dtype=np.float32) for device, _ in wanted]
    for metric, view, array in _arrays(panel, background, {column.metric for column in columns}):
        index = places.get((metric, view))
        if index is not None:
            for result, (device, day) in zip(results, wanted, strict=True):
                result[:, index] = array[device, day]
    return results


def _arrays(panel: Panel, background: Background, metrics: set[str]) -> Iterator[tuple[str, str, Floats]]:
    for metric in sorted(metrics & panel.values.keys()):
        yield from _views(panel, background, metric)
    for metric in sorted(metrics & panel.totals.keys()):
        yield metric, "total", panel.totals[metric]
    days = np.arange(panel.first_day, panel.first_day + panel.days, dtype=np.float64)
    yield "age", "days", np.maximum(days[None, :] - background.born[:, None], 0.0)
    yield "service", "days", since_service(panel, background.serviced)


def _views(panel: Panel, background: Background, metric: str) -> Iterator[tuple[str, str, Floats]]:
    values = panel.values[metric]
    recent = trailing_mean(values, 3)
    own = recent - early_mean(panel, background, metric)
    yield metric, "today", values
    yield metric, "mean_7", trailing_mean(values, 7)
    yield metric, "mean_28", trailing_mean(values, WINDOW_DAYS)
    yield metric, "change", recent - shifted(recent, 7)
    yield metric, "own", own
    yield metric, "peers", peer_deviation(recent, background.model)
    yield metric, "apart", peer_deviation(own, background.model)


def trailing_mean(values: Floats, length: int) -> Floats:
    """Mean of the last ``length`` days up to and including each day, of those that have a value."""
    known = ~np.isnan(values)
    total = np.cumsum(np.where(known, values, 0.0), axis=1)
    count = np.cumsum(known, axis=1, dtype=np.float64)
    total[:, length:] -= total[:, :-length].copy()
    count[:, length:] -= count[:, :-length].copy()
    with np.errstate(invalid="ignore"):
        mean: Floats = np.where(count > 0, total / np.maximum(count, 1), np.nan)
        return mean


def shifted(values: Floats, days: int) -> Floats:
    """The values of ``days`` before."""
    result = np.full(values.shape, np.nan)
    if days < values.shape[1]:
        result[:, days:] = values[:, :-days]
    return result


def early_mean(panel: Panel, background: Background, metric: str) -> Floats:
    """Mean of a device's first `EARLY_DAYS`, as far as they are known by each day."""
    values = panel.values[metric]
    days = np.arange(panel.first_day, panel.first_day + panel.days)
    first = background.first_seen if background.first_seen is not None else first_days(panel)
    early = (days[None, :] - first[:, None]) < EARLY_DAYS
    known = ~np.isnan(values) & early
    total = np.cumsum(np.where(known, values, 0.0), axis=1)
    count = np.cumsum(known, axis=1, dtype=np.float64)
    mean = np.where(count > 0, total / np.maximum(count, 1), np.nan)
    given = background.early.get(metric)
    if given is None:
        return mean
    return np.where(np.isnan(given)[:, None], mean, given[:, None])


def first_days(panel: Panel) -> Floats:
    """The first day with data of each device, NaN where there is none."""
    first: Floats = panel.first_day + np.argmax(panel.present, axis=1).astype(np.float64)
    first[~panel.present.any(axis=1)] = np.nan
    return first


def peer_deviation(values: Floats, model: Ints) -> Floats:
    """Robust z of each device among those of its model on the same day: (x - median) / (1.4826 MAD), cut at +-30.

    NaN with fewer than `MIN_PEERS` values; where the middle half of the peers is alike, their mean deviation is the scale.
    """
    result = np.full(values.shape, np.nan)
    for group in np.unique(model):
        rows = np.flatnonzero(model == group)
        result[rows] = robust_z(values[rows])
    return result


def robust_z(values: Floats) -> Floats:
    """The robust z of every value in its column; see `peer_deviation`."""
    known = ~np.isnan(values)
    count = known.sum(axis=0)
    distance = values - median(values, known)
    size = np.abs(distance)
    spread = _MAD_TO_SIGMA * median(size, known)
    mean = np.where(known, size, 0.0).sum(axis=0) / np.maximum(count, 1)
    scale = np.where(spread > 0, spread, mean)
    with np.errstate(invalid="ignore", divide="ignore"):
        z = np.where(scale > 0, distance / scale, np.where(known, 0.0, np.nan))
    cut: Floats = np.clip(z, -_Z_LIMIT, _Z_LIMIT)
    return np.where(count >= MIN_PEERS, cut, np.nan)


def median(values: Floats, known: Flags) -> Floats:
    """Median of the known values of every column (much faster than ``nanmedian``)."""
    ordered = np.sort(values, axis=0)  # NaN sorts last
    count = known.sum(axis=0)
    columns = np.arange(values.shape[1])
    low = ordered[np.maximum((count - 1) // 2, 0), columns]
    high = ordered[np.minimum(count // 2, max(values.shape[0] - 1, 0)), columns]
    middle: Floats = np.where(count > 0, (low + high) / 2, np.nan)
    return middle


def since_service(panel: Panel, serviced: Mapping[int, Sequence[int]]) -> Floats:
    """Days since the latest service of each device, NaN before its first one. A service counts from the day after it."""
    result = np.full(panel.present.shape, np.nan)
    days = np.arange(panel.first_day, panel.first_day + panel.days)
    for device, dates in serviced.items():
        for date in dates:
            after = days > date
            result[device, after] = days[after] - date
    return result
