"""Telemetry of a model's devices as dense arrays of shape (devices, hours)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field
from datetime import UTC, datetime

import numpy as np
from numpy.typing import NDArray

from analytics.cohorts.boots import BootSigns
from hearthwatch.firmware import version

UNKNOWN = -1
THIS, ANOTHER = 1, 2


def hour_of(at: datetime) -> int:
    """Whole hours since 1970 (UTC), rounded down."""
    return int(at.timestamp() // 3600)


def time_of(hour: int) -> datetime:
    """When an hour begins."""
    return datetime.fromtimestamp(hour * 3600, UTC)


@dataclass(slots=True)
class Versions:
    """Numbers for normalised firmware versions, given in the order they are met."""

    numbers: dict[str, int] = field(default_factory=dict)

    def number(self, verbatim: str) -> int:
        """The number of a firmware string's version."""
        return self.numbers.setdefault(version(verbatim).text, len(self.numbers))


@dataclass(frozen=True, slots=True)
class Panel:
    """What was reported in consecutive hours from ``begin`` (hours since 1970); arrays of shape (devices, hours).

    ``version`` numbers the firmware that reported (-1 unknown); where two did in one hour ``other`` is the second, else it is the same.
    ``unexpected`` counts unexpected reboots, ``reboots`` all that an event tells of, ``signs`` what else tells of boots. ``told_to_update``
    is `THIS` in the hour in which a device was told to install the release or said that it does, `ANOTHER` for another version. ``counter``
    is the last value of the hour, ``gauges`` the hour's mean by name, NaN without. ``blind`` marks the hours in which nobody could be heard
    (see `hearthwatch.records.blindness`).
    """

    begin: int
    reported: NDArray[np.bool_]
    version: NDArray[np.int32]
    other: NDArray[np.int32]
    unexpected: NDArray[np.float64]
    reboots: NDArray[np.float64]
    signs: BootSigns
    told_to_update: NDArray[np.int8]
    counter: NDArray[np.float64] | None
    gauges: Mapping[str, NDArray[np.float64]]
    blind: NDArray[np.bool_]

    @property
    def hours(self) -> int:
        """How many hours there are."""
        return int(self.reported.shape[1])

    @property
    def mixed(self) -> NDArray[np.bool_]:
        """Hours in which two versions reported."""
        result: NDArray[np.bool_] = self.version != self.other
        return result

    def part(self, first: int, last: int) -> Panel:
        """The hours [first, last) of it, counted from its begin."""
        return Panel(
            begin=self.begin + first,
            reported=self.reported[:, first:last],
            version=self.version[:, first:last],
            other=self.other[:, first:last],
            unexpected=self.unexpected[:, first:last],
            reboots=self.reboots[:, first:last],
            signs=self.signs.part(first, last),
            told_to_update=self.told_to_update[:, first:last],
            counter=None if self.counter is None else self.counter[:, first:last],
            gauges={name: values[:, first:last] for name, values in self.gauges.items()},
            blind=self.blind[first:last],
        )

    def days(self) -> Iterator[Panel]:
        """Its parts by UTC day."""
        at = 0
        while at < self.hours:
            end = min(self.hours, at + 24 - (self.begin + at) % 24)
            yield self.part(at, end)
            at = end


@dataclass(frozen=True, slots=True)
class Question:
    """What a panel is read for.

    ``target`` is the release's version number, ``counter`` the name of a counter or None, ``gauges`` the names of gauges. ``blind``:
    hours in which nobody was heard. ``offers``: (device, hour, version) that devices were told to install; ``own_words``: the hours
    [from, to) in which a device that says it installs something means this release.
    """

    target: int
    counter: str | None = None
    gauges: tuple[str, ...] = ()
    blind: AbstractSet[int] = frozenset()
    offers: tuple[tuple[str, int, str], ...] = ()
    own_words: tuple[int, int] = (0, 0)
