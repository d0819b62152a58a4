"""All that is known of a release up to an hour: a value that further hours make the next one from."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Self, TypeVar

import numpy as np
from numpy.typing import NDArray

from analytics.cohorts.arms import Arms, Carry, Comparison, arrange
from analytics.cohorts.boots import BootMemory, DayCap, silent_boots
from analytics.cohorts.fleet import Fleet
from analytics.cohorts.means import DayMemory, DayValues, end_of_day, part_of_day
from analytics.cohorts.panel import Panel, Question, Versions
from analytics.cohorts.reading import load_panel
from analytics.cohorts.spec import METRICS, Metric
from analytics.cohorts.streams import Counts, Stream
from hearthwatch.firmware import version
from hearthwatch.ports import TelemetryStore
from hearthwatch.values import Release

_CELLS = 1_500_000  # device-hours held in memory at once
FAR = 10**9

Offers = tuple[tuple[str, int, str], ...]
"""(device, hour, version) that devices were told to install, in order of time."""


@dataclass(frozen=True, slots=True)
class Options:
    """How a release is compared: ``margin`` as a ratio, ``burn_in`` in hours; in ``blind`` hours (since 1970) nobody was heard.

    From the hour ``superseded_at`` on another release is the newest of the model: what a device then says it installs is that one.
    """

    margin: float
    burn_in: int
    blind: frozenset[int] = frozenset()
    metrics: tuple[Metric, ...] = METRICS
    superseded_at: int = FAR


@dataclass(frozen=True, slots=True)
class Memory:
    """What must be remembered of each device from one block of hours to the next."""

    carry: Carry
    boots: BootMemory
    cap: DayCap
    days: Mapping[str, DayMemory] = field(default_factory=dict)

    @classmethod
    def nothing(cls, devices: int, metrics: Sequence[Metric]) -> Memory:
        """Nothing seen yet."""
        days = {metric.name: DayMemory.nothing(devices) for metric in metrics if metric.kind == "mean"}
        return cls(Carry.nothing(devices), BootMemory.nothing(devices), DayCap.nothing(devices), days)


@dataclass(frozen=True, slots=True)
class Happened:
    """A part of a UTC day, arranged: the arms, and all boots nobody asked for (``unexpected``, not yet capped) or that happened at all."""

    panel: Panel
    arms: Arms
    unexpected: NDArray[np.float64]
    booted: NDArray[np.bool_]

    @property
    def ends_day(self) -> bool:
        """Whether the UTC day is over with it."""
        return (self.panel.begin + self.panel.hours) % 24 == 0

    @property
    def day(self) -> int:
        """The UTC day, since 1970."""
        return self.panel.begin // 24


@dataclass(frozen=True, slots=True)
class Evidence:
    """The evidence about a release up to the hour ``until`` (since 1970).

    ``first_wave`` is the hour the release's clock began, ``last_arrival`` the last hour in which a device got the release; a device's boots
    beyond the ``cap`` of a UTC day are not counted, nor are those that no event tells of where they are a device's ``habit`` (it sleeps);
    ``pre_hours`` is the length of the pre-period. ``offers``: what devices were told to install.
    """

    release: Release
    options: Options
    fleet: Fleet
    versions: Versions
    cap: int
    habit: NDArray[np.bool_]
    first_wave: int
    until: int
    memory: Memory
    streams: tuple[Stream, ...]
    last_arrival: int
    pre_hours: int
    offers: Offers = ()

    def happened(self, panel: Panel) -> tuple[Happened, Memory]:
        """What happened in the next hours, which are of one UTC day, and what to remember but for the day's means and cap."""
        comparison = _comparison(self.release, self.versions)
        fleet, memory = self.fleet, self.memory
        arms, carry = arrange(panel, memory.carry, comparison, self.options.burn_in, fleet.removed, fleet.silent_after)
        silent, boots = silent_boots(panel.signs, panel.reboots, panel.blind, panel.begin, memory.boots)
        unexpected = panel.unexpected + np.where(self.habit[:, None], 0.0, silent)
        booted = (panel.reboots > 0) | (silent > 0)
        return Happened(panel, arms, unexpected, booted), replace(memory, carry=carry, boots=boots)

    def day_means(self, found: Happened, memory: Memory) -> tuple[Mapping[str, DayValues], Memory]:
        """The values of the means of a UTC day that is over, by metric, and what to remember."""
        values: dict[str, DayValues] = {}
        days = dict(memory.days)
        for metric in self.options.metrics:
            if metric.kind != "mean":
                continue
            day = self._gauge(metric, found, days[metric.name])
            if found.ends_day:
                values[metric.name], day = end_of_day(metric, day, found.day)
            days[metric.name] = day
        return values, replace(memory, days=days)

    def _gauge(self, metric: Metric, found: Happened, day: DayMemory) -> DayMemory:
        panel, arms = found.panel, found.arms
        told = panel.gauges.get(metric.of)
        if told is None:
            told = np.full(panel.reported.shape, np.nan)
        exposed = arms.exposed(metric.burn_in_h)
        if not metric.on_mains:
            exposed = exposed & ~self.fleet.on_mains[:, None]
        return part_of_day(day, told, exposed, arms.treated, found.booted, panel.begin)

    def moved(self, memory: Memory, panel: Panel) -> Self:
        """The same evidence after hours that count nowhere."""
        return replace(self, memory=memory, until=panel.begin + panel.hours)

    def add(self, panel: Panel) -> Self:
        """The evidence after further hours."""
        evidence = self
        for part in panel.days():
            evidence = evidence.add_part(part)
        return evidence

    def add_part(self, panel: Panel) -> Self:
        """The evidence after further hours of one UTC day."""
        found, memory = self.happened(panel)
        boots, cap = memory.cap.apply(found.unexpected, panel.begin, self.cap)
        means, memory = self.day_means(found, replace(memory, cap=cap))
        streams = []
        for stream in self.streams:
            if not stream.reported and told_in(stream.metric, panel):
                stream = replace(stream, reported=True)
            if stream.reported and stream.metric.kind != "mean":
                stream = stream.add(counts(stream.metric, found.arms, boots), self.fleet.strata)
            elif stream.reported and stream.metric.name in means:
                stream = stream.add(mean_counts(means[stream.metric.name], stream.cap), self.fleet.strata)
            ended = stream.reported and found.ends_day
            streams.append(stream.marked(panel.begin + panel.hours) if ended else stream)
        came = np.flatnonzero((found.arms.arrived & found.arms.treated).any(axis=0))
        last_arrival = panel.begin + int(came[-1]) if came.size else self.last_arrival
        return replace(self.moved(memory, panel), streams=tuple(streams), last_arrival=last_arrival)

    def with_means(self, means: Mapping[str, Stream]) -> Self:
        """The same with other streams of means, by name."""
        return replace(self, streams=tuple(means.get(stream.metric.name, stream) for stream in self.streams))

    @property
    def means(self) -> Mapping[str, Stream]:
        """The streams of means, by name."""
        return {stream.metric.name: stream for stream in self.streams if stream.metric.kind == "mean"}

    @property
    def live(self) -> tuple[Stream, ...]:
        """The streams of metrics that the fleet reports."""
        return tuple(stream for stream in self.streams if stream.reported)

    @property
    def adoption(self) -> tuple[int, int]:
        """Devices that ran the release when they were last heard, and devices of the model; those taken away left out."""
        there = self.fleet.removed > self.until
        on_it = self.memory.carry.version == self.versions.number(self.release.version)
        return int(np.count_nonzero(there & on_it)), int(np.count_nonzero(there))

    def question(self, *, gauges: bool = True) -> Question:
        """What must be read for it, without what only means need where ``gauges`` is false."""
        counters = [metric.of for metric in self.options.metrics if metric.source == "counter"]
        means = tuple(metric.of for metric in self.options.metrics if metric.kind == "mean")
        released = int(self.release.released_at.timestamp() // 3600)
        return Question(
            target=self.versions.number(self.release.version),
            counter=counters[0] if counters else None,
            gauges=means if gauges else (),
            blind=self.options.blind,
            offers=self.offers,
            own_words=(released, self.options.superseded_at),
        )


E = TypeVar("E", bound=Evidence)


def told_in(metric: Metric, panel: Panel) -> bool:
    """Whether the fleet told what the metric is made of."""
    if metric.source in {"reboots", "silence"}:
        return True
    told = panel.counter if metric.source == "counter" else panel.gauges.get(metric.of)
    return told is not None and bool(np.isfinite(told).any())


def counts(metric: Metric, arms: Arms, boots: NDArray[np.float64]) -> Counts:
    """What happened of a metric that is counted by the hour; ``boots`` as capped."""
    if metric.source == "silence":
        return Counts(arms.watched.astype(np.float64), arms.blamed, arms.silent.astype(np.float64), arms.silent)
    hours = arms.exposed(metric.burn_in_h).astype(np.float64)
    if metric.source == "counter":
        grew = arms.grew if arms.grew is not None else np.zeros_like(arms.counted)
        return Counts(hours, arms.treated, grew.astype(np.float64), grew)
    return Counts(hours, arms.treated, boots, boots > 0)


def mean_counts(values: DayValues, cap: float) -> Counts:
    """A day's values as one slot, winsorised at ``cap`` per device-day."""
    amount = np.minimum(values.value, cap) * values.hours / 24.0
    happened = np.zeros(amount.size, dtype=bool)
    return Counts(values.hours[:, None], values.treated[:, None], amount[:, None], happened[:, None])


def panels(store: TelemetryStore, evidence: Evidence, until: int, *, gauges: bool = True) -> Iterator[Panel]:
    """The hours from where the evidence ends up to ``until``, in pieces of whole UTC days that fit into memory."""
    days = max(1, _CELLS // (24 * max(1, len(evidence.fleet.ids))))
    at = evidence.until
    while at < until:
        end = min(until, at - at % 24 + 24 * days)
        yield load_panel(store, evidence.fleet.ids, evidence.versions, at, end, evidence.question(gauges=gauges))
        at = end


def advance(store: TelemetryStore, evidence: E, until: int, *, gauges: bool = True) -> E:
    """The evidence after the hours up to ``until``. Without ``gauges`` its means miss what they were in these hours."""
    for panel in panels(store, evidence, until, gauges=gauges):
        evidence = evidence.add(panel)
    return evidence


def _comparison(release: Release, versions: Versions) -> Comparison:
    """The release against what it replaces; where that is not said, against every older version; where none is older, against all."""
    target = versions.number(release.version)
    if release.replaces:
        return Comparison(target, frozenset({versions.number(release.replaces)}))
    own = version(release.version)
    older = frozenset(number for text, number in versions.numbers.items() if version(text).key < own.key)
    return Comparison(target, older or None)
