"""Who has which value of a dimension when: batch, supplier, region, hardware revision, month of making."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import Connection

from analytics.cohorts.panel import UNKNOWN, hour_of
from hearthwatch.records import attributes, devices, parts
from hearthwatch.records.comparisons import PART, Comparison
from hearthwatch.values import Device

CONTROL, TREATMENT = 0, 1
FAR = 10**9
_ALL = 10_000_000
_OWN = frozenset({"hardware", "region"})

Span = tuple[int, int, str | None]
"""[from, to) in hours since 1970, and the value in them."""


@dataclass(frozen=True, slots=True)
class Members:
    """The devices that are compared, sorted by id, and their arms over time; test devices are left out.

    ``place`` numbers what else they are compared within (hardware revision x region, without the dimension itself), ``removed`` is the
    hour a device was taken away. ``change`` lists device index, hour and the arm from then on, for all that ever changed; ``arm`` is
    the arm before the first change.
    """

    ids: tuple[str, ...]
    place: NDArray[np.int64]
    removed: NDArray[np.int64]
    arm: NDArray[np.int8]
    change: tuple[tuple[int, int, int], ...]

    def arms(self, begin: int, end: int) -> NDArray[np.int8]:
        """The arm (`CONTROL`, `TREATMENT`, or -1 for neither) of each device in the hours [begin, end)."""
        result = np.repeat(self.arm[:, None], max(0, end - begin), axis=1)
        for device, hour, arm in self.change:
            result[device, max(0, hour - begin) :] = arm
        return result

    def moved(self, begin: int, end: int) -> tuple[int, int]:
        """How many devices came to the treatment's value or left it in (begin, end), and how many had it at any time in [begin, end)."""
        last = self.arm.copy()  # the last arm that was one
        for device, hour, now in self.change:
            if hour <= begin:
                last[device] = now
        had = set(np.flatnonzero(last == TREATMENT).tolist())
        movers: set[int] = set()
        for device, hour, now in self.change:
            if not begin < hour < end or now == UNKNOWN:
                continue
            if last[device] not in {now, UNKNOWN}:
                movers.add(device)
            if now == TREATMENT:
                had.add(device)
            last[device] = now
        return len(movers), len(had)

    def is_like(self, other: Members) -> bool:
        """Whether the registry says the same of the same devices."""
        return (
            self.ids == other.ids
            and self.change == other.change
            and all(np.array_equal(getattr(self, name), getattr(other, name)) for name in ("place", "removed", "arm"))
        )


def members_of(connection: Connection, comparison: Comparison) -> Members:
    """Read them from the registry."""
    listed = devices.list_devices(connection, model=comparison.model, limit=_ALL)
    counted = sorted((one for one in listed if not one.test), key=lambda one: one.id)
    spans = _spans(connection, comparison.by, counted)
    arm = np.full(len(counted), UNKNOWN, dtype=np.int8)
    change: list[tuple[int, int, int]] = []
    for index, device in enumerate(counted):
        steps = _steps(spans.get(device.id, ()), comparison)
        arm[index] = steps[0][1] if steps and steps[0][0] <= 0 else UNKNOWN
        change.extend((index, hour, now) for hour, now in steps if hour > 0)
    kept = [name for name in ("hardware", "region") if name != comparison.by]
    labels = [tuple(getattr(device, name) for name in kept) for device in counted]
    numbers = {label: number for number, label in enumerate(dict.fromkeys(labels))}
    removed = [hour_of(device.removed_at) if device.removed_at else FAR for device in counted]
    return Members(
        ids=tuple(device.id for device in counted),
        place=np.array([numbers[label] for label in labels], dtype=np.int64),
        removed=np.array(removed, dtype=np.int64),
        arm=arm,
        change=tuple(change),
    )


def values_known(connection: Connection, model: str, by: str) -> Mapping[str, int]:
    """The values a dimension has now among a model's devices, and how many devices have each, the most frequent first."""
    listed = [one for one in devices.list_devices(connection, model=model, limit=_ALL) if not one.test]
    spans = _spans(connection, by, listed)
    counted: dict[str, int] = {}
    for device in listed:
        own = spans.get(device.id, ())
        value = own[-1][2] if own and own[-1][1] == FAR else None
        if value:
            counted[value] = counted.get(value, 0) + 1
    return dict(sorted(counted.items(), key=lambda item: (-item[1], item[0])))


def _spans(connection: Connection, by: str, counted: Sequence[Device]) -> dict[str, list[Span]]:
    """The values of each device over time, oldest first; hours without a value are in no span."""
    ids = [device.id for device in counted]
    if by == "made":
        return {one.id: [(0, FAR, f"{one.made:%Y-%m}")] for one in counted if one.made is not None}
    if by.startswith(PART):
        told = parts.over_time(connection, by.removeprefix(PART), ids)
        return _by_device((one.device_id, one.from_at, one.to_at, one.detail) for one in told)
    own = {one.id: [(0, FAR, getattr(one, by))] for one in counted} if by in _OWN else {}
    rows = attributes.find(connection, by, ids)
    return own | _by_device((one.device_id, one.from_at, one.to_at, one.value) for one in rows)


def _by_device(rows: Iterable[tuple[str, datetime, datetime | None, str | None]]) -> dict[str, list[Span]]:
    """Spans by device. What is first known of a device held before, too, as far as anyone knows."""
    found: dict[str, list[Span]] = {}
    for device, begins, ends, value in rows:
        mine = found.setdefault(device, [])
        mine.append((hour_of(begins) if mine else 0, hour_of(ends) if ends else FAR, value))
    return found


def _steps(spans: Sequence[Span], comparison: Comparison) -> list[tuple[int, int]]:
    """When a device's arm changes: (hour, arm from then on)."""
    steps: list[tuple[int, int]] = []
    at = 0
    for begins, ends, value in spans:
        if begins > at:
            steps.append((at, UNKNOWN))
        steps.append((begins, _arm(value, comparison)))
        at = ends
    if spans and at < FAR:
        steps.append((at, UNKNOWN))
    return [step for place, step in enumerate(steps) if place == 0 or step[1] != steps[place - 1][1]]


def _arm(value: str | None, comparison: Comparison) -> int:
    if not value:
        return UNKNOWN
    if value == comparison.treatment:
        return TREATMENT
    return CONTROL if not comparison.control or value in comparison.control else UNKNOWN
