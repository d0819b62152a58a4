"""The devices of a model as the registry knows them, and the strata within which they are compared."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

import numpy as np
from numpy.typing import NDArray

from analytics.cohorts.panel import hour_of
from analytics.cohorts.spec import SILENT_HOURS, SLEEPY_SILENT_HOURS
from analytics.sequential.strata import Strata
from hearthwatch.values import Device

_FAR = 10**9

YOUNG, MATURE = timedelta(days=90), timedelta(days=365)
"""Where the age bands part: too few to tear a stratum into pieces, wide enough that nobody crosses them during a roll-out."""

LEAST_IN_STRATUM = 20
"""Age and power divide a hardware revision and region only into groups of so many devices; smaller ones stay together."""


@dataclass(frozen=True, slots=True, order=True)
class Place:
    """What devices of a stratum have in common; empty where it is not known or not told apart."""

    hardware: str
    region: str
    age: str
    power: str


@dataclass(frozen=True, slots=True)
class Fleet:
    """The devices of a model as the registry knew them when the evidence was built; test devices are left out.

    Arrays of shape (devices,): ``removed`` the hour a device was taken away, ``silent_after`` the hours without a report after which it is
    silent, ``on_mains`` and ``sleepy`` its power class. ``places`` describes the strata.
    """

    ids: tuple[str, ...]
    strata: Strata
    removed: NDArray[np.int64]
    silent_after: NDArray[np.int64]
    on_mains: NDArray[np.bool_]
    sleepy: NDArray[np.bool_]
    places: tuple[Place, ...]

    @classmethod
    def of(
        cls, devices: Sequence[Device], *, power: Mapping[str, str] | None = None, at: datetime | None = None
    ) -> Fleet:
        """Strata are hardware revision x region x age band at a time x power class (`hearthwatch.records.liveness`) by device."""
        counted = sorted((device for device in devices if not device.test), key=lambda device: device.id)
        powers = [(power or {}).get(device.id, "unknown") for device in counted]
        finest = [_place(device, kind, at) for device, kind in zip(counted, powers, strict=True)]
        sizes = Counter(finest)
        chosen = [one if sizes[one] >= LEAST_IN_STRATUM else Place(one.hardware, one.region, "", "") for one in finest]
        places = sorted(set(chosen))
        number = {place: index for index, place in enumerate(places)}
        sleepy = np.array([kind == "sleepy" for kind in powers], dtype=bool)
        return cls(
            ids=tuple(device.id for device in counted),
            strata=Strata.of(np.array([number[place] for place in chosen], dtype=np.int64)),
            removed=np.array([hour_of(d.removed_at) if d.removed_at else _FAR for d in counted], dtype=np.int64),
            silent_after=np.where(sleepy, SLEEPY_SILENT_HOURS, SILENT_HOURS).astype(np.int64),
            on_mains=np.array([kind == "mains" for kind in powers], dtype=bool),
            sleepy=sleepy,
            places=tuple(places),
        )

    def is_like(self, other: Fleet) -> bool:
        """Whether the registry says the same of the same devices."""
        return (
            self.ids == other.ids
            and self.places == other.places
            and np.array_equal(self.strata.of_device, other.strata.of_device)
            and np.array_equal(self.removed, other.removed)
            and np.array_equal(self.on_mains, other.on_mains)
            and np.array_equal(self.sleepy, other.sleepy)
        )


def _place(device: Device, power: str, at: datetime | None) -> Place:
    known = "" if power == "unknown" else power
    return Place(device.hardware or "", device.region or "", age_band(device, at), known)


def age_band(device: Device, at: datetime | None) -> str:
    """How old a device is at a time, from when it was made, else installed, else first seen; empty where nothing tells."""
    since = device.made or device.installed_at or device.first_seen
    if since is None or at is None:
        return ""
    age = at - since
    return "up to 90 days" if age < YOUNG else "up to a year" if age < MATURE else "over a year"
