"""One model of a history, and how one value of a column fared against the others from day to day."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from analytics.cohorts.day_cells import UNKNOWN, Ints
from analytics.cohorts.days import DeviceDays
from analytics.cohorts.spec import LEAST_PRE_HOURS, PRE_HOURS, WASHOUT_HOURS, Metric
from analytics.cohorts.streams import Past, Stream
from analytics.sequential.cluster import Block, PastSums, RateSums
from analytics.sequential.logrank import first_events
from analytics.sequential.mixture import Floats
from analytics.sequential.strata import Strata
from analytics.sequential.winsor import LEAST_VALUES, winsor_cap

_ADOPTED_SHARE = 0.05
_PRE, _WASHOUT, _LEAST_PRE = PRE_HOURS // 24, WASHOUT_HOURS // 24, LEAST_PRE_HOURS // 24

Mask = NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class Group:
    """Device-days of one model, sorted by day; arrays of shape (device-days,).

    A *row* is a device in one stratum (its firmware is part of the stratum where something else is compared): ``row`` numbers it;
    ``owner`` is the device and ``stratum`` the stratum of each row; ``members`` numbers the devices as the history does, ``kinds``
    says of each stratum which of the history's strata and which firmware it is. ``left`` numbers the value a device came from on the
    day it came to another one (else -1); such a day and one with two values are ``excluded``. ``events`` holds by metric the number of
    each device-day, ``gauges`` the amount of each (NaN without); ``hours`` is what a device-day stands for.
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
    gauges: Mapping[str, Floats]
    members: Ints
    kinds: Sequence[tuple[int, int]]
    hours: float

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
            members=self.members[members],
            stratum=self.stratum[rows],
            hours=self.hours,
            kinds=self.kinds,
            row=place[self.row[kept]],
            day=self.day[kept],
            counted=counted[kept],
            treated=treated[kept],
            owner=owner,
            strata=Strata.of(self.stratum[rows]),
            events={metric: count[kept] for metric, count in self.events.items()},
            gauges={metric: amount[kept] for metric, amount in self.gauges.items()},
            first=int(self.day[have].min()),
            last=int(self.day[have].max()),
        )


@dataclass(frozen=True, slots=True)
class _Measured:
    """A metric by device-day: where it is ``exposed`` from the day ``begin`` on, the ``amount`` there, and where anything ``happened``."""

    exposed: Mask
    amount: Floats
    happened: Mask
    begin: int
    cap: float


@dataclass(frozen=True, slots=True)
class Followed:
    """The evidence at the end of a day: by device in ``stream``, else by device and stratum."""

    day: int
    stream: Stream
    everyone: RateSums
    known: RateSums


