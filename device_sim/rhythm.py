"""How a household's use of its devices is spread over the day and the week."""

from __future__ import annotations

import numpy as np

_SLOTS = 48  # half hours


def daily_profile(*peaks: tuple[float, float, float], floor: float) -> np.ndarray:
    """A profile over 48 half hours with mean 1: peaks given as (hour, width in hours, height) on a floor."""
    hours = np.arange(_SLOTS) / 2 + 0.25
    profile = np.full(_SLOTS, floor)
    for hour, width, height in peaks:
        distance = (hours - hour + 12) % 24 - 12
        profile += height * np.exp(-0.5 * (distance / width) ** 2)
    scaled: np.ndarray = profile / profile.mean()
    return scaled


def slot(hour: np.ndarray) -> np.ndarray:
    """Index into a profile for local hours of any range."""
    index: np.ndarray = (np.floor(hour * 2).astype(np.int64)) % _SLOTS
    return index


HOME_WEEKDAY = daily_profile((7.3, 0.8, 3.0), (18.5, 2.2, 2.6), (22.0, 1.0, 0.8), floor=0.12)
HOME_WEEKEND = daily_profile((9.5, 1.6, 1.8), (13.5, 2.5, 1.3), (19.0, 2.5, 1.8), floor=0.15)


def activity(hour: np.ndarray, weekend: np.ndarray) -> np.ndarray:
    """How busy people are at home at a local hour, mean 1 over the day. Shapes (n,)."""
    index = slot(hour)
    busy: np.ndarray = np.where(weekend > 0.5, HOME_WEEKEND[index], HOME_WEEKDAY[index])
    return busy
