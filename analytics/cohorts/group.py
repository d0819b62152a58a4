"""One model of a history, and how one value of a column fared against the others from day to day."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from analytics.cohorts.days import UNKNOWN, DeviceDays, Ints
from analytics.cohorts.spec import LEAST_PRE_HOURS, PRE_HOURS, WASHOUT_HOURS, Metric
from analytics.cohorts.streams import Past, Stream
from analytics.sequential.cluster import Block, PastSums, RateSums
from analytics.sequential.logrank import first_events
from analytics.sequential.strata import Strata

_ADOPTED_SHARE = 0.05
_PRE, _WASHOUT, _LEAST_PRE = PRE_HOURS // 24, WASHOUT_HOURS // 24, LEAST_PRE_HOURS // 24

Mask = NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class Group:
    """Device-days of one model, sorted by day; arrays of shape (device-days,).

    A *row* is a device in one stratum (its firmware is part of the stratum where something else is compared): ``row`` numbers it;
    ``owner`` is the device and ``stratum`` the stratum of each row. ``left`` numbers the value a device came from on the day it came to
    another one (else -1); such a day and one with two values are ``excluded``. ``events`` holds by metric the number of each device-day.
    """

    model: str | None
    device: Ints
    row: Ints
    day: Ints
    value: Ints
    left: Ints
    excluded: Mask
    owner: Ints
    stratum: Ints
    events: Mapping[str, Ints]

    @property
    def values(self) -> Sequence[int]:
        """The values that occur."""
        return [int(value) for value in np.unique(self.value) if value != UNKNOWN]

    def was_adopted(self, value: int) -> bool:
        """Whether devices came to it from another value or left it for one, so that they may have chosen; else they were made with it."""
        moved = np.unique(self.device[(self.left != UNKNOWN) & (self.value == value)]).size
        moved += np.unique(self.device[self.left == value]).size
        return bool(moved > _ADOPTED_SHARE * np.unique(self.device[self.value == value]).size)

    def contrast(self, value: int) -> Contrast | None:
        """The value against the others, in the strata in which it occurs; None where it was never seen."""
        counted = (self.value != UNKNOWN) & ~self.excluded
        treated = self.value == value
        have = counted & treated
        if not have.any():
            return None
        strata = np.unique(self.stratum[self.row[have]])
        rows = np.flatnonzero(np.isin(self.stratum, strata))
        place = np.full(self.owner.size, UNKNOWN)
        place[rows] = np.arange(rows.size)
        kept = place[self.row] != UNKNOWN
        members, owner = np.unique(self.owner[rows], return_inverse=True)
        return Contrast(
            devices=members.size,
            row=place[self.row[kept]],
            day=self.day[kept],
            counted=counted[kept],
            treated=treated[kept],
            owner=owner,
            strata=Strata.of(self.stratum[rows]),
            events={metric: count[kept] for metric, count in self.events.items()},
            first=int(self.day[have].min()),
            last=int(self.day[have].max()),
        )


@dataclass(frozen=True, slots=True)
class Contrast:
    """One value against the others: device-days sorted by day, as in `Group`; ``first`` and ``last`` are the days it was seen on."""

    devices: int
    row: Ints
    day: Ints
    counted: Mask
    treated: Mask
    owner: Ints
    strata: Strata
    events: Mapping[str, Ints]
    first: int
    last: int

    @property
    def sizes(self) -> tuple[int, int]:
        """Devices that ever had it, and that ever had another one while it was there."""
        now = self.counted & (self.day >= self.first) & (self.day <= self.last)
        sides = (now & self.treated, now & ~self.treated)
        treated, control = (np.unique(self.owner[self.row[side]]).size for side in sides)
        return treated, control

    def follow(self, metric: Metric, margin: float, looks: int) -> Iterator[tuple[int, Stream]]:
        """The evidence at the end of each day (or of every few, at most ``looks`` times) from the value's first day to its last."""
        events = self.events[metric.name]
        stream = Stream.begin(metric, self._past(events), margin)
        everyone = known = RateSums.nothing(self.owner.size)
        seen_before = stream.past.known[self.owner][:, None]
        unused = self._until_first_event(events)
        step = -(-(self.last - self.first + 1) // looks)
        for begin in range(self.first, self.last + 1, step):
            end = min(begin + step, self.last + 1)
            hours = 24.0 * self._dense(begin, end, self.counted)
            treated = self._dense(begin, end, self.treated & self.counted) > 0
            happened = self._dense(begin, end, events)
            block = Block(hours, treated, np.where(hours > 0, happened, 0.0))
            everyone = everyone.add(block, self.strata)
            if seen_before.any():
                own = Block(np.where(seen_before, hours, 0.0), treated, np.where(seen_before, block.events, 0.0))
                known = known.add(own, self.strata)
            at_risk = np.where(self._dense(begin, end, unused) > 0, hours, 0.0)
            fresh = np.zeros(self.owner.size, dtype=bool)
            groups, _ = first_events(at_risk, treated, happened > 0, fresh, self.strata)
            stream = replace(
                stream,
                everyone=everyone.gathered(self.owner, self.devices),
                known=known.gathered(self.owner, self.devices),
                logrank=stream.logrank.add(groups),
            )
            yield end - 1, stream

    def _dense(self, begin: int, end: int, amount: Ints | Mask) -> NDArray[np.float64]:
        """Amounts by row and day of [begin, end)."""
        first, last = np.searchsorted(self.day, [begin, end])
        width = end - begin
        flat = self.row[first:last] * width + self.day[first:last] - begin
        total = np.bincount(flat, weights=amount[first:last], minlength=self.owner.size * width)
        return total.reshape(self.owner.size, width).astype(np.float64, copy=False)

    def _until_first_event(self, events: Ints) -> Mask:
        """Device-days up to and with each device's first event since the value's first day."""
        device = self.owner[self.row]
        happened = (events > 0) & (self.day >= self.first)
        at = np.full(self.devices, np.iinfo(np.int64).max)
        np.minimum.at(at, device[happened], self.day[happened])
        result: Mask = self.day <= at[device]
        return result

    def _past(self, events: Ints) -> Past:
        """Each device's own past before the value's first day, with a wash-out where it is long enough."""
        earliest = int(self.day[0])
        start, end = max(earliest, self.first - _PRE - _WASHOUT), self.first - _WASHOUT
        if end - start < _LEAST_PRE:
            start, end = max(earliest, self.first - _PRE), self.first
        if end <= start:
            return Past.nothing(self.devices)
        middle = (start + end) // 2
        halves = []
        for begins, ends in ((start, middle), (middle, end)):
            hours = 24.0 * self._dense(begins, ends, self.counted & ~self.treated)
            happened = np.where(hours > 0, self._dense(begins, ends, events), 0.0)
            sums = PastSums.nothing(self.owner.size).add(hours, happened, self.strata)
            halves.append(sums.gathered(self.owner, self.devices))
        return Past(*halves)


def groups_of(found: DeviceDays) -> Iterator[Group]:
    """The history by model; devices of unknown model are one group."""
    per_cell = found.models[found.device]
    for model in np.unique(per_cell):
        name = None if model == UNKNOWN else found.model_names[int(model)]
        yield _group(found, np.flatnonzero(per_cell == model), name)


def _group(found: DeviceDays, mine: Ints, name: str | None) -> Group:
    members, device = np.unique(found.device[mine], return_inverse=True)
    value, day = found.value[mine], found.day[mine]
    same = np.concatenate([[False], device[1:] == device[:-1]])
    before = np.concatenate([[UNKNOWN], value[:-1]])
    fresh = same & (before != value) & (before != UNKNOWN) & (value != UNKNOWN)
    kinds, row = np.unique(np.stack((device, found.other[mine])), axis=1, return_inverse=True)
    owner = kinds[0]
    _, stratum = np.unique(np.stack((found.places[members][owner], kinds[1])), axis=1, return_inverse=True)
    counts = {
        metric: np.bincount(indices, minlength=found.device.size)[mine] for metric, indices in found.happened.items()
    }
    order = np.argsort(day, kind="stable")
    return Group(
        model=name,
        device=device[order],
        row=np.asarray(row).ravel()[order],
        day=day[order],
        value=value[order],
        left=np.where(fresh, before, UNKNOWN)[order],
        excluded=(fresh | found.changed[mine])[order],
        owner=owner,
        stratum=np.asarray(stratum).ravel(),
        events={metric: count[order] for metric, count in counts.items()},
    )
