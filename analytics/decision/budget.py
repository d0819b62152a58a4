"""How many findings a week may open: the best by expected benefit, and what one more would have been worth.

The week is today and the six days before it (UTC), so that a second run on the same day counts the same openings.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import floor

WEEK_DAYS = 7


@dataclass(frozen=True, slots=True)
class Admission:
    """``admitted`` and ``waiting`` are places in the list that was asked about, best first."""

    admitted: tuple[int, ...]
    waiting: tuple[int, ...]


def weekly_limit(per_1000: float, devices: int) -> int | None:
    """How many findings may open within a week in a fleet; None: any number. A fleet of fewer than 1,000 has the budget of 1,000: with
    less a pilot would hardly see a finding. At least one may open."""
    return max(1, floor(per_1000 * max(devices, 1000) / 1000 + 1e-9)) if per_1000 > 0 else None


def room(limit: int | None, opened: int) -> int | None:
    """How many more may open when so many did within the week; None: any number."""
    return None if limit is None else max(0, limit - opened)


def admit(worth: Sequence[float], names: Sequence[tuple[str, str]], left: int | None) -> Admission:
    """The best within what is left. Of those worth the same the first by name goes first, so that order does not matter."""
    order = sorted(range(len(worth)), key=lambda place: (-worth[place], names[place]))
    end = len(order) if left is None else min(left, len(order))
    return Admission(tuple(order[:end]), tuple(order[end:]))
