"""What came before a release: its first wave, and each device's own past in the pre-period."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TypeVar

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from analytics.cohorts.boots import DayCap
from analytics.cohorts.evidence import (
    Evidence,
    Happened,
    Memory,
    Offers,
    Options,
    mean_counts,
    panels,
    told_in,
)
from analytics.cohorts.fleet import Fleet
from analytics.cohorts.means import DayValues
from analytics.cohorts.panel import Panel, Versions, hour_of, time_of
from analytics.cohorts.spec import (
    KNOWN_PAST_HOURS,
    LEAST_PRE_HOURS,
    PRE_HOURS,
    REBOOTS,
    WASHOUT_HOURS,
    Metric,
)
from analytics.cohorts.streams import Past, Stream
from analytics.sequential.winsor import winsor_cap
from hearthwatch.ports import TelemetryStore
from hearthwatch.values import Release

LEAST_CAP = round(REBOOTS.least_cap)
_HABIT_SHARE = 0.5

E = TypeVar("E", bound=Evidence)


def begin(
    store: TelemetryStore,
    release: Release,
    fleet: Fleet,
    now: int,
    options: Options,
    *,
    search_from: int = 0,
    offers: Offers = (),
) -> Evidence | None:
    """The evidence at the release's first wave: none yet, but each device's own past. None when no device runs it before ``now``,
    nor was told to install it.

    The first wave is looked for from the release's announcement on, or from the hour ``search_from`` where that is later.
    """
    versions = Versions()
    target = versions.number(release.version)
    if release.replaces:
        versions.number(release.replaces)
    announced = max(hour_of(release.released_at), search_from)
    first_wave = _first_hour(store, fleet, versions, target, announced, now)
    mine = set(fleet.ids) if offers else set()
    told = [
        at
        for device, at, asked in offers
        if device in mine and versions.number(asked) == target and announced <= at < now
    ]
    first_wave = min([*([first_wave] if first_wave is not None else []), *told], default=None)
    if first_wave is None:
        return None
    start, end = pre_period(store, fleet, first_wave)
    empty = Evidence(
        release=release,
        options=options,
        fleet=fleet,
        versions=versions,
        cap=LEAST_CAP,
        habit=np.zeros(len(fleet.ids), dtype=bool),
        first_wave=first_wave,
        until=start,
        memory=Memory.nothing(len(fleet.ids), options.metrics),
        streams=(),
        last_arrival=first_wave,
        pre_hours=end - start,
        offers=offers,
    )
    return begun(store, empty)


def begun(store: TelemetryStore, empty: E) -> E:
    """Evidence that ends where its pre-period begins, carried on to its first wave: with a stream of each metric, which knows each
    device's own past, and with what may be counted of a device's boots."""
    edges = _Edges(empty.until, empty.until + empty.pre_hours // 2, empty.until + empty.pre_hours)
    seen, evidence = _read_past(store, empty, edges.end)
    habit = seen.habit()
    boots = seen.boots(habit)
    cap = _cap_of_boots(boots, seen.before, seen.hours)
    streams = (_begun(metric, seen, boots, cap, edges, evidence) for metric in empty.options.metrics)
    marked = tuple(stream.marked(empty.first_wave) for stream in streams)
    return replace(evidence, cap=cap, habit=habit, streams=marked)


def _first_hour(
    store: TelemetryStore, fleet: Fleet, versions: Versions, target: int, announced: int, now: int
) -> int | None:
    """The first hour since the announcement in which a counted device ran the release."""
    for begins in range(announced, now, 24):
        ends = min(now, begins + 24)
        rows = store.exposure(time_of(begins), time_of(ends), devices=fleet.ids)
        words = [word for word in pc.unique(rows["firmware"]).to_pylist() if word and versions.number(word) == target]
        if words:
            mine = rows.filter(pc.is_in(rows["firmware"], value_set=pa.array(words, pa.string())))
            return hour_of(pc.min(mine["hour"]).as_py())
    return None


def pre_period(store: TelemetryStore, fleet: Fleet, first_wave: int) -> tuple[int, int]:
    """The pre-period in hours, [start, end): a fortnight, with a wash-out before the first wave where the past is long enough."""
    start = _first_report(store, fleet, first_wave - PRE_HOURS - WASHOUT_HOURS, first_wave)
    end = first_wave - WASHOUT_HOURS
    if end - start >= LEAST_PRE_HOURS:
        return max(start, end - PRE_HOURS), end
    return max(start, first_wave - PRE_HOURS), first_wave


def _first_report(store: TelemetryStore, fleet: Fleet, begin: int, end: int) -> int:
    """The first hour of [begin, end) in which the fleet reported, or ``end``; from its first day on it is taken to report every day."""

    def first_of(begins: int) -> int | None:
        rows = store.exposure(time_of(begins), time_of(min(begins + 24, end)), devices=fleet.ids)
        return hour_of(pc.min(rows["hour"]).as_py()) if rows.num_rows else None

    low, high, first = 0, (end - begin) // 24, end
    middle = 0  # usually there is data from the very beginning
    while low < high:
        found = first_of(begin + 24 * middle)
        if found is None:
            low = middle + 1
        else:
            high, first = middle, found
        middle = (low + high) // 2
    return first


@dataclass(frozen=True, slots=True)
class _Edges:
    """Where the halves of the pre-period begin and end, in hours since 1970; after ``end`` comes the wash-out."""

    start: int
    middle: int
    end: int

    def halves(self, hours: NDArray[np.int64]) -> list[tuple[str, NDArray[np.bool_]]]:
        """Which of some hours are of the earlier and of the later half, where any are."""
        parts = [("early", hours < self.middle), ("late", (hours >= self.middle) & (hours < self.end))]
        return [(half, inside) for half, inside in parts if inside.any()]


@dataclass(slots=True)
class _Seen:
    """The pre-period as it was read, hour by hour: lists of arrays of shape (devices, hours), and the days' means.

    ``before`` marks hours in which a device ran what the release is compared with: one that ran the release early has no past in those.
    """

    devices: int
    hours: list[NDArray[np.int64]] = field(default_factory=list)
    before: list[NDArray[np.bool_]] = field(default_factory=list)
    unexpected: list[NDArray[np.float32]] = field(default_factory=list)
    silent: list[NDArray[np.float32]] = field(default_factory=list)
    grew: list[NDArray[np.bool_]] = field(default_factory=list)
    days: list[tuple[int, Mapping[str, DayValues]]] = field(default_factory=list)
    told: set[str] = field(default_factory=set)

    def take(self, found: Happened) -> None:
        """Take in a part of a day."""
        panel, arms = found.panel, found.arms
        self.hours.append(panel.begin + np.arange(panel.hours))
        self.before.append(arms.counted & ~arms.treated)
        self.unexpected.append(panel.unexpected.astype(np.float32))
        self.silent.append((found.unexpected - panel.unexpected).astype(np.float32))
        self.grew.append(arms.grew if arms.grew is not None else np.zeros_like(arms.counted))

    def habit(self) -> NDArray[np.bool_]:
        """Devices that boot unseen in most hours in which they are heard: they sleep in between."""
        booted, heard = np.zeros(self.devices), np.zeros(self.devices)
        for silent, before in zip(self.silent, self.before, strict=True):
            booted += ((silent > 0) & before).sum(axis=1)
            heard += before.sum(axis=1)
        return (heard >= KNOWN_PAST_HOURS) & (booted > _HABIT_SHARE * heard)

    def boots(self, habit: NDArray[np.bool_]) -> list[NDArray[np.float64]]:
        """All boots nobody asked for, but those without an event of devices whose habit they are."""
        return [
            (unexpected + np.where(habit[:, None], 0.0, silent)).astype(np.float64)
            for unexpected, silent in zip(self.unexpected, self.silent, strict=True)
        ]


def _read_past(store: TelemetryStore, evidence: E, end: int) -> tuple[_Seen, E]:
    """The pre-period up to ``end``, and the evidence carried on to the first wave.

    The wash-out between them counts nowhere, but it tells which firmware ran, and how the gauges stood.
    """
    seen = _Seen(len(evidence.fleet.ids))
    for panel in panels(store, evidence, evidence.first_wave):
        for part in panel.days():
            found, memory = evidence.happened(part)
            _, cap = memory.cap.apply(found.unexpected, part.begin, LEAST_CAP)
            means, memory = evidence.day_means(found, replace(memory, cap=cap))
            for metric in evidence.options.metrics:
                if told_in(metric, part):
                    seen.told.add(metric.name)
            for inside in _until(part, end):
                kept = found if inside.hours == part.hours else evidence.happened(inside)[0]
                seen.take(kept)
            if means and part.begin + part.hours <= end:
                seen.days.append((found.day, means))
            evidence = evidence.moved(memory, part)
    return seen, evidence


def _until(part: Panel, end: int) -> list[Panel]:
    """The hours of a part of a day that lie before ``end``."""
    hours = min(part.hours, end - part.begin)
    return [part.part(0, hours)] if hours > 0 else []


def _cap_of_boots(
    boots: Sequence[NDArray[np.float64]], before: Sequence[NDArray[np.bool_]], hours: Sequence[NDArray[np.int64]]
) -> int:
    """The most boots of a device and UTC day that count: the 99.5 % quantile of the pre-period's device-days, at least 3."""
    days: dict[int, NDArray[np.float64]] = {}
    for happened, there, hour in zip(boots, before, hours, strict=True):
        day = int(hour[0]) // 24
        counted = np.where(there.any(axis=1), np.where(there, happened, 0.0).sum(axis=1), np.nan)
        days[day] = (
            np.where(np.isnan(days[day]), counted, days[day] + np.nan_to_num(counted)) if day in days else counted
        )
    values = np.concatenate(list(days.values())) if days else np.zeros(0)
    most = winsor_cap(values, REBOOTS.cap_quantile)
    return max(LEAST_CAP, int(np.ceil(most))) if np.isfinite(most) else LEAST_CAP


