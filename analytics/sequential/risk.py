"""First events on one clock: who was at risk when they happened. One code for the devices of a stream and the rows of many streams."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from analytics.sequential.mixture import Floats
from analytics.sequential.slots import Cells
from analytics.sequential.strata import Strata

Counts = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class RiskGroups:
    """Tied first events: one entry per stratum and event time; integers of shape (groups,)."""

    treated_at_risk: Counts
    control_at_risk: Counts
    treated_events: Counts
    events: Counts

    @classmethod
    def joined(cls, parts: Sequence[RiskGroups]) -> RiskGroups:
        """The groups of all parts, in their order."""
        if not parts:
            return cls(*(np.zeros(0, dtype=np.int64) for _ in range(4)))
        return cls(*(np.concatenate([getattr(part, name) for part in parts]) for name in cls.__slots__))


def risk_groups(
    hours: Floats, treated: NDArray[np.bool_], happened: NDArray[np.bool_], used: NDArray[np.bool_], cells: Cells
) -> tuple[RiskGroups, NDArray[np.intp]]:
    """The groups of one slot's first events, and the stratum of each, ascending; arrays of shape (rows,).

    Marks in ``used``, in place, the rows that had theirs. See `first_events` for what the arrays say.
    """
    failing = np.flatnonzero(happened)
    failing = failing[~used[failing]]
    counted = failing[hours[failing] > 0]
    if counted.size == 0:
        used[failing] = True
        return RiskGroups.joined(()), np.zeros(0, dtype=np.intp)
    failed = np.bincount(cells.control_cell[counted] + treated[counted], minlength=2 * cells.strata).reshape(-1, 2)
    stratum = np.flatnonzero(failed.any(axis=1))
    exposed = (hours > 0) & ~used
    at_risk = np.bincount((cells.control_cell + treated)[exposed], minlength=2 * cells.strata).reshape(-1, 2)[stratum]
    used[failing] = True
    failed = failed[stratum]
    return RiskGroups(at_risk[:, 1], at_risk[:, 0], failed[:, 1], failed.sum(axis=1)), stratum


def first_events(
    hours: Floats, treated: NDArray[np.bool_], happened: NDArray[np.bool_], used: NDArray[np.bool_], strata: Strata
) -> tuple[RiskGroups, NDArray[np.bool_]]:
    """The groups of tied first events of a block, and which devices are used up after it.

    Arrays of shape (devices, slots): a device is at risk where ``hours`` > 0, in the arm that ``treated`` says; ``happened`` marks slots
    with an event, also where the device is in no arm: such a first event uses the device up without counting. ``used`` has shape
    (devices,). Events of one slot and stratum are ties.
    """
    groups, _, used = first_events_by_slot(hours, treated, happened, used, strata)
    return groups, used


def first_events_by_slot(
    hours: Floats, treated: NDArray[np.bool_], happened: NDArray[np.bool_], used: NDArray[np.bool_], strata: Strata
) -> tuple[RiskGroups, NDArray[np.intp], NDArray[np.bool_]]:
    """As `first_events`, with the slot of each group, ascending."""
    cells, used = Cells.of_one(strata.of_device, strata.count), used.copy()
    found, slots = [], []
    columns = [np.ascontiguousarray(part.T) for part in (hours, treated, happened)]
    for slot in np.flatnonzero(columns[2].any(axis=1)):
        groups, stratum = risk_groups(columns[0][slot], columns[1][slot], columns[2][slot], used, cells)
        if stratum.size:
            found.append(groups)
            slots.append(np.full(stratum.size, slot))
    return RiskGroups.joined(found), np.concatenate(slots) if slots else np.zeros(0, dtype=np.intp), used
