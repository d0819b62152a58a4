"""A fifth of a group far from its own past on one day is one incident of the group, not the fault of each of its devices."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from analytics.panel import Flags, Floats, Ints

INCIDENT_SHARE = 0.2
INCIDENT_SCORE = 4.0
INCIDENT_GROUP = 10
"""Devices a group must have that day."""


@dataclass(frozen=True, slots=True)
class Incident:
    """``by``: what the group has in common; ``code``: which group, as the codes were given; ``mode``: index of the failure mode."""

    by: str
    code: int
    mode: int
    share: float
    devices: int


def incidents_of(far: Mapping[int, Sequence[Floats]], groups: Mapping[str, Ints]) -> tuple[tuple[Incident, ...], Flags]:
    """The day's incidents, and the devices and modes (devices, modes) whose evidence waits for that.

    ``far``: for every mode, by index, the scores of its streams, each (devices,), positive to the bad side, NaN where unknown.
    ``groups``: by what they are formed, codes (devices,), -1 for none. The group of which the greatest share is far comes first; a
    smaller share of another is an incident only of the devices that are not in the first.
    """
    devices = len(next(iter(groups.values())))
    held = np.zeros((devices, len(far)), dtype=bool)
    found: list[Incident] = []
    for mode, scores in far.items():
        while (worst := _worst(mode, scores, groups, ~held[:, mode])) is not None:
            found.append(worst)
            held[groups[worst.by] == worst.code, mode] = True
    return tuple(sorted(found, key=lambda one: (one.by, one.code, one.mode))), held


def _worst(mode: int, scores: Sequence[Floats], groups: Mapping[str, Ints], free: Flags) -> Incident | None:
    worst: Incident | None = None
    for by, codes in groups.items():
        for score in scores:
            here = free & (codes >= 0) & ~np.isnan(score)
            if not here.any():
                continue
            sizes = np.bincount(codes[here])
            shares = np.bincount(codes[here & (score >= INCIDENT_SCORE)], minlength=len(sizes)) / np.maximum(sizes, 1)
            shares[sizes < INCIDENT_GROUP] = 0.0
            code = int(np.argmax(shares))
            if shares[code] > (INCIDENT_SHARE if worst is None else worst.share):
                worst = Incident(by, code, mode, float(shares[code]), int(sizes[code]))
    return worst