def _begun(
    metric: Metric, seen: _Seen, boots: Sequence[NDArray[np.float64]], cap: int, edges: _Edges, evidence: Evidence
) -> Stream:
    """The stream of a metric at the first wave: each device's own past in two halves, and the cap of its means."""
    reported = metric.name in seen.told or metric.source in {"reboots", "silence"}
    if metric.kind == "mean":
        past, most = _past_of_mean(metric, seen, edges, evidence)
    else:
        past, most = _past_of_rate(metric, seen, boots, cap, edges, evidence), float("inf")
    return replace(Stream.begin(metric, past, evidence.options.margin, cap=most), reported=reported)


def _past_of_rate(
    metric: Metric, seen: _Seen, boots: Sequence[NDArray[np.float64]], cap: int, edges: _Edges, evidence: Evidence
) -> Past:
    past = Past.nothing(seen.devices, metric.known_past_hours)
    if not metric.repeats:
        return past
    counted = DayCap.nothing(seen.devices)
    for index, hours in enumerate(seen.hours):
        before = seen.before[index]
        if metric.source == "counter":
            events = seen.grew[index].astype(np.float64)
        else:
            events, counted = counted.apply(boots[index], int(hours[0]), cap)
        for half, inside in edges.halves(hours):
            exposure = before[:, inside].astype(np.float64)
            sums = getattr(past, half).add(exposure, np.where(before, events, 0.0)[:, inside], evidence.fleet.strata)
            past = replace(past, **{half: sums})
    return past


def _past_of_mean(metric: Metric, seen: _Seen, edges: _Edges, evidence: Evidence) -> tuple[Past, float]:
    """The past of a mean by UTC days, winsorised, and the cap: the quantile of all device-days of the pre-period."""
    past = Past.nothing(seen.devices, metric.known_past_hours)
    days = [(day, means[metric.name]) for day, means in seen.days]
    control = [np.where((one.hours > 0) & ~one.treated, one.value, np.nan) for _, one in days]
    most = winsor_cap(np.concatenate(control), metric.cap_quantile) if control else float("inf")
    for day, one in days:
        counts = mean_counts(one, most)
        exposure = np.where(counts.treated, 0.0, counts.hours)
        half = "early" if 24 * (day + 1) <= edges.middle else "late"
        sums = getattr(past, half).add(exposure, np.where(counts.treated, 0.0, counts.events), evidence.fleet.strata)
        past = replace(past, **{half: sums})
    return past, most
