"""Many devices that fall silent at once are one incident: is it more than chance, and which group explains it best?

Counted are *units*: homes, or devices that belong to none, because the devices of a home fall silent together. For each group the number of
units that fell silent within the window is held against a Poisson bound: the group's usual rate of falling silent (learned, with a prior
that expects more than most fleets show) times the unit-hours at stake. Of the groups beyond their bound, the one whose share of silent
units exceeds that of all others most explains it.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

WINDOW = timedelta(hours=1)
"""Devices that turned silent within so long, or within one interval of theirs, turned silent at once."""
ALPHA = 1e-5
"""The chance of a false incident at one look, divided by the number of groups."""
LEAST_SHARE = 0.1
PRIOR_EVENTS, PRIOR_HOURS = 1.0, 400.0
"""Before anything is learned a unit is taken to fall silent once in 400 hours."""
MEMORY_HOURS = 14 * 24.0
CRITICAL_SHARE = 0.5

Group = tuple[str, str]
"""Kind (all, region, model, convention, bridge) and name."""
ALL: Group = ("all", "")


@dataclass(frozen=True, slots=True)
class Member:
    """A device as the test sees it. ``silent``: it turned silent within its window."""

    device: str
    unit: str
    groups: Sequence[Group]
    silent: bool
    hours: float


@dataclass(frozen=True, slots=True)
class Rate:
    """How often a group's units fall silent, as sums that fade."""

    events: float = 0.0
    hours: float = 0.0

    @property
    def per_hour(self) -> float:
        """With the prior."""
        return (self.events + PRIOR_EVENTS) / (self.hours + PRIOR_HOURS)

    def after(self, events: float, hours: float, elapsed: float) -> Rate:
        """With what happened in ``elapsed`` hours more."""
        kept = 0.5 ** (elapsed / MEMORY_HOURS)
        return Rate(self.events * kept + events, self.hours * kept + hours)


@dataclass(frozen=True, slots=True)
class Outbreak:
    """Far more of a group fell silent than usual. ``share`` of its units, ``elsewhere`` of all others; ``p`` by the Poisson bound."""

    group: Group
    silent: int
    units: int
    share: float
    elsewhere: float
    p: float
    devices: tuple[str, ...]

    @property
    def severity(self) -> str:
        """By share."""
        return "critical" if self.share >= CRITICAL_SHARE else "warning"


@dataclass(slots=True)
class _Sum:
    units: dict[str, bool] = field(default_factory=dict)
    hours: dict[str, float] = field(default_factory=dict)
    devices: list[str] = field(default_factory=list)


def outbreak(members: Iterable[Member], rates: Mapping[Group, Rate], *, minimum: int) -> Outbreak | None:
    """The group that explains the silence best, of those in which at least ``minimum`` units fell silent, more than by chance."""
    sums = _sums(members)
    found = [one for group in sums if (one := _test(group, sums, rates, minimum)) is not None]
    return max(found, key=lambda one: (one.share - one.elsewhere, one.silent, one.group), default=None)


def _sums(members: Iterable[Member]) -> dict[Group, _Sum]:
    sums: dict[Group, _Sum] = defaultdict(_Sum)
    for one in members:
        for group in (ALL, *one.groups):
            mine = sums[group]
            mine.units[one.unit] = mine.units.get(one.unit, False) or one.silent
            mine.hours[one.unit] = max(mine.hours.get(one.unit, 0.0), one.hours)
            if one.silent:
                mine.devices.append(one.device)
    return sums


def _test(group: Group, sums: Mapping[Group, _Sum], rates: Mapping[Group, Rate], minimum: int) -> Outbreak | None:
    from scipy.special import pdtrc

    mine, whole = sums[group], sums[ALL]
    silent, units = sum(mine.units.values()), len(mine.units)
    if silent < minimum or silent < LEAST_SHARE * units:
        return None
    if group != ALL and units == len(whole.units):
        return None  # a group that everybody belongs to explains nothing
    expected = rates.get(group, Rate()).per_hour * sum(mine.hours.values())
    p = float(pdtrc(silent - 1, expected))
    if p > ALPHA / len(sums):
        return None
    others = [told for unit, told in whole.units.items() if unit not in mine.units]
    elsewhere = sum(others) / len(others) if others else 0.0
    return Outbreak(group, silent, units, silent / units, elsewhere, p, tuple(sorted(mine.devices)))


def subject(group: Group) -> str:
    """How a finding names a group."""
    kind, name = group
    return "group:all" if group == ALL else f"group:{kind}/{name}"


def dump(rates: Mapping[Group, Rate]) -> list[list[Any]]:
    """The rates as JSON."""
    return [[*group, round(rate.events, 4), round(rate.hours, 2)] for group, rate in sorted(rates.items())]


def load(told: Iterable[Sequence[Any]]) -> dict[Group, Rate]:
    """The rates from JSON."""
    return {(kind, name): Rate(events, hours) for kind, name, events, hours in told}
