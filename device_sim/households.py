"""Homes and the customers who live in them: names, languages, consents, and holidays on which nobody is at home."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.random import Generator

from device_sim.scenario import Region

_YEAR_S = 365.25 * 86_400
_DAY_S = 86_400.0
_HOLIDAYS_PER_YEAR = 1.5

_GIVEN = {
    "en": ("Amelia", "Oliver", "Isla", "George", "Ava", "Noah", "Freya", "Arthur", "Grace", "Leo", "Priya", "Callum"),
    "zh-Hans": ("伟", "芳", "娜", "敏", "静", "磊", "洋", "艳", "勇", "杰", "雨桐", "子涵"),
}
_FAMILY = {
    "en": ("Smith", "Jones", "Taylor", "Brown", "Khan", "Walker", "Fraser", "MacLeod", "Evans", "Patel", "Wright"),
    "zh-Hans": ("王", "李", "张", "刘", "陈", "杨", "赵", "黄", "周", "吴", "徐"),
}
_STREETS = {
    "en": ("Mill Lane", "Station Road", "Church Street", "Victoria Road", "The Green", "High Street"),
    "zh-Hans": ("人民路", "中山路", "建设路", "和平路", "解放路", "长江路"),
}


@dataclass(frozen=True, slots=True)
class Home:
    """A home and its customer. ``region`` is an index into the scenario's regions; ``consents`` are the purposes agreed to."""

    id: str
    customer_id: str
    region: int
    name: str
    language: str
    email: str
    phone: str
    address: str
    consents: tuple[str, ...]


def found_homes(regions: Sequence[Region], count: int, rng: Generator) -> tuple[Home, ...]:
    """``count`` homes, shared out over the regions."""
    weights = np.array([region.share for region in regions], dtype=float)
    weights = weights / weights.sum() if weights.sum() > 0 else np.full(len(regions), 1 / len(regions))
    placed = rng.choice(len(regions), count, p=weights)
    return tuple(
        _home(number + 1, int(region), regions[int(region)].language, rng) for number, region in enumerate(placed)
    )


def _home(number: int, region: int, language: str, rng: Generator) -> Home:
    spoken = language if language in _GIVEN else "en"
    given, family = str(rng.choice(_GIVEN[spoken])), str(rng.choice(_FAMILY[spoken]))
    street, house = str(rng.choice(_STREETS[spoken])), int(rng.integers(1, 200))
    eastern = spoken == "zh-Hans"
    customer_id = f"c-{number:04d}"
    return Home(
        id=f"h-{number:04d}",
        customer_id=customer_id,
        region=region,
        name=f"{family}{given}" if eastern else f"{given} {family}",
        language=language,
        email=f"{customer_id}@example.org",
        phone=f"+86 10 5550 {number:04d}" if eastern else f"+44 1632 96{number:04d}",
        address=f"{street}{house}号" if eastern else f"{house} {street}",
        consents=_consents(rng),
    )


def _consents(rng: Generator) -> tuple[str, ...]:
    shares = {"safety": 0.99, "service": 0.94, "marketing": 0.35, "analytics": 0.7}
    drawn = rng.random(len(shares))
    return tuple(purpose for (purpose, share), given in zip(shares.items(), drawn, strict=True) if given < share)


class Holidays:
    """When nobody is at home, per home."""

    def __init__(self, homes: int, start: float, rng: Generator) -> None:
        self._rng = rng
        self._from = start + rng.exponential(_YEAR_S / _HOLIDAYS_PER_YEAR, homes)
        self._until = self._from + rng.uniform(3, 12, homes) * _DAY_S

    def occupied(self, at: float) -> np.ndarray:
        """1 where people live at home, 0 where they are away, shape (homes,)."""
        for home in np.flatnonzero(self._until < at):
            self._from[home] = at + self._rng.exponential(_YEAR_S / _HOLIDAYS_PER_YEAR)
            self._until[home] = self._from[home] + self._rng.uniform(3, 12) * _DAY_S
        at_home: np.ndarray = ((at < self._from) | (at > self._until)).astype(float)
        return at_home
