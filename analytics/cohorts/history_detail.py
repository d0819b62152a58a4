"""What stands behind a comparison of a history: strata and devices that contribute most, and what would be needed to settle it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from analytics.cohorts.day_cells import UNKNOWN
from analytics.cohorts.days import DeviceDays
from analytics.cohorts.decision import Decision, decide
from analytics.cohorts.detail import contributors, strata_detail
from analytics.cohorts.fleet import Place
from analytics.cohorts.group import Contrast, Followed
from analytics.cohorts.streams import Start
from analytics.cohorts.weighing import Basis, Weight


def strata_of(
    found: DeviceDays, contrast: Contrast, last: Followed, weight: Weight, by: str
) -> list[Mapping[str, Any]]:
    """The strata that count most, each by its own columns; see `analytics.cohorts.detail.strata_detail`."""
    sums = last.everyone if weight.assignment == "randomised" else last.known
    numbered = [Place(str(number), "", "", "") for number in range(len(contrast.kinds))]
    told = strata_detail(sums, contrast.stratum, numbered)
    return [_named(found, contrast.kinds[int(one["hardware"])], by) | _without_place(one) for one in told]


def _named(found: DeviceDays, kind: tuple[int, int], by: str) -> dict[str, Any]:
    place, version = kind
    names: dict[str, Any] = dict(zip(found.strata, found.place_names[place], strict=True))
    if by != "firmware" and found.firmware:
        names["firmware"] = None if version == UNKNOWN else found.firmware[version]
    return names


def _without_place(one: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in one.items() if name not in Place.__dataclass_fields__}


def devices_of(found: DeviceDays, contrast: Contrast, last: Followed, weight: Weight) -> list[Mapping[str, Any]]:
    """The devices that count most; see `analytics.cohorts.detail.contributors`."""
    sums = Basis(weight.assignment == "randomised", last.stream.past.rates).of(last.stream)
    stratum = np.zeros(contrast.devices, dtype=np.int64)
    stratum[contrast.owner] = contrast.stratum  # of a device that changed its firmware the newest one met
    return contributors(sums, [found.devices[number] for number in contrast.members], stratum)


def decision_of(
    followed: Sequence[Followed], contrast: Contrast, weight: Weight, *, needed: float, guard: int, margin: float
) -> Decision | None:
    """What would be needed if the history went on as it does."""
    hours = round(contrast.hours)
    starts = tuple(Start(hours * (one.day + 1), one.stream.everyone, one.stream.known) for one in followed)
    return decide(
        replace(followed[-1].stream, starts=starts),
        weight,
        needed_e=needed,
        until=hours * (followed[-1].day + 1),
        first_wave=hours * contrast.first,
        guard=guard,
        margin=margin,
    )
