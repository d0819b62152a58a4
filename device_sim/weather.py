"""Outdoor temperature and daylight of each region: season, time of day, and days that hang together."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import numpy as np
from numpy.random import Generator

from device_sim.randomness import relaxed
from device_sim.scenario import Region

DAY_S = 86_400.0
_WEATHER_TIME_S = 2.5 * DAY_S  # how long a warm or cold spell lasts: synoptic systems pass in two to five days
_CLOUD_TIME_S = 0.6 * DAY_S
_COLDEST_DAY = 22.0  # the temperature lags the sun by about a month
_WARMEST_HOUR = 15.0
_CLEAR_SKY_LUX = 100_000.0


@dataclass(frozen=True, slots=True)
class Sky:
    """One moment in every region; arrays of shape (regions,). ``hour`` is local clock time in [0, 24)."""

    hour: np.ndarray
    weekend: np.ndarray
    outdoor_c: np.ndarray
    daylight_lux: np.ndarray


class Weather:
    """The weather of all regions, moved on step by step."""

    def __init__(self, regions: Sequence[Region], rng: Generator) -> None:
        self._rng = rng
        self._zones = [ZoneInfo(region.timezone) for region in regions]
        self._mean = np.array([region.mean_c for region in regions])
        self._seasonal = np.array([region.seasonal_c for region in regions])
        self._diurnal = np.array([region.diurnal_c for region in regions])
        self._sigma = np.array([region.weather_c for region in regions])
        latitude = np.radians([region.latitude for region in regions])
        self._sin_latitude, self._cos_latitude = np.sin(latitude), np.cos(latitude)
        self._spell = rng.standard_normal(len(regions))
        self._cloud = rng.standard_normal(len(regions))

    def advance(self, at: float, dt_s: float) -> Sky:
        """Move on by ``dt_s`` seconds, to the instant ``at`` (Unix seconds)."""
        self._spell = relaxed(self._spell, dt_s, _WEATHER_TIME_S, 1.0, self._rng)
        self._cloud = relaxed(self._cloud, dt_s, _CLOUD_TIME_S, 1.0, self._rng)
        instant = datetime.fromtimestamp(at, UTC)
        local = [instant.astimezone(zone) for zone in self._zones]
        hour = np.array([time.hour + time.minute / 60 + time.second / 3600 for time in local])
        weekend = np.array([time.weekday() >= 5 for time in local], dtype=float)
        day = instant.timetuple().tm_yday + (at % DAY_S) / DAY_S
        cover = 1 / (1 + np.exp(-1.5 * self._cloud))
        season = -self._seasonal * np.cos(2 * np.pi * (day - _COLDEST_DAY) / 365.25)
        # Clouds flatten the day's swing.
        swing = self._diurnal * (1.3 - 0.6 * cover) * np.cos(2 * np.pi * (hour - _WARMEST_HOUR) / 24)
        outdoor = self._mean + season + swing + self._sigma * self._spell
        return Sky(hour, weekend, outdoor, self._daylight(day, hour, cover))

    def _daylight(self, day: float, hour: np.ndarray, cover: np.ndarray) -> np.ndarray:
        declination = np.radians(-23.44) * np.cos(2 * np.pi * (day + 10) / 365.25)
        turned = np.radians(15.0 * (hour - 12.0))
        elevation = self._sin_latitude * np.sin(declination) + self._cos_latitude * np.cos(declination) * np.cos(turned)
        lux: np.ndarray = _CLEAR_SKY_LUX * np.maximum(elevation, 0.0) ** 1.2 * (1 - 0.8 * cover)
        return lux