@dataclass(frozen=True, slots=True)
class Contrast:
    """One value against the others: device-days sorted by day, as in `Group`; ``first`` and ``last`` are the days it was seen on."""

    devices: int
    members: Ints
    stratum: Ints
    hours: float
    kinds: Sequence[tuple[int, int]]
    row: Ints
    day: Ints
    counted: Mask
    treated: Mask
    owner: Ints
    strata: Strata
    events: Mapping[str, Ints]
    gauges: Mapping[str, Floats]
    first: int
    last: int

    @property
    def sizes(self) -> tuple[int, int]:
        """Devices that ever had it, and that ever had another one while it was there."""
        now = self.counted & (self.day >= self.first) & (self.day <= self.last)
        sides = (now & self.treated, now & ~self.treated)
        treated, control = (np.unique(self.owner[self.row[side]]).size for side in sides)
        return treated, control

    def step(self, looks: int) -> int:
        """Every how many days it is looked at, so that there are at most ``looks``."""
        return -(-(self.last - self.first + 1) // looks)

    def tells(self, metric: Metric) -> bool:
        """Whether there is any exposure to a metric."""
        if metric.kind != "mean":
            return True
        measured = self._measured(metric)
        return bool((measured.exposed & (self.day >= measured.begin) & (self.day <= self.last)).any())

    def follow(self, metric: Metric, margin: float, looks: int) -> Iterator[Followed]:
        """The evidence at the end of each day (or of every few, at most ``looks`` times) from the value's first day to its last."""
        measured = self._measured(metric)
        stream = Stream.begin(metric, self._past(metric, measured), margin, cap=measured.cap)
        everyone = known = RateSums.nothing(self.owner.size)
        seen_before = stream.past.known[self.owner][:, None]
        unused = self._until_first_event(measured.happened)
        step = self.step(looks)
        for begin in range(self.first, self.last + 1, step):
            end = min(begin + step, self.last + 1)
            hours = self.hours * self._dense(begin, end, measured.exposed)
            treated = self._dense(begin, end, self.treated & self.counted) > 0
            block = Block(hours, treated, np.where(hours > 0, self._dense(begin, end, measured.amount), 0.0))
            everyone = everyone.add(block, self.strata)
            if seen_before.any():
                own = Block(np.where(seen_before, hours, 0.0), treated, np.where(seen_before, block.events, 0.0))
                known = known.add(own, self.strata)
            logrank = stream.logrank
            if metric.has_first_events:
                at_risk = np.where(self._dense(begin, end, unused) > 0, hours, 0.0)
                happened = self._dense(begin, end, measured.happened) > 0
                nobody = np.zeros(self.owner.size, dtype=bool)
                groups, _ = first_events(at_risk, treated, happened, nobody, self.strata)
                logrank = logrank.add(groups)
            stream = replace(
                stream,
                everyone=everyone.gathered(self.owner, self.devices),
                known=known.gathered(self.owner, self.devices),
                logrank=logrank,
            )
            yield Followed(end - 1, stream, everyone, known)

    def _measured(self, metric: Metric) -> _Measured:
        if metric.kind != "mean":
            events = self.events[metric.name]
            cap = self._cap_of_events(metric, events)
            return _Measured(self.counted, np.minimum(events, cap), events > 0, self.first, cap)
        amount = self.gauges[metric.name]
        exposed = self.counted & np.isfinite(amount)
        cap, begin = self._cap_of_amounts(amount, exposed & ~self.treated)
        exposed = exposed & ((self.day >= begin) | (self.day < self.first))
        amount = np.where(exposed, np.minimum(np.nan_to_num(amount), cap), 0.0)
        return _Measured(exposed, amount, np.zeros(amount.size, dtype=bool), begin, cap)

    def _cap_of_events(self, metric: Metric, events: Ints) -> float:
        """The most of a device-day that counts, from what came before the value: with too little before, all does."""
        if not metric.least_cap:
            return np.inf
        most = winsor_cap(events[self.counted & (self.day < self.first)], metric.cap_quantile)
        return max(metric.least_cap, float(np.ceil(most)))

    def _cap_of_amounts(self, amount: Floats, control: Mask) -> tuple[float, int]:
        """The most of a device-day that counts in full, and the day from which on amounts are compared.

        It is known from the others before the value's first day. Where that is too little, the first days serve only to learn it.
        """
        values, days = amount[control & (self.day <= self.last)], self.day[control & (self.day <= self.last)]
        before = int(np.searchsorted(days, self.first))
        if before >= LEAST_VALUES:
            return winsor_cap(values[:before]), self.first
        if values.size < LEAST_VALUES:
            return np.inf, self.last + 1
        learnt = int(days[LEAST_VALUES - 1])
        return winsor_cap(values[days <= learnt]), learnt + 1

    def _dense(self, begin: int, end: int, amount: Ints | Mask | Floats) -> Floats:
        """Amounts by row and day of [begin, end)."""
        first, last = np.searchsorted(self.day, [begin, end])
        width = end - begin
        flat = self.row[first:last] * width + self.day[first:last] - begin
        total = np.bincount(flat, weights=amount[first:last], minlength=self.owner.size * width)
        return total.reshape(self.owner.size, width).astype(np.float64, copy=False)

    def _until_first_event(self, happened: Mask) -> Mask:
        """Device-days up to and with each device's first event since the value's first day."""
        device = self.owner[self.row]
        mine = happened & (self.day >= self.first)
        at = np.full(self.devices, np.iinfo(np.int64).max)
        np.minimum.at(at, device[mine], self.day[mine])
        result: Mask = self.day <= at[device]
        return result

    def _past(self, metric: Metric, measured: _Measured) -> Past:
        """Each device's own past before the value's first day, with a wash-out where it is long enough."""
        past = Past.nothing(self.devices, metric.known_past_hours)
        earliest, day = int(self.day[0]), self.hours / 24.0
        pre, washout = round(_PRE / day), -(-_WASHOUT // max(1, round(day)))
        start, end = max(earliest, self.first - pre - washout), self.first - washout
        if (end - start) * day < _LEAST_PRE:
            start, end = max(earliest, self.first - pre), self.first
        if end <= start:
            return past
        middle = (start + end) // 2
        halves = []
        for begins, ends in ((start, middle), (middle, end)):
            hours = self.hours * self._dense(begins, ends, measured.exposed & ~self.treated)
            amount = np.where(hours > 0, self._dense(begins, ends, measured.amount), 0.0)
            sums = PastSums.nothing(self.owner.size).add(hours, amount, self.strata)
            halves.append(sums.gathered(self.owner, self.devices))
        return replace(past, early=halves[0], late=halves[1])


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
    versions = int(found.other.max(initial=0)) + 2
    kinds, row = np.unique(device * versions + found.other[mine] + 1, return_inverse=True)
    owner, version = kinds // versions, kinds % versions
    places, stratum = np.unique(found.places[members][owner] * versions + version, return_inverse=True)
    counts = {
        metric: np.bincount(indices, minlength=found.device.size)[mine] for metric, indices in found.happened.items()
    }
    order = np.argsort(day, kind="stable")
    return Group(
        model=name,
        device=device[order],
        row=row[order],
        day=day[order],
        value=value[order],
        left=np.where(fresh, before, UNKNOWN)[order],
        excluded=(fresh | found.changed[mine])[order],
        owner=owner,
        stratum=stratum,
        events={metric: count[order] for metric, count in counts.items()},
        gauges={metric: amount[mine][order] for metric, amount in found.gauges.items()},
        members=members,
        kinds=[(int(one) // versions, int(one) % versions - 1) for one in places],
        hours=24.0 * found.width,
    )
