"""What is said of a device as a whole: whether any of its parts will fail, and which is probably the first."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from analytics.survival.competing import first_to_fail
from hearthwatch.records.prognoses import Prognosis

JUDGED = 1
"""The horizon by which parts are ordered: 30 days, of 7, 30 and 90."""


@dataclass(frozen=True, slots=True)
class FirstPart:
    """Probability that this part fails within 7, 30 and 90 days and before every other; null where not all parts are told so far ahead."""

    part: str
    p7: float | None
    p30: float | None
    p90: float | None


@dataclass(frozen=True, slots=True)
class WholeDevice:
    """Probability that any part fails within 7, 30 and 90 days, and the ``probable_part``, the likeliest to be the first within 30 days.

    ``first`` has every part that is told of, the likeliest first; they add up to the device's. ``unsaid`` names the parts of which
    nothing is said: they may fail as well, which the probabilities leave out.
    """

    at: datetime
    p7: float | None
    p30: float | None
    p90: float | None
    probable_part: str
    first: Sequence[FirstPart]
    unsaid: Sequence[str]


def whole_device(parts: Sequence[Prognosis]) -> WholeDevice | None:
    """The prognoses of one device's parts as one; None where nothing is said of any part."""
    told = {row.part: (row.p7, row.p30, row.p90) for row in parts if row.p7 is not None}
    if not told:
        return None
    horizons = _known_by_all(list(told.values()))
    first = first_to_fail({part: [p or 0.0 for p in each[:horizons]] for part, each in told.items()})
    judged = min(JUDGED, horizons - 1)
    order = sorted(first, key=lambda part: (-first[part][judged], part))
    rows = [FirstPart(part, *_padded(first[part].tolist())) for part in order]
    total = _padded(sum(first.values()).tolist())  # type: ignore[union-attr]
    unsaid = [row.part for row in parts if row.p7 is None and row.part not in told]
    return WholeDevice(max(row.at for row in parts), *total, order[0], rows, unsaid)


def _known_by_all(told: Sequence[Sequence[float | None]]) -> int:
    """How many of the horizons every part is told for; the first is always."""
    return min(next((place for place, p in enumerate(each) if p is None), len(each)) for each in told)


def _padded(p: Sequence[float]) -> tuple[float | None, float | None, float | None]:
    known = [round(each, 6) for each in p]
    p7, p30, p90 = [*known, None, None, None][:3]
    return p7, p30, p90
