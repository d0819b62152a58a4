"""All that is known of a release up to an hour: a value that further hours make the next one from."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from analytics.cohorts.arms import Arms, Carry, Comparison, arrange
from analytics.cohorts.panel import Panel, Versions, hour_of, load_panel
from analytics.cohorts.spec import Metric
from analytics.cohorts.streams import Counts, Stream
from analytics.sequential.strata import Strata
from hearthwatch.firmware import version
from hearthwatch.ports import TelemetryStore
from hearthwatch.values import Device, Release

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

    def is_like(self, other: Fleet) -> bool:
        """Whether the registry says the same of the same devices."""
        return (
            self.ids == other.ids
            and np.array_equal(self.strata.of_device, other.strata.of_device)
            and np.array_equal(self.removed, other.removed)
        )


@dataclass(frozen=True, slots=True)
class Options:
    """How a release is compared: ``margin`` as a ratio, ``burn_in`` in hours; in ``blind`` hours (since 1970) nobody was heard."""

    margin: float
    burn_in: int
    blind: frozenset[int] = frozenset()


@dataclass(frozen=True, slots=True)
class Evidence:
    """The evidence about a release up to the hour ``until`` (since 1970).

    ``first_wave`` is the hour the release's clock began, ``last_arrival`` the last hour in which a device got the release; a device's
    reboots beyond the ``cap`` of a UTC day are not counted; ``pre_hours`` is the length of the pre-period.
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

    def arms(self, panel: Panel) -> tuple[Arms, Carry]:
        """The arms of the next hours, and what to remember after them."""
        comparison = _comparison(self.release, self.versions)
        return arrange(panel, self.carry, comparison, self.options.burn_in, self.fleet.removed)

    def moved(self, carry: Carry, panel: Panel) -> Evidence:
        """The same evidence after hours that count nowhere."""
        return replace(self, carry=carry, until=panel.begin + panel.hours)

    def add(self, panel: Panel) -> Evidence:
        """The evidence after further hours."""
        arms, carry = self.arms(panel)
        streams = tuple(
            stream.add(arms, counts(stream.metric, panel, arms, self.cap), self.fleet.strata) for stream in self.streams
        )
        target = self.versions.number(self.release.version)
        came = np.flatnonzero((arms.arrived & (arms.version == target)).any(axis=0))
        last_arrival = panel.begin + int(came[-1]) if came.size else self.last_arrival
        return replace(self.moved(carry, panel), streams=streams, last_arrival=last_arrival)


def counts(metric: Metric, panel: Panel, arms: Arms, cap: int) -> Counts:
    """What happened of a metric."""
    if metric.source == "silence":
        return Counts(arms.silent.astype(np.float64), arms.silent)
    if metric.source == "counter":
        grew = arms.grew if arms.grew is not None else np.zeros_like(arms.counted)
        return Counts(grew.astype(np.float64), grew)
    events = panel.reboot_counts(cap)
    return Counts(events, events > 0)


def panels(store: TelemetryStore, evidence: Evidence, until: int, *, counters: bool) -> Iterator[Panel]:
    """The hours from where the evidence ends up to ``until``, in pieces of whole UTC days that fit into memory."""
    days = max(1, _CELLS // (24 * max(1, len(evidence.fleet.ids))))
    at = evidence.until
    while at < until:
        whole = at - at % 24  # from the day's start, so that its reboots are numbered from the first
        end = min(until, whole + 24 * days)
        panel = load_panel(
            store,
            evidence.fleet.ids,
            evidence.versions,
            whole,
            end,
            counters=counters,
            blind=evidence.options.blind,
        )
        yield panel.part(at - whole, end - whole)
        at = end


def advance(store: TelemetryStore, evidence: Evidence, until: int) -> Evidence:
    """The evidence after the hours up to ``until``."""
    counters = any(stream.metric.source == "counter" for stream in evidence.streams)
    for panel in panels(store, evidence, until, counters=counters):
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
