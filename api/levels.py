"""What a comparison is held against: the levels its evidence must reach, the bounds and the margin of its ratio."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from analytics.cohorts.spec import SAME_HIGH, SAME_LOW
from hearthwatch.settings import Settings

ALONE = 20.0
"""1 / 0.05: a stream passes this by chance at most once in twenty roll-outs, however often it is looked at."""


@dataclass(frozen=True, slots=True)
class Levels:
    """What the evidence ``e`` of a metric must reach. ``alone`` is passed by chance once in twenty at most; ``page`` is for `worse` among
    all streams watched at the same time (e-BH), ``watch`` for the watch list. The last two are null where the look does not tell them."""

    alone: float
    page: float | None
    watch: float | None


@dataclass(frozen=True, slots=True)
class Bounds:
    """What the ratio is held against: the same as the control within [``same_low``, ``same_high``], not `worse` up to ``margin``
    (down to it, where less is worse)."""

    same_low: float
    same_high: float
    margin: float


def levels(detail: Mapping[str, Any], settings: Settings) -> Levels:
    """What the evidence of a look had to reach, from the look's detail."""
    page = detail.get("needed")
    if not page:
        return Levels(ALONE, None, None)
    return Levels(ALONE, float(page), float(page) * watch_share(settings))


def watch_share(settings: Settings) -> float:
    """The level of the watch list as a share of the level that pages."""
    return settings.cohort_page_fdr / settings.cohort_watch_fdr


def bounds(detail: Mapping[str, Any], settings: Settings) -> Bounds:
    """What the ratio of a look is held against: as the look tells it, else as it was for all when looks did not tell it yet."""
    low, high = detail.get("bounds") or (SAME_LOW, SAME_HIGH)
    margin = float(detail.get("margin") or settings.cohort_margin)
    return Bounds(float(low), float(high), 1.0 / margin if detail.get("direction") == "less" else margin)
