"""One model of a history: its device-days, and how one value of a column fared against the others from day to day."""

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

    A *row* is a device in one stratum (its firmware is part of the stratum where something else is compared): ``row`` numbers it,
    ``owner`` is the device of each row. ``fresh`` marks the day a device came to its value from another, which ``left`` numbers;
    such a day and one with two values count in no arm. ``events`` holds by metric the number of events of each device-day.
    """

    model: str | None
    devices: int
    device: Ints
    row: Ints
    day: Ints
    value: Ints
    fresh: Mask
    left: Ints
    excluded: Mask
    owner: Ints
    strata: Strata
    events: Mapping[str, Ints]

    @property
    def values(self) -> Sequence[int]:
        """The values that occur."""
        return [int(value) for value in np.unique(self.value) if value != UNKNOWN]

    def devices_on(self, value: int) -> int:
        """Devices that ever had it."""
        return int(np.unique(self.device[self.value == value]).size)

    def devices_off(self, value: int) -> int:
        """Devices that ever had another one."""
        return int(np.unique(self.device[(self.value != value) & (self.value != UNKNOWN)]).size)

    def was_adopted(self, value: int) -> bool:
        """Whether devices came to it from another value or left it for one, so that they may have chosen; else they were made with it."""
        moved = np.unique(self.device[self.fresh & (self.value == value)]).size
        moved += np.unique(self.device[self.left == value]).size
        return bool(moved > _ADOPTED_SHARE * self.devices_on(value))

    def follow(self, value: int, metric: Metric, margin: float, looks: int) -> Iterator[tuple[int, Stream]]:
        """The evidence at the end of each day (or of every few, at most ``looks`` times) from the value's first day to its last."""
        counted = (self.value != UNKNOWN) & ~self.excluded
        treated = self.value == value
        have = self.day[counted & treated]
        if have.size == 0:
            return
        first, last = int(have.min()), int(have.max())
        events = self.events[metric.name]
        stream = Stream.begin(metric, self._past(value, events, first), margin)
        rows = _Rows(RateSums.nothing(self.owner.size), RateSums.nothing(self.owner.size))
        known = stream.past.known[self.owner][:, None]
        unused = self._until_first_event(events, first)
        step = -(-(last - first + 1) // looks)
        for begin in range(first, last + 1, step):
            end = min(begin + step, last + 1)
            hours = 24.0 * self._dense(begin, end, counted)
            arm = self._dense(begin, end, treated & counted) > 0
            happened = self._dense(begin, end, events)
            block = Block(hours, arm, np.where(hours > 0, happened, 0.0))
            own = Block(np.where(known, hours, 0.0), arm, np.where(known, block.events, 0.0))
            rows = _Rows(rows.everyone.add(block, self.strata), rows.known.add(own, self.strata))
            at_risk = np.where(self._dense(begin, end, unused) > 0, hours, 0.0)
            groups, _ = first_events(at_risk, arm, happened > 0, np.zeros(self.owner.size, dtype=bool), self.strata)
            stream = replace(
                stream,
                everyone=rows.everyone.gathered(self.owner, self.devices),
                known=rows.known.gathered(self.owner, self.devices),
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

    def _until_first_event(self, events: Ints, first: int) -> Mask:
        """Device-days up to and with each device's first event since the day ``first``."""
        happened = (events > 0) & (self.day >= first)
        at = np.full(self.devices, np.iinfo(np.int64).max)
        np.minimum.at(at, self.device[happened], self.day[happened])
        result: Mask = self.day <= at[self.device]
        return result

    def _past(self, value: int, events: Ints, first: int) -> Past:
        """Each device's own past before the value's first day, with a wash-out where it is long enough."""
        start, end = max(int(self.day[0]), first - _PRE - _WASHOUT), first - _WASHOUT
        if end - start < _LEAST_PRE:
            start, end = max(int(self.day[0]), first - _PRE), first
        start = max(start, end - _PRE)
        if end <= start:
            return Past.nothing(self.devices)
        usable = (self.value != value) & (self.value != UNKNOWN) & ~self.excluded
        middle = (start + end) // 2
        halves = []
        for begins, ends in ((start, middle), (middle, end)):
            hours = 24.0 * self._dense(begins, ends, usable)
            happened = np.where(hours > 0, self._dense(begins, ends, events), 0.0)
            sums = PastSums.nothing(self.owner.size).add(hours, happened, self.strata)
            halves.append(sums.gathered(self.owner, self.devices))
        return Past(*halves)


@dataclass(frozen=True, slots=True)
class _Rows:
    """Running sums by row."""

    everyone: RateSums
    known: RateSums


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
    labels = np.stack((device, found.other[mine]))
    kinds, row = np.unique(labels, axis=1, return_inverse=True)
    owner = kinds[0]
    _, stratum = np.unique(np.stack((found.places[members][owner], kinds[1])), axis=1, return_inverse=True)
    counts = {
        metric: np.bincount(indices, minlength=found.device.size)[mine] for metric, indices in found.happened.items()
    }
    order = np.argsort(day, kind="stable")
    return Group(
        model=name,
        devices=members.size,
        device=device[order],
        row=np.asarray(row).ravel()[order],
        day=day[order],
        value=value[order],
        fresh=fresh[order],
        left=np.where(fresh, before, UNKNOWN)[order],
        excluded=(fresh | found.changed[mine])[order],
        owner=owner,
        strata=Strata.of(np.asarray(stratum).ravel()),
        events={metric: count[order] for metric, count in counts.items()},
    )
