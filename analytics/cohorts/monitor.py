"""Keeps the evidence about a release up to date, hour by hour, reading only what is new.

Hours older than `OPEN_DAYS` are closed: their sums are kept in memory. The open ones are read again at every look, so that data that
arrived late counts from the next look on. At the first look of a UTC day everything is read anew, which also takes in data that was later
than that, devices that are new, and corrections of the registry. Both ways give the same numbers (incremental = batch).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from analytics.cohorts.arms import Arms, Carry, Comparison, arrange
from analytics.cohorts.panel import Panel, Versions, hour_of, load_panel, time_of
from analytics.cohorts.spec import (
    CAP_QUANTILE,
    LEAST_CAP,
    LEAST_PRE_HOURS,
    METRICS,
    PRE_HOURS,
    SYNC_COUNTER,
    WASHOUT_HOURS,
    Metric,
)
from analytics.cohorts.streams import Counts, Past, Stream
from analytics.sequential.strata import Strata
from hearthwatch.firmware import version
from hearthwatch.metrics import REBOOT_CODES_EXPECTED
from hearthwatch.ports import TelemetryStore
from hearthwatch.values import Device, Release

OPEN_DAYS = 2
_CELLS = 4_000_000  # device-hours held in memory at once
_FAR = 10**9


@dataclass(frozen=True, slots=True)
class Fleet:
    """The devices of a model as the registry knew them when the evidence was built; test devices are left out."""

    ids: tuple[str, ...]
    strata: Strata
    removed: NDArray[np.int64]

    @classmethod
    def of(cls, devices: Sequence[Device]) -> Fleet:
        """Strata are hardware revision x region."""
        counted = sorted((device for device in devices if not device.test), key=lambda device: device.id)
        places = {
            place: number for number, place in enumerate({(device.hardware, device.region): None for device in counted})
        }
        labels = np.array([places[device.hardware, device.region] for device in counted], dtype=np.int64)
        removed = [hour_of(device.removed_at) if device.removed_at else _FAR for device in counted]
        return cls(tuple(device.id for device in counted), Strata.of(labels), np.array(removed, dtype=np.int64))


@dataclass(frozen=True, slots=True)
class Options:
    """How a release is compared: ``margin`` as a ratio, ``burn_in`` in hours."""

    margin: float
    burn_in: int


@dataclass(frozen=True, slots=True)
class Evidence:
    """All that is known of a release up to the hour ``until``: a value that `_advance` makes the next one from.

    ``first_wave`` is the hour the release's clock began, ``last_arrival`` the last hour in which a device got the release.
    """

    release: Release
    options: Options
    fleet: Fleet
    versions: Versions
    cap: int
    first_wave: int
    until: int
    carry: Carry
    streams: tuple[Stream, ...]
    last_arrival: int
    pre_hours: int


@dataclass(slots=True)
class Monitor:
    """The evidence about one release: what is closed, and when it was read."""

    closed: Evidence | None = None
    read_on: int = -1

    def look(
        self,
        store: TelemetryStore,
        release: Release,
        devices: Callable[[], Sequence[Device]],
        now: int,
        options: Options,
    ) -> Evidence | None:
        """The evidence up to the hour ``now``, or None while no device has run the release. ``devices`` reads the model's registry."""
        boundary = (now // 24 - OPEN_DAYS) * 24
        stale = (
            self.closed is None
            or self.read_on != now // 24
            or self.closed.until > now
            or self.closed.options != options
            or (self.closed.release.assignment, self.closed.release.replaces) != (release.assignment, release.replaces)
        )
        if stale:
            begun = begin(store, release, Fleet.of(devices()), now, options)
            self.read_on = now // 24
            self.closed = begun if begun is None else advance(store, begun, max(begun.until, boundary))
        if self.closed is None:
            self.read_on = -1
            return None
        return advance(store, self.closed, now)


def begin(store: TelemetryStore, release: Release, fleet: Fleet, now: int, options: Options) -> Evidence | None:
    """The evidence at the release's first wave: none yet, but each device's own past. None when no device runs it before ``now``."""
    versions = Versions()
    target = versions.number(release.version)
    if release.replaces:
        versions.number(release.replaces)
    released = hour_of(release.released_at)
    first_wave = _first_hour(store, fleet, versions, target, released, now)
    if first_wave is None:
        return None
    start, end = _pre_period(store, fleet, first_wave)
    metrics = [metric for metric in METRICS if metric.source != "counter" or SYNC_COUNTER in store.metrics()]
    cap = _cap(store, fleet, start, end)
    empty = Evidence(
        release, options, fleet, versions, cap, first_wave, start, Carry.nothing(len(fleet.ids)), (), first_wave, 0
    )
    pasts, carried = _read_past(store, empty, metrics, (start, (start + end) // 2, end))
    streams = tuple(Stream.begin(metric, past, options.margin) for metric, past in zip(metrics, pasts, strict=True))
    # What lies between pre-period and first wave (the wash-out) counts nowhere, but tells which firmware ran.
    for panel in _panels(store, carried, first_wave):
        carried = replace(carried, carry=_arms(carried, panel)[1], until=panel.begin + panel.hours)
    return replace(carried, streams=streams, pre_hours=end - start)


def advance(store: TelemetryStore, evidence: Evidence, until: int) -> Evidence:
    """The evidence after the hours up to ``until``."""
    for panel in _panels(store, evidence, until):
        evidence = _add(evidence, panel)
    return evidence


def _add(evidence: Evidence, panel: Panel) -> Evidence:
    arms, carry = _arms(evidence, panel)
    streams = tuple(
        stream.add(arms, _counts(stream.metric, panel, arms, evidence.cap), evidence.fleet.strata)
        for stream in evidence.streams
    )
    target = evidence.versions.number(evidence.release.version)
    came = np.flatnonzero((arms.arrived & (arms.version == target)).any(axis=0))
    last_arrival = panel.begin + int(came[-1]) if came.size else evidence.last_arrival
    return replace(evidence, carry=carry, streams=streams, until=panel.begin + panel.hours, last_arrival=last_arrival)


def _arms(evidence: Evidence, panel: Panel) -> tuple[Arms, Carry]:
    comparison = _comparison(evidence.release, evidence.versions)
    return arrange(panel, evidence.carry, comparison, evidence.options.burn_in, evidence.fleet.removed)


def _comparison(release: Release, versions: Versions) -> Comparison:
    """The release against what it replaces; where that is not said, against every older version; where none is older, against all."""
    target = versions.number(release.version)
    if release.replaces:
        return Comparison(target, frozenset({versions.number(release.replaces)}))
    own = version(release.version)
    older = frozenset(number for text, number in versions.numbers.items() if version(text).key < own.key)
    return Comparison(target, older or None)


def _counts(metric: Metric, panel: Panel, arms: Arms, cap: int) -> Counts:
    if metric.source == "silence":
        return Counts(arms.silent.astype(np.float64), arms.silent)
    if metric.source == "counter":
        grew = arms.grew if arms.grew is not None else np.zeros_like(arms.counted)
        return Counts(grew.astype(np.float64), grew)
    events = panel.reboot_counts(cap)
    return Counts(events, events > 0)


def _panels(store: TelemetryStore, evidence: Evidence, until: int) -> Iterator[Panel]:
    """The hours from where the evidence ends up to ``until``, in pieces of whole UTC days that fit into memory."""
    counters = any(stream.metric.source == "counter" for stream in evidence.streams)
    days = max(1, _CELLS // (24 * max(1, len(evidence.fleet.ids))))
    at = evidence.until
    while at < until:
        whole = at - at % 24  # from the day's start, so that its reboots are numbered from the first
        end = min(until, whole + 24 * days)
        panel = load_panel(store, evidence.fleet.ids, evidence.versions, whole, end, counters=counters)
        yield panel.part(at - whole, end - whole)
        at = end


def _first_hour(
    store: TelemetryStore, fleet: Fleet, versions: Versions, target: int, released: int, now: int
) -> int | None:
    """The first hour at or after the announcement in which a counted device ran the release."""
    for begins in range(released, now, 24):
        ends = min(now, begins + 24)
        rows = store.exposure(time_of(begins), time_of(ends), devices=fleet.ids)
        words = [word for word in pc.unique(rows["firmware"]).to_pylist() if word and versions.number(word) == target]
        if words:
            mine = rows.filter(pc.is_in(rows["firmware"], value_set=pa.array(words, pa.string())))
            return hour_of(pc.min(mine["hour"]).as_py())
    return None


def _pre_period(store: TelemetryStore, fleet: Fleet, first_wave: int) -> tuple[int, int]:
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


def _cap(store: TelemetryStore, fleet: Fleet, start: int, end: int) -> int:
    """The most reboots of a device and UTC day that count: the 99.5 % quantile of the pre-period's device-days, at least 3."""
    events = store.events(time_of(start), time_of(end), devices=fleet.ids, kinds=["reboot"])
    events = events.filter(pc.invert(pc.is_in(events["code"], value_set=pa.array(sorted(REBOOT_CODES_EXPECTED)))))
    if events.num_rows == 0:
        return LEAST_CAP
    day = pc.floor_temporal(events["at"], unit="day")
    counts = (
        pa.table({"device": events["device"], "day": day}).group_by(["device", "day"]).aggregate([([], "count_all")])
    )
    numbers = np.sort(counts["count_all"].to_numpy())[::-1]
    beyond = int((1.0 - CAP_QUANTILE) * len(fleet.ids) * (end - start) / 24)
    return max(LEAST_CAP, int(numbers[beyond])) if beyond < numbers.size else LEAST_CAP


def _read_past(
    store: TelemetryStore, evidence: Evidence, metrics: Sequence[Metric], edges: tuple[int, int, int]
) -> tuple[list[Past], Evidence]:
    """The past of each metric in two halves, and the evidence carried to the end of it."""
    start, middle, end = edges
    pasts = {metric.name: Past.nothing(len(evidence.fleet.ids)) for metric in metrics if metric.repeats}
    watching = replace(
        evidence, streams=tuple(Stream.begin(metric, Past.nothing(0), 1.0) for metric in metrics), until=start
    )
    for half, until in (("early", middle), ("late", end)):
        for panel in _panels(store, watching, until):
            arms, carry = _arms(watching, panel)
            _add_past(pasts, half, metrics, panel, arms, watching)
            watching = replace(watching, carry=carry, until=panel.begin + panel.hours)
    nothing = Past.nothing(len(evidence.fleet.ids))
    return [pasts.get(metric.name, nothing) for metric in metrics], watching


def _add_past(
    pasts: dict[str, Past], half: str, metrics: Sequence[Metric], panel: Panel, arms: Arms, evidence: Evidence
) -> None:
    before = arms.counted & ~arms.treated  # a device that ran the release early has no past in those hours
    hours = before.astype(np.float64)
    for metric in metrics:
        if metric.name in pasts:
            events = np.where(before, _counts(metric, panel, arms, evidence.cap).events, 0.0)
            past = pasts[metric.name]
            longer = getattr(past, half).add(hours, events, evidence.fleet.strata)
            pasts[metric.name] = replace(past, **{half: longer})
