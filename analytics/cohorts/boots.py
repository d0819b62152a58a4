"""Boots that no event tells of: a device that reboots faster than it reports still counts by its boots.

They show in what a device does tell: a ``boot_count`` that grew, an ``uptime_s`` that began anew, another boot id on its presence or
events. Where events of reboots explain them (wanted ones included) they are not counted again: in each hour in which one of the signs was
told,

    silent = max(0, boots seen since the sign was last told - events of reboots since then),

boots seen being the largest of the three. An event after the last sign of its hour explains a boot that the next sign shows. After hours
in which nobody could be heard the signs only begin anew: their events may be lost.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

_NEVER = -(10**9)
_HOUR_S = 3600.0
_CLOCK = 0.98  # a device's clock may be slow by so much
_WRAPS_S = 4_290_000.0  # milliseconds in 32 bits begin anew after 49.7 days without a boot


@dataclass(frozen=True, slots=True)
class BootSigns:
    """What tells of boots, by device and hour, shape (devices, hours); NaN or 0 where nothing does.

    ``count`` is the hour's last boot_count; ``uptime`` the hour's last uptime_s, ``lowest`` and ``highest`` its extremes (seconds);
    ``ids`` how many boot ids were told in the hour, ``first_id`` and ``last_id`` numbers of the first and the last one.
    """

    count: Floats
    uptime: Floats
    lowest: Floats
    highest: Floats
    ids: NDArray[np.int32]
    first_id: Ints
    last_id: Ints

    @classmethod
    def nothing(cls, devices: int, hours: int) -> BootSigns:
        """No sign at all."""
        absent = np.full((devices, hours), np.nan)
        none = np.zeros((devices, hours), dtype=np.int64)
        return cls(absent, absent, absent, absent, none.astype(np.int32), none, none)

    def part(self, first: int, last: int) -> BootSigns:
        """The hours [first, last) of it."""
        return BootSigns(
            self.count[:, first:last],
            self.uptime[:, first:last],
            self.lowest[:, first:last],
            self.highest[:, first:last],
            self.ids[:, first:last],
            self.first_id[:, first:last],
            self.last_id[:, first:last],
        )


@dataclass(frozen=True, slots=True)
class BootMemory:
    """What must be remembered of each device, shape (devices,): the signs as last told, events that explain a boot yet to be seen, and
    whether there was a blind hour since."""

    count: Floats
    uptime: Floats
    uptime_at: Ints
    id: Ints
    unexplaining: Floats
    unheard: NDArray[np.bool_]

    @classmethod
    def nothing(cls, devices: int) -> BootMemory:
        """Nothing told yet."""
        return cls(
            np.full(devices, np.nan),
            np.full(devices, np.nan),
            np.full(devices, _NEVER, dtype=np.int64),
            np.zeros(devices, dtype=np.int64),
            np.zeros(devices),
            np.zeros(devices, dtype=bool),
        )


def silent_boots(
    signs: BootSigns, events: Floats, blind: NDArray[np.bool_], begin: int, memory: BootMemory
) -> tuple[Floats, BootMemory]:
    """Boots that no event tells of, by device and hour, and what to remember.

    ``events`` are all events of reboots, expected ones too, ``blind`` the hours in which nobody could be heard; hours begin at ``begin``.
    """
    silent = np.zeros_like(events)
    for hour in range(events.shape[1]):
        silent[:, hour], memory = _hour(signs, events[:, hour], bool(blind[hour]), begin + hour, hour, memory)
    return silent, memory


def _hour(
    signs: BootSigns, events: Floats, blind: bool, at: int, hour: int, memory: BootMemory
) -> tuple[Floats, BootMemory]:
    count, uptime, ids = signs.count[:, hour], signs.uptime[:, hour], signs.ids[:, hour]
    counts, times, names = np.isfinite(count), np.isfinite(uptime), ids > 0
    told = counts | times | names
    explained = memory.unexplaining + events
    if not told.any():
        return np.zeros_like(events), _replaced(memory, explained, memory.unheard | blind)
    grown = np.where(counts, count - memory.count, 0.0)  # NaN where it was not known before
    seen = np.where(grown > 0.0, grown, 0.0)
    seen = np.maximum(seen, _began_anew(signs, hour, at, memory))
    fresh = ids - (signs.first_id[:, hour] == memory.id)
    seen = np.maximum(seen, np.where(names & (memory.id != 0), fresh, np.maximum(ids - 1, 0)))
    unheard = memory.unheard | blind
    silent = np.where(told & ~unheard, np.maximum(seen - explained, 0.0), 0.0)
    return silent, BootMemory(
        count=np.where(counts, count, memory.count),
        uptime=np.where(times, uptime, memory.uptime),
        uptime_at=np.where(times, at, memory.uptime_at),
        id=np.where(names, signs.last_id[:, hour], memory.id),
        unexplaining=np.where(told, np.maximum(events - seen, 0.0), explained),
        unheard=np.where(told, blind, unheard),
    )


def _replaced(memory: BootMemory, explained: Floats, unheard: NDArray[np.bool_]) -> BootMemory:
    return BootMemory(memory.count, memory.uptime, memory.uptime_at, memory.id, explained, unheard)


def _began_anew(signs: BootSigns, hour: int, at: int, memory: BootMemory) -> NDArray[np.bool_]:
    """Whether the uptime says that there was a boot since it was last told, or within the hour."""
    last, lowest, highest = signs.uptime[:, hour], signs.lowest[:, hour], signs.highest[:, hour]
    whole_hours = np.maximum(at - memory.uptime_at - 1, 0) * _HOUR_S
    known = np.isfinite(memory.uptime) & (memory.uptime < _WRAPS_S)
    with np.errstate(invalid="ignore"):
        since = known & ((lowest < memory.uptime) | (last < whole_hours * _CLOCK))
        within = (last < highest) & (highest < _WRAPS_S)
    result: NDArray[np.bool_] = since | within
    return result


@dataclass(frozen=True, slots=True)
class DayCap:
    """How many boots of each device were counted on the UTC day so far, shape (devices,)."""

    counted: Floats

    @classmethod
    def nothing(cls, devices: int) -> DayCap:
        """None yet."""
        return cls(np.zeros(devices))

    def apply(self, boots: Floats, begin: int, cap: float) -> tuple[Floats, DayCap]:
        """The boots by device and hour without those beyond ``cap`` on a UTC day, so that one crash loop does not speak for the fleet."""
        kept, counted = np.empty_like(boots), self.counted
        for hour in range(boots.shape[1]):
            if (begin + hour) % 24 == 0:
                counted = np.zeros_like(counted)
            kept[:, hour] = np.clip(cap - counted, 0.0, boots[:, hour])
            counted = counted + boots[:, hour]
        return kept, DayCap(counted)
