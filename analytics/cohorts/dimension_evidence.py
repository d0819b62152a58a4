"""The evidence of a standing comparison: that of the watch over releases, with another question put to the same hours.

The arm of a device is its value of the dimension, not its firmware; the firmware is part of the stratum. Hours after a change of either are
left out as after an update, so that within a UTC day a device counts on one firmware alone and the stratum of a day is the one it began on.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

from analytics.cohorts.dimension_values import CONTROL, TREATMENT, Members
from analytics.cohorts.evidence import Evidence, Happened, Memory, Options
from analytics.cohorts.fleet import Fleet
from analytics.cohorts.panel import UNKNOWN, Panel, Versions, time_of
from analytics.cohorts.past import begun, pre_period
from analytics.cohorts.spec import PRE_HOURS, WASHOUT_HOURS
from analytics.cohorts.streams import Past, Stream
from analytics.sequential.strata import Strata
from hearthwatch.ports import TelemetryStore
from hearthwatch.values import Release

ADOPTED_SHARE = 0.05
"""Where more than this share of a value's devices came to it or left it, they may have been chosen; else they were made with it."""

_NEVER = -(10**9)
_TREATED, _CONTROL = "1", "0"  # as version strings, so that the arms are numbered as versions are


@dataclass(frozen=True, slots=True)
class Running:
    """The firmware each device was last known to run, and the hour it came to it (since 1970); shape (devices,)."""

    version: NDArray[np.int32]
    changed_at: NDArray[np.int64]

    @classmethod
    def nothing(cls, devices: int) -> Running:
        """Nothing known yet."""
        return cls(np.full(devices, UNKNOWN, np.int32), np.full(devices, _NEVER, np.int64))

    def after(self, panel: Panel) -> tuple[NDArray[np.int64], Running]:
        """By device and hour when it last changed its firmware, and what to remember."""
        hours = panel.begin + np.arange(panel.hours)
        changed_at = np.empty(panel.version.shape, dtype=np.int64)
        version, at = self.version, self.changed_at
        for place, hour in enumerate(hours.tolist()):
            one, other = panel.version[:, place], panel.other[:, place]
            now = np.where(one == UNKNOWN, version, np.where(one == version, other, one)).astype(np.int32)
            at = np.where((now != version) & (version != UNKNOWN), hour, at)
            version, changed_at[:, place] = now, at
        return changed_at, Running(version, at)


@dataclass(frozen=True, slots=True)
class DimensionEvidence(Evidence):
    """As `Evidence`; its ``first_wave`` is the hour the comparison counts from.

    ``adopted``: devices changed the value, so that each is compared with its own past. ``blank``: all devices are taken as control, to
    learn how each of them is before the question is put.
    """

    members: Members = field(kw_only=True)
    running: Running = field(kw_only=True)
    adopted: bool = field(kw_only=True)
    blank: bool = field(kw_only=True, default=False)

    def happened(self, panel: Panel) -> tuple[Happened, Memory]:
        """What happened in the next hours, which are of one UTC day."""
        arm = self.members.arms(panel.begin, panel.begin + panel.hours)
        asked = np.where((arm == TREATMENT) & self.blank, CONTROL, arm).astype(np.int32)
        offers = np.zeros_like(panel.told_to_update)
        found, memory = Evidence.happened(self, replace(panel, version=asked, other=asked, told_to_update=offers))
        changed_at, _ = self.running.after(panel)
        since = panel.begin + np.arange(panel.hours) - changed_at
        known = arm != UNKNOWN
        arms = found.arms
        arms = replace(
            arms,
            since=np.minimum(arms.since, since),
            settled=arms.settled & known & ~panel.mixed,
            counted=arms.counted & known & ~panel.mixed & (since >= self.options.burn_in),
            watched=arms.watched & known,
        )
        return replace(found, panel=panel, arms=arms), memory

    def moved(self, memory: Memory, panel: Panel) -> DimensionEvidence:
        """The same evidence after hours that count nowhere."""
        _, running = self.running.after(panel)
        return replace(self, memory=memory, until=panel.begin + panel.hours, running=running)

    def add(self, panel: Panel) -> DimensionEvidence:
        """The evidence after further hours."""
        evidence, home = self, self.fleet
        for part in panel.days():
            at_home = replace(evidence, fleet=replace(home, strata=evidence.strata_of_day(part)))
            evidence = replace(at_home.add_part(part), fleet=home)
        return evidence

    def strata_of_day(self, part: Panel) -> Strata:
        """Place and firmware; of a device that was not known before, the first firmware it tells of."""
        told = part.version != UNKNOWN
        first = np.take_along_axis(part.version, told.argmax(axis=1)[:, None], axis=1)[:, 0]
        version = np.where(
            self.running.version == UNKNOWN, np.where(told.any(axis=1), first, UNKNOWN), self.running.version
        )
        return Strata.of(self.fleet.strata.of_device * (int(version.max(initial=0)) + 2) + version + 1)

    @property
    def adoption(self) -> tuple[int, int]:
        """Devices that have the treatment's value now, and devices of the model; those taken away left out."""
        there = self.fleet.removed > self.until
        now = self.members.arms(self.until, self.until + 1)[:, 0]
        return int(np.count_nonzero(there & (now == TREATMENT))), int(np.count_nonzero(there))


def adopted_by(members: Members, since: int, now: int) -> bool:
    """Whether devices came to the value or left it in the pre-period or since, so many that they may have been chosen."""
    movers, had = members.moved(since - PRE_HOURS - WASHOUT_HOURS, now)
    return movers > ADOPTED_SHARE * had


def begin(
    store: TelemetryStore, members: Members, fleet: Fleet, model: str, since: int, now: int, options: Options
) -> DimensionEvidence:
    """The evidence at the hour ``since``: none yet, but each device's own past where devices changed the value.

    What was made so and never changed has no past without it: its devices are compared as they are.
    """
    start, end = pre_period(store, fleet, since)
    adopted = adopted_by(members, since, now)
    question = Release(
        0, model, _TREATED, _CONTROL, "unknown" if adopted else "randomised", (), time_of(since), "rolling", 1
    )
    versions = Versions()
    if (versions.number(_CONTROL), versions.number(_TREATED)) != (CONTROL, TREATMENT):
        raise ValueError("the arms are not numbered as versions are")
    devices = len(fleet.ids)
    empty = DimensionEvidence(
        release=question,
        options=options,
        fleet=fleet,
        versions=versions,
        cap=0,
        habit=np.zeros(devices, dtype=bool),
        first_wave=since,
        until=start,
        memory=Memory.nothing(devices, options.metrics),
        streams=(),
        last_arrival=since,
        pre_hours=end - start,
        members=members,
        running=Running.nothing(devices),
        adopted=adopted,
        blank=not adopted,
    )
    found = begun(store, empty)
    return found if adopted else _asked(found)


def _asked(found: DimensionEvidence) -> DimensionEvidence:
    """The question put to devices that never changed the value: no past, and nobody has just come to it."""
    nowhere = np.full(len(found.fleet.ids), UNKNOWN, dtype=np.int32)
    memory = replace(found.memory, carry=replace(found.memory.carry, version=nowhere))
    streams = tuple(_without_past(stream) for stream in found.streams)
    return replace(found, blank=False, memory=memory, streams=streams)


def _without_past(stream: Stream) -> Stream:
    devices = stream.used.size
    return replace(stream, past=Past.nothing(devices, stream.metric.known_past_hours))
