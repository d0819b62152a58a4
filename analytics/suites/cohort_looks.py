"""What the product's tests need at every look of a simulated fleet, all looks at once.

`analytics.sequential.looks` goes through all devices at every slot. In a simulated fleet the devices of a stratum that update together have
equal exposure, so that the sums of products its estimates are made from (`analytics.sequential.moments`) follow from a few sums
by such *classes* of devices and from the sparse events, a tenth of the work. All statistics are the product's; a test holds
what is gathered here to what `rate_looks` and `first_event_looks` gather.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from analytics.sequential.logrank import POINTS, evidence_of, log_e_of
from analytics.sequential.looks import RateLooks
from analytics.sequential.moments import OWN, Moments
from analytics.sequential.risk import RiskGroups
from analytics.sequential.slots import EXPECTED_CONTROL, EXPECTED_TREATED, STATE, A, B, Cells, Slot, advance
from analytics.suites.cohort_fleets import Fleet, Floats, Integers

_ONE, _TREATED, _CONTROL, _PAST = range(4)  # of a device's z, see `_products`


@dataclass(frozen=True, slots=True)
class Classes:
    """Devices of equal exposure: the class of each device, sizes and strata of classes, and hours by class and slot."""

    of_device: Integers
    size: Floats
    stratum: Integers
    treated: NDArray[np.bool_]
    control: NDArray[np.bool_]
    slot_hours: float

    @classmethod
    def of(cls, fleet: Fleet, burn_in_hours: float) -> Classes:
        """The treated arm begins ``burn_in_hours`` after a device's update, the control ends with it."""
        burn = round(burn_in_hours / fleet.slot_hours)
        kinds, of_device = np.unique(fleet.stratum * (fleet.slots + 1) + fleet.update, return_inverse=True)
        update, slot = (kinds % (fleet.slots + 1))[:, None], np.arange(fleet.slots)
        strata = np.unique(kinds // (fleet.slots + 1), return_inverse=True)[1]
        return cls(
            of_device=of_device,
            size=np.bincount(of_device).astype(np.float64),
            stratum=strata,
            treated=slot >= update + burn,
            control=slot < update,
            slot_hours=fleet.slot_hours,
        )

    @property
    def slots(self) -> int:
        """Number of slots."""
        return int(self.treated.shape[1])

    def summed(self, group: Integers, slot: Integers, values: Floats) -> Floats:
        """Sums of entries by class and slot."""
        flat = np.bincount(group * self.slots + slot, weights=values, minlength=self.size.size * self.slots)
        result: Floats = flat.astype(np.float64, copy=False).reshape(self.size.size, self.slots)
        return result

    def by_stratum(self, values: Floats) -> Floats:
        """Sums over the classes of a stratum, shape (strata, slots)."""
        result = np.zeros((int(self.stratum.max()) + 1, self.slots))
        np.add.at(result, self.stratum, values)
        return result


@dataclass(frozen=True, slots=True)
class _Entries:
    """Events by device and slot, in the order of devices and of a device's slots."""

    device: Integers
    group: Integers
    slot: Integers
    count: Floats


def rate_looks(fleets: Sequence[Fleet], burn_in_hours: float, pasts: Sequence[Sequence[Floats]]) -> list[RateLooks]:
    """As `analytics.sequential.looks.rate_looks` with a look at every slot, of several fleets with as many slots each.

    ``pasts`` holds those of each fleet; all of them must be known.
    """
    classes = [Classes.of(fleet, burn_in_hours) for fleet in fleets]
    counted = [_counted(fleet, mine) for fleet, mine in zip(fleets, classes, strict=True)]
    states = _states(classes, counted)
    return [_looks(*parts) for parts in zip(classes, counted, states, pasts, strict=True)]


def _counted(fleet: Fleet, classes: Classes) -> _Entries:
    group = classes.of_device[fleet.device]
    inside = np.flatnonzero((classes.treated | classes.control)[group, fleet.slot])
    return _Entries(fleet.device[inside], group[inside], fleet.slot[inside], fleet.count[inside])


def _looks(classes: Classes, counted: _Entries, states: tuple[Floats, Floats], pasts: Sequence[Floats]) -> RateLooks:
    excess = np.stack([past - 1.0 for past in pasts])
    return RateLooks(
        moments=_moments(classes, *states, _products(classes, counted, excess)),
        devices_with_events=_with_events(classes, counted),
        devices_with_past=_with_past(classes, excess[0] > -1.0),
    )


def _states(classes: Sequence[Classes], counted: Sequence[_Entries]) -> list[tuple[Floats, Floats]]:
    """For each fleet the running sums of its classes, shape (slots, 8, classes), and the totals A and B, shape (slots, 2).

    `advance` knows many streams: here a fleet is a stream, and a class a row.
    """
    sizes = [mine.size.size for mine in classes]
    strata = [int(mine.stratum.max()) + 1 for mine in classes]
    begins = np.cumsum([0, *strata])
    stratum = np.concatenate([mine.stratum + begin for mine, begin in zip(classes, begins, strict=False)])
    cells = Cells(2 * stratum.astype(np.intp), int(begins[-1]), begins[:-1].astype(np.intp))
    treated = np.concatenate([mine.treated for mine in classes]).T.copy()
    exposed = treated | np.concatenate([mine.control for mine in classes]).T
    hours = exposed * np.concatenate([mine.size * mine.slot_hours for mine in classes])
    events = [mine.summed(one.group, one.slot, one.count) for mine, one in zip(classes, counted, strict=True)]
    columns = np.concatenate(events).T.copy()
    state, totals = np.zeros((STATE, stratum.size)), np.zeros((2, len(classes)))
    states, all_totals = np.empty((len(columns), *state.shape)), np.empty((len(columns), *totals.shape))
    for slot, column in enumerate(columns):
        advance(state, totals, Slot(hours[slot], treated[slot], column), cells)
        states[slot], all_totals[slot] = state, totals
    parts = np.split(states, np.cumsum(sizes)[:-1], axis=2)
    return [(part, all_totals[:, :, number]) for number, part in enumerate(parts)]


def _products(classes: Classes, counted: _Entries, excess: Floats) -> Floats:
    """Sums over the devices of a class of z z' up to each slot, shape (slots, classes, n, n).

    z of a device is 1, its weighted events in the treated arm, those in the control, and the ``excess`` of each past.
    """
    weighted = counted.count * _weights(classes, counted)
    treated = classes.treated[counted.group, counted.slot]
    arms = np.where(treated, weighted, 0.0), np.where(treated, 0.0, weighted)
    before = [_before(counted.device, values) for values in arms]

    def running(values: Floats) -> Floats:
        return np.cumsum(classes.summed(counted.group, counted.slot, values), axis=1).T

    def whole(values: Floats) -> Floats:
        return np.bincount(classes.of_device, weights=values).astype(np.float64, copy=False)

    size = _PAST + len(excess)
    products = np.empty((classes.slots, classes.size.size, size, size))
    products[..., _ONE, _ONE] = classes.size
    products[..., _TREATED, _CONTROL] = running(arms[0] * before[1] + arms[1] * before[0])
    for index, values, earlier in zip((_TREATED, _CONTROL), arms, before, strict=True):
        products[..., _ONE, index] = running(values)
        products[..., index, index] = running(values * (values + 2.0 * earlier))
        for past, mine in enumerate(excess, _PAST):
            products[..., index, past] = running(values * mine[counted.device])
    for past, mine in enumerate(excess, _PAST):
        products[..., _ONE, past] = whole(mine)
        for other in range(past, size):
            products[..., past, other] = whole(mine * excess[other - _PAST])
    below = np.tril_indices(size, -1)
    products[..., below[0], below[1]] = products[..., below[1], below[0]]
    return products


def _weights(classes: Classes, counted: _Entries) -> Floats:
    """The Mantel-Haenszel weight of each entry: the share of the other arm in its stratum and slot."""
    size = classes.size[:, None]
    treated, control = (classes.by_stratum(size * arm) for arm in (classes.treated, classes.control))
    exposed = np.maximum(treated + control, 1.0)
    here = classes.stratum[counted.group], counted.slot
    return np.where(classes.treated[counted.group, counted.slot], (control / exposed)[here], (treated / exposed)[here])


def _moments(classes: Classes, state: Floats, totals: Floats, products: Floats) -> Moments:
    """The sums that `analytics.sequential.moments` makes from each device's numbers, which are linear in its z."""
    pasts = products.shape[-1] - _PAST
    each = state / classes.size
    sums = products[..., _ONE, :] / classes.size[:, None]
    linear = np.zeros((*products.shape[:2], OWN + 4 * pasts, products.shape[-1]))
    for row, column in ((A, _TREATED), (B, _CONTROL)):
        linear[..., row, _ONE] = each[:, row] - sums[..., column]
        linear[..., row, column] = 1.0
    for row, expected in ((1, EXPECTED_TREATED), (3, EXPECTED_CONTROL)):
        linear[..., row, _ONE] = each[:, expected]
        for past in range(pasts):
            at = OWN + 4 * past + row - 1
            linear[..., at, _ONE] = each[:, expected]
            linear[..., at + 1, _PAST + past] = each[:, expected]
    gram = (linear @ products @ np.swapaxes(linear, -1, -2)).sum(axis=1)
    return Moments(gram, (linear @ products[..., _ONE, :, None])[..., 0].sum(axis=1), totals)


def _before(device: Integers, values: Floats) -> Floats:
    """The sum of the same device's entries before each entry."""
    until = np.cumsum(values) - values
    fresh = np.ones(device.size, dtype=np.bool_)
    fresh[1:] = device[1:] != device[:-1]
    result: Floats = until - until[fresh][np.cumsum(fresh) - 1] if device.size else until
    return result


def _with_events(classes: Classes, counted: _Entries) -> Integers:
    """Devices of the treated arm and of the control that have had an event there, up to each slot."""
    treated = classes.treated[counted.group, counted.slot]
    rows = []
    for arm in (treated, ~treated):
        first = np.unique(counted.device[arm], return_index=True)[1]
        rows.append(np.cumsum(np.bincount(counted.slot[arm][first], minlength=classes.slots)))
    return np.stack(rows)


def _with_past(classes: Classes, had: NDArray[np.bool_]) -> Integers:
    """Devices of the treated arm and of the control that ``had`` events before, up to each slot."""
    number = np.bincount(classes.of_device, weights=had).astype(np.int64)
    reached = (np.logical_or.accumulate(arm, axis=1) for arm in (classes.treated, classes.control))
    return np.stack([number @ arm for arm in reached])


def first_event_looks(fleet: Fleet, burn_in_hours: float, margin: float) -> Floats:
    """As `analytics.sequential.looks.first_event_looks` with a look at every slot."""
    classes = Classes.of(fleet, burn_in_hours)
    device, entry = np.unique(fleet.device, return_index=True)
    gone = classes.summed(classes.of_device[device], fleet.slot[entry], np.ones(device.size))
    left = classes.size[:, None] - np.cumsum(gone, axis=1) + gone
    failed_t, failed_c = classes.by_stratum(gone * classes.treated), classes.by_stratum(gone * classes.control)
    failed = failed_t + failed_c
    slot, stratum = np.nonzero(failed.T)
    at_risk_t, at_risk_c = classes.by_stratum(left * classes.treated), classes.by_stratum(left * classes.control)
    columns = (values[stratum, slot].astype(np.int64) for values in (at_risk_t, at_risk_c, failed_t, failed))
    added = np.zeros((classes.slots, POINTS))
    if slot.size:
        np.add.at(added, slot, evidence_of(RiskGroups(*columns), margin, interval=False)[0])
    return log_e_of(np.cumsum(added, axis=0))
